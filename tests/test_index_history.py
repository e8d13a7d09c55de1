"""What was found and lost, what was live, earlier ranks, and filters, against plain Python.

The answers of ``tests.index_tables`` go through the links one by one: stays of a host are put
together two at a time, and days are counted by asking each link.
"""

import datetime as dt
import itertools
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from inlink.contract.rows import DayCount
from inlink.contract.vocabulary import (
    AnchorType,
    BacklinkOrder,
    Follow,
    LinkType,
    Mode,
    NewLostDomainOrder,
    NewLostOrder,
    NewLostType,
)
from inlink.index.days import Span
from inlink.index.filters import ANYTHING, LinkFilter, TextFilter
from inlink.index.reader import Reader
from inlink.index.summaries import SUMMARY_LINKS
from inlink.urls.domains import registrable_domain
from inlink.urls.targets import parse_target
from tests.index_tables import (
    DAY,
    START,
    Link,
    Page,
    Web,
    backlink,
    backlinks,
    counts,
    domain_rank,
    host_of,
    linking,
    live_on,
    new_lost_backlinks,
    new_lost_refdomains,
    rank_on,
    stays,
    stretches,
)
from tests.test_index_reader import HOSTS, random_web, read, targets

TODAY = START.date()
TYPES: tuple[NewLostType | None, ...] = (None, *get_args(NewLostType))
ORDERS: tuple[NewLostOrder, ...] = get_args(NewLostOrder)
DOMAIN_ORDERS: tuple[NewLostDomainOrder, ...] = get_args(NewLostDomainOrder)
EVER = Span(dt.date.min, dt.date.max)
TIME = Span(TODAY - 10 * DAY, TODAY + 10 * DAY)
"""Everything in the web lies within."""


@pytest.fixture(scope="module")
def web() -> Web:
    return random_web(seed=21, links=700)


@pytest.fixture(scope="module", params=["one partition", "many partitions", "summarised"])
def reader(
    request: pytest.FixtureRequest, web: Web, tmp_path_factory: pytest.TempPathFactory
) -> Reader:
    directory = tmp_path_factory.mktemp("generation")
    many = request.param == "many partitions"
    partition_links = -(-len(web.links) // 7) if many else 20_000_000
    summary_links = 1 if request.param == "summarised" else SUMMARY_LINKS
    return read(web, directory, partition_links, summary_links)


def spans(random: Random) -> list[Span]:
    """All days, a day, some days, days before and behind everything, and all there is to time."""
    first = TODAY + random.randrange(-7, 7) * DAY
    return [
        EVER,
        TIME,
        Span(first, first),
        Span(first, first + random.randrange(1, 6) * DAY),
        Span(dt.date.min, first),
        Span(first, dt.date.max),
        Span(dt.date.min, dt.date.min),
        Span(dt.date.max, dt.date.max),
    ]


@dataclass(frozen=True)
class Filter:
    """A filter and, as it does not say so itself, the domain of its sources."""

    keep: LinkFilter = ANYTHING
    source: str | None = None

    def __call__(self, web: Web, link: Link) -> bool:
        """Whether a link is kept, one word of the contract after the other."""
        keep, page = self.keep, backlink(web, link)
        kind = "image" if link.image else "text" if link.has_anchor_element else "undefined"
        follow = "nofollow" if link.nofollow else "dofollow"
        follow = follow if link.has_anchor_element else "undefined"
        host, ranks = host_of(link.source), (page.inlink_rank, page.domain_inlink_rank)
        return all(
            [
                keep.link_type in {None, link.link_type},
                keep.anchor_type in {None, kind}
                or (keep.anchor_type == "undefined" and not link.has_anchor_element),
                keep.follow in {None, follow},
                keep.nofollow in {None, link.nofollow},
                self.source is None or f".{host}".endswith(f".{self.source}"),
                has(keep.url_from, link.source),
                has(keep.url_to, link.target),
                has(keep.anchor, link.anchor),
                keep.inlink_rank is None or ranks[0] in range_of(keep.inlink_rank),
                keep.domain_inlink_rank is None or ranks[1] in range_of(keep.domain_inlink_rank),
            ]
        )


def has(wanted: TextFilter | None, text: str) -> bool:
    return wanted is None or (wanted.text.casefold() in text.casefold()) == wanted.contains


def range_of(bounds: tuple[int, int]) -> range:
    return range(bounds[0], bounds[1] + 1)


def random_filter(random: Random) -> Filter:
    """One to all of the fields."""
    domains = [
        "example.com",
        "mit.edu",
        "alice.github.io",
        "192.0.2.7",
        "none.net",
        "b.example.com",
    ]
    source = random.choice(domains)
    low = random.randrange(-1, 100)
    texts = ["EXAMPLE", "a", "https", "/", "Ö", "É", "雪", "", "two words", "edu", "?"]
    every = {
        "link_type": random.choice(get_args(LinkType)),
        "anchor_type": random.choice(get_args(AnchorType)),
        "follow": random.choice(get_args(Follow)),
        "nofollow": random.random() < 0.5,
        "source": parse_target(source, "domain"),
        "url_from": TextFilter(random.choice(texts), random.random() < 0.6),
        "url_to": TextFilter(random.choice(texts), random.random() < 0.6),
        "anchor": TextFilter(random.choice(texts), random.random() < 0.6),
        "inlink_rank": (low, random.randrange(low, 101)),
        "domain_inlink_rank": (random.randrange(-1, 40), random.randrange(40, 101)),
    }
    share = random.choice([0.1, 0.3, 0.6])
    fields = {name: value for name, value in every.items() if random.random() < share}
    return Filter(LinkFilter(**fields), source if "source" in fields else None)


@pytest.mark.parametrize("order", ORDERS)
def test_new_lost_backlinks(reader: Reader, web: Web, order: NewLostOrder) -> None:
    random = Random(order)
    for text, mode in targets(web):
        links, target = stretches(web, text, mode), parse_target(text, mode)
        for span, kind in itertools.product(spans(random), TYPES):
            keep = random_filter(random) if random.random() < 0.4 else Filter()
            kept = [link for link in links if keep(web, link)]
            expected = new_lost_backlinks(web, kept, span, kind, order)
            limit = random.choice([1, 3, 20, 10_000])
            found = reader.new_lost_backlinks(target, span, kind, order, limit, keep.keep)
            assert found == expected[:limit], (text, mode, span, kind, keep)


def test_new_lost_backlinks_count(reader: Reader, web: Web) -> None:
    random = Random(2)
    for text, mode in targets(web):
        links, target = stretches(web, text, mode), parse_target(text, mode)
        for kind in TYPES:
            keep = random_filter(random) if random.random() < 0.4 else Filter()
            kept = [link for link in links if keep(web, link)]
            expected = counts(new_lost_backlinks(web, kept, TIME, kind, "new_lost_date"), TIME)
            assert reader.new_lost_backlinks_count(target, TIME, kind, keep.keep) == expected
            inside = Span(TODAY - 2 * DAY, TODAY + DAY)
            part = [day for day in expected if inside.first <= day.date <= inside.last]
            assert reader.new_lost_backlinks_count(target, inside, kind, keep.keep) == part


@pytest.mark.parametrize("order", DOMAIN_ORDERS)
def test_new_lost_refdomains(reader: Reader, web: Web, order: NewLostDomainOrder) -> None:
    random = Random(order)
    for text, mode in targets(web):
        links, target = stretches(web, text, mode), parse_target(text, mode)
        for span, kind in itertools.product(spans(random), TYPES):
            expected = new_lost_refdomains(web, links, span, kind, order)
            limit = random.choice([1, 3, 10_000])
            found = reader.new_lost_refdomains(target, span, kind, order, limit)
            assert found == expected[:limit], (text, mode, span, kind)


def test_new_lost_refdomains_count(reader: Reader, web: Web) -> None:
    for (text, mode), kind in itertools.product(targets(web), TYPES):
        links, target = stretches(web, text, mode), parse_target(text, mode)
        expected = counts(new_lost_refdomains(web, links, TIME, kind, "new_lost_date"), TIME)
        assert reader.new_lost_refdomains_count(target, TIME, kind) == expected, (text, mode)


def test_what_is_live_by_day(reader: Reader, web: Web) -> None:
    days = [TIME.first + n * DAY for n in range((TIME.last - TIME.first).days + 1)]
    for text, mode in targets(web):
        links, target = stretches(web, text, mode), parse_target(text, mode)
        live = {day: live_on(links, day) for day in days}
        assert reader.live_backlinks(target, TIME) == [(day, len(live[day])) for day in days]
        hosts = {day: {host_of(link.source) for link in live[day]} for day in days}
        assert reader.live_refdomains(target, TIME) == [(day, len(hosts[day])) for day in days]
        later = Span(TODAY - DAY, TIME.last)
        assert reader.live_backlinks(target, later) == reader.live_backlinks(target, TIME)[9:]
        assert reader.live_refdomains(target, later) == reader.live_refdomains(target, TIME)[9:]


@pytest.mark.parametrize("seed", range(12))
def test_conservation(seed: int, tmp_path: Path) -> None:
    """What was live, and what came and went, is what is live; the end is what is live now."""
    web = random_web(seed, links=Random(seed).choice([20, 60, 250]))
    reader = read(web, tmp_path)
    for text, mode in targets(web):
        target = parse_target(text, mode)
        now = reader.metrics(target)
        backlinks_by_day = reader.live_backlinks(target, TIME)
        refdomains_by_day = reader.live_refdomains(target, TIME)
        assert backlinks_by_day[-1][1] == now.backlinks
        assert refdomains_by_day[-1][1] == now.refdomains
        new_lost = reader.new_lost_backlinks_count(target, TIME, None)
        assert_conserved(backlinks_by_day, new_lost)
        assert_conserved(refdomains_by_day, reader.new_lost_refdomains_count(target, TIME, None))
        rows = reader.new_lost_backlinks(target, TIME, None, "inlink_rank", 10**6)
        assert len(rows) == sum(day.new + day.lost for day in new_lost)


def assert_conserved(live: list[tuple[dt.date, int]], changes: list[DayCount]) -> None:
    total = 0
    for (day, count), change in zip(live, changes, strict=True):
        total += change.new - change.lost
        assert (day, count) == (change.date, total)


@pytest.mark.parametrize("order", get_args(BacklinkOrder))
def test_filtered_backlinks(reader: Reader, web: Web, order: BacklinkOrder) -> None:
    random = Random(order)
    for text, mode in targets(web):
        links, target = linking(web, text, mode), parse_target(text, mode)
        for per_domain in (None, 1, 3):
            keep, limit = random_filter(random), random.choice([1, 5, 10_000])
            kept = [link for link in links if keep(web, link)]
            expected = backlinks(web, kept, order, limit, per_domain)
            found = reader.backlinks(target, order, limit, per_domain, keep.keep)
            assert found == expected, (text, mode, per_domain, keep)


@pytest.mark.parametrize("rows", [1, 7, 5000])
def test_batches_make_up_the_whole(reader: Reader, web: Web, rows: int) -> None:
    for text, mode in targets(web)[::11]:
        batches = list(reader.backlink_batches(parse_target(text, mode), rows))
        expected = [backlink(web, link) for link in linking(web, text, mode)]
        assert list(itertools.chain(*batches)) == expected
        assert all(len(batch) == rows for batch in batches[:-1])


def test_rank_history(reader: Reader, web: Web) -> None:
    span = Span(web.rank_days[2], web.rank_days[-3])
    for wanted in (EVER, span, Span(TODAY + 90 * DAY, dt.date.max)):
        days = [day for day in web.rank_days if wanted.first <= day <= wanted.last]
        for text, mode in targets(web):
            target = parse_target(text, mode)
            if mode == "url":
                both = [f"{scheme}://{text}" for scheme in ("http", "https")]
                urls = [text] if "://" in text else both
                expected = [(day, max(url_rank_on(web, url, day) for url in urls)) for day in days]
                assert reader.inlink_rank_history(target, wanted) == expected, text
            name = registrable_domain(host_of(f"http://{text.rpartition('://')[2]}"))
            past, now = web.past_domain_ranks.get(name, []), domain_rank(web, f"http://{name}/")
            expected = [(day, rank_on(past, now, day)) for day in days]
            assert reader.domain_inlink_rank_history(target, wanted) == expected, text


def url_rank_on(web: Web, url: str, day: dt.date) -> int:
    return rank_on(web.past_ranks.get(url, []), web.ranks.get(url, -1), day)


def test_the_lists_of_the_reader_add_up(reader: Reader, web: Web) -> None:
    for text, mode in targets(web)[::5]:
        target, ranked = parse_target(text, mode), parse_target(text, "url")
        now, summary = reader.metrics(target), reader.summary(target, ranked)
        anchors = reader.anchors(target, "backlinks", 10**6)
        pages = reader.pages(target, "refdomains", 10**6)
        assert sum(row.backlinks for row in anchors) == now.backlinks == summary.backlinks
        assert sum(row.backlinks for row in pages) == now.backlinks
        assert len(anchors) == summary.anchors
        assert len(reader.ips(target, "backlinks", 10**6)) == now.ips
        assert sum(count for _, count in reader.rank_distribution(target, "host")) == now.refdomains
        assert (summary.inlink_rank, summary.domain_inlink_rank) == (
            reader.ranks(ranked).inlink_rank,
            reader.ranks(ranked).domain_inlink_rank,
        )


def test_the_web_has_what_the_tests_are_about(web: Web) -> None:
    """Stays that one host had after another, that came and went within a day, that were joined."""
    asked: list[tuple[str, Mode]] = [(url, "url") for url in web.urls()]
    every = [group for text, mode in asked for group in stays(stretches(web, text, mode)).values()]
    flat = [stay for group in every for stay in group]
    assert any(len(group) > 1 for group in every)
    assert any(first == last for first, last, _ in flat)
    assert any(last and len(links) > 1 for _, last, links in flat)
    assert any(last is None and any(link.lost for link in links) for _, last, links in flat)
    lost = {(link.source, link.target, link.link_type) for link in web.links if link.lost}
    assert any(
        (source, target, "redirect") in lost for source, target, type_ in lost if type_ == "href"
    )
    again = [
        links
        for _, last, links in flat
        if last and len({(link.source, link.link_type) for link in links}) < len(links)
    ]
    assert any(len({link.nofollow for link in links}) == 2 for links in again)
    assert any(
        one[1] and other[0] - one[1] == DAY
        for group in every
        for one, other in itertools.pairwise(group)
    )
    assert {"example.com", "mit.edu", "192.0.2.7"} <= set(HOSTS)


def test_a_loss_and_a_find_on_one_day_are_neither(tmp_path: Path) -> None:
    """A host moves its link from one page to another on day 5, and is away from day 7 to day 8."""

    def moment(day: int, hour: int) -> dt.datetime:
        return dt.datetime(2024, 1, day, hour, tzinfo=dt.UTC)

    def link(page: str, found: dt.datetime, lost: dt.datetime | None) -> Link:
        url = f"https://a.org/{page}"
        return Link(url, "https://b.org/", first_seen=found, lost=lost, nofollow=page == "2")

    links = [
        link("1", moment(1, 3), moment(5, 20)),
        link("2", moment(5, 6), moment(7, 1)),
        link("3", moment(8, 0), moment(8, 23)),
    ]
    web = Web(links, {link.source: Page() for link in links})
    reader, target = read(web, tmp_path), parse_target("b.org", "host")
    january = Span(dt.date(2024, 1, 1), dt.date(2024, 1, 31))
    rows = reader.new_lost_refdomains(target, january, None, "new_lost_date", 10)
    assert [
        (row.new_lost_date.day, row.new_lost_type, row.backlinks, row.dofollow_backlinks)
        for row in rows
    ] == [(8, "new", 1, 1), (8, "lost", 1, 1), (7, "lost", 2, 1), (1, "new", 2, 1)]
    assert [row.first_seen.day for row in rows] == [1, 1, 1, 1]  # the host was seen on the first
    live = dict(reader.live_refdomains(target, january))
    assert [day.day for day, count in live.items() if count] == [1, 2, 3, 4, 5, 6]


def test_a_day_far_away_costs_no_room(tmp_path: Path) -> None:
    """Dates at both ends of what a date can be, counted over days that lie between."""
    first = dt.datetime.min.replace(tzinfo=dt.UTC)
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    links = [
        Link("https://a.org/", "https://b.org/", first_seen=first),
        Link("https://c.org/", "https://b.org/", first_seen=last - DAY, lost=last),
    ]
    web = Web(links, {link.source: Page() for link in links})
    reader, target = read(web, tmp_path), parse_target("b.org", "domain")
    week = Span(dt.date(2024, 2, 26), dt.date(2024, 3, 3))
    assert [count for _, count in reader.live_backlinks(target, week)] == [1] * 7
    assert [count for _, count in reader.live_refdomains(target, week)] == [1] * 7
    assert {
        (day.new, day.lost) for day in reader.new_lost_refdomains_count(target, week, None)
    } == {(0, 0)}
    rows = reader.new_lost_backlinks(target, EVER, None, "new_lost_date", 10)
    earliest, latest = dt.date(1880, 4, 14), dt.date(2059, 9, 18)  # as docs/segments.md has it
    assert [(row.new_lost_date, row.new_lost_type) for row in rows] == [
        (latest, "new"),
        (latest, "lost"),
        (earliest, "new"),
    ]


def test_an_empty_generation(tmp_path: Path) -> None:
    reader, target = read(Web(), tmp_path), parse_target("example.com", "domain")
    week = Span(TODAY, TODAY + 6 * DAY)
    nothing = [DayCount(TODAY + n * DAY, 0, 0) for n in range(7)]
    assert reader.new_lost_backlinks(target, EVER, None, "inlink_rank", 10) == []
    assert reader.new_lost_backlinks_count(target, week, None) == nothing
    assert reader.new_lost_refdomains(target, EVER, None, "new_lost_date", 10) == []
    assert reader.new_lost_refdomains_count(target, week, "lost") == nothing
    assert reader.live_backlinks(target, week) == [(day.date, 0) for day in nothing]
    assert reader.live_refdomains(target, week) == [(day.date, 0) for day in nothing]
    assert reader.inlink_rank_history(target, EVER) == []
    assert reader.domain_inlink_rank_history(target, EVER) == []
    assert list(reader.backlink_batches(target)) == []
