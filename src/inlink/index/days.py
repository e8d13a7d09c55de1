"""Days as columns store them, numbers since 1970, and counts by day.

In: columns of days, and the span of days of a question. Out: places in the span, and rows of
`inlink.contract.rows` for each of its days.
"""

import datetime as dt
from typing import NamedTuple

import numpy as np

from inlink.contract.rows import DayCount
from inlink.index.files import Ints, Rows

_EPOCH = dt.date(1970, 1, 1).toordinal()


class Span(NamedTuple):
    """Days, both ends included."""

    first: dt.date
    last: dt.date


def live_by_day(span: Span, found: Ints, lost: Ints) -> list[tuple[dt.date, int]]:
    """How many had been found, and not lost, by the end of each day of *span*."""
    first = day_number(span.first)
    before = int(np.count_nonzero(found < first) - np.count_nonzero(lost < first))
    return running(span, before, per_day(span, found) - per_day(span, lost))


def running(span: Span, before: int, changes: Rows) -> list[tuple[dt.date, int]]:
    """The total at the end of each day of *span*: *before*, plus the *changes* of each day."""
    return list(zip(days_of(span), (before + np.cumsum(changes)).tolist(), strict=True))


def day_counts(span: Span, new: Rows, lost: Rows) -> list[DayCount]:
    """The counts of each day of *span*, as rows."""
    columns = (days_of(span), new.tolist(), lost.tolist())
    return [DayCount(*row) for row in zip(*columns, strict=True)]


def per_day(span: Span, days: Ints) -> Rows:
    """How many of *days* fall on each day of *span*."""
    within = days[in_span(days, span)].astype(np.int64) - day_number(span.first)
    return np.bincount(within, minlength=length(span))


def in_span(days: Ints, span: Span) -> Rows:
    """The places of the *days* that are in *span*."""
    return np.flatnonzero((days >= day_number(span.first)) & (days <= day_number(span.last)))


def length(span: Span) -> int:
    """How many days *span* has."""
    return day_number(span.last) - day_number(span.first) + 1


def days_of(span: Span) -> list[dt.date]:
    """Each day of *span*."""
    return list(map(dt.date.fromordinal, range(span.first.toordinal(), span.last.toordinal() + 1)))


def day_number(day: dt.date) -> int:
    """*day* as columns store it: days since 1970."""
    return day.toordinal() - _EPOCH


def dates(days: Ints) -> list[dt.date]:
    """The days of a column as dates."""
    found: list[dt.date] = days.astype("datetime64[D]").tolist()
    return found
