"""The accounts database: its tables, and the one place that makes an engine.

SQLite in WAL mode, so that servers read while a command line writes.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Boolean,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
)
from sqlalchemy.schema import CreateTable

METADATA = MetaData()

KEYS = Table(
    "keys",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("key_hash", String(64), nullable=False, unique=True),  # SHA-256, hexadecimal
    Column("created_at", String(20), nullable=False),  # ISO 8601, UTC, seconds
    Column("enabled", Boolean, nullable=False),
    sqlite_autoincrement=True,  # the number of a deleted key is not given out again
)

LOCK_TIMEOUT = 10.0  # seconds to wait for another writer


def connect(path: Path) -> Engine:
    """An engine on the SQLite file *path*, which is made, with its tables, if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": LOCK_TIMEOUT}
    )
    event.listen(engine, "connect", _use_wal)
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
    return engine


def _use_wal(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
