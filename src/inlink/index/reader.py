"""The door to the index: answers the reading commands from a generation's segments.

In: targets (`inlink.urls.targets`), orders and limits. Out: the rows of `inlink.index.rows`.
A reader is a snapshot of one generation, opened at once and safe to use from several threads.
"""

import datetime as dt
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from inlink.index import segments, selection
from inlink.index.partition import Partition
from inlink.index.rows import (
    UNKNOWN_RANK,
    Backlink,
    BacklinkOrder,
    Metrics,
    Ranks,
    RawPosition,
    Refdomain,
)
from inlink.index.segments import IMAGE, NOFOLLOW
from inlink.urls.canonical import text_id, url_of_key
from inlink.urls.targets import Target

_EPOCH = dt.date(1970, 1, 1).toordinal()


class Reader:
    """Answers from one generation.

    Raises:
        SegmentsError: the segments of *generation* cannot be read by this version.
    """

    def __init__(self, generation: Path) -> None:
        directory = generation / "segments"
        counts = segments.load(directory)
        self._partitions = [
            Partition(segments.partition_directory(directory, number))
            for number in range(len(counts.partitions))
        ]

    def close(self) -> None:
        """Let go of the files; they are unmapped when the last answer under way is done."""
        self._partitions = []

    def metrics(self, target: Target) -> Metrics:
        """Count the live backlinks of *target*."""
        partition, rows = self._links(target)
        return partition.summary(rows) or selection.metrics(partition, rows)

    def ranks(self, target: Target) -> Ranks:
        """InLink Rank of *target* (of several URLs, the highest) and of its registrable domain."""
        partition = self._partition(target)
        rows = partition.target_rows(target.low, target.high)
        return Ranks(
            int(partition.targets.inlink_rank[rows].max(initial=UNKNOWN_RANK)),
            partition.domain_inlink_rank(text_id(target.domain)),
        )

    def backlinks(
        self, target: Target, order: BacklinkOrder, limit: int, per_domain: int | None = None
    ) -> list[Backlink]:
        """The first *limit* live backlinks of *target*; equals in key order.

        *per_domain*: no more than that many of one referring host, the first by *order*.
        """
        partition, rows = self._links(target)
        links = partition.links
        column = links.first_seen if order == "date_found" else getattr(links, order)
        if per_domain is None:
            chosen = selection.top(column[rows], limit)
        else:
            chosen = selection.top_per_group(column[rows], links.host[rows], limit, per_domain)
        return _backlinks(partition, chosen + rows.start)

    def refdomains(self, target: Target, order: BacklinkOrder, limit: int) -> list[Refdomain]:
        """The first *limit* hosts with live backlinks to *target*; equals by name.

        ``inlink_rank`` orders by the highest rank among a host's linking pages.
        """
        partition, rows = self._links(target)
        found = selection.by_host(partition, rows)
        domain_rank = partition.hosts.domain_inlink_rank[found.host]
        values = {
            "date_found": found.first_seen,
            "domain_inlink_rank": domain_rank,
            "inlink_rank": found.inlink_rank,
        }
        chosen = selection.top(values[order], limit)
        (names,) = partition.host_names.lookup(found.host[chosen])
        columns = (
            found.backlinks[chosen].tolist(),
            found.dofollow_backlinks[chosen].tolist(),
            map(_date, found.first_seen[chosen].tolist()),
            domain_rank[chosen].tolist(),
        )
        return [Refdomain(*row) for row in zip(names, *columns, strict=True)]

    def raw_backlinks(
        self, target: Target, limit: int, after: RawPosition | None = None
    ) -> tuple[list[Backlink], RawPosition | None]:
        """One page of the live backlinks of *target* in key order, and where the next one begins.

        The page holds what follows *after* (from the start: None), which need not exist any more.
        The position is None with the last page.
        """
        partition, rows = self._links(target)
        start = rows.start if after is None else max(rows.start, partition.first_after(after))
        stop = min(start + limit, rows.stop)
        page = _backlinks(partition, np.arange(start, stop, dtype=np.int64))
        return page, partition.position(stop - 1) if start < stop < rows.stop else None

    def _partition(self, target: Target) -> Partition:
        return self._partitions[text_id(target.partition_domain) % len(self._partitions)]

    def _links(self, target: Target) -> tuple[Partition, slice]:
        partition = self._partition(target)
        return partition, partition.link_rows(partition.target_rows(target.low, target.high))


def _backlinks(partition: Partition, rows: selection.Rows) -> list[Backlink]:
    """The rows *rows* of the links, in that order."""
    links = partition.links
    source, flags = links.source[rows], links.flags[rows]
    url: Callable[[str], str] = cache(url_of_key)
    keys, titles = partition.page_texts.lookup(source)
    (target_keys,) = partition.target_keys.lookup(partition.target_of(rows))
    (anchors,) = partition.anchors.lookup(links.anchor[rows])
    columns = (
        map(url, keys),
        map(url, target_keys),
        titles,
        anchors,
        [None] * len(rows),
        (flags & NOFOLLOW != 0).tolist(),
        (flags & IMAGE != 0).tolist(),
        _image_sources(partition, rows),
        links.inlink_rank[rows].tolist(),
        links.domain_inlink_rank[rows].tolist(),
        map(_date, links.first_seen[rows].tolist()),
        map(_date, partition.pages.last_visited[source].tolist()),
    )
    return [Backlink(*row) for row in zip(*columns, strict=True)]


def _image_sources(partition: Partition, rows: selection.Rows) -> list[str | None]:
    images = partition.links.image_source[rows]
    found: list[str | None] = [None] * len(rows)
    places = np.flatnonzero(images >= 0)
    (texts,) = partition.image_sources.lookup(images[places])
    for place, text in zip(places.tolist(), texts, strict=True):
        found[place] = text
    return found


def _date(days: int) -> dt.date:
    return dt.date.fromordinal(_EPOCH + days)
