"""One partition's files, memory-mapped.

In: the directory of a partition. Out: its columns as NumPy arrays, its strings, and the contiguous
rows of links that a range of sort keys covers. docs/segments.md describes the files.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inlink.index.files import map_columns
from inlink.index.rows import UNKNOWN_RANK, Metrics, RawPosition
from inlink.index.segments import REDIRECT
from inlink.index.strings import Strings

Int8 = npt.NDArray[np.int8]
UInt8 = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Targets:
    """URLs of the partition, by sort key."""

    inlink_rank: Int8
    links_end: Int64


@dataclass(frozen=True, slots=True)
class Links:
    """Live backlinks, by target, source, link type."""

    source: Int32
    anchor: Int32
    image_source: Int32
    flags: UInt8
    first_seen: Int32
    inlink_rank: Int8
    domain_inlink_rank: Int8
    host: Int32


@dataclass(frozen=True, slots=True)
class Pages:
    """Referring pages, by sort key."""

    last_visited: Int32
    ip: Int32
    subnet: Int32


@dataclass(frozen=True, slots=True)
class Hosts:
    """Referring hosts, by name."""

    domain_inlink_rank: Int8
    tld: UInt8


@dataclass(frozen=True, slots=True)
class Domains:
    """Registrable domains of the partition, by id."""

    domain_id: Int64
    domain_inlink_rank: Int8


class Partition:
    """The files of one partition. Safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self.targets = Targets(**map_columns(directory / "targets.arrow"))
        self.links = Links(**map_columns(directory / "links.arrow"))
        self.pages = Pages(**map_columns(directory / "pages.arrow"))
        self.hosts = Hosts(**map_columns(directory / "hosts.arrow"))
        self.domains = Domains(**map_columns(directory / "domains.arrow"))
        self.target_keys = Strings(directory / "target_keys.arrow")
        self.page_texts = Strings(directory / "page_texts.arrow")
        self.host_names = Strings(directory / "host_names.arrow")
        self.anchors = Strings(directory / "anchors.arrow")
        self.image_sources = Strings(directory / "image_sources.arrow")
        summaries = directory / "summaries.arrow"
        self._summaries = _summaries(map_columns(summaries)) if summaries.exists() else {}

    def target_rows(self, low: str, high: str) -> slice:
        """The rows of `targets` with a sort key from *low* up to, not including, *high*."""
        return slice(self.target_keys.bisect(low), self.target_keys.bisect(high))

    def link_rows(self, targets: slice) -> slice:
        """The rows of `links` to *targets*."""
        return slice(self._links_before(targets.start), self._links_before(targets.stop))

    def _links_before(self, target: int) -> int:
        return int(self.targets.links_end[target - 1]) if target else 0

    def target_of(self, links: npt.NDArray[np.integer[Any]]) -> Int64:
        """The row of `targets` that each of *links* leads to."""
        return np.searchsorted(self.targets.links_end, links, side="right").astype(np.int64)

    def summary(self, links: slice) -> Metrics | None:
        """The metrics of *links*, where they were counted when the segments were written."""
        return self._summaries.get((links.start, links.stop))

    def domain_inlink_rank(self, domain_id: int) -> int:
        """The rank of a registrable domain, or `UNKNOWN_RANK`."""
        row = int(np.searchsorted(self.domains.domain_id, domain_id))
        if row == len(self.domains.domain_id) or self.domains.domain_id[row] != domain_id:
            return UNKNOWN_RANK
        return int(self.domains.domain_inlink_rank[row])

    def position(self, link: int) -> RawPosition:
        """Where the row *link* stands in key order."""
        target = int(self.target_of(np.array([link]))[0])
        link_type = "redirect" if self.links.flags[link] & REDIRECT else "href"
        source = self.page_texts.get(int(self.links.source[link]))
        return RawPosition(self.target_keys.get(target), source, link_type)

    def first_after(self, position: RawPosition) -> int:
        """The first row of `links` behind *position* in key order, whether or not that exists."""
        target = self.target_keys.bisect(position.target_key)
        start = self._links_before(target)
        if not _is_at(self.target_keys, target, position.target_key):
            return start
        source = self.page_texts.bisect(position.source_key)
        sources = self.links.source[start : self._links_before(target + 1)]
        row = start + int(np.searchsorted(sources, np.int32(source)))
        if not _is_at(self.page_texts, source, position.source_key):
            return row
        end = start + int(np.searchsorted(sources, np.int32(source), side="right"))
        if position.link_type == "href" and end > row and self.links.flags[end - 1] & REDIRECT:
            return end - 1
        return end


def _is_at(strings: Strings, row: int, key: str) -> bool:
    return row < len(strings) and strings.get(row) == key


def _summaries(columns: dict[str, Any]) -> dict[tuple[int, int], Metrics]:
    ranges = zip(columns["link_start"].tolist(), columns["link_end"].tolist(), strict=True)
    counts = zip(*(columns[name].tolist() for name in Metrics.__struct_fields__), strict=True)
    return {links: Metrics(*row) for links, row in zip(ranges, counts, strict=True)}
