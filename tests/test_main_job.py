"""The whole line on real crawls, compared with an independent reading of the same files.

The command line ingests, builds and serves; ``tests/reading`` reads the files again and shares
nothing with it. Links, history and answers have to be the same. ``docs/differences.md`` lists the
kinds of difference that remain, each with the standard that decides it; no other is allowed.
"""

import fcntl
import functools
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import iptocc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from inlink.cli import main
from inlink.extract.extraction import extract
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.web.source import find

from .reading import answers, events, made_crawl, records, urls
from .reading.answers import Ranks, Row, Target
from .reading.events import Days
from .reading.history import History, fold
from .serving import Server, serving

FILES = (
    "recipe-pages-first",
    "recipe-pages-recrawl",
    "aut-example",
    "dolma-sample-0000",
    "dolma-sample-0001",
    "pywb-iana",
    "resiliparse-warcfile",
)
DIFFERENCES = (Path(__file__).parents[1] / "docs" / "differences.md").read_text(encoding="utf-8")
SAMPLE = 200
BATCH = 100
MOST = 10_000
MODES = ("host", "domain", "url")
KINDS = (None, "new", "lost")


@dataclass(frozen=True, slots=True)
class Site:
    """A real server; its answers are those of commands that have to succeed."""

    server: Server

    def get(self, command: str, **parameters: Any) -> dict[str, Any]:
        """Answer of a command of v1.0; parameters that are None are left out."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return _answer(self.server.get(command, **given))

    def post(self, command: str, **parameters: Any) -> dict[str, Any]:
        """The same, with the parameters as a JSON document."""
        return _answer(self.server.post(command, parameters))

    def later(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Answer of the later API."""
        given = {name: value for name, value in parameters.items() if value is not None}
        query = {"apikey": self.server.key, **given}
        return _answer(self.server.client.get(f"/v1/backlinks/{path}", params=query))


def _answer(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def inlink(data: Path, *arguments: str) -> None:
    """Run the command line on a data directory."""
    environment = {**os.environ, "INLINK_DATA": str(data)}
    subprocess.run([sys.executable, "-m", "inlink", *arguments], env=environment, check=True)


def read_and_build(data: Path, *files: Path) -> None:
    """Read small files and build after them, in this process, whose start would take longer."""
    for file in files:
        (source,) = find(str(file))
        extract(source, Layout(data), Settings())
    result = CliRunner().invoke(main, ["build", "--data", str(data)])
    assert result.exit_code == 0, result.output


def build_crawls(shared: Path, temporary: pytest.TempPathFactory) -> Path:
    """A data directory of all crawls, for the module that calls this alone.

    The command line makes it once for all workers of a test run; each gets links to its files.
    """
    run = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    made, done = run / "crawls", run / "crawls.done"
    with (run / "crawls.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            inlink(made, "ingest", *(str(shared / "warc" / f"{name}.warc.gz") for name in FILES))
            inlink(made, "build")
            done.touch()
    data = temporary.mktemp("crawls") / "data"
    shutil.copytree(made, data, copy_function=os.link)
    return data


@pytest.fixture(scope="module")
def built(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_crawls(shared, tmp_path_factory)


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[Site]:
    with serving(built) as server:
        yield Site(server)


@pytest.fixture(scope="module")
def history(shared: Path, built: Path) -> History:
    files = [shared / "warc" / f"{name}.warc.gz" for name in FILES]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        return _history(pool.map(records.read, files), built)


def _history(read: Iterable[list[records.Visit]], data: Path) -> History:
    visits = [visit for file in read for visit in file]
    ids = _visit_ids(data)
    visits.sort(key=lambda visit: (visit.at, ids[visit.file, visit.offset]))
    return fold(visits)


def _visit_ids(data: Path) -> dict[tuple[str, int], int]:
    """Ids by file and offset: they order visits to one page at one instant, and are hashes."""
    files = sorted(data.glob("batches/*/visits.parquet"))
    rows = pa.concat_tables(
        [pq.read_table(file, columns=["file", "offset", "visit_id"]) for file in files]
    ).to_pylist()
    return {(row["file"], row["offset"]): row["visit_id"] for row in rows}


@pytest.fixture(scope="module")
def links(built: Path) -> list[dict[str, Any]]:
    return _links(built)


def tables_of(data: Path) -> Path:
    """Folder of the tables of the generation that is served."""
    number = int((data / "CURRENT").read_text(encoding="utf-8"))
    return data / "generations" / f"{number:08}" / "tables"


def _urls(data: Path) -> dict[int, str]:
    table = pq.read_table(tables_of(data) / "urls.parquet", columns=["url_id", "url"])
    return {row["url_id"]: row["url"] for row in table.to_pylist()}


def _links(data: Path) -> list[dict[str, Any]]:
    """The table of links, with the URLs written out."""
    names = _urls(data)
    return [
        {**link, "source": names[link["source_id"]], "target": names[link["target_id"]]}
        for link in pq.read_table(tables_of(data) / "links.parquet").to_pylist()
    ]


def test_live_links_are_those_of_the_reading(links: list[dict[str, Any]], history: History) -> None:
    _same_live_links(links, history)


def test_history_is_that_of_the_reading(links: list[dict[str, Any]], history: History) -> None:
    _same_history(links, history)
    lost = [link for link in links if link["lost_at"]]
    assert {"link_removed", "not_canonical"} <= {link["reason_lost"] for link in lost}


def test_pages_are_those_of_the_reading(built: Path, history: History) -> None:
    _same_pages(built, history)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_made_crawl_in_three_builds_is_that_of_the_reading(tmp_path: Path, seed: int) -> None:
    """Every kind of change, late visits, revisits, chains and rings of redirects."""
    data, files = tmp_path / "data", made_crawl.make(tmp_path, seed)
    for file in files:
        read_and_build(data, file)
    history = _history(map(records.read, files), data)
    reasons = {time.reason for times in history.links.values() for time in times}
    assert len(reasons) >= 8
    links = _links(data)
    _same_history(links, history)
    _same_live_links(links, history)
    _same_pages(data, history)
    chance, ranks = random.Random(seed), _ranks(data)
    targets = answers.by_target(answers.stretches(history))
    with serving(data) as server:
        for target in _past_sample(targets, "", 10, chance):
            _same_history_answers(Site(server), target, targets[target], ranks, chance)
            _same_lists(Site(server), target, answers.live_of(targets[target]), ranks, chance)


def _same_live_links(links: list[dict[str, Any]], history: History) -> None:
    columns = ("source", "target", "link_type", "element", "anchor", "nofollow", "image")
    got = [
        (*(link[column] for column in columns), link["image_source"])
        for link in links
        if link["lost_at"] is None
    ]
    said = [
        (*key, link.element, link.anchor, link.nofollow, link.image, link.image_source)
        for key, link, _ in answers.live(history)
    ]
    _same(got, said)


def _same_history(links: list[dict[str, Any]], history: History) -> None:
    columns = ("source", "target", "link_type", "found_at", "lost_at", "reason_lost", "first_seen")
    said = [
        (*key, time.found_at, time.lost_at, time.reason, time.first_seen)
        for key, times in history.links.items()
        for time in times
    ]
    _same([tuple(link[column] for column in columns) for link in links], said)


def _same_pages(data: Path, history: History) -> None:
    """State, title, address and last visit of every page that was ever visited."""
    names, columns = _urls(data), ("visited_at", "outcome", "title", "ip", "failures")
    got = [
        (names[page["url_id"]], *(page[column] for column in columns))
        for page in pq.read_table(tables_of(data) / "pages.parquet").to_pylist()
    ]
    said = [
        (url, page.last_visited, page.outcome, page.title, page.ip, page.failures)
        for url, page in history.pages.items()
    ]
    _same(got, said)


def _same(got: list[tuple[Any, ...]], said: list[tuple[Any, ...]]) -> None:
    """Both lists hold the same rows, each once; where not, show the first few that differ."""
    assert len(set(got)) == len(got)
    only = [(list(map(str, row)), "inlink alone") for row in set(got) - set(said)]
    only += [(list(map(str, row)), "reading alone") for row in set(said) - set(got)]
    shown = "\n".join(f"{where}: {row}" for row, where in sorted(only)[:20])
    assert not only, f"{len(only)} rows differ of {len(said)}:\n{shown}"


@pytest.fixture(scope="module")
def targets(past_targets: dict[Target, list[Row]]) -> dict[Target, list[Row]]:
    """Every target that has live backlinks, with them."""
    live = {target: answers.live_of(rows) for target, rows in past_targets.items()}
    return {target: rows for target, rows in live.items() if rows}


@pytest.fixture(scope="module")
def past_targets(history: History) -> dict[Target, list[Row]]:
    """Every target that has backlinks, now or in the past, with all stretches of them."""
    return answers.by_target(answers.stretches(history))


@pytest.fixture(scope="module")
def ranks(built: Path) -> Ranks:
    return _ranks(built)


def _ranks(data: Path) -> Ranks:
    """The ranks as the tables have them: they have tests of their own."""
    urls = pq.read_table(tables_of(data) / "urls.parquet").to_pylist()
    domains = {row["domain_id"]: row["domain"] for row in urls}
    names = {row["url_id"]: row["url"] for row in urls}
    pages = pq.read_table(tables_of(data) / "ranks.parquet").to_pylist()
    ranked = pq.read_table(tables_of(data) / "domain_ranks.parquet").to_pylist()
    return Ranks(
        {names[row["url_id"]]: row["inlink_rank"] for row in pages},
        {domains[row["domain_id"]]: row["domain_inlink_rank"] for row in ranked},
    )


def _refusal(mode: str, name: str) -> str | None:
    """The kind of difference, of ``docs/differences.md``, that makes this no target."""
    if mode == "domain" and urls.is_icann_suffix(name):
        return "public suffix"
    host = urls.host_of(name) if mode == "url" else name
    if "." not in host and not host.startswith("[") and mode != "domain":
        return "host without a dot"
    return None if urls.is_address(host) or _is_host_name(host) else "no host name"


def _is_host_name(host: str) -> bool:
    """Whether DNS (RFC 1035, 2.3.4) and IDNA (RFC 5892, 2.6: punctuation) have such names."""
    name = host.removesuffix(".")
    labels = name.split(".")
    read = "".join(
        label[4:].encode().decode("punycode") if label.startswith("xn--") else label
        for label in labels
    )
    marks = {character for character in read if unicodedata.category(character)[0] == "P"}
    return (
        len(name) <= 253
        and all(re.fullmatch(r"[a-z0-9_-]{1,63}", label) for label in labels)
        and marks <= set("-_\u00b7\u05f3\u05f4\u0f0b\u30fb")
    )


def _sample(targets: dict[Target, list[Row]], mode: str, size: int) -> list[str]:
    """Targets of a mode: the `size` with most backlinks, and as many by chance."""
    names = sorted(name for kind, name in targets if kind == mode and not _refusal(mode, name))
    most = sorted(names, key=lambda name: (-len(targets[Target(mode, name)]), name))[:size]
    return sorted({*most, *random.Random(1).sample(names, min(size, len(names)))})


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("host", "host without a dot"), ("host", "no host name"), ("domain", "public suffix")],
)
def test_only_the_documented_kinds_of_target_are_refused(
    site: Site, targets: dict[Target, list[Row]], mode: str, kind: str
) -> None:
    refused = sorted(name for of, name in targets if of == mode and _refusal(mode, name) == kind)
    for name in refused:
        response = site.server.get("get-metrics", target=name, mode=mode)
        assert response.status_code == 400, name
    (row,) = (line for line in DIFFERENCES.splitlines() if line.startswith(f"| {kind} |"))
    assert len(refused) == int(row.split("|")[2])


@pytest.mark.parametrize(("mode", "size"), [("host", 10**6), ("domain", SAMPLE), ("url", SAMPLE)])
def test_metrics_are_those_of_the_reading(
    site: Site, targets: dict[Target, list[Row]], mode: str, size: int
) -> None:
    names = _sample(targets, mode, size)
    got: list[dict[str, Any]] = []
    for first in range(0, len(names), BATCH):
        batch = names[first : first + BATCH]
        got += site.post("get-metrics", target=batch, mode=mode)["metrics"]
    said = [{"target": name, **answers.metrics(targets[Target(mode, name)])} for name in names]
    wrong = [pair for pair in zip(got, said, strict=True) if pair[0] != pair[1]]
    assert not wrong, f"{len(wrong)} of {len(said)} differ: {wrong[:5]}"


@pytest.mark.parametrize("mode", MODES)
def test_backlinks_are_those_of_the_reading(
    site: Site, targets: dict[Target, list[Row]], mode: str
) -> None:
    for name in _sample(targets, mode, 30):
        said = sorted(map(_comparable, map(answers.backlink, targets[Target(mode, name)])))
        raw = sorted(map(_comparable, _raw_backlinks(site, name, mode, len(said))))
        assert raw == said, (mode, name)
        top = site.get("get-backlinks", target=name, mode=mode, limit=10_000)["backlinks"]
        assert sorted(map(_comparable, top)) == said[:10_000], (mode, name)


def _raw_backlinks(site: Site, target: str, mode: str, size: int) -> list[dict[str, Any]]:
    """All pages of get-raw-backlinks, by its cursor: three or so for each target."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        limit = size // 3 + 1
        page = site.get("get-raw-backlinks", target=target, mode=mode, limit=limit, **cursor)
        assert len(page["backlinks"]) <= limit
        found += page["backlinks"]
        if "next" not in page:
            return found
        cursor = {"next": page["next"]}


def _comparable(row: dict[str, Any]) -> list[tuple[str, str]]:
    """A row less the ranks, which have tests of their own."""
    ranks = ("inlink_rank", "domain_inlink_rank")
    assert all(type(row.get(rank, 0)) is int for rank in ranks)
    return sorted((name, repr(value)) for name, value in row.items() if name not in ranks)


@pytest.mark.parametrize("mode", MODES)
def test_referring_domains_are_those_of_the_reading(
    site: Site, targets: dict[Target, list[Row]], mode: str
) -> None:
    for name in _sample(targets, mode, 30):
        answer = site.get("get-refdomains", target=name, mode=mode, limit=10_000)["refdomains"]
        got = {row.pop("refdomain"): row for row in answer}
        for row in got.values():
            assert type(row.pop("domain_inlink_rank")) is int
        assert got == answers.refdomains(targets[Target(mode, name)]), (mode, name)


# What came and went


@pytest.mark.parametrize("mode", MODES)
def test_new_and_lost_are_those_of_the_reading(
    site: Site, past_targets: dict[Target, list[Row]], ranks: Ranks, mode: str
) -> None:
    chance = random.Random(mode)
    for target in _past_sample(past_targets, mode, 8, chance):
        _same_history_answers(site, target, past_targets[target], ranks, chance)


class _Asked(NamedTuple):
    """What of a target's history is asked for."""

    span: Days
    kind: str | None
    filters: Mapping[str, str] = MappingProxyType({})


def _past_sample(
    targets: dict[Target, list[Row]], mode: str, size: int, chance: random.Random
) -> list[Target]:
    """Targets of a mode ("": of all): the `size` that lost most backlinks, as many by chance."""
    own = [t for t in sorted(targets) if mode in ("", t.mode) and not _refusal(*t)]
    lost = {target: len(targets[target]) - len(answers.live_of(targets[target])) for target in own}
    most = sorted(own, key=lambda target: (-lost[target], target))[:size]
    return sorted({*most, *chance.sample(own, min(size, len(own)))})


def _same_history_answers(
    site: Site, target: Target, rows: list[Row], ranks: Ranks, chance: random.Random
) -> None:
    """New and lost over the whole history, and filtered over some of its days; by day too."""
    days = sorted({event.day for event in events.events(rows, Days(date.min, date.max))})
    whole = Days(days[0] - timedelta(days=2), days[-1] + timedelta(days=2))
    for kind in KINDS:
        _same_backlinks(site, target, rows, ranks, _Asked(whole, kind), chance)
        _same_refdomains(site, target, rows, ranks, _Asked(whole, kind), chance)
    for span in (whole, Days(*sorted(chance.choices(days, k=2)))):
        asked = _Asked(span, chance.choice(KINDS), _filters(rows, chance))
        _same_backlinks(site, target, rows, ranks, asked, chance)
        _same_refdomains(site, target, rows, ranks, asked, chance)
    cumulative = site.later("history/cumulative", **_of(target), **_days(whole))["backlinks_count"]
    live = {row["date"]: row["backlinks"] for row in cumulative}
    assert list(live) == [answers.iso(day) for day in whole.each()]
    for day in (*chance.choices(days, k=20), whole.first, whole.last):
        assert live[answers.iso(day)] == len(events.live_at_end_of(rows, day)), (target, day)


def _filters(rows: list[Row], chance: random.Random) -> dict[str, str]:
    """One, two or three of the filters, with values by chance."""
    host = urls.host_of(chance.choice(rows).key.source).removesuffix(".")
    values = {
        "link_type": chance.choice(["href", "redirect"]),
        "anchor_type": chance.choice(["text", "image", "undefined"]),
        "dofollow": chance.choice(["dofollow", "nofollow", "undefined"]),
        "url_from": chance.choice([host, urls.domain_of(host)]),
    }
    return {name: values[name] for name in chance.sample(sorted(values), chance.randint(1, 3))}


def _of(target: Target) -> dict[str, str]:
    return {"target": target.name, "mode": target.mode}


def _days(span: Days) -> dict[str, str]:
    return {"date_from": answers.iso(span.first), "date_to": answers.iso(span.last)}


def _same_backlinks(
    site: Site,
    target: Target,
    rows: list[Row],
    ranks: Ranks,
    asked: "_Asked",
    chance: random.Random,
) -> None:
    kept = events.selected(rows, asked.filters)
    order = chance.choice(["new_lost_date", "inlink_rank", "domain_inlink_rank"])
    limit = chance.choice([MOST, MOST, 7])
    parameters = {**_of(target), **_days(asked.span), "new_lost_type": asked.kind, **asked.filters}
    said = events.new_lost_backlinks(kept, asked.span, asked.kind, order, ranks)
    got = site.get("get-new-lost-backlinks", order_by=order, limit=limit, **parameters)
    _same_list(got["new_lost_backlinks"], said[:limit], (parameters, order, limit))
    by_day = site.get("get-new-lost-backlinks-count", **parameters)["new_lost_backlinks_count"]
    _same_list(by_day, events.backlinks_count(kept, asked.span, asked.kind), parameters)


def _same_refdomains(
    site: Site,
    target: Target,
    rows: list[Row],
    ranks: Ranks,
    asked: "_Asked",
    chance: random.Random,
) -> None:
    order = chance.choice(["new_lost_date", "domain_inlink_rank"])
    limit = chance.choice([MOST, MOST, 7])
    parameters = {**_of(target), **_days(asked.span), "new_lost_type": asked.kind}
    said = events.new_lost_refdomains(rows, asked.span, asked.kind, order, ranks)
    got = site.get("get-new-lost-refdomains", order_by=order, limit=limit, **parameters)
    _same_list(got["new_lost_refdomains"], said[:limit], (parameters, order, limit))
    by_day = site.get("get-new-lost-refdomains-count", **parameters)["new_lost_refdomains_count"]
    _same_list(by_day, events.refdomains_count(rows, asked.span, asked.kind), parameters)


def _same_list(got: list[dict[str, Any]], said: list[dict[str, Any]], asked: object) -> None:
    """The same rows in the same order; where not, show the first that differ."""
    wrong = [pair for pair in zip(got, said, strict=False) if pair[0] != pair[1]]
    assert not wrong, f"{len(wrong)} of {len(said)} rows of {asked} differ, first {wrong[:1]}"
    assert len(got) == len(said), (asked, (got + said)[min(len(got), len(said)) :][:2])


# Anchors, pages, addresses, summary, distribution


@pytest.mark.parametrize("mode", MODES)
def test_lists_and_summaries_are_those_of_the_reading(
    site: Site, past_targets: dict[Target, list[Row]], ranks: Ranks, mode: str
) -> None:
    chance = random.Random(mode)
    sample = _past_sample(past_targets, mode, 6, chance)
    addressed = [
        target
        for target, rows in sorted(past_targets.items())
        if target.mode == mode and not _refusal(*target) and len(answers.ips(rows)) > 1
    ]
    for target in (*sample, *chance.sample(addressed, min(6, len(addressed)))):
        _same_lists(site, target, answers.live_of(past_targets[target]), ranks, chance)


def _same_lists(
    site: Site, target: Target, rows: list[Row], ranks: Ranks, chance: random.Random
) -> None:
    asked = _of(target)
    for name, said in (
        ("anchors", answers.anchors),
        ("pages", answers.pages),
        ("ips", answers.ips),
    ):
        for order in ("backlinks", "refdomains"):
            limit = chance.choice([MOST, MOST, 7])
            got = site.get(f"get-{name}", order_by=order, limit=limit, **asked)[name]
            _same_list(got, said(rows, order)[:limit], (name, order, limit, asked))
    for order in ("date_found", "inlink_rank", "domain_inlink_rank"):
        limit = chance.choice([MOST, MOST, 7])
        links = site.get("get-backlinks", order_by=order, limit=limit, **asked)["backlinks"]
        _same_list(links, answers.backlinks(rows, order, ranks)[:limit], (order, limit, asked))
        hosts = site.get("get-refdomains", order_by=order, limit=limit, **asked)["refdomains"]
        expected = answers.refdomains_in_order(rows, order, ranks)[:limit]
        _same_list(hosts, expected, (order, limit, asked))
    for by in ("host", "domain"):
        got = site.later("authority/domain/distribution", histogramMode=by, **asked)["histogram"]
        _same_list(got, answers.histogram(rows, ranks, by), (by, asked))
    (summary,) = site.get("get-summary", **asked)["summary"]
    said_of_it = {"target": target.name, **answers.summary(rows, target, ranks, _country)}
    assert summary == said_of_it, target


@functools.cache
def _country(address: str) -> str | None:
    """The registries' country of an address: the package's data, which are no part of a crawl."""
    return iptocc.country_code(address)
