"""Publishing a generation, and cleaning up old ones.

A generation gets into place by one rename, and is served from the moment ``CURRENT`` names it.
A server holds a shared lock on ``in-use.lock`` of the generation that it serves; only directories
that are not locked are removed.
"""

import contextlib
import datetime as dt
import shutil

import msgspec

from inlink.fold.recipe import Counts, Generation, Recipe
from inlink.store.layout import BusyError, Layout, locked, publish_directory, write_atomically


def publish(layout: Layout, recipe: Recipe, counts: Counts) -> Generation:
    """Make ``building/``, which is complete, the current generation."""
    generation = Generation(recipe, counts, dt.datetime.now(dt.UTC))
    write_atomically(layout.building / "generation.json", msgspec.json.encode(generation))
    finish_publishing(layout)
    return generation


def finish_publishing(layout: Layout) -> None:
    """Move a finished ``building/`` to its place, and make ``CURRENT`` name the newest generation.

    A build also does this first, in case an earlier one died between the two.
    """
    finished = layout.building / "generation.json"
    if finished.exists():
        number = msgspec.json.decode(finished.read_bytes(), type=Generation).recipe.number
        layout.generations.mkdir(exist_ok=True)
        for folder in ("steps", "spill"):  # not earlier: without them the build would start again
            shutil.rmtree(layout.building / folder, ignore_errors=True)
        publish_directory(layout.building, layout.generation(number))
    newest = max(layout.generation_numbers(), default=None)
    if newest is not None and newest != layout.current_number():
        write_atomically(layout.current, f"{newest}\n".encode())


def remove_old_generations(layout: Layout, keep: int) -> list[int]:
    """Remove all but the newest *keep* generations and those in use; returns those removed."""
    removed = []
    for number in layout.generation_numbers()[:-keep]:
        directory = layout.generation(number)
        with contextlib.suppress(BusyError), locked(directory / "in-use.lock"):
            trash = layout.generations / f".removed-{number}"
            directory.rename(trash)
            removed.append(number)
    for trash in layout.generations.glob(".removed-*"):
        shutil.rmtree(trash)
    return removed
