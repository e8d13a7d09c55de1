"""Which backlinks were found and lost, on which day, and how many were live.

In: a partition, the rows of the targets in question, and days. Out: rows of
`inlink.contract.rows`, or counts for each day. A backlink is new on the day on which one of its
stretches begins, and lost on the day on which one ends.

`inlink.index.refdomain_history` does the same for referring domains.
"""

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from inlink.contract.rows import DayCount, NewLostBacklink
from inlink.contract.vocabulary import NewLostOrder, NewLostType
from inlink.index import selection
from inlink.index.calendars import FIRST, Calendar, calendar
from inlink.index.days import Span, dates, day_counts, in_span, live_by_day, per_day
from inlink.index.files import Ints, Mask, Rows
from inlink.index.filters import ANYTHING, LinkFilter, kept
from inlink.index.partition import Links, Lost, Partition
from inlink.index.segments import IMAGE, NOFOLLOW, REASONS, REDIRECT


def new_lost_backlinks(
    partition: Partition,
    targets: slice,
    span: Span,
    new_lost_type: NewLostType | None,
    order: NewLostOrder,
    limit: int,
    keep: LinkFilter,
) -> list[NewLostBacklink]:
    """The first *limit* events; equal ones are ordered new before lost, then by key."""
    known = partition.link_calendar(targets)
    if known and keep == ANYTHING and order == "new_lost_date" and limit <= FIRST:
        return _backlinks(_of_calendar(partition, *known.first(span, new_lost_type, limit)))
    within = _within_span(partition, targets, span, new_lost_type, keep)
    events = _events(partition, _first_of_each(partition, within, order, limit))
    values = events.day if order == "new_lost_date" else events.column(order)
    chosen = selection.top(values, limit)
    return _backlinks(events.at(chosen))


def new_lost_backlinks_count(
    partition: Partition,
    targets: slice,
    span: Span,
    new_lost_type: NewLostType | None,
    keep: LinkFilter,
) -> list[DayCount]:
    """How many were found and lost on each day of *span*."""
    known = partition.link_calendar(targets)
    if known and keep == ANYTHING:
        return known.counts(span, new_lost_type)
    links, lost = partition.links, partition.lost
    rows = _within_span(partition, targets, span, new_lost_type, keep)
    new = per_day(span, links.found[rows.live]) + per_day(span, lost.found[rows.ended])
    return day_counts(span, new, per_day(span, lost.lost[rows.lost]))


def live_backlinks(partition: Partition, targets: slice, span: Span) -> list[tuple[dt.date, int]]:
    """How many are live at the end of each day of *span*."""
    known = partition.link_calendar(targets)
    if known:
        return known.live(span)
    rows, ended = partition.link_rows(targets), partition.lost_rows(targets)
    found = np.concatenate([partition.links.found[rows], partition.lost.found[ended]])
    return live_by_day(span, found, partition.lost.lost[ended])


def link_calendar(partition: Partition, targets: slice) -> Calendar:
    """The calendar of the backlinks of *targets*; a lost link is its row inverted (``~row``)."""
    rows, ended = partition.link_rows(targets), partition.lost_rows(targets)
    live, lost = np.arange(rows.start, rows.stop), np.arange(ended.start, ended.stop)
    new = _events(partition, _Rows(live, lost, lost[:0]))
    return calendar(
        (new.day, np.where(new.live, new.row, ~new.row)), (partition.lost.lost[ended], ~lost)
    )


def _of_calendar(partition: Partition, numbers: Rows, lost: Mask) -> "_Events":
    """The events of backlinks that a calendar lists."""
    return _Events(partition, np.where(numbers < 0, ~numbers, numbers), numbers >= 0, lost)


class _Rows(NamedTuple):
    """Rows of links that were found or lost, ascending."""

    live: Rows
    """Rows of links that were found."""
    ended: Rows
    """Rows of lost links that were found."""
    lost: Rows
    """Rows of lost links that were lost."""


def _within_span(
    partition: Partition,
    targets: slice,
    span: Span,
    new_lost_type: NewLostType | None,
    keep: LinkFilter,
) -> _Rows:
    links, lost = partition.links, partition.lost
    rows, ended = partition.link_rows(targets), partition.lost_rows(targets)
    found = rows.start + in_span(links.found[rows], span)
    was_found = ended.start + in_span(lost.found[ended], span)
    was_lost = ended.start + in_span(lost.lost[ended], span)
    found, _ = wanted(new_lost_type, found, was_lost)
    was_found, was_lost = wanted(new_lost_type, was_found, was_lost)
    return _Rows(
        kept(partition, links, found, keep),
        kept(partition, lost, was_found, keep),
        kept(partition, lost, was_lost, keep),
    )


def _first_of_each(partition: Partition, rows: _Rows, order: NewLostOrder, limit: int) -> _Rows:
    """The first *limit* of each kind; the first of all kinds are among them."""
    links, lost = partition.links, partition.lost

    def first(of: Links | Lost, found: Rows, day: Ints) -> Rows:
        values = day if order == "new_lost_date" else getattr(of, order)
        return np.sort(found[selection.top(values[found], limit)])

    return _Rows(
        first(links, rows.live, links.found),
        first(lost, rows.ended, lost.found),
        first(lost, rows.lost, lost.lost),
    )


def wanted(new_lost_type: NewLostType | None, new: Rows, lost: Rows) -> tuple[Rows, Rows]:
    """*new* and *lost*, each empty if it is not of the type."""
    return new[:0] if new_lost_type == "lost" else new, lost[:0] if new_lost_type == "new" else lost


@dataclass(frozen=True, slots=True)
class _Events:
    """Rows of links and of lost links that were found or lost."""

    partition: Partition
    row: Rows
    live: Mask
    """Whether it is a row of links."""
    lost: Mask
    """Whether it was lost; otherwise it was found."""

    def at(self, places: Rows) -> "_Events":
        """The events at *places*."""
        return _Events(self.partition, self.row[places], self.live[places], self.lost[places])

    @property
    def day(self) -> Ints:
        """The day on which each was found or lost."""
        days = self.column("found")
        days[self.lost] = self.partition.lost.lost[self.row[self.lost]]
        return days

    def column(self, name: str) -> Ints:
        """A column that both links and lost links have."""
        live, ended = (getattr(of, name) for of in (self.partition.links, self.partition.lost))
        values = np.empty(len(self.row), live.dtype)
        values[self.live] = live[self.row[self.live]]
        values[~self.live] = ended[self.row[~self.live]]
        return values

    @property
    def image_sources(self) -> Ints:
        """The rows of image sources; -1 for none."""
        partition = self.partition
        return np.where(
            self.live,
            partition.image_sources_of(self.row),
            partition.image_sources_of(self.row, partition.lost),
        )


def _events(partition: Partition, rows: _Rows) -> _Events:
    """The links that were found, in key order, then those that were lost."""
    live, ended = partition.links, partition.lost
    # The live stretch of a link is its last one.
    places = [key_numbers(partition, ended, rows.ended), key_numbers(partition, live, rows.live)]
    order = np.argsort(np.concatenate(places), kind="stable")
    found = np.concatenate([rows.ended, rows.live])[order]
    is_live = order >= len(rows.ended)
    return _Events(
        partition,
        np.concatenate([found, rows.lost]),
        np.concatenate([is_live, np.zeros(len(rows.lost), bool)]),
        np.arange(len(found) + len(rows.lost)) >= len(found),
    )


def key_numbers(partition: Partition, links: Links | Lost, rows: Rows) -> Rows:
    """Numbers in the order of target, source, link type."""
    numbers = partition.target_of(rows, links) << 32
    numbers |= links.source[rows].astype(np.int64) << 1
    numbers |= links.flags[rows] & REDIRECT != 0
    return numbers


def _backlinks(events: _Events) -> list[NewLostBacklink]:
    partition, flags = events.partition, events.column("flags")
    target = np.where(
        events.live,
        partition.target_of(events.row),
        partition.target_of(events.row, partition.lost),
    )
    texts = partition.texts(
        events.column("source"), target, events.column("anchor"), events.image_sources
    )
    reason = np.full(len(flags), -1)
    reason[events.lost] = partition.lost.reason[events.row[events.lost]]
    columns = (
        dates(events.day),
        ["lost" if lost else "new" for lost in events.lost.tolist()],
        texts.url_from,
        texts.url_to,
        texts.title,
        texts.anchor,
        [""] * len(flags),
        ["redirect" if redirect else "href" for redirect in (flags & REDIRECT).tolist()],
        (flags & NOFOLLOW != 0).tolist(),
        (flags & IMAGE != 0).tolist(),
        [image or "" for image in texts.image_source],
        ["" if place < 0 else REASONS[place] for place in reason.tolist()],
        events.column("inlink_rank").tolist(),
        events.column("domain_inlink_rank").tolist(),
        dates(events.column("first_seen")),
    )
    return [NewLostBacklink(*row) for row in zip(*columns, strict=True)]
