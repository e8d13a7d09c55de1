"""The demo web through the real commands: the index must say what the demo web states as true."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from demo.model import Backlink, stage_of
from demo.run import MARK, TARGET
from demo.web import make_web
from publicsuffixlist import PublicSuffixList

from inlink.cli import main
from tests.demo_crawls import write_crawls
from tests.patience import PATIENCE

Answer = dict[str, list[Any]]

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
REASONS = {
    "page_not_found",
    "crawl_error",
    "page_dropped",
    "redirect",
    "not_canonical",
    "noindex",
    "link_removed",
    "broken_redirect",
    "other",
}
"""All that the Backlinks API v1.0 has, get-new-lost-backlinks."""

LINK_COLUMNS = (
    "source",
    "target",
    "link_type",
    "element",
    "anchor",
    "nofollow",
    "image_source",
    "reason",
)

RESERVED = (".example", ".test", ".invalid", ".example.com", ".example.net", ".example.org")
"""RFC 2606 and RFC 6761; ``example.edu`` is kept by its registry for the same use."""


def inlink(*arguments: str | Path) -> None:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


def by_key(backlinks: Iterable[Backlink]) -> list[Backlink]:
    return sorted(backlinks, key=lambda row: (row.source, row.target, row.link_type, row.found))


@pytest.fixture(scope="module")
def truth() -> list[Backlink]:
    web = make_web()
    return by_key(replace(row, first_seen=row.first_seen or row.found) for row in web.backlinks)


@pytest.fixture(scope="module")
def crawls(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_crawls(make_web(), tmp_path_factory.mktemp("crawls"))


def all_at_once(crawls: list[Path], data: Path) -> None:
    inlink("ingest", "--data", data, *crawls)
    inlink("build", "--data", data)


def the_second_crawl_late(crawls: list[Path], data: Path) -> None:
    first, second, third = crawls
    inlink("ingest", "--data", data, first, third)
    inlink("build", "--data", data)
    inlink("ingest", "--data", data, second)
    inlink("build", "--data", data)


@pytest.mark.parametrize("index", [all_at_once, the_second_crawl_late])
def test_the_index_says_what_is_true(
    index: Callable[[list[Path], Path], None],
    crawls: list[Path],
    truth: list[Backlink],
    tmp_path: Path,
) -> None:
    index(crawls, tmp_path)
    said = backlinks_of_current_generation(tmp_path)
    assert [row for row in said if row not in truth] == []
    assert [row for row in truth if row not in said] == []
    assert said == truth


def backlinks_of_current_generation(data: Path) -> list[Backlink]:
    tables = data / "generations" / f"{int((data / 'CURRENT').read_text()):08d}" / "tables"
    urls = pq.read_table(tables / "urls.parquet").to_pydict()
    name = dict(zip(urls["url_id"], urls["url"], strict=True))
    rows = pq.read_table(tables / "links.parquet").to_pylist()
    assert all(row["image_source"] is not None for row in rows if row["image"])
    return by_key(
        Backlink(
            name[row["source_id"]],
            name[row["target_id"]],
            row["found_at"],
            row["lost_at"],
            row["reason_lost"],
            row["first_seen"],
            row["link_type"],
            row["element"],
            row["anchor"],
            row["nofollow"],
            row["image_source"] if row["image"] else None,
        )
        for row in rows
    )


def test_the_demo_web_has_every_reason_on_some_thirty_sites(truth: list[Backlink]) -> None:
    assert {row.reason for row in truth} == {*REASONS, None}
    suffixes = PublicSuffixList()
    hosts = {urlsplit(visit.url).hostname or "" for crawl in make_web().visits for visit in crawl}
    assert 30 <= len({suffixes.privatesuffix(host) for host in hosts}) <= 40


def test_no_host_of_the_demo_web_can_be_real() -> None:
    web = make_web()
    urls = [visit.url for crawl in web.visits for visit in crawl]
    urls += [url for row in web.backlinks for url in (row.source, row.target)]
    for url in urls:
        host = f".{urlsplit(url).hostname}"
        assert host.endswith((*RESERVED, ".example.edu")), url


def test_the_crawl_files_are_the_same_in_every_run(crawls: list[Path], tmp_path: Path) -> None:
    again = write_crawls(make_web(), tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in crawls]


def test_the_tour_crawls_asks_and_ends(truth: list[Backlink], tmp_path: Path) -> None:
    left = tmp_path / "left-by-an-earlier-demo"
    for path in (left, tmp_path / MARK):
        path.touch()
    done = tour(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not left.exists()
    answers = answers_by_command(done.stdout)
    assert [(command, *answer) for command, answer in answers.items()] == [
        ("get-metrics", "metrics"),
        ("get-inlink-rank", "pages"),
        ("get-backlinks", "backlinks"),
        ("get-refdomains", "refdomains"),
        ("get-anchors", "anchors"),
        ("get-raw-backlinks", "backlinks", "next"),
        ("get-new-lost-backlinks", "new_lost_backlinks"),
        ("download-all-backlinks", "task_status", "task_id"),
        ("download-all-backlinks-status", "task_status", "task_id", "download_file"),
    ]
    assert len(answers["get-refdomains"]["refdomains"]) == 2
    is_asked = [urlsplit(link.target).hostname == TARGET for link in truth if link.lost is None]
    assert [row["backlinks"] for row in answers["get-metrics"]["metrics"]] == [sum(is_asked)]
    request, answer = readme_request()
    assert request in re.sub(r"apikey=\w+", "apikey=KEY", done.stdout)
    assert without_days(answer) == without_days(answers["get-backlinks"])
    header, row = done.stdout.strip().splitlines()[-2:]
    assert header.startswith("url_from,url_to,title,anchor,")
    assert row.startswith("https://")
    assert "All are in the index, and nothing else." in done.stdout
    said = backlinks_of_current_generation(tmp_path / "index")
    assert in_stages(said, stages_of_visits(tmp_path / "index")) == in_stages(truth, stage_of)


def readme_request() -> tuple[str, Answer]:
    """The request that the README shows first, less the address of the server, and its answer."""
    found = re.search(r"curl 'http://[^/]+(/\S+)'\n```\n\n```json\n(.+?)```", README, re.DOTALL)
    assert found
    return found[1], json.loads(found[2])


def without_days(answer: Answer) -> str:
    """An answer, in the order of its fields, less the days: the demo crawls today."""
    return re.sub(r'"\d{4}-\d\d-\d\d"', '"DAY"', json.dumps(answer))


def stages_of_visits(data: Path) -> Callable[[datetime], int]:
    """In which of the demo's crawls, from 1, a visit was."""
    stages: dict[datetime, int] = {}
    for batch in data.glob("batches/*/batch.json"):
        crawl = re.search(r"/crawl-(\d)/", batch.read_text())
        assert crawl
        for row in pq.read_table(batch.with_name("visits.parquet")).to_pylist():
            stages[row["visited_at"]] = int(crawl[1])
    return stages.__getitem__


def in_stages(backlinks: list[Backlink], stage_of: Callable[[datetime], int]) -> Counter[object]:
    """Backlinks with the crawl in which each was found, lost and first seen, not the time."""
    return Counter(
        (
            *(getattr(link, name) for name in LINK_COLUMNS),
            *(time and stage_of(time) for time in (link.found, link.lost, link.first_seen)),
        )
        for link in backlinks
    )


def test_the_tour_deletes_nothing_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")
    done = tour(tmp_path)
    assert done.returncode != 0
    assert "was not made by the demo" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def tour(directory: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "demo.run", "--once", "--directory", directory],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def answers_by_command(output: str) -> dict[str, Answer]:
    """The JSON that follows each ``curl`` line."""
    answers = {}
    for part in output.split("curl '")[1:]:
        url, _, rest = part.partition("'\n")
        answer, _ = json.JSONDecoder().raw_decode(rest)
        answers[urlsplit(url).path.rsplit("/", 1)[-1]] = answer
    return answers
