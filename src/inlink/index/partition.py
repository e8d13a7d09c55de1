"""One partition's files, memory-mapped.

In: the directory of a partition. Out: its columns as NumPy arrays, its strings, and the contiguous
rows of links that a range of sort keys covers. docs/segments.md describes the files.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inlink.contract.rows import Metrics, RawPosition
from inlink.contract.vocabulary import BACKLINK_ORDERS, BacklinkOrder
from inlink.index.calendars import Calendar
from inlink.index.files import Int8, Int16, Int32, Int64, Ints, UInt8, UInt16, map_columns
from inlink.index.segments import REDIRECT
from inlink.index.strings import Strings
from inlink.urls.canonical import url_of_key

TOP = 100
"""Rows that are kept of each list of a long slice: the default length of a list."""


@dataclass(frozen=True, slots=True)
class Targets:
    """URLs of the partition, by sort key."""

    inlink_rank: Int8
    links_end: Int32
    lost_end: Int32


@dataclass(frozen=True, slots=True)
class Links:
    """Live backlinks, by target, source, link type."""

    source: Int32
    anchor: Int32
    flags: UInt8
    first_seen: Int16
    found: Int16
    inlink_rank: Int8
    domain_inlink_rank: Int8


@dataclass(frozen=True, slots=True)
class Lost:
    """Stretches of backlinks that have ended, by target, source, link type, time."""

    source: Int32
    anchor: Int32
    flags: UInt8
    first_seen: Int16
    found: Int16
    lost: Int16
    reason: UInt8
    inlink_rank: Int8
    domain_inlink_rank: Int8


@dataclass(frozen=True, slots=True)
class Images:
    """The image sources of the links, live or lost, that have one; by row of the link."""

    link: Int32
    image_source: Int32


@dataclass(frozen=True, slots=True)
class Pages:
    """Referring pages, by sort key."""

    host: Int32
    last_visited: Int16
    ip: Int32
    subnet: Int32


@dataclass(frozen=True, slots=True)
class Ips:
    """Addresses of referring pages."""

    country: UInt16


@dataclass(frozen=True, slots=True)
class Hosts:
    """Referring hosts, by name."""

    domain_inlink_rank: Int8
    tld: Int32
    domain: Int32


@dataclass(frozen=True, slots=True)
class Domains:
    """Registrable domains of the partition, by id."""

    domain_id: Int64
    domain_inlink_rank: Int8


@dataclass(frozen=True, slots=True)
class PastRanks:
    """Ranks of targets before a day, by target and day."""

    target: Int32
    until: Int32
    inlink_rank: Int8


@dataclass(frozen=True, slots=True)
class PastDomainRanks:
    """Ranks of domains before a day, by domain and day."""

    domain: Int32
    until: Int32
    domain_inlink_rank: Int8


@dataclass(frozen=True, slots=True)
class TopHosts:
    """The first referring hosts of long slices, list after list."""

    host: Int32
    backlinks: Int32
    dofollow_backlinks: Int32
    first_seen: Int16

    def at(self, rows: slice) -> "TopHosts":
        """Those of *rows* that exist."""
        rows = slice(rows.start, rows.start + int(np.count_nonzero(self.host[rows] >= 0)))
        return TopHosts(
            self.host[rows],
            self.backlinks[rows],
            self.dofollow_backlinks[rows],
            self.first_seen[rows],
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Visits of targets that are pages, by target: those with its content, then its last one."""

    target: Int32
    is_content: UInt8
    batch: Int32
    row: Int32


@dataclass(frozen=True, slots=True)
class Stays:
    """The stays of referring hosts, by host, then day, and their backlinks."""

    host: Int32
    first: Int32
    last: Int32
    """The last day; the greatest int32 if the host is there now."""
    backlinks: Int32
    dofollow_backlinks: Int32
    first_seen: Int32

    def at(self, rows: slice | Ints) -> "Stays":
        """Those at *rows*."""
        return Stays(
            self.host[rows],
            self.first[rows],
            self.last[rows],
            self.backlinks[rows],
            self.dofollow_backlinks[rows],
            self.first_seen[rows],
        )


class LinkTexts(NamedTuple):
    """Texts of links: one list for each column."""

    url_from: list[str]
    title: list[str]
    url_to: list[str]
    anchor: list[str]
    image_source: list[str | None]


class Partition:
    """The files of one partition. Safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self.targets = Targets(**map_columns(directory / "targets.arrow"))
        self.links = Links(**map_columns(directory / "links.arrow"))
        self.lost = Lost(**map_columns(directory / "lost.arrow"))
        self._images = Images(**map_columns(directory / "link_images.arrow"))
        self._lost_images = Images(**map_columns(directory / "lost_images.arrow"))
        self.pages = Pages(**map_columns(directory / "pages.arrow"))
        self.ips = Ips(**map_columns(directory / "ips.arrow"))
        self.hosts = Hosts(**map_columns(directory / "hosts.arrow"))
        self.domains = Domains(**map_columns(directory / "domains.arrow"))
        self.past_ranks = PastRanks(**map_columns(directory / "past_ranks.arrow"))
        past_domain_ranks = map_columns(directory / "past_domain_ranks.arrow")
        self.past_domain_ranks = PastDomainRanks(**past_domain_ranks)
        self.places = Places(**map_columns(directory / "places.arrow"))
        self.batch_names = Strings(directory / "batch_names.arrow")
        self.target_keys = Strings(directory / "target_keys.arrow", url_of_key)
        self.page_texts = Strings(directory / "page_texts.arrow", url_of_key)
        self.ip_texts = Strings(directory / "ip_texts.arrow")
        self.host_names = Strings(directory / "host_names.arrow")
        self.domain_names = Strings(directory / "domain_names.arrow")
        self.tlds = Strings(directory / "tlds.arrow")
        self.anchors = Strings(directory / "anchors.arrow")
        self.image_sources = Strings(directory / "image_sources.arrow")
        self.edu = _row_of(self.tlds, "edu")
        self.gov = _row_of(self.tlds, "gov")
        summaries = directory / "summaries.arrow"
        self._summaries: dict[tuple[int, int], _Summary] = {}
        self._histories: dict[tuple[int, ...], _History] = {}
        if summaries.exists():  # written last, from the other files
            self._summaries = _summaries(map_columns(summaries))
            self._top_links = map_columns(directory / "top_links.arrow")["link"]
            self._top_hosts = TopHosts(**map_columns(directory / "top_hosts.arrow"))
            self._stays = Stays(**map_columns(directory / "stays.arrow"))
            self._link_days = Calendar(**_calendar_columns(directory, "link"))
            self._stay_days = Calendar(**_calendar_columns(directory, "stay"))
            self._histories = _histories(map_columns(directory / "history_slices.arrow"))

    def target_rows(self, low: str, high: str) -> slice:
        """The rows of `targets` with a sort key from *low* up to, not including, *high*."""
        return self.target_keys.between(low, high)

    def link_rows(self, targets: slice) -> slice:
        """The rows of `links` to *targets*."""
        return _rows_of(self.targets.links_end, targets)

    def lost_rows(self, targets: slice) -> slice:
        """The rows of `lost` to *targets*."""
        return _rows_of(self.targets.lost_end, targets)

    def target_of(self, rows: Ints, links: Links | Lost | None = None) -> Int64:
        """The row of `targets` that each of *rows* of *links* (None: the live ones) leads to."""
        ends = self.targets.lost_end if isinstance(links, Lost) else self.targets.links_end
        return np.searchsorted(ends, rows.astype(np.int32), side="right").astype(np.int64)

    def hosts_of(self, rows: slice | Ints, links: Links | Lost | None = None) -> Int32:
        """The row of `hosts` that each of *rows* of *links* (None: the live ones) comes from."""
        return self.pages.host[(links or self.links).source[rows]]

    def image_sources_of(self, rows: Ints, links: Links | Lost | None = None) -> Int32:
        """The row of `image_sources` of each of *rows* of *links*; -1 for none."""
        images = self._lost_images if isinstance(links, Lost) else self._images
        found = np.full(len(rows), -1, np.int32)
        if len(images.link):
            places = np.searchsorted(images.link, rows.astype(np.int32))
            places = np.minimum(places, len(images.link) - 1)
            has_one = images.link[places] == rows
            found[has_one] = images.image_source[places[has_one]]
        return found

    def texts(self, source: Ints, target: Ints, anchor: Ints, image_source: Ints) -> LinkTexts:
        """The texts of links, given the rows that they name; all of one length."""
        urls, titles = self.page_texts.lookup(source)
        (target_urls,) = self.target_keys.lookup(target)
        (anchors,) = self.anchors.lookup(anchor)
        images: list[str | None] = [None] * len(image_source)
        places = np.flatnonzero(image_source >= 0)
        (found,) = self.image_sources.lookup(image_source[places])
        for place, text in zip(places.tolist(), found, strict=True):
            images[place] = text
        return LinkTexts(urls, titles, target_urls, anchors, images)

    def summary(self, links: slice) -> Metrics | None:
        """The metrics of *links*, if they were counted when the segments were written."""
        found = self._summaries.get((links.start, links.stop))
        return found and found.metrics

    def top_links(
        self, links: slice, order: BacklinkOrder, limit: int, per_host: int | None
    ) -> Int32 | None:
        """The first rows of *links*, if they were chosen when the segments were written."""
        found = self._summaries.get((links.start, links.stop))
        if found is None or limit > TOP or per_host not in (None, 1):
            return None
        place = BACKLINK_ORDERS.index(order) + len(BACKLINK_ORDERS) * (per_host is not None)
        start = (found.number * 2 * len(BACKLINK_ORDERS) + place) * TOP
        rows = self._top_links[start : start + limit]
        return rows[rows >= 0]

    def top_hosts(self, links: slice, order: BacklinkOrder, limit: int) -> TopHosts | None:
        """The first referring hosts of *links*, if they were chosen then."""
        found = self._summaries.get((links.start, links.stop))
        if found is None or limit > TOP:
            return None
        start = (found.number * len(BACKLINK_ORDERS) + BACKLINK_ORDERS.index(order)) * TOP
        return self._top_hosts.at(slice(start, start + limit))

    def stays(self, targets: slice) -> Stays | None:
        """The stays of the hosts that link to *targets*, if they were joined then."""
        known = self._history(targets)
        return self._stays.at(known.stays) if known else None

    def keeps_history(self, targets: slice) -> bool:
        """Whether the stays and calendars of *targets* were made when the segments were written."""
        return self._history(targets) is not None

    def link_calendar(self, targets: slice) -> Calendar | None:
        """The calendar of the links to *targets*, if it was made then."""
        known = self._history(targets)
        return self._link_days.part(known.link_days) if known else None

    def stay_calendar(self, targets: slice) -> Calendar | None:
        """The calendar of the stays of the hosts that link to *targets*, if it was made then."""
        known = self._history(targets)
        return self._stay_days.part(known.stay_days) if known else None

    def _history(self, targets: slice) -> "_History | None":
        links, lost = self.link_rows(targets), self.lost_rows(targets)
        return self._histories.get((links.start, links.stop, lost.start, lost.stop))

    def values_of(self, order: BacklinkOrder) -> Int16 | Int8:
        """The column that live links are ordered by; ``found`` is when their stretch began."""
        if order == "date_found":
            return self.links.found
        if order == "domain_inlink_rank":
            return self.links.domain_inlink_rank
        return self.links.inlink_rank

    def domain_rows(self, domain_id: int) -> slice:
        """The row of a registrable domain in `domains`; an empty slice if it has none."""
        row = int(np.searchsorted(self.domains.domain_id, domain_id))
        there = row < len(self.domains.domain_id) and self.domains.domain_id[row] == domain_id
        return slice(row, row + bool(there))

    def position(self, link: int) -> RawPosition:
        """The position of the row *link* in key order."""
        target = int(self.target_of(np.array([link]))[0])
        link_type = "redirect" if self.links.flags[link] & REDIRECT else "href"
        source = self.page_texts.get(int(self.links.source[link]))
        return RawPosition(self.target_keys.get(target), source, link_type)

    def first_after(self, position: RawPosition) -> int:
        """The first row of `links` after *position* in key order; no link need be at *position*."""
        target = self.target_keys.bisect(position.target_key)
        start = _before(self.targets.links_end, target)
        if not _is_at(self.target_keys, target, position.target_key):
            return start
        source = self.page_texts.bisect(position.source_key)
        sources = self.links.source[start : _before(self.targets.links_end, target + 1)]
        row = start + int(np.searchsorted(sources, np.int32(source)))
        if not _is_at(self.page_texts, source, position.source_key):
            return row
        end = start + int(np.searchsorted(sources, np.int32(source), side="right"))
        if position.link_type == "href" and end > row and self.links.flags[end - 1] & REDIRECT:
            return end - 1
        return end


def _rows_of(ends: Int32, targets: slice) -> slice:
    """The rows of *targets* in a table in which the rows of each target end at *ends*."""
    return slice(_before(ends, targets.start), _before(ends, targets.stop))


def _before(ends: Int32, target: int) -> int:
    return int(ends[target - 1]) if target else 0


def _row_of(strings: Strings, key: str) -> int:
    """The row of *key* in a sorted file; -1 for none."""
    row = strings.bisect(key)
    return row if _is_at(strings, row, key) else -1


def _is_at(strings: Strings, row: int, key: str) -> bool:
    return row < len(strings) and strings.get(row) == key


class _Summary(NamedTuple):
    number: int
    metrics: Metrics


def _summaries(columns: dict[str, Any]) -> dict[tuple[int, int], _Summary]:
    ranges = zip(columns["link_start"].tolist(), columns["link_end"].tolist(), strict=True)
    counts = zip(*(columns[name].tolist() for name in Metrics.__struct_fields__), strict=True)
    return {
        links: _Summary(number, Metrics(*row))
        for number, (links, row) in enumerate(zip(ranges, counts, strict=True))
    }


class _History(NamedTuple):
    """Where the history of a pair of long slices is in its files."""

    stays: slice
    link_days: slice
    stay_days: slice


def _calendar_columns(directory: Path, of: str) -> dict[str, Any]:
    events = map_columns(directory / f"{of}_events.arrow")
    return {**map_columns(directory / f"{of}_days.arrow"), **events}


def _histories(columns: dict[str, Any]) -> dict[tuple[int, ...], _History]:
    *slices, stays, link_days, stay_days = (column.tolist() for column in columns.values())
    rows = [map(slice, [0, *ends], ends) for ends in (stays, link_days, stay_days)]
    return dict(zip(zip(*slices, strict=True), map(_History, *rows), strict=True))
