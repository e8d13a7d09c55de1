"""Scrapy, with the frontier for its scheduler and the fetcher for its download handler.

Scrapy's engine keeps as many tasks under way as there is room for, one for each host, holds back
while results wait to be read, and ends when the frontier is empty. It runs on asyncio alone,
without a Twisted reactor, so that a process can crawl any number of times.

Not used of Scrapy are its queues on disk (they do not survive a kill), its robots.txt middleware
(it takes an unreachable robots.txt for permission, and keeps one for as long as the crawl runs),
its delays (they count from the beginning of a request, not from its end) and its HTTP clients (they
do not keep the header of an answer as it was sent).
"""

import asyncio
import contextlib
import logging
import resource
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import scrapy
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.core.scheduler import BaseScheduler
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.http import Request, Response
from scrapy.settings import Settings as ScrapySettings

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
"""How long fetches that are under way may go on when the crawl is told to stop."""
TICK = 1.0
"""Seconds between two looks at the progress."""
_RESOLVERS = 64  # look-ups of names at once
_LIMITS = {Kind.ROBOTS: robots.MAX_SENT_BYTES, Kind.SITEMAP: sitemaps.MAX_BYTES}
"""Bytes of a body that are fetched; of pages, as many as the setting says."""

_HANDLER = "inlink.crawl.engine.Handler"
_SETTINGS: dict[str, Any] = {
    "TWISTED_REACTOR_ENABLED": False,
    "SCHEDULER": "inlink.crawl.engine.Scheduler",
    "DOWNLOAD_HANDLERS": {"http": _HANDLER, "https": _HANDLER},
    "CONCURRENT_REQUESTS": HOSTS_AT_ONCE,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
    "CONCURRENT_ITEMS": 1,  # as many tasks of asyncio are made for each answer
    "DOWNLOAD_DELAY": 0,
    "DOWNLOADER_MIDDLEWARES_BASE": {},
    "SPIDER_MIDDLEWARES_BASE": {},
    "EXTENSIONS_BASE": {},
    "STATS_DUMP": False,
}


class Spider(scrapy.Spider):
    """Hands results to the course of the crawl."""

    name = "inlink"

    def __init__(self, *, course: Course, frontier: Frontier, fetcher: Fetcher) -> None:
        super().__init__()
        self.course = course
        self.frontier = frontier
        self.fetcher = fetcher
        self.transfers = asyncio.Semaphore(TRANSFERS_AT_ONCE)
        self.under_way: set[asyncio.Task[Result]] = set()
        self.stopping = asyncio.Event()
        self.error: Exception | None = None

    async def start(self) -> AsyncIterator[Any]:
        """Nothing: the frontier has what the crawl begins with."""
        nothing: tuple[Any, ...] = ()
        for request in nothing:
            yield request

    def parse(self, response: Response) -> None:
        """Settle a task."""
        assert response.request is not None
        queued, result = response.request.meta["queued"], response.request.meta["result"]
        with self.failing():
            if queued is None:
                return
            if result is None:
                self.course.drop(queued)
            else:
                self.course.settle(queued, result)

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """End the crawl by what goes wrong in here, where Scrapy would log it and go on.

        What concerns one task only has become its result before it comes here.
        """
        try:
            yield
        except Exception as error:
            self.error = self.error or error
            self.stop()

    def stop(self) -> None:
        """Begin nothing more; what is under way has some seconds left."""
        if not self.stopping.is_set():
            self.stopping.set()
            asyncio.ensure_future(self.crawler.stop_async())  # noqa: RUF006
            asyncio.get_running_loop().call_later(LAST_SECONDS, self._cancel)

    def _cancel(self) -> None:
        for task in self.under_way:
            task.cancel()


class Scheduler(BaseScheduler):
    """Gives Scrapy what the course of the crawl says is next."""

    def __init__(self, spider: Spider) -> None:
        self._spider = spider
        self._resting = False

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Scheduler":
        """Made by Scrapy."""
        assert isinstance(crawler.spider, Spider)
        return cls(crawler.spider)

    def has_pending_requests(self) -> bool:
        """Whether the crawl goes on."""
        return self._spider.course.has_more()

    def enqueue_request(self, request: Request) -> bool:
        """Requests come from the frontier only."""
        raise NotImplementedError(f"{request} does not come from the frontier")

    def next_request(self) -> Request | None:
        """A request for the next task."""
        if self._spider.stopping.is_set() or self._resting:
            self._resting = False
            return None
        queued = None
        with self._spider.failing():
            queued = self._spider.course.next()
        if queued is None:
            return None
        if queued == "later":  # Scrapy asks again when this is done, which it is at once
            self._resting = True
            return _request(None, "later")
        return _request(queued, queued.host.host)


def _request(queued: Queued | None, slot: str) -> Request:
    """For Scrapy, which might not take every URL, all tasks have the same one."""
    meta = {"queued": queued, "download_slot": slot}
    return Request("http://task.invalid/", meta=meta, dont_filter=True)


class Handler(BaseDownloadHandler):
    """Waits until it is the turn of a task's host, and fetches it."""

    async def download_request(self, request: Request) -> Response:
        """The result stands in ``meta``; None if the crawl was stopped before there was any."""
        spider = self.crawler.spider
        assert isinstance(spider, Spider)
        request.meta["result"] = result = None
        if request.meta["queued"] is None:
            return Response(request.url)
        task = asyncio.ensure_future(_fetch(spider, request.meta["queued"]))
        spider.under_way.add(task)
        task.add_done_callback(spider.under_way.discard)
        with spider.failing(), contextlib.suppress(asyncio.CancelledError):
            result = await task
        request.meta["result"] = result
        return Response(request.url, body=getattr(result, "body", b""))

    async def close(self) -> None:
        """Nothing is left open between two requests."""


async def _fetch(spider: Spider, queued: Queued) -> Result:
    wait = spider.frontier.ready_at(queued.host.host) - time.time()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(wait, 0)):
            await spider.stopping.wait()
            raise asyncio.CancelledError
    task = queued.task
    async with spider.transfers:
        try:
            return await spider.fetcher.get(
                task.url, _conditions(task.known), _LIMITS.get(task.kind)
            )
        except FetchError as error:
            return error
        except ProxyError:
            raise
        except Exception as error:
            return internal_error(task.url, error)


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
    """
    logging.getLogger("scrapy").setLevel(logging.WARNING)
    _allow_many_files()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_RESOLVERS))
    crawler = AsyncCrawlerRunner(ScrapySettings(_SETTINGS)).create_crawler(Spider)
    crawl = asyncio.ensure_future(
        crawler.crawl_async(course=course, frontier=frontier, fetcher=fetcher)
    )
    with _stopped_by_signals(crawler):
        while not (await asyncio.wait({crawl}, timeout=TICK))[0]:
            await tick()
    await crawl
    spider = crawler.spider
    assert isinstance(spider, Spider)
    if spider.error:
        raise spider.error
    return not spider.stopping.is_set()


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 4 * HOSTS_AT_ONCE:
        most = 4 * HOSTS_AT_ONCE if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * HOSTS_AT_ONCE, most), hard))


@contextlib.contextmanager
def _stopped_by_signals(crawler: Crawler) -> Iterator[None]:
    """Other threads get no signals, and are stopped by whoever started them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if isinstance(crawler.spider, Spider):
            crawler.spider.stop()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)  # else SIGTERM would kill whoever crawls again and again
