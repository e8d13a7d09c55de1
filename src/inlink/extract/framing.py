"""WARC and ARC records, read so that damage costs no more than the records it hits.

In: decompressed stretches of a crawl file (see ``compression``). Out: records. WARC 0.x and 1.x
(ISO 28500), with CRLF or bare LF; ARC 1 and 2 (the Internet Archive's format of 1996), whose fields
get the names that WARC has for them.

A record with a wrong length is found out because no record follows it. If another one begins within
what the length claims, reading goes on there, else at the next line that begins a record. A record
that a page merely quotes is never taken for one while lengths are right.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from inlink.extract.compression import stretches
from inlink.extract.limits import MAX_BLOCK_BYTES, MAX_HEADER_BYTES
from inlink.extract.problems import Problems
from inlink.extract.source import BinaryFile
from inlink.extract.window import Window

MAX_REWINDS = 1000
"""How often a file is read again from within a record with a wrong length."""

_VERSION_LINE = re.compile(rb"WARC/[01]\.\d+\r*\n\Z")
_HEAD = re.compile(
    rb"(?:\A|\n)(WARC/[01]\.\d+\r*\n[A-Za-z-]+:|\w+://\S+ [\w.:]+ \d{14} \S+ \d+\r?\n)"
)
_ARC_LINE = re.compile(
    rb"(\w[\w+.-]*:\S.*?) (\S+) (\d{12,18}|null|-) (\S+)(?: \d{3} \S+ \S+ \d+ \S+)? (-?\w+)\s*\Z"
)
_ARC_BEGIN = re.compile(rb"\w[\w+.-]*:\S")
_HEAD_SIGHT = 1024  # bytes in which to know the beginning of a record
_RECORD_END = b"\r\n\r\n"


class Record(msgspec.Struct, frozen=True):
    """A record of a crawl file; ARC records have the type ``response`` and WARC's header names."""

    type: str
    headers: dict[str, str]
    """By name in lower case; of a name that is repeated, the first."""
    block: bytes
    """At most `MAX_BLOCK_BYTES`."""
    offset: int
    """Of the record, or of the gzip member it is in, in the file, bytes."""
    truncated: bool
    """The block is not whole."""


class _Head(NamedTuple):
    type: str
    headers: dict[str, str]
    length: int


class _LengthError(Exception):
    """Reading has to go on within a block: *skip* decompressed bytes behind *offset*."""

    def __init__(self, offset: int, skip: int) -> None:
        self.offset = offset
        self.skip = skip


def framed_records(
    file: BinaryFile, compression: str, start: int, problems: Problems
) -> Iterator[Record]:
    """The records of *file* from *start* on, whatever lies between them; damage is counted."""
    skip = 0
    for _ in range(MAX_REWINDS):
        try:
            for pieces in stretches(file, compression, start, problems):
                window = Window(pieces, plain=compression == "none")
                window.skip(skip)
                skip = 0
                yield from _records(window, problems)
        except _LengthError as error:
            start, skip = error.offset, error.skip
        else:
            return


def _records(window: Window, problems: Problems) -> Iterator[Record]:
    lost = False  # in bytes that are no record, and are counted already
    while True:
        offset = window.offset()
        line = window.line(MAX_HEADER_BYTES)
        if not line:
            return
        if not line.strip():
            continue
        if match := _VERSION_LINE.search(line):
            if match.start() and not lost:
                problems["garbage"] += 1
            head = _warc_head(window, problems)
        elif match := _ARC_LINE.match(line):
            head = _arc_head(match, problems)
        else:
            if not lost:
                problems["garbage"] += 1
            lost = True
            continue
        lost = head is None
        if head is not None:
            block = _block(window, head.length, problems)
            yield Record(head.type, head.headers, block.data, offset, not block.whole)
            lost = not block.whole
            if block.resume:
                raise _LengthError(*block.resume)


def _warc_head(window: Window, problems: Problems) -> _Head | None:
    headers = header_fields(_header_lines(window))
    if not headers.get("warc-type"):
        problems["record_header"] += 1
        return None
    try:
        length = content_length(headers["content-length"])
    except (KeyError, ValueError):
        problems["record_length"] += 1
        return None
    return _Head(headers["warc-type"].lower(), headers, length)


def _arc_head(match: re.Match[bytes], problems: Problems) -> _Head | None:
    uri, ip, date, content_type, length = (
        text.decode("utf-8", "replace") for text in match.groups()
    )
    try:
        size = content_length(length)
    except ValueError:
        problems["record_length"] += 1
        return None
    if uri.startswith("filedesc:"):
        return _Head("warcinfo", {}, size)
    headers = {"warc-target-uri": uri, "warc-date": date, "content-type": content_type}
    if ip not in ("-", "0.0.0.0"):  # noqa: S104
        headers["warc-ip-address"] = ip
    return _Head("response", headers, size)


def content_length(text: str) -> int:
    """A length in bytes.

    Raises:
        ValueError: not a decimal number that a file may have.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(text)
    return int(text)


def _header_lines(window: Window) -> list[bytes]:
    """The lines up to the empty one; none if there is no such line in sight."""
    lines: list[bytes] = []
    size = 0
    while line := window.line(MAX_HEADER_BYTES):
        if not line.strip(b"\r\n"):
            return lines
        lines.append(line)
        size += len(line)
        if size > MAX_HEADER_BYTES:
            break
    return []


def header_fields(lines: list[bytes]) -> dict[str, str]:
    """The fields of a header, by name in lower case; continued lines are joined (RFC 822)."""
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        text = line.decode("utf-8", "replace")
        if text[:1] in (" ", "\t") and name:
            fields[name] = f"{fields[name]} {text.strip()}".strip()
            continue
        key, colon, value = text.partition(":")
        name = key.strip().lower() if colon else ""
        if name in fields:
            name = ""
        if name:
            fields[name] = value.strip()
    return fields


class _Block(NamedTuple):
    data: bytes
    whole: bool
    resume: tuple[int, int] | None = None
    """Where the next record begins, if that is within what the length claims."""


def _block(window: Window, length: int, problems: Problems) -> _Block:
    start = window.position
    data = window.take(min(length, MAX_BLOCK_BYTES))
    got = len(data) + window.skip(length - len(data))
    if got == length and (_at_record(window) or window.peek(len(_RECORD_END)) == _RECORD_END):
        return _Block(data, got == len(data))
    behind = window.peek(_HEAD_SIGHT) if got == len(data) else b""
    if (match := _HEAD.search(data + behind)) and match.start(1) <= len(data):
        problems["record_length"] += 1
        resume = window.locate(start + match.start(1))
        return _Block(data[: match.start(1)], False, resume)
    problems["record_truncated" if got < length else "record_length"] += 1
    if got == length == len(data):
        data += _up_to_record(window, MAX_BLOCK_BYTES - got)
    return _Block(data, False)


def _up_to_record(window: Window, limit: int) -> bytes:
    """What lies between the end of a block that is longer than its length, and the next record."""
    lines: list[bytes] = []
    while limit > 0 and (line := window.line(min(limit, MAX_HEADER_BYTES))):
        if _VERSION_LINE.match(line) or _ARC_LINE.match(line):
            window.back(len(line))
            break
        lines.append(line)
        limit -= len(line)
    return b"".join(lines)


def _at_record(window: Window) -> bool:
    """Whether a record or the end comes next, after empty lines."""
    begin = window.peek(64).lstrip(b"\r\n")
    return not begin or begin.startswith(b"WARC/") or _ARC_BEGIN.match(begin) is not None
