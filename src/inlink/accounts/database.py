"""The accounts database: its tables, and the one place that creates an engine.

The database is SQLite in WAL mode, so that servers can read while a command writes; or PostgreSQL,
if servers run on several machines. A database of an earlier version gets the tables, columns and
indexes that it lacks.

On SQLite a transaction takes the write lock with its first INSERT, UPDATE or DELETE, and does not
protect what it read before that. On PostgreSQL the isolation level is READ COMMITTED. So on both,
anything that must not change between reading and writing is a condition of the statement that
writes.
"""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable, ExecutableDDLElement
from sqlalchemy.sql.expression import TextClause

METADATA = MetaData()

KEYS = Table(
    "keys",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("key_hash", String(64), nullable=False, unique=True),  # SHA-256, hexadecimal
    Column("created_at", String(20), nullable=False),  # ISO 8601, UTC, seconds
    Column("enabled", Boolean, nullable=False),
    Column("units_limit", BigInteger),  # all units ever given to it; null: unlimited
    Column("units_left", BigInteger),  # null: unlimited
    Column("rate_limit", Float),  # requests a second; null: unlimited
    Column("rate_burst", Integer),  # requests that may come at once; null: unlimited
    Column("next_request_at", BigInteger),  # Unix time, ns; see `inlink.accounts.limits`
    Column("expires_on", String(10)),  # ISO 8601, UTC, the last day; null: never
    Column("may_verify", Boolean),  # null, as in rows older than live checks: no
    sqlite_autoincrement=True,  # the number of a deleted key is not used again
)

USAGE = Table(
    "usage",
    METADATA,
    Column("key_id", Integer, primary_key=True),  # stays when the key is deleted
    Column("day", String(10), primary_key=True),  # ISO 8601, UTC
    Column("command", String(100), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
)

PACES = Table(
    "paces",
    METADATA,
    Column("subject", String, primary_key=True),  # what is limited
    Column("next_at", BigInteger, nullable=False),  # Unix time, ns; see `inlink.accounts.limits`
)

EXPORTS = Table(
    "exports",
    METADATA,
    Column("id", String(32), primary_key=True),  # 128 random bits, hexadecimal, upper case
    Column("key_id", Integer, ForeignKey("keys.id", ondelete="CASCADE"), nullable=False),
    Column("target", String, nullable=False),  # as it was sent
    Column("mode", String(6), nullable=False),
    Column("status", String(10), nullable=False),  # queued, processing, complete
    Column("units", BigInteger, nullable=False),  # taken from the key so far
    Column("created_at", Float, nullable=False),  # Unix time, as all below
    Column("worker", String(64)),  # who holds the lease
    Column("lease_until", Float),  # when another worker may take it over
    Column("attempts", Integer, nullable=False),
    Column("finished_at", Float),
    Column("rows", BigInteger),
    Column("file", String),  # name below ``exports/``
)
Index(
    "one_task_at_a_time",
    EXPORTS.c.key_id,
    unique=True,
    sqlite_where=EXPORTS.c.status != "complete",
    postgresql_where=EXPORTS.c.status != "complete",
)
LOCK_TIMEOUT = 10.0  # seconds to wait for another writer
UPGRADE_LOCK = 0x1471  # number of PostgreSQL's advisory lock; any number that nothing else uses


class AccountsError(ValueError):
    """A request to the accounts that cannot be fulfilled; the message says why."""


def connect(location: Path | str) -> Engine:
    """An engine for the accounts database, which is created or upgraded if necessary.

    *location* is the path of an SQLite file, or a URL: ``postgresql://user:password@host/name`` or
    ``sqlite:////path``. Only the process that created an engine may use it, not a fork of it.

    Raises:
        AccountsError: the URL cannot be used, or the database cannot be opened.
    """
    url = _url(location)
    try:
        engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
        with engine.begin() as connection:
            upgrade = bool(_missing(connection))
        if upgrade:
            _upgrade(engine)
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        shown = location if isinstance(location, Path) else url.render_as_string()
        raise AccountsError(f"The accounts database {shown} cannot be opened: {reason}") from error
    return engine


def _url(location: Path | str) -> URL:
    if isinstance(location, Path):
        return URL.create("sqlite", database=str(location))
    valid = "Valid: postgresql://user:password@host:port/name, or sqlite:////path/of/the/file."
    try:
        url = make_url(location)
    except (ArgumentError, ValueError) as error:
        raise AccountsError(f"accounts_url is not a database URL. {valid}") from error
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database not in (None, ":memory:"):
        return url
    raise AccountsError(f"accounts_url cannot be {url.render_as_string()}. {valid}")


def _sqlite(url: URL) -> Engine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    # With IMMEDIATE the driver takes the write lock when a transaction first writes. If it took the
    # lock later, SQLite would refuse it (SQLITE_BUSY_SNAPSHOT) after a write by another process.
    options = {"timeout": LOCK_TIMEOUT, "isolation_level": "IMMEDIATE"}
    engine = create_engine(url, connect_args=options, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=NORMAL")  # safe in WAL mode unless power fails
    connection.execute("PRAGMA foreign_keys=ON")


def _use_wal(connection: Any) -> None:
    """Switch to WAL mode. If several processes do so at once, SQLite refuses some immediately."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _postgresql(url: URL) -> Engine:
    try:
        # The database may have been restarted; hashes of keys must not appear in a log.
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    except ImportError as error:
        raise AccountsError(
            "PostgreSQL needs the extra `postgres`: pip install 'inlink[postgres]'."
        ) from error
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT:.0f}s'")
    connection.commit()


def _upgrade(engine: Engine) -> None:
    """Add what is missing; several processes that do so at once take turns."""
    sqlite = engine.dialect.name == "sqlite"
    lock = "BEGIN IMMEDIATE" if sqlite else f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"
    with engine.begin() as connection:
        connection.exec_driver_sql(lock)
        for statement in _missing(connection):
            connection.execute(statement)


def _missing(connection: Connection) -> list[ExecutableDDLElement | TextClause]:
    """The statements that add the tables, columns and indexes that the database lacks."""
    inspector = inspect(connection)
    statements: list[ExecutableDDLElement | TextClause] = []
    for table in METADATA.sorted_tables:
        columns, indexes = set(), set()
        if inspector.has_table(table.name):
            columns = {column["name"] for column in inspector.get_columns(table.name)}
            indexes = {index["name"] for index in inspector.get_indexes(table.name)}
            statements += [
                _add_column(connection, column)
                for column in table.columns
                if column.name not in columns
            ]
        else:
            statements.append(CreateTable(table))
        statements += [CreateIndex(index) for index in table.indexes if index.name not in indexes]
    return statements


def _add_column(connection: Connection, column: Column[Any]) -> TextClause:
    definition = CreateColumn(column).compile(dialect=connection.dialect)
    return text(f"ALTER TABLE {column.table.name} ADD COLUMN {definition}")
