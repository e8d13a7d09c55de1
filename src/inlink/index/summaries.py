"""Metrics of the targets with very many links, counted when the segments are written.

In: a partition whose other files are written. Out: ``summaries.arrow``, one row for each distinct
slice of links that one host, one domain (on any level of its name) or one URL can be asked for, and
that is longer than a threshold. It is found by the ends of the slice, so no names are kept.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np

from inlink.index import queries, selection
from inlink.index.files import write_columns
from inlink.index.partition import Partition
from inlink.index.rows import Metrics
from inlink.urls.canonical import url_of_key
from inlink.urls.targets import Mode, TargetError, parse_target

SUMMARY_LINKS = 5_000
"""Live links up to which metrics are counted when they are asked for (about 1 ms)."""


def write_summaries(
    database: duckdb.DuckDBPyConnection, directory: Path, summary_links: int
) -> int:
    """Write the summaries of the partition in *directory*; how many there are."""
    partition = Partition(directory)
    database.execute("set variable summary_links = ?", [summary_links])
    hosts = database.execute(queries.LARGE_DOMAINS).fetchall()
    ranges = set()
    for text, mode in (*_names(hosts, summary_links), *_urls(partition, summary_links)):
        try:
            target = parse_target(text, mode)
        except TargetError:
            continue  # a host of one label, say: nobody can ask for it
        rows = partition.link_rows(partition.target_rows(target.low, target.high))
        if rows.stop - rows.start > summary_links:
            ranges.add((rows.start, rows.stop))
    _write(partition, directory, sorted(ranges))
    return len(ranges)


def _names(hosts: list[tuple[str, str, int]], summary_links: int) -> Iterator[tuple[str, Mode]]:
    """The hosts, and the names above them, that have that many links."""
    beneath: Counter[str] = Counter()
    for host, domain, links in hosts:
        if links > summary_links:
            yield host, "host"
        for name in _levels(host, domain):
            beneath[name] += links
    for name, links in beneath.items():
        if links > summary_links:
            yield name, "domain"


def _levels(host: str, domain: str) -> Iterator[str]:
    """*host*, and what remains as labels go from its front, down to *domain*."""
    name = host.removesuffix(".")
    yield name
    while name != domain and "." in name:
        name = name.partition(".")[2]
        yield name


def _urls(partition: Partition, summary_links: int) -> Iterator[tuple[str, Mode]]:
    """The URLs that have that many links, with their scheme and without."""
    links = np.diff(partition.targets.links_end, prepend=0)
    for row in np.flatnonzero(links > summary_links).tolist():
        url = url_of_key(partition.target_keys.get(row))
        yield url, "url"
        yield url.partition("://")[2], "url"


def _write(partition: Partition, directory: Path, ranges: list[tuple[int, int]]) -> None:
    counts = [selection.metrics(partition, slice(*links)) for links in ranges]
    columns = {
        "link_start": [start for start, _ in ranges],
        "link_end": [end for _, end in ranges],
        **{name: [getattr(count, name) for count in counts] for name in Metrics.__struct_fields__},
    }
    write_columns(
        directory / "summaries.arrow",
        {name: np.array(values, np.int64) for name, values in columns.items()},
    )
