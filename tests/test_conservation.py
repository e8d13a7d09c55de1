"""Laws that hold between the answers, whatever the crawl: what is counted in two ways is the same.

A real server serves the real crawls, and a crawl made by chance in two builds, which has what
they have little of: redirects, canonicals, and links that come and go within days. What one command
says is added up and compared with what others say; nothing here knows what the answers should be.
"""

import csv
import gzip
import io
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from tests.patience import PATIENCE

from .reading import made_crawl
from .serving import serving
from .test_main_job import KINDS, MODES, MOST, Site, build_crawls, read_and_build, tables_of

SEED = 20261124
MADE = 4
FILTERS = {
    "link_type": ("href", "redirect"),
    "anchor_type": ("text", "image", "undefined"),
    "dofollow": ("dofollow", "nofollow", "undefined"),
}
"""The values of each filter; every backlink has one of them."""

FACES = (
    ("get-summary", "summary"),
    ("get-metrics", "metrics"),
    ("get-backlinks", "all"),
    ("get-raw-backlinks", "raw"),
    ("get-backlinks-count", "count"),
    ("get-anchors", "anchors"),
    ("get-pages", "indexed-pages"),
    ("get-refdomains", "refdomains"),
    ("get-refdomains-count", "refdomains/count"),
    ("get-new-lost-refdomains", "refdomains/history"),
    ("get-new-lost-refdomains-count", "refdomains/history/count"),
    ("get-ips", "referring-ips"),
    ("get-ips-count", "referring-ips/count"),
    ("get-subnets-count", "referring-subnets/count"),
    ("get-new-lost-backlinks", "history"),
    ("get-new-lost-backlinks-count", "history/count"),
    ("get-inlink-rank", "authority"),
    ("get-page-inlink-rank", "authority/page"),
    ("get-domain-inlink-rank", "authority/domain"),
)
"""Commands of v1.0, and where the later API answers the same (docs/api.md)."""

Asked = dict[str, str]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module", params=["real crawls", "made crawl"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "real crawls":
        return build_crawls(request.getfixturevalue("shared"), tmp_path_factory)
    folder = tmp_path_factory.mktemp("made")
    first, second, late = made_crawl.make(folder, MADE)
    for files in ((first, late), (second,)):
        read_and_build(folder / "data", *files)
    return folder / "data"


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[Site]:
    with serving(built) as server:
        yield Site(server)


@pytest.fixture(scope="module")
def tables(built: Path) -> Path:
    return tables_of(built)


@pytest.fixture(scope="module")
def span(tables: Path) -> Asked:
    """All days on which something was found or lost, and some days before and after."""
    links = pq.read_table(tables / "links.parquet", columns=["found_at", "lost_at"]).to_pylist()
    days = [time.date() for row in links for time in row.values() if time]
    return _span(min(days) - timedelta(days=3), max(days) + timedelta(days=3))


def _span(first: date, last: date) -> Asked:
    return {"date_from": f"{first}", "date_to": f"{last}"}


@pytest.fixture(scope="module")
def sample(site: Site, tables: Path) -> list[Asked]:
    """Targets of each mode: those with most backlinks, with most lost ones, and some by chance."""
    urls = {row["url_id"]: row for row in pq.read_table(tables / "urls.parquet").to_pylist()}
    links = pq.read_table(tables / "links.parquet", columns=["target_id", "lost_at"]).to_pylist()
    chance = random.Random(SEED)
    chosen: list[Asked] = []
    for mode in MODES:
        of = {url_id: row[mode] for url_id, row in urls.items()}
        every = Counter(of[row["target_id"]] for row in links)
        lost = Counter(of[row["target_id"]] for row in links if row["lost_at"])
        names = {name for name, _ in (*every.most_common(3), *lost.most_common(3))}
        names.update(chance.sample(sorted(every), min(6, len(every))))
        asked = [{"target": name, "mode": mode} for name in sorted(names)]
        chosen += [one for one in asked if site.server.get("get-metrics", **one).is_success]
    assert len(chosen) > 20
    return chosen


def test_live_backlinks_are_as_many_however_they_are_counted(
    site: Site, sample: list[Asked]
) -> None:
    chance = random.Random(SEED)
    for asked in sample:
        metrics = _metrics(site, asked)
        rows = _raw_backlinks(site, asked, metrics["backlinks"], chance)
        keys = Counter(_cells_of(row) for row in rows)
        assert metrics["backlinks"] == len(rows) == len(keys), asked
        nofollow = sum(row["nofollow"] for row in rows)
        assert metrics["nofollow_backlinks"] == nofollow, asked
        assert metrics["dofollow_backlinks"] == len(rows) - nofollow, asked
        for order in ("date_found", "inlink_rank", "domain_inlink_rank"):
            top = site.get("get-backlinks", **asked, order_by=order, limit=MOST)["backlinks"]
            assert Counter(map(_cells_of, top)) == keys, (asked, order)


def _metrics(site: Site, asked: Asked) -> dict[str, Any]:
    (row,) = site.get("get-metrics", **asked)["metrics"]
    return dict(row)


def _cells_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.values())


def _raw_backlinks(site: Site, asked: Asked, size: int, chance: random.Random) -> Rows:
    """All of get-raw-backlinks, in pages of any size."""
    found: Rows = []
    cursor = None
    while True:
        limit = chance.randint(1, size // 2 + 2)
        page = site.get("get-raw-backlinks", **asked, limit=limit, next=cursor)
        found += page["backlinks"]
        assert len(page["backlinks"]) == limit or "next" not in page
        if "next" not in page:
            return found
        cursor = page["next"]


def test_anchors_pages_and_addresses_add_up_to_the_backlinks(
    site: Site, sample: list[Asked]
) -> None:
    for asked in sample:
        metrics = _metrics(site, asked)
        rows = site.get("get-backlinks", **asked, limit=MOST)["backlinks"]
        (summary,) = site.get("get-summary", **asked)["summary"]
        for name, column, counted in (
            ("anchors", "anchor", "anchors"),
            ("pages", "url_to", "pages_with_backlinks"),
        ):
            groups = site.get(f"get-{name}", **asked, limit=MOST)[name]
            assert len(groups) == len({row[column] for row in rows}) == summary[counted], asked
            for count in ("backlinks", "dofollow_backlinks", "nofollow_backlinks"):
                assert sum(group[count] for group in groups) == metrics[count], (asked, name)
            assert all(group["refdomains"] <= metrics["refdomains"] for group in groups)
        ips = site.get("get-ips", **asked, limit=MOST)["ips"]
        assert len(ips) == metrics["ips"] >= metrics["subnets"], asked
        assert sum(ip["backlinks"] for ip in ips) <= metrics["backlinks"], asked


def test_referring_domains_are_as_many_however_they_are_counted(
    site: Site, sample: list[Asked]
) -> None:
    for asked in sample:
        metrics = _metrics(site, asked)
        rows = site.get("get-backlinks", **asked, limit=MOST)["backlinks"]
        domains = site.get("get-refdomains", **asked, limit=MOST)["refdomains"]
        assert {row["refdomain"] for row in domains} == {_host(row["url_from"]) for row in rows}
        assert metrics["refdomains"] == len(domains), asked
        for count in ("backlinks", "dofollow_backlinks"):
            assert sum(row[count] for row in domains) == metrics[count], asked
        hosts, registrable = (
            site.later("authority/domain/distribution", **asked, histogramMode=by)["histogram"]
            for by in ("host", "domain")
        )
        assert {row["domain_inlink_rank"]: row["refdomains"] for row in hosts} == Counter(
            row["domain_inlink_rank"] for row in domains
        ), asked
        assert [row["domain_inlink_rank"] for row in registrable] == [
            row["domain_inlink_rank"] for row in hosts
        ], asked
        assert all(
            0 < few["refdomains"] <= many["refdomains"]
            for few, many in zip(registrable, hosts, strict=True)
        )


@cache
def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def test_counts_and_summaries_say_what_the_metrics_say(site: Site, sample: list[Asked]) -> None:
    for mode in MODES:
        names = [asked["target"] for asked in sample if asked["mode"] == mode]
        metrics = site.post("get-metrics", target=names, mode=mode)["metrics"]
        for name in ("backlinks", "refdomains", "subnets", "ips"):
            counts = site.post(f"get-{name}-count", target=names, mode=mode)["metrics"]
            assert counts == [{"target": row["target"], name: row[name]} for row in metrics]
        summaries = site.post("get-summary", target=names, mode=mode)["summary"]
        assert [{name: row[name] for name in metrics[0]} for row in summaries] == metrics


def test_ranks_are_the_same_wherever_they_are_told(site: Site, sample: list[Asked]) -> None:
    names = [asked["target"] for asked in sample if asked["mode"] == "url"]
    summaries = site.post("get-summary", target=names, mode="url")["summary"]
    answers = [
        site.post(f"get-{which}inlink-rank", target=names)["pages"]
        for which in ("", "page-", "domain-")
    ]
    for name, summary, both, page, domain in zip(names, summaries, *answers, strict=True):
        assert both == page | domain
        for rank, path in (("inlink_rank", "page"), ("domain_inlink_rank", "domain")):
            history = site.later(f"authority/{path}/history", target=name)["ranks"]
            assert both[rank] == summary[rank] == history[-1][rank], name


def test_exports_are_the_raw_backlinks(site: Site, sample: list[Asked]) -> None:
    most = sorted(sample, key=lambda asked: -_metrics(site, asked)["backlinks"])
    for asked in (most[0], most[len(most) // 3], most[-1]):
        rows = site.get("get-raw-backlinks", **asked, limit=100_000)["backlinks"]
        exported = _export(site, asked)
        assert len(exported) == len(rows) == _metrics(site, asked)["backlinks"], asked
        for record, row in zip(exported, rows, strict=True):
            assert record == {name: _cell(value) for name, value in row.items()}, asked


def _export(site: Site, asked: Asked) -> list[dict[str, str]]:
    """The records of the file of an export."""
    task = site.later("export", **asked)["task_id"]
    deadline = time.monotonic() + PATIENCE
    while True:
        status = site.get("download-all-backlinks-status", task_id=task)
        if status["task_status"] == "complete":
            file = gzip.decompress(site.server.client.get(status["download_file"]).content)
            return list(csv.DictReader(io.StringIO(file.decode(), newline="")))
        assert time.monotonic() < deadline, status
        time.sleep(0.05)


def _cell(value: str | bool | int | None) -> str:
    """A value as docs/api.md says it stands in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in tuple("=+-@\t\r\n") else text


def test_each_day_is_the_day_before_plus_the_new_less_the_lost(
    site: Site, sample: list[Asked], span: Asked
) -> None:
    """For backlinks and referring domains, which are replayed from the lists of new and lost."""
    for asked in sample:
        events = _backlink_events(site, asked | span)
        links = _counts(site, "backlinks", asked | span)
        domains = _counts(site, "refdomains", asked | span)
        cumulative = site.later("history/cumulative", **asked, **span)["backlinks_count"]
        for days in (links, domains, cumulative):
            assert [day["date"] for day in days] == _every_day(span)
        live: Counter[tuple[str, ...]] = Counter()
        hosts: Counter[str] = Counter()
        backlinks = refdomains = 0
        for link_day, domain_day, end in zip(links, domains, cumulative, strict=True):
            for row in events.get(link_day["date"], []):
                change = 1 if row["new_lost_type"] == "new" else -1
                live[row["url_from"], row["url_to"], row["link_type"]] += change
                hosts[_host(row["url_from"])] += change
            if link_day["date"] in events:
                assert set(live.values()) <= {0, 1}, (asked, link_day)
                live, hosts = +live, +hosts
            backlinks += link_day["new"] - link_day["lost"]
            refdomains += domain_day["new"] - domain_day["lost"]
            assert backlinks == len(live) == end["backlinks"], (asked, link_day)
            assert refdomains == len(hosts), (asked, domain_day)
        metrics = _metrics(site, asked)
        assert (backlinks, refdomains) == (metrics["backlinks"], metrics["refdomains"]), asked


def test_some_of_the_days_are_counted_as_among_all_of_them(
    site: Site, sample: list[Asked], span: Asked
) -> None:
    chance = random.Random(SEED)
    for asked in sample:
        days = [date.fromisoformat(day) for day in _backlink_events(site, asked | span)]
        first, last = sorted(chance.choices(days, k=2))
        begin = (first - date.fromisoformat(span["date_from"])).days
        some = slice(begin, begin + (last - first).days + 1)
        for path, name in (
            ("history/cumulative", "backlinks_count"),
            ("history/count", "new_lost_backlinks_count"),
            ("refdomains/history/count", "new_lost_refdomains_count"),
        ):
            every = site.later(path, **asked, **span)[name]
            assert site.later(path, **asked, **_span(first, last))[name] == every[some], asked


def _backlink_events(site: Site, asked: Asked) -> dict[str, Rows]:
    """New and lost backlinks by day."""
    by_day: dict[str, Rows] = {}
    for row in _new_lost(site, "backlinks", asked):
        by_day.setdefault(row["new_lost_date"], []).append(row)
    return by_day


def _new_lost(site: Site, what: str, asked: Asked, **parameters: str | None) -> Rows:
    rows = site.get(f"get-new-lost-{what}", **asked, limit=MOST, **parameters)[f"new_lost_{what}"]
    assert len(rows) < MOST
    return list(rows)


def _counts(site: Site, what: str, asked: Asked, **parameters: str | None) -> Rows:
    answer = site.get(f"get-new-lost-{what}-count", **asked, **parameters)
    return list(answer[f"new_lost_{what}_count"])


def _every_day(span: Asked) -> list[str]:
    first, last = map(date.fromisoformat, span.values())
    return [f"{first + timedelta(days=number)}" for number in range((last - first).days + 1)]


def test_counts_by_day_are_the_lengths_of_the_lists(
    site: Site, sample: list[Asked], span: Asked
) -> None:
    """With each filter and each type; and what the values of a filter select is all."""
    for asked in random.Random(SEED).sample(sample, 10):
        everything = _new_lost(site, "backlinks", asked | span)
        days = [row["new_lost_date"] for row in everything]
        own = asked | {"date_from": min(days), "date_to": max(days)}
        for kind in KINDS:
            _same_counts(site, "refdomains", own, {}, kind)
            for row in everything[:1]:
                _same_counts(site, "backlinks", own, {"url_from": row["url_from"]}, kind)
            listed = _same_counts(site, "backlinks", own, {}, kind)
            assert listed == [row for row in everything if kind in (None, row["new_lost_type"])]
            for name, values in FILTERS.items():
                parts = [
                    _same_counts(site, "backlinks", own, {name: value}, kind) for value in values
                ]
                joined = Counter(_cells_of(row) for part in parts for row in part)
                assert joined == Counter(map(_cells_of, listed)), (own, name, kind)


def _same_counts(site: Site, what: str, asked: Asked, filters: Asked, kind: str | None) -> Rows:
    """The rows of the list, which are as many on each day as the count says."""
    parameters = {**filters, "new_lost_type": kind}
    listed = _new_lost(site, what, asked, **parameters)
    lengths = Counter((row["new_lost_date"], row["new_lost_type"]) for row in listed)
    for day in _counts(site, what, asked, **parameters):
        assert day["new"] == lengths.pop((day["date"], "new"), 0), (asked, parameters, day)
        assert day["lost"] == lengths.pop((day["date"], "lost"), 0), (asked, parameters, day)
    assert not lengths, (asked, parameters)
    return listed


def test_nothing_happens_on_days_beyond_the_data(
    site: Site, sample: list[Asked], span: Asked
) -> None:
    first, last = map(date.fromisoformat, span.values())
    before = _span(first - timedelta(days=100), first)
    after = _span(last, last + timedelta(days=100))
    for asked in sample:
        for days, live in ((before, 0), (after, _metrics(site, asked)["backlinks"])):
            for what in ("backlinks", "refdomains"):
                assert _new_lost(site, what, asked | days) == []
                assert _counts(site, what, asked | days) == [
                    {"date": day, "new": 0, "lost": 0} for day in _every_day(days)
                ]
            cumulative = site.later("history/cumulative", **asked, **days)["backlinks_count"]
            assert cumulative == [{"date": day, "backlinks": live} for day in _every_day(days)]


def test_what_a_filter_of_the_later_api_keeps_and_what_it_drops_are_all(
    site: Site, sample: list[Asked]
) -> None:
    chance = random.Random(SEED)
    for asked in chance.sample(sample, 12):
        every = site.later("all", **asked, limit=MOST)["backlinks"]
        if not every:
            continue
        for name in ("url_from", "url_to", "anchor"):
            text = _some_of(chance.choice(every)[name], chance)
            if not text:  # an empty parameter is absent
                continue
            for mode, is_there in (("contains", True), ("does_not_contain", False)):
                filters = {f"{name}_filter": text, f"{name}_filter_mode": mode}
                got = site.later("all", **asked, limit=MOST, **filters)["backlinks"]
                assert got == [
                    row for row in every if (text.casefold() in row[name].casefold()) is is_there
                ], (asked, filters)
        for nofollow in (True, False):
            only = "nofollow_only" if nofollow else "dofollow_only"
            kept = site.later("all", **asked, limit=MOST, nofollow_filter=only)["backlinks"]
            assert kept == [row for row in every if row["nofollow"] is nofollow], asked
        for rank in ("inlink_rank", "domain_inlink_rank"):
            middle = max(1, chance.choice(every)[rank])
            low = site.later("all", **asked, limit=MOST, **{f"{rank}_to": middle - 1})["backlinks"]
            high = site.later("all", **asked, limit=MOST, **{f"{rank}_from": middle})["backlinks"]
            assert low == [row for row in every if row[rank] < middle], asked
            assert high == [row for row in every if row[rank] >= middle], asked


def _some_of(text: str, chance: random.Random) -> str:
    """A part of a text, in other letters; empty where the text is."""
    start = chance.randrange(len(text) or 1)
    return text[start : start + chance.randint(1, 6)].strip().swapcase()


def test_both_faces_answer_the_same(site: Site, sample: list[Asked], span: Asked) -> None:
    for asked in random.Random(SEED).sample(sample, 4):
        for command, path in FACES:
            parameters = {**asked, **span, "limit": "50"}
            assert site.get(command, **parameters) == site.later(path, **parameters), (
                command,
                asked,
            )
