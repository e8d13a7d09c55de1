"""Evidence while crawl files come and go: of the records of one content, one that is there is read.

A page was fetched twice with the same bytes, and of the second fetch there is a WAT file too.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from inlink.extract.extraction import extract
from inlink.fold.job import build
from inlink.index.writer import write_segments
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.web.source import find
from tests.crawl_files import CrawlFile
from tests.serving import Server, serving

PAGE, SHOP = "https://page.example/", "https://shop.example/"
BODY = f"<a href={SHOP}>the shop</a>"
DIGEST = f"sha1:{base64.b32encode(hashlib.sha1(BODY.encode()).digest()).decode()}"
FIRST, SECOND = "2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z"
WAT = {
    "Envelope": {
        "WARC-Header-Metadata": {
            "WARC-Type": "response",
            "WARC-Target-URI": PAGE,
            "WARC-Date": SECOND,
            "WARC-Payload-Digest": DIGEST,
        },
        "Payload-Metadata": {
            "HTTP-Response-Metadata": {
                "Response-Message": {"Status": "200"},
                "Headers": {"Content-Type": "text/html"},
                "HTML-Metadata": {"Links": [{"path": "A@/href", "url": SHOP, "text": "the shop"}]},
            }
        },
    }
}


@dataclass(frozen=True)
class Files:
    """A running server, and the files that its index was made from."""

    server: Server
    first: Path
    second: Path
    wat: Path

    def ask(self) -> httpx.Response:
        query = {"apikey": self.server.key, "url_from": PAGE, "url_to": SHOP}
        return self.server.client.get("/v2/evidence", params=query)

    def read_from(self) -> tuple[str, str]:
        """The file that evidence is read from, and the date of the record."""
        answer = self.ask()
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        (occurrence,) = found["occurrences"]
        assert occurrence["anchor"] == "the shop"
        (record,) = found["records"]
        return record["file"].removeprefix("file://"), record["date"]


def segments(tables: Path, directory: Path, settings: Settings, _progress: object) -> None:
    write_segments(tables, directory, settings)


def ingest(data: Path, file: Path) -> str:
    (source,) = find(str(file))
    return extract(source, Layout(data), Settings()).came


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    folder = tmp_path_factory.mktemp("copies")
    first, second, wat = (folder / name for name in ("1.warc.gz", "2.warc.gz", "2.wat.gz"))
    for path, date in ((first, FIRST), (second, SECOND)):
        CrawlFile().response(PAGE, BODY, warc={"WARC-Date": date}).write(path)
    told = json.dumps(WAT).encode()
    CrawlFile().record("metadata", PAGE, told, content_type="application/json").write(wat)
    for path in (first, second, wat):
        assert ingest(folder / "data", path) == "new"
    build(Layout(folder / "data"), Settings(), segments, lambda *_: None)
    with serving(folder / "data") as server:
        yield Files(server, first, second, wat)


def test_the_latest_warc_record_is_read_while_all_files_are_there(files: Files) -> None:
    assert files.read_from() == (str(files.second), SECOND)


def test_another_record_is_read_where_files_are_gone_warc_before_wat(files: Files) -> None:
    kept = {path: path.read_bytes() for path in (files.first, files.second, files.wat)}
    try:
        files.second.unlink()
        assert files.read_from() == (str(files.first), FIRST)
        files.first.unlink()
        assert files.read_from() == (str(files.wat), SECOND)
        files.wat.unlink()
        assert files.ask().status_code == 410
        files.first.write_bytes(kept[files.first])
        assert files.read_from() == (str(files.first), FIRST)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_a_file_of_another_size_is_passed_over(files: Files) -> None:
    content = files.second.read_bytes()
    try:
        files.second.write_bytes(content + b"\0")
        assert files.read_from() == (str(files.first), FIRST)
        files.second.write_bytes(content[::-1])  # as large, but no crawl file any more
        assert files.read_from() == (str(files.first), FIRST)
    finally:
        files.second.write_bytes(content)


def test_a_file_that_was_moved_and_ingested_proves_without_a_build(files: Files) -> None:
    moved = files.second.rename(files.second.with_name("moved.warc.gz"))
    try:
        assert files.read_from() == (str(files.first), FIRST)
        assert ingest(files.server.data, moved) == "moved"
        assert files.read_from() == (str(moved), SECOND)
    finally:
        moved.rename(files.second)
        assert ingest(files.server.data, files.second) == "moved"
