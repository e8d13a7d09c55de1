"""The web of ``crawl_web``, crawled twice with changes between, ingested and built.

A third crawl fetches again what failed in the second.

What the index then says is compared with what the web knows of itself, and how it was crawled with
the log of its server. The commands run as a user runs them.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest
import trustme
from click.testing import CliRunner
from demo.server import Request, Server, ca_file, serving
from warcio.archiveiterator import ArchiveIterator

from inlink.cli import main
from tests.crawl_web.sites import BLOCKED, ENDLESS_HOSTS, Web, the_web
from tests.patience import PATIENCE

DELAY = 0.1
HOST_PAGES = 30
CLOCK = 0.02
"""What a clock may be set back by between two requests."""
SETTINGS = {
    "user_agent_contact": "mailto:crawl@operator.example",
    "crawl_delay_seconds": DELAY,
    "host_pages": HOST_PAGES,
    "fetch_timeout_seconds": 8,  # a good answer is never as late, however busy the machine is
    "max_body_megabytes": 1,
    "redirect_hops": 5,
    "blocked_hosts": [BLOCKED],
}


@dataclass
class Crawled:
    """What is there after the crawls."""

    web: Web
    data: Path
    logs: list[list[Request]]
    files: list[list[Path]]
    states: list[tuple[set[Any], set[Any]]]
    """Live and lost backlinks in the index, after each crawl."""
    expected: list[tuple[set[Any], set[Any]]]
    fetched: list[set[str]]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    data = tmp_path_factory.mktemp("crawl")
    ca = trustme.CA()
    web = the_web()
    environment = {**os.environ, "SSL_CERT_FILE": str(ca_file(ca, data))}
    result = Crawled(web, data, [], [], [], [], [])
    with serving(Server(web, ca, frozenset(("untrusted.example",)))) as server:
        settings = {**SETTINGS, "crawl_proxy": server.address}
        (data / "settings.json").write_text(json.dumps(settings))
        asked = ["--seeds", str(data / "seeds.txt")]
        (data / "seeds.txt").write_text("\n".join(web.seeds))
        for web.crawl in (1, 2, 3):
            server.log.clear()
            inlink(data, environment, "crawl", *asked)
            crawl = max((data / "crawls").iterdir())
            result.logs.append(list(server.log))
            result.files.append(sorted(crawl.glob("*.warc.gz")))
            for command in (["ingest", *map(str, result.files[-1])], ["build"]):
                run = CliRunner().invoke(main, [*command, "--data", str(data)])
                assert run.exit_code == 0, run.output
            result.states.append(backlinks(data))
            result.expected.append((web.live(), web.lost()))
            result.fetched.append(web.fetched())
            plan = data / f"plan{web.crawl}.jsonl"
            if web.crawl == 1:
                plan_all(plan, result.files[0])
            else:
                plan_failed(plan, result.files[1])
            asked = ["--plan", str(plan), "--depth", "1"]
    yield result


def inlink(data: Path, environment: dict[str, str], command: str, *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "inlink", command, "--data", str(data), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def records(path: Path) -> Iterator[tuple[str, dict[str, str], dict[str, str], str, bytes]]:
    """Type, WARC header, HTTP header, status and content of each record, by warcio."""
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            http = dict(record.http_headers.headers) if record.http_headers else {}
            status = record.http_headers.get_statuscode() if record.http_headers else ""
            warc = dict(record.rec_headers.headers)
            yield record.rec_type, warc, http, status, record.raw_stream.read()


def plan_all(path: Path, files: list[Path]) -> None:
    """Everything that was visited, with what the content of each page said of itself."""
    entries: dict[str, dict[str, Any]] = {}
    for kind, warc, http, status, _ in [record for file in files for record in records(file)]:
        if kind in ("response", "metadata"):
            entry = entries[warc["WARC-Target-URI"]] = {"url": warc["WARC-Target-URI"]}
            if status == "200":
                entry["digest"] = warc["WARC-Payload-Digest"]
                entry["visited_at"] = warc["WARC-Date"]
                entry["etag"] = http.get("ETag")
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries.values()))


def plan_failed(path: Path, files: list[Path]) -> None:
    """Everything that gave no answer, or an error."""
    failed = [
        warc["WARC-Target-URI"]
        for file in files
        for kind, warc, _, status, _ in records(file)
        if kind == "metadata" or status == "500"
    ]
    path.write_text("".join(json.dumps({"url": url}) + "\n" for url in failed))


def backlinks(data: Path) -> tuple[set[Any], set[Any]]:
    number = int((data / "CURRENT").read_text())
    tables = data / "generations" / f"{number:08d}" / "tables"
    rows = duckdb.sql(
        f"""SELECT source.url, target.url, lost_at IS NOT NULL, reason_lost
        FROM '{tables}/links*.parquet' AS link
        JOIN '{tables}/urls*.parquet' AS source ON source.url_id = source_id
        JOIN '{tables}/urls*.parquet' AS target ON target.url_id = target_id"""
    ).fetchall()
    live = {(source, target) for source, target, lost, _ in rows if not lost}
    return live, {(source, target, reason) for source, target, lost, reason in rows if lost}


FULL_CRAWLS = pytest.mark.parametrize("crawl", (0, 1), ids=("first", "second"))
CRAWLS = pytest.mark.parametrize("crawl", (0, 1, 2), ids=("first", "second", "third"))


@CRAWLS
def test_the_index_has_exactly_the_links_that_are_live(crawled: Crawled, crawl: int) -> None:
    live, expected = crawled.states[crawl][0], crawled.expected[crawl][0]
    assert (live - expected, expected - live) == (set(), set())


@CRAWLS
def test_the_index_has_exactly_the_links_that_are_lost_and_why(
    crawled: Crawled, crawl: int
) -> None:
    lost, expected = crawled.states[crawl][1], crawled.expected[crawl][1]
    assert (lost - expected, expected - lost) == (set(), set())


@FULL_CRAWLS
def test_every_page_that_should_be_fetched_is_and_no_other(crawled: Crawled, crawl: int) -> None:
    asked = {
        request.url
        for request in crawled.logs[crawl]
        if not request.is_robots
        and request.url not in crawled.web.others
        and (request.host not in ENDLESS_HOSTS or request.url in crawled.web.pages)
    }
    expected = crawled.fetched[crawl]
    assert (asked - expected, expected - asked) == (set(), set())


@FULL_CRAWLS
def test_hosts_without_end_are_left_at_their_budget(crawled: Crawled, crawl: int) -> None:
    for host in ENDLESS_HOSTS:
        pages = [r for r in crawled.logs[crawl] if r.host == host and not r.is_robots]
        assert 3 < len(pages) <= HOST_PAGES


@CRAWLS
def test_no_host_is_asked_two_things_at_once_or_before_its_delay(
    crawled: Crawled, crawl: int
) -> None:
    by_host = defaultdict(list)
    for request in crawled.logs[crawl]:
        by_host[request.host].append(request)
    assert crawl == 2 or len(by_host) > 250
    for host, requests in by_host.items():
        requests.sort(key=lambda request: request.begin)
        delay = 0.5 if host == "robots-delay.example" else DELAY
        first_page = 2 if delay > DELAY else 1  # the delay is known after robots.txt
        for before, after in zip(requests[first_page - 1 :], requests[first_page:], strict=False):
            assert after.begin - before.end > delay - CLOCK, (before, after)


@CRAWLS
def test_robots_txt_is_asked_first_and_once(crawled: Crawled, crawl: int) -> None:
    by_host = defaultdict(list)
    for request in sorted(crawled.logs[crawl], key=lambda request: request.begin):
        by_host[request.host].append(request)
    again = {"robots-loop.example", "robots-hang.example", "robots-reset.example"}
    if crawl == 0:
        again.add("busy-robots.example")
    for host, requests in by_host.items():
        if host != "rules.example":
            assert requests[0].is_robots
            asked = sum(request.is_robots for request in requests)
            assert (asked == 1) == (host not in again), host


def test_a_host_that_asks_for_a_pause_has_it(crawled: Crawled) -> None:
    busy = [request for request in crawled.logs[0] if request.host == "busy.example"]
    busy.sort(key=lambda request: request.begin)
    after_refusal = [
        after.begin - before.end
        for before, after in pairwise(busy)
        if urlsplit(before.url).path == "/never"
    ]
    assert len([r for r in busy if urlsplit(r.url).path == "/never"]) == 3
    assert min(after_refusal) > 1 - CLOCK


def test_every_request_is_a_get_that_says_who_asks(crawled: Crawled) -> None:
    for request in [request for log in crawled.logs for request in log]:
        assert request.method == "GET"
        assert request.headers["user-agent"].startswith("inlinkbot/")
        assert request.headers["user-agent"].endswith("(+mailto:crawl@operator.example)")
        assert not request.headers.keys() & {"cookie", "authorization", "referer"}


def test_what_is_known_is_asked_for_with_its_etag_and_recorded_as_unchanged(
    crawled: Crawled,
) -> None:
    second = [record for file in crawled.files[1] for record in records(file)]
    kinds = {warc["WARC-Target-URI"]: (kind, warc, status) for kind, warc, _, status, _ in second
             if kind in ("response", "revisit")}  # fmt: skip
    kind, warc, status = kinds["http://changes.example/kept"]
    assert (kind, status) == ("revisit", "304")
    assert warc["WARC-Profile"].endswith("/1.1/revisit/server-not-modified")
    kind, warc, status = kinds["http://changes.example/same"]
    assert (kind, status) == ("revisit", "200")
    assert warc["WARC-Profile"].endswith("/1.1/revisit/identical-payload-digest")
    assert warc["WARC-Refers-To-Target-URI"] == "http://changes.example/same"
    assert kinds["http://changes.example/noindex-header"][0] == "response"


def test_failures_are_recorded_with_their_cause(crawled: Crawled) -> None:
    third = [record for file in crawled.files[2] for record in records(file)]
    causes = {
        urlsplit(warc["WARC-Target-URI"]).hostname: content.decode().split()[1]
        for kind, warc, _, _, content in third
        if kind == "metadata"
    }
    assert causes == {
        "hang.example": "timeout",
        "slow.example": "timeout",
        "reset.example": "reset",
        "reset-within.example": "reset",
        "ends-early.example": "reset",
        "missing-chunk.example": "reset",
        "broken-chunks.example": "http",
        "garbage.example": "http",
        "huge-header.example": "http",
        "two-lengths.example": "http",
        "untrusted.example": "tls",
        "robots-error.example": "robots_unreachable",
        "robots-hang.example": "timeout",
        "robots-reset.example": "reset",
        "closing.example": "robots",
        "www.blocked.example": "blocked",
        "169.254.169.254": "blocked",
    } | dict.fromkeys(
        [f"robots-{name}.example" for name in ("our-group", "longest", "with-mark", "redirected")],
        "robots",
    )


def test_warcio_finds_no_fault_in_the_files(crawled: Crawled) -> None:
    files = [str(file) for files in crawled.files for file in files]
    check = subprocess.run(
        [sys.executable, "-m", "warcio.cli", "check", "-v", *files], capture_output=True, text=True
    )
    assert check.returncode == 0, check.stdout
    assert "digest pass" in check.stdout


def test_a_body_that_is_too_long_is_cut_and_marked(crawled: Crawled) -> None:
    cut = {
        urlsplit(warc["WARC-Target-URI"]).path: len(content)
        for file in crawled.files[0]
        for kind, warc, _, _, content in records(file)
        if warc.get("WARC-Truncated") == "length"
    }
    assert cut == {"/endless": 1_000_000, "/endless-chunks": 1_000_000}
