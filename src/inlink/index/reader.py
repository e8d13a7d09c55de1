"""The way into the index: answers the reading commands from a generation's segments.

In: targets (`inlink.urls.targets`), orders and limits. Out: the rows of `inlink.contract.rows`.
A reader is a snapshot of one generation. It opens all its files at once, and several threads may
use it.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from inlink.contract.rows import (
    UNKNOWN_RANK,
    Anchor,
    Backlink,
    DayCount,
    LinkedPage,
    Metrics,
    NewLostBacklink,
    NewLostRefdomain,
    Ranks,
    RawPosition,
    Refdomain,
    ReferringIp,
    Summary,
)
from inlink.contract.vocabulary import (
    BacklinkOrder,
    CountOrder,
    NewLostDomainOrder,
    NewLostOrder,
    NewLostType,
)
from inlink.index import (
    aggregates,
    history,
    pairs,
    rank_history,
    refdomain_history,
    segments,
    selection,
)
from inlink.index.days import Span, dates
from inlink.index.effort import QUICK_LINKS, QUICK_ROWS, Reads
from inlink.index.files import Ints, Rows
from inlink.index.filters import ANYTHING, LinkFilter, kept
from inlink.index.partition import Partition, TopHosts
from inlink.index.segments import IMAGE, NOFOLLOW
from inlink.urls.canonical import path_start, sort_key, split_origin, text_id
from inlink.urls.domains import icann_domain
from inlink.urls.targets import Target

REMEMBERED_TARGETS = 1024

DayValue = tuple[dt.date, int]
"""A count or a rank of a day."""


class Reader:
    """Answers from one generation.

    Raises:
        SegmentsError: the segments of *generation* cannot be read by this version.
    """

    def __init__(self, generation: Path) -> None:
        directory = generation / "segments"
        counts = segments.load(directory)
        self._rank_days = counts.rank_days
        self._partitions = [
            Partition(segments.partition_directory(directory, number))
            for number in range(len(counts.partitions))
        ]
        # A request looks up its target more than once, and tools send several requests for one.
        self._target_rows = lru_cache(REMEMBERED_TARGETS)(self._find)

    def close(self) -> None:
        """Release the files; they are unmapped when the last running answer is done."""
        self._partitions = []
        self._target_rows.cache_clear()

    def is_quick(self, targets: Sequence[Target], reads: Reads, rows: int) -> bool:
        """Whether an answer of *rows* for each of *targets* takes some milliseconds at most."""
        if reads is Reads.MUCH or len(targets) * rows > QUICK_ROWS:
            return False
        if reads is Reads.COUNTS:
            return True
        if reads is Reads.KEPT and all(map(self._keeps_lists, targets)):
            return True
        return sum(map(self._size, targets)) <= QUICK_LINKS[reads]

    def _keeps_lists(self, target: Target) -> bool:
        """Whether *target* is one of those whose first rows and calendars are kept."""
        partition, rows = self._targets(target)
        return partition.keeps_history(rows)

    def _size(self, target: Target) -> int:
        """How many live and lost links of *target* an answer may have to look at."""
        partition, rows = self._targets(target)
        live, lost = partition.link_rows(rows), partition.lost_rows(rows)
        return len(range(live.start, live.stop)) + len(range(lost.start, lost.stop))

    def metrics(self, target: Target) -> Metrics:
        """Count the live backlinks of *target*."""
        partition, rows = self._links(target)
        return partition.summary(rows) or selection.metrics(partition, rows)

    def summary(self, target: Target, ranked: Target, top: int = 10) -> Summary:
        """Count the live backlinks of *target* in every way, with the first *top* of each list.

        The ranks are those of *ranked*, the URL that the target names.
        """
        partition, rows = self._links(target)
        return aggregates.summary(partition, rows, self.ranks(ranked), top)

    def ranks(self, target: Target) -> Ranks:
        """InLink Rank of *target* (of several URLs, the highest) and of its registrable domain."""
        partition, rows = self._targets(target)
        domain = partition.domain_rows(text_id(target.domain))
        return Ranks(
            int(partition.targets.inlink_rank[rows].max(initial=UNKNOWN_RANK)),
            int(partition.domains.domain_inlink_rank[domain].max(initial=UNKNOWN_RANK)),
        )

    def backlinks(
        self,
        target: Target,
        order: BacklinkOrder,
        limit: int,
        per_domain: int | None = None,
        keep: LinkFilter = ANYTHING,
    ) -> list[Backlink]:
        """The first *limit* live backlinks of *target* that *keep* keeps; equal ones in key order.

        *per_domain* is the most that one referring host may have, the first by *order*.
        """
        partition, every = self._links(target)
        if keep == ANYTHING:
            known = partition.top_links(every, order, limit, per_domain)
            if known is not None:
                return _backlinks(partition, known)
        rows: slice | Rows = every
        if keep != ANYTHING:
            rows = kept(partition, partition.links, np.arange(every.start, every.stop), keep)
        values = partition.values_of(order)[rows]
        if per_domain is None:
            chosen = selection.top(values, limit)
        else:
            hosts = partition.hosts_of(rows)
            chosen = selection.top_per_group(values, hosts, limit, per_domain)
        return _backlinks(
            partition, chosen + rows.start if isinstance(rows, slice) else rows[chosen]
        )

    def refdomains(self, target: Target, order: BacklinkOrder, limit: int) -> list[Refdomain]:
        """The first *limit* hosts with live backlinks to *target*; equal ones by name.

        ``inlink_rank`` orders by the highest rank among a host's linking pages.
        """
        partition, rows = self._links(target)
        first: TopHosts | selection.HostLinks | None = partition.top_hosts(rows, order, limit)
        if first is None:
            found = selection.by_host(partition, rows)
            first = found.at(selection.top(selection.host_values(partition, found, order), limit))
        (names,) = partition.host_names.lookup(first.host)
        columns = (
            first.backlinks.tolist(),
            first.dofollow_backlinks.tolist(),
            dates(first.first_seen),
            partition.hosts.domain_inlink_rank[first.host].tolist(),
        )
        return [Refdomain(*row) for row in zip(names, *columns, strict=True)]

    def raw_backlinks(
        self, target: Target, limit: int, after: RawPosition | None = None
    ) -> tuple[list[Backlink], RawPosition | None]:
        """One page of the live backlinks of *target* in key order, and where the next one begins.

        The page starts after the position *after*, whose link need not exist any longer; None is
        the start. The returned position is None with the last page.
        """
        partition, rows = self._links(target)
        start = rows.start if after is None else max(rows.start, partition.first_after(after))
        stop = min(start + limit, rows.stop)
        page = _backlinks(partition, np.arange(start, stop, dtype=np.int64))
        return page, partition.position(stop - 1) if start < stop < rows.stop else None

    def backlink_batches(self, target: Target, rows: int = 5000) -> Iterator[list[Backlink]]:
        """All live backlinks of *target* in key order, *rows* at a time."""
        partition, every = self._links(target)
        starts = range(every.start, every.stop, rows)
        ranges = (np.arange(start, min(start + rows, every.stop)) for start in starts)
        return (_backlinks(partition, batch) for batch in ranges)

    def anchors(self, target: Target, order: CountOrder, limit: int) -> list[Anchor]:
        """The first *limit* anchor texts of the live backlinks of *target*; equal ones by text."""
        return aggregates.anchors(*self._links(target), order, limit)

    def pages(self, target: Target, order: CountOrder, limit: int) -> list[LinkedPage]:
        """The first *limit* URLs of *target* with live backlinks; equal ones by sort key."""
        return aggregates.pages(*self._links(target), order, limit)

    def ips(self, target: Target, order: CountOrder, limit: int) -> list[ReferringIp]:
        """The first *limit* addresses with live backlinks to *target*; equal ones by address."""
        return aggregates.ips(*self._links(target), order, limit)

    def rank_distribution(
        self, target: Target, by: Literal["host", "domain"]
    ) -> list[tuple[int, int]]:
        """How many referring hosts, or registrable domains of them, have each rank."""
        return aggregates.rank_distribution(*self._links(target), by)

    def new_lost_backlinks(
        self,
        target: Target,
        span: Span,
        new_lost_type: NewLostType | None,
        order: NewLostOrder,
        limit: int,
        keep: LinkFilter = ANYTHING,
    ) -> list[NewLostBacklink]:
        """The first *limit* backlinks of *target* found or lost in *span* that *keep* keeps.

        *new_lost_type*: None is both. Equal ones: found before lost, then in key order.
        """
        return history.new_lost_backlinks(
            *self._targets(target), span, new_lost_type, order, limit, keep
        )

    def new_lost_backlinks_count(
        self,
        target: Target,
        span: Span,
        new_lost_type: NewLostType | None,
        keep: LinkFilter = ANYTHING,
    ) -> list[DayCount]:
        """How many such backlinks were found and lost on each day of *span*."""
        return history.new_lost_backlinks_count(*self._targets(target), span, new_lost_type, keep)

    def new_lost_refdomains(
        self,
        target: Target,
        span: Span,
        new_lost_type: NewLostType | None,
        order: NewLostDomainOrder,
        limit: int,
    ) -> list[NewLostRefdomain]:
        """The first *limit* hosts that started or stopped linking to *target* in *span*.

        *new_lost_type*: None is both. Equal ones: new before lost, then by name.
        """
        return refdomain_history.new_lost_refdomains(
            *self._targets(target), span, new_lost_type, order, limit
        )

    def new_lost_refdomains_count(
        self, target: Target, span: Span, new_lost_type: NewLostType | None
    ) -> list[DayCount]:
        """How many hosts started and stopped linking to *target* on each day of *span*."""
        return refdomain_history.new_lost_refdomains_count(
            *self._targets(target), span, new_lost_type
        )

    def live_backlinks(self, target: Target, span: Span) -> list[DayValue]:
        """How many backlinks of *target* were live at the end of each day of *span*."""
        return history.live_backlinks(*self._targets(target), span)

    def live_refdomains(self, target: Target, span: Span) -> list[DayValue]:
        """How many hosts linked to *target* at the end of each day of *span*."""
        return refdomain_history.live_refdomains(*self._targets(target), span)

    def inlink_rank_history(self, target: Target, span: Span) -> list[DayValue]:
        """InLink Rank of *target*, as `ranks` has it, for each day of *span* that has ranks."""
        return rank_history.inlink_ranks(*self._targets(target), self._days(span))

    def domain_inlink_rank_history(self, target: Target, span: Span) -> list[DayValue]:
        """Rank of the registrable domain of *target* for each day of *span* that has ranks."""
        partition, domain_id = self._partition(target), text_id(target.domain)
        return rank_history.domain_inlink_ranks(partition, domain_id, self._days(span))

    def links_between(self, page: Target, target: Target) -> list[pairs.PairLink]:
        """The backlinks from *page* to *target*: live ones, then lost ones, the last lost first."""
        partition, targets = self._targets(target)
        pages = partition.page_texts.between(page.low, page.high)
        return pairs.links_between(partition, targets, pages)

    def page_places(self, url: str) -> pairs.PagePlaces | None:
        """Where the visits of the page *url* (canonical) are recorded; None: it had no content."""
        domain = icann_domain(split_origin(url[: path_start(url)]).host)
        partition = self._partitions[text_id(domain) % len(self._partitions)]
        key = sort_key(url)
        return pairs.page_places(partition, partition.target_rows(key, f"{key} "))

    def _partition(self, target: Target) -> Partition:
        return self._partitions[text_id(target.partition_domain) % len(self._partitions)]

    def _targets(self, target: Target) -> tuple[Partition, slice]:
        return self._target_rows(target)

    def _find(self, target: Target) -> tuple[Partition, slice]:
        partition = self._partition(target)
        return partition, partition.target_rows(target.low, target.high)

    def _links(self, target: Target) -> tuple[Partition, slice]:
        partition, rows = self._targets(target)
        return partition, partition.link_rows(rows)

    def _days(self, span: Span) -> list[dt.date]:
        """The days of *span* for which ranks were published."""
        return [day for day in self._rank_days if span.first <= day <= span.last]


def _backlinks(partition: Partition, rows: Ints) -> list[Backlink]:
    """The rows *rows* of the links, in that order."""
    links = partition.links
    source, flags = links.source[rows], links.flags[rows]
    targets = partition.target_of(rows)
    images = partition.image_sources_of(rows)
    texts = partition.texts(source, targets, links.anchor[rows], images)
    columns = (
        texts.url_from,
        texts.url_to,
        texts.title,
        texts.anchor,
        [None] * len(rows),
        (flags & NOFOLLOW != 0).tolist(),
        (flags & IMAGE != 0).tolist(),
        texts.image_source,
        links.inlink_rank[rows].tolist(),
        links.domain_inlink_rank[rows].tolist(),
        dates(links.first_seen[rows]),
        dates(partition.pages.last_visited[source]),
    )
    return [Backlink(*row) for row in zip(*columns, strict=True)]
