"""The whole line on real crawls, compared with an independent reading of the same files.

The command line ingests, builds and serves; ``tests/reading`` reads the files again and shares
nothing with it. Links, history and answers have to be the same. ``docs/differences.md`` lists the
kinds of difference that remain, each with the standard that decides it; no other is allowed.
"""

import multiprocessing
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .reading import answers, made_crawl, records, urls
from .reading.history import History, fold

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
READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Site:
    """A data directory that was built by the command line, and what serves it."""

    data: Path
    client: httpx.Client

    def get(self, command: str, **parameters: Any) -> dict[str, Any]:
        """Answer of a command that has to succeed."""
        return _answer(self.client.get(command, params=parameters))

    def post(self, command: str, **parameters: Any) -> dict[str, Any]:
        """The same, with the parameters as a JSON document."""
        return _answer(self.client.post(command, json=parameters))


def _answer(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def _inlink(data: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "inlink", *arguments],
        env={**os.environ, "INLINK_DATA": str(data)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@pytest.fixture(scope="module")
def built(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("main-job") / "data"
    _inlink(data, "ingest", *(str(shared / "warc" / f"{name}.warc.gz") for name in FILES))
    _inlink(data, "build")
    return data


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[Site]:
    key = _inlink(built, "keys", "create", "--name", "test").strip()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "inlink", "serve", "--port", str(port)],
        env={**os.environ, "INLINK_DATA": str(built)},
    )
    base = f"http://127.0.0.1:{port}/backlinks/v1.0/"
    try:
        with httpx.Client(base_url=base, params={"apikey": key}, timeout=60) as client:
            _wait_until_it_answers(client, server)
            yield Site(built, client)
    finally:
        server.terminate()
        server.wait(30)


def _wait_until_it_answers(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            client.get("get-metrics", params={"target": "example.com"})
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"no answer within {READY_SECONDS} s")


@pytest.fixture(scope="module")
def history(shared: Path, built: Path) -> History:
    return _history([shared / "warc" / f"{name}.warc.gz" for name in FILES], built)


def _history(files: list[Path], data: Path) -> History:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        visits = [visit for file in pool.map(records.read, files) for visit in file]
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


def _tables(data: Path) -> Path:
    """Folder of the tables of the generation that is served."""
    number = int((data / "CURRENT").read_text(encoding="utf-8"))
    return data / "generations" / f"{number:08}" / "tables"


def _urls(data: Path) -> dict[int, str]:
    table = pq.read_table(_tables(data) / "urls.parquet", columns=["url_id", "url"])
    return {row["url_id"]: row["url"] for row in table.to_pylist()}


def _links(data: Path) -> list[dict[str, Any]]:
    """The table of links, with the URLs written out."""
    names = _urls(data)
    return [
        {**link, "source": names[link["source_id"]], "target": names[link["target_id"]]}
        for link in pq.read_table(_tables(data) / "links.parquet").to_pylist()
    ]


def test_live_links_are_those_of_the_reading(links: list[dict[str, Any]], history: History) -> None:
    _same_live_links(links, history)


def test_history_is_that_of_the_reading(links: list[dict[str, Any]], history: History) -> None:
    _same_history(links, history)
    lost = [link for link in links if link["lost_at"]]
    assert {"link_removed", "not_canonical"} <= {link["reason_lost"] for link in lost}


def test_pages_are_those_of_the_reading(built: Path, history: History) -> None:
    _same_pages(built, history)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_made_crawl_in_three_builds_is_that_of_the_reading(tmp_path: Path, seed: int) -> None:
    """Every kind of change, late visits, revisits, chains and rings of redirects."""
    data, files = tmp_path / "data", made_crawl.make(tmp_path, seed)
    for file in files:
        _inlink(data, "ingest", str(file))
        _inlink(data, "build")
    history = _history(files, data)
    reasons = {time.reason for times in history.links.values() for time in times}
    assert len(reasons) >= 8
    links = _links(data)
    _same_history(links, history)
    _same_live_links(links, history)
    _same_pages(data, history)


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
    """Title, address and last visit of every page that was ever visited."""
    names, columns = _urls(data), ("visited_at", "title", "ip", "failures")
    got = [
        (names[page["url_id"]], *(page[column] for column in columns))
        for page in pq.read_table(_tables(data) / "pages.parquet").to_pylist()
    ]
    said = [
        (url, page.last_visited, page.title, page.ip, page.failures)
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
def targets(history: History) -> dict[tuple[str, str], list[answers.Row]]:
    return answers.by_target(answers.live(history))


def _refusal(mode: str, name: str) -> str | None:
    """The kind of difference, of ``docs/differences.md``, that makes this no target."""
    if mode == "domain":
        return "public suffix" if urls.is_icann_suffix(name) else None
    host = name if mode == "host" else urls.host_of(name)
    return "host without a dot" if "." not in host and not host.startswith("[") else None


def _sample(targets: dict[tuple[str, str], list[answers.Row]], mode: str, size: int) -> list[str]:
    """Targets of a mode: the `size` with most backlinks, and as many by chance."""
    names = sorted(name for kind, name in targets if kind == mode and not _refusal(mode, name))
    most = sorted(names, key=lambda name: (-len(targets[mode, name]), name))[:size]
    return sorted({*most, *random.Random(1).sample(names, min(size, len(names)))})


@pytest.mark.parametrize(
    ("mode", "kind"), [("host", "host without a dot"), ("domain", "public suffix")]
)
def test_only_the_documented_kinds_of_target_are_refused(
    site: Site, targets: dict[tuple[str, str], list[answers.Row]], mode: str, kind: str
) -> None:
    refused = sorted(name for of, name in targets if of == mode and _refusal(mode, name) == kind)
    for name in refused:
        response = site.client.get("get-metrics", params={"target": name, "mode": mode})
        assert response.status_code == 400, name
    (row,) = (line for line in DIFFERENCES.splitlines() if line.startswith(f"| {kind} |"))
    assert len(refused) == int(row.split("|")[2])


@pytest.mark.parametrize(("mode", "size"), [("host", 10**6), ("domain", SAMPLE), ("url", SAMPLE)])
def test_metrics_are_those_of_the_reading(
    site: Site, targets: dict[tuple[str, str], list[answers.Row]], mode: str, size: int
) -> None:
    names = _sample(targets, mode, size)
    got: list[dict[str, Any]] = []
    for first in range(0, len(names), BATCH):
        batch = names[first : first + BATCH]
        got += site.post("get-metrics", target=batch, mode=mode)["metrics"]
    said = [{"target": name, **answers.metrics(targets[mode, name])} for name in names]
    wrong = [pair for pair in zip(got, said, strict=True) if pair[0] != pair[1]]
    assert not wrong, f"{len(wrong)} of {len(said)} differ: {wrong[:5]}"


@pytest.mark.parametrize("mode", ["host", "domain", "url"])
def test_backlinks_are_those_of_the_reading(
    site: Site, targets: dict[tuple[str, str], list[answers.Row]], mode: str
) -> None:
    for name in _sample(targets, mode, 30):
        said = sorted(map(_comparable, map(answers.backlink, targets[mode, name])))
        raw = sorted(map(_comparable, _raw_backlinks(site, name, mode, len(said))))
        assert raw == said, (mode, name)
        top = site.get("get-backlinks", target=name, mode=mode, limit=10_000)["backlinks"]
        assert [row["first_seen"] for row in top] == sorted(
            (row["first_seen"] for row in top), reverse=True
        )
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


@pytest.mark.parametrize("mode", ["host", "domain", "url"])
def test_referring_domains_are_those_of_the_reading(
    site: Site, targets: dict[tuple[str, str], list[answers.Row]], mode: str
) -> None:
    for name in _sample(targets, mode, 30):
        answer = site.get("get-refdomains", target=name, mode=mode, limit=10_000)["refdomains"]
        got = {row.pop("refdomain"): row for row in answer}
        for row in got.values():
            assert type(row.pop("domain_inlink_rank")) is int
        assert got == answers.refdomains(targets[mode, name]), (mode, name)
