"""What a WARC file holds behind a place, after a crawl was killed.

In: the file that was being written, and how far it is known. Out: the results that its further
records stand for; what is behind the last whole record is cut off.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from inlink.crawl.errors import FetchError, internal_error
from inlink.crawl.fetch import Fetched
from inlink.crawl.politeness import Result
from inlink.crawl.warc import cut_broken_tail
from inlink.web.framing import header_fields
from inlink.web.http import parse_response

_RESULTS = WarcRecordType.response | WarcRecordType.revisit | WarcRecordType.metadata


class Recorded(msgspec.Struct, frozen=True):
    """A result as its record has it."""

    url: str
    is_revisit: bool
    result: Result


def recorded_behind(path: Path, start: int) -> Iterator[Recorded]:
    """The results in *path* from *start* on, which is made to end with a whole record."""
    cut_broken_tail(path, min(start, path.stat().st_size))
    with path.open("rb") as file:
        file.seek(start)
        for record in ArchiveIterator(file, record_types=_RESULTS, parse_http=False):
            yield _recorded(record)


def _recorded(record: WarcRecord) -> Recorded:
    url, block = record.headers["WARC-Target-URI"], record.reader.read()
    try:
        return _understood(record, url, block)
    except Exception as error:
        return Recorded(url, False, internal_error(url, error))


def _understood(record: WarcRecord, url: str, block: bytes) -> Recorded:
    if record.record_type == WarcRecordType.metadata:
        said = header_fields(block.splitlines())["fetcherror"]
        cause, _, words = said.partition(" ")
        return Recorded(url, False, FetchError(cause, words))
    response = parse_response(block)
    assert response is not None
    fetched = Fetched(
        url=url,
        at=dt.datetime.fromisoformat(record.headers["WARC-Date"]),
        seconds=0.0,
        ip=record.headers.get("WARC-IP-Address"),
        request=b"",
        head=block[: len(block) - len(response.body)],
        body=response.body,
        cut="WARC-Truncated" in record.headers,
        status=response.status,
        fields=response.fields,
    )
    return Recorded(url, record.record_type == WarcRecordType.revisit, fetched)
