"""What a build has to do, and what a finished generation records about itself."""

import datetime as dt

import msgspec

from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.store.versions import FOLD_RULES, SEGMENT_FORMAT


class Counts(msgspec.Struct, frozen=True):
    """What a generation holds."""

    pages: int
    urls: int
    hosts: int
    domains: int
    live_links: int
    lost_links: int


class Recipe(msgspec.Struct, frozen=True):
    """What a build folds. Two builds with the same recipe make the same generation.

    ``previous`` is the generation from which the fold continues, None if it starts from nothing.
    ``ranked_before`` is the one that this one replaces: its ranks become past values.
    ``fold_rules`` and ``segment_format`` are versions from `inlink.store.versions`.
    """

    number: int
    previous: int | None
    batches: tuple[str, ...]
    new_batches: tuple[str, ...]
    failed_visits: int
    redirect_hops: int
    drop_parameters: tuple[str, ...] = ()  # recipes of earlier versions have none of the following
    robot_name: str = ""
    stale_days: int | None = None
    ranked_before: int | None = None
    fold_rules: int = 1
    segment_format: int = 1

    @property
    def is_of_older_rules(self) -> bool:
        """Whether this version of Inlink would make another generation of the same batches."""
        return (self.fold_rules, self.segment_format) != (FOLD_RULES, SEGMENT_FORMAT)


class Generation(msgspec.Struct, frozen=True):
    """``generation.json``."""

    recipe: Recipe = msgspec.field(name="plan")  # its name in versions before 0.3
    counts: Counts
    created_at: dt.datetime


def make_recipe(layout: Layout, settings: Settings) -> Recipe | None:
    """What to build next; None if the current generation has everything.

    The fold starts from nothing if it cannot continue from the previous generation, because the
    settings that decide what is live or the rules of the fold have changed, or because a batch was
    removed or replaced. If only the format of segments has changed, it continues with no new
    batches.
    """
    batches = tuple(path.name for path in layout.batch_directories())
    current = layout.current_number()
    from_nothing = Recipe(
        number=max(layout.generation_numbers(), default=0) + 1,
        previous=None,
        batches=batches,
        new_batches=batches,
        failed_visits=settings.failed_visits,
        redirect_hops=settings.redirect_hops,
        drop_parameters=settings.drop_parameters,
        robot_name=settings.robot_name.lower(),
        stale_days=settings.stale_days,
        ranked_before=current,
        fold_rules=FOLD_RULES,
        segment_format=SEGMENT_FORMAT,
    )
    if current is None:
        return from_nothing if batches else None
    before = read_generation(layout, current).recipe
    if _rules(before) != _rules(from_nothing) or not set(before.batches) <= set(batches):
        return from_nothing
    new = tuple(sorted(set(batches) - set(before.batches)))
    if not new and before.segment_format == SEGMENT_FORMAT:
        return None
    return msgspec.structs.replace(from_nothing, previous=current, new_batches=new)


def _rules(recipe: Recipe) -> tuple[object, ...]:
    """What the tables of two generations must have in common for a fold to continue."""
    extraction = recipe.drop_parameters, recipe.robot_name
    return (
        *extraction,
        recipe.failed_visits,
        recipe.redirect_hops,
        recipe.stale_days,
        recipe.fold_rules,
    )


def read_generation(layout: Layout, number: int) -> Generation:
    """``generation.json`` of the finished generation *number*."""
    path = layout.generation(number) / "generation.json"
    return msgspec.json.decode(path.read_bytes(), type=Generation)
