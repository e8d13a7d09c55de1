"""Which referring domains came and went, on which day, and how many there were.

In: a partition, the rows of the targets in question, and days. Out: rows of
`inlink.contract.rows`, or counts for each day.

A referring domain, which is a host, is there for as long as any of its links. The stretches of all
its links, as closed intervals of days, are joined if they share a day. A joined interval begins
with a new referring domain and, unless it is open, ends with a lost one. So a loss and a find on
one day count as neither, and a host that came and went within a day counts as both.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from inlink.contract.rows import DayCount, NewLostRefdomain
from inlink.contract.vocabulary import NewLostDomainOrder, NewLostType
from inlink.index import selection
from inlink.index.calendars import FIRST, Calendar, calendar
from inlink.index.days import Span, dates, day_counts, in_span, live_by_day, per_day
from inlink.index.files import Ints, Mask, Rows
from inlink.index.history import key_numbers, wanted
from inlink.index.partition import Partition, Stays
from inlink.index.segments import NOFOLLOW

_OPEN = np.iinfo(np.int32).max
"""The last day of an interval that has not ended."""

_BIAS = 1 << 31
"""Added to a day that int32 can hold, it makes an unsigned number of 32 bits."""


def new_lost_refdomains(
    partition: Partition,
    targets: slice,
    span: Span,
    new_lost_type: NewLostType | None,
    order: NewLostDomainOrder,
    limit: int,
) -> list[NewLostRefdomain]:
    """The first *limit* events; equal ones are ordered new before lost, then by name."""
    joined = partition.stays(targets) or _intervals(partition, targets)
    known = partition.stay_calendar(targets)
    interval, is_lost = (
        known.first(span, new_lost_type, limit)
        if known and order == "new_lost_date" and limit <= FIRST
        else _first(partition, joined, span, new_lost_type, order, limit)
    )
    groups, places = np.unique(interval, return_inverse=True)
    counted: Stays | _Counted = (
        joined.at(groups)
        if isinstance(joined, Stays)
        else _counted(partition, targets, joined, groups)
    )
    host = joined.host[interval]
    columns = (
        dates(np.where(is_lost, joined.last[interval], joined.first[interval])),
        ["lost" if lost else "new" for lost in is_lost.tolist()],
        partition.host_names.lookup(host)[0],
        counted.backlinks[places].tolist(),
        counted.dofollow_backlinks[places].tolist(),
        dates(counted.first_seen[places]),
        partition.hosts.domain_inlink_rank[host].tolist(),
    )
    return [NewLostRefdomain(*row) for row in zip(*columns, strict=True)]


def _first(
    partition: Partition,
    joined: "Stays | _Intervals",
    span: Span,
    new_lost_type: NewLostType | None,
    order: NewLostDomainOrder,
    limit: int,
) -> tuple[Rows, Mask]:
    """The intervals of the first *limit* events, and which of these are lost."""
    new, lost = wanted(new_lost_type, in_span(joined.first, span), in_span(joined.last, span))
    interval = np.concatenate([new, lost])
    if order == "new_lost_date":
        values = np.concatenate([joined.first[new], joined.last[lost]])
    else:
        values = partition.hosts.domain_inlink_rank[joined.host[interval]]
    chosen = selection.top(values, limit)
    return interval[chosen], chosen >= len(new)


def new_lost_refdomains_count(
    partition: Partition, targets: slice, span: Span, new_lost_type: NewLostType | None
) -> list[DayCount]:
    """How many came and went on each day of *span*."""
    known = partition.stay_calendar(targets)
    if known:
        return known.counts(span, new_lost_type)
    joined = _intervals(partition, targets)
    new, lost = wanted(new_lost_type, joined.first, joined.last)
    return day_counts(span, per_day(span, new), per_day(span, lost))


def live_refdomains(partition: Partition, targets: slice, span: Span) -> list[tuple[dt.date, int]]:
    """How many exist at the end of each day of *span*."""
    known = partition.stay_calendar(targets)
    if known:
        return known.live(span)
    joined = _intervals(partition, targets)
    return live_by_day(span, joined.first, joined.last)


def stays(partition: Partition, targets: slice) -> Stays:
    """Every interval of *targets*, with the count of its backlinks."""
    joined = _intervals(partition, targets)
    counted = _counted(partition, targets, joined, np.arange(len(joined.host)))
    return Stays(
        *(
            column.astype(np.int32)
            for column in (
                joined.host,
                joined.first,
                joined.last,
                counted.backlinks,
                counted.dofollow_backlinks,
                counted.first_seen,
            )
        )
    )


def stay_calendar(found: Stays) -> Calendar:
    """The calendar of *found*, the stays of a target; its numbers are places in *found*."""
    ended = np.flatnonzero(found.last < _OPEN)
    return calendar((found.first, np.arange(len(found.host))), (found.last[ended], ended))


@dataclass(frozen=True, slots=True)
class _Intervals:
    """The intervals in which referring hosts were there; by host, then day."""

    host: Rows
    first: Rows
    last: Rows
    """`_OPEN`: the host is there now."""
    member: Rows
    """The interval of each row of lost links."""


def _intervals(partition: Partition, targets: slice) -> _Intervals:
    lost, ended = partition.lost, partition.lost_rows(targets)
    hosts, found = _live_hosts(partition, partition.link_rows(targets))
    host = np.concatenate([hosts, partition.hosts_of(ended, lost)])
    open_ended = np.full(len(hosts), _OPEN, np.int32)
    first = _packed(host, np.concatenate([found, lost.found[ended]]))
    last = _packed(host, np.concatenate([open_ended, lost.lost[ended]]))
    order = np.argsort(first)
    first = first[order]
    # The number of the host is above the bits of the days, so no interval reaches the next host.
    reach = np.maximum.accumulate(last[order])
    begins = np.append(True, first[1:] > reach[:-1])[: len(first)]
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(first))[: len(starts)] - 1
    member = np.empty(len(first), np.int64)
    member[order] = np.cumsum(begins) - 1
    return _Intervals(
        first[starts] >> 32, _day(first[starts]), _day(reach[ends]), member[len(hosts) :]
    )


def _packed(host: Ints, day: Ints) -> Rows:
    """Numbers in the order of host, day."""
    return (host.astype(np.int64) << 32) + day + _BIAS


def _day(packed: Rows) -> Rows:
    return (packed & 0xFFFF_FFFF) - _BIAS


def _live_hosts(partition: Partition, rows: slice) -> tuple[Rows, Ints]:
    """The hosts of live links, and the day on which the first of each host's links was found."""
    names, member = selection.numbered(partition.hosts_of(rows), len(partition.hosts.tld))
    first = np.full(len(names), _OPEN, np.int32)
    np.minimum.at(first, member, partition.links.found[rows])
    there = np.flatnonzero(first < _OPEN)
    return names[there], first[there]


@dataclass(frozen=True, slots=True)
class _Counted:
    """The backlinks of intervals, and when their hosts were first seen."""

    backlinks: Ints
    dofollow_backlinks: Ints
    first_seen: Ints


def _counted(partition: Partition, targets: slice, joined: _Intervals, intervals: Rows) -> _Counted:
    """Count the links of *intervals*, which ascend; for open ones, the live links."""
    links, lost = partition.links, partition.lost
    is_open = joined.last[intervals] == _OPEN
    rows = partition.link_rows(targets)
    there, there_interval = _members(partition.hosts_of(rows), joined.host[intervals[is_open]])
    ended, ended_interval = _last_stretches(partition, targets, joined, intervals[~is_open])
    hosts, host = np.unique(joined.host[intervals], return_inverse=True)
    place = np.concatenate(
        [np.flatnonzero(is_open)[there_interval], np.flatnonzero(~is_open)[ended_interval]]
    )
    nofollow = np.concatenate([links.flags[rows][there], lost.flags[ended]]) & NOFOLLOW
    return _Counted(
        np.bincount(place, minlength=len(intervals)),
        np.bincount(place[nofollow == 0], minlength=len(intervals)),
        _first_seen(partition, targets, hosts)[host],
    )


def _first_seen(partition: Partition, targets: slice, hosts: Rows) -> Ints:
    """The first day on which any link of each of *hosts*, which ascend, was ever seen."""
    links, lost = partition.links, partition.lost
    rows, ended = partition.link_rows(targets), partition.lost_rows(targets)
    first = np.full(len(hosts), _OPEN, np.int32)
    for host, seen in (
        (partition.hosts_of(rows), links.first_seen[rows]),
        (partition.hosts_of(ended, lost), lost.first_seen[ended]),
    ):
        places, number = _members(host, hosts)
        np.minimum.at(first, number, seen[places])
    return first


def _last_stretches(
    partition: Partition, targets: slice, joined: _Intervals, intervals: Rows
) -> tuple[Rows, Rows]:
    """The last row of lost links of each link in each of *intervals*, and the interval's place."""
    places, interval = _members(joined.member, intervals)
    order = np.argsort(interval, kind="stable")
    rows, interval = partition.lost_rows(targets).start + places[order], interval[order]
    keys = key_numbers(partition, partition.lost, rows)
    is_last = np.append((np.diff(keys) != 0) | (np.diff(interval) != 0), True)[: len(rows)]
    return rows[is_last], interval[is_last]


def _members(values: Ints, among: Rows) -> tuple[Rows, Rows]:
    """The places of those *values* that are in *among*, which ascends, and their places there."""
    found = np.searchsorted(among, values)
    places = np.flatnonzero(np.append(among, -1)[found] == values)
    return places, found[places]
