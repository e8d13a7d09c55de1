"""What a build has to do, and what a finished generation says of itself."""

import datetime as dt

import msgspec

from inlink import __version__
from inlink.store.layout import Layout
from inlink.store.settings import Settings


class Counts(msgspec.Struct, frozen=True):
    """What a generation holds."""

    pages: int
    urls: int
    hosts: int
    domains: int
    live_links: int
    lost_links: int


class Plan(msgspec.Struct, frozen=True):
    """What a build folds. Two builds with the same plan make the same generation."""

    number: int
    previous: int | None
    batches: tuple[str, ...]
    new_batches: tuple[str, ...]
    settings: Settings
    version: str


class Generation(msgspec.Struct, frozen=True):
    """``generation.json``."""

    plan: Plan
    counts: Counts
    created_at: dt.datetime


def make_plan(layout: Layout, settings: Settings) -> Plan | None:
    """What to build next; None where the current generation has it all.

    The fold starts from nothing where it cannot go on from the previous generation: other settings,
    another version of Inlink, or a batch that was taken away.
    """
    batches = tuple(path.name for path in layout.batch_directories())
    number = max(layout.generation_numbers(), default=0) + 1
    current = layout.current_number()
    if current is None:
        return Plan(number, None, batches, batches, settings, __version__) if batches else None
    before = read_generation(layout, current).plan
    folded = set(before.batches)
    same = (before.settings, before.version) == (settings, __version__)
    if not same or not folded <= set(batches):
        return Plan(number, None, batches, batches, settings, __version__)
    new = tuple(name for name in batches if name not in folded)
    return Plan(number, current, batches, new, settings, __version__) if new else None


def read_generation(layout: Layout, number: int) -> Generation:
    """``generation.json`` of finished generation *number*."""
    path = layout.generation(number) / "generation.json"
    return msgspec.json.decode(path.read_bytes(), type=Generation)
