"""``inlink ingest``: read crawl files into batches of observations."""

import os
import sys
from collections.abc import Callable, Iterable

import click
from rich.console import Console
from rich.table import Table

from inlink.cli.options import data_option
from inlink.cli.progress import Meter, bytes_progress
from inlink.extract.ingest import Summary, ingest, sources_of
from inlink.store.configuration import SettingsError, load_settings
from inlink.store.layout import Layout
from inlink.web.problems import KINDS
from inlink.web.source import Source


@click.command("ingest")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@data_option
def ingest_command(files: tuple[str, ...], layout: Layout) -> None:
    """Read crawl files: WARC, ARC, WAT or WACZ, plain or compressed.

    FILE is a path, a directory or an fsspec URL (s3://bucket/crawl/*.warc.gz); globs are expanded.
    A file that was read before is skipped. It is read again if an older version of Inlink read it
    by other rules, and its new address is recorded if it was moved. After Ctrl-C, run the same
    command to continue.
    """
    summary = Summary()
    try:
        read_files(files, layout, summary)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        _show(summary)
        click.echo("Interrupted. Run the same command to continue.", err=True)
        sys.exit(130)
    _show(summary)
    for failure in summary.failures:
        click.echo(f"Error: {failure.name}: {failure.reason}", err=True)
    if summary.failures:
        sys.exit(1)


def read_files(files: Iterable[str], layout: Layout, summary: Summary) -> None:
    """Read those of *files* that are new, with a progress bar, and add what was read to *summary*.

    After an interruption, *summary* holds what was read until then.
    """
    sources = sources_of(files, summary)
    sizes = [source.size for source in sources]
    total = None if None in sizes else sum(size for size in sizes if size)
    settings = load_settings(layout.root)
    with bytes_progress("Reading", total) as meter:
        report = _report(meter, len(sources))
        ingest(sources, layout, settings, os.cpu_count() or 1, summary, report)


def _report(meter: Meter, files: int) -> Callable[[Source, int], None]:
    done: dict[str, int] = {}
    finished: set[str] = set()

    def report(source: Source, size: int) -> None:
        done[source.url] = size
        if size == source.size:
            finished.add(source.url)
        meter(sum(done.values()), f"{len(finished)} of {files} files")

    return report


def _show(summary: Summary) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    new = summary.new
    rows: list[tuple[str, int]] = [
        ("files read", len(new)),
        ("  read again by newer rules", summary.reread),
        ("files already known", summary.known),
        ("files moved", summary.moved),
        ("files failed", len(summary.failures)),
        ("records", summary.records.total()),
        ("visits", sum(batch.visits for batch in new)),
        ("pages", sum(batch.pages for batch in new)),
        ("links", sum(batch.links for batch in new)),
        ("URLs", sum(batch.urls for batch in new)),
        ("records that are not visits", summary.records.total() - sum(b.visits for b in new)),
    ]
    for name, count in rows + [(KINDS[kind], n) for kind, n in sorted(summary.problems.items())]:
        table.add_row(name, f"{count:,}")
    Console(soft_wrap=True).print(table)
