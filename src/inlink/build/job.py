"""One build, from start to end: plan, fold, write the segments, publish, clean up.

Each step of the fold leaves a file in ``building/``. A build that was interrupted goes on with the
next step, unless batches or rules have changed since; then it starts again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from inlink.build.fold import fold
from inlink.build.plan import Counts, Generation, Plan, make_plan, read_generation
from inlink.build.publish import finish_publishing, publish, remove_old_generations
from inlink.build.workspace import StepProgress, Workspace
from inlink.extract.batch import remove_replaced, replace_older
from inlink.store.layout import Layout, locked, write_atomically
from inlink.store.settings import Settings

WriteSegments = Callable[[Path, Path, Settings, StepProgress], None]
"""The next stage: reads the directory of tables, fills that of segments."""


def build(
    layout: Layout, settings: Settings, write_segments: WriteSegments, progress: StepProgress
) -> Generation | None:
    """Fold what is new into the next generation and publish it; None where nothing is new.

    Raises:
        BusyError: another build of this data directory is running.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with locked(layout.root / "build.lock"):
        finish_publishing(layout)
        replace_older(layout)
        plan = make_plan(layout, settings)
        if plan is None:
            shutil.rmtree(layout.building, ignore_errors=True)  # what it was for is gone
            _remove_replaced(layout)
            return None
        _prepare(layout, plan)
        counts = _fold(layout, plan, settings, progress)
        building = layout.building
        write_segments(building / "tables", building / "segments", settings, progress)
        generation = publish(layout, plan, counts)
        remove_old_generations(layout, settings.keep_generations)
        _remove_replaced(layout)
        return generation


def _remove_replaced(layout: Layout) -> None:
    """Remove the batches that were replaced and that evidence is not read from any more."""
    current = layout.current_number()
    used = () if current is None else read_generation(layout, current).plan.batches
    remove_replaced(layout, used)


def _prepare(layout: Layout, plan: Plan) -> None:
    """Keep what an interrupted build of the same plan has done; otherwise start with nothing."""
    path = layout.building / "plan.json"
    content = msgspec.json.encode(plan)
    if path.exists() and path.read_bytes() == content:
        return
    shutil.rmtree(layout.building, ignore_errors=True)
    layout.building.mkdir()
    write_atomically(path, content)


def _fold(layout: Layout, plan: Plan, settings: Settings, progress: StepProgress) -> Counts:
    work = Workspace(layout.building, settings.memory_limit, progress)
    try:
        return fold(layout, plan, work, progress)
    finally:
        work.close()
