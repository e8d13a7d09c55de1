"""One build, from start to end: recipe, fold, write the segments, publish, clean up.

Each step of the fold leaves a file in ``building/``. A build that was interrupted continues with
the next step, unless batches or rules have changed since; then it starts again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from inlink.extract.batch import remove_replaced, replace_older
from inlink.fold.fold import fold
from inlink.fold.publish import finish_publishing, publish, remove_old_generations
from inlink.fold.recipe import Counts, Generation, Recipe, make_recipe, read_generation
from inlink.fold.workspace import StepProgress, Workspace
from inlink.store.configuration import Settings
from inlink.store.layout import Layout, locked, write_atomically

WriteSegments = Callable[[Path, Path, Settings, StepProgress], None]
"""The next stage: it reads the directory of tables and fills the directory of segments."""


def build(
    layout: Layout, settings: Settings, write_segments: WriteSegments, progress: StepProgress
) -> Generation | None:
    """Fold what is new into the next generation and publish it; None if nothing is new.

    Raises:
        BusyError: another build of this data directory is running.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with locked(layout.root / "build.lock"):
        finish_publishing(layout)
        replace_older(layout)
        recipe = make_recipe(layout, settings)
        if recipe is None:
            shutil.rmtree(layout.building, ignore_errors=True)  # its purpose is gone
            _remove_replaced(layout)
            return None
        _prepare(layout, recipe)
        counts = _fold(layout, recipe, settings, progress)
        building = layout.building
        write_segments(building / "tables", building / "segments", settings, progress)
        generation = publish(layout, recipe, counts)
        remove_old_generations(layout, settings.keep_generations)
        _remove_replaced(layout)
        return generation


def _remove_replaced(layout: Layout) -> None:
    """Remove the replaced batches that evidence no longer reads."""
    current = layout.current_number()
    used = () if current is None else read_generation(layout, current).recipe.batches
    remove_replaced(layout, used)


def _prepare(layout: Layout, recipe: Recipe) -> None:
    """Keep the work of an interrupted build of the same recipe; otherwise start from nothing."""
    path = layout.building / "recipe.json"
    content = msgspec.json.encode(recipe)
    if path.exists() and path.read_bytes() == content:
        return
    shutil.rmtree(layout.building, ignore_errors=True)
    layout.building.mkdir()
    write_atomically(path, content)


def _fold(layout: Layout, recipe: Recipe, settings: Settings, progress: StepProgress) -> Counts:
    work = Workspace(layout.building, settings.memory_limit, progress)
    try:
        return fold(layout, recipe, work, progress)
    finally:
        work.close()
