"""``inlink run``: keep an index fresh by repeating plan, crawl, ingest, build and publish.

It keeps no state of its own. Each of its crawls is named after the time it began. Whatever the
newest crawl left undone is done first, so `inlink run` can be killed at any point.
"""

import datetime as dt
import logging
import re
import signal
import sys
import time
from typing import Any

import click
import pyarrow.compute as pc
import pyarrow.parquet as pq

from inlink.cli.build import build_generation
from inlink.cli.crawl import run_crawl, seed_urls
from inlink.cli.ingest import read_files
from inlink.cli.options import data_option
from inlink.cli.plan import BUDGET, write_plans
from inlink.crawl.job import unfinished
from inlink.crawl.spec import CrawlSpec
from inlink.extract.ingest import Summary
from inlink.store.configuration import load_settings
from inlink.store.layout import BusyError, Layout, locked
from inlink.urls.canonical import canonical_url, url_id

NAME = "run-%Y%m%dT%H%M%SZ"
"""The names of the loop's crawls, as a format for the time they began."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_log = logging.getLogger("inlink.run")


class Duration(click.ParamType[dt.timedelta]):
    """A length of time such as ``24h``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> dt.timedelta:
        """Read a number and its unit."""
        if isinstance(value, dt.timedelta):
            return value
        match = re.fullmatch(r"(\d+)([smhd])", value)
        if not match:
            self.fail(f"{value!r} is not a duration such as 90m, 24h or 7d", param, ctx)
        return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command("run")
@data_option
@click.option(
    "--seeds",
    multiple=True,
    metavar="FILE|URL",
    help="A URL to start from, or a file with one URL per line. May be repeated.",
)
@click.option(
    "--budget",
    type=click.IntRange(1),
    default=BUDGET,
    show_default=True,
    help="How many pages to fetch in a round.",
)
@click.option(
    "--every",
    type=Duration(),
    default="24h",
    show_default=True,
    help="Time from the start of a round to the start of the next: 90m, 24h or 7d.",
)
@click.option("--once", is_flag=True, help="Stop after one round.")
def run(
    layout: Layout, seeds: tuple[str, ...], budget: int, every: dt.timedelta, once: bool
) -> None:
    """Keep the index fresh: plan, crawl, ingest, build and publish, again and again.

    After Ctrl-C, a crash or a power cut, run the same command to continue.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    urls = tuple(url for seed in seeds for url in seed_urls(seed))
    layout.root.mkdir(parents=True, exist_ok=True)
    try:
        with locked(layout.root / "run.lock"):
            _loop(layout, urls, budget, every, once=once)
    except KeyboardInterrupt:
        click.echo("Interrupted. Run the same command to continue.", err=True)
        sys.exit(130)
    except (BusyError, OSError, ValueError) as error:  # also errors of settings, plans and crawls
        raise click.ClickException(str(error)) from error


def _loop(
    layout: Layout, seeds: tuple[str, ...], budget: int, every: dt.timedelta, *, once: bool
) -> None:
    newest = _newest(layout)
    due = newest + every if newest else dt.datetime.now(dt.UTC)
    while True:
        spec = next((spec for spec in unfinished(layout) if spec.name.startswith("run-")), None)
        if spec is None:
            _take_in(layout)  # what a killed round left
            if not once:
                _wait_until(due)
            spec = _next_crawl(layout, seeds, budget)
            due = dt.datetime.now(dt.UTC) + every
        if spec:
            _crawl(spec, layout)
            _take_in(layout)
        if once:
            return


def _newest(layout: Layout) -> dt.datetime | None:
    """When the latest crawl of the loop began."""
    names = [path.parent.name for path in layout.crawls.glob("run-*/crawl.json")]
    if not names:
        return None
    return dt.datetime.strptime(max(names), NAME).replace(tzinfo=dt.UTC)


def _wait_until(due: dt.datetime) -> None:
    left = (due - dt.datetime.now(dt.UTC)).total_seconds()
    if left > 0:
        _log.info("next round at %s UTC", f"{due:%Y-%m-%d %H:%M:%S}")
        time.sleep(left)


def _next_crawl(layout: Layout, seeds: tuple[str, ...], budget: int) -> CrawlSpec | None:
    """The next crawl: from the seeds if there is no generation yet; None if nothing is due."""
    now = dt.datetime.now(dt.UTC)
    name = now.strftime(NAME)
    seeds = _unvisited(layout, seeds)
    if layout.current_number() is None:
        if not seeds:
            raise ValueError(
                f"{layout.root} has no generation yet, so the first round needs --seeds."
            )
        _log.info("no generation yet: crawling from %d seeds", len(seeds))
        return CrawlSpec(name=name, seeds=seeds, max_pages=budget, scope="web")
    plan = layout.plans / f"{name}.jsonl.gz"
    for old in layout.plans.glob("run-*"):
        old.unlink()
    (why,) = write_plans(layout, budget, now, str(plan)).values()
    _log.info("planned %d URLs %s", why.total(), dict(sorted(why.items())))
    if not why and not seeds:
        return None
    return CrawlSpec(name=name, seeds=seeds, plan=str(plan), depth=0, max_pages=budget)


def _unvisited(layout: Layout, seeds: tuple[str, ...]) -> tuple[str, ...]:
    """The seeds that were never visited; plans take care of the others."""
    number = layout.current_number()
    if number is None or not seeds:
        return seeds
    dropped = load_settings(layout.root).drop_parameters
    urls = {seed: canonical_url(seed, drop_parameters=dropped) for seed in seeds}
    ids = {url_id(url): seed for seed, url in urls.items() if url}
    pages = layout.generation(number) / "tables" / "pages.parquet"
    known = pq.read_table(pages, columns=["url_id"], filters=pc.field("url_id").isin(list(ids)))
    visited = set(known["url_id"].to_pylist())
    return tuple(seed for seed_id, seed in ids.items() if seed_id not in visited)


def _crawl(spec: CrawlSpec, layout: Layout) -> None:
    _log.info("crawling into %s", layout.crawl(spec.name))
    summary = run_crawl(spec, layout)
    if not summary.finished:
        raise KeyboardInterrupt
    _log.info(
        "crawled %d pages, %.1f MB: %s", summary.fetched, summary.bytes / 1e6, summary.outcomes
    )


def _take_in(layout: Layout) -> None:
    """Ingest the newest crawl and build; nothing is done twice."""
    newest = _newest(layout)
    if newest:
        files = sorted(layout.crawl(newest.strftime(NAME)).glob("*.warc.gz"))
        summary = Summary()
        read_files(map(str, files), layout, summary)
        _log.info("ingested %d files, %d new", len(files), len(summary.new))
        for failure in summary.failures:
            _log.error("%s could not be ingested: %s", failure.name, failure.reason)
    generation = build_generation(layout)
    if generation:
        _log.info("published generation %d: %s", generation.recipe.number, generation.counts)
