"""The engine of a build: runs one step at a time and keeps its result, so a build can resume.

Each step is an Ibis expression whose result becomes one Parquet file. A file appears under its name
only when it is whole; a build that restarts after a crash uses the files that are there.
"""

import itertools
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend
from numpy.typing import NDArray

StepProgress = Callable[[str, float | None], None]
"""Called with the name of the running step and its share done (0 to 1, None if unknown)."""

_MAPPED_ROWS = 1 << 14
"""Rows that are in Python at one time."""

_DICTIONARY_SIZE = 5000
"""Maximum number of values in a dictionary: ids are not worth one, and trying takes long."""


class _Engine(Backend):  # type: ignore[misc]  # Ibis has no types
    """DuckDB that remembers the SQL of the expressions it has run.

    A build of few rows spends most of its time making SQL, and a process that builds again and
    again, as `inlink run` does, makes the same SQL each time: names of tables do not change.
    """

    def compile(self, expr: ir.Expr, /, **options: Any) -> str:
        """The SQL of *expr*."""
        return _sql(expr.op()) if not any(options.values()) else super().compile(expr, **options)


@lru_cache(maxsize=256)
def _sql(operation: ops.Node) -> str:
    return str(Backend().compile(operation.to_expr()))


class Workspace:
    """A directory of step results and the DuckDB that makes them."""

    def __init__(self, directory: Path, memory_limit: str, progress: StepProgress) -> None:
        self.tables = directory / "tables"
        self.steps = directory / "steps"
        self._spill = directory / "spill"
        for folder in (self.tables, self.steps, self._spill):
            folder.mkdir(parents=True, exist_ok=True)
        self._progress = progress
        self._names = (f"input_{number}" for number in itertools.count())
        self._connection: Backend = _Engine().connect(preserve_insertion_order=False)
        self._set("memory_limit", memory_limit)
        self._set("temp_directory", str(self._spill))
        self._set("TimeZone", "UTC")
        # Without these, a query's progress is unknown in a script, and printed otherwise.
        self._set("enable_progress_bar", "true")
        self._set("enable_progress_bar_print", "false")

    def _set(self, name: str, value: str) -> None:
        # Not as an argument of the connection: by these, Ibis tells the tables of two apart.
        quoted = value.replace("'", "''")
        self._connection.raw_sql(f"SET {name} = '{quoted}'")

    def close(self) -> None:
        """Close the engine."""
        self._connection.disconnect()

    def read(self, files: Sequence[Path], schema: pa.Schema) -> ir.Table:
        """The rows of Parquet *files* together; an empty table of *schema* if there are none.

        Columns that files of an earlier version lack are null, unless such files have the value in
        another form.
        """
        if not files:
            return self._empty(schema)
        names = [str(file) for file in files]
        return _as_now(self._parquet(names, union_by_name=True), schema)

    def read_placed(self, files: Sequence[Path], schema: pa.Schema) -> ir.Table:
        """The same, and where each row is: ``batch``, its directory, and ``row``, its place."""
        if not files:
            nowhere = {"batch": ibis.literal(""), "row": ibis.literal(0, "int32")}
            return self._empty(schema).mutate(**nowhere)
        rows = self._parquet(
            [str(file) for file in files], filename=True, file_row_number=True, union_by_name=True
        )
        return rows.mutate(
            batch=rows["filename"].re_extract(r"([^/]+)/[^/]+$", 1),
            row=rows["file_row_number"].cast("int32"),
        )

    def table(self, name: str, expression: ir.Table, schema: pa.Schema) -> ir.Table:
        """Make a table of the generation, with exactly the columns of *schema*."""
        columns = {field.name: expression[field.name] for field in schema}
        return self._make(self.tables / f"{name}.parquet", expression.select(**columns))

    def write(self, name: str, rows: pa.Table, schema: pa.Schema) -> ir.Table:
        """Write a table of the generation made outside the engine."""
        path = self.tables / f"{name}.parquet"
        temporary = path.with_suffix(".part")
        pq.write_table(rows.cast(schema), temporary, compression="zstd")
        temporary.replace(path)
        return self._parquet([str(path)])

    def step(self, name: str, expression: ir.Table) -> ir.Table:
        """Make an intermediate table."""
        return self._make(self.steps / f"{name}.parquet", expression, "lz4_raw")

    def mapped(
        self,
        name: str,
        expression: ir.Table,
        function: Callable[[dict[str, Any]], dict[str, Any] | None],
        schema: pa.Schema,
    ) -> ir.Table:
        """Make an intermediate table by applying *function* to each row; None drops the row."""
        path = self.steps / f"{name}.parquet"
        if not path.exists():
            self.step(f"{name}-before", expression)
            self._progress(name, None)
            temporary = path.with_suffix(".part")
            with (
                pq.ParquetFile(self.steps / f"{name}-before.parquet") as before,
                pq.ParquetWriter(temporary, schema, compression="lz4") as writer,
            ):
                for batch in before.iter_batches(_MAPPED_ROWS):
                    made = [row for row in map(function, batch.to_pylist()) if row is not None]
                    writer.write_table(pa.Table.from_pylist(made, schema))
            temporary.replace(path)
        return self._parquet([str(path)])

    def columns(self, name: str, types: dict[str, type[np.generic]]) -> dict[str, NDArray[Any]]:
        """Columns of step *name* in its row order, read without a second copy in memory."""
        file = pq.ParquetFile(self.steps / f"{name}.parquet")
        arrays = {column: np.empty(file.metadata.num_rows, kind) for column, kind in types.items()}
        start = 0
        for batch in file.iter_batches(columns=list(types)):
            for column, array in arrays.items():
                array[start : start + len(batch)] = batch[column].to_numpy()
            start += len(batch)
        return arrays

    def _make(self, path: Path, expression: ir.Table, compression: str = "zstd") -> ir.Table:
        if not path.exists():
            temporary = path.with_suffix(".part")
            with _Watch(self._connection, path.stem, self._progress):
                self._connection.to_parquet(
                    expression,
                    temporary,
                    compression=compression,
                    dictionary_size_limit=_DICTIONARY_SIZE,
                )
            temporary.replace(path)
        return self._parquet([str(path)])

    def _parquet(self, paths: list[str], **options: bool) -> ir.Table:
        return self._connection.read_parquet(paths, table_name=next(self._names), **options)

    def _empty(self, schema: pa.Schema) -> ir.Table:
        path = self.steps / f"empty-{'-'.join(schema.names)[:100]}.parquet"
        pq.write_table(schema.empty_table(), path)
        return self._parquet([str(path)])


def _as_now(rows: ir.Table, schema: pa.Schema) -> ir.Table:
    """The columns of *schema*, from files of this version and earlier ones.

    Visits had ``truncated`` before they had ``complete``.
    """
    lacking = {
        name: ibis.null(kind(nullable=True))
        for name, kind in ibis.Schema.from_pyarrow(schema).items()
        if name not in rows.columns
    }
    columns = rows.mutate(**lacking)
    if "truncated" in rows.columns:
        columns = columns.mutate(complete=columns.complete.coalesce(~columns.truncated))
    return columns.select(schema.names)


class _Watch:
    """Reports DuckDB's progress on the query that runs inside the ``with`` block."""

    def __init__(self, connection: Backend, name: str, progress: StepProgress) -> None:
        self._connection = connection
        self._name = name
        self._progress = progress
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> None:
        self._progress(self._name, 0.0)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._progress(self._name, 1.0)

    def _poll(self) -> None:
        while not self._done.wait(0.2):
            percent = self._connection.con.query_progress()
            self._progress(self._name, percent / 100 if percent >= 0 else None)


def count(table: ir.Table) -> int:
    """How many rows *table* has."""
    return int(table.count().to_pyarrow().as_py())
