"""WARC and ARC records, read so that damage costs no more than the records it hits.

In: decompressed stretches of a crawl file (see ``compression``). Out: records. WARC 0.x and 1.x
(ISO 28500), with CRLF or bare LF; ARC 1 and 2 (the Internet Archive's format of 1996), whose fields
get the names that WARC has for them.

A wrong length is detected because no record follows. If another record begins within the bytes that
the length claims, reading continues there, otherwise at the next line that begins a record. While
lengths are right, a record that a page merely quotes is never taken for a real one. In a file where
most lengths are wrong, one may end at a record by chance, so the records within it are believed
instead.

The bytes that a length of up to `MAX_BLOCK_BYTES` claims are searched in memory, so that time is
linear in the size of the file, however many lengths are wrong. For some longer ones, the file is
read again.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from inlink.web.compression import stretches
from inlink.web.limits import MAX_BLOCK_BYTES, MAX_HEADER_BYTES
from inlink.web.problems import Problems
from inlink.web.source import BinaryFile, NotSeekableError
from inlink.web.window import Window

MAX_REWINDS = 8
"""How often a file is read again from within a record whose length is wrong and too large for its
bytes to be kept. After that, a record that begins within another is believed, not the length."""

_VERSION_LINE = re.compile(rb"WARC/[01]\.\d+\r*\n\Z")
_HEAD_LINES = rb"(?:WARC/[01]\.\d+\r*\n[A-Za-z-]+:|\w+://\S+ [\w.:]+ \d{14} (?:[^\n]* )?\d+\r?\n)"
_HEAD = re.compile(_HEAD_LINES)
_NEXT_HEAD = re.compile(rb"\n(?=%b)" % _HEAD_LINES)
_ARC_LINE = re.compile(  # the media type may have spaces; in version 2, five fields follow it
    rb"(\w[\w+.-]*:\S.*?) (\S+) (\d{12,18}|null|-) (.*?)"
    rb"(?: (?:\d{3}|-) \S+ \S+ (?:\d+|-) \S+)? (-?\w+)\s*\Z"
)
_HEAD_SIGHT = 1024  # bytes in which the beginning of a record is recognized
_RECORD_END = b"\r\n\r\n"


class Record(msgspec.Struct, frozen=True):
    """A record of a crawl file; ARC records have the type ``response`` and WARC's header names."""

    type: str
    headers: dict[str, str]
    """By name in lower case; if a name is repeated, the first value."""
    block: bytes
    """At most `MAX_BLOCK_BYTES`."""
    offset: int
    """Offset in the file of the record, or of the gzip member that it is in, in bytes."""
    truncated: bool
    """The block is not whole."""


class _Head(NamedTuple):
    type: str
    headers: dict[str, str]
    length: int


class _Lengths:
    """How many lengths in a file were right, and how many were wrong."""

    def __init__(self) -> None:
        self.right = 0
        self.wrong = 0
        self.rewinds = 0

    def are_believed(self) -> bool:
        """Whether to believe a length that the next record confirms, whatever is in the block."""
        return self.wrong <= self.right


class _RewindError(Exception):
    """Reading must continue within a block: *skip* decompressed bytes after *offset*."""

    def __init__(self, offset: int, skip: int) -> None:
        self.offset = offset
        self.skip = skip


def framed_records(
    file: BinaryFile, compression: str, start: int, problems: Problems
) -> Iterator[Record]:
    """The records of *file* from *start* on, whatever is between them; damage is counted."""
    skip = 0
    lengths = _Lengths()
    while True:
        try:
            for pieces in stretches(file, compression, start, problems):
                window = Window(pieces, plain=compression == "none")
                window.skip(skip)
                skip = 0
                yield from _records(window, problems, lengths)
        except _RewindError as error:
            start, skip = error.offset, error.skip
            lengths.rewinds += 1
        except NotSeekableError:
            problems["not_seekable"] += 1
            return
        else:
            return


def _records(window: Window, problems: Problems, lengths: _Lengths) -> Iterator[Record]:
    lost = False  # in bytes that are not a record and are already counted
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
            wrong = problems["record_length"]
            block = _block(window, head.length, problems, lengths)
            lengths.wrong += problems["record_length"] - wrong
            lengths.right += block.whole
            yield Record(head.type, head.headers, block.data, offset, not block.whole)
            lost = not block.whole
            if block.rewind:
                raise _RewindError(*block.rewind)


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
        ValueError: not a decimal number, or longer than any file can be.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(text)
    return int(text)


def _header_lines(window: Window) -> list[bytes]:
    """The lines up to the empty one; none if that is too far or after the next record begins."""
    lines: list[bytes] = []
    size = 0
    while line := window.line(MAX_HEADER_BYTES):
        if not line.strip(b"\r\n"):
            return lines
        if _VERSION_LINE.match(line):
            window.back(len(line))
            break
        lines.append(line)
        size += len(line)
        if size > MAX_HEADER_BYTES:
            break
    return []


def header_fields(lines: list[bytes]) -> dict[str, str]:
    """The fields of a header, by name in lower case; continued lines are joined (RFC 822)."""
    found: list[tuple[str, str]] = []
    is_field = False
    for line in lines:
        text = line.decode("utf-8", "replace")
        if text[:1] in (" ", "\t"):
            if is_field:
                name, value = found[-1]
                found[-1] = (name, f"{value} {text.strip()}".strip())
            continue
        key, colon, value = text.partition(":")
        is_field = bool(colon and key.strip())
        if is_field:
            found.append((key.strip().lower(), value.strip()))
    fields: dict[str, str] = {}
    for name, value in found:
        add_field(fields, name, value)
    return fields


def add_field(fields: dict[str, str], name: str, value: str) -> None:
    """Add a field to those of a record, *name* in lower case; a repeated one keeps its first value.

    Only ``WARC-Concurrent-To`` may be repeated (WARC 1.1, 5.7): its values are joined by a space.
    """
    if name == "warc-concurrent-to" and name in fields:
        value = f"{fields.pop(name)} {value}"
    fields.setdefault(name, value)


class _Block(NamedTuple):
    data: bytes
    whole: bool
    rewind: tuple[int, int] | None = None
    """Where to continue reading, if that has been passed."""


def _block(window: Window, length: int, problems: Problems, lengths: _Lengths) -> _Block:
    if length > MAX_BLOCK_BYTES:
        return _long_block(window, length, problems, lengths)
    got = window.ahead(length)
    if got == length and _is_right(window, length, lengths):
        return _Block(window.take(length), True)
    return _block_of_wrong_length(window, length, got, problems)


def _is_right(window: Window, length: int, lengths: _Lengths) -> bool:
    """Whether a record ends after *length* bytes, which are in memory."""
    follows = _record_follows(window, length)
    if follows and lengths.are_believed():
        return True
    is_end = follows or window.peek(len(_RECORD_END), length) == _RECORD_END
    return is_end and _next_head(window, length - 1) is None


def _long_block(window: Window, length: int, problems: Problems, lengths: _Lengths) -> _Block:
    """A block of which at most `MAX_BLOCK_BYTES` are kept."""
    next_head = _next_head(window, MAX_BLOCK_BYTES)
    may_rewind = lengths.are_believed() and lengths.rewinds < MAX_REWINDS
    if next_head is not None and not may_rewind:
        return _block_of_wrong_length(window, length, MAX_BLOCK_BYTES, problems)
    rewind = None if next_head is None else window.locate(window.position + next_head)
    data = window.take(MAX_BLOCK_BYTES)
    got = len(data) + window.skip(length - len(data))
    is_end = _record_follows(window, 0) or (
        rewind is None and window.peek(len(_RECORD_END)) == _RECORD_END
    )
    if got == length and is_end:
        return _Block(data, False)
    problems["record_truncated" if got < length and next_head is None else "record_length"] += 1
    return _Block(data[:next_head], False, rewind)


def _block_of_wrong_length(window: Window, length: int, ahead: int, problems: Problems) -> _Block:
    """The block up to the next record within the next *ahead* bytes, else up to their end."""
    next_head = _next_head(window, ahead)
    if next_head is not None:
        problems["record_length"] += 1
        return _Block(window.take(next_head), False)
    problems["record_truncated" if ahead < length else "record_length"] += 1
    data = window.take(ahead)
    if ahead == length:
        data += _up_to_record(window, MAX_BLOCK_BYTES - ahead)
    return _Block(data, False)


def _next_head(window: Window, size: int) -> int | None:
    """How many bytes from here the next record begins, if that is within the next *size*."""
    window.ahead(size + _HEAD_SIGHT)
    if window.matches(_HEAD):
        return 0
    found = (window.search(_NEXT_HEAD, size + _HEAD_SIGHT), window.next_break())
    return min((place for place in found if place is not None and place <= size), default=None)


def _up_to_record(window: Window, limit: int) -> bytes:
    """What is between the claimed end of a block that is longer, and the next record."""
    lines: list[bytes] = []
    while limit > 0 and (line := window.line(min(limit, MAX_HEADER_BYTES))):
        if _VERSION_LINE.match(line) or _ARC_LINE.match(line):
            window.back(len(line))
            break
        lines.append(line)
        limit -= len(line)
    return b"".join(lines)


def _record_follows(window: Window, length: int) -> bool:
    """Whether after *length* bytes and empty lines another record begins, or the file ends."""
    following = window.peek(64, length).lstrip(b"\r\n")
    if not following or following.startswith(b"WARC/"):
        return True
    line = window.peek(MAX_HEADER_BYTES, length).lstrip(b"\r\n").partition(b"\n")[0]
    return _ARC_LINE.match(line) is not None
