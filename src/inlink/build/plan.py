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
    """What a build folds. Two builds with the same plan make the same generation.

    ``previous`` is the generation that the fold goes on from, None where it starts from nothing.
    ``ranked_before`` is the one that this one takes the place of: its ranks become past values.
    """

    number: int
    previous: int | None
    batches: tuple[str, ...]
    new_batches: tuple[str, ...]
    failed_visits: int
    redirect_hops: int
    version: str
    ranked_before: int | None = None  # a plan of an earlier version does not have it


class Generation(msgspec.Struct, frozen=True):
    """``generation.json``."""

    plan: Plan
    counts: Counts
    created_at: dt.datetime


def make_plan(layout: Layout, settings: Settings) -> Plan | None:
    """What to build next; None where the current generation has it all.

    The fold starts from nothing where it cannot go on from the previous generation: other rules of
    what is live, another version of Inlink, or a batch that was taken away.
    """
    batches = tuple(path.name for path in layout.batch_directories())
    number = max(layout.generation_numbers(), default=0) + 1
    rules = (settings.failed_visits, settings.redirect_hops, __version__)
    current = layout.current_number()
    from_nothing = Plan(number, None, batches, batches, *rules, ranked_before=current)
    if current is None:
        return from_nothing if batches else None
    before = read_generation(layout, current).plan
    same_rules = (before.failed_visits, before.redirect_hops, before.version) == rules
    if not same_rules or not set(before.batches) <= set(batches):
        return from_nothing
    new = tuple(sorted(set(batches) - set(before.batches)))
    return Plan(number, current, batches, new, *rules, ranked_before=current) if new else None


def read_generation(layout: Layout, number: int) -> Generation:
    """``generation.json`` of finished generation *number*."""
    path = layout.generation(number) / "generation.json"
    return msgspec.json.decode(path.read_bytes(), type=Generation)
