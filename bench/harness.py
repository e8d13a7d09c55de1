"""What every benchmark shares: measurements, goals, and the ratios between contenders.

A stage is a module of this directory with a ``TITLE``, its ``GOALS``, and ``measure``, which takes
a `Run` and yields `Measurement`. ``bench/__main__.py`` runs the stages and writes the tables; a new
stage is a new module, named in its ``STAGES``.

Contenders of one case take their turns round after round in one run, so that whatever else the
machine does meets them all. A ratio is taken within each round; the tables give the median of the
rounds and their range.
"""

import gc
import importlib.metadata
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Real crawls and graphs; see its ``INDEX.md``."""

INLINK = "Inlink"
Kind = Literal["inlink", "peer", "limit"]


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one contender took, or reached, in one case."""

    case: str
    """What was done, on what; contenders of one case did the same work."""
    contender: str
    kind: Kind
    """``limit`` is what the work cannot do without, done by the same libraries and nothing else."""
    unit: str
    """``.../s`` where more is better (``pages/s``); of anything else (``s``, ``ms``, ``MB``,
    ``bytes``) less is."""
    samples: list[float]
    """One value a round, in the order of the rounds."""
    note: str = ""
    """What a reader must know of this row, such as what the contender leaves out."""

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.samples)


class Goal(msgspec.Struct, frozen=True):
    """What Inlink is to reach in some cases."""

    text: str
    """The goal in words."""
    case: str
    """The cases it is about: those that begin with this."""
    against: Literal["best peer", "limit", "value", "geometric mean"]
    """What Inlink is compared with: the better of the peers or the limit of each case (ratio: how
    many times as good as it Inlink is), the measured value itself, or the geometric mean of the
    ratios to the best peers of all the cases."""
    at_least: float | None = None
    """The ratio, or value, that meets the goal."""
    at_most: float | None = None
    """The same, where less is asked for."""


class Skipped(msgspec.Struct, frozen=True):
    """A contender that could not take part."""

    contender: str
    reason: str


@dataclass(frozen=True)
class Run:
    """How much a stage is to do."""

    quick: bool
    """A run of all stages in some ten minutes, not two hours: less data, fewer rounds."""
    directory: Path
    """An empty directory for the stage's files; removed afterwards."""
    shared: Path
    """A directory for inputs that several stages of a run use; see ``webs``."""
    most_links: int
    """Webs of more links are left out."""

    def either(self, full: int, quick: int) -> int:
        """*full* in a full run, *quick* in a quick one: numbers of rounds, say."""
        return quick if self.quick else full

    def say(self, text: str) -> None:
        """Tell whoever waits what is being done."""
        print(f"    {time.strftime('%H:%M:%S')} {text}", flush=True)


class Stage(Protocol):
    """What a module of a stage has."""

    TITLE: str
    GOALS: list[Goal]

    def measure(self, run: Run) -> Iterator[Measurement | Skipped]:
        """Measure Inlink, its peers and the limit."""
        ...


Work = Callable[[], float]
"""Does the work once; returns how much it was (pages, links, edges), 1.0 where it is just once."""


def in_turns(
    case: str,
    contenders: Mapping[tuple[str, Kind], Work],
    rounds: int,
    unit: str,
    clock: Callable[[], float] = time.process_time,
    notes: Mapping[str, str] | None = None,
) -> Iterator[Measurement]:
    """Measure *contenders* in turns: amount by second where *unit* ends in ``/s``, else seconds.

    A first round warms up and does not count. *clock* is processor time, or for work of several
    processes or with waiting ``time.perf_counter``.
    """
    samples: dict[tuple[str, Kind], list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            gc.collect()
            start = clock()
            amount = work()
            seconds = clock() - start
            if number:
                samples[name].append(amount / seconds if unit.endswith("/s") else seconds)
    for (contender, kind), found in samples.items():
        yield Measurement(case, contender, kind, unit, found, (notes or {}).get(contender, ""))


def ratios(own: Measurement, other: Measurement) -> list[float]:
    """How many times as good *own* is as *other*, round by round.

    Raises:
        ValueError: they have other units, or other numbers of samples.
    """
    if own.unit != other.unit:
        raise ValueError(f"{own.unit} of {own.contender} against {other.unit} of {other.contender}")
    pairs = list(zip(own.samples, other.samples, strict=True))
    if own.unit.endswith("/s"):
        return [mine / theirs for mine, theirs in pairs]
    return [theirs / mine for mine, theirs in pairs]


def by_case(measurements: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    """The measurements of each case, in order."""
    cases: dict[str, list[Measurement]] = {}
    for each in measurements:
        cases.setdefault(each.case, []).append(each)
    return cases


def own_of(contenders: list[Measurement]) -> Measurement | None:
    """Inlink's measurement of a case."""
    return next((each for each in contenders if each.contender == INLINK), None)


def peak_megabytes() -> float:
    """The most memory that this process has had resident, in MB.

    Not ``ru_maxrss``: that begins with what the process had that started this one.
    """
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    return int(peak[1]) / 1000


def versions(packages: str) -> str:
    """The installed versions of *packages*, names with spaces between."""
    found = []
    for name in packages.split():
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)
