"""Calendars against going through the events one by one."""

import datetime as dt
from typing import get_args

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inlink.contract.rows import DayCount
from inlink.contract.vocabulary import NewLostType
from inlink.index.calendars import FIRST, Calendar, calendar
from inlink.index.days import Span, dates, day_number
from inlink.index.files import Ints

Events = list[tuple[int, int]]
"""Day and number, in the order in which those of one day are told."""

BEGIN = dt.date(2026, 3, 1)


def events(count: int, days: int, seed: int) -> Events:
    random = np.random.default_rng(seed)
    drawn = random.integers(0, days, count) + day_number(BEGIN)
    return list(zip(drawn.tolist(), random.permutation(count).tolist(), strict=True))


def columns(found: Events) -> tuple[Ints, Ints]:
    return np.array([day for day, _ in found], np.int16), np.array([n for _, n in found], np.int64)


made = st.builds(
    lambda new, lost, days, seed: (events(new, days, seed), events(lost, days, seed + 1)),
    *(st.integers(0, 4000), st.integers(0, 2000), st.integers(1, 3), st.integers(0, 1000)),
)
spans = st.builds(
    lambda first, days: Span(BEGIN + dt.timedelta(first), BEGIN + dt.timedelta(first + days)),
    *(st.integers(-3, 5), st.integers(0, 8)),
)
types: st.SearchStrategy[NewLostType | None] = st.sampled_from([*get_args(NewLostType), None])


def made_of(new: Events, lost: Events) -> Calendar:
    """One that lies between others, as in a file."""
    parts = [calendar(columns(new[:3]), columns([])), calendar(columns(new), columns(lost))]
    start = len(parts[0].event)
    both = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("day", "new", "lost", "event")
    }
    ends = np.concatenate([parts[0].events_end, parts[1].events_end + start])
    joined = Calendar(**both, events_end=ends)
    return joined.part(slice(len(parts[0].day), len(joined.day)))


def within(found: Events, span: Span) -> Events:
    return [event for event in found if day_number(span.first) <= event[0] <= day_number(span.last)]


@given(made, spans, types, st.integers(1, FIRST))
def test_the_first_events(
    of: tuple[Events, Events], span: Span, kind: NewLostType | None, limit: int
) -> None:
    told = [(day, 0, place, n) for place, (day, n) in enumerate(within(of[0], span))]
    told += [(day, 1, place, n) for place, (day, n) in enumerate(within(of[1], span))]
    wanted = [each for each in told if kind is None or each[1] == (kind == "lost")]
    wanted.sort(key=lambda each: (-each[0], *each[1:3]))
    numbers, lost = made_of(*of).first(span, kind, limit)
    expected = [(number, bool(is_lost)) for _, is_lost, _, number in wanted[:limit]]
    assert list(zip(numbers.tolist(), lost.tolist(), strict=True)) == expected


@given(made, spans, types)
def test_counts(of: tuple[Events, Events], span: Span, kind: NewLostType | None) -> None:
    days = np.arange(day_number(span.first), day_number(span.last) + 1)
    assert made_of(*of).counts(span, kind) == [
        DayCount(
            date,
            sum(day == number for day, _ in of[0]) if kind != "lost" else 0,
            sum(day == number for day, _ in of[1]) if kind != "new" else 0,
        )
        for number, date in zip(days.tolist(), dates(days), strict=True)
    ]


@given(made, spans)
def test_what_is_live(of: tuple[Events, Events], span: Span) -> None:
    days = np.arange(day_number(span.first), day_number(span.last) + 1)
    assert made_of(*of).live(span) == [
        (date, sum(day <= number for day, _ in of[0]) - sum(day <= number for day, _ in of[1]))
        for number, date in zip(days.tolist(), dates(days), strict=True)
    ]
