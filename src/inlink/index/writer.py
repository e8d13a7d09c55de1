"""Turns the tables of a generation into segments.

In: ``tables/*.parquet`` of a generation (docs/data-model.md). Out: ``segments/``
(docs/segments.md). DuckDB joins and sorts, within its memory limit, and spills beside the segments;
Python holds the numbers, not the texts, of one partition at a time. The same rows, in any order and
split, give the same bytes.
"""

import ipaddress
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from inlink.index import queries, segments
from inlink.index.files import Column, one_batch, write_columns
from inlink.index.segments import EDU, FORMAT, GOV, PartitionCounts, SegmentCounts
from inlink.index.strings import BLOCK_ROWS, SAMPLE_BLOCKS, write_strings
from inlink.index.summaries import SUMMARY_LINKS, write_summaries
from inlink.store.settings import Settings
from inlink.urls.canonical import text_id
from inlink.urls.domains import icann_domain

BATCH_ROWS = 1 << 16

Progress = Callable[[int, int], None]
"""Called with the steps done, and the steps there are."""

_TABLES = ("urls", "links", "pages", "ranks", "domain_ranks")
_STEPS_BEFORE, _STEPS_EACH = 3, 6


def write_segments(
    tables: Path,
    segments_directory: Path,
    settings: Settings,
    progress: Progress | None = None,
    *,
    summary_links: int = SUMMARY_LINKS,
) -> SegmentCounts:
    """Write the segments of the generation whose Parquet files lie in *tables*.

    What *segments_directory* holds from an attempt that died is removed first. Hosts, domains and
    URLs with more than *summary_links* live links are counted now rather than when asked for.

    Raises:
        ValueError: a link's source is not in the table of pages.
    """
    spill = segments_directory.with_name(f"{segments_directory.name}.spill")
    for leftover in (segments_directory, spill):
        shutil.rmtree(leftover, ignore_errors=True)
    segments_directory.mkdir(parents=True)
    links = pq.read_metadata(tables / "links.parquet").num_rows
    count = max(1, -(-links // settings.partition_links))
    step = _steps(progress, _STEPS_BEFORE + count * _STEPS_EACH)
    with _database(tables, spill, settings) as database:
        _prepare(database, count, step)
        written = []
        for number in range(count):
            database.execute("set variable partition = ?", [number])
            directory = segments.partition_directory(segments_directory, number)
            written.append(_write_partition(database, directory, summary_links, step))
    counts = SegmentCounts(FORMAT, tuple(written))
    segments.save(segments_directory, counts)
    return counts


def _steps(progress: Progress | None, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))

    def step() -> None:
        number = next(done)
        if progress:
            progress(number, total)

    return step


@contextmanager
def _database(tables: Path, spill: Path, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    spill.mkdir(parents=True)
    config: dict[str, Any] = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,  # every result that matters has an order of its own
    }
    try:
        with duckdb.connect(config=config) as database:
            for name in _TABLES:
                database.read_parquet(str(tables / f"{name}.parquet")).create_view(name)
            yield database
    finally:
        shutil.rmtree(spill)


def _prepare(
    database: duckdb.DuckDBPyConnection, partitions: int, step: Callable[[], None]
) -> None:
    """Number every URL in key order, and join every live link to those numbers."""
    database.execute(queries.PLACE)
    domains = database.cursor().execute(queries.DOMAINS)
    for batch in domains.to_arrow_reader(BATCH_ROWS):
        database.from_arrow(_placed(batch, partitions)).insert_into("place")
    step()
    database.execute(queries.NUMBERED)
    position = 0
    for batch in database.cursor().execute(queries.IN_KEY_ORDER).to_arrow_reader(BATCH_ROWS):
        numbers = np.arange(position, position := position + batch.num_rows)
        numbered = pa.table({"position": pa.array(numbers), "url_id": batch.column("url_id")})
        database.from_arrow(numbered).insert_into("numbered")
    step()
    for query in (queries.ADDRESS, queries.LIVE, queries.LINKED, queries.TARGET):
        database.execute(query)
    step()


def _placed(domains: pa.RecordBatch, partitions: int) -> pa.Table:
    """The partition of each domain, by its domain without the private suffixes."""
    icann = [icann_domain(name) for name in domains.column("domain").to_pylist()]
    partition = [text_id(name) % partitions for name in icann]
    return pa.table({"domain_id": domains.column("domain_id"), "icann": icann, "n": partition})


def _write_partition(
    database: duckdb.DuckDBPyConnection,
    directory: Path,
    summary_links: int,
    step: Callable[[], None],
) -> PartitionCounts:
    directory.mkdir()
    for query in queries.PARTITION_TABLES:
        database.execute(query)
    step()
    pages = _write_pages(database, directory)
    step()
    hosts = _write_hosts(database, directory)
    domains = _numbers(database, queries.DOMAIN_COLUMNS)
    write_columns(directory / "domains.arrow", domains)
    anchors = _write_strings(database, directory / "anchors.arrow", "anchor", "row", "anchor")
    images = _write_strings(
        database, directory / "image_sources.arrow", "image_source", "row", "image_source"
    )
    step()
    link_targets = _write_links(database, directory, pages)
    step()
    targets = _write_targets(database, directory, link_targets)
    step()
    summaries = write_summaries(database, directory, summary_links)
    step()
    return PartitionCounts(
        links=len(link_targets),
        targets=targets,
        pages=len(pages),
        hosts=hosts,
        domains=len(domains["domain_id"]),
        anchors=anchors,
        image_sources=images,
        summaries=summaries,
    )


def _write_pages(database: duckdb.DuckDBPyConnection, directory: Path) -> Column:
    """Write the referring pages; the position of each in the order of all URLs."""
    if database.table("page").filter("title is null").limit(1).fetchone():
        raise ValueError("links.parquet names a source that pages.parquet does not have")
    ips = [ip for (ip,) in database.execute(queries.IPS).fetchall()]
    database.from_arrow(_ip_ids(ips)).create_view("ips", replace=True)
    columns = _numbers(database, queries.PAGE_COLUMNS)
    positions = columns.pop("position")
    write_columns(directory / "pages.arrow", columns)
    path = directory / "page_texts.arrow"
    _write_strings(database, path, "page", "position", "sort_key, title", sorted_by_key=True)
    return positions


def _ip_ids(texts: list[str]) -> pa.Table:
    """Numbers for the addresses and the subnets of *texts*; text that is no address has none."""
    parsed = {}
    for text in texts:
        try:
            parsed[text] = ipaddress.ip_address(text)
        except ValueError:
            continue
    subnets = {text: _subnet(address) for text, address in parsed.items()}
    ip_ids = {address: n for n, address in enumerate(sorted(set(parsed.values()), key=_order))}
    subnet_ids = {subnet: n for n, subnet in enumerate(sorted(set(subnets.values())))}
    return pa.table(
        {
            "ip": pa.array(parsed, pa.string()),
            "ip_id": pa.array([ip_ids[a] for a in parsed.values()], pa.int32()),
            "subnet_id": pa.array([subnet_ids[s] for s in subnets.values()], pa.int32()),
        }
    )


def _order(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[int, int, str]:
    return address.version, int(address), str(address)  # the text has the scope of an IPv6 address


def _subnet(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[int, int]:
    """The /24 of an IPv4 address, the /48 of an IPv6 address."""
    bits = 8 if address.version == 4 else 80
    return address.version, int(address) >> bits


def _write_hosts(database: duckdb.DuckDBPyConnection, directory: Path) -> int:
    names, ranks = database.execute(queries.HOST_COLUMNS).to_arrow_table().columns
    tlds = {"edu": EDU, "gov": GOV}
    tld = [
        tlds.get(name.removesuffix(".").rpartition(".")[2], 0)
        for name in map(str, names.to_pylist())
    ]
    columns = {"domain_inlink_rank": ranks.to_numpy(), "tld": np.array(tld, np.uint8)}
    write_columns(directory / "hosts.arrow", columns)
    return _write_strings(database, directory / "host_names.arrow", "host", "row", "host")


def _write_links(database: duckdb.DuckDBPyConnection, directory: Path, pages: Column) -> Column:
    """Write the links from *pages*; the position of each one's target in the order of all URLs."""
    columns = _numbers(database, queries.LINK_COLUMNS)
    targets = columns.pop("target")
    columns["source"] = np.searchsorted(pages, columns["source"]).astype(np.int32)
    write_columns(directory / "links.arrow", columns)
    return targets


def _write_targets(
    database: duckdb.DuckDBPyConnection, directory: Path, link_targets: Column
) -> int:
    columns = _numbers(database, queries.TARGET_COLUMNS)
    links_end = np.searchsorted(link_targets, columns.pop("position"), side="right")
    write_columns(directory / "targets.arrow", {**columns, "links_end": links_end})
    path = directory / "target_keys.arrow"
    return _write_strings(database, path, "target", "position", "sort_key", sorted_by_key=True)


def _numbers(database: duckdb.DuckDBPyConnection, query: str) -> dict[str, Column]:
    """The result of *query* as NumPy columns."""
    table = database.execute(query).to_arrow_table()
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _write_strings(
    database: duckdb.DuckDBPyConnection,
    path: Path,
    table: str,
    order: str,
    columns: str,
    *,
    sorted_by_key: bool = False,
) -> int:
    """Write *columns* of *table*, sorted by the number *order*; how many rows."""
    rows = database.table(table)
    count = len(rows)
    spread = max(1, count // (SAMPLE_BLOCKS * BLOCK_ROWS))
    some = rows.filter(f"{order} // {BLOCK_ROWS} % {spread} = 0").order(order).project(columns)
    sample = some.to_arrow_table().to_batches()
    return write_strings(
        path,
        rows.order(order).project(columns).to_arrow_reader(BATCH_ROWS),
        one_batch(sample) if sample else None,
        sorted_by_key=sorted_by_key,
    )
