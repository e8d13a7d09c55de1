"""Calendars of targets with very many links: counts of events by day, and each day's first events.

In, when segments are written: the events of one such target, new and lost, in the order in which
answers list those of one day. Out: a `Calendar`. It answers questions about days in a time that
depends on the number of days, not on the number of events.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inlink.contract.rows import DayCount
from inlink.contract.vocabulary import NewLostType
from inlink.index.days import (
    Span,
    day_counts,
    day_number,
    length,
    running,
)
from inlink.index.files import Int32, Int64, Ints, Mask, Rows

FIRST = 1000
"""Events that are kept for each day and type: the default length of a list."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days on which there were events, ascending."""

    day: Int32
    new: Int32
    lost: Int32
    """How many events there were."""
    events_end: Int64
    """Where the kept events of the day end, in *event*: the first new ones, then the first lost
    ones."""
    event: Int32
    """What the events happened to, as numbers that only the maker of the calendar interprets."""

    def part(self, days: slice) -> "Calendar":
        """The calendar of *days* alone."""
        return Calendar(
            self.day[days], self.new[days], self.lost[days], self.events_end[days], self.event
        )

    def counts(self, span: Span, new_lost_type: NewLostType | None) -> list[DayCount]:
        """How many events of a type (None: of both) each day of *span* has."""
        new = self._per_day(span, self.new if new_lost_type != "lost" else None)
        lost = self._per_day(span, self.lost if new_lost_type != "new" else None)
        return day_counts(span, new, lost)

    def live(self, span: Span) -> list[tuple[dt.date, int]]:
        """How many exist at the end of each day of *span*."""
        before = slice(0, self._within(span).start)
        there = int(self.new[before].sum(dtype=np.int64) - self.lost[before].sum(dtype=np.int64))
        return running(span, there, self._per_day(span, self.new) - self._per_day(span, self.lost))

    def first(self, span: Span, new_lost_type: NewLostType | None, limit: int) -> tuple[Rows, Mask]:
        """The first *limit* (to `FIRST`) events of *span*, last days first, and which are lost."""
        found, lost = [np.empty(0, np.int32)], [np.empty(0, bool)]
        for events, is_lost in self._lists(span, new_lost_type):
            chosen = events[:limit]
            limit -= len(chosen)
            found.append(chosen)
            lost.append(np.full(len(chosen), is_lost))
            if not limit:
                break
        return np.concatenate(found).astype(np.int64), np.concatenate(lost)

    def _lists(self, span: Span, new_lost_type: NewLostType | None) -> Iterator[tuple[Int32, bool]]:
        """The kept events of the days of *span* by day, the last first, and type."""
        days = self._within(span)
        for place in reversed(range(days.start, days.stop)):
            end = int(self.events_end[place])
            middle = end - min(int(self.lost[place]), FIRST)
            if new_lost_type != "lost":
                yield self.event[middle - min(int(self.new[place]), FIRST) : middle], False
            if new_lost_type != "new":
                yield self.event[middle:end], True

    def _within(self, span: Span) -> slice:
        ends = np.array([day_number(span.first), day_number(span.last) + 1], np.int32)
        return slice(*np.searchsorted(self.day, ends).tolist())

    def _per_day(self, span: Span, counts: Int32 | None) -> Rows:
        found = np.zeros(length(span), np.int64)
        if counts is not None:
            days = self._within(span)
            found[self.day[days] - day_number(span.first)] = counts[days]
        return found


def calendar(new: tuple[Ints, Ints], lost: tuple[Ints, Ints]) -> Calendar:
    """The calendar of new and lost events, given as the day and the number of each event.

    The events of one day are in the order in which answers list them.
    """
    day = np.union1d(new[0], lost[0]).astype(np.int32)
    counts, kept, places = [], [], []
    for days, numbers in (new, lost):
        order = np.argsort(days, kind="stable")
        at = np.searchsorted(day, days[order])
        count = np.bincount(at, minlength=len(day))
        rank = np.arange(len(at)) - (np.cumsum(count) - count)[at]
        counts.append(count)
        kept.append(numbers[order][rank < FIRST])
        places.append(at[rank < FIRST])
    in_order = np.argsort(np.concatenate(places), kind="stable")
    return Calendar(
        day,
        counts[0].astype(np.int32),
        counts[1].astype(np.int32),
        np.cumsum(sum(np.minimum(count, FIRST) for count in counts), dtype=np.int64),
        np.concatenate(kept)[in_order].astype(np.int32),
    )
