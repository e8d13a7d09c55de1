"""Count, group and select rows of links: NumPy over one contiguous slice.

In: columns of a partition and the slice that a target covers. Out: counts, or the rows of the
answer, in order. Every order is by a value, descending, and then by row, ascending. No function
here sorts more rows than it returns, unless a cap for each group makes it read further.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inlink.contract.rows import UNKNOWN_RANK, Metrics
from inlink.contract.vocabulary import BacklinkOrder
from inlink.index.files import Ints, Rows
from inlink.index.partition import Partition
from inlink.index.segments import NOFOLLOW


def top(values: Ints, limit: int) -> Rows:
    """The places of the *limit* greatest *values*, greatest first; equal ones keep their order."""
    if len(values) <= limit:
        return _descending(values)
    threshold = _nth_greatest(values, limit)
    above = np.flatnonzero(values > threshold)
    equal = np.flatnonzero(values == threshold)[: limit - len(above)]
    return np.concatenate([above[_descending(values[above])], equal])


def _nth_greatest(values: Ints, n: int) -> int:
    """By counting, as ranks and days are few; quickselect is slow if most values are equal."""
    least = int(values.min())
    counts = np.bincount(np.subtract(values, least, dtype=np.intp))
    at_least = np.cumsum(counts[::-1])
    return least + len(counts) - 1 - int(np.searchsorted(at_least, n))


def _descending(values: Ints) -> Rows:
    """A stable order by descending value. `~` mirrors integers without overflow."""
    return np.argsort(~values, kind="stable")


def top_per_group(values: Ints, groups: Ints, limit: int, per_group: int) -> Rows:
    """Like `top`, with no more than *per_group* places of any one group.

    It reads longer and longer beginnings of the order, and drops the rest of a group as soon as the
    group has its share, until there are *limit* places or nothing is left.
    """
    chosen = np.empty(0, np.int64)
    left: Rows | None = None  # None: all
    look = 4 * limit
    while True:
        nearest = top(values if left is None else values[left], look)
        candidates = np.concatenate([chosen, nearest if left is None else left[nearest]])
        counts = occurrence(groups[candidates])
        chosen = candidates[counts < per_group]
        remaining = (len(values) if left is None else len(left)) - len(nearest)
        if len(chosen) >= limit or remaining == 0:
            return chosen[:limit]
        full = groups[candidates[counts == per_group - 1]]
        unseen = np.ones(len(values) if left is None else len(left), bool)
        unseen[nearest] = False
        unseen &= ~_is_in(groups if left is None else groups[left], full)
        left = np.flatnonzero(unseen) if left is None else left[unseen]
        look *= 8


def occurrence(groups: Ints) -> Rows:
    """For each place, how many earlier places have the same group."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    lengths = np.diff(np.append(starts, len(ordered)))
    counts = np.empty(len(groups), np.int64)
    counts[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return counts


def _is_in(groups: Ints, wanted: Ints) -> npt.NDArray[np.bool_]:
    """Which *groups*, small numbers from 0, are among *wanted*."""
    table = np.zeros(int(groups.max(initial=0)) + 1, bool)
    table[wanted[wanted < len(table)]] = True
    return table[groups]


@dataclass(frozen=True, slots=True)
class HostLinks:
    """Counts of the links of a slice by referring host; one row for each host, by name."""

    host: Ints
    backlinks: Ints
    dofollow_backlinks: Ints
    first_seen: Ints
    found: Ints
    """The first day on which one of the live stretches began."""
    inlink_rank: Ints

    def at(self, places: Rows) -> "HostLinks":
        """Those at *places*."""
        return HostLinks(
            self.host[places],
            self.backlinks[places],
            self.dofollow_backlinks[places],
            self.first_seen[places],
            self.found[places],
            self.inlink_rank[places],
        )


def by_host(partition: Partition, rows: slice) -> HostLinks:
    """Count *rows* by referring host."""
    links = partition.links
    names, member = numbered(partition.hosts_of(rows), len(partition.hosts.tld))
    nofollow = links.flags[rows] & NOFOLLOW
    counts = np.bincount(member * 2 + nofollow, minlength=len(names) * 2).reshape(-1, 2)
    backlinks = counts.sum(axis=1)
    first_seen, found_at = np.full((2, len(names)), np.iinfo(np.int32).max, np.int32)
    np.minimum.at(first_seen, member, links.first_seen[rows])
    np.minimum.at(found_at, member, links.found[rows])
    inlink_rank = np.full(len(names), UNKNOWN_RANK, np.int8)
    np.maximum.at(inlink_rank, member, links.inlink_rank[rows])
    found = np.flatnonzero(backlinks)
    return HostLinks(
        names[found],
        backlinks[found],
        counts[found, 0],
        first_seen[found],
        found_at[found],
        inlink_rank[found],
    )


def host_values(partition: Partition, hosts: HostLinks, order: BacklinkOrder) -> Ints:
    """The values that *hosts* are ordered by; ``inlink_rank`` is the highest of a host's pages."""
    if order == "domain_inlink_rank":
        return partition.hosts.domain_inlink_rank[hosts.host]
    return hosts.found if order == "date_found" else hosts.inlink_rank


def numbered(hosts: Ints, count: int) -> tuple[Rows, Ints]:
    """The distinct *hosts* (numbers below *count*), ascending, and the place of each in them.

    If there are many hosts, they are not sorted; the result then has every number below *count*.
    """
    if len(hosts) * 16 < count:
        names, places = np.unique(hosts, return_inverse=True)
        return names.astype(np.int64), places
    return np.arange(count), hosts


def metrics(partition: Partition, rows: slice) -> Metrics:
    """Count *rows*. This takes the time of sorting their hosts, addresses and subnets."""
    links, pages = partition.links, partition.pages
    source = links.source[rows]
    host = pages.host[source]
    nofollow = int(np.count_nonzero(links.flags[rows] & NOFOLLOW))
    tld = partition.hosts.tld[host]
    return Metrics(
        backlinks=len(source),
        refdomains=_distinct(host),
        subnets=_distinct(pages.subnet[source]),
        ips=_distinct(pages.ip[source]),
        nofollow_backlinks=nofollow,
        dofollow_backlinks=len(source) - nofollow,
        edu_backlinks=int(np.count_nonzero(tld == partition.edu)),
        gov_backlinks=int(np.count_nonzero(tld == partition.gov)),
    )


def _distinct(values: Ints) -> int:
    """How many distinct values there are, without -1 (none)."""
    if len(values) <= FEW:
        return len(set(values.tolist()) - {-1})
    ordered = np.sort(values[values >= 0])
    return int(np.count_nonzero(np.diff(ordered))) + (len(ordered) > 0)


FEW = 500
"""For up to this many numbers, a set is faster than sorting."""
