"""The loop of a crawl: takes tasks from its course, fetches them, and hands the results back.

Each fetch is a task of asyncio, which waits for the turn of its host, then for a free transfer. It
settles its result as soon as it has it, so results do not pile up. All of this runs in one thread,
the only one that uses the frontier and the WARC files; other threads look names up, and move
finished files.
"""

import asyncio
import contextlib
import resource
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from inlink.crawl import robots, sitemaps
from inlink.crawl.course import Course
from inlink.crawl.errors import FetchError, ProxyError, internal_error
from inlink.crawl.fetch import Fetcher
from inlink.crawl.frontier import Frontier, Kind, Queued
from inlink.crawl.plan_file import PlanEntry
from inlink.crawl.politeness import Result
from inlink.web.http import Fields

HOSTS_AT_ONCE = 1000
"""How many hosts are asked, or wait for their turn, at the same time."""
TRANSFERS_AT_ONCE = 200
"""How many of them are asked: with more, answers would wait for us until they seem late."""
LAST_SECONDS = 5.0
"""How long fetches that are running may go on when the crawl is stopped."""
TICK = 1.0
"""Seconds between two looks at the progress, and at hosts whose turn may have come."""
_RESOLVERS = 64  # look-ups of names at once
_LIMITS = {Kind.ROBOTS: robots.MAX_SENT_BYTES, Kind.SITEMAP: sitemaps.MAX_BYTES}
"""Bytes of a body that are fetched; of pages, as many as the setting says."""


class _Loop:
    """One run of a crawl.

    Attributes:
        stopping: whether `stop` was called.
        error: what ended the crawl; what concerns one task only has become its result.
    """

    def __init__(self, course: Course, frontier: Frontier, fetcher: Fetcher) -> None:
        self._course = course
        self._frontier = frontier
        self._fetcher = fetcher
        self._fetches: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()  # those that have not begun to fetch
        self._transfers = asyncio.Semaphore(TRANSFERS_AT_ONCE)
        self._changed = asyncio.Event()
        self.stopping = False
        self.error: Exception | None = None

    async def run(self) -> None:
        """Fetch until nothing is left, or until what was running when it was stopped has ended."""
        while self._fetches or (not self.stopping and self._course.has_more()):
            with self.failing():
                if self._begin():
                    await asyncio.sleep(0)
                    continue
            timer = asyncio.get_running_loop().call_later(TICK, self._changed.set)
            await self._changed.wait()
            timer.cancel()
            self._changed.clear()

    def _begin(self) -> bool:
        """Begin fetches up to the limit; whether more could begin if they had some time."""
        while not self.stopping and len(self._fetches) < HOSTS_AT_ONCE:
            queued = self._course.next()
            if queued is None or queued == "later":
                return queued is not None
            fetch = asyncio.ensure_future(self._fetch(queued))
            self._fetches.add(fetch)
            self._waiting.add(fetch)
            fetch.add_done_callback(self._end)
        return False

    def _end(self, fetch: asyncio.Task[None]) -> None:
        self._fetches.discard(fetch)
        self._waiting.discard(fetch)
        self._changed.set()

    async def _fetch(self, queued: Queued) -> None:
        with self.failing():
            seconds = self._frontier.ready_at(queued.host.host) - time.time()
            if seconds > 0:
                await asyncio.sleep(seconds)
            async with self._transfers:
                self._waiting.discard(_this_task())
                result = await self._result(queued)
            self._course.settle(queued, result)

    async def _result(self, queued: Queued) -> Result:
        task = queued.task
        try:
            return await self._fetcher.get(
                task.url, _conditions(task.known), _LIMITS.get(task.kind)
            )
        except FetchError as error:
            return error
        except ProxyError:
            raise
        except Exception as error:
            return internal_error(task.url, error)

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """End the crawl by what goes wrong in here."""
        try:
            yield
        except Exception as error:
            self.error = self.error or error
            self.stop()

    def stop(self) -> None:
        """Begin nothing more; what is running has some seconds left.

        What is cancelled stays in its queue.
        """
        if not self.stopping:
            self.stopping = True
            _cancel(self._waiting)
            asyncio.get_running_loop().call_later(LAST_SECONDS, _cancel, self._fetches)
            self._changed.set()


def _this_task() -> "asyncio.Task[None]":
    task = asyncio.current_task()
    assert task is not None
    return task


def _cancel(tasks: "set[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()


def _conditions(known: PlanEntry | None) -> Fields:
    """https://www.rfc-editor.org/rfc/rfc9110#section-13.1: answer 304 if it is as it was."""
    if known is None:
        return ()
    fields = [("If-None-Match", known.etag), ("If-Modified-Since", known.last_modified)]
    return tuple((name, value) for name, value in fields if value)


async def run(
    course: Course,
    frontier: Frontier,
    fetcher: Fetcher,
    tick: Callable[[], Awaitable[None]],
) -> bool:
    """Crawl until nothing is left or SIGINT or SIGTERM comes; whether it came to its end.

    *tick* is called every second.

    Raises:
        Exception: what ended the crawl; no fetch is running any more.
    """
    _allow_many_files()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_RESOLVERS))
    loop = _Loop(course, frontier, fetcher)
    crawl = asyncio.ensure_future(loop.run())
    with _stopped_by_signals(loop.stop):
        while not (await asyncio.wait({crawl}, timeout=TICK))[0]:
            with loop.failing():
                await tick()
    await crawl
    if loop.error:
        raise loop.error
    return not loop.stopping


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 4 * HOSTS_AT_ONCE:
        most = 4 * HOSTS_AT_ONCE if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * HOSTS_AT_ONCE, most), hard))


@contextlib.contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call *stop* at signals. Other threads get none, and are stopped by whoever started them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)  # else SIGTERM would kill whoever crawls again and again
