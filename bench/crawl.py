"""How fast the crawler is where nothing but itself holds it up, and in how much memory.

A web on loopback, behind a forward proxy that is all its hosts, gives pages of a usual size with
the links that pages have; the crawler has no delay between two requests to a host. What it has to
do for a page is all that is left: the loop, the fetch, robots.txt, the WARC record, the
links, the frontier. Beside it, what the fetches alone take (`Fetcher`, a hundred at once), and the
memory that a crawl takes whose links lead to ever new hosts, so that its queues grow.
"""

import asyncio
import contextlib
import multiprocessing
import random
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from bench.harness import INLINK, Goal, Measurement, Run, Skipped, peak_megabytes
from inlink.crawl.fetch import Fetcher
from inlink.crawl.job import CrawlSpec, crawl
from inlink.store.configuration import Settings
from inlink.store.layout import Layout

TITLE = "Crawling"
GOALS: list[Goal] = []
PAGES = 10
LINKS = 60
WORDS = ("guide", "review", "kitchen", "garden", "travel", "notes", "archive", "summer", "market")


def page(number: int) -> bytes:
    """A page of about 30 kB with links to its own host and to others."""
    chance = random.Random(number)
    parts = []
    for link in range(LINKS):
        words = " ".join(chance.choices(WORDS, k=70))
        href = f"/{link % PAGES}" if link % 3 else f"http://h{chance.randrange(10**6)}.example/"
        parts.append(f'<p>{words} <a href="{href}">{chance.choice(WORDS)}</a></p>')
    return f"<!DOCTYPE html><title>{number}</title>{''.join(parts)}".encode()


async def _serve(connection: Connection) -> None:
    bodies = [page(number) for number in range(PAGES)]
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n"
    answers = [head.format(len(body)).encode() + body for body in bodies]

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split(b" ", 2)[1].rpartition(b"/")[2]
            missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            writer.write(answers[int(path or b"0")] if path != b"robots.txt" else missing)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    connection.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _server(connection: Connection) -> None:
    asyncio.run(_serve(connection))


@contextlib.contextmanager
def served() -> Iterator[Settings]:
    """The web, and the settings by which it is crawled."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_server, args=(there,))
    process.start()
    try:
        yield Settings(
            user_agent_contact="mailto:bench@operator.example",
            crawl_delay_seconds=0,
            crawl_proxy=f"http://127.0.0.1:{here.recv()}",
        )
    finally:
        process.terminate()
        process.join()


def _crawled(directory: Path, name: str, settings: Settings, hosts: int, scope: str) -> float:
    """Crawl that many hosts; pages for each second of processor time."""
    spec = CrawlSpec(
        name=name,
        seeds=tuple(f"http://s{number}.example/" for number in range(hosts)),
        max_pages=hosts * PAGES,
        scope="web" if scope == "web" else "host",
    )
    busy = time.process_time()
    summary = crawl(spec, Layout(directory), settings)
    assert summary.fetched == hosts * PAGES
    return summary.fetched / (time.process_time() - busy)


async def _fetched(settings: Settings, hosts: int) -> None:
    fetcher = Fetcher(settings)
    urls = iter(
        [f"http://s{host}.example/{path}" for host in range(hosts) for path in range(PAGES)]
    )

    async def worker() -> None:
        for url in urls:
            await fetcher.get(url)

    await asyncio.gather(*(worker() for _ in range(100)))


def measure(run: Run) -> Iterator[Measurement | Skipped]:
    """Measure it."""
    rounds, hosts = run.either(5, 2), 300
    case = f"{hosts * PAGES:,} pages of {len(page(0)) / 1000:.0f} kB from {hosts} hosts"
    own, limit = [], []
    with served() as settings:
        for number in range(rounds):
            run.say(f"round {number + 1} of {rounds}")
            own.append(_crawled(run.directory, f"rate{number}", settings, hosts, "host"))
            busy = time.process_time()
            asyncio.run(_fetched(settings, hosts))
            limit.append(hosts * PAGES / (time.process_time() - busy))
        unit = "pages/s"
        note = "for each second of one core"
        yield Measurement(case, INLINK, "inlink", unit, own, note)
        yield Measurement(case, "the fetches alone", "limit", unit, limit, note)
        before = peak_megabytes()
        hosts = 500 if run.quick else 5000
        run.say(f"memory, {hosts} hosts")
        _crawled(run.directory, "memory", settings, hosts, "web")
        case = f"{hosts * PAGES:,} pages whose links lead to ever new hosts"
        yield Measurement(
            case, INLINK, "inlink", "MB", [peak_megabytes() - before], "more than before"
        )
