"""Progress of long work: a bar with rate and time left on a terminal, else a line now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from inlink.build.workspace import StepProgress

LINE_INTERVAL = 5.0
"""Seconds between two lines where there is no terminal."""


class Meter(Protocol):
    """Is told how much of the work is done."""

    def __call__(self, done: int, text: str = "") -> None:
        """*done* of the total; *text* says what else is to be known."""


@contextmanager
def bytes_progress(title: str, total: int | None) -> Iterator[Meter]:
    """Show the progress of work on *total* bytes (None: not known), on standard error."""
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as progress:
            task = progress.add_task(title, total=total, note="")
            yield lambda done, text="": progress.update(task, completed=done, note=text)
    else:
        yield _Lines(title, total)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
    )


class _Lines:
    def __init__(self, title: str, total: int | None) -> None:
        self._title = title
        self._total = total
        self._start = self._last = time.monotonic()

    def __call__(self, done: int, text: str = "") -> None:
        now = time.monotonic()
        if now - self._last < LINE_INTERVAL:
            return
        self._last = now
        rate = done / (now - self._start)
        parts = [f"{self._title}: {done / 1e6:,.1f} MB"]
        if self._total:
            parts[0] += f" of {self._total / 1e6:,.1f} MB ({done / self._total:.0%})"
        parts.append(f"{rate / 1e6:,.1f} MB/s")
        if self._total and rate:
            parts.append(f"{max(self._total - done, 0) / rate:,.0f} s left")
        click.echo(", ".join([*parts, text] if text else parts), err=True)


@contextmanager
def steps_progress(log: str) -> Iterator[StepProgress]:
    """Show the progress of work in steps: on a terminal a bar for each, else lines in *log*."""
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
    """A line in the log when a step has ended."""
    log = logging.getLogger(name)
    began: dict[str, float] = {}

    def report(step: str, share: float | None) -> None:
        start = began.setdefault(step, time.monotonic())
        if share == 1.0:
            log.info("%s done in %.1f s", step, time.monotonic() - start)

    return report
