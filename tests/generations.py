"""Build generations from made-up observations, and read their tables."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from inlink.fold.job import build
from inlink.fold.workspace import StepProgress
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from tests.observations import Visit, write_batch

Stretch = tuple[str, str, str, dt.datetime, dt.datetime | None, str | None, dt.datetime]


def _nothing(*_: object) -> None:
    pass


def build_tables(
    directory: Path, settings: Settings | None = None, progress: StepProgress = _nothing
) -> Any:
    """One build, without segments."""
    return build(Layout(directory), settings or Settings(), _nothing, progress)


def fold(directory: Path, *batches: list[Visit], settings: Settings | None = None) -> None:
    """Write each of *batches* and build after it."""
    for number, visits in enumerate(batches):
        write_batch(directory, f"batch-{number}", visits)
        build_tables(directory, settings)


def table(directory: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a table of the current generation, in a fixed order."""
    layout = Layout(directory)
    number = layout.current_number()
    assert number is not None
    path = layout.generation(number) / "tables" / f"{name}.parquet"
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row.values()])


def stretches(directory: Path) -> list[Stretch]:
    """The table ``links`` by URL: source, target, type, found, lost, reason, first seen."""
    urls = {row["url_id"]: row["url"] for row in table(directory, "urls")}
    rows = [
        (
            urls[row["source_id"]],
            urls[row["target_id"]],
            row["link_type"],
            row["found_at"],
            row["lost_at"],
            row["reason_lost"],
            row["first_seen"],
        )
        for row in table(directory, "links")
    ]
    return sorted(rows, key=lambda row: row[:4])
