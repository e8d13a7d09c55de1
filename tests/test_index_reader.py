"""Every method of the reader against answers worked out row by row from the same links."""

import datetime as dt
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from inlink.contract.rows import Metrics, Ranks, RawPosition
from inlink.contract.vocabulary import BacklinkOrder, Mode
from inlink.index.effort import Reads
from inlink.index.pairs import PairLink
from inlink.index.partition import Partition
from inlink.index.reader import Reader
from inlink.index.segments import REASONS, SegmentsError
from inlink.index.summaries import SUMMARY_LINKS
from inlink.index.writer import write_segments
from inlink.store.configuration import Settings
from inlink.urls.canonical import sort_key
from inlink.urls.domains import registrable_domain
from inlink.urls.targets import Target, parse_target
from tests.index_tables import (
    DAY,
    START,
    Link,
    Page,
    Web,
    backlink,
    backlinks,
    domain_rank,
    host_of,
    key_of,
    linking,
    metrics,
    places_of,
    refdomains,
    write_tables,
)

HOSTS = [
    *("example.com", "www.example.com", "a.b.example.com", "example-shop.com", "example.co.uk"),
    *("alice.github.io", "bob.github.io", "github.io", "xn--bcher-kva.example", "mit.edu"),
    *("cs.mit.edu", "education.com", "nasa.gov", "gov.pl", "192.0.2.7", "[2001:db8::1]"),
    *("example.com:8080", "a_b.example.com", "zebra.org", "ex.am"),
]
PATHS = ["/", "/a", "/a/", "/a?b=c", "/a%20b", "/%E2%98%83", "/Z", "/a)b,c", "/~x", "/a!"]
TEXTS = [
    "",
    "text",
    "two words",
    "tab\tand\nline",
    "\0\x01\x7f",
    "☃ 雪",
    "🎉\U0010ffff",
    "é",
    "e\u0301",
]
IPS = [None, "192.0.2.1", "192.0.2.200", "192.0.3.1", "2001:db8::1", "2001:0db8:0::1"]
IPS += ["2001:db8:0:1::1", "2001:db8:1::1", "not an address", ""]
ORDERS: tuple[BacklinkOrder, ...] = get_args(BacklinkOrder)


def random_web(seed: int, links: int) -> Web:
    """A web on few hosts, so that everything collides."""
    random = Random(seed)
    urls = sorted(
        {
            f"{random.choice(['http', 'https'])}://{random.choice(HOSTS)}{random.choice(PATHS)}"
            for _ in range(links // 3)
        }
    )
    web = Web(links=list(random_links(random, urls, links)))
    web.pages = {
        url: Page(
            random.choice(TEXTS),
            random.choice(IPS),
            START + dt.timedelta(days=random.randrange(-40_000, 12_000)),
        )
        for url in urls
    }
    web.ranks = {url: random.randrange(101) for url in urls if random.random() < 0.7}
    domains = sorted({registrable_domain(host_of(url)) for url in urls})
    web.domain_ranks = {name: random.randrange(101) for name in domains if random.random() < 0.7}
    web.rank_days = [START.date() + n * DAY for n in sorted(random.sample(range(-30, 30), 12))]
    web.past_ranks = {url: random_past(random, web.rank_days) for url in urls[::3]}
    web.past_domain_ranks = {name: random_past(random, web.rank_days) for name in domains[::3]}
    return web


def random_past(random: Random, days: list[dt.date]) -> list[tuple[dt.date, int]]:
    """Ranks until some of the days on which ranks were published."""
    return [(day, random.randrange(-1, 101)) for day in days[1:] if random.random() < 0.3]


def random_links(random: Random, urls: list[str], count: int) -> Iterator[Link]:
    """The stretches of links: days apart, on one day, and on either side of midnight."""
    seen = set()
    source, target = urls[0], urls[-1]
    for n in range(count):
        if n % 4:  # else the same pages again, perhaps by another type of link
            source, target = random.choice(urls), random.choice(urls)
        link_type = random.choice(["href", "href", "redirect"])
        if (source, target, link_type) in seen:
            continue
        seen.add((source, target, link_type))
        stretches = random.choice([1, 1, 1, 2, 3])
        steps = sorted(random.sample(range(-20, 20), 2 * stretches))
        times = [
            START + step * dt.timedelta(hours=6) + dt.timedelta(microseconds=random.randrange(2))
            for step in steps
        ]
        live = random.random() < 0.8
        for nth, (found, lost) in enumerate(zip(times[::2], times[1::2], strict=True)):
            yield Link(
                source,
                target,
                link_type,
                times[0],
                random.choice(TEXTS),
                random.random() < 0.3,
                random.random() < 0.3,
                random.choice([None, "https://example.net/i.png", "http://example.net/%00"]),
                found,
                None if live and nth == stretches - 1 else lost,
                random.choice(REASONS),
                random.choice(["a", "area", "canonical"]) if link_type == "href" else "location",
            )


def read(
    web: Web,
    directory: Path,
    partition_links: int = 20_000_000,
    summary_links: int = SUMMARY_LINKS,
) -> Reader:
    tables = write_tables(web, directory)
    settings = Settings(partition_links=partition_links)
    write_segments(tables, directory / "segments", settings, summary_links=summary_links)
    return Reader(directory)


def targets(web: Web) -> list[tuple[str, Mode]]:
    """Everything there is to ask for, and some that is not there."""
    urls = [*web.urls()[::7], "https://example.com/none", "https://absent.net/"]
    hosts = sorted({*map(host_of, web.urls()), "com.example.com", "b.example.com", "absent.net"})
    asked: list[tuple[str, Mode]] = [(url, "url") for url in urls]
    asked += [(url.partition("://")[2], "url") for url in urls]
    asked += [(host, "host") for host in hosts]
    asked += [(host, "domain") for host in [*hosts, "example"] if valid(host)]
    return asked


def valid(host: str) -> bool:
    return host not in {"example", "gov.pl"}


@pytest.fixture(scope="module")
def web() -> Web:
    return random_web(seed=1, links=900)


@pytest.fixture(scope="module", params=["one partition", "many partitions", "summarised"])
def reader(
    request: pytest.FixtureRequest, web: Web, tmp_path_factory: pytest.TempPathFactory
) -> Reader:
    directory = tmp_path_factory.mktemp("generation")
    if request.param == "many partitions":
        return read(web, directory, partition_links=-(-len(web.links) // 7))
    if request.param == "summarised":
        return read(web, directory, summary_links=1)
    return read(web, directory)


def test_metrics(reader: Reader, web: Web) -> None:
    for text, mode in targets(web):
        expected = metrics(web, linking(web, text, mode))
        assert reader.metrics(parse_target(text, mode)) == expected, (text, mode)


def test_ranks(reader: Reader, web: Web) -> None:
    for text, mode in targets(web):
        if mode != "url":
            continue
        urls = [text] if "://" in text else [f"{scheme}://{text}" for scheme in ("http", "https")]
        expected = Ranks(max(web.ranks.get(url, -1) for url in urls), domain_rank(web, urls[0]))
        assert reader.ranks(parse_target(text, mode)) == expected, text


@pytest.mark.parametrize("order", ORDERS)
def test_backlinks(reader: Reader, web: Web, order: BacklinkOrder) -> None:
    for text, mode in targets(web):
        links, target = linking(web, text, mode), parse_target(text, mode)
        for limit, per_domain in itertools.product([1, 5, 10_000], [None, 1, 3]):
            expected = backlinks(web, links, order, limit, per_domain)
            found = reader.backlinks(target, order, limit, per_domain)
            assert found == expected, (text, mode, limit, per_domain)


@pytest.mark.parametrize("order", ORDERS)
def test_refdomains(reader: Reader, web: Web, order: BacklinkOrder) -> None:
    for text, mode in targets(web):
        links, target = linking(web, text, mode), parse_target(text, mode)
        for limit in (1, 4, 10_000):
            expected = refdomains(web, links, order, limit)
            assert reader.refdomains(target, order, limit) == expected, (text, mode, limit)


@pytest.mark.parametrize("limit", [1, 7, 100_000])
def test_pages_of_raw_backlinks_make_up_the_whole(reader: Reader, web: Web, limit: int) -> None:
    for text, mode in targets(web)[:: 5 if limit == 1 else 1]:
        expected = [backlink(web, link) for link in linking(web, text, mode)]
        pages = list(raw_pages(reader, parse_target(text, mode), limit))
        assert list(itertools.chain(*pages)) == expected, (text, mode)
        assert all(len(page) == limit for page in pages[:-1])


def raw_pages(reader: Reader, target: Target, limit: int) -> Iterator[list[object]]:
    after: RawPosition | None = None
    while True:
        page, after = reader.raw_backlinks(target, limit, after)
        yield list(page)
        if after is None:
            return


def test_any_position_goes_on_with_what_follows_it(reader: Reader, web: Web) -> None:
    """Positions of rows that are there, of lost ones, and of any mixture of keys."""
    random = Random(3)
    target = parse_target("example.com", "domain")
    links = linking(web, "example.com", "domain")
    keys = [sort_key(url) for url in web.urls()]
    keys += [f"{key[:-4]}{random.choice('!~')}" for key in keys]
    for _ in range(400):
        other = random.choice(links)
        position = RawPosition(
            random.choice([sort_key(other.target), random.choice(keys)]),
            random.choice([sort_key(other.source), random.choice(keys)]),
            random.choice(["href", "redirect"]),
        )
        behind = (
            position.target_key.encode(),
            position.source_key.encode(),
            position.link_type,
        )
        expected = [backlink(web, link) for link in links if key_of(link) > behind]
        assert reader.raw_backlinks(target, 100_000, position) == (expected, None)


def test_a_position_survives_the_loss_of_its_row(web: Web, tmp_path: Path) -> None:
    links = linking(web, "example.com", "domain")
    target = parse_target("example.com", "domain")
    first = read(web, tmp_path / "before")
    page, position = first.raw_backlinks(target, 10)
    lost = links[9]
    fewer = Web([link for link in web.links if link != lost], web.pages, web.ranks)
    fewer.domain_ranks = web.domain_ranks
    rest, _ = read(fewer, tmp_path / "after").raw_backlinks(target, 100_000, position)
    assert [*page, *rest] == [backlink(web, link) for link in links]


def test_long_slices_are_looked_up_and_short_ones_counted(web: Web, tmp_path: Path) -> None:
    read(web, tmp_path, summary_links=20)
    partition = Partition(tmp_path / "segments" / "p0000")
    long = 0
    for text, mode in targets(web):
        target = parse_target(text, mode)
        rows = partition.link_rows(partition.target_rows(target.low, target.high))
        links = linking(web, text, mode)
        expected = metrics(web, links) if len(links) > 20 else None
        assert partition.summary(rows) == expected, (text, mode)
        long += expected is not None
    assert long > 10


def test_the_web_has_what_the_tests_are_about(web: Web) -> None:
    both = {(link.source, link.target) for link in web.live if link.link_type == "redirect"}
    both &= {(link.source, link.target) for link in web.live if link.link_type == "href"}
    assert both
    assert len(linking(web, "example.com", "domain")) > 100
    counted = metrics(web, web.live)
    assert counted.edu_backlinks and counted.gov_backlinks
    assert 0 < counted.subnets < counted.ips < len(IPS)


def test_an_empty_generation(tmp_path: Path) -> None:
    reader = read(Web(), tmp_path)
    target = parse_target("example.com", "domain")
    assert reader.metrics(target) == Metrics(0, 0, 0, 0, 0, 0, 0, 0)
    assert reader.ranks(target) == Ranks(-1, -1)
    assert reader.backlinks(target, "date_found", 10, 1) == []
    assert reader.refdomains(target, "inlink_rank", 10) == []
    assert reader.raw_backlinks(target, 10) == ([], None)
    assert reader.raw_backlinks(target, 10, RawPosition("a", "b", "href")) == ([], None)


def test_dates_are_those_of_utc_even_before_1970(tmp_path: Path) -> None:
    moment = dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)
    link = Link("https://a.org/", "https://b.org/", first_seen=moment)
    web = Web([link], {"https://a.org/": Page(visited_at=moment)})
    (found,) = read(web, tmp_path).backlinks(parse_target("b.org", "host"), "date_found", 1)
    assert (found.first_seen, found.last_visited) == (dt.date(1969, 12, 31),) * 2


@pytest.mark.parametrize(
    ("year", "told"), [(1066, dt.date(1880, 4, 14)), (2525, dt.date(2059, 9, 18))]
)
def test_days_of_no_crawl_are_told_as_the_first_or_last_that_is_kept(
    tmp_path: Path, year: int, told: dt.date
) -> None:
    moment = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    link = Link("https://a.org/", "https://b.org/", first_seen=moment)
    web = Web([link], {"https://a.org/": Page(visited_at=moment)})
    (found,) = read(web, tmp_path).backlinks(parse_target("b.org", "host"), "date_found", 1)
    assert (found.first_seen, found.last_visited) == (told, told)


def test_every_page_has_its_records_and_no_other_url_has_any(web: Web, tmp_path: Path) -> None:
    reader = read(web, tmp_path)
    count = 0
    for url in {*web.pages, *web.ranks, "https://nobody.example/"}:
        found = reader.page_places(url)
        expected = places_of(url) if url in web.pages else None
        if expected is None:
            assert found is None
            continue
        assert found is not None
        count += 1
        assert (list(found.content), list(found.last)) == expected
    assert count > 50


def test_the_links_from_a_page_to_a_url_are_those_of_the_web(web: Web, tmp_path: Path) -> None:
    reader = read(web, tmp_path)
    pairs = sorted({(link.source, link.target) for link in web.links})
    for source, target in pairs:
        links = [link for link in web.links if (link.source, link.target) == (source, target)]
        found = reader.links_between(parse_target(source, "url"), parse_target(target, "url"))
        assert sorted(map(str, found)) == sorted(
            str(
                PairLink(
                    source,
                    target,
                    link.link_type,  # type: ignore[arg-type]
                    link.first_seen.date(),
                    link.lost.date() if link.lost else None,
                    link.reason if link.lost else "",
                )
            )
            for link in links
        )
        ended = [link.lost for link in found if link.lost]
        assert ended == sorted(ended, reverse=True)
        live = [link for link in found if link.lost is None]
        assert found[: len(live)] == live
    nobody = parse_target("nobody.example", "url")
    assert reader.links_between(parse_target(pairs[0][0], "url"), nobody) == []
    assert reader.links_between(nobody, parse_target(pairs[0][1], "url")) == []


def test_another_format_is_refused(web: Web, tmp_path: Path) -> None:
    read(web, tmp_path)
    path = tmp_path / "segments" / "segments.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(SegmentsError, match=r"has format 99.*reads format 4.*inlink build"):
        Reader(tmp_path)


def test_missing_segments_are_reported(tmp_path: Path) -> None:
    with pytest.raises(SegmentsError, match=r"segments\.json"):
        Reader(tmp_path)


def test_what_is_kept_or_counted_is_quick_however_many_links_there_are(tmp_path: Path) -> None:
    """20,000 links are read quickly, the texts of 1,000, and a hundred rows are made quickly."""
    links = [Link(f"https://site{n}.example/", "https://much.example/") for n in range(1000)]
    links.append(Link("https://gone.example/", "https://much.example/", lost=START + DAY))
    links += [Link(f"https://site{n}.example/", "https://few.example/") for n in range(10)]
    web = Web(links=links, pages={link.source: Page() for link in links})
    much, few = (parse_target(name, "domain") for name in ("much.example", "few.example"))
    several = [much] * 20  # 20,020 links
    for kept in (True, False):
        summary_links = 500 if kept else SUMMARY_LINKS
        reader = read(web, tmp_path / str(kept), summary_links=summary_links)
        assert all(reader.is_quick([few], reads, 100) for reads in Reads if reads is not Reads.MUCH)
        assert not any(reader.is_quick([few], reads, 101) for reads in Reads)
        assert not reader.is_quick([few], Reads.MUCH, 1)
        assert reader.is_quick([much], Reads.LINKS, 100)
        assert not reader.is_quick([much], Reads.TEXTS, 1)
        assert not reader.is_quick(several, Reads.LINKS, 1)
        assert reader.is_quick(several, Reads.KEPT, 1) == kept
        assert reader.is_quick(several, Reads.COUNTS, 5)
        assert not reader.is_quick(several, Reads.COUNTS, 6)
        reader.close()
