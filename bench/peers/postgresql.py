"""The peer on PostgreSQL: one server with its settings for a machine of this size."""

import contextlib
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import psycopg
from tests.databases import start_postgresql

from bench.peers.database import Database, Row, Values, named
from bench.peers.indexes import INDEXES
from bench.peers.rows import TABLES

_SETTINGS = {
    "shared_buffers": "4GB",
    "effective_cache_size": "12GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "2GB",
    "random_page_cost": "1.1",
    "max_wal_size": "16GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",  # takes longer than most of these answers
}
_TYPES = {"VARCHAR": "text", "HUGEINT": "bigint"}


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A server with an empty database; where it is, for `PostgreSql`."""
    options = [part for item in _SETTINGS.items() for part in ("-c", "=".join(item))]
    with tempfile.TemporaryDirectory(prefix="bench-pg-", ignore_cleanup_errors=True) as directory:
        process = start_postgresql(Path(directory), *options)
        try:
            yield f"host={directory} user=postgres dbname=postgres"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


class PostgreSql(Database):
    """A connection to the server that *place* says."""

    NAME = "PostgreSQL"

    def __init__(self, place: str) -> None:
        self._connection = psycopg.connect(place, autocommit=True)
        super().__init__()

    @classmethod
    def load(cls, rows: Path, place: str) -> None:
        """Copy the tables, make the indexes, and count what the planner wants to know."""
        with psycopg.connect(place, autocommit=True) as connection:
            for name in TABLES:
                _copy(rows / f"{name}.parquet", connection)
            for index in ("create unique index links_id on links (id)", *INDEXES):
                connection.execute(index.encode())
            connection.execute("vacuum (freeze, analyze)")

    @classmethod
    def size(cls, place: str) -> int:
        """Bytes of the database."""
        with psycopg.connect(place) as connection:
            row = connection.execute("select pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0])

    def ask(self, query: str, values: Values) -> Sequence[Row]:
        """The rows of an answer; statements asked more than five times are kept prepared."""
        text, _ = named(query, "%({})s")
        return self._connection.execute(text.encode(), values).fetchall()

    def batches(self, query: str, values: Values, rows: int) -> Iterator[Sequence[Row]]:
        """The same, *rows* at a time, from a cursor of the server's."""
        text, _ = named(query, "%({})s")
        with self._connection.transaction(), self._connection.cursor("rows") as cursor:
            cursor.execute(text.encode(), values)
            while found := cursor.fetchmany(rows):
                yield found


def _copy(source: Path, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Make the table that is named like the Parquet file."""
    found = duckdb.execute(f"describe from '{source}'").fetchall()
    columns = ", ".join(f"{name} {_TYPES.get(kind, kind)}" for name, kind, *_ in found)
    with tempfile.TemporaryDirectory(prefix="bench-csv-") as directory:
        Path(directory).chmod(0o755)  # the server is another user
        file = Path(directory) / f"{source.stem}.csv"
        duckdb.execute(
            f"copy (from '{source}') to '{file}' (format csv, header false, nullstr '\\N')"
        )
        with connection.transaction():
            connection.execute(f"create table {source.stem} ({columns})".encode())
            copy = f"copy {source.stem} from '{file}' (format csv, null '\\N', freeze)"
            connection.execute(copy.encode())


PEER = PostgreSql
