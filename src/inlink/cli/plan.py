"""``inlink plan``: the URLs most worth fetching now, for ``inlink crawl --plan``.

The engine is imported when the command runs: server workers import this package too.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from inlink.cli.options import data_option
from inlink.cli.steps import steps_progress
from inlink.store.configuration import SettingsError, load_settings
from inlink.store.layout import BusyError, Layout

if TYPE_CHECKING:
    from inlink.crawl.plan_file import PlanEntry

BUDGET = 10_000
"""Fetches that are planned by default."""


@click.command()
@data_option
@click.option(
    "--budget",
    type=click.IntRange(1),
    default=BUDGET,
    show_default=True,
    help="How many URLs to plan.",
)
@click.option("--split", type=click.IntRange(1), help="Write this many plans, each host in one.")
@click.option("--out", metavar="FILE", help="Path or fsspec URL; compressed if it ends in .gz.")
@click.option("--at", type=click.DateTime(), help="Time to plan for, in UTC. Default: now.")
def plan(
    layout: Layout, budget: int, split: int | None, out: str | None, at: dt.datetime | None
) -> None:
    """Choose the URLs that are most worth fetching now, best first.

    These are pages due for a check, pages that failed and are due for a retry, and URLs that were
    never visited.
    """
    time = at.replace(tzinfo=dt.UTC) if at else dt.datetime.now(dt.UTC)
    try:
        counts = write_plans(layout, budget, time, out, split)
    except (BusyError, SettingsError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for address, why in counts.items():
        kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(why.items()))
        click.echo(f"{address}: {why.total():,} URLs ({kinds or 'nothing is due'})")


def write_plans(
    layout: Layout, budget: int, at: dt.datetime, out: str | None = None, split: int | None = None
) -> dict[str, Counter[str]]:
    """Write the plan; returns how many URLs of each kind (``why``) each file has."""
    from inlink.crawl.plan_file import part_of, write_plan
    from inlink.recrawl.job import planned

    address = out or str(layout.plans / f"{layout.current_number() or 0:08d}.jsonl.gz")
    counts: dict[str, Counter[str]] = {}
    with (
        steps_progress("inlink.recrawl") as report,
        planned(layout, load_settings(layout.root), budget, at, report) as entries,
    ):
        for part, part_address in enumerate(_addresses(address, split)):
            own = (entry for entry in entries() if not split or part_of(entry.url, split) == part)
            counts[part_address] = Counter()
            write_plan(part_address, _counted(own, counts[part_address]))
    return counts


def _addresses(address: str, split: int | None) -> list[str]:
    """The files of a plan; those of a split one are ``plan-1-of-3.jsonl.gz`` and so on."""
    if split is None:
        return [address]
    folder, slash, name = address.rpartition("/")
    stem, dot, end = name.partition(".")
    return [f"{folder}{slash}{stem}-{n}-of-{split}{dot}{end}" for n in range(1, split + 1)]


def _counted(entries: Iterable[PlanEntry], counts: Counter[str]) -> Iterator[PlanEntry]:
    for entry in entries:
        counts[entry.why] += 1
        yield entry
