"""Joins records that were cut into segments (WARC 1.1, 8).

In: the records of a file. Out: the same records, but the first segment of a record that was cut has
the blocks of its ``continuation`` records, and comes when the last of them was found. If a part is
missing, the record comes without whatever follows that part, and is marked as truncated.

A file is read once, and at most `HELD_BYTES` of segments are kept: if there are more, those that
have waited longest are given up.
"""

from collections.abc import Iterable, Iterator

import msgspec

from inlink.web.framing import Record, content_length
from inlink.web.limits import MAX_BLOCK_BYTES
from inlink.web.problems import Problems

HELD_BYTES = 2 * MAX_BLOCK_BYTES
"""Bytes of blocks that wait for the rest of their record."""

_RECORD_SIZE = 1000  # bytes that a record takes besides its block, roughly

_Name = tuple[str, str]
"""WARC-Record-ID and WARC-Target-URI of the first segment: some tools give an id twice."""


class _Parts(msgspec.Struct):
    """The segments found of one record, by number, and how many bytes they have."""

    segments: dict[int, Record] = {}
    size: int = 0
    total: int | None = None
    """Bytes of all segments, as the last one states."""

    @property
    def held(self) -> int:
        """Bytes of memory, roughly."""
        return self.size + _RECORD_SIZE * len(self.segments)

    def add(self, number: int, record: Record) -> None:
        self.segments[number] = record
        self.size += len(record.block)
        self.total = _total(record) if self.total is None else self.total

    def is_gapless(self) -> bool:
        return max(self.segments) == len(self.segments)


def joined(records: Iterable[Record], problems: Problems) -> Iterator[Record]:
    """*records* with their segments joined; records with a missing part are counted."""
    waiting: dict[_Name, _Parts] = {}
    held = 0
    for record in records:
        number, name = _segment_number(record), _name(record)
        if number is None or name is None:
            if record.type != "continuation":
                yield record
            continue
        if name in waiting and number in waiting[name].segments:
            held -= waiting[name].held
            yield from _given_up(waiting.pop(name), problems)
        parts = waiting.setdefault(name, _Parts())
        held -= parts.held
        parts.add(number, record)
        held += parts.held
        if parts.total == parts.size and parts.is_gapless():
            held -= parts.held
            yield _joined(waiting.pop(name), len(parts.segments))
        while held > HELD_BYTES:
            oldest = waiting.pop(next(iter(waiting)))
            held -= oldest.held
            yield from _given_up(oldest, problems)
    for parts in waiting.values():
        yield from _given_up(parts, problems)


def _segment_number(record: Record) -> int | None:
    try:
        number = content_length(record.headers.get("warc-segment-number", ""))
    except ValueError:
        return None
    return number if number and (number > 1) == (record.type == "continuation") else None


def _name(record: Record) -> _Name | None:
    is_first = record.type != "continuation"
    record_id = record.headers.get("warc-record-id" if is_first else "warc-segment-origin-id")
    uri = record.headers.get("warc-target-uri", "").strip("<>")
    return (record_id, uri) if record_id else None


def _total(record: Record) -> int | None:
    try:
        return content_length(record.headers.get("warc-segment-total-length", ""))
    except ValueError:
        return None


def _given_up(parts: _Parts, problems: Problems) -> Iterator[Record]:
    """The record as far as its segments go; none if the first one is in another file."""
    if 1 in parts.segments:
        problems["segment_missing"] += 1
        count = next(n for n in range(1, len(parts.segments) + 2) if n not in parts.segments) - 1
        yield msgspec.structs.replace(_joined(parts, count), truncated=True)


def _joined(parts: _Parts, count: int) -> Record:
    """The first *count* segments as one record."""
    segments = [parts.segments[number] for number in range(1, count + 1)]
    block = b"".join(segment.block for segment in segments)
    is_cut = any(each.truncated or "warc-truncated" in each.headers for each in segments)
    first = segments[0]
    headers = {name: text for name, text in first.headers.items() if name != "warc-segment-number"}
    return Record(
        first.type,
        headers,
        block[:MAX_BLOCK_BYTES],
        first.offset,
        is_cut or len(block) > MAX_BLOCK_BYTES,
    )
