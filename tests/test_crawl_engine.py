"""How many fetches run at once, and what becomes of them when a crawl is stopped."""

import asyncio
import os
import signal
from asyncio import StreamWriter
from collections.abc import Callable
from pathlib import Path

import pytest
from demo.server import Answer, Server

from inlink.crawl.job import CrawlSpec, Progress, crawl, unfinished
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from tests.crawl_site import SETTINGS, Site
from tests.crawl_web import answers
from tests.crawl_web.answers import page

AT_ONCE = 3


class Counting:
    """Answers each request when as many run as may; *most* is how many there were."""

    def __init__(self) -> None:
        self.most = 0
        self._running = 0
        self._all_there = asyncio.Barrier(AT_ONCE)

    def __call__(self, url: str, headers: dict[str, str]) -> Answer:
        return self._answer

    async def _answer(self, writer: StreamWriter) -> None:
        self._running += 1
        self.most = max(self.most, self._running)
        await self._all_there.wait()
        self._running -= 1
        await page()(writer)


def test_no_more_fetches_run_at_once_than_may(
    crawl_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inlink.crawl.engine.TRANSFERS_AT_ONCE", AT_ONCE)
    crawl_server.web = counting = Counting()
    settings = Settings(
        user_agent_contact="mailto:crawl@operator.example",
        crawl_delay_seconds=0,
        crawl_proxy=crawl_server.address,
    )
    hosts = tuple(f"http://h{number}.example/" for number in range(4 * AT_ONCE))
    summary = crawl(CrawlSpec(name="test", seeds=hosts), Layout(tmp_path), settings)
    assert summary.outcomes == {"2xx": len(hosts)}
    assert counting.most == AT_ONCE


def stop_when(condition: Callable[[], bool]) -> Callable[[Progress], None]:
    """Send this process a signal, once, when *condition* is met."""
    sent: list[int] = []

    def report(progress: Progress) -> None:
        if condition() and not sent:
            sent.append(signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    return report


def test_what_waits_for_its_turn_is_not_fetched_after_a_signal(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inlink.crawl.course.LOOK_AHEAD", 100.0)
    monkeypatch.setattr("inlink.crawl.engine.LAST_SECONDS", 100.0)
    site.pages |= {"/": page("/next"), "/next": page()}
    settings = Settings(allow_private_addresses=True, crawl_delay_seconds=60)
    spec = CrawlSpec(name="test", seeds=(f"{site.origin}/",))
    # robots.txt was asked for, and the page waits a minute.
    summary = crawl(spec, site.layout, settings, stop_when(lambda: bool(site.server.log)))
    assert (summary.finished, summary.fetched) == (False, 0)
    assert site.asked() == []
    assert unfinished(site.layout) == [spec]


def test_a_fetch_that_does_not_end_is_cancelled_and_made_again_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inlink.crawl.engine.LAST_SECONDS", 0.1)
    site.pages["/"] = answers.hang
    spec = CrawlSpec(name="test", seeds=(f"{site.origin}/",))
    summary = crawl(spec, site.layout, SETTINGS, stop_when(lambda: bool(site.asked())))
    assert (summary.finished, summary.outcomes) == (False, {})
    site.pages["/"] = page()
    assert crawl(spec, site.layout, SETTINGS).outcomes == {"2xx": 1}
    assert site.asked() == ["/", "/"]


def test_an_error_outside_of_the_fetches_ends_the_crawl(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inlink.crawl.engine.LAST_SECONDS", 0.1)
    site.pages["/"] = answers.hang
    spec = CrawlSpec(name="test", seeds=(f"{site.origin}/",))

    def report(progress: Progress) -> None:
        if site.asked():
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        crawl(spec, site.layout, SETTINGS, report)
    assert unfinished(site.layout) == [spec]
    assert site.recorded() == []
