"""Plans, against a plain reading of the same visits, a simulation, and a published example."""

import datetime as dt
import itertools
import json
import math
import random
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean
from urllib.parse import urlsplit

import ibis
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from inlink.cli import main
from inlink.crawl.plan_file import PlanEntry, read_plan
from inlink.recrawl.intervals import interval
from inlink.recrawl.job import planned
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from tests.generations import build_tables, fold, table
from tests.observations import START, Link, Visit, write_batch

ENGINE = ibis.duckdb.connect()
CHANGE_RATES = (0.02, 0.05, 0.1)


def plan(
    directory: Path, day: float, budget: int = 1000, settings: Settings | None = None
) -> list[PlanEntry]:
    at = START + dt.timedelta(days=day)
    settings = settings or Settings()
    with planned(Layout(directory), settings, budget, at, lambda *_: None) as entries:
        return list(entries())


def kinds(entries: list[PlanEntry]) -> dict[str, str]:
    return {entry.url: entry.why for entry in entries}


def days_between(checks: int, changes: int, days: float) -> float:
    columns = [ibis.literal(float(value)) for value in (checks, changes, days)]
    return float(ENGINE.to_pyarrow(interval(*columns)).as_py())


def test_the_interval_follows_the_example_of_cho_and_garcia_molina() -> None:
    """Ten accesses, six of which found a change: 0.85 changes an interval, not 0.6."""
    ten_days_apart = days_between(10, 6, 100)
    assert math.log(2) / ten_days_apart * 10 == pytest.approx(0.85, abs=0.005)


@pytest.mark.parametrize("rate", CHANGE_RATES)
def test_a_simulated_page_is_visited_when_it_is_as_likely_as_not_to_have_changed(
    rate: float,
) -> None:
    """Changes of a Poisson process that is known are seen by 40 checks, a week apart."""
    chance = random.Random(rate)
    found = Counter(
        sum(chance.random() < 1 - math.exp(-rate * 7) for _ in range(40)) for _ in range(400)
    )
    rates = {changes: math.log(2) / days_between(40, changes, 280) for changes in found}
    assert mean(rates[changes] for changes in found.elements()) == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ((1, 0, 7), 14),  # unchanged: twice as long as it has been seen so
        ((2, 0, 21), 42),
        ((9, 0, 300), 90),  # but no longer than a quarter
        ((30, 30, 30), 1),  # changed at every check: once a day
        ((5, 5, 0.01), 1),
        ((1, 0, 0), 7),  # two visits in one second tell nothing
    ],
)
def test_the_interval_has_bounds(history: tuple[int, int, float], expected: float) -> None:
    assert days_between(*history) == pytest.approx(expected)


def test_a_page_that_was_visited_once_is_due_after_a_week(tmp_path: Path) -> None:
    fold(tmp_path, [Visit("https://a.example/", 0, digest="sha1:A")])
    assert plan(tmp_path, 6.9) == []
    assert kinds(plan(tmp_path, 7.1)) == {"https://a.example/": "due"}


def test_pages_that_change_are_due_sooner(tmp_path: Path) -> None:
    """By another digest or another outcome; a 304 and a digest seen again are no change."""
    weeks = [0, 7, 14, 21]
    still = [Visit("https://still.example/", day, digest="sha1:A") for day in weeks]
    told = [
        Visit("https://told.example/", day, "unchanged" if day else "ok", digest="sha1:A")
        for day in weeks
    ]
    busy = [Visit("https://busy.example/", day, digest=f"sha1:{day}") for day in weeks]
    gone = [
        Visit("https://gone.example/", day, "ok" if day in (0, 14) else "page_not_found")
        for day in weeks
    ]
    fold(tmp_path, [*still, *told, *busy, *gone])
    # -ln(0.5 / 3.5) changes in each of 7 days
    assert set(kinds(plan(tmp_path, 21 + 2.4))) == set()
    assert set(kinds(plan(tmp_path, 21 + 2.6))) == {
        "https://busy.example/",
        "https://gone.example/",
    }
    assert len(plan(tmp_path, 21 + 41.9)) == 2
    assert len(plan(tmp_path, 21 + 42.1)) == 4


def test_a_hub_is_looked_at_twice_as_often(tmp_path: Path) -> None:
    def links(count: int) -> tuple[Link, ...]:
        return tuple(Link(f"https://site-{n}.example/x.pdf") for n in range(count))

    hub, page = "https://hub.example/", "https://page.example/"
    fold(tmp_path, [Visit(hub, 0, links=links(10)), Visit(page, 0, links=links(9))])
    assert plan(tmp_path, 3.4) == []
    assert kinds(plan(tmp_path, 3.6)) == {hub: "hub"}
    assert kinds(plan(tmp_path, 7.1)) == {hub: "hub", page: "due"}


def test_failed_pages_are_tried_again_later_and_later(tmp_path: Path) -> None:
    waits = dict(enumerate((1, 2, 4, 8, 16, 32, 64, 90, 90), start=1))
    links = (Link("https://linked.test/x.pdf"),)
    visits = [Visit(f"https://{failures}.test/", 0, links=links) for failures in waits]
    for failures in waits:
        days = [100 - n for n in range(failures)]
        visits += [Visit(f"https://{failures}.test/", day, "failed") for day in days]
    fold(tmp_path, visits)
    for day in (0.9, 1.1, 3.9, 4.1, 63, 65, 89, 91):
        entries = plan(tmp_path, 100 + day)
        assert set(kinds(entries).values()) <= {"retry"}
        tried = {int(entry.url.removeprefix("https://")[0]): entry.priority for entry in entries}
        assert set(tried) == {failures for failures, wait in waits.items() if wait <= day}
        for failures, priority in tried.items():  # one more failure ends the link of the first
            worth = math.sqrt(2) if failures == 1 else 2.0**-failures
            assert priority == pytest.approx(worth, abs=0.001)


def test_the_plan_is_that_of_a_plain_reading(tmp_path: Path) -> None:
    """Who is due, as what, and how much it is worth, over pages and visits drawn by chance."""
    chance = random.Random(20261125)
    visits = made_visits(chance)
    third = len(visits) // 3
    fold(tmp_path, visits[:third], visits[third:])
    now = 63.5
    expected = read_plainly(tmp_path, visits, now)
    entries = plan(tmp_path, now, budget=100_000)
    assert kinds(entries) == {url: why for url, (why, _) in expected.items()}
    for entry in entries:
        assert entry.priority == pytest.approx(expected[entry.url][1], abs=0.001), entry
    priorities = [entry.priority for entry in entries]
    assert priorities == sorted(priorities, reverse=True)
    assert set(Counter(kinds(entries).values())) == {"due", "hub", "retry", "new"}


def made_visits(chance: random.Random) -> list[Visit]:
    urls = [f"https://www.site-{n % 40}.example/{n}" for n in range(200)]
    visits = []
    for url in urls[:150]:
        pace = chance.choice([1, 5, 20])
        for nth in range(chance.randint(1, 60 // pace)):
            outcome = chance.choice(["ok"] * 6 + ["failed", "noindex", "unchanged"])
            links = tuple(Link(chance.choice(urls)) for _ in range(chance.choice([0, 2, 25])))
            day = nth * pace + chance.random() / 2
            digest = None if outcome == "failed" else f"sha1:{chance.choice('AAAB')}"
            visits.append(Visit(url, day, outcome, links=links, digest=digest))
    return visits


def read_plainly(directory: Path, visits: list[Visit], now: float) -> dict[str, tuple[str, float]]:
    """What `inlink.recrawl` says of itself, done one page after the other."""
    urls = {row["url_id"]: row for row in table(directory, "urls")}
    rank = {row["url_id"]: max(row["inlink_rank"], 0) for row in table(directory, "ranks")}
    linked: dict[int, set[str]] = defaultdict(set)
    for row in table(directory, "links"):
        if row["lost_at"] is None:
            linked[row["source_id"]].add(urls[row["target_id"]]["domain"])
    asked = Counter(domain for domains in linked.values() for domain in domains)
    by_page: dict[str, list[Visit]] = defaultdict(list)
    for visit in sorted(visits, key=lambda visit: visit.at):
        by_page[visit.url].append(visit)
    expected: dict[str, tuple[str, float]] = {}
    for url_id, row in urls.items():
        trust, domains = 1 + rank.get(url_id, 0), linked[url_id]
        if row["url"] not in by_page:
            if url_id in rank:
                expected[row["url"]] = ("new", trust)
            continue
        seen = by_page[row["url"]]
        wait, why, hope = how_long(seen, len(domains))
        age = now - seen[-1].day
        if age >= wait:
            stake = math.sqrt(1 + sum(math.log2(1 + asked[domain]) for domain in domains))
            news = hope if why == "retry" else 1 - 2 ** (-age / wait)
            expected[row["url"]] = (why, trust * stake * news)
    return expected


def how_long(seen: list[Visit], domains: int) -> tuple[float, str, float]:
    failures = 0
    while failures < len(seen) and seen[-1 - failures].outcome == "failed":
        failures += 1
    if failures:
        return min(2.0 ** (failures - 1), 90), "retry", 1 if domains else 2.0**-failures
    answered = [visit for visit in seen if visit.outcome != "failed"]
    own = [f"{visit.outcome} {visit.digest}" for visit in answered if visit.outcome != "unchanged"]
    changes = sum(before != after for before, after in itertools.pairwise(own))
    checks, days = len(answered) - 1, answered[-1].day - answered[0].day
    wait = 7.0
    if checks:
        rate = -math.log((checks - changes + 0.5) / (checks + 0.5)) * checks / days
        wait = max(
            1, min(math.log(2) / rate if rate > 0 else 90, 2 * days if days > 3.5 else 7, 90)
        )
    return (max(1, wait / 2), "hub", 0) if domains >= 10 else (wait, "due", 0)


def test_batches_in_another_order_and_division_give_the_same_plan(tmp_path: Path) -> None:
    visits = made_visits(random.Random(1))
    chance = random.Random(2)
    fold(tmp_path / "one", visits)
    shuffled = chance.sample(visits, len(visits))
    for number in range(4):
        write_batch(tmp_path / "other", f"batch-{number}", shuffled[number::4])
    build_tables(tmp_path / "other")
    one = plan(tmp_path / "one", 70, budget=80)
    assert len(one) == 80
    assert plan(tmp_path / "other", 70, budget=80) == one
    assert plan(tmp_path / "one", 70, budget=80) == one


def linked_pages(*targets: str) -> list[Visit]:
    """One visited page that links to *targets*."""
    return [Visit("https://a.test/", 0, links=tuple(Link(target) for target in targets))]


def test_no_host_and_no_domain_takes_what_others_want(tmp_path: Path) -> None:
    big = [f"https://big.test/{n}" for n in range(300)]
    wild = [f"https://{n}.wild.test/" for n in range(300)]
    small = [f"https://small-{n}.test/" for n in range(150)]
    fold(tmp_path, linked_pages(*big, *wild, *small))
    hosts = Counter(urlsplit(entry.url).hostname for entry in plan(tmp_path, 1, budget=180))
    assert 10 <= hosts["big.test"] <= 12  # two of the budget are left over
    assert sum(count for host, count in hosts.items() if "wild" in str(host)) <= 20
    assert sum(count for host, count in hosts.items() if "small" in str(host)) == 150


def test_a_host_may_have_what_nobody_else_wants_up_to_its_own_budget(tmp_path: Path) -> None:
    fold(tmp_path, linked_pages(*(f"https://big.test/{n}" for n in range(300))))
    assert len(plan(tmp_path, 1, budget=1000)) == 300
    assert len(plan(tmp_path, 1, budget=1000, settings=Settings(host_pages=77))) == 77


def test_new_urls_leave_half_of_the_budget_to_pages_that_are_due(tmp_path: Path) -> None:
    new = [f"https://new-{n}.test/" for n in range(100)]
    old = [Visit(f"https://old-{n}.test/", 0) for n in range(100)]
    fold(tmp_path, [*old, *linked_pages(*new)])
    entries = plan(tmp_path, 8, budget=60)
    assert Counter(entry.why == "new" for entry in entries) == {True: 30, False: 30}
    assert Counter(kinds(plan(tmp_path, 3, budget=60)).values()) == {"new": 60}


def test_new_urls_come_by_the_rank_they_inherit(tmp_path: Path) -> None:
    loved, known, lost = "https://loved.test/", "https://known.test/", "https://lost.test/"
    pages = [
        Visit(f"https://p{n}.test/", 0, links=(Link(loved), *([Link(known)] if n < 3 else [])))
        for n in range(9)
    ]
    went = [Visit("https://w.test/", 0, links=(Link(lost),)), Visit("https://w.test/", 1)]
    fold(tmp_path, [*pages, *went])
    new = [entry.url for entry in plan(tmp_path, 1.5) if entry.why == "new"]
    assert new == [loved, known]


def test_files_and_blocked_hosts_are_not_fetched_to_see_what_they_are(tmp_path: Path) -> None:
    targets = (
        "https://b.test/a.PDF",
        "https://b.test/img/x.jpeg?size=2",
        "https://ads.test/",
        "https://deep.ads.test/x",
        "https://notads.test/page.html",
        "https://b.test/v1.2/page",
        "https://video.zip/",
    )
    visits = [Visit("https://ads.test/known", 0), *linked_pages(*targets)]
    fold(tmp_path, visits)
    entries = kinds(plan(tmp_path, 8, settings=Settings(blocked_hosts=("ads.test",))))
    assert entries == {
        "https://ads.test/known": "due",  # the crawler then records that it is blocked
        "https://a.test/": "due",
        "https://notads.test/page.html": "new",
        "https://b.test/v1.2/page": "new",
        "https://video.zip/": "new",
    }


def test_conditions_are_those_of_the_last_content(tmp_path: Path) -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    url, moved, cut = "https://a.test/", "https://moved.test/", "https://cut.test/"
    visits = [
        Visit(url, 0, digest="sha1:A", etag='"a"'),
        Visit(url, 1, digest="sha1:B", last_modified=date),
        Visit(url, 2, "unchanged", digest="sha1:B", etag='"c"'),
        Visit(url, 3, "failed"),
        Visit(moved, 0, digest="sha1:A", etag='"a"'),
        Visit(moved, 1, "redirect", redirect="https://b.test/x.pdf", etag='"r"'),
        Visit(cut, 0, digest="sha1:A", etag='"a"', complete=False),
    ]
    hidden = "https://hidden.test/"  # the header may have said so, and the same body without it
    visits.append(Visit(hidden, 0, "noindex", digest="sha1:A", etag='"a"'))
    fold(tmp_path, visits)
    known = {entry.url: entry for entry in plan(tmp_path, 30)}
    assert (known[hidden].digest, known[hidden].etag) == (None, '"a"')
    entry = known[url]
    assert (entry.digest, entry.etag, entry.last_modified) == ("sha1:B", None, date)
    assert entry.visited_at == START + dt.timedelta(days=1)
    for url in (moved, cut):
        entry = known[url]
        assert (entry.digest, entry.etag, entry.visited_at) == (None, None, None), url


def test_batches_of_an_earlier_version_are_planned_and_built_with_new_ones(tmp_path: Path) -> None:
    write_batch(tmp_path, "old", [Visit("https://old.test/", 0, digest="sha1:A")])
    path = tmp_path / "batches/old/visits.parquet"
    old = pq.read_table(path)
    pq.write_table(old.drop_columns(["etag", "last_modified"]), path)
    fold(tmp_path, [Visit("https://new.test/", 0, digest="sha1:B", etag='"b"')])
    entries = {entry.url: (entry.digest, entry.etag) for entry in plan(tmp_path, 8)}
    assert entries == {
        "https://old.test/": ("sha1:A", None),
        "https://new.test/": ("sha1:B", '"b"'),
    }


def inlink(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_split_plan_has_each_host_in_one_file(tmp_path: Path) -> None:
    fold(tmp_path, made_visits(random.Random(3)))
    at = ("--at", "2026-03-20T12:00:00")
    done = inlink("plan", "--data", tmp_path, *at)
    assert done.exit_code == 0, done.output
    whole = list(read_plan(str(tmp_path / "plans/00000001.jsonl.gz")))
    done = inlink("plan", "--data", tmp_path, *at, "--split", "3", "--out", tmp_path / "p.jsonl")
    assert done.exit_code == 0, done.output
    parts = [list(read_plan(str(tmp_path / f"p-{n}-of-3.jsonl"))) for n in (1, 2, 3)]
    hosts = [{urlsplit(entry.url).hostname for entry in part} for part in parts]
    assert all(hosts)
    assert sum(map(len, hosts)) == len(set().union(*hosts))
    for part in parts:
        assert part == [entry for entry in whole if entry in part]
    assert sum(map(len, parts)) == len(whole) == len(set(kinds(whole)))


def test_a_plan_is_lines_of_json_best_first(tmp_path: Path) -> None:
    fold(tmp_path, linked_pages("https://b.test/"))
    memory = "memory://plans/plan.jsonl"
    for out in (str(tmp_path / "plan.jsonl"), memory):
        done = inlink("plan", "--data", tmp_path, "--at", "2026-02-01", "--out", out)
        assert done.exit_code == 0, done.output
        assert f"{out}: 2 URLs (1 due, 1 new)" in done.output
    lines = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert [line["url"] for line in lines] == ["https://b.test/", "https://a.test/"]
    assert [entry.url for entry in read_plan(memory)] == [line["url"] for line in lines]
    assert not (tmp_path / "plans/working").exists()


def test_without_a_generation_there_is_nothing_to_plan_from(tmp_path: Path) -> None:
    done = inlink("plan", "--data", tmp_path)
    assert done.exit_code == 1
    assert "no generation yet: crawl some seeds" in done.output
