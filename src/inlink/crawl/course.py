"""The course of a crawl: what is fetched next, and what becomes of each result.

In: tasks of the frontier, and what fetching them gave. Out: WARC records, and further tasks.

A result is written to the WARC file first, then the frontier learns of it in one transaction. A
crawl that was killed between the two finds the record behind the place that the frontier knows of,
and takes it for the result (`Course.catch_up`).

Whatever goes wrong with one task is a failure of that task (``internal``), and the crawl goes on;
only what goes wrong with the files (`BROKEN_DISK`) is passed on.
"""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from inlink.crawl.discover import Found, links_of
from inlink.crawl.errors import BROKEN_DISK, FetchError, UnreadableError, internal_error
from inlink.crawl.fetch import Fetched
from inlink.crawl.frontier import Frontier, Kind, Queued, Task, host_of
from inlink.crawl.politeness import (
    GIVE_UP_AFTER,
    MAX_PAUSE,
    NO_ANSWER,
    Result,
    asked_pause,
    delay_after,
    page_budget,
    pause_before_retry,
    smoothed,
)
from inlink.crawl.reach import Lead, Reach
from inlink.crawl.replay import recorded_behind
from inlink.crawl.robots import (
    KEPT_SECONDS,
    MAX_REDIRECTS,
    UNREACHABLE_SECONDS,
    RobotsAnswer,
    Rules,
    answer_of,
    origin_of,
    sitemaps_of,
)
from inlink.crawl.sitemaps import SitemapUrl, sitemap_urls
from inlink.crawl.spec import CrawlSpec
from inlink.crawl.warc import WarcFiles
from inlink.extract.observe import REDIRECTS
from inlink.store.configuration import Settings
from inlink.urls.canonical import canonical_url
from inlink.web.http import field

SETTLING_SECONDS = 0.05
"""How long tasks are settled that need no fetch before anything else has its turn."""
LOOK_AHEAD = 5.0
"""Seconds before its turn that a task may be taken out, to wait for it."""
MAX_SITEMAP_DEPTH = 3
"""How deep sitemaps may name each other, or redirect."""

_OVER_BUDGET = "over budget"
_PARKED = 24 * 3600.0  # a host whose rules another one has waits for these
_LONGEST_PAUSE = 3600.0  # no other reason for a host to wait holds so long

rules_of = lru_cache(256)(Rules)


class Leads(NamedTuple):
    """What a result says, by the kind of its task."""

    links: Sequence[Found] = ()
    """Of a page."""
    sitemap: Sequence[SitemapUrl] = ()
    robots: RobotsAnswer = RobotsAnswer()
    redirect: str | None = None
    """Where a sitemap or a robots.txt was moved."""


class Course:
    """One crawl."""

    def __init__(
        self,
        spec: CrawlSpec,
        settings: Settings,
        frontier: Frontier,
        files: WarcFiles,
        reach: Reach,
    ) -> None:
        self._spec = spec
        self._settings = settings
        self._frontier = frontier
        self._files = files
        self._reach = reach
        self._under_way = 0
        self.pages = frontier.marked("pages")
        """How many pages were fetched, whatever came of it."""

    # What is next

    def has_more(self) -> bool:
        """Whether anything is left to fetch, now or later."""
        return self._frontier.queued > 0 and self._may_fetch(self.pages)

    def _may_fetch(self, pages: int) -> bool:
        return self._spec.max_pages is None or pages < self._spec.max_pages

    def next(self) -> Queued | Literal["later"] | None:
        """The task whose turn it is, or soon will be; None if there is none at present.

        What needs no fetch is settled on the way. Where that is a lot, so that others would have
        to wait, the answer is "later": there is more, ask again soon.
        """
        until = time.monotonic() + SETTLING_SECONDS
        while self._may_fetch(self.pages + self._under_way):
            if time.monotonic() > until:
                return "later"
            queued = self._frontier.next(time.time() + LOOK_AHEAD)
            if queued is None:
                return None
            if self._is_begun(queued):
                self._under_way += queued.task.kind is Kind.PAGE
                return queued
        return None

    def _is_begun(self, queued: Queued) -> bool:
        """Whether its fetch begins now; if not, it is settled, or something else comes before."""
        try:
            with self._frontier.committed():
                if self._is_to_fetch(queued):
                    self._frontier.begin(queued)
                    return True
                self._mark_place()
        except BROKEN_DISK:
            raise
        except Exception as error:
            with self._frontier.committed():
                self._forbid(queued, internal_error(queued.task.url, error))
                self._mark_place()
        return False

    def _is_to_fetch(self, queued: Queued) -> bool:
        """Whether to fetch it now; if not, it is settled, or something else comes before it."""
        task, host = queued.task, queued.host
        if self._is_blocked(host.host):
            return self._forbid(queued, FetchError("blocked", "the host is on the block list"))
        if task.kind is Kind.ROBOTS:
            return True
        if host.failures >= GIVE_UP_AFTER:
            words = f"the host gave no answer {host.failures} times in a row"
            return self._forbid(queued, FetchError(host.cause, words))
        answer = self._frontier.robots(origin_of(task.url))
        if answer is None:
            return self._find_rules(queued)
        if answer.failure:
            return self._forbid(queued, FetchError(*answer.failure))
        rules = rules_of(answer.text, self._settings.robot_name)
        if not rules.allow(task.url):
            return self._forbid(queued, FetchError("robots", "robots.txt forbids it"))
        if self._is_used_up(queued, rules):
            self._frontier.tally(_OVER_BUDGET, self._frontier.drop_pages(host.host))
            return False
        return True

    def _is_blocked(self, host: str) -> bool:
        return any(
            f".{host}".endswith(f".{blocked.lower()}") for blocked in self._settings.blocked_hosts
        )

    def _is_used_up(self, queued: Queued, rules: Rules) -> bool:
        return (
            queued.host.pages >= page_budget(self._settings.host_pages, rules.delay)
            or queued.host.bytes >= self._settings.host_megabytes * 1_000_000
        )

    def _forbid(self, queued: Queued, error: FetchError) -> bool:
        if queued.task.kind is Kind.PAGE:
            self._files.failure(queued.task.url, error)
            self._frontier.tally(error.cause)
        elif queued.task.kind is Kind.ROBOTS:
            self._take_robots(queued.task, self._leads(queued.task, error))
        self._frontier.finish(queued)
        return False

    def _find_rules(self, queued: Queued) -> bool:
        origin = origin_of(queued.task.url)
        if self._frontier.is_asking(origin):  # at the host that a redirect led to
            self._frontier.release(queued.host.host, time.time() + _PARKED)
        else:
            self._frontier.ask_robots(origin)
        return False

    # What became of it

    def settle(self, queued: Queued, result: Result) -> None:
        """Record *result*, and take what follows from it into the frontier."""
        self._under_way -= queued.task.kind is Kind.PAGE
        try:
            self._settle(queued, result)
        except BROKEN_DISK:
            raise
        except Exception as error:
            self.pages = self._frontier.marked("pages")
            self._settle(queued, internal_error(queued.task.url, error))

    def _settle(self, queued: Queued, result: Result) -> None:
        least = self._settings.crawl_delay_seconds
        with self._frontier.committed():
            self._count(queued, result)
            pause = pause_before_retry(result, queued.task.attempts + 1, least)
            if pause is not None:
                self._frontier.retry(queued)
            else:
                self._take(queued, result)
                pause = min(asked_pause(result) or 0.0, MAX_PAUSE)
            delay = delay_after(result, queued.host.latency, least, self._asked_delay(queued))
            self._frontier.release(queued.host.host, time.time() + max(pause, delay))
            self._mark_place()

    def _count(self, queued: Queued, result: Result) -> None:
        host, page = queued.host, queued.task.kind is Kind.PAGE
        if isinstance(result, Fetched):
            self._frontier.count(
                host.host,
                pages=int(page),
                size=len(result.body),
                failures=0,
                cause="",
                latency=smoothed(host.latency, result.seconds),
            )
        elif page:
            failures = host.failures + 1 if result.cause in NO_ANSWER else 0
            self._frontier.count(
                host.host,
                pages=1,
                size=0,
                failures=failures,
                cause=result.cause,
                latency=host.latency,
            )

    def _asked_delay(self, queued: Queued) -> float:
        answer = self._frontier.robots(origin_of(queued.task.url))
        if answer is None or not answer.text:
            return 0.0
        return rules_of(answer.text, self._settings.robot_name).delay

    def _take(self, queued: Queued, result: Result) -> None:
        task = queued.task
        leads = self._leads(task, result)
        self._frontier.finish(queued)
        if task.kind is Kind.PAGE:
            self._follow(task, leads.links)  # before anything is recorded, so that it may fail
            self._take_page(task, result)
        elif task.kind is Kind.ROBOTS:
            self._take_robots(task, leads)
        else:
            self._take_sitemap(task, leads)

    def _leads(self, task: Task, result: Result) -> Leads:
        """What *result* says.

        Raises:
            UnreadableError: it cannot be read.
        """
        try:
            return _read(task, result, self._settings)
        except Exception as error:
            raise UnreadableError(f"the answer of {task.url} cannot be read") from error

    def _follow(self, task: Task, links: Sequence[Found]) -> None:
        if links:
            self._reach.follow(
                Lead(found.url, task.depth, task.hops + 1, task.priority)
                if found.is_redirect
                else Lead(found.url, task.depth + 1, 0, task.priority - 1)
                for found in links
            )

    def _take_page(self, task: Task, result: Result) -> None:
        if isinstance(result, FetchError):
            self._files.failure(task.url, result)
            is_revisit = False
        else:
            is_revisit = self._files.answer(result, task.known)
        self._note_page(result, is_revisit=is_revisit)

    def _note_page(self, result: Result, *, is_revisit: bool) -> None:
        self.pages += 1
        self._frontier.mark("pages", self.pages)
        if isinstance(result, FetchError):
            self._frontier.tally(result.cause)
            return
        self._frontier.tally("unchanged" if is_revisit else f"{result.status // 100}xx")

    def _take_robots(self, task: Task, leads: Leads) -> None:
        if leads.redirect is None or task.hops >= MAX_REDIRECTS:
            self._set_robots(task, leads.robots)
        else:
            hops = task.hops + 1
            self._frontier.add(
                Task(url=leads.redirect, kind=Kind.ROBOTS, origin=task.origin, hops=hops)
            )
            self._wake(host_of(leads.redirect))  # it may wait for its own rules, at this host

    def _set_robots(self, task: Task, answer: RobotsAnswer) -> None:
        seconds = UNREACHABLE_SECONDS if answer.failure else KEPT_SECONDS
        self._frontier.set_robots(task.origin, answer, seconds)
        if task.hops:
            self._wake(host_of(task.origin))
        if self._spec.sitemaps and answer.failure is None:
            for text in sitemaps_of(answer.text, task.origin):
                self._add_sitemap(text, 0)

    def _wake(self, host: str) -> None:
        """Let a host go on that waits for rules; a pause that it asked for stays."""
        now = time.time()
        ready_at = now + self._settings.crawl_delay_seconds
        self._frontier.wake(host, ready_at, parked_until=now + _LONGEST_PAUSE)

    def _add_sitemap(self, url: str, depth: int) -> None:
        if (
            depth <= MAX_SITEMAP_DEPTH
            and self._reach.includes(url)
            and self._frontier.is_new(f"sitemap {url}")
            and self._frontier.has_room(f"sitemaps {host_of(url)}", self._settings.host_pages)
        ):
            self._frontier.add(Task(url=url, kind=Kind.SITEMAP, depth=depth))

    def _take_sitemap(self, task: Task, leads: Leads) -> None:
        if leads.redirect:
            self._add_sitemap(leads.redirect, task.depth + 1)
        for entry in leads.sitemap:
            if entry.is_sitemap:
                self._add_sitemap(entry.url, task.depth + 1)
        pages = [Lead(entry.url, 1, 0, -1.0) for entry in leads.sitemap if not entry.is_sitemap]
        if pages:
            self._reach.follow(pages)

    # After a kill

    def _mark_place(self) -> None:
        self._frontier.mark("files", self._files.begun)
        self._frontier.mark("offset", self._files.position())

    def catch_up(self) -> None:
        """Take the records that the frontier does not know of for results."""
        path = self._files.open_file()
        if path is None:
            return
        is_known = self._frontier.marked("files") == self._files.begun
        start = self._frontier.marked("offset") if is_known else 0
        for recorded in recorded_behind(path, start):
            queued = self._frontier.find(recorded.url)
            if queued is None:
                continue
            with self._frontier.committed():
                self._count(queued, recorded.result)
                self._frontier.finish(queued)
                self._follow(queued.task, self._recorded_links(queued.task, recorded.result))
                self._note_page(recorded.result, is_revisit=recorded.is_revisit)

    def _recorded_links(self, task: Task, result: Result) -> Sequence[Found]:
        """The links of a page that is recorded already; none if it cannot be read."""
        try:
            return self._leads(task, result).links
        except UnreadableError as error:
            internal_error(task.url, error)
            return ()


def _read(task: Task, result: Result, settings: Settings) -> Leads:
    if task.kind is Kind.PAGE:
        return Leads(links=links_of(result, settings) if isinstance(result, Fetched) else [])
    redirect = _redirect_target(result)
    if redirect:
        return Leads(redirect=redirect)
    if task.kind is Kind.ROBOTS:
        return Leads(robots=answer_of(result, redirected=task.hops > 0))
    if isinstance(result, Fetched) and result.status == 200:
        return Leads(sitemap=list(_sitemap(result, settings)))
    return Leads()


def _sitemap(fetched: Fetched, settings: Settings) -> Iterator[SitemapUrl]:
    """What a sitemap names, as canonical URLs."""
    for entry in sitemap_urls(fetched):
        dropped = () if entry.is_sitemap else settings.drop_parameters
        url = canonical_url(entry.url, fetched.url, dropped)
        if url:
            yield SitemapUrl(url, entry.is_sitemap)


def _redirect_target(result: Result) -> str | None:
    if isinstance(result, FetchError) or result.status not in REDIRECTS:
        return None
    location = field(result.fields, "location")
    return canonical_url(location, result.url) if location else None
