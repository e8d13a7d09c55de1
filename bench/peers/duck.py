"""The peer on DuckDB: its own file format, the links in the order of their targets."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from bench.peers.database import Database, Row, Values, named
from bench.peers.rows import TABLES
from inlink.contract.vocabulary import Mode


class DuckDb(Database):
    """A connection to the file *place*."""

    NAME = "DuckDB"
    IN_ORDER = ""  # kept, unless told otherwise
    HAS_INDEXES = False

    def __init__(self, place: str) -> None:
        self._connection = duckdb.connect(place, read_only=True)
        super().__init__()

    @classmethod
    def load(cls, rows: Path, place: str) -> None:
        """Copy the tables; zone maps find the rows of a target, an index those of a rank."""
        with duckdb.connect(place) as database:
            for name in TABLES:
                database.execute(f"create table {name} as from '{rows / name}.parquet'")
            database.execute("create unique index ranks_url on ranks (url_id)")

    @classmethod
    def size(cls, place: str) -> int:
        """Bytes of the file."""
        return Path(place).stat().st_size

    def where(self, mode: Mode) -> str:
        """The columns that the rows are sorted by, down to the target."""
        return sorted_where(mode)

    def ask(self, query: str, values: Values) -> Sequence[Row]:
        """The rows of an answer."""
        text, names = named(query, "${}")
        return self._connection.execute(text, {name: values[name] for name in names}).fetchall()

    def batches(self, query: str, values: Values, rows: int) -> Iterator[Sequence[Row]]:
        """The same, *rows* at a time."""
        text, names = named(query, "${}")
        found = self._connection.execute(text, {name: values[name] for name in names})
        return iter(lambda: found.fetchmany(rows), [])


def sorted_where(mode: Mode) -> str:
    """The condition on the first columns of the order (domain, host, URL)."""
    keys: dict[Mode, tuple[Mode, ...]] = {
        "domain": ("domain",),
        "host": ("domain", "host"),
        "url": ("domain", "host", "url"),
    }
    return " and ".join(f"{key}_id = :{key}" for key in keys[mode])


PEER = DuckDb
