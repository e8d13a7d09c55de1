"""Of serving: pages of 100,000 rows, exports, and bytes on disk.

An export is what a worker writes: all rows of a target as CSV under gzip, with the cells that a
spreadsheet would run made harmless. The peers' rows go through Inlink's own writer: none of them
makes cells harmless by itself.
"""

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bench.harness import INLINK, Goal, Kind, Measurement, Run
from bench.peers.contenders import Contender, Loaded
from bench.peers.server import numbers
from bench.webs import BenchTarget
from inlink.api.formats import encode_json
from inlink.contract.answers import RawBacklinksAnswer
from inlink.contract.rows import Backlink
from inlink.exports.csv_gz import write_csv_gz
from inlink.index.reader import Reader
from inlink.store.layout import Layout
from inlink.urls.targets import parse_target

PAGE = 100_000
BATCH = 5000
ROUNDS = 3
IN_MEMORY = "the same rows, in memory, encoded"
PARQUET = "zstd Parquet of the denormalised rows"
GOALS = [
    Goal("pages of 100,000 rows: better than every peer", "page, ", "best peer", at_least=1),
    Goal("pages of 100,000 rows: half of the limit", "page, ", "limit", at_least=0.5),
    Goal("exports: better than every peer", "export, ", "best peer", at_least=1),
    Goal("exports: half of the limit", "export, ", "limit", at_least=0.5),
    Goal("bytes a backlink: no more than zstd Parquet", "bytes a", "limit", at_least=1),
    Goal(
        "bytes a backlink: a third of PostgreSQL", "bytes beside PostgreSQL", "value", at_most=1 / 3
    ),
]


def _huge(targets: list[BenchTarget]) -> BenchTarget:
    return next(each for each in targets if (each.size, each.mode) == ("huge", "domain"))


def pages(targets: list[BenchTarget], contenders: list[Contender]) -> Iterator[Measurement]:
    """Rows a second of the first page of the huge domain, over HTTP."""
    target = _huge(targets)
    rows = min(target.live, PAGE)
    asked = {"target": target.text, "mode": "domain", "limit": str(PAGE)}
    samples: dict[str, list[float]] = {each.name: [] for each in contenders}
    encoding: list[float] = []
    for number in range(ROUNDS + 1):
        for each in contenders:
            path = each.path("get-raw-backlinks", asked)
            start = time.perf_counter()
            body = each.ask(path)
            if number:
                samples[each.name].append(rows / (time.perf_counter() - start))
            if each.name == INLINK:
                answer = RawBacklinksAnswer(msgspec.json.decode(body, type=_Page).backlinks)
                assert len(answer.backlinks) == rows
                start = time.perf_counter()
                encode_json(answer)
                if number:
                    encoding.append(rows / (time.perf_counter() - start))
    case = f"page, {rows:,} rows"
    for each in contenders:
        yield Measurement(case, each.name, each.kind, "rows/s", samples[each.name])
    yield Measurement(case, IN_MEMORY, "limit", "rows/s", encoding)


class _Page(msgspec.Struct):
    backlinks: list[Backlink]


def exports(
    run: Run, layout: Layout, targets: list[BenchTarget], loaded: list[Loaded]
) -> Iterator[Measurement]:
    """Rows a second of the whole huge domain, into a file."""
    target = _huge(targets)
    number = layout.current_number()
    assert number is not None
    reader = Reader(layout.generation(number))
    parsed = parse_target(target.text, "domain")
    sources: dict[tuple[str, Kind], Callable[[], Iterator[Sequence[Backlink]]]] = {
        (INLINK, "inlink"): lambda: reader.backlink_batches(parsed),
    }
    for peer in loaded:
        database: Any = importlib.import_module(f"bench.peers.{peer.module}").PEER(peer.place)
        values = numbers(target.text, "domain")
        sources[peer.name, "peer"] = partial(database.live, "domain", values, BATCH)
    kept = list(reader.backlink_batches(parsed))
    sources[IN_MEMORY, "limit"] = lambda: iter(kept)
    samples: dict[tuple[str, Kind], list[float]] = {name: [] for name in sources}
    for _ in range(ROUNDS):
        for name, source in sources.items():
            samples[name].append(_rate(run.directory / "export.csv.gz", source(), target.live))
    for (contender, kind), found in samples.items():
        yield Measurement(f"export, {target.live:,} rows", contender, kind, "rows/s", found)


def _rate(path: Path, batches: Iterator[Sequence[Backlink]], expected: int) -> float:
    start = time.perf_counter()
    with path.open("wb") as file:
        rows = write_csv_gz(file, batches)
    assert rows == expected, f"{rows} rows, not {expected}"
    return rows / (time.perf_counter() - start)


def disk(layout: Layout, rows: Path, loaded: list[Loaded]) -> Iterator[Measurement]:
    """Bytes of everything that is needed to serve, by live backlink."""
    number = layout.current_number()
    assert number is not None
    segments = layout.generation(number) / "segments"
    counts = msgspec.json.decode((layout.generation(number) / "generation.json").read_bytes())
    live = counts["counts"]["live_links"]
    sizes: dict[tuple[str, Kind], int] = {
        (INLINK, "inlink"): _size(segments),
        **{(peer.name, "peer"): peer.size for peer in loaded},
        (PARQUET, "limit"): _size(rows),
    }
    for (name, kind), size in sizes.items():
        yield Measurement(f"bytes a backlink, {live:,}", name, kind, "bytes", [size / live])
    for peer in loaded:
        if peer.module == "postgresql":
            factor = sizes[INLINK, "inlink"] / peer.size
            yield Measurement("bytes beside PostgreSQL", INLINK, "inlink", "times", [factor])


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
