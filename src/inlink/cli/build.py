"""``inlink build``: fold new batches into the next generation and publish it.

The engine is imported when the command runs: server workers import this package too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inlink.cli.options import data_option
from inlink.cli.steps import steps_progress
from inlink.store.configuration import Settings, SettingsError, load_settings
from inlink.store.layout import BusyError, Layout

if TYPE_CHECKING:
    from inlink.fold.recipe import Generation
    from inlink.fold.workspace import StepProgress


@click.command()
@data_option
def build(layout: Layout) -> None:
    """Fold what was ingested since the last build, rank it, and publish it.

    An interrupted build continues where it stopped.
    """
    try:
        generation = build_generation(layout)
    except (BusyError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    if generation is None:
        click.echo("Nothing new: the current generation holds everything that was ingested.")
        return
    counts = generation.counts
    click.echo(
        f"Generation {generation.recipe.number}: {counts.pages:,} pages visited, "
        f"{counts.live_links:,} live and {counts.lost_links:,} lost backlinks."
    )


def build_generation(layout: Layout) -> Generation | None:
    """Build, with a progress bar for each step; None if nothing is new."""
    from inlink.fold.job import build as run_build

    with steps_progress("inlink.fold") as report:
        return run_build(layout, load_settings(layout.root), _write_segments, report)


def _write_segments(tables: Path, segments: Path, settings: Settings, report: StepProgress) -> None:
    from inlink.index.writer import write_segments

    write_segments(tables, segments, settings, lambda done, total: report("segments", done / total))
