"""A batch on disk: the observations of one crawl file, as ``docs/data-model.md`` describes them.

In: observations, one after the other. Out: a directory with ``visits.parquet``, ``links.parquet``,
``urls.parquet`` and, last, ``batch.json``. Rows are written in groups, so memory does not grow with
the file.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from inlink.extract.observe import Observation
from inlink.store.configuration import Settings
from inlink.store.layout import Layout, sync_directory, write_atomically
from inlink.store.tables import LINKS, URLS, VISITS
from inlink.store.versions import EXTRACTOR_RULES
from inlink.urls.describe import UrlRow
from inlink.web.source import Source

GROUP_ROWS = 1 << 16
"""Rows of a Parquet row group, roughly."""

REPEATED = frozenset(
    """visit_id domain_id outcome status content_type robots file
    element target_domain_id rel host domain""".split()  # noqa: SIM905
)
"""Columns with many equal values get a dictionary, which would bloat the others."""

DESCRIPTION = "batch.json"

REPLACED = "replaced.json"
"""What `DESCRIPTION` is renamed to when newer rules have read the same crawl file into another
batch. Builds leave such a batch out; evidence reads it until a generation without it is served."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """``batch.json``: where a batch comes from, and what is in it."""

    source: Source
    size: int
    """Of the crawl file, bytes."""
    sha256: str
    """Of the bytes of the crawl file."""
    settings: str
    """Fingerprint of the settings that decide what is extracted."""
    records: dict[str, int]
    """Records of the file by type."""
    visits: int
    pages: int
    """Visits that were answered with HTML."""
    links: int
    urls: int
    problems: dict[str, int]
    """What was wrong with the file, by kind."""
    rules: int = 1
    """Version of the extractor's rules that read it (`inlink.store.versions`)."""


class Reading(msgspec.Struct, frozen=True):
    """What a batch says about how its crawl file was read, in the fields that all versions have."""

    sha256: str = ""
    settings: str = ""
    rules: int = 1
    visits: int = 0


def fingerprint(settings: Settings) -> str:
    """The fingerprint of the settings that decide what is extracted."""
    decisive = (settings.drop_parameters, settings.robot_name)
    return hashlib.sha256(msgspec.json.encode(decisive)).hexdigest()[:16]


def batch_name(digest: bytes, settings: str) -> str:
    """The name of a batch, from the SHA-256 digest of its file and its settings' fingerprint."""
    decisive = f"{settings} {EXTRACTOR_RULES}"
    return hashlib.sha256(digest + decisive.encode()).hexdigest()[:32]


def read_batch(directory: Path) -> Batch:
    """The description of a batch, replaced or not.

    Raises:
        FileNotFoundError: there is no such batch.
        msgspec.DecodeError: its description cannot be read.
    """
    return msgspec.json.decode(_description(directory), type=Batch)


def _description(directory: Path) -> bytes:
    try:
        return (directory / DESCRIPTION).read_bytes()
    except FileNotFoundError:
        return (directory / REPLACED).read_bytes()


def readings(layout: Layout) -> dict[Path, Reading]:
    """How the crawl file of each batch was read, by the directory of the batch."""
    return {
        directory: msgspec.json.decode(_description(directory), type=Reading)
        for directory in layout.batch_directories()
    }


def write_description(directory: Path, batch: Batch) -> None:
    """Write the ``batch.json`` of a batch; readers see the old one or the new one."""
    content = msgspec.json.format(msgspec.json.encode(batch))
    write_atomically(directory / DESCRIPTION, content)


def replace_older(layout: Layout) -> int:
    """Take batches out of the index if newer rules have read their crawl file; returns how many.

    Two batches are of one crawl file if its bytes and the settings are the same.
    """
    known = readings(layout)
    newest: dict[tuple[str, str], int] = {}
    for reading in known.values():
        file = reading.sha256, reading.settings
        newest[file] = max(reading.rules, newest.get(file, 0))
    older = [
        directory
        for directory, reading in known.items()
        if reading.rules < newest[reading.sha256, reading.settings]
    ]
    for directory in older:
        with contextlib.suppress(FileNotFoundError):  # another ingest was faster
            (directory / DESCRIPTION).rename(directory / REPLACED)
            sync_directory(directory)
    return len(older)


def remove_replaced(layout: Layout, used: Collection[str]) -> None:
    """Remove the batches that were replaced, except those whose names are in *used*."""
    for path in layout.batches.glob(f"*/{REPLACED}"):
        if path.parent.name not in used:
            shutil.rmtree(path.parent)


class BatchWriter:
    """Writes the tables of a batch into a directory."""

    def __init__(self, directory: Path) -> None:
        self._visits = _TableWriter(directory / "visits.parquet", VISITS)
        self._links = _TableWriter(directory / "links.parquet", LINKS)
        self._urls = _TableWriter(directory / "urls.parquet", URLS)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Visits, links and URLs so far."""
        return self._visits.rows, self._links.rows, self._urls.rows

    def add(self, observation: Observation) -> None:
        """Add a visit and its links."""
        visit, links = observation
        self._visits.add([visit])
        if links:
            columns = list(zip(*links, strict=True))
            self._links.add_columns([[visit.visit_id] * len(links), *columns])

    def add_urls(self, rows: list[UrlRow]) -> None:
        """Add URLs, and empty the list of them."""
        self._urls.add(rows)
        rows.clear()

    def close(self) -> None:
        """Write the rest; then the files are whole."""
        for table in (self._visits, self._links, self._urls):
            table.close()


class _TableWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        repeated = [name for name in schema.names if name in REPEATED]
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            use_dictionary=repeated,  # type: ignore[arg-type]  # the stubs know no lists
        )
        self._columns: list[list[Any]] = [[] for _ in schema]

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self.add_columns(list(zip(*rows, strict=True)))

    def add_columns(self, columns: Iterable[Sequence[Any]]) -> None:
        for own, added in zip(self._columns, columns, strict=True):
            own.extend(added)
        if len(self._columns[0]) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        self.rows += len(self._columns[0])
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(self._columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        for column in self._columns:
            column.clear()

    def close(self) -> None:
        if self._columns[0]:
            self._flush()
        self._writer.close()


@contextlib.contextmanager
def writing(directory: Path) -> Iterator[BatchWriter]:
    """A writer into *directory*, closed at the end."""
    writer = BatchWriter(directory)
    with contextlib.closing(writer):
        yield writer
