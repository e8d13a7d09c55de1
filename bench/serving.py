"""Serving: ``inlink serve`` beside other databases behind the same framework.

A web of 20 million links, crawled twice; the peers (see ``peers``) have the same rows denormalised.
First the answers are held against each other. Then every kind of request is sent for small,
middling and huge targets of each mode, over one connection, one request after the other; a sample
is the median latency of a round. After that: requests a second over 16 connections (by ``wrk``),
pages of 100,000 rows, exports, bytes on disk, and the latency on webs of other sizes.

All servers find the key and commit the charge before they answer, by the same code. Inlink's has
one worker; a query of DuckDB or ClickHouse may use all cores.
"""

import contextlib
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from bench import bulk, webs
from bench.harness import INLINK, Goal, Measurement, Run, Skipped
from bench.peers.contenders import (
    Contender,
    Loaded,
    loaded_peers,
    served_by_inlink,
    served_by_peer,
    served_constant,
)
from bench.webs import BenchTarget
from inlink.store.layout import Layout

TITLE = "Serving"
CONSTANTLY = "16 connections, get-metrics"
MILLION = 1_000_000
LINKS, LINKS_QUICK = 20 * MILLION, MILLION
OTHER_SIZES, OTHER_SIZES_QUICK = (2 * MILLION, 50 * MILLION), (MILLION // 2,)

GOALS = [
    Goal("p50 ahead of the best peer for every kind of request", "p50, ", "best peer", at_least=1),
    Goal("3 times, in the geometric mean", "p50, ", "geometric mean", at_least=3),
    Goal("p99 of 100 rows under 10 times p50", "p99 over p50, ", "value", at_most=10),
    Goal("get-metrics at half of a constant's rate", CONSTANTLY, "limit", at_least=0.5),
    Goal("latency flat over sizes (within 20%)", "larger web over smaller, ", "value", at_most=1.2),
    *bulk.GOALS,
]

YEAR = {"date_from": "2026-01-01", "date_to": "2026-12-31"}
ROWS = {"limit": "100"}
ORDERS = ("date_found", "domain_inlink_rank", "inlink_rank")
ROUNDS, ROUNDS_QUICK = 3, 2
REQUESTS, LEAST_REQUESTS = 20, 3
PATIENCE = 0.4
"""Seconds after which a contender has sent enough of one request in a round."""

TURNS = 100
"""Requests to each of two servers in turns, for one sample of how much slower the second is."""

TAIL_REQUESTS, TAIL_REQUESTS_QUICK = 500, 200
CONNECTIONS = 16
SECONDS, SECONDS_QUICK = 2, 1


@dataclass(frozen=True)
class Asked:
    """A kind of request about a target."""

    case: str
    command: str
    parameters: dict[str, str]

    @property
    def is_counted(self) -> bool:
        """Whether its answer is the same from all, ties being none."""
        return self.command in ("get-metrics", "get-inlink-rank") or self.command.endswith("-count")


def measure(run: Run) -> Iterator[Measurement | Skipped]:
    """Load the peers, compare, then measure."""
    layout = webs.generation(run, links_of(run))
    targets = _one_of_each(webs.targets(layout))
    with loaded_peers(run, layout) as (rows, loaded, skipped):
        yield from skipped
        yield from bulk.disk(layout, rows, loaded)
        yield from _asked(run, layout, targets, loaded)
        run.say("exports")  # no server is at the databases now: some let only one process in
        yield from bulk.exports(run, layout, targets, loaded)
    run.say("latencies on webs of other sizes")
    yield from _other_sizes(run, layout)


def _asked(
    run: Run, layout: Layout, targets: list[BenchTarget], loaded: list[Loaded]
) -> Iterator[Measurement | Skipped]:
    """All that is asked over HTTP."""
    with contextlib.ExitStack() as stack:
        contenders = [stack.enter_context(served_by_inlink(layout))]
        contenders += [stack.enter_context(served_by_peer(peer)) for peer in loaded]
        run.say("holding the answers against each other")
        questions = [asked for target in targets for asked in questions_about(target)]
        for asked in questions:
            _compare(asked, contenders)
        run.say(f"asking {len(questions)} questions")
        for asked in questions:
            yield from _latencies(run, asked, contenders)
        run.say("many requests at once")
        yield from _throughput(run, targets, contenders)
        run.say("pages of 100,000 rows")
        yield from bulk.pages(targets, contenders)


def links_of(run: Run) -> int:
    """How many links the web has."""
    return min(LINKS_QUICK if run.quick else LINKS, run.most_links)


def _one_of_each(targets: list[BenchTarget]) -> list[BenchTarget]:
    """The first target of each size and mode."""
    return list({(target.size, target.mode): target for target in reversed(targets)}.values())[::-1]


def questions_about(target: BenchTarget) -> list[Asked]:
    """Every kind of request about *target*."""
    about = {"target": target.text, "mode": target.mode}
    kinds: list[tuple[str, str, dict[str, str]]] = [
        ("get-metrics", "get-metrics", about),
        *(
            (f"get-backlinks by {order}", "get-backlinks", {**about, "order_by": order, **ROWS})
            for order in ORDERS
        ),
        (
            "get-backlinks, one a host",
            "get-backlinks",
            {**about, "order_by": "inlink_rank", "per_domain": "1", **ROWS},
        ),
        (
            "get-refdomains",
            "get-refdomains",
            {**about, "order_by": "domain_inlink_rank", **ROWS},
        ),
        *(
            (kind, kind, {**about, **YEAR, **ROWS})
            for kind in ("get-new-lost-backlinks", "get-new-lost-refdomains")
        ),
        *(
            (kind, kind, {**about, **YEAR})
            for kind in ("get-new-lost-backlinks-count", "get-new-lost-refdomains-count")
        ),
    ]
    if target.mode == "url":
        kinds.append(("get-inlink-rank", "get-inlink-rank", {"target": target.text}))
    return [
        Asked(f"{kind}, {target.size} {target.mode}", command, parameters)
        for kind, command, parameters in kinds
    ]


def _compare(asked: Asked, contenders: list[Contender]) -> None:
    """Ask all.

    Raises:
        ValueError: a peer's answer is not what Inlink answers: other counts, or, where ties may be
            told in any order, other numbers of rows or other values of what they are ordered by.
    """
    paths = [each.path(asked.command, asked.parameters) for each in contenders]
    own, *others = (_rows(each.ask(path)) for each, path in zip(contenders, paths, strict=True))
    for contender, rows in zip(contenders[1:], others, strict=True):
        same = rows == own if asked.is_counted else _ordered(asked, rows) == _ordered(asked, own)
        if not same:
            raise ValueError(f"{asked.case}: {contender.name} answers {rows[:2]}, Inlink {own[:2]}")


def _rows(answer: bytes) -> list[dict[str, Any]]:
    decoded = msgspec.json.decode(answer)
    rows: list[dict[str, Any]] = next(iter(decoded.values()))
    return rows


def _ordered(asked: Asked, rows: list[dict[str, Any]]) -> list[Any]:
    """What the rows are ordered by, row by row."""
    column = asked.parameters.get("order_by", "new_lost_date")
    return [row["first_seen" if column == "date_found" else column] for row in rows]


def _latencies(run: Run, asked: Asked, contenders: list[Contender]) -> Iterator[Measurement]:
    """The median latency of each contender, round by round; and of Inlink how far p99 is off."""
    samples: dict[str, list[float]] = {each.name: [] for each in contenders}
    for _ in range(run.either(ROUNDS, ROUNDS_QUICK)):
        for each in contenders:
            samples[each.name].append(statistics.median(_some(each, asked)))
    for each in contenders:
        milliseconds = [1000 * seconds for seconds in samples[each.name]]
        yield Measurement(f"p50, {asked.case}", each.name, each.kind, "ms", milliseconds)
    if asked.parameters.get("limit") == ROWS["limit"]:
        own = contenders[0]
        path = own.path(asked.command, asked.parameters)
        requests = run.either(TAIL_REQUESTS, TAIL_REQUESTS_QUICK)
        found = [own.seconds(path) for _ in range(requests)]
        factor = float(np.percentile(found, 99) / np.percentile(found, 50))
        yield Measurement(f"p99 over p50, {asked.case}", INLINK, "inlink", "times", [factor])


def _some(contender: Contender, asked: Asked) -> list[float]:
    """Latencies of some requests, after one that does not count."""
    path = contender.path(asked.command, asked.parameters)
    contender.ask(path)
    found: list[float] = []
    start = time.perf_counter()
    while len(found) < LEAST_REQUESTS or (
        len(found) < REQUESTS and time.perf_counter() - start < PATIENCE
    ):
        found.append(contender.seconds(path))
    return found


def _throughput(
    run: Run, targets: list[BenchTarget], contenders: list[Contender]
) -> Iterator[Measurement | Skipped]:
    """Requests a second of get-metrics and of 100 backlinks, over 16 connections."""
    if shutil.which("wrk") is None:
        yield Skipped(
            "requests over 16 connections", "there is no wrk (Debian: apt-get install wrk)"
        )
        return
    with served_constant() as constant:
        for target in (each for each in targets if each.mode == "domain"):
            for asked in questions_about(target):
                if asked.case.startswith(("get-metrics", "get-backlinks by inlink_rank")):
                    yield from _requests_a_second(run, asked, [*contenders, constant])


def _requests_a_second(
    run: Run, asked: Asked, contenders: list[Contender]
) -> Iterator[Measurement]:
    samples: dict[str, list[float]] = {each.name: [] for each in contenders}
    seconds = run.either(SECONDS, SECONDS_QUICK)
    for _ in range(run.either(ROUNDS, ROUNDS_QUICK)):
        for each in contenders:
            url = f"http://127.0.0.1:{each.port}{each.path(asked.command, asked.parameters)}"
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
            if rate is None or "Non-2xx" in done.stdout:
                raise ValueError(f"{each.name}: {done.stdout}")
            samples[each.name].append(float(rate[1]))
    for each in contenders:
        case = f"{CONNECTIONS} connections, {asked.case}"
        yield Measurement(case, each.name, each.kind, "requests/s", samples[each.name])


def _other_sizes(run: Run, layout: Layout) -> Iterator[Measurement]:
    """The same questions about targets with as many links, in webs of other sizes."""
    sizes = OTHER_SIZES_QUICK if run.quick else OTHER_SIZES
    layouts = [webs.generation(run, size) for size in sizes if size <= run.most_links]
    small, large = (*layouts, layout)[:2]
    with served_by_inlink(small) as first, served_by_inlink(large) as second:
        for before, after in _alike(small, large):
            for one, other in zip(questions_about(before), questions_about(after), strict=True):
                asked = (
                    (first, first.path(one.command, one.parameters)),
                    (second, second.path(other.command, other.parameters)),
                )
                samples = [_slower(asked) for _ in range(run.either(ROUNDS, ROUNDS_QUICK))]
                case = f"larger web over smaller, {one.case}"
                yield Measurement(case, INLINK, "inlink", "times", samples)


def _slower(asked: tuple[tuple[Contender, str], tuple[Contender, str]]) -> float:
    """How many times as long the second takes as the first, asked in turns."""
    (one, path), (other, other_path) = asked
    one.ask(path)
    other.ask(other_path)
    turns = [(one.seconds(path), other.seconds(other_path)) for _ in range(TURNS)]
    return statistics.median(t[1] for t in turns) / statistics.median(t[0] for t in turns)


def _alike(small: Layout, large: Layout) -> list[tuple[BenchTarget, BenchTarget]]:
    """Targets of one size and mode whose numbers of links are within a twentieth of each other."""
    others = {(target.size, target.mode): target for target in _one_of_each(webs.targets(large))}
    pairs = [
        (target, others[target.size, target.mode])
        for target in _one_of_each(webs.targets(small))
        if (target.size, target.mode) in others
    ]
    return [(one, other) for one, other in pairs if 0.95 < one.live / other.live < 1.05]
