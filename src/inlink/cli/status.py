"""``inlink status``: show what a data directory holds."""

import datetime as dt
from pathlib import Path

import click
import msgspec

from inlink.cli.options import data_option
from inlink.extract.batch import readings
from inlink.fold.recipe import Counts, Recipe, read_generation
from inlink.store.layout import BusyError, Layout, locked
from inlink.store.versions import EXTRACTOR_RULES


class GenerationStatus(msgspec.Struct, frozen=True):
    """One generation on disk."""

    number: int
    current: bool
    created_at: dt.datetime
    batches: int
    counts: Counts
    bytes: int
    older_rules: bool
    """Whether the rules of the fold or the format of segments changed since it was built."""


class BuildStatus(msgspec.Struct, frozen=True):
    """A running build, or an interrupted one that the next ``inlink build`` continues."""

    number: int
    running: bool
    new_batches: int
    steps_done: tuple[str, ...]


class Status(msgspec.Struct, frozen=True):
    """What ``inlink status --json`` prints."""

    batches: int
    batches_not_built: int
    older_batches: int
    """Batches that were read by older rules of the extractor."""
    older_visits: int
    """Visits in these batches."""
    generations: tuple[GenerationStatus, ...]
    building: BuildStatus | None
    bytes: int


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(layout: Layout, as_json: bool) -> None:
    """Show batches, generations, counts, bytes on disk, and the build that is running."""
    now = read_status(layout)
    if as_json:
        click.echo(msgspec.json.encode(now))
    else:
        _print(now)


def read_status(layout: Layout) -> Status:
    """Read the data directory; whatever does not exist yet counts as empty."""
    known = readings(layout)
    batches = {path.name for path in known}
    older = [reading for reading in known.values() if reading.rules < EXTRACTOR_RULES]
    current = layout.current_number()
    generations = tuple(
        _generation(layout, number, number == current) for number in layout.generation_numbers()
    )
    built = set(read_generation(layout, current).recipe.batches) if current is not None else set()
    return Status(
        batches=len(batches),
        batches_not_built=len(batches - built),
        older_batches=len(older),
        older_visits=sum(reading.visits for reading in older),
        generations=generations,
        building=_building(layout),
        bytes=_bytes(layout.root),
    )


def _generation(layout: Layout, number: int, current: bool) -> GenerationStatus:
    generation = read_generation(layout, number)
    return GenerationStatus(
        number=number,
        current=current,
        created_at=generation.created_at,
        batches=len(generation.recipe.batches),
        counts=generation.counts,
        bytes=_bytes(layout.generation(number)),
        older_rules=generation.recipe.is_of_older_rules,
    )


def _building(layout: Layout) -> BuildStatus | None:
    try:
        recipe = msgspec.json.decode((layout.building / "recipe.json").read_bytes(), type=Recipe)
    except FileNotFoundError:
        return None
    done = [*layout.building.glob("steps/*.parquet"), *layout.building.glob("tables/*.parquet")]
    try:
        with locked(layout.root / "build.lock"):
            running = False
    except BusyError:
        running = True
    return BuildStatus(
        number=recipe.number,
        running=running,
        new_batches=len(recipe.new_batches),
        steps_done=tuple(sorted(path.stem for path in done)),
    )


def _bytes(directory: Path) -> int:
    """Bytes of all files in *directory* and below; files that vanish meanwhile do not count."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _print(now: Status) -> None:
    click.echo(
        f"{now.bytes:,} bytes on disk; {now.batches:,} batches, "
        f"{now.batches_not_built:,} of them not built yet"
    )
    if now.older_batches:
        click.echo(
            f"{now.older_batches:,} batches with {now.older_visits:,} visits were read by older "
            "rules; run `inlink ingest` on the same files to read them again"
        )
    for generation in now.generations:
        current = ", current" if generation.current else ""
        click.echo(
            f"generation {generation.number}{current}: built {generation.created_at:%Y-%m-%d %H:%M}"
            f" UTC from {generation.batches:,} batches, {generation.bytes:,} bytes"
        )
        for name in Counts.__struct_fields__:
            value = getattr(generation.counts, name)
            click.echo(f"  {name.replace('_', ' '):<12}{value:>16,}")
        if generation.older_rules and generation.current:
            click.echo("  built by older rules; run `inlink build` to rebuild it")
    if now.building:
        interrupted = "was interrupted; `inlink build` continues it"
        state = "is being built" if now.building.running else interrupted
        click.echo(
            f"generation {now.building.number} {state}: {now.building.new_batches:,} new batches, "
            f"{len(now.building.steps_done)} steps done"
        )
