"""The WARC files of a crawl: WARC 1.1 (ISO 28500:2017), each record a gzip member of its own.

In: what was fetched, and what failed. Out: files ``<name>-00000.warc.gz`` and so on, each with a
``warcinfo`` record first; while one is written, its name ends in ``.open``.

For an answer there are two records, ``response`` (or ``revisit``) and ``request``, with header
blocks as they went over the wire. The payload digest is that of the bytes after the header, with
the framing of chunks where there is one, as other archiving tools have it. Records are written
whole and handed to the system before anybody is told; what a kill cut off is taken away by
`cut_broken_tail`.
"""

import base64
import datetime as dt
import hashlib
import io
import uuid
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fastwarc.stream_io import GzipWriter
from fastwarc.warc import WarcRecord, WarcRecordType

from inlink.crawl.errors import FetchError
from inlink.crawl.fetch import Fetched
from inlink.crawl.plan_file import PlanEntry

ROTATE_BYTES = 1_000_000_000
"""From what size the next file is begun."""

_OPEN = ".open"
_LEVEL = 6  # of gzip; most bodies come compressed
_KINDS = {
    "warcinfo": WarcRecordType.warcinfo,
    "response": WarcRecordType.response,
    "revisit": WarcRecordType.revisit,
    "request": WarcRecordType.request,
    "metadata": WarcRecordType.metadata,
}
_READ = 1 << 20
_HTTP = "application/http; msgtype="
_FIELDS = "application/warc-fields"
_SAME_DIGEST = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
_NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"

Headers = list[tuple[str, str]]


class WarcFiles:
    """Writes the WARC files in *directory*, going on with the one that is open.

    *info* are the fields of the ``warcinfo`` records, *begun* is how many files there were.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        info: dict[str, str],
        *,
        begun: int = 0,
        rotate_bytes: int = ROTATE_BYTES,
    ) -> None:
        self._directory = directory
        self._name = name
        self._info = info
        self._rotate_bytes = rotate_bytes
        self._file: IO[bytes] | None = None
        here = [_number(path) for path in directory.glob(f"{name}-*.warc.gz*")]
        self.begun = max([begun, *(number + 1 for number in here)])
        """How many files there are, wherever they lie, the open one included."""

    def filename(self, number: int) -> str:
        """The name of a file that is finished."""
        return f"{self._name}-{number:05d}.warc.gz"

    def open_file(self) -> Path | None:
        """The file that is being written, or was when a crawl was interrupted."""
        return next(iter(sorted(self._directory.glob(f"{self._name}-*.warc.gz{_OPEN}"))), None)

    def finished(self) -> list[Path]:
        """The files that are whole, in order."""
        return sorted(self._directory.glob(f"{self._name}-*.warc.gz"))

    def position(self) -> int:
        """How long the open file is; 0 where there is none."""
        return self._file.tell() if self._file else 0

    def answer(self, fetched: Fetched, known: PlanEntry | None) -> bool:
        """Record an answer; whether it is a ``revisit``: the page is as the plan knew it."""
        digest = _sha1(fetched.body)
        if known and fetched.status == 304:
            extra = _refers_to(_NOT_MODIFIED, known, known.digest)
        elif known and known.digest == digest and _is_page_as_before(fetched):
            extra = _refers_to(_SAME_DIGEST, known, digest)
        else:
            extra = []
        is_revisit, block = bool(extra), fetched.head
        if not is_revisit:
            block += fetched.body
            extra = [("WARC-Payload-Digest", digest)]
            extra += [("WARC-Truncated", "length")] if fetched.cut else []
        headers = _headers("revisit" if is_revisit else "response", fetched.url, fetched.at)
        headers += [("WARC-IP-Address", fetched.ip)] if fetched.ip else []
        request = _headers("request", fetched.url, fetched.at)
        request.append(("WARC-Concurrent-To", dict(headers)["WARC-Record-ID"]))
        request.append(("WARC-Payload-Digest", _sha1(b"")))
        self._write(
            (headers + extra, f"{_HTTP}response", block),
            (request, f"{_HTTP}request", fetched.request),
        )
        return is_revisit

    def failure(self, url: str, error: FetchError) -> None:
        """Record a fetch that failed or was forbidden."""
        words = " ".join(error.words.split())
        block = f"fetchError: {error.cause} {words}\r\n".encode(errors="replace")
        self._write((_headers("metadata", url, dt.datetime.now(dt.UTC)), _FIELDS, block))

    def close(self) -> None:
        """Finish the open file, if there is one."""
        path = self.open_file()
        if self._file:
            self._file.close()
            self._file = None
        if path:
            path.rename(path.with_name(path.name.removesuffix(_OPEN)))

    def leave_open(self) -> None:
        """Close the file so that a later run goes on with it."""
        if self._file:
            self._file.close()
            self._file = None

    def _write(self, *records: tuple[Headers, str, bytes]) -> None:
        """All records in one piece, so that no other process sees half of one for long."""
        if self._file and self._file.tell() >= self._rotate_bytes:
            self.close()
        file = self._opened()
        file.write(b"".join(_record(*record) for record in records))
        file.flush()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            path = self.open_file()
            if path is None:
                path = self._directory / f"{self.filename(self.begun)}{_OPEN}"
                self.begun += 1
            self._file = path.open("ab")
            if not self._file.tell():
                self._file.write(self._warcinfo(path.name.removesuffix(_OPEN)))
        return self._file

    def _warcinfo(self, filename: str) -> bytes:
        headers = _headers("warcinfo", None, dt.datetime.now(dt.UTC))
        block = "".join(f"{name}: {value}\r\n" for name, value in self._info.items())
        return _record([*headers, ("WARC-Filename", filename)], _FIELDS, block.encode())


def _is_page_as_before(fetched: Fetched) -> bool:
    """Whether an equal body means an equal page: no field of the header says anything of it."""
    names = {name for name, _ in fetched.fields}
    return fetched.status == 200 and not fetched.cut and not names & {"x-robots-tag", "link"}


def _number(path: Path) -> int:
    return int(path.name.partition(".")[0].rpartition("-")[2])


def _headers(kind: str, url: str | None, at: dt.datetime) -> Headers:
    headers = [("WARC-Type", kind), ("WARC-Record-ID", f"<urn:uuid:{uuid.uuid4()}>")]
    headers += [("WARC-Target-URI", url)] if url else []
    return [*headers, ("WARC-Date", _date(at))]


def _refers_to(profile: str, known: PlanEntry, digest: str | None) -> Headers:
    headers = [("WARC-Profile", profile), ("WARC-Refers-To-Target-URI", known.url)]
    headers += [("WARC-Refers-To-Date", _date(known.visited_at))] if known.visited_at else []
    return headers + ([("WARC-Payload-Digest", digest)] if digest else [])


def _date(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _sha1(data: bytes) -> str:
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return f"sha1:{base64.b32encode(digest).decode()}"


def _record(headers: Headers, content_type: str, block: bytes) -> bytes:
    record = WarcRecord()
    record.init_headers(_KINDS[dict(headers)["WARC-Type"]])
    for name, value in headers:
        record.headers[name] = value
    record.headers["WARC-Block-Digest"] = _sha1(block)
    record.headers["Content-Type"] = content_type
    record.set_bytes_content(block)
    out = io.BytesIO()
    with GzipWriter(out, compression_level=_LEVEL) as member:
        record.write(member)
    return out.getvalue()


def cut_broken_tail(path: Path, start: int) -> None:
    """Cut off what stands in the file behind its last whole record, from *start* on."""
    ends = deque(_member_ends(path, start), maxlen=1)
    with path.open("r+b") as file:
        file.truncate(ends.pop() if ends else start)


def _member_ends(path: Path, start: int) -> Iterator[int]:
    with path.open("rb") as file:
        file.seek(start)
        end, data = start, b""
        member = zlib.decompressobj(wbits=31)
        while piece := data or file.read(_READ):
            before = len(piece)
            try:
                member.decompress(piece)
            except zlib.error:
                return
            end += before - len(member.unused_data)
            data = member.unused_data
            if member.eof:
                yield end
                member = zlib.decompressobj(wbits=31)
