"""Progress of long work: on a terminal, a bar with rate and time left; else a line now and then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

LINE_INTERVAL = 5.0
"""Seconds between two lines if there is no terminal."""


class Meter(Protocol):
    """Takes reports of how much of the work is done."""

    def __call__(self, done: int, text: str = "") -> None:
        """*done* of the total is done; *text* is shown beside it."""


@contextmanager
def count_progress(title: str, unit: str, total: int | None) -> Iterator[Meter]:
    """Show the progress of work on *total* units, such as pages, on standard error.

    A *total* of None is not known.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(title, total=total, note="")
            yield lambda done, text="": progress.update(task, completed=done, note=text)
    else:
        yield _Lines(title, total, unit, 1)


@contextmanager
def bytes_progress(title: str, total: int | None) -> Iterator[Meter]:
    """Show the progress of work on *total* bytes (None: not known), on standard error."""
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as progress:
            task = progress.add_task(title, total=total, note="")
            yield lambda done, text="": progress.update(task, completed=done, note=text)
    else:
        yield _Lines(title, total, "MB", 1_000_000)


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


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


class _Lines:
    def __init__(self, title: str, total: int | None, unit: str, size: int) -> None:
        self._title = title
        self._total = total
        self._unit = unit
        self._size = size
        self._digits = 1 if size > 1 else 0
        self._start = self._last = time.monotonic()

    def __call__(self, done: int, text: str = "") -> None:
        now = time.monotonic()
        if now - self._last < LINE_INTERVAL:
            return
        self._last = now
        rate = done / (now - self._start)
        parts = [f"{self._title}: {self._amount(done)}"]
        if self._total:
            parts[0] += f" of {self._amount(self._total)} ({done / self._total:.0%})"
        parts.append(f"{rate / self._size:,.1f} {self._unit}/s")
        if self._total and rate:
            parts.append(f"{max(self._total - done, 0) / rate:,.0f} s left")
        click.echo(", ".join([*parts, text] if text else parts), err=True)

    def _amount(self, number: int) -> str:
        return f"{number / self._size:,.{self._digits}f} {self._unit}"
