"""How many links a build folds in a second, beside sorting and writing the same rows once.

Made-up webs (see ``webs``) of some sizes, crawled twice. One build folds the first crawl from
nothing, the next folds the second crawl onto what that made. A build here is all that ``inlink
build`` does up to the segments: visits, pages, history, graph, ranks and their history, counts,
publishing. What the ranks are of it, and what the segments take after it, are cases of their own.

The limit is DuckDB, with the same memory, sorting by target every row of links that the build reads
and writing it to Parquet once: the rows of the crawl, and for the second crawl those of the
generation before as well. The rates are by the clock on the wall, of all cores. Growth is
that of processor time: the exponent between one size and the next.
"""

import itertools
import math
import multiprocessing
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from bench import webs
from bench.harness import INLINK, Goal, Kind, Measurement, Run, peak_megabytes
from inlink.fold.job import build
from inlink.fold.workspace import StepProgress
from inlink.store.configuration import Settings
from inlink.store.layout import Layout

TITLE = "Build: from observations to a generation"
GOALS = [
    Goal("within 3 times the limit", "build, ", "limit", at_least=1 / 3),
    Goal("cost grows linearly (exponent at most 1.05)", "growth, ", "value", at_most=1.05),
    Goal("memory at most 1.5 times what is allowed", "memory, ", "value", at_most=1.5),
]

LIMIT = "DuckDB, sort and write once"
CRAWLS = ("first crawl", "second crawl")
SETTINGS = Settings(keep_generations=1)
MILLION = 1_000_000


@dataclass
class Cost:
    """What one build took."""

    links: int
    """Rows of links in the crawl."""
    seconds: float = 0.0
    processor: float = 0.0
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds of ``ranks``, ``fold`` and ``segments``; the last are not in ``seconds``."""
    limit: float = 0.0
    """Seconds of the limit."""


def measure(run: Run) -> Iterator[Measurement]:
    """Measure both builds of webs of each size, and the memory of one."""
    every = (MILLION * 3 // 10, MILLION) if run.quick else (MILLION, 10 * MILLION, 50 * MILLION)
    sizes = [size for size in every if size <= run.most_links]
    measured_for_memory, allowed = (MILLION, 300) if run.quick else (10 * MILLION, 1000)
    _warm_up(run)
    found: dict[int, list[tuple[Cost, Cost]]] = {}
    for links in sizes:
        run.say(f"making a web of {links:,} links")
        crawls = Layout(run.directory / f"crawls-{links}")
        webs.write_crawls(crawls, links)
        rounds = run.either(3, 2) if links <= MILLION else 1
        for number in range(rounds):
            run.say(f"building the web of {links:,} links, round {number + 1} of {rounds}")
            generation = Layout(run.directory / f"web-{links}")
            shutil.rmtree(generation.root, ignore_errors=True)
            both = (_build(crawls, generation, 0), _build(crawls, generation, 1))
            found.setdefault(links, []).append(both)
        _share(run, generation, links)
        yield from _rates(links, found[links])
        if links == measured_for_memory:
            yield from _memory(crawls, links, allowed)
        shutil.rmtree(crawls.root)
    yield from _growth(found)


def _warm_up(run: Run) -> None:
    crawls, generation = Layout(run.directory / "warm-crawls"), Layout(run.directory / "warm-web")
    webs.write_crawls(crawls, 10_000)
    _build(crawls, generation, 0)


def _share(run: Run, generation: Layout, links: int) -> None:
    """Leave the generation to the stages that serve a web of this size."""
    place = webs.place(run, links)
    if not place.root.exists():
        shutil.move(generation.root, place.root)


def _crawled(crawls: Layout, generation: Layout, crawl: int) -> Path:
    """Give the data directory a crawl's batch, without a second copy of its bytes."""
    batch = generation.batches / f"crawl-{crawl}"
    shutil.copytree(crawls.batches / batch.name, batch, copy_function=os.link)
    return batch / "links.parquet"


def _build(crawls: Layout, generation: Layout, crawl: int) -> Cost:
    """Fold one more crawl; the segments are written after the second."""
    before = generation.current_number()
    links = _crawled(crawls, generation, crawl)
    inputs = [links]
    if before is not None:
        inputs.append(generation.generation(before) / "tables" / "links.parquet")
    cost = Cost(pq.read_metadata(links).num_rows)
    cost.limit = _limit(inputs, generation.root / "limit")
    clock = _Clock(cost)

    def segments(source: Path, target: Path, settings: Settings, progress: StepProgress) -> None:
        clock.enter("segments")
        if crawl:
            webs.segments(source, target, settings, progress)
        clock.enter("fold")

    build(generation, SETTINGS, segments, clock.progress)
    clock.enter("done")
    cost.seconds = cost.parts["fold"] + cost.parts["ranks"]
    return cost


class _Clock:
    """Adds the time of a build to its parts, by the names of the running steps."""

    def __init__(self, cost: Cost) -> None:
        self._cost = cost
        self._part = "fold"
        self._since = time.perf_counter(), time.process_time()

    def enter(self, part: str) -> None:
        """Whatever comes now belongs to *part*."""
        wall, processor = time.perf_counter(), time.process_time()
        self._cost.parts[self._part] += wall - self._since[0]
        if self._part != "segments":
            self._cost.processor += processor - self._since[1]
        self._part, self._since = part, (wall, processor)

    def progress(self, step: str, _: float | None) -> None:
        """Called by the build."""
        part = "ranks" if step.startswith(("page-", "domain-", "rank-")) else "fold"
        if part != self._part:
            self.enter(part)


def _limit(inputs: list[Path], directory: Path) -> float:
    """Seconds that sorting and writing each of the files takes."""
    directory.mkdir(parents=True)
    start = time.perf_counter()
    database = duckdb.connect()
    database.execute(f"SET memory_limit = '{SETTINGS.memory_limit}'")
    database.execute(f"SET temp_directory = '{directory}'; SET preserve_insertion_order = false")
    for file in inputs:
        database.execute(
            f"COPY (FROM '{file}' ORDER BY target_id)"
            f" TO '{directory}/sorted.parquet' (COMPRESSION zstd)"
        )
    database.close()
    seconds = time.perf_counter() - start
    shutil.rmtree(directory)
    return seconds


def _rates(links: int, rounds: list[tuple[Cost, Cost]]) -> Iterator[Measurement]:
    for crawl, costs in zip(CRAWLS, zip(*rounds, strict=True), strict=True):
        rows: list[tuple[str, str, Kind, list[float]]] = [
            ("build", INLINK, "inlink", [cost.seconds for cost in costs]),
            ("build", LIMIT, "limit", [cost.limit for cost in costs]),
            ("of it ranks", INLINK, "inlink", [cost.parts["ranks"] for cost in costs]),
        ]
        if crawl == CRAWLS[1]:
            after = [cost.parts["segments"] for cost in costs]
            rows.append(("after it segments", INLINK, "inlink", after))
        for what, contender, kind, seconds in rows:
            samples = [cost.links / each for cost, each in zip(costs, seconds, strict=True)]
            case = f"{what}, {crawl}, {_million(links)}"
            yield Measurement(case, contender, kind, "links/s", samples)


def _growth(found: dict[int, list[tuple[Cost, Cost]]]) -> Iterator[Measurement]:
    """The exponent of processor time between each size and the next."""
    sizes = list(found)
    for few, many in itertools.pairwise(sizes):
        for number, crawl in enumerate(CRAWLS):
            small, large = ([both[number] for both in found[size]] for size in (few, many))
            least = min(small, key=lambda cost: cost.processor)
            samples = [
                math.log(cost.processor / least.processor) / math.log(cost.links / least.links)
                for cost in large
            ]
            case = f"growth, {crawl}, {_million(few)} to {_million(many)}"
            yield Measurement(case, INLINK, "inlink", "exponent", samples)


def _memory(crawls: Layout, links: int, megabytes: int) -> Iterator[Measurement]:
    """The largest memory of a process that builds both crawls, by what the setting allows."""
    generation = Layout(crawls.root / "web")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        peak = process.submit(_peak_megabytes, crawls, generation, megabytes).result()
    case = f"memory, both crawls, {_million(links)}, {megabytes} MB allowed"
    note = f"{peak:,.0f} MB resident at most, for both crawls of {_million(links)}"
    yield Measurement(case, INLINK, "inlink", "times allowed", [peak / megabytes], note)


def _peak_megabytes(crawls: Layout, generation: Layout, megabytes: int) -> float:
    settings = Settings(memory_limit=f"{megabytes}MB")
    for crawl in (0, 1):
        _crawled(crawls, generation, crawl)
        build(generation, settings, lambda *_: None, lambda *_: None)
    return peak_megabytes()


def _million(links: int) -> str:
    return f"{links / MILLION:g} M links"
