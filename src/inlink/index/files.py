"""Arrow IPC files with one uncompressed record batch: written whole, read as memory-mapped columns.

In: named columns of equal length. Out: a file that any Arrow tool can read, and NumPy arrays that
map the file's pages. Format: https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Column = npt.NDArray[Any]
Ints = npt.NDArray[np.integer[Any]]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
UInt8 = npt.NDArray[np.uint8]
Int16 = npt.NDArray[np.int16]
UInt16 = npt.NDArray[np.uint16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


def write_batch(
    path: Path,
    columns: Mapping[str, "pa.Array[Any]"],
    metadata: Mapping[str | bytes, str | bytes] = MappingProxyType({}),
) -> None:
    """Write *columns*, none of which has nulls, as the only record batch of *path*."""
    fields = [pa.field(name, column.type, nullable=False) for name, column in columns.items()]
    batch = pa.record_batch(list(columns.values()), schema=pa.schema(fields, {**metadata}))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def one_batch(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """The rows of *batches*, at least one, in one batch."""
    columns = zip(*(batch.columns for batch in batches), strict=True)
    joined: list[Any] = [pa.concat_arrays(parts) for parts in columns]
    return pa.record_batch(joined, schema=batches[0].schema)


def map_batch(path: Path) -> pa.RecordBatch:
    """The record batch of *path*, memory-mapped: data is read only when it is used."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).get_batch(0)


def write_columns(path: Path, columns: Mapping[str, Column]) -> None:
    """Write NumPy *columns* to *path*; ``datetime64[D]`` becomes ``date32``, so days stay dates."""
    write_batch(path, {name: pa.array(values) for name, values in columns.items()})


def map_columns(path: Path) -> dict[str, Column]:
    """The columns of *path* as NumPy arrays in mapped memory; dates as int32 days since 1970."""
    batch = map_batch(path)
    return {
        name: np.frombuffer(memoryview(column.buffers()[1] or b""), dtype=_storage(column.type))
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }


def _storage(kind: pa.DataType) -> "np.dtype[Any]":
    return np.dtype(np.int32 if pa.types.is_date32(kind) else kind.to_pandas_dtype())
