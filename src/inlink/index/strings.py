"""Tables of strings on disk: small compressed blocks, looked up by row, or by key if sorted.

In: rows of one or more text columns. Out: an Arrow IPC file, and a reader that finds rows in it.
docs/segments.md has the measurements behind the block size, the level and the dictionary.

The first row of the file holds the zstd dictionary. Each further row is a block of `BLOCK_ROWS`
rows of strings. A block has its strings, one column after the other, joined by 0xFF (a byte that
UTF-8 never has) and compressed with zstd (RFC 8878). If the first column is sorted, ``separator``
is the shortest prefix of a block's first key that is greater than the last key before it (suffix
truncation: Bayer and Unterauer, Prefix B-Trees, 1977), so that a search reads only one block.
"""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import zstandard

from inlink.index.files import map_batch, one_batch, write_batch

BLOCK_ROWS = 16
LEVEL = 9
SAMPLE_BLOCKS = 4096
"""How many evenly spread blocks the dictionary is trained on."""

MAX_DICTIONARY = 64 * 1024

REMEMBERED_ROWS = 8192
"""Rows that are remembered for each file: pages with many links and frequent texts recur often."""

FEW_ROWS = 1000
"""Up to this many rows are looked up one by one, and remembered."""

_SEPARATOR = b"\xff"


def write_strings(
    path: Path,
    rows: pa.RecordBatchReader,
    sample: pa.RecordBatch | None = None,
    *,
    sorted_by_key: bool = False,
    block_rows: int = BLOCK_ROWS,
    level: int = LEVEL,
) -> int:
    """Write *rows* (text columns without nulls) to *path*; returns how many there were.

    The dictionary is trained on *sample*, whole blocks of the same rows.
    """
    dictionary = _train(sample, block_rows) if sample is not None else b""
    compressor = _compressor(dictionary, level)
    blocks, separators = [dictionary], [b""]
    count, last = 0, b""
    for batch in _whole_blocks(rows, block_rows):
        count += batch.num_rows
        blocks += [compressor.compress(block) for block in _joined(batch, block_rows)]
        if sorted_by_key:
            separators += _separators(batch.column(0), block_rows, last)
            last = batch.column(0)[-1].as_py().encode()
    content = {"block": pa.array(blocks, pa.large_binary())}
    if sorted_by_key:
        content["separator"] = pa.array(separators, pa.large_binary())
    shape = {"rows": count, "columns": len(rows.schema), "block_rows": block_rows}
    write_batch(path, content, {name: str(number) for name, number in shape.items()})
    return count


def _train(sample: pa.RecordBatch, block_rows: int) -> bytes:
    """A zstd dictionary of at most 1/32 of the sample; empty if the sample is too small for one."""
    samples: list[Any] = _joined(sample, block_rows)
    size = min(MAX_DICTIONARY, sum(map(len, samples)) // 32)
    if size < 4096:
        return b""
    # Segment and d-mer lengths are fixed, as a search for the best ones takes minutes.
    return zstandard.train_dictionary(size, samples, k=1024, d=8).as_bytes()


def _compressor(dictionary: bytes, level: int) -> zstandard.ZstdCompressor:
    if not dictionary:
        return zstandard.ZstdCompressor(level=level)
    trained = zstandard.ZstdCompressionDict(dictionary)
    trained.precompute_compress(level=level)
    return zstandard.ZstdCompressor(level=level, dict_data=trained, write_dict_id=False)


def _whole_blocks(rows: Iterable[pa.RecordBatch], block_rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches that end where a block ends."""
    rest: list[pa.RecordBatch] = []
    for batch in rows:
        rest.append(batch)
        waiting = sum(part.num_rows for part in rest)
        if whole := waiting - waiting % block_rows:
            joined = one_batch(rest)
            yield joined.slice(0, whole)
            rest = [joined.slice(whole)] if waiting > whole else []
    if any(part.num_rows for part in rest):
        yield one_batch(rest)


def _joined(batch: pa.RecordBatch, block_rows: int) -> list[bytes]:
    """The blocks of *batch*, before compression."""
    import pyarrow.compute as pc  # takes some 40 ms; a server only reads

    starts = np.arange(0, batch.num_rows, block_rows, dtype=np.int64)
    offsets = pa.array(np.append(starts, batch.num_rows))
    separator = pa.scalar(_SEPARATOR, pa.large_binary())
    columns: list[Any] = [
        pc.binary_join(
            pa.LargeListArray.from_arrays(offsets, column.cast(pa.large_binary())), separator
        )
        for column in batch.columns
    ]
    joined: list[bytes] = pc.binary_join_element_wise(*columns, separator).to_pylist()
    return joined


def _separators(keys: "pa.Array[Any]", block_rows: int, last: bytes) -> list[bytes]:
    binary: Any = keys.cast(pa.large_binary())
    firsts, lasts = (
        binary[::block_rows].to_pylist(),
        binary[block_rows - 1 :: block_rows].to_pylist(),
    )
    return [_shortest(before, first) for before, first in zip([last, *lasts], firsts, strict=False)]


def _shortest(before: bytes, first: bytes) -> bytes:
    """The shortest prefix of *first* that is greater than *before*."""
    equal = takewhile(lambda pair: pair[0] == pair[1], zip(before, first, strict=False))
    return first[: sum(1 for _ in equal) + 1]


class Strings:
    """A file of strings, memory-mapped. Safe to use from several threads.

    *shown* converts the first column for look-ups; keys stay as they are.
    """

    def __init__(self, path: Path, shown: Callable[[str], str] = str) -> None:
        batch = map_batch(path)
        described = batch.schema.metadata or {}
        self._rows = int(described[b"rows"])
        self._columns = int(described[b"columns"])
        self._block_rows = int(described[b"block_rows"])
        self._blocks = _Binaries(batch.column(0))
        self._separators = _Binaries(batch.column(1)) if batch.num_columns > 1 else None
        dictionary = bytes(self._blocks[0])
        self._dictionary = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        self._thread = threading.local()
        self._shown = shown
        self._row = lru_cache(REMEMBERED_ROWS)(self.read_row)

    def __len__(self) -> int:
        return self._rows

    def lookup(self, rows: npt.NDArray[np.integer[Any]]) -> list[list[str]]:
        """The strings of *rows*, in their order: one list for each column."""
        if 0 < len(rows) <= FEW_ROWS:
            return list(map(list, zip(*map(self._row, rows.tolist()), strict=True)))
        distinct, places = np.unique(rows, return_inverse=True)
        columns = self._distinct(distinct)
        columns[0] = list(map(self._shown, columns[0]))
        order = places.tolist()
        return [list(map(column.__getitem__, order)) for column in columns]

    def _distinct(self, rows: npt.NDArray[np.integer[Any]]) -> list[list[str]]:
        """The same for ascending rows: each block is opened once."""
        blocks, places = np.divmod(rows, self._block_rows)
        starts = np.flatnonzero(np.append(True, blocks[1:] != blocks[:-1])[: len(rows)])
        ends = np.append(starts[1:], len(rows))[: len(starts)].tolist()
        wanted, columns = places.tolist(), range(self._columns)
        found: list[list[bytes]] = [[] for _ in columns]
        for block, start, end in zip(blocks[starts].tolist(), starts.tolist(), ends, strict=True):
            parts = self._block(block).split(_SEPARATOR)
            count = len(parts) // self._columns
            for column in columns:
                before = column * count
                found[column] += [parts[before + place] for place in wanted[start:end]]
        return [list(map(bytes.decode, texts)) for texts in found]

    def get(self, row: int) -> str:
        """The key of *row*."""
        return self._parts(row)[0]

    def read_row(self, row: int) -> tuple[str, ...]:
        """The strings of one row, without remembering them."""
        first, *others = self._parts(row)
        return self._shown(first), *others

    def _parts(self, row: int) -> list[str]:
        block, place = divmod(row, self._block_rows)
        rows = min(self._block_rows, self._rows - block * self._block_rows)
        last = place + (self._columns - 1) * rows
        parts = self._block(block).split(_SEPARATOR, last + 1)
        return [part.decode() for part in parts[place : last + 1 : rows]]

    def bisect(self, key: str) -> int:
        """How many rows have a key (first column) less than *key*; for sorted files only."""
        assert self._separators is not None
        wanted = key.encode()
        block = bisect_right(self._separators, wanted, lo=1, key=bytes) - 2
        if block < 0:
            return 0
        return block * self._block_rows + self._bisect_within(block, wanted)

    def between(self, low: str, high: str) -> slice:
        """The rows with a key from *low* up to, not including, *high*; for sorted files only."""
        assert self._separators is not None
        start, wanted = self.bisect(low), high.encode()
        block = start // self._block_rows
        following = block + 2  # the first separator is the dictionary's
        if start == self._rows or (
            following < len(self._separators) and wanted >= bytes(self._separators[following])
        ):
            return slice(start, self.bisect(high))
        # Most ranges are short and end in the block where they begin.
        return slice(start, block * self._block_rows + self._bisect_within(block, wanted))

    def _bisect_within(self, block: int, wanted: bytes) -> int:
        parts = self._block(block).split(_SEPARATOR)
        return bisect_left(parts, wanted, hi=len(parts) // self._columns)

    def _block(self, number: int) -> bytes:
        try:
            decompressor = self._thread.decompressor
        except AttributeError:
            decompressor = zstandard.ZstdDecompressor(dict_data=self._dictionary)
            self._thread.decompressor = decompressor
        content: bytes = decompressor.decompress(self._blocks[number + 1])
        return content


class _Binaries:
    """A large_binary column; its values are views of the mapped file."""

    def __init__(self, column: "pa.Array[Any]") -> None:
        _, offsets, content = column.buffers()
        self._offsets = np.frombuffer(memoryview(offsets or b""), dtype=np.int64)[: len(column) + 1]
        self._content = memoryview(content or b"")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: int) -> memoryview:
        return self._content[self._offsets[row] : self._offsets[row + 1]]
