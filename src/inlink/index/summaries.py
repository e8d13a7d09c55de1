"""Answers about the targets with very many links, made when the segments are written.

In: a partition whose other files are written. Out: ``summaries.arrow``, which has the metrics of
long slices of links. It has one row for each distinct slice above a threshold that can be requested
as one host, one domain (on any level of its name) or one URL. Rows are found by the ends of the
slice, so no names are stored. ``top_links.arrow`` and ``top_hosts.arrow`` have the first rows of
the lists of backlinks and of referring domains: `TOP` rows for each list of each slice.
``stays.arrow`` has the history of the referring domains. Four more files have the calendars of the
links and of the referring domains. These are found by the ends of the slices of live and lost
links.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import duckdb
import numpy as np

from inlink.contract.rows import Metrics
from inlink.contract.vocabulary import BACKLINK_ORDERS, Mode
from inlink.index import history, queries, refdomain_history, selection
from inlink.index.calendars import Calendar
from inlink.index.files import Column, write_columns
from inlink.index.partition import TOP, Partition, Stays
from inlink.urls.canonical import url_of_key
from inlink.urls.targets import TargetError, parse_target

SUMMARY_LINKS = 5_000
"""Up to this many live links, everything is counted on request (about 1 ms)."""

DAY_COLUMNS = ("day", "new", "lost")


def write_summaries(
    database: duckdb.DuckDBPyConnection, directory: Path, summary_links: int
) -> int:
    """Write the summaries of the partition in *directory*; returns how many there are."""
    partition = Partition(directory)
    database.execute("set variable summary_links = ?", [summary_links])
    hosts = database.execute(queries.LARGE_DOMAINS).fetchall()
    ranges, histories = set(), {}
    for text, mode in (*_names(hosts, summary_links), *_urls(partition, summary_links)):
        try:
            target = parse_target(text, mode)
        except TargetError:
            continue  # a host of one label, for example: it cannot be requested
        targets = partition.target_rows(target.low, target.high)
        rows, lost = partition.link_rows(targets), partition.lost_rows(targets)
        if rows.stop - rows.start > summary_links:
            ranges.add((rows.start, rows.stop))
            histories[rows.start, rows.stop, lost.start, lost.stop] = targets
    _write_histories(partition, directory, dict(sorted(histories.items())))
    _write(partition, directory, sorted(ranges))
    return len(ranges)


def _names(hosts: list[tuple[str, str, int]], summary_links: int) -> Iterator[tuple[str, Mode]]:
    """The hosts, and the names above them, that have more than *summary_links* links."""
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
    """*host*, and each name that remains when labels are removed from its front, to *domain*."""
    name = host.removesuffix(".")
    yield name
    while name != domain and "." in name:
        name = name.partition(".")[2]
        yield name


def _urls(partition: Partition, summary_links: int) -> Iterator[tuple[str, Mode]]:
    """The URLs that have more than *summary_links* links, with their scheme and without."""
    links = np.diff(partition.targets.links_end, prepend=0)
    for row in np.flatnonzero(links > summary_links).tolist():
        url = url_of_key(partition.target_keys.get(row))
        yield url, "url"
        yield url.partition("://")[2], "url"


def _write(partition: Partition, directory: Path, ranges: list[tuple[int, int]]) -> None:
    slices = [slice(*links) for links in ranges]
    write_columns(directory / "top_links.arrow", {"link": _top_links(partition, slices)})
    write_columns(directory / "top_hosts.arrow", _top_hosts(partition, slices))
    counts = [selection.metrics(partition, rows) for rows in slices]
    columns = {
        "link_start": [start for start, _ in ranges],
        "link_end": [end for _, end in ranges],
        **{name: [getattr(count, name) for count in counts] for name in Metrics.__struct_fields__},
    }
    write_columns(
        directory / "summaries.arrow",
        {name: np.array(values, np.int64) for name, values in columns.items()},
    )


def _write_histories(
    partition: Partition, directory: Path, histories: dict[tuple[int, ...], slice]
) -> None:
    stays = [refdomain_history.stays(partition, targets) for targets in histories.values()]
    link_days = [history.link_calendar(partition, targets) for targets in histories.values()]
    stay_days = [refdomain_history.stay_calendar(found) for found in stays]
    names = [field.name for field in fields(Stays)]
    columns = {name: _joined([getattr(each, name) for each in stays]) for name in names}
    write_columns(directory / "stays.arrow", columns)
    _write_calendars(directory, "link", link_days)
    _write_calendars(directory, "stay", stay_days)
    slices = np.array(list(histories), np.int64).reshape(-1, 4)
    named = zip(("link_start", "link_end", "lost_start", "lost_end"), slices.T, strict=True)
    ends = {
        "stays_end": [len(each.host) for each in stays],
        "link_days_end": [len(each.day) for each in link_days],
        "stay_days_end": [len(each.day) for each in stay_days],
    }
    write_columns(
        directory / "history_slices.arrow",
        {name: np.ascontiguousarray(column) for name, column in named}
        | {name: np.cumsum(lengths, dtype=np.int64) for name, lengths in ends.items()},
    )


def _write_calendars(directory: Path, of: str, calendars: list[Calendar]) -> None:
    """Write the days and the events of *calendars*, one calendar after the other."""
    days = {name: _joined([getattr(each, name) for each in calendars]) for name in DAY_COLUMNS}
    before = np.cumsum([0, *(len(each.event) for each in calendars)], dtype=np.int64)
    ends = [each.events_end + start for each, start in zip(calendars, before[:-1], strict=True)]
    days["events_end"] = np.concatenate([np.empty(0, np.int64), *ends])
    write_columns(directory / f"{of}_days.arrow", days)
    write_columns(
        directory / f"{of}_events.arrow", {"event": _joined([each.event for each in calendars])}
    )


def _joined(columns: list[Column]) -> Column:
    return np.concatenate([np.empty(0, np.int32), *columns])


def _top_links(partition: Partition, slices: list[slice]) -> Column:
    """The first links of each slice in each order, uncapped and one per host; -1: no more."""
    found = np.full((len(slices), 2, len(BACKLINK_ORDERS), TOP), -1, np.int32)
    for rows, of_slice in zip(slices, found, strict=True):
        hosts = partition.hosts_of(rows)
        for place, order in enumerate(BACKLINK_ORDERS):
            values = partition.values_of(order)[rows]
            for lists, chosen in (
                (of_slice[0], selection.top(values, TOP)),
                (of_slice[1], selection.top_per_group(values, hosts, TOP, 1)),
            ):
                lists[place, : len(chosen)] = rows.start + chosen
    return found.ravel()


def _top_hosts(partition: Partition, slices: list[slice]) -> dict[str, Column]:
    """The first referring hosts of each slice in each order, with their counts; -1: no more."""
    shape = (len(slices), len(BACKLINK_ORDERS), TOP)
    found: dict[str, Column] = {
        "host": np.full(shape, -1, np.int32),
        "backlinks": np.zeros(shape, np.int32),
        "dofollow_backlinks": np.zeros(shape, np.int32),
        "first_seen": np.zeros(shape, np.int16),
    }
    for number, rows in enumerate(slices):
        hosts = selection.by_host(partition, rows)
        for place, order in enumerate(BACKLINK_ORDERS):
            chosen = selection.top(selection.host_values(partition, hosts, order), TOP)
            for name, column in found.items():
                column[number, place, : len(chosen)] = getattr(hosts, name)[chosen]
    return {name: column.ravel() for name, column in found.items()}
