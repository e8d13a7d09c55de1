"""A small web as the tables of a generation, and answers worked out from it row by row.

What the tests of ``inlink.index`` share. The answers are plain Python over the list of links, with
the meaning of a target spelled out on the URL, so that they share nothing with the index.
"""

import datetime as dt
import ipaddress
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from inlink.contract.outcomes import ReasonLost
from inlink.contract.rows import (
    Backlink,
    DayCount,
    Metrics,
    NewLostBacklink,
    NewLostRefdomain,
    Refdomain,
)
from inlink.contract.vocabulary import NewLostType
from inlink.store import tables
from inlink.urls.canonical import sort_key, text_id, url_id
from inlink.urls.domains import registrable_domain

DAY = dt.timedelta(days=1)
START = dt.datetime(2024, 2, 28, 23, 59, 59, 999_999, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Link:
    source: str
    target: str
    link_type: str = "href"
    first_seen: dt.datetime = START
    anchor: str = ""
    nofollow: bool = False
    image: bool = False
    image_source: str | None = None
    found: dt.datetime | None = None
    """None: when it was first seen."""
    lost: dt.datetime | None = None
    reason: ReasonLost = "link_removed"
    element: str = ""
    """"": that of an ordinary link of its type."""

    @property
    def found_at(self) -> dt.datetime:
        return self.found or self.first_seen

    @property
    def has_anchor_element(self) -> bool:
        return self.link_type == "href" and self.element != "canonical"


@dataclass(frozen=True)
class Page:
    title: str = ""
    ip: str | None = None
    visited_at: dt.datetime = START


@dataclass
class Web:
    links: list[Link] = field(default_factory=list)
    pages: dict[str, Page] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    domain_ranks: dict[str, int] = field(default_factory=dict)
    past_ranks: dict[str, list[tuple[dt.date, int]]] = field(default_factory=dict)
    past_domain_ranks: dict[str, list[tuple[dt.date, int]]] = field(default_factory=dict)
    rank_days: list[dt.date] = field(default_factory=list)

    def urls(self) -> list[str]:
        named = {url for link in self.links for url in (link.source, link.target)}
        return sorted(named | set(self.pages) | set(self.ranks) | set(self.past_ranks))

    @property
    def live(self) -> list[Link]:
        return [link for link in self.links if link.lost is None]


def host_of(url: str) -> str:
    """The host of a canonical URL (brackets of IPv6 kept)."""
    authority = urlsplit(url).netloc.rpartition("@")[2]
    host, _, port = authority.rpartition(":")
    return host if port.isdigit() and host else authority


def write_tables(web: Web, generation: Path, shuffle: Random | None = None) -> Path:
    """The Parquet files of *web*, their rows in the order of *shuffle*; returns their directory."""
    directory = generation / "tables"
    directory.mkdir(parents=True)
    contents: dict[str, tuple[pa.Schema, list[dict[str, object]]]] = {
        "urls": (tables.URLS, [_url_row(url) for url in web.urls()]),
        "links": (tables.BACKLINKS, [_link_row(link) for link in web.links]),
        "pages": (tables.PAGES, [_page_row(url, page) for url, page in web.pages.items()]),
        "ranks": (
            tables.RANKS,
            [
                {"url_id": url_id(url), "pagerank": 0.1, "inlink_rank": rank}
                for url, rank in web.ranks.items()
            ],
        ),
        "domain_ranks": (
            tables.DOMAIN_RANKS,
            [
                {"domain_id": text_id(name), "pagerank": 0.1, "domain_inlink_rank": rank}
                for name, rank in web.domain_ranks.items()
            ],
        ),
        "past_ranks": (
            tables.PAST_RANKS,
            [
                {"url_id": url_id(url), "until": until, "inlink_rank": rank}
                for url, past in web.past_ranks.items()
                for until, rank in past
            ],
        ),
        "past_domain_ranks": (
            tables.PAST_DOMAIN_RANKS,
            [
                {"domain_id": text_id(name), "until": until, "domain_inlink_rank": rank}
                for name, past in web.past_domain_ranks.items()
                for until, rank in past
            ],
        ),
        "rank_days": (tables.RANK_DAYS, [{"day": day} for day in web.rank_days]),
        "places": (tables.PLACES, [row for url in web.pages for row in _place_rows(url)]),
    }
    for name, (schema, rows) in contents.items():
        if shuffle:
            shuffle.shuffle(rows)
        table = pa.Table.from_pylist(rows, schema=schema)
        pq.write_table(table, directory / f"{name}.parquet", row_group_size=7 if shuffle else None)
    return directory


RecordPlace = tuple[str, int]


def places_of(url: str) -> tuple[list[RecordPlace], list[RecordPlace]] | None:
    """Where the visits of a page are told: of its content, and the last one; of some, neither."""
    number = zlib.crc32(url.encode()) >> 2
    if number % 11 == 0:
        return None
    contents = [(f"batch-{(number - nth) % 5}", number + nth) for nth in range(number % 3 + 1)]
    return contents, [(f"batch-{number % 7}", number + 9)] if number % 3 == 0 else []


def _place_rows(url: str) -> list[dict[str, object]]:
    return [
        {
            "url_id": url_id(url),
            "visit_id": row,
            "is_content": is_content,
            "nth": nth,
            "visited_url_id": url_id(url),
            "visited_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            "batch": batch,
            "row": row,
        }
        for places, is_content in zip(places_of(url) or ((), ()), (True, False), strict=True)
        for nth, (batch, row) in enumerate(places)
    ]


def _url_row(url: str) -> dict[str, object]:
    domain = registrable_domain(host_of(url))
    return {
        "url_id": url_id(url),
        "url": url,
        "sort_key": sort_key(url),
        "host": host_of(url),
        "domain": domain,
        "domain_id": text_id(domain),
    }


def _link_row(link: Link) -> dict[str, object]:
    return {
        "source_id": url_id(link.source),
        "target_id": url_id(link.target),
        "link_type": link.link_type,
        "found_at": link.found_at,
        "lost_at": link.lost,
        "reason_lost": link.reason if link.lost else None,
        "first_seen": link.first_seen,
        "element": link.element or ("a" if link.link_type == "href" else "location"),
        "anchor": link.anchor,
        "nofollow": link.nofollow,
        "image": link.image,
        "image_source": link.image_source,
    }


def _page_row(url: str, page: Page) -> dict[str, object]:
    return {
        "url_id": url_id(url),
        "domain_id": text_id(registrable_domain(host_of(url))),
        "visited_at": page.visited_at,
        "visit_id": 1,
        "outcome": "ok",
        "failures": 0,
        "content_visit_id": 1,
        "payload_digest": None,
        "title": page.title,
        "ip": page.ip,
    }


def covers(text: str, mode: str, url: str) -> bool:
    """Whether the target *text*, a host name or a URL with or without scheme, covers *url*."""
    if mode == "url":
        return url == text if "://" in text else url.partition("://")[2] == text
    host = host_of(url)
    if mode == "host":
        return host == text
    name = text.removeprefix("www.")
    return host == name or host.endswith(f".{name}")


def linking(web: Web, text: str, mode: str) -> list[Link]:
    """The live links to a target, in key order."""
    found = [link for link in web.live if covers(text, mode, link.target)]
    return sorted(found, key=key_of)


def key_of(link: Link) -> tuple[bytes, bytes, str]:
    """Where a link stands in key order."""
    return sort_key(link.target).encode(), sort_key(link.source).encode(), link.link_type


def backlink(web: Web, link: Link) -> Backlink:
    """A link as an answer has it."""
    page = web.pages[link.source]
    return Backlink(
        url_from=link.source,
        url_to=link.target,
        title=page.title,
        anchor=link.anchor,
        alt=None,
        nofollow=link.nofollow,
        image=link.image,
        image_source=link.image_source,
        inlink_rank=web.ranks.get(link.source, -1),
        domain_inlink_rank=domain_rank(web, link.source),
        first_seen=link.first_seen.date(),
        last_visited=page.visited_at.date(),
    )


def domain_rank(web: Web, url: str) -> int:
    return web.domain_ranks.get(registrable_domain(host_of(url)), -1)


def value(web: Web, link: Link, order: str) -> int:
    """What *order* compares."""
    if order == "date_found":
        return link.found_at.date().toordinal()
    rank = backlink(web, link)
    return rank.inlink_rank if order == "inlink_rank" else rank.domain_inlink_rank


def backlinks(
    web: Web, links: Sequence[Link], order: str, limit: int, per_domain: int | None
) -> list[Backlink]:
    """Sort everything, then take what is allowed, one by one."""
    taken: list[Link] = []
    hosts: dict[str, int] = defaultdict(int)
    for link in sorted(links, key=lambda link: (-value(web, link, order), key_of(link))):
        host = host_of(link.source)
        if per_domain is None or hosts[host] < per_domain:
            hosts[host] += 1
            taken.append(link)
    return [backlink(web, link) for link in taken[:limit]]


def refdomains(web: Web, links: Sequence[Link], order: str, limit: int) -> list[Refdomain]:
    by_host: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_host[host_of(link.source)].append(link)
    first = {host: min(link.first_seen for link in group).date() for host, group in by_host.items()}

    def place(host: str) -> tuple[int, bytes]:
        if order == "date_found":
            return -min(value(web, link, order) for link in by_host[host]), host.encode()
        return -max(value(web, link, order) for link in by_host[host]), host.encode()

    return [
        Refdomain(
            host,
            len(by_host[host]),
            sum(not link.nofollow for link in by_host[host]),
            first[host],
            domain_rank(web, by_host[host][0].source),
        )
        for host in sorted(by_host, key=place)[:limit]
    ]


def metrics(web: Web, links: Sequence[Link]) -> Metrics:
    hosts = [host_of(link.source) for link in links]
    ips = {address for link in links if (address := _address(web.pages[link.source].ip))}
    subnets = {
        ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False)
        for address in ips
    }
    nofollow = sum(link.nofollow for link in links)
    return Metrics(
        backlinks=len(links),
        refdomains=len(set(hosts)),
        subnets=len(subnets),
        ips=len(ips),
        nofollow_backlinks=nofollow,
        dofollow_backlinks=len(links) - nofollow,
        edu_backlinks=sum(host.endswith(".edu") for host in hosts),
        gov_backlinks=sum(host.endswith(".gov") for host in hosts),
    )


def _address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text or "")
    except ValueError:
        return None


Days = tuple[dt.date, dt.date]
Event = tuple[dt.date, NewLostType, Link]
Stay = tuple[dt.date, dt.date | None, list[Link]]
"""The first day, the last day (None: not yet) and the stretches of a referring host's stay."""


def stretches(web: Web, text: str, mode: str) -> list[Link]:
    """The links to a target, live and lost, in key order, then by time."""
    found = [link for link in web.links if covers(text, mode, link.target)]
    return sorted(found, key=lambda link: (key_of(link), link.found_at))


def _events(links: Sequence[Link], days: Days, new_lost_type: NewLostType | None) -> list[Event]:
    """What was found, in key order, then what was lost."""
    found: list[Event] = [(link.found_at.date(), "new", link) for link in links]
    lost: list[Event] = [(link.lost.date(), "lost", link) for link in links if link.lost]
    return [
        event
        for event in [*found, *lost]
        if days[0] <= event[0] <= days[1] and new_lost_type in {None, event[1]}
    ]


def new_lost_backlinks(
    web: Web,
    links: Sequence[Link],
    days: Days,
    new_lost_type: NewLostType | None,
    order: str,
) -> list[NewLostBacklink]:
    """Every event, in order."""

    def place(event: Event) -> int:
        day, _, link = event
        return -(day.toordinal() if order == "new_lost_date" else value(web, link, order))

    events = sorted(_events(links, days, new_lost_type), key=place)
    return [_new_lost_backlink(web, *event) for event in events]


def _new_lost_backlink(
    web: Web, day: dt.date, new_lost_type: NewLostType, link: Link
) -> NewLostBacklink:
    row = backlink(web, link)
    return NewLostBacklink(
        new_lost_date=day,
        new_lost_type=new_lost_type,
        url_from=row.url_from,
        url_to=row.url_to,
        title=row.title,
        anchor=row.anchor,
        alt="",
        link_type="redirect" if link.link_type == "redirect" else "href",
        nofollow=row.nofollow,
        image=row.image,
        image_source=row.image_source or "",
        reason_lost=link.reason if new_lost_type == "lost" else "",
        inlink_rank=row.inlink_rank,
        domain_inlink_rank=row.domain_inlink_rank,
        first_seen=row.first_seen,
    )


def stays(links: Sequence[Link]) -> dict[str, list[Stay]]:
    """The stretches of each host, put together two at a time for as long as two share a day."""
    found: dict[str, list[Stay]] = defaultdict(list)
    for link in links:
        new: Stay = (link.found_at.date(), link.lost.date() if link.lost else None, [link])
        apart = found[host_of(link.source)]
        while touching := [stay for stay in apart if _share_a_day(stay, new)]:
            apart.remove(touching[0])
            new = _together(touching[0], new)
        apart.append(new)
    return {host: sorted(group, key=lambda stay: stay[0]) for host, group in found.items()}


def _share_a_day(one: Stay, other: Stay) -> bool:
    return (one[1] is None or other[0] <= one[1]) and (other[1] is None or one[0] <= other[1])


def _together(one: Stay, other: Stay) -> Stay:
    last = None if one[1] is None or other[1] is None else max(one[1], other[1])
    return min(one[0], other[0]), last, one[2] + other[2]


def new_lost_refdomains(
    web: Web, links: Sequence[Link], days: Days, new_lost_type: NewLostType | None, order: str
) -> list[NewLostRefdomain]:
    """Every event, in order."""
    named = sorted(stays(links).items(), key=lambda item: item[0].encode())
    seen: dict[str, dt.date] = {}
    for link in sorted(links, key=lambda link: link.first_seen):
        seen.setdefault(host_of(link.source), link.first_seen.date())
    every = [(host, stay) for host, group in named for stay in group]
    events: list[tuple[dt.date, NewLostType, str, Stay]] = [
        *((stay[0], "new", host, stay) for host, stay in every),
        *((stay[1], "lost", host, stay) for host, stay in every if stay[1]),
    ]
    rows = [
        _new_lost_refdomain(web, *event, seen[event[2]])
        for event in events
        if days[0] <= event[0] <= days[1] and new_lost_type in {None, event[1]}
    ]
    if order == "new_lost_date":
        return sorted(rows, key=lambda row: -row.new_lost_date.toordinal())
    return sorted(rows, key=lambda row: -row.domain_inlink_rank)


def _new_lost_refdomain(
    web: Web, day: dt.date, new_lost_type: NewLostType, host: str, stay: Stay, first_seen: dt.date
) -> NewLostRefdomain:
    _, last, links = stay
    latest: dict[tuple[bytes, bytes, str], Link] = {}
    for link in sorted(links, key=lambda link: link.found_at):
        if last or link.lost is None:
            latest[key_of(link)] = link
    counted = list(latest.values())
    return NewLostRefdomain(
        new_lost_date=day,
        new_lost_type=new_lost_type,
        refdomain=host,
        backlinks=len(counted),
        dofollow_backlinks=sum(not link.nofollow for link in counted),
        first_seen=first_seen,
        domain_inlink_rank=domain_rank(web, links[0].source),
    )


def counts(rows: Sequence[NewLostBacklink | NewLostRefdomain], days: Days) -> list[DayCount]:
    """How many events of each type each day has."""
    seen = [(row.new_lost_date, row.new_lost_type) for row in rows]
    every = [days[0] + n * DAY for n in range((days[1] - days[0]).days + 1)]
    return [DayCount(day, seen.count((day, "new")), seen.count((day, "lost"))) for day in every]


def live_on(links: Sequence[Link], day: dt.date) -> list[Link]:
    """The links that are live at the end of a day."""
    return [
        link
        for link in links
        if link.found_at.date() <= day and (link.lost is None or link.lost.date() > day)
    ]


def rank_on(past: Sequence[tuple[dt.date, int]], current: int, day: dt.date) -> int:
    """What the rank was on *day*, given what it was until other days."""
    return min([(until, rank) for until, rank in past if until > day], default=(day, current))[1]
