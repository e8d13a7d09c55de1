"""Count live backlinks: by anchor text, URL or IP address, and in every way for the summary.

In: a partition, and the slice of its live links that a target covers. Out: rows of
`inlink.contract.rows`, the greatest counts first. Rows with equal counts are ordered by text (URLs
by sort key, addresses IPv4 before IPv6), which is the order in which a partition numbers them.

All lists are made in one way: the number of the group, the number of the host and the nofollow bit
of each link are packed into one integer. When these are sorted, groups are runs, and the hosts of a
group are runs within it. So each grouping takes the time of sorting integers, whatever else the
partition holds, and only the rows of the answer look up their strings.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from inlink.contract.rows import (
    UNKNOWN_RANK,
    Anchor,
    AnchorBacklinks,
    AnchorRefdomains,
    CountryCount,
    LinkedPage,
    PageBacklinks,
    PageRefdomains,
    Ranks,
    ReferringIp,
    Summary,
    TldCount,
)
from inlink.contract.vocabulary import CountOrder
from inlink.index import filters, selection
from inlink.index.files import Ints, Rows
from inlink.index.partition import Partition
from inlink.index.segments import HOME, NOFOLLOW

Texts = Callable[[Partition, Rows], list[str]]
"""The strings of numbered groups."""

Counts = tuple[int, int, int, int, dt.date]
"""Backlinks, refdomains, dofollow and nofollow backlinks, and first_seen of a group."""

_TEXT = filters.LinkFilter(anchor_type="text")


@dataclass(frozen=True, slots=True)
class Groups:
    """Counts of links by the number of their group; one row for each group, ascending."""

    number: Rows
    backlinks: Rows
    refdomains: Rows
    dofollow_backlinks: Rows


def anchors(partition: Partition, rows: slice, order: CountOrder, limit: int) -> list[Anchor]:
    """The first *limit* anchor texts of *rows*; ``""`` is one of them."""
    column = partition.links.anchor[rows]
    return [Anchor(*row) for row in _first(partition, rows, column, order, limit, _anchor_texts)]


def pages(partition: Partition, rows: slice, order: CountOrder, limit: int) -> list[LinkedPage]:
    """The first *limit* URLs that *rows* lead to."""
    column = _targets(partition, rows)
    return [LinkedPage(*row) for row in _first(partition, rows, column, order, limit, _urls)]


def ips(partition: Partition, rows: slice, order: CountOrder, limit: int) -> list[ReferringIp]:
    """The first *limit* addresses that *rows* come from, without links from unknown addresses."""
    column = partition.pages.ip[partition.links.source[rows]]
    return [ReferringIp(*row) for row in _first(partition, rows, column, order, limit, _ip_texts)]


def summary(partition: Partition, rows: slice, ranks: Ranks, top: int) -> Summary:
    """Count *rows* in every way, with the first *top* of each list."""
    links = partition.links
    host, flags = partition.hosts_of(rows), links.flags[rows]
    from_home_page, dofollow = flags & HOME != 0, flags & NOFOLLOW == 0
    hosts = selection.by_host(partition, rows)
    tlds = _tlds(partition, hosts.host)
    anchor = grouped(links.anchor[rows], host, flags)
    page = grouped(_targets(partition, rows), host, flags)

    def texts(groups: Groups, counts: Rows, of: Texts) -> Iterator[tuple[str, int]]:
        chosen = selection.top(counts, top)
        return zip(of(partition, groups.number[chosen]), counts[chosen].tolist(), strict=True)

    return Summary(
        **msgspec.structs.asdict(partition.summary(rows) or selection.metrics(partition, rows)),
        **msgspec.structs.asdict(ranks),
        anchors=len(anchor.number),
        from_home_page_backlinks=int(np.count_nonzero(from_home_page)),
        dofollow_from_home_page_backlinks=int(np.count_nonzero(from_home_page & dofollow)),
        text_backlinks=len(filters.kept(partition, links, np.arange(rows.start, rows.stop), _TEXT)),
        dofollow_refdomains=int(np.count_nonzero(hosts.dofollow_backlinks)),
        from_home_page_refdomains=len(np.unique(host[from_home_page])),
        edu_refdomains=tlds.get("edu", 0),
        gov_refdomains=tlds.get("gov", 0),
        dofollow_anchors=int(np.count_nonzero(anchor.dofollow_backlinks)),
        pages_with_backlinks=len(page.number),
        top_anchors_by_backlinks=[
            AnchorBacklinks(*row) for row in texts(anchor, anchor.backlinks, _anchor_texts)
        ],
        top_anchors_by_refdomains=[
            AnchorRefdomains(*row) for row in texts(anchor, anchor.refdomains, _anchor_texts)
        ],
        top_pages_by_backlinks=[PageBacklinks(*row) for row in texts(page, page.backlinks, _urls)],
        top_pages_by_refdomains=[
            PageRefdomains(*row) for row in texts(page, page.refdomains, _urls)
        ],
        top_tlds=[TldCount(*row) for row in list(tlds.items())[:top]],
        top_countries=_countries(partition, rows, top),
    )


def rank_distribution(
    partition: Partition, rows: slice, by: Literal["host", "domain"]
) -> list[tuple[int, int]]:
    """How many referring hosts, or their registrable domains, have each rank; highest rank first.

    Those of unknown rank are counted under `UNKNOWN_RANK`; ranks without a host are left out.
    """
    hosts = np.unique(partition.hosts_of(rows))
    if by == "domain":
        _, places = np.unique(partition.hosts.domain[hosts], return_index=True)
        hosts = hosts[places]
    counts = np.bincount(partition.hosts.domain_inlink_rank[hosts] - UNKNOWN_RANK)
    ranks = np.flatnonzero(counts)[::-1]
    return list(zip((ranks + UNKNOWN_RANK).tolist(), counts[ranks].tolist(), strict=True))


def _first(
    partition: Partition, rows: slice, column: Ints, order: CountOrder, limit: int, texts: Texts
) -> Iterator[tuple[str, *Counts]]:
    """The first *limit* groups of *rows* by *column*: text and counts, as in answers."""
    links = partition.links
    groups = grouped(column, partition.hosts_of(rows), links.flags[rows])
    first_seen = earliest(column, links.first_seen[rows])
    chosen = selection.top(groups.backlinks if order == "backlinks" else groups.refdomains, limit)
    backlinks, dofollow = groups.backlinks[chosen], groups.dofollow_backlinks[chosen]
    return zip(
        texts(partition, groups.number[chosen]),
        backlinks.tolist(),
        groups.refdomains[chosen].tolist(),
        dofollow.tolist(),
        (backlinks - dofollow).tolist(),
        first_seen[chosen].astype("datetime64[D]").tolist(),
        strict=True,
    )


def grouped(column: Ints, hosts: Ints, flags: Ints) -> Groups:
    """Count links by *column*, the number of each link's group; -1, no group, is left out."""
    packed = column.astype(np.int64) << 32  # a sign, then 31 bits of group, 31 of host, 1 nofollow
    packed |= hosts.astype(np.int64) << 1
    packed |= flags & NOFOLLOW
    packed = _in_groups(packed)
    starts = _starts(packed >> 32)
    pairs = _starts(packed >> 1)
    backlinks = np.diff(starts, append=len(packed))
    return Groups(
        number=packed[starts] >> 32,
        backlinks=backlinks,
        refdomains=np.diff(np.searchsorted(pairs, starts), append=len(pairs)),
        dofollow_backlinks=backlinks - np.add.reduceat(packed & 1, starts),
    )


def earliest(column: Ints, days: Ints) -> Rows:
    """The first of the *days* of each group by *column*; one row for each, as in `grouped`."""
    first = int(days.min(initial=0))
    packed = _in_groups(column.astype(np.int64) << 32 | (days.astype(np.int64) - first))
    return (packed[_starts(packed >> 32)] & 0xFFFF_FFFF) + first


def _in_groups(packed: Rows) -> Rows:
    """*packed* in order, without those whose group is -1."""
    packed.sort()
    return packed[np.searchsorted(packed, 0) :]


def _starts(ordered: Rows) -> Rows:
    """Where each run of equal values begins."""
    changes = np.empty(len(ordered), bool)
    changes[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=changes[1:])
    return np.flatnonzero(changes)


def _targets(partition: Partition, rows: slice) -> Rows:
    """The row of `targets` that each of *rows*, all the links of some URLs, leads to."""
    if rows.start == rows.stop:
        return np.empty(0, np.int64)
    first, last = partition.target_of(np.array([rows.start, rows.stop - 1])).tolist()
    ends = partition.targets.links_end[first : last + 1]
    return np.repeat(np.arange(first, last + 1), np.diff(ends, prepend=rows.start))


def _tlds(partition: Partition, hosts: Ints) -> dict[str, int]:
    """How many of *hosts* each top-level domain has, largest first; IP addresses have none."""
    numbers, counts = np.unique(partition.hosts.tld[hosts], return_counts=True)
    order = selection.top(counts, len(counts))
    (names,) = partition.tlds.lookup(numbers[order])
    named = zip(names, counts[order].tolist(), strict=True)
    return {name: count for name, count in named if name}


def _countries(partition: Partition, rows: slice, top: int) -> list[CountryCount]:
    """How many hosts of *rows* have an address in each country, largest first."""
    links = partition.links
    addresses = partition.pages.ip[links.source[rows]]
    known = np.flatnonzero(addresses >= 0)
    country = np.full(len(addresses), -1, np.int32)
    country[known] = partition.ips.country[addresses[known]]
    country[country == 0] = -1
    groups = grouped(country, partition.hosts_of(rows), links.flags[rows])
    chosen = selection.top(groups.refdomains, top)
    return [
        CountryCount(chr(number >> 8) + chr(number & 0xFF), count)
        for number, count in zip(
            groups.number[chosen].tolist(), groups.refdomains[chosen].tolist(), strict=True
        )
    ]


def _anchor_texts(partition: Partition, numbers: Rows) -> list[str]:
    return partition.anchors.lookup(numbers)[0]


def _ip_texts(partition: Partition, numbers: Rows) -> list[str]:
    return partition.ip_texts.lookup(numbers)[0]


def _urls(partition: Partition, numbers: Rows) -> list[str]:
    return partition.target_keys.lookup(numbers)[0]
