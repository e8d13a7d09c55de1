"""One record of a crawl file, read on demand from the place that a batch gives.

In: a batch and the row of a visit. Out: the record, and its bytes. The crawl file is not read again
as a whole. It counts as the file that the index was built from if it has the size that the batch
gives, and a record of the same URL and time at that place.
"""

import io
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from inlink.extract.batch import read_batch
from inlink.extract.captures import Capture
from inlink.extract.wat import is_wat, told_by
from inlink.store.layout import Layout
from inlink.urls.canonical import canonical_url, text_id
from inlink.web.compression import compression_of, stretches
from inlink.web.framing import Record, framed_records
from inlink.web.limits import MAX_BLOCK_BYTES, MAX_HEADER_BYTES
from inlink.web.problems import Problems
from inlink.web.segments import joined
from inlink.web.source import BinaryFile, located, opened

MAX_BYTES = MAX_BLOCK_BYTES + MAX_HEADER_BYTES
"""Decompressed bytes, from the offset of a record on, within which the record must end."""

MAX_SEGMENT_DISTANCE = 1000
"""Records from the first segment of a segmented record to its last."""

_FIRST_LOOK = 1 << 18
_SKIPPABLE = range(0x50, 0x60)
_ZSTD = b"\x28\xb5\x2f\xfd"


class RecordGoneError(Exception):
    """The record can no longer be read; the message says why."""


class Recorded(msgspec.Struct, frozen=True):
    """What a batch stores about a record."""

    file: str
    """Address of the crawl file, as it was ingested."""
    file_size: int
    offset: int
    url_id: int
    time: int
    """Microseconds since 1970."""


class Evidence(msgspec.Struct, frozen=True):
    """A record that was read again."""

    recorded: Recorded
    record: Record
    capture: Capture
    content: bytes
    """The record as it is in the file, decompressed."""


def recorded(layout: Layout, batch: str, row: int) -> Recorded:
    """What *batch* stores about the record of a visit, given as the *row* of its table.

    Raises:
        RecordGoneError: the batch no longer exists.
    """
    directory = layout.batches / batch
    try:
        known = read_batch(directory)
        visit = _row(directory / "visits.parquet", row, ["offset", "url_id", "visited_at"])
    except FileNotFoundError as error:
        said = f"The batch {batch} is no longer in the data directory."
        raise RecordGoneError(said) from error
    return Recorded(
        known.source.url, known.size, visit["offset"], visit["url_id"], visit["visited_at"]
    )


def _row(path: Path, row: int, columns: list[str]) -> dict[str, int]:
    """Some columns of one row of a Parquet file; only the row group that has the row is read."""
    with pq.ParquetFile(path) as file:
        group = 0
        while row >= (rows := file.metadata.row_group(group).num_rows):
            row -= rows
            group += 1
        found = file.read_row_group(group, columns=columns).slice(row, 1)
    return {name: found.column(name).cast(pa.int64())[0].as_py() for name in columns}


def read_record(place: Recorded, drop_parameters: tuple[str, ...] = ()) -> Evidence:
    """The record at *place*, if it is the one that the batch was made from.

    Raises:
        RecordGoneError: the crawl file is gone, or is no longer the same.
    """
    try:
        found = _read(place, drop_parameters)
    except Exception as error:  # each file system and each compression has errors of its own
        raise RecordGoneError(f"The crawl file {place.file} cannot be read: {error}.") from error
    if found is None:
        raise RecordGoneError(
            f"The crawl file {place.file} is not the one that was ingested: at offset"
            f" {place.offset} it no longer has this record."
        )
    return found


def _read(place: Recorded, drop_parameters: tuple[str, ...]) -> Evidence | None:
    filesystem, path = located(place.file)
    size = filesystem.info(path).get("size")
    if size is not None and size != place.file_size:
        return None
    with closing(opened(place.file)) as file:
        for record, content in records_at(file, place.offset):
            info = _first_record(file) if is_wat(record) else None
            capture = capture_from(_whole(record, file, place.offset), info)
            if capture is not None and _is_recorded(capture, place, drop_parameters):
                return Evidence(place, record, capture, content)
    return None


def capture_from(record: Record, info: Record | None = None) -> Capture | None:
    """The visit that *record* describes; *info* is the ``warcinfo`` record of its file."""
    told = told_by(record, info, Problems())
    return told if isinstance(told, Capture) else None


def _whole(record: Record, file: BinaryFile, offset: int) -> Record:
    """*record*, with its other segments if it is the first of several (see `segments`)."""
    if "warc-segment-number" not in record.headers:
        return record
    problems = Problems()
    following = framed_records(file, compression_of(file), offset, problems)
    found = joined(islice(following, MAX_SEGMENT_DISTANCE), problems)
    same = record.headers.get("warc-record-id")
    return next((each for each in found if each.headers.get("warc-record-id") == same), record)


def _first_record(file: BinaryFile) -> Record | None:
    """The ``warcinfo`` record at the start of *file*, if there is one."""
    first = next((record for record, _ in records_at(file, 0)), None)
    return first if first is not None and first.type == "warcinfo" else None


def _is_recorded(capture: Capture, place: Recorded, drop_parameters: tuple[str, ...]) -> bool:
    url = canonical_url(capture.uri, drop_parameters=drop_parameters)
    return url is not None and (text_id(url), capture.time) == (place.url_id, place.time)


def records_at(file: BinaryFile, offset: int) -> Iterator[tuple[Record, bytes]]:
    """The records that begin at *offset*, with their bytes: one, or those of one gzip member."""
    compression = compression_of(file)
    if compression != "none":
        return _records(_member(file, compression, offset))
    look = _FIRST_LOOK
    while True:
        file.seek(offset)
        content = file.read(look)
        found = list(islice(_records(content), 1))
        if len(content) < look or look > MAX_BYTES or (found and not found[0][0].truncated):
            return iter(found)
        look *= 4


def _member(file: BinaryFile, compression: str, offset: int) -> bytes:
    """The compressed unit at *offset*, decompressed; with lz4, perhaps a little more."""
    if compression == "zstd":
        return _zstd_frame(file, offset)
    pieces: list[bytes] = []
    size, begin = 0, None
    for stretch in islice(stretches(file, compression, offset, Problems()), 1):
        for place, piece in stretch:
            begin = place if begin is None else begin
            if place != begin and compression == "gzip":
                break
            pieces.append(piece)
            size += len(piece)
            if place != begin or size > MAX_BYTES:
                break
    return b"".join(pieces)


def _zstd_frame(file: BinaryFile, offset: int) -> bytes:
    """One frame, decompressed; a file may begin with a dictionary, in a skippable frame.

    https://iipc.github.io/warc-specifications/specifications/warc-zstd/
    """
    file.seek(0)
    head = file.read(8)
    dictionary = b""
    if head[0] in _SKIPPABLE:
        dictionary = file.read(int.from_bytes(head[4:], "little"))
    if dictionary.startswith(_ZSTD):
        dictionary = zstandard.ZstdDecompressor().decompressobj().decompress(dictionary)
    known = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
    file.seek(offset)
    decompressor = zstandard.ZstdDecompressor(dict_data=known)
    return decompressor.stream_reader(file).read(MAX_BYTES)  # type: ignore[arg-type]


def _records(content: bytes) -> Iterator[tuple[Record, bytes]]:
    """The records in *content*, with their bytes, which end where the next one begins."""
    held: Record | None = None
    for record in framed_records(io.BytesIO(content), "none", 0, Problems()):
        if held is not None:
            yield held, content[held.offset : record.offset]
        held = record
    if held is not None:
        yield held, content[held.offset :]
