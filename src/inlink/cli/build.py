"""``inlink build``: fold new batches into the next generation and publish it.

The engine is imported when the command runs: server workers import this package too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inlink.cli.options import data_option
from inlink.cli.steps import steps_progress
from inlink.store import settings
from inlink.store.layout import BusyError, Layout

if TYPE_CHECKING:
    from inlink.build.plan import Generation
    from inlink.build.workspace import StepProgress


@click.command()
@data_option
def build(layout: Layout) -> None:
    """Fold what has been ingested since the last build, rank it, and publish it.

    A build that was interrupted goes on where it was.
    """
    try:
        generation = build_generation(layout)
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


def build_generation(layout: Layout) -> Generation | None:
    """Build with a bar for each step; None where nothing is new."""
    from inlink.build.job import build as run_build

    with steps_progress("inlink.build") as report:
        return run_build(layout, settings.load(layout.root), _write_segments, report)


def _write_segments(
    tables: Path, segments: Path, chosen: settings.Settings, report: StepProgress
) -> None:
    from inlink.index.writer import write_segments

    write_segments(tables, segments, chosen, lambda done, total: report("segments", done / total))
