"""``inlink crawl``: fetch pages into WARC files."""

import datetime as dt
import sys
from pathlib import Path
from typing import NoReturn

import click
import msgspec
from rich.console import Console
from rich.table import Table

from inlink.cli.options import data_option
from inlink.cli.progress import count_progress
from inlink.crawl.errors import CrawlError
from inlink.crawl.job import crawl, unfinished
from inlink.crawl.plan_file import PlanError
from inlink.crawl.spec import CrawlSpec, CrawlSummary, Progress, Scope
from inlink.store.configuration import SettingsError, load_settings
from inlink.store.layout import BusyError, Layout


@click.command("crawl")
@click.option(
    "--seeds",
    multiple=True,
    metavar="FILE|URL",
    help="A URL to start from, or a file with one URL per line. May be repeated.",
)
@click.option("--plan", metavar="FILE", help="A plan that `inlink plan` wrote.")
@click.option("--max-pages", type=click.IntRange(min=1), help="How many pages to fetch.")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    help="How many links to follow from the start. Default: no limit, or 0 with only --plan.",
)
@click.option(
    "--scope",
    type=click.Choice(["web", "domain", "host"]),
    default="domain",
    show_default=True,
    help="Which links to follow: any, or only those to the domains or hosts of seeds and plan.",
)
@click.option("--sitemaps", is_flag=True, help="Also fetch the pages that sitemaps list.")
@click.option("--out", metavar="DIR", help="Directory or fsspec URL for finished WARC files.")
@click.option("--resume", is_flag=True, help="Continue the crawl that was interrupted last.")
@data_option
def crawl_command(
    seeds: tuple[str, ...],
    plan: str | None,
    max_pages: int | None,
    depth: int | None,
    scope: Scope,
    sitemaps: bool,
    out: str | None,
    resume: bool,
    layout: Layout,
) -> None:
    """Fetch pages politely, from seeds or a plan, and write the answers as WARC files.

    `inlink ingest` reads these files. After Ctrl-C, run the same command to continue.
    """
    asked = CrawlSpec(
        name=f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}",
        seeds=tuple(url for seed in seeds for url in seed_urls(seed)),
        plan=plan,
        max_pages=max_pages,
        depth=0 if depth is None and plan and not seeds else depth,
        scope=scope,
        sitemaps=sitemaps,
        out=out,
    )
    spec = _interrupted(asked, layout, any_of_them=resume) or asked
    try:
        summary = run_crawl(spec, layout)
    except (CrawlError, PlanError, SettingsError, BusyError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:  # before anything was fetched
        _end_interrupted()
    _show(summary)
    if not summary.finished:
        _end_interrupted()


def _end_interrupted() -> NoReturn:
    click.echo("Interrupted. Run the same command to continue.", err=True)
    sys.exit(130)


def seed_urls(seed: str) -> list[str]:
    """The URLs that the option ``--seeds`` stands for: the URL itself, or the lines of a file."""
    path = Path(seed)
    if "://" not in seed and path.is_file():
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise click.ClickException(f"{path} is not UTF-8: {error}") from error
        lines = (line.strip() for line in text.splitlines())
        return [_with_scheme(line) for line in lines if line and not line.startswith("#")]
    return [_with_scheme(seed)]


def _with_scheme(url: str) -> str:
    return url if "://" in url else f"https://{url}"


def _interrupted(asked: CrawlSpec, layout: Layout, *, any_of_them: bool) -> CrawlSpec | None:
    """The latest unfinished crawl that was started with the same options."""
    for spec in reversed(unfinished(layout)):
        if any_of_them or msgspec.structs.replace(spec, name=asked.name) == asked:
            click.echo(f"Continuing crawl {spec.name}.", err=True)
            return spec
    if any_of_them:
        raise click.ClickException("This data directory has no interrupted crawl.")
    return None


def run_crawl(spec: CrawlSpec, layout: Layout) -> CrawlSummary:
    """Start or continue the crawl *spec*, with a progress bar."""
    with count_progress("Crawling", "pages", spec.max_pages) as meter:

        def report(progress: Progress) -> None:
            note = f"{progress.queued:,} queued, {progress.bytes / 1e6:,.1f} MB"
            meter(progress.fetched, note)

        return crawl(spec, layout, load_settings(layout.root), report)


def _show(summary: CrawlSummary) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("pages fetched", f"{summary.fetched:,}")
    for outcome, count in summary.outcomes.items():
        table.add_row(f"  {outcome}", f"{count:,}")
    table.add_row("MB fetched", f"{summary.bytes / 1e6:,.1f}")
    console = Console(soft_wrap=True)
    console.print(table)
    for file in summary.files:
        console.print(file, highlight=False)
