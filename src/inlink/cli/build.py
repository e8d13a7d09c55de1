"""``inlink build``: fold new batches into the next generation and publish it.

The engine is imported when the command runs: server workers import this package too.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from inlink.cli.options import data_option
from inlink.store import settings
from inlink.store.layout import BusyError, Layout

if TYPE_CHECKING:
    from inlink.build.workspace import StepProgress


@click.command()
@data_option
def build(layout: Layout) -> None:
    """Fold what has been ingested since the last build, rank it, and publish it.

    A build that was interrupted goes on where it was.
    """
    from inlink.build.job import build as run_build

    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    report = _report_bars(bars) if console.is_terminal else _report_lines()
    try:
        with bars:
            generation = run_build(layout, settings.load(layout.root), _write_segments, report)
    except (BusyError, settings.SettingsError) as error:
        raise click.ClickException(str(error)) from error
    if generation is None:
        click.echo("Nothing new: the current generation holds all that has been ingested.")
        return
    counts = generation.counts
    click.echo(
        f"Generation {generation.plan.number}: {counts.pages:,} pages visited, "
        f"{counts.live_links:,} live and {counts.lost_links:,} lost backlinks."
    )


def _write_segments(
    tables: Path, segments: Path, chosen: settings.Settings, report: StepProgress
) -> None:
    from inlink.index.writer import write_segments

    write_segments(tables, segments, chosen, lambda done, total: report("segments", done / total))


def _report_bars(bars: Progress) -> StepProgress:
    """A bar for each step."""
    tasks = {}

    def report(step: str, share: float | None) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step, total=1.0)
        if share is not None:
            bars.update(tasks[step], completed=share)

    return report


def _report_lines() -> StepProgress:
    """A line in the log when a step has ended."""
    log = logging.getLogger("inlink.build")
    began: dict[str, float] = {}

    def report(step: str, share: float | None) -> None:
        start = began.setdefault(step, time.monotonic())
        if share == 1.0:
            log.info("%s done in %.1f s", step, time.monotonic() - start)

    return report
