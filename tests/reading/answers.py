"""What the commands of the API answer, counted one by one over the live links.

In: a `History`. Out: the fields of the answers by name. Ranks and the countries of addresses are
taken over: ranks have tests of their own, and registries of addresses are no part of a crawl.
Commands and fields: the specification of the Backlinks API v1.0, and ``docs/api.md``.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

from .history import History, Key, State, Stretch
from .urls import domain_of, host_of, is_address, is_beneath, order_key, parse

TOP = 10
UNKNOWN = -1


class Row(NamedTuple):
    """A stretch of time that a backlink was live."""

    key: Key
    link: Stretch
    page: State


class Target(NamedTuple):
    """What somebody asks about."""

    mode: str
    name: str

    def covers(self, url: str) -> bool:
        """Whether a canonical URL belongs to it."""
        if self.mode == "url":
            return url == self.name
        host = host_of(url)
        return host == self.name if self.mode == "host" else is_beneath(host, self.name)


@dataclass(frozen=True, slots=True)
class Ranks:
    """InLink Rank by URL, and Domain InLink Rank by registrable domain."""

    pages: dict[str, int]
    domains: dict[str, int]

    def page(self, url: str) -> int:
        """InLink Rank of a URL."""
        return self.pages.get(url, UNKNOWN)

    def host(self, host: str) -> int:
        """Domain InLink Rank of a host."""
        return self.domains.get(domain_of(host), UNKNOWN)

    def of_source(self, row: Row) -> dict[str, int]:
        """Both ranks of the referring page, as rows of backlinks have them."""
        source = row.key.source
        return {
            "inlink_rank": self.page(source),
            "domain_inlink_rank": self.host(host_of(source)),
        }

    def of_target(self, target: Target) -> dict[str, int]:
        """InLink Rank of the URL that it names, of either scheme, and the Domain InLink Rank."""
        named = [target.name]
        if target.mode != "url":
            named = [f"{scheme}://{target.name}/" for scheme in ("http", "https")]
        host = host_of(target.name) if target.mode == "url" else target.name
        return {
            "inlink_rank": max(map(self.page, named)),
            "domain_inlink_rank": self.host(host),
        }


def stretches(history: History) -> list[Row]:
    """All backlinks, live and lost: one row for each stretch of time."""
    return [
        Row(key, stretch, history.pages[key.source])
        for key, times in history.links.items()
        for stretch in times
    ]


def live(history: History) -> list[Row]:
    """All live backlinks."""
    return live_of(stretches(history))


def live_of(rows: Iterable[Row]) -> list[Row]:
    """Those of the rows that are live."""
    return [row for row in rows if row.link.lost_at is None]


def by_target(rows: list[Row]) -> dict[Target, list[Row]]:
    """Backlinks of every target.

    The targets are the URLs and hosts that are linked to, and as domains the names above each host.
    """
    targets: dict[Target, list[Row]] = defaultdict(list)
    for row in rows:
        host = host_of(row.key.target)
        targets[Target("url", row.key.target)].append(row)
        targets[Target("host", host)].append(row)
        for name in _names_above(host):
            targets[Target("domain", name)].append(row)
    return targets


def _names_above(host: str) -> set[str]:
    """The host, less a trailing dot (the same name, RFC 1034, 3.1), and every name above it."""
    if is_address(host):
        return {host}
    labels = host.removesuffix(".").split(".")
    names = {".".join(labels[first:]) for first in range(len(labels))}
    return {name for name in names if not name.startswith("www.")}


def metrics(rows: list[Row]) -> dict[str, int]:
    """``get-metrics`` of a target with these backlinks."""
    hosts = [host_of(row.key.source) for row in rows]
    ips = {row.page.ip for row in rows if row.page.ip}
    nofollow = sum(row.link.nofollow for row in rows)
    return {
        "backlinks": len(rows),
        "refdomains": len(set(hosts)),
        "subnets": len({ip.rpartition(".")[0] for ip in ips}),
        "ips": len(ips),
        "nofollow_backlinks": nofollow,
        "dofollow_backlinks": len(rows) - nofollow,
        "edu_backlinks": sum(host.endswith(".edu") for host in hosts),
        "gov_backlinks": sum(host.endswith(".gov") for host in hosts),
    }


def refdomains(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """``get-refdomains``: what is said of each referring host."""
    return {host: refdomain(own) for host, own in by_host(rows).items()}


def by_host(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Backlinks by referring host."""
    hosts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        hosts[host_of(row.key.source)].append(row)
    return hosts


def refdomain(rows: list[Row]) -> dict[str, Any]:
    """What is said of a referring host with these backlinks."""
    return {
        "backlinks": len(rows),
        "dofollow_backlinks": sum(not row.link.nofollow for row in rows),
        "first_seen": _first_seen(rows),
    }


def anchors(rows: Iterable[Row], order: str = "backlinks") -> list[dict[str, Any]]:
    """``get-anchors``: one row for each text, ``""`` among them."""
    return _grouped(rows, "anchor", lambda row: row.link.anchor, str, order)


def pages(rows: Iterable[Row], order: str = "backlinks") -> list[dict[str, Any]]:
    """``get-pages``: one row for each URL that is linked to."""
    return _grouped(rows, "url", lambda row: row.key.target, order_key, order)


def ips(rows: Iterable[Row], order: str = "backlinks") -> list[dict[str, Any]]:
    """``get-ips``: one row for each known address; equals IPv4 before IPv6, by number."""
    known = [row for row in rows if row.page.ip]
    return _grouped(
        known, "ip", lambda row: str(ip_address(row.page.ip or "")), _address_order, order
    )


def _address_order(text: str) -> tuple[int, int]:
    address = ip_address(text)
    return address.version, int(address)


def _grouped(
    rows: Iterable[Row],
    name: str,
    group: Callable[[Row], str],
    place: Callable[[str], Any],
    order: str,
) -> list[dict[str, Any]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[group(row)].append(row)
    counted = [
        {
            name: text,
            **refdomain(own),
            "refdomains": len(by_host(own)),
            "nofollow_backlinks": sum(row.link.nofollow for row in own),
        }
        for text, own in groups.items()
    ]
    return sorted(counted, key=lambda row: (-row[order], place(row[name])))


def histogram(rows: Iterable[Row], ranks: Ranks, mode: str) -> list[dict[str, int]]:
    """``authority/domain/distribution``: referring hosts or their domains by rank, descending."""
    hosts = {host_of(row.key.source) for row in rows}
    names = {domain_of(host) for host in hosts} if mode == "domain" else hosts
    counts = Counter(map(ranks.host, names))
    return [
        {"domain_inlink_rank": rank, "refdomains": counts[rank]}
        for rank in sorted(counts, reverse=True)
    ]


def summary(
    rows: list[Row], target: Target, ranks: Ranks, country: Callable[[str], str | None]
) -> dict[str, Any]:
    """``get-summary`` of a target with these backlinks; `country` is that of an address."""
    home = [row for row in rows if _is_home_page(row.key.source)]
    dofollow = [row for row in rows if not row.link.nofollow]
    hosts = by_host(rows)
    tlds = [host.rstrip(".").split(".")[-1] for host in hosts if not is_address(host)]
    countries = [
        code.lower()
        for own in hosts.values()
        for code in {country(row.page.ip) for row in own if row.page.ip}
        if code
    ]
    return {
        **metrics(rows),
        **ranks.of_target(target),
        "anchors": len(anchors(rows)),
        "dofollow_anchors": len(anchors(dofollow)),
        "from_home_page_backlinks": len(home),
        "dofollow_from_home_page_backlinks": sum(not row.link.nofollow for row in home),
        "from_home_page_refdomains": len(by_host(home)),
        "text_backlinks": sum(anchor_type(row.link) == "text" for row in rows),
        "dofollow_refdomains": len(by_host(dofollow)),
        "edu_refdomains": tlds.count("edu"),
        "gov_refdomains": tlds.count("gov"),
        "pages_with_backlinks": len(pages(rows)),
        "top_anchors_by_backlinks": _top(anchors(rows), "anchor", "backlinks"),
        "top_anchors_by_refdomains": _top(anchors(rows, "refdomains"), "anchor", "refdomains"),
        "top_pages_by_backlinks": _top(pages(rows), "url", "backlinks"),
        "top_pages_by_refdomains": _top(pages(rows, "refdomains"), "url", "refdomains"),
        "top_tlds": _most(tlds, "tld"),
        "top_countries": _most(countries, "country"),
    }


def _is_home_page(url: str) -> bool:
    parsed = parse(url)
    assert parsed, url
    return parsed.path == "/" and parsed.query is None


def _top(rows: list[dict[str, Any]], name: str, count: str) -> list[dict[str, Any]]:
    return [{name: row[name], count: row[count]} for row in rows[:TOP]]


def _most(values: list[str], name: str) -> list[dict[str, Any]]:
    counts = Counter(values)
    order = sorted(counts, key=lambda value: (-counts[value], value))
    return [{name: value, "count": counts[value]} for value in order[:TOP]]


def anchor_type(link: Stretch) -> str:
    """What ``anchor_type`` selects it by: ``undefined`` has no anchor element."""
    if link.element in ("canonical", "location"):
        return "undefined"
    return "image" if link.image else "text"


def follow(link: Stretch) -> str:
    """What ``dofollow`` selects it by: ``undefined`` has no anchor element."""
    if link.element in ("canonical", "location"):
        return "undefined"
    return "nofollow" if link.nofollow else "dofollow"


def backlink(row: Row) -> dict[str, Any]:
    """One row of ``get-backlinks`` and ``get-raw-backlinks``."""
    return {
        "url_from": row.key.source,
        "url_to": row.key.target,
        "title": row.page.title,
        "anchor": row.link.anchor,
        "alt": None,
        "nofollow": row.link.nofollow,
        "image": row.link.image,
        "image_source": row.link.image_source,
        "first_seen": iso(row.link.first_seen),
        "last_visited": iso(row.page.last_visited),
    }


def backlinks(rows: Iterable[Row], order: str, ranks: Ranks) -> list[dict[str, Any]]:
    """``get-backlinks``, all rows of it; equals in key order."""

    def place(row: Row) -> tuple[Any, ...]:
        value = (
            row.link.found_at.toordinal() if order == "date_found" else ranks.of_source(row)[order]
        )
        return -value, order_key(row.key.target), order_key(row.key.source), row.key.link_type

    return [backlink(row) | ranks.of_source(row) for row in sorted(rows, key=place)]


def refdomains_in_order(rows: Iterable[Row], order: str, ranks: Ranks) -> list[dict[str, Any]]:
    """``get-refdomains``, all rows of it; equals by name, ``inlink_rank`` is that of the pages."""
    hosts = by_host(rows)

    def place(host: str) -> tuple[int, str]:
        values = {
            "date_found": min(row.link.found_at for row in hosts[host]).toordinal(),
            "domain_inlink_rank": ranks.host(host),
            "inlink_rank": max(ranks.page(row.key.source) for row in hosts[host]),
        }
        return -values[order], host

    return [
        {"refdomain": host, **refdomain(hosts[host]), "domain_inlink_rank": ranks.host(host)}
        for host in sorted(hosts, key=place)
    ]


def _first_seen(rows: list[Row]) -> str:
    return iso(min(row.link.first_seen for row in rows))


def iso(day: date | datetime) -> str:
    """A day as answers have it."""
    return day.isoformat()[:10]
