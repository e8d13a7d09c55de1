"""Backlinks added up, against adding up the same links one by one."""

import datetime as dt
import ipaddress
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any, get_args

import iptocc
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inlink.contract.rows import (
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
from inlink.contract.vocabulary import CountOrder, Mode
from inlink.index import aggregates
from inlink.index.partition import Partition
from inlink.index.segments import partition_directory
from inlink.index.summaries import SUMMARY_LINKS
from inlink.index.writer import write_segments
from inlink.store.configuration import Settings
from inlink.urls.canonical import sort_key, text_id
from inlink.urls.domains import registrable_domain
from inlink.urls.targets import parse_target
from tests.index_tables import START, Link, Page, Web, host_of, linking, metrics, write_tables

HOSTS = [
    *("example.com", "www.example.com", "a.b.example.com", "alice.github.io", "bob.github.io"),
    *("mit.edu", "cs.mit.edu", "sydney.edu.au", "nasa.gov", "www.nasa.gov", "service.gov.uk"),
    *("xn--e1afmkfd.xn--p1ai", "zebra.org", "192.0.2.7", "10.1.2.3", "[2001:db8::1]"),
    *("example.com:8080", "shop.co.uk", "a.de", "b.de", "c.de", "d.fr"),
]
PATHS = ["/", "/?q=1", "/a", "/a/", "/Z", "/%E2%98%83"]
ANCHORS = ["", "a", "B", "b", "é", "e\u0301", "☃ 雪", "\uffff", "\U0001f389", "read more", " "]
COUNTRIES = {  # as the regional registries have allocated them
    "8.8.8.8": "us",
    "8.8.4.4": "us",
    "18.9.22.69": "us",
    "193.0.6.139": "nl",
    "2001:67c:2e8:22::1": "nl",
    "133.11.0.1": "jp",
    "200.160.2.3": "br",
    "81.2.69.142": "gb",
    "2a01:4f8::1": "de",
    "192.0.2.1": None,  # for documentation
    "fe80::1": None,
}
IPS = [None, "", "not an address", "2A01:04F8:0::1", *COUNTRIES]
ORDERS: tuple[CountOrder, ...] = get_args(CountOrder)
RANKS = Ranks(33, 44)


def random_web(seed: int) -> Web:
    """A web on few hosts, with anchors, addresses and elements of every kind."""
    random = Random(seed)
    roots = [f"{scheme}://{host}" for scheme in ("http", "https") for host in HOSTS]
    urls = random.sample([root + path for root in roots for path in PATHS], 130)
    targets = random.sample(urls, 40)
    web = Web(pages={url: Page(ip=random.choice(IPS)) for url in urls})
    for source in urls:
        for target in targets[: random.randrange(len(targets))]:
            for link_type in random.choice(
                [["href"], ["href"], ["redirect"], ["href", "redirect"]]
            ):
                web.links.append(random_link(random, source, target, link_type))
    domains = sorted({registrable_domain(host_of(url)) for url in urls})
    web.domain_ranks = {name: random.randrange(6) for name in domains if random.random() < 0.8}
    return web


def random_link(random: Random, source: str, target: str, link_type: str) -> Link:
    element = random.choice(["a", "a", "area", "canonical"]) if link_type == "href" else "location"
    anchored = element in {"a", "area"}
    first_seen = START + dt.timedelta(days=random.choice([-40_000, *range(-5, 5)]))
    return Link(
        source,
        target,
        link_type,
        first_seen,
        anchor=random.choice(ANCHORS) if anchored else "",
        nofollow=random.random() < 0.7,
        image=anchored and random.random() < 0.3,
        lost=first_seen + dt.timedelta(days=3) if random.random() < 0.1 else None,
        element=element,
    )


class Index:
    """The partitions of a web's segments."""

    def __init__(self, web: Web, directory: Path, parts: int, summary_links: int) -> None:
        settings = Settings(partition_links=max(1, -(-len(web.links) // parts)))
        segments = directory / "segments"
        counts = write_segments(
            write_tables(web, directory), segments, settings, summary_links=summary_links
        )
        self.partitions = [
            Partition(partition_directory(segments, n)) for n in range(len(counts.partitions))
        ]

    def links(self, text: str, mode: Mode) -> tuple[Partition, slice]:
        target = parse_target(text, mode)
        number = text_id(target.partition_domain) % len(self.partitions)
        partition = self.partitions[number]
        return partition, partition.link_rows(partition.target_rows(target.low, target.high))


@pytest.fixture(scope="module")
def web() -> Web:
    return random_web(seed=1)


@pytest.fixture(scope="module", params=["one partition", "many partitions", "summarised"])
def index(
    request: pytest.FixtureRequest, web: Web, tmp_path_factory: pytest.TempPathFactory
) -> Index:
    parts = 7 if request.param == "many partitions" else 1
    summary_links = 1 if request.param == "summarised" else SUMMARY_LINKS
    return Index(web, tmp_path_factory.mktemp("generation"), parts, summary_links)


def targets(web: Web) -> list[tuple[str, Mode]]:
    """Everything there is to ask for, and some that is not there."""
    urls = [*sorted({link.target for link in web.links}), "https://example.com/none"]
    hosts = [*HOSTS, "absent.net"]
    asked: list[tuple[str, Mode]] = [(url, "url") for url in urls]
    asked += [(url.partition("://")[2], "url") for url in urls]
    asked += [(host_of(f"http://{host}"), "host") for host in hosts]
    asked += [(host_of(f"http://{host}"), "domain") for host in hosts]
    return asked


Key = Callable[[Link], Any]
Row = tuple[Any, int, int, int, int, dt.date]


def added_up(links: Sequence[Link], key: Key, tie: Key, order: str, limit: int) -> list[Row]:
    """Collect the links of each group, count them, sort all groups, take the first."""
    groups = defaultdict(list)
    for link in links:
        groups[key(link)].append(link)
    rows = []
    for name, group in groups.items():
        backlinks, refdomains = len(group), len({host_of(link.source) for link in group})
        nofollow = sum(link.nofollow for link in group)
        first_seen = min(link.first_seen.date() for link in group)
        row = (name, backlinks, refdomains, backlinks - nofollow, nofollow, first_seen)
        value = backlinks if order == "backlinks" else refdomains
        rows.append((-value, tie(group[0]), row))
    return [row for _, _, row in sorted(rows)[:limit]]


def anchors(links: Sequence[Link], order: str, limit: int) -> list[Row]:
    return added_up(links, attrgetter("anchor"), lambda link: link.anchor.encode(), order, limit)


def pages(links: Sequence[Link], order: str, limit: int) -> list[Row]:
    tie: Key = lambda link: sort_key(link.target).encode()  # noqa: E731
    return added_up(links, attrgetter("target"), tie, order, limit)


def ips(web: Web, links: Sequence[Link], order: str, limit: int) -> list[Row]:
    known = [link for link in links if address(web, link)]

    def tie(link: Link) -> tuple[int, int]:
        found = ipaddress.ip_address(address(web, link))
        return found.version, int(found)

    return added_up(known, lambda link: address(web, link), tie, order, limit)


def address(web: Web, link: Link) -> str:
    """The address of the linking page in its canonical form; "" if it is unknown."""
    try:
        return str(ipaddress.ip_address(web.pages[link.source].ip or ""))
    except ValueError:
        return ""


def hosts(links: Sequence[Link]) -> set[str]:
    return {host_of(link.source) for link in links}


def tld(host: str) -> str:
    """The last label of a host name; "" for an IP address."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.split(".")[-1]
    return ""


def most(counts: Counter[str], limit: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]


def top_tlds(links: Sequence[Link], limit: int) -> list[tuple[str, int]]:
    return most(Counter(name for host in hosts(links) if (name := tld(host))), limit)


def top_countries(web: Web, links: Sequence[Link], limit: int) -> list[tuple[str, int]]:
    pairs = {(host_of(link.source), COUNTRIES.get(address(web, link))) for link in links}
    return most(Counter(country for _, country in pairs if country), limit)


def summary(web: Web, links: Sequence[Link], limit: int) -> Summary:
    home = [link for link in links if link.source.split("/", 3)[3] == ""]
    by_anchor, by_page = anchors(links, "backlinks", 10**6), pages(links, "backlinks", 10**6)
    return Summary(
        **msgspec.structs.asdict(metrics(web, links)),
        **msgspec.structs.asdict(RANKS),
        anchors=len(by_anchor),
        from_home_page_backlinks=len(home),
        dofollow_from_home_page_backlinks=sum(not link.nofollow for link in home),
        text_backlinks=sum(link.element in {"a", "area"} and not link.image for link in links),
        dofollow_refdomains=len(hosts([link for link in links if not link.nofollow])),
        from_home_page_refdomains=len(hosts(home)),
        edu_refdomains=sum(host.endswith(".edu") for host in hosts(links)),
        gov_refdomains=sum(host.endswith(".gov") for host in hosts(links)),
        dofollow_anchors=len({link.anchor for link in links if not link.nofollow}),
        pages_with_backlinks=len(by_page),
        top_anchors_by_backlinks=[AnchorBacklinks(*row[:2]) for row in by_anchor[:limit]],
        top_anchors_by_refdomains=[
            AnchorRefdomains(row[0], row[2]) for row in anchors(links, "refdomains", limit)
        ],
        top_pages_by_backlinks=[PageBacklinks(*row[:2]) for row in by_page[:limit]],
        top_pages_by_refdomains=[
            PageRefdomains(row[0], row[2]) for row in pages(links, "refdomains", limit)
        ],
        top_tlds=[TldCount(*row) for row in top_tlds(links, limit)],
        top_countries=[CountryCount(*row) for row in top_countries(web, links, limit)],
    )


@pytest.mark.parametrize("order", ORDERS)
def test_lists(index: Index, web: Web, order: CountOrder) -> None:
    for text, mode in targets(web):
        links, (partition, rows) = linking(web, text, mode), index.links(text, mode)
        by_anchor = [Anchor(*row) for row in anchors(links, order, 10_000)]
        by_page = [LinkedPage(*row) for row in pages(links, order, 10_000)]
        by_ip = [ReferringIp(*row) for row in ips(web, links, order, 10_000)]
        for limit in (1, 2, 3, 10_000):
            assert aggregates.anchors(partition, rows, order, limit) == by_anchor[:limit]
            assert aggregates.pages(partition, rows, order, limit) == by_page[:limit]
            assert aggregates.ips(partition, rows, order, limit) == by_ip[:limit]


@pytest.mark.parametrize("limit", [3, 100])
def test_summary(index: Index, web: Web, limit: int) -> None:
    for text, mode in targets(web):
        found = aggregates.summary(*index.links(text, mode), RANKS, limit)
        assert found == summary(web, linking(web, text, mode), limit), (text, mode)


def test_rank_distribution(index: Index, web: Web) -> None:
    for text, mode in targets(web):
        referring = hosts(linking(web, text, mode))
        domains = {registrable_domain(host) for host in referring}
        by_host = Counter(web.domain_ranks.get(registrable_domain(host), -1) for host in referring)
        by_domain = Counter(web.domain_ranks.get(domain, -1) for domain in domains)
        partition, rows = index.links(text, mode)
        found = aggregates.rank_distribution(partition, rows, "host")
        assert found == sorted(by_host.items(), reverse=True), (text, mode)
        found = aggregates.rank_distribution(partition, rows, "domain")
        assert found == sorted(by_domain.items(), reverse=True), (text, mode)


def test_every_backlink_is_in_one_row_of_each_list(index: Index, web: Web) -> None:
    for text, mode in targets(web):
        partition, rows = index.links(text, mode)
        links = linking(web, text, mode)
        for listed in (aggregates.anchors, aggregates.pages):
            found = listed(partition, rows, "refdomains", 10_000)
            assert sum(row.backlinks for row in found) == len(links)
        by_ip = aggregates.ips(partition, rows, "refdomains", 10_000)
        assert sum(row.backlinks for row in by_ip) == sum(
            address(web, link) != "" for link in links
        )


def test_the_web_has_what_the_tests_are_about(web: Web) -> None:
    links = linking(web, "example.com", "domain")
    for listed in (anchors, pages):
        of_each = [listed(linking(web, *target), "refdomains", 99) for target in targets(web)]
        counts = [[row[2] for row in rows] for rows in of_each]
        assert sum(len(set(refdomains)) < len(refdomains) for refdomains in counts) > 3, "equals"
        assert max(len(set(refdomains)) for refdomains in counts) > 3, "something to order"
    assert {"", "☃ 雪"} <= {row[0] for row in anchors(links, "backlinks", 99)}
    addresses_of_host = Counter(
        host for host, _ in {(host_of(link.source), address(web, link)) for link in links}
    )
    assert max(addresses_of_host.values()) > 1
    assert any(address(web, link) == "" for link in links)
    assert any(tld(host_of(link.source)) == "" for link in links)
    counted = summary(web, links, 10)
    assert 0 < counted.from_home_page_refdomains < counted.dofollow_refdomains < counted.refdomains
    assert 0 < counted.text_backlinks < counted.backlinks
    assert counted.edu_refdomains and counted.gov_refdomains


def test_countries_are_those_of_the_registries() -> None:
    codes = iptocc.country_code(list(COUNTRIES))
    assert [code and code.lower() for code in codes] == list(COUNTRIES.values())


def test_a_host_of_several_addresses_counts_once_in_each_country(tmp_path: Path) -> None:
    ips = {"/1": "8.8.8.8", "/2": "8.8.4.4", "/3": "193.0.6.139", "/4": "192.0.2.1", "/5": None}
    web = Web(pages={f"https://a.de{path}": Page(ip=ip) for path, ip in ips.items()})
    web.pages["https://b.de/"] = Page(ip="133.11.0.1")
    web.links = [Link(source, "https://example.com/") for source in web.pages]
    index = Index(web, tmp_path, 1, SUMMARY_LINKS)
    found = aggregates.summary(*index.links("example.com", "domain"), RANKS, 10)
    assert found.top_countries == [CountryCount(name, 1) for name in ("jp", "nl", "us")]
    assert found.top_tlds == [TldCount("de", 2)]


def test_no_links(tmp_path: Path) -> None:
    index = Index(Web(), tmp_path, 1, SUMMARY_LINKS)
    partition, rows = index.links("example.com", "domain")
    for listed in (aggregates.anchors, aggregates.pages, aggregates.ips):
        assert listed(partition, rows, "backlinks", 10) == []
    assert aggregates.rank_distribution(partition, rows, "host") == []
    assert aggregates.rank_distribution(partition, rows, "domain") == []
    assert aggregates.summary(partition, rows, RANKS, 10) == summary(Web(), [], 10)


LAST = 2**31 - 1
LINKS = st.tuples(
    st.sampled_from([-1, 0, 1, LAST]),
    st.sampled_from([0, 1, LAST]),
    st.integers(0, 63),
    st.sampled_from([-(2**31), -1, 0, LAST]),
)


@given(st.lists(LINKS))
def test_numbers_may_be_as_great_as_their_columns_hold(rows: list[tuple[int, ...]]) -> None:
    columns = np.array(rows, np.int32).reshape(-1, 4).T
    group, host, flags, day = columns
    found = aggregates.grouped(group, host, flags.astype(np.uint8))
    days = aggregates.earliest(group, day)
    expected = [
        (
            number,
            len(members),
            len({row[1] for row in members}),
            sum(row[2] % 2 == 0 for row in members),
            min(row[3] for row in members),
        )
        for number in (0, 1, LAST)
        if (members := [row for row in rows if row[0] == number])
    ]
    columns_found = (found.number, found.backlinks, found.refdomains, found.dofollow_backlinks)
    assert list(zip(*(c.tolist() for c in (*columns_found, days)), strict=True)) == expected
