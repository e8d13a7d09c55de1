"""Crawl files to records, by warcio: WARC and ARC files, and WACZ, an archive of WARC files.

In: a file. Out: a `Record` for each record, its block as stored, segments joined (WARC 1.1, 8), and
with the method of the request that it answers.
"""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import IO

from warcio.archiveiterator import ArchiveIterator


@dataclass(frozen=True, slots=True)
class Record:
    """A record; `whole` says that its block is as long as its header promised."""

    kind: str
    headers: dict[str, str]
    block: bytes
    whole: bool
    is_arc: bool = False
    method: str = "GET"
    file: str = field(default="", compare=False)
    offset: int = field(default=0, compare=False)

    @property
    def uri(self) -> str:
        return self.headers.get("warc-target-uri", "").strip("<>")

    @property
    def date(self) -> str:
        return self.headers.get("warc-date", "")


def read(path: Path) -> list[Record]:
    """All records of a file, in its order."""
    records = _with_methods(_joined(list(_records(path))))
    return [record for record in records if record.kind != "continuation"]


def _records(path: Path) -> Iterator[Record]:
    if path.suffix != ".wacz":
        with path.open("rb") as stream:
            yield from _of_stream(stream, path.name)
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("archive/"):
                yield from _of_stream(BytesIO(archive.read(name)), path.name)


def _of_stream(stream: IO[bytes], file: str) -> Iterator[Record]:
    is_arc = _begins_as_arc(stream)
    records = ArchiveIterator(stream, no_record_parse=True, arc2warc=True)
    for record in records:
        block = record.raw_stream.read()  # asked for the offset, warcio drops what is not read
        headers = {name.lower(): value for name, value in record.rec_headers.headers}
        yield Record(
            kind=record.rec_type,
            headers=headers,
            block=block,
            whole=len(block) >= int(headers.get("content-length", 0)),
            is_arc=is_arc,
            file=file,
            offset=records.get_record_offset(),
        )


def _begins_as_arc(stream: IO[bytes]) -> bool:
    start = stream.read(512)
    stream.seek(0)
    if start.startswith(b"\x1f\x8b"):
        start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start)
    return start.startswith(b"filedesc:")


def _joined(records: list[Record]) -> list[Record]:
    """First segments with their continuations; one that lacks any is not whole."""
    joined = []
    for record in records:
        if record.headers.get("warc-segment-number") == "1":
            record = _with_continuations(record, records)
        joined.append(record)
    return joined


def _with_continuations(first: Record, records: list[Record]) -> Record:
    numbered = {
        int(record.headers["warc-segment-number"]): record
        for record in records
        if record.kind == "continuation"
        and record.headers.get("warc-segment-origin-id") == first.headers.get("warc-record-id")
        and record.uri == first.uri
    }
    segments = [first]
    while len(segments) + 1 in numbered:
        segments.append(numbered[len(segments) + 1])
    block = b"".join(segment.block for segment in segments)
    total = segments[-1].headers.get("warc-segment-total-length")
    return replace(first, block=block, whole=total is not None and len(block) >= int(total))


def _with_methods(records: list[Record]) -> list[Record]:
    """A request belongs to the record that either names, else to that of its URI and date.

    Of several that may be meant, a GET is.
    """
    methods: dict[tuple[str, str, str], str] = {}
    for request in records:
        if request.kind == "request":
            method = request.block.split(b" ", 1)[0].decode("latin-1")
            for key in _keys(request, "warc-concurrent-to", "warc-record-id"):
                methods[key] = "GET" if methods.get(key) == "GET" else method
    return [
        replace(record, method=_method(record, methods))
        if record.kind in ("response", "revisit")
        else record
        for record in records
    ]


def _method(record: Record, methods: dict[tuple[str, str, str], str]) -> str:
    found = (methods.get(key) for key in _keys(record, "warc-record-id", "warc-concurrent-to"))
    return next((method for method in found if method), "GET")


def _keys(record: Record, answered: str, asked: str) -> list[tuple[str, str, str]]:
    """What request and answer have in common, by the headers that name either of them."""
    keys = [
        (record.uri, what, record.headers[name])
        for what, name in (("answer", answered), ("request", asked))
        if name in record.headers
    ]
    return [*keys, (record.uri, "date", record.date)]
