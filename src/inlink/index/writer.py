"""Write the tables of a generation as segments.

In: ``tables/*.parquet`` of a generation (docs/data-model.md). Out: ``segments/``
(docs/segments.md). DuckDB joins and sorts within its memory limit, and spills to a directory beside
the segments. Python holds the numbers, not the texts, of one partition at a time. The same rows
give the same bytes, in any order and however they are split into files.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from inlink.index import addresses, queries, segments
from inlink.index.files import Column, one_batch, write_columns
from inlink.index.segments import PartitionCounts, SegmentCounts
from inlink.index.strings import BLOCK_ROWS, SAMPLE_BLOCKS, write_strings
from inlink.index.summaries import SUMMARY_LINKS, write_summaries
from inlink.store.configuration import Settings
from inlink.store.versions import SEGMENT_FORMAT
from inlink.urls.canonical import text_id
from inlink.urls.domains import icann_domain, is_ip_address

BATCH_ROWS = 1 << 16

Progress = Callable[[int, int], None]
"""Called with the number of steps done and the number of all steps."""

_TABLES = (
    *("urls", "links", "pages", "ranks", "domain_ranks"),
    *("past_ranks", "past_domain_ranks", "rank_days", "places"),
)
_STEPS_BEFORE, _STEPS_EACH = 3, 7


def write_segments(
    tables: Path,
    segments_directory: Path,
    settings: Settings,
    progress: Progress | None = None,
    *,
    summary_links: int = SUMMARY_LINKS,
) -> SegmentCounts:
    """Write the segments of the generation whose Parquet files are in *tables*.

    Remains of a failed attempt in *segments_directory* are removed first. Hosts, domains and URLs
    with more than *summary_links* live links are counted now rather than on request.

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
        days = tuple(day for (day,) in database.execute(queries.RANK_DAYS).fetchall())
    counts = SegmentCounts(SEGMENT_FORMAT, days, tuple(written))
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
        "preserve_insertion_order": False,  # every result whose order matters is sorted
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
    """Number every URL in key order, and join the links and past ranks to these numbers."""
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
    whole = (queries.ADDRESS, queries.STRETCH, queries.PAST_RANK, queries.LINKED, queries.TARGET)
    for query in whole:
        database.execute(query)
    step()


def _placed(domains: pa.RecordBatch, partitions: int) -> pa.Table:
    """The partition of each domain, by its domain without the private suffixes."""
    names = domains.column("domain")
    icann = [icann_domain(name) for name in names.to_pylist()]
    number = [text_id(name) % partitions for name in icann]
    columns: list[Any] = [domains.column("domain_id"), names, icann, number]
    return pa.table(columns, names=["domain_id", "domain", "icann", "partition"])


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
    pages, ips = _write_pages(database, directory)
    step()
    hosts, tlds = _write_hosts(database, directory)
    names = [("domain_names", "domain_name", "domain"), ("anchors", "anchor", "anchor")]
    names.append(("image_sources", "image_source", "image_source"))
    names.append(("batch_names", "batch_name", "batch"))
    texts = {
        file: _write_strings(database, directory / f"{file}.arrow", table, "row", column)
        for file, table, column in names
    }
    domains, past_domain_ranks = _write_domains(database, directory)
    step()
    link_targets, link_images = _write_links(
        database, directory, ("links", "link_images"), queries.LINK_COLUMNS, pages
    )
    step()
    lost_targets, lost_images = _write_links(
        database, directory, ("lost", "lost_images"), queries.LOST_COLUMNS, pages
    )
    step()
    ends = {"links_end": link_targets, "lost_end": lost_targets}
    targets, past_ranks, places = _write_targets(database, directory, ends)
    step()
    summaries = write_summaries(database, directory, summary_links)
    step()
    return PartitionCounts(
        links=len(link_targets),
        lost=len(lost_targets),
        link_images=link_images,
        lost_images=lost_images,
        targets=targets,
        pages=len(pages),
        ips=ips,
        hosts=hosts,
        tlds=tlds,
        domains=domains,
        past_ranks=past_ranks,
        past_domain_ranks=past_domain_ranks,
        places=places,
        summaries=summaries,
        **texts,
    )


def _write_pages(database: duckdb.DuckDBPyConnection, directory: Path) -> tuple[Column, int]:
    """Write the referring pages and their addresses.

    Returns the position of each page in the order of all URLs, and how many addresses there are.
    """
    if database.table("page").filter("title is null").limit(1).fetchone():
        raise ValueError("links.parquet has a source that pages.parquet lacks")
    ips = _write_ips(database, directory)
    columns = _numbers(database, queries.PAGE_COLUMNS)
    positions = columns.pop("position")
    write_columns(directory / "pages.arrow", columns)
    path = directory / "page_texts.arrow"
    _write_strings(database, path, "page", "position", "sort_key, title", sorted_by_key=True)
    return positions, ips


def _write_ips(database: duckdb.DuckDBPyConnection, directory: Path) -> int:
    """Write the addresses of the pages, and create the view ``ips``: the numbers of each text."""
    ips = addresses.number([ip for (ip,) in database.execute(queries.IPS).fetchall()])
    database.from_arrow(ips.numbers).create_view("ips", replace=True)
    write_columns(directory / "ips.arrow", {"country": addresses.countries(ips.texts)})
    return _write_texts(database, directory / "ip_texts.arrow", ips.texts)


def _write_hosts(database: duckdb.DuckDBPyConnection, directory: Path) -> tuple[int, int]:
    """Write the referring hosts and their top-level domains; returns the number of each."""
    hosts = database.execute(queries.HOST_COLUMNS).to_arrow_table()
    tld = [_tld(name) for name in map(str, hosts.column("host").to_pylist())]
    tlds = sorted(set(tld))
    rows = {name: row for row, name in enumerate(tlds)}
    columns = {
        "domain_inlink_rank": hosts.column("domain_inlink_rank").to_numpy(),
        "tld": np.array([rows[name] for name in tld], np.int32),
        "domain": hosts.column("domain").to_numpy(),
    }
    write_columns(directory / "hosts.arrow", columns)
    count = _write_strings(database, directory / "host_names.arrow", "host", "row", "host")
    return count, _write_texts(database, directory / "tlds.arrow", tlds, sorted_by_key=True)


def _tld(host: str) -> str:
    """The last label of *host*; ``""`` for an address, which has none."""
    return "" if is_ip_address(host) else host.rstrip(".").rpartition(".")[2]


def _write_domains(database: duckdb.DuckDBPyConnection, directory: Path) -> tuple[int, int]:
    """Write the ranks of the domains, and their past ranks; returns the number of each."""
    domains = _numbers(database, queries.DOMAIN_COLUMNS)
    write_columns(directory / "domains.arrow", domains)
    past = _numbers(database, queries.PAST_DOMAIN_RANK_COLUMNS)
    write_columns(directory / "past_domain_ranks.arrow", past)
    return len(domains["domain_id"]), len(past["until"])


def _write_links(
    database: duckdb.DuckDBPyConnection,
    directory: Path,
    names: tuple[str, str],
    query: str,
    pages: Column,
) -> tuple[Column, int]:
    """Write links from *pages* to the first of the files *names*, and their images to the second.

    Returns the position of each link's target in the order of all URLs, and how many have an image.
    """
    columns = _numbers(database, query)
    targets, images = columns.pop("target"), columns.pop("image_source")
    columns["source"] = np.searchsorted(pages, columns["source"]).astype(np.int32)
    write_columns(directory / f"{names[0]}.arrow", columns)
    rows = np.flatnonzero(images >= 0).astype(np.int32)
    write_columns(directory / f"{names[1]}.arrow", {"link": rows, "image_source": images[rows]})
    return targets, len(rows)


def _write_targets(
    database: duckdb.DuckDBPyConnection, directory: Path, links: dict[str, Column]
) -> tuple[int, int, int]:
    """Write the targets, their past ranks and places; returns the number of each.

    *links* has the sorted positions of the targets of links. Its keys are the columns for the ends.
    """
    columns = _numbers(database, queries.TARGET_COLUMNS)
    positions = columns.pop("position")
    for name, targets in links.items():
        columns[name] = np.searchsorted(targets, positions, side="right").astype(np.int32)
    write_columns(directory / "targets.arrow", columns)
    past = _numbers(database, queries.PAST_RANK_COLUMNS)
    rows = np.searchsorted(positions, past.pop("position")).astype(np.int32)
    write_columns(directory / "past_ranks.arrow", {"target": rows, **past})
    places = _numbers(database, queries.PLACE_COLUMNS)
    placed = np.searchsorted(positions, places.pop("position")).astype(np.int32)
    write_columns(directory / "places.arrow", {"target": placed, **places})
    path = directory / "target_keys.arrow"
    count = _write_strings(database, path, "target", "position", "sort_key", sorted_by_key=True)
    return count, len(rows), len(placed)


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
    """Write *columns* of *table*, sorted by the number *order*; returns the number of rows."""
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


def _write_texts(
    database: duckdb.DuckDBPyConnection,
    path: Path,
    texts: list[str],
    *,
    sorted_by_key: bool = False,
) -> int:
    """Write *texts* in their order; returns how many there are."""
    rows = pa.table({"row": range(len(texts)), "text": pa.array(texts, pa.string())})
    database.from_arrow(rows).create_view("texts", replace=True)
    return _write_strings(database, path, "texts", "row", "text", sorted_by_key=sorted_by_key)
