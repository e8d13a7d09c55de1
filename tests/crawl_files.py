"""Crawl files made for a test, by warcio, and what the extractor makes of them."""

import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from inlink.extract.extraction import Extraction, extract
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.web.framing import Record
from inlink.web.records import read_records
from inlink.web.source import HashingFile, find

DATE = "2026-01-02T03:04:05Z"
HTML = (("Content-Type", "text/html; charset=utf-8"),)

Headers = Iterable[tuple[str, str]]


class _Writer(WARCWriter):  # type: ignore[misc]
    """Keeps payloads in memory: the temporary files of warcio are left open."""

    @classmethod
    def _create_temp_file(cls) -> io.BytesIO:
        return io.BytesIO()


class CrawlFile:
    """A WARC file in memory, with the offset of each record."""

    def __init__(self, *, gzip: bool = True) -> None:
        self._out = io.BytesIO()
        self._writer = _Writer(self._out, gzip=gzip)
        self.offsets: list[int] = []

    def record(
        self,
        kind: str,
        uri: str,
        payload: bytes = b"",
        *,
        content_type: str = "",
        http: StatusAndHeaders | None = None,
        warc: dict[str, str] | None = None,
    ) -> "CrawlFile":
        self.offsets.append(self._out.tell())
        record = self._writer.create_warc_record(
            uri,
            kind,
            payload=io.BytesIO(payload),
            warc_content_type=content_type,
            http_headers=http,
            warc_headers_dict={"WARC-Date": DATE} | (warc or {}),
        )
        self._writer.write_record(record)
        return self

    def response(
        self,
        uri: str,
        body: str | bytes = "",
        status: str = "200 OK",
        headers: Headers = HTML,
        warc: dict[str, str] | None = None,
    ) -> "CrawlFile":
        payload = body.encode() if isinstance(body, str) else body
        http = StatusAndHeaders(status, list(headers), protocol="HTTP/1.1")
        return self.record("response", uri, payload, http=http, warc=warc)

    def failure(self, uri: str, fields: str) -> "CrawlFile":
        content_type = "application/warc-fields"
        return self.record("metadata", uri, fields.encode(), content_type=content_type)

    def content(self) -> bytes:
        return self._out.getvalue()

    def write(self, path: Path) -> Path:
        path.write_bytes(self.content())
        return path


def raw_record(kind: str, uri: str, block: bytes, *fields: tuple[str, str]) -> bytes:
    """A record as it stands in a file: warcio writes no header of HTTP that is not sound."""
    head = [("WARC-Type", kind), ("WARC-Target-URI", uri), ("WARC-Date", DATE)]
    head += [*fields, ("Content-Type", "application/http"), ("Content-Length", str(len(block)))]
    lines = "".join(f"{name}: {value}\r\n" for name, value in head)
    return f"WARC/1.1\r\n{lines}\r\n".encode() + block + b"\r\n\r\n"


def records_of(path: Path, content: bytes) -> tuple[list[Record], Counter[str]]:
    """The records that are read of a file with this content, written to *path*."""
    path.write_bytes(content)
    problems: Counter[str] = Counter()
    with HashingFile(str(path)) as file:
        return list(read_records(file, problems)), problems


class Observed:
    """The tables of the batch that one crawl file becomes, as dictionaries."""

    def __init__(self, crawl_file: Path, data: Path, settings: Settings | None = None) -> None:
        layout = Layout(data)
        (source,) = find(str(crawl_file))
        self.extraction: Extraction = extract(source, layout, settings or Settings())
        self.batch = self.extraction.batch
        (directory,) = layout.batch_directories()
        self.visits = _rows(directory / "visits.parquet")
        self.links = _rows(directory / "links.parquet")
        self.urls = {row["url_id"]: row["url"] for row in _rows(directory / "urls.parquet")}

    @property
    def visit(self) -> dict[str, Any]:
        (visit,) = self.visits
        return visit

    def links_of(self, visit: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Element, target and anchor of each link of a visit."""
        return [
            (link["element"], self.urls[link["target_id"]], link["anchor"])
            for link in self.links
            if link["visit_id"] == visit["visit_id"]
        ]


def _rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def observe(crawl_file: CrawlFile, directory: Path, settings: Settings | None = None) -> Observed:
    return Observed(crawl_file.write(directory / "crawl.warc.gz"), directory / "data", settings)


def observe_page(
    body: str | bytes, directory: Path, uri: str = "https://page.example/dir/page", **options: Any
) -> Observed:
    """What is seen of one page."""
    return observe(CrawlFile().response(uri, body, **options), directory)
