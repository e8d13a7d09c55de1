"""The peer on SQLite: one file, read through a memory map."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from bench.peers.database import Database, Row, Values
from bench.peers.indexes import INDEXES
from bench.peers.rows import BATCH_ROWS, TABLES

_MAPPED = "mmap_size = 100000000000"
_FOR_LOADING = (
    *("journal_mode = off", "synchronous = off", _MAPPED),
    *("cache_size = -2000000", "threads = 2"),
)
_FOR_READING = (_MAPPED, "cache_size = -200000", "query_only = on")


class Sqlite(Database):
    """A connection to the file *place*."""

    NAME = "SQLite"
    DATES_AS_TEXTS = True
    OPEN_DAY = "'2100-01-01'"

    def __init__(self, place: str) -> None:
        self._connection = sqlite3.connect(place, cached_statements=1024)
        for pragma in _FOR_READING:
            self._connection.execute(f"pragma {pragma}")
        super().__init__()

    @classmethod
    def load(cls, rows: Path, place: str) -> None:
        """Copy the tables, and make the indexes; dates are texts, as is usual in SQLite."""
        target = sqlite3.connect(place, isolation_level=None)
        for pragma in _FOR_LOADING:
            target.execute(f"pragma {pragma}")
        for name in TABLES:
            _copy(rows / f"{name}.parquet", target)
        for index in INDEXES:
            target.execute(index)
        target.execute("analyze")
        target.close()

    @classmethod
    def size(cls, place: str) -> int:
        """Bytes of the file."""
        return Path(place).stat().st_size

    def ask(self, query: str, values: Values) -> Sequence[Row]:
        """The rows of an answer."""
        return self._connection.execute(query, _texts(values)).fetchall()

    def batches(self, query: str, values: Values, rows: int) -> Iterator[Sequence[Row]]:
        """The same, *rows* at a time."""
        cursor = self._connection.execute(query, _texts(values))
        return iter(lambda: cursor.fetchmany(rows), [])


def _copy(source: Path, target: sqlite3.Connection) -> None:
    """Make the table that is named like the Parquet file."""
    described = duckdb.execute(f"describe from '{source}'").fetchall()
    read = ", ".join(f"{name}::varchar" if kind == "DATE" else name for name, kind, *_ in described)
    names = [name for name, *_ in described]
    made = ", ".join(f"{name} integer primary key" if name == "id" else name for name in names)
    target.execute(f"create table {source.stem} ({made})")
    insert = f"insert into {source.stem} values ({', '.join('?' * len(names))})"
    found = duckdb.execute(f"select {read} from '{source}'")
    target.execute("begin")
    while rows := found.fetchmany(BATCH_ROWS):
        target.executemany(insert, rows)
    target.execute("commit")


def _texts(values: Values) -> dict[str, object]:
    return {name: v if isinstance(v, int) else str(v) for name, v in values.items()}


PEER = Sqlite
