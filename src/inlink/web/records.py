"""The records of a crawl file: WARC, ARC or WAT; plain, gzip, zstd or lz4.

FastWARC reads the files as long as they are what it assumes: sound WARC, one record per gzip
member. It does not read ARC, and it stops at the first damaged record, or skips what a wrong length
hides. So each of its records is held back until the next one is found. ``framing``, which is slower
and assumes nothing, continues from the last one to the end of the file. Either way the records are
the same.
"""

from collections.abc import Iterator
from itertools import islice

import fastwarc

from inlink.web.compression import compression_of
from inlink.web.framing import Record, add_field, framed_records
from inlink.web.limits import MAX_BLOCK_BYTES, MAX_HEADER_BYTES
from inlink.web.problems import Problems
from inlink.web.source import HashingFile

_NO_RESTART = ("zstd", "lz4")
"""Formats that can only be decompressed from the beginning of the file."""


def read_records(file: HashingFile, problems: Problems) -> Iterator[Record]:
    """Every record of *file*, from its beginning; damage is counted in *problems*."""
    compression = compression_of(file)
    if not _suits_fastwarc(file, compression):
        yield from framed_records(file, compression, 0, problems)
        return
    held: Record | None = None
    count = at_offset = 0  # records up to the one held back; how many of them are at its offset
    sound = True
    for record in _sound_records(file):
        if record is None:
            sound = False
            break
        if held is not None:
            yield held
        at_offset = at_offset + 1 if held is not None and record.offset == held.offset else 1
        count += 1
        held = record
    if compression not in _NO_RESTART:
        start, done = (held.offset, at_offset - 1) if held else (0, 0)
        yield from islice(framed_records(file, compression, start, problems), done, None)
        return
    if held is not None:
        yield held
    if not sound:
        yield from islice(framed_records(file, compression, 0, problems), count, None)


def _suits_fastwarc(file: HashingFile, compression: str) -> bool:
    """Whether the file begins with WARC records that each have an offset of their own."""
    first = list(islice(framed_records(file, compression, 0, Problems()), 2))
    try:
        file.seek(0)
    except OSError:
        return False
    if compression == "gzip" and len(first) == 2 and first[0].offset == first[1].offset:
        return False
    return bool(first) and "warc-type" in first[0].headers


def _sound_records(file: HashingFile) -> Iterator[Record | None]:
    """FastWARC's records up to the end, or up to the first unsound one; then None."""
    records = fastwarc.ArchiveIterator(file, parse_http=False, max_header_len=MAX_HEADER_BYTES)
    iterator = iter(records)
    while True:
        try:
            record = next(iterator)
            headers = _fields(record)
            block = record.reader.read(min(record.content_length, MAX_BLOCK_BYTES))
            size = len(block) + record.reader.consume()
        except StopIteration:
            return
        except (OSError, ValueError):
            yield None
            return
        if not headers.get("warc-type") or headers.get("content-length") != str(size):
            yield None
            return
        is_cut = size > len(block)
        yield Record(headers["warc-type"].lower(), headers, block, record.stream_pos, is_cut)


def _fields(record: fastwarc.WarcRecord) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in record.headers.to_tuples():
        add_field(fields, name.lower(), value.strip())
    return fields
