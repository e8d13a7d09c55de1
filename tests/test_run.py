"""``inlink run`` against a small web on loopback: undisturbed, killed again and again, and late."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from demo import server
from demo.model import Answer
from demo.pages import Link, page
from demo.server import Server, serving
from demo.web import sent

from inlink.store.layout import Layout
from tests.crawl_files import CrawlFile
from tests.generations import table
from tests.patience import PATIENCE, wait_until

INLINK = Path(sys.executable).with_name("inlink")
SITES, PAGES = 12, 6
BUDGET = 45
KILLING = 25.0


@dataclass
class SmallWeb:
    """Sites that link to each other, and what was asked of them."""

    asked: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        chance = random.Random(20261125)
        urls = [f"http://site-{site}.test/{n or ''}" for site in range(SITES) for n in range(PAGES)]
        self.pages = {
            url: page(url, Link(after), *(Link(chance.choice(urls)) for _ in range(3)))
            for url, after in zip(urls, urls[1:] + urls[:1], strict=True)
        }

    def __call__(self, url: str, headers: dict[str, str]) -> server.Answer:
        if not url.endswith("/robots.txt"):
            self.asked[url] += 1
        return sent(self.pages.get(url, Answer(404, ())), headers)


@contextlib.contextmanager
def served(web: SmallWeb, directory: Path) -> Iterator[Path]:
    """Serve *web*; a data directory whose settings lead there."""
    data = directory / "data"
    data.mkdir()
    with serving(Server(web, trustme.CA())) as proxy:
        settings = {
            "crawl_proxy": proxy.address,
            "crawl_delay_seconds": 0.01,
            "user_agent_contact": "https://bot.example/",
        }
        (data / "settings.json").write_text(json.dumps(settings))
        yield data


def start(data: Path, *options: str) -> "subprocess.Popen[bytes]":
    """``inlink run``, which adds what it says to ``run.log``."""
    command = [str(INLINK), "run", "--data", str(data), "--budget", str(BUDGET), *options]
    with (data / "run.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


FOREVER = ("--seeds", "http://site-0.test/", "--every", "1s")


def run_until_nothing_is_due(data: Path) -> int:
    """Let the loop go on until a plan is empty, then end it by Ctrl-C; its exit code."""
    begin = (data / "run.log").stat().st_size if (data / "run.log").exists() else 0
    process = start(data, *FOREVER)
    try:
        deadline = time.monotonic() + PATIENCE
        while "planned 0 URLs" not in (log := (data / "run.log").read_text()[begin:]):
            assert process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        return process.wait(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Content:
    """What a generation says, without times."""

    pages: dict[str, tuple[str, str | None]]
    links: list[tuple[str, str, str, bool]]


def content_of(data: Path) -> Content:
    urls = {row["url_id"]: row["url"] for row in table(data, "urls")}
    return Content(
        {
            urls[row["url_id"]]: (row["outcome"], row["payload_digest"])
            for row in table(data, "pages")
        },
        sorted(
            (
                urls[row["source_id"]],
                urls[row["target_id"]],
                row["element"],
                row["lost_at"] is not None,
            )
            for row in table(data, "links")
        ),
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The content after the loop ran until it had everything, which is checked on the way."""
    web = SmallWeb()
    with served(web, tmp_path_factory.mktemp("undisturbed")) as data:
        assert run_until_nothing_is_due(data) == 130
        assert web.asked == dict.fromkeys(web.pages, 1)
        log = (data / "run.log").read_text()
        crawled = [int(count) for count in re.findall(r"crawled (\d+) pages", log)]
        assert max(crawled) <= BUDGET
        assert sum(crawled) == len(web.pages)
        assert log.count("published generation") == len(crawled)
        assert "Interrupted. Run the same command to continue." in log
        return content_of(data)


def test_the_loop_goes_on_from_seeds_until_it_has_the_whole_web(undisturbed: Content) -> None:
    web = SmallWeb()
    assert {url: outcome for url, (outcome, _) in undisturbed.pages.items()} == dict.fromkeys(
        web.pages, "ok"
    )
    assert not any(lost for *_, lost in undisturbed.links)
    assert len(undisturbed.links) > 100


def test_a_loop_that_is_killed_again_and_again_comes_to_the_same(
    undisturbed: Content, tmp_path: Path
) -> None:
    web, chance = SmallWeb(), random.Random(os.getpid())
    with served(web, tmp_path) as data:
        deadline, kills = time.monotonic() + KILLING, 0
        while time.monotonic() < deadline:
            process = start(data, *FOREVER)
            time.sleep(chance.uniform(1, 8))
            assert process.poll() is None, (data / "run.log").read_text()
            process.kill()
            process.wait()
            kills += 1
        assert run_until_nothing_is_due(data) == 130
        assert content_of(data) == undisturbed
        # What was under way when a kill came may be asked for again, one page of each host.
        assert max(web.asked.values()) <= 1 + kills
        assert web.asked.total() <= len(web.pages) + kills * SITES
        assert not list(Layout(data).root.glob("building"))


def test_what_is_due_is_looked_at_again_and_what_went_is_noticed(tmp_path: Path) -> None:
    """Pages that were seen long ago with other links than they have now."""
    web = SmallWeb()
    kept, dropped = "http://site-1.test/", "http://site-2.test/5"
    web.pages[kept] = page("Kept", Link(dropped))
    gone, file = "http://site-3.test/was-here", "http://elsewhere.test/x.pdf"
    with served(web, tmp_path) as data:
        crawl = CrawlFile().response(kept, f"<a href={dropped}>1</a><a href={file}>2</a>")
        crawl.response(gone, f"<a href={kept}>3</a>")
        for command in (["ingest", crawl.write(tmp_path / "old.warc.gz")], ["build"]):
            subprocess.run([INLINK, *command, "--data", data], check=True, capture_output=True)
        process = start(data, "--once")
        assert process.wait(timeout=PATIENCE) == 0, (data / "run.log").read_text()
        urls = {row["url_id"]: row["url"] for row in table(data, "urls")}
        lost = {
            (urls[row["source_id"]], urls[row["target_id"]]): row["reason_lost"]
            for row in table(data, "links")
        }
    assert lost == {
        (kept, dropped): None,
        (kept, file): "link_removed",
        (gone, kept): "page_not_found",
        **{
            (dropped, urls[row["target_id"]]): None
            for row in table(data, "links")
            if urls[row["source_id"]] == dropped
        },
    }
    assert set(web.asked) == {kept, gone, dropped}


def test_two_loops_at_once_are_refused(tmp_path: Path) -> None:
    with served(SmallWeb(), tmp_path) as data:
        first = start(data, *FOREVER)
        try:
            wait_until(lambda: "planned" in (data / "run.log").read_text())
            second = start(data, *FOREVER)
            assert second.wait(timeout=PATIENCE) == 1
            assert "run.lock is in use by another process" in (data / "run.log").read_text()
        finally:
            first.send_signal(signal.SIGTERM)
            assert first.wait(timeout=PATIENCE) == 130


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--once",), "no generation yet, so the first round needs --seeds"),
        (("--every", "tomorrow"), "is not a duration such as 90m, 24h or 7d"),
        (("--seeds", "https://a.example/", "--once"), "set user_agent_contact in settings.json"),
    ],
)
def test_what_cannot_be_done_is_said(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    process = start(tmp_path, *options)
    assert process.wait(timeout=PATIENCE) in (1, 2)
    assert message in " ".join((tmp_path / "run.log").read_text().split())
