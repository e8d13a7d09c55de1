"""The peer on ClickHouse, in this process (chDB): MergeTree tables, the links sorted by target."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from chdb.session import Session

from bench.peers.database import Database, Row, Values, named
from bench.peers.duck import sorted_where
from bench.peers.rows import TABLES
from inlink.contract.vocabulary import Mode

_KEYS = {
    "links": "domain_id, host_id, url_id, id",
    "ranks": "url_id",
    "metrics": "mode, key",
    "refdomains": "mode, key",
    "events": "mode, key, day",
}
_SETTINGS = """
settings prefer_column_name_to_alias = 1, output_format_json_quote_64bit_integers = 0
"""


_ROWS = msgspec.json.Decoder(list[Any])


class ClickHouse(Database):
    """A session on the directory *place*."""

    NAME = "chDB (ClickHouse)"
    DATES_AS_TEXTS = True
    IN_ORDER = "order by domain_id, host_id, url_id, id"
    HAS_INDEXES = False

    def __init__(self, place: str) -> None:
        self._session = Session(place)
        super().__init__()

    @classmethod
    def load(cls, rows: Path, place: str) -> None:
        """Copy the tables, and merge the parts of each into one."""
        session = Session(place)
        for name in TABLES:
            session.query(
                f"create table {name} engine = MergeTree order by ({_KEYS[name]})"
                " settings allow_nullable_key = 1, index_granularity = 1024"
                f" as select * from file('{rows / name}.parquet', Parquet)"
            )
            session.query(f"optimize table {name} final")
        session.close()

    @classmethod
    def size(cls, place: str) -> int:
        """Bytes of the directory."""
        return sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file())

    def where(self, mode: Mode) -> str:
        """The columns that the rows are sorted by, down to the target."""
        return sorted_where(mode)

    def ask(self, query: str, values: Values) -> Sequence[Row]:
        """The rows of an answer."""
        found = self._session.query(_with_values(query, values), "JSONCompactEachRow")
        return _ROWS.decode_lines(found.bytes())

    def batches(self, query: str, values: Values, rows: int) -> Iterator[Sequence[Row]]:
        """The same, a block of ClickHouse's at a time."""
        text = _with_values(query, values)
        for block in self._session.send_query(text, "JSONCompactEachRow"):
            yield _ROWS.decode_lines(block.bytes())


def _with_values(query: str, values: Values) -> str:
    """*query* with its values in it: numbers and days, which need no care."""
    text, names = named(query, "{{{}}}")
    for name in names:
        value = values[name]
        written = f"toDate32('{value}')" if isinstance(value, dt.date) else str(int(value))
        text = text.replace(f"{{{name}}}", written)
    return text + _SETTINGS


PEER = ClickHouse
