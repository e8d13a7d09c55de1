"""Half an hour of mixed load on one server, with a new generation every five minutes.

Eight clients with kept-alive connections send requests of every kind at a bounded rate, and an
export now and then. The generations are built before (each folds a little crawl more), and made
current one after the other as a build does. Measured for each period between two swaps: latency
(p50, p99), errors, and the private memory of the server's processes.
"""

import asyncio
import itertools
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import httpx
import numpy as np
from tests.serving import Server, serving

from bench import webs
from bench.harness import INLINK, Goal, Measurement, Run
from inlink.contract.paths import PREFIX
from inlink.fold.job import build
from inlink.store.configuration import Settings
from inlink.store.layout import Layout, write_atomically

TITLE = "Soak: mixed load with a swap of generations every five minutes"
PERIODS = 6
CLIENTS = 8
RATE = 60.0  # requests a second of all clients

GOALS = [
    Goal("no error", "soak: errors", "value", at_most=0),
    Goal("p99 within twice its start", "soak: p99, last to first", "value", at_most=2),
    Goal("flat memory: within a tenth", "soak: memory, last to second", "value", at_most=1.1),
]

KINDS: list[tuple[str, dict[str, str]]] = [
    ("get-metrics", {}),
    ("get-inlink-rank", {}),
    *(("get-backlinks", {"order_by": order}) for order in ("date_found", "inlink_rank")),
    ("get-backlinks", {"order_by": "domain_inlink_rank", "per_domain": "1"}),
    ("get-refdomains", {"order_by": "domain_inlink_rank"}),
    ("get-new-lost-backlinks", {"date_from": "2026-01-01", "date_to": "2026-12-31"}),
    ("get-new-lost-backlinks-count", {"date_from": "2026-01-01", "date_to": "2026-12-31"}),
    ("get-new-lost-refdomains", {"date_from": "2026-01-01", "date_to": "2026-12-31"}),
    ("get-new-lost-refdomains-count", {"date_from": "2026-01-01", "date_to": "2026-12-31"}),
    ("get-anchors", {}),
    ("get-pages", {}),
    ("get-summary", {}),
    ("get-raw-backlinks", {"limit": "1000"}),
]


@dataclass
class Period:
    """What was seen between two swaps."""

    latencies: list[float] = field(default_factory=list)
    """Milliseconds."""
    errors: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    """Private MB of all processes of the server."""


def measure(run: Run) -> Iterator[Measurement]:
    """Prepare the generations, serve and ask; everything is measured on Inlink alone."""
    layout = _generations(run)
    seconds = 8.0 if run.quick else 300.0
    _make_current(layout, 1)
    with serving(layout.root) as server:
        periods = asyncio.run(_soak(run, server, layout, seconds))
    yield from _measurements(periods)


def _measurements(periods: list[Period]) -> Iterator[Measurement]:
    p50 = [float(np.percentile(each.latencies, 50)) for each in periods]
    p99 = [float(np.percentile(each.latencies, 99)) for each in periods]
    memory = [max(each.memory) for each in periods]
    errors = [error for each in periods for error in each.errors]
    sent = sum(len(each.latencies) for each in periods)
    for case, unit, samples, note in (
        ("soak: requests", "requests", [float(sent)], f"at most {RATE:g} a second"),
        ("soak: errors", "errors", [float(len(errors))], "; ".join(errors[:3])),
        ("soak: p50 by period", "ms", p50, ""),
        ("soak: p99 by period", "ms", p99, ""),
        ("soak: p99, last to first", "times", [p99[-1] / p99[0]], ""),
        ("soak: memory by period", "MB", memory, "private, of all processes; the most seen"),
        ("soak: memory, last to second", "times", [memory[-1] / memory[1]], ""),
    ):
        yield Measurement(case, INLINK, "inlink", unit, samples, note)


def _generations(run: Run) -> Layout:
    """A data directory with as many generations as there are periods."""
    source = webs.generation(run, 300_000 if run.quick else 2_000_000)
    layout = Layout(run.directory / "data")
    shutil.copytree(source.root, layout.root, copy_function=os.link)
    settings = Settings(keep_generations=PERIODS + 1)
    for number in range(2, PERIODS + 1):
        run.say(f"building generation {number} of {PERIODS}")
        _little_crawl(layout, number)
        build(layout, settings, webs.segments, lambda *_: None)
    return layout


def _little_crawl(layout: Layout, number: int) -> None:
    """Write a batch that saw one page in a hundred again, some days later, with other links."""
    last = layout.batch_directories()[-1]
    batch = layout.batches / f"little-{number}"
    batch.mkdir()
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    chosen = f"hash(url_id, {number}) % 100 = 0"
    anew = f"(hash(visit_id, {number}) >> 1)::bigint"
    database.execute(
        f"""COPY (SELECT * REPLACE (
            {anew} AS visit_id, visited_at + to_days({number}) AS visited_at)
        FROM '{last}/visits.parquet' WHERE {chosen})
        TO '{batch}/visits.parquet' (COMPRESSION zstd)"""
    )
    database.execute(
        f"""COPY (SELECT * REPLACE ({anew} AS visit_id) FROM '{last}/links.parquet'
        WHERE visit_id IN (SELECT visit_id FROM '{last}/visits.parquet' WHERE {chosen})
        AND hash(target_id, {number}) % 10 > 0)
        TO '{batch}/links.parquet' (COMPRESSION zstd)"""
    )
    shutil.copy(last / "urls.parquet", batch)
    shutil.copy(last / "batch.json", batch)


def _make_current(layout: Layout, nth: int) -> None:
    number = layout.generation_numbers()[nth - 1]
    write_atomically(layout.current, f"{number}\n".encode())


async def _soak(run: Run, server: Server, layout: Layout, seconds: float) -> list[Period]:
    targets = webs.targets(layout)
    chance = random.Random(1)
    periods: list[Period] = []
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}{PREFIX}",
        timeout=60,
        limits=httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS),
    ) as client:
        await asyncio.gather(*(_ask(client, server, chance, targets, Period()) for _ in KINDS))
        for number in range(1, PERIODS + 1):
            _make_current(layout, number)
            run.say(f"period {number} of {PERIODS}, {seconds:g} s")
            period = Period()
            end = time.monotonic() + seconds
            await asyncio.gather(
                *(_client(client, server, chance, targets, period, end) for _ in range(CLIENTS)),
                _export(client, server, targets, period),
                _watch(server, period, end),
            )
            periods.append(period)
    return periods


async def _client(
    client: httpx.AsyncClient,
    server: Server,
    chance: random.Random,
    targets: list[webs.BenchTarget],
    period: Period,
    end: float,
) -> None:
    """Send requests until *end*, evenly spread in time."""
    pause = CLIENTS / RATE
    begin = time.monotonic() + chance.random() * pause
    for number in itertools.count():
        wait = begin + number * pause - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        if time.monotonic() >= end:
            return
        await _ask(client, server, chance, targets, period)


async def _ask(
    client: httpx.AsyncClient,
    server: Server,
    chance: random.Random,
    targets: list[webs.BenchTarget],
    period: Period,
) -> None:
    command, parameters = chance.choice(KINDS)
    target = chance.choice(targets)
    mode = {} if command == "get-inlink-rank" else {"mode": target.mode}
    sent = {"apikey": server.key, "output": "json", "target": target.text} | mode | parameters
    start = time.perf_counter()
    try:
        response = await client.get(f"/{command}", params=sent)
        if response.status_code != 200:
            period.errors.append(f"{command} {target.text}: {response.status_code}")
    except httpx.HTTPError as error:
        period.errors.append(f"{command} {target.text}: {error!r}")
    period.latencies.append((time.perf_counter() - start) * 1000)


async def _export(
    client: httpx.AsyncClient, server: Server, targets: list[webs.BenchTarget], period: Period
) -> None:
    """Export a target of middling size, and wait for its file."""
    target = next(target for target in targets if target.size == "middling")
    sent: dict[str, Any] = {"apikey": server.key, "output": "json"}
    asked = await client.get(
        "/download-all-backlinks", params=sent | {"target": target.text, "mode": target.mode}
    )
    task = asked.json().get("task_id")
    for _ in range(60):
        await asyncio.sleep(1)
        status = await client.get("/download-all-backlinks-status", params=sent | {"task_id": task})
        link = status.json().get("download_file")
        if link:
            file = await client.get(link)
            if file.status_code != 200 or not file.content:
                period.errors.append(f"export file: {file.status_code}")
            return
    period.errors.append(f"export: {status.text[:200]}")


async def _watch(server: Server, period: Period, end: float) -> None:
    while time.monotonic() < end:
        await asyncio.sleep(1)
        period.memory.append(sum(private_megabytes(server.process.pid)))


def private_megabytes(pid: int, kind: str = "Private_") -> list[float]:
    """What a process, and each of those it started, shares with no other, in MB.

    *kind*: ``Private_Dirty`` is the processes' own, ``Private_Clean`` pages of files that they have
    mapped and not changed, which the system takes back when it needs the memory.
    """
    return [_private(process, kind) for process in _family(pid)]


def _private(process: int, kind: str) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]
