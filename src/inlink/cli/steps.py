"""Progress of work in steps, such as a build: bars on a terminal, otherwise lines in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from inlink.fold.workspace import StepProgress


@contextmanager
def steps_progress(log: str) -> Iterator[StepProgress]:
    """Show the progress of each step: a bar on a terminal, otherwise a line in *log*."""
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bars:
        yield _report_bars(bars) if console.is_terminal else _report_lines(log)


def _report_bars(bars: Progress) -> StepProgress:
    """A bar for each step."""
    tasks = {}

    def report(step: str, share: float | None) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step, total=1.0)
        if share is not None:
            bars.update(tasks[step], completed=share)

    return report


def _report_lines(name: str) -> StepProgress:
    """A line in the log when a step ends."""
    log = logging.getLogger(name)
    began: dict[str, float] = {}

    def report(step: str, share: float | None) -> None:
        start = began.setdefault(step, time.monotonic())
        if share == 1.0:
            log.info("%s done in %.1f s", step, time.monotonic() - start)

    return report
