"""What is taken in of the links of one page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inlink.crawl.frontier import Frontier, Task, host_of
from inlink.crawl.reach import Lead, Reach
from inlink.crawl.spec import CrawlSpec
from inlink.store.configuration import Settings

SEED = "http://a.example/"


@pytest.fixture
def frontier(tmp_path: Path) -> Iterator[Frontier]:
    opened = Frontier(tmp_path / "frontier.sqlite")
    yield opened
    opened.close()


def reach_of(frontier: Frontier, settings: Settings) -> Reach:
    spec = CrawlSpec(name="test", seeds=(SEED,), depth=2)
    reach = Reach(spec, settings, frontier, loopback_only=False)
    reach.sow(Task(url=SEED))
    return reach


def leads(*urls: str) -> list[Lead]:
    return [Lead(url, 1, 0, 0.0) for url in urls]


def queued(frontier: Frontier) -> list[str]:
    """The URLs in the queues, in the order in which they were put there."""
    found = []
    while task := frontier.next(1.0):
        found.append((task.number, task.task.url))
        frontier.finish(task)
    return [url for _, url in sorted(found)]


def test_what_one_page_repeats_is_taken_in_once(frontier: Frontier) -> None:
    reach_of(frontier, Settings()).follow(
        leads(
            "http://a.example/p?x=1&y=2",
            "http://a.example/p?y=2&x=1",
            "http://a.example/p?x=1&y=2&sid=3",
            SEED,
            "http://a.example/one",
            "http://a.example/one",
            "http://user@a.example/login",
            "http://b.a.example/",
            "http://other.example/",
        )
    )
    expected = ["p?x=1&y=2", "one"]
    assert queued(frontier) == [
        SEED,
        *(f"http://a.example/{path}" for path in expected),
        "http://b.a.example/",
    ]


def test_a_page_fills_the_budget_of_a_host_and_no_more(frontier: Frontier) -> None:
    reach = reach_of(frontier, Settings(host_pages=3))
    reach.follow(leads(SEED, *(f"{SEED}{n}" for n in "aabcd"), "http://b.a.example/"))
    assert queued(frontier) == [SEED, f"{SEED}a", f"{SEED}b", "http://b.a.example/"]
    reach.follow(leads(f"{SEED}c"))  # which was found when there was no room
    assert queued(frontier) == [f"{SEED}c"]


def test_too_many_links_and_redirects_away_is_not_followed(frontier: Frontier) -> None:
    reach = reach_of(frontier, Settings(redirect_hops=1))
    reach.follow([Lead(f"{SEED}a", 3, 0, 0.0), Lead(f"{SEED}b", 2, 2, 0.0)])
    assert queued(frontier) == [SEED]
    reach.follow([Lead(f"{SEED}a", 2, 1, 0.0)])
    assert queued(frontier) == [f"{SEED}a"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example/", "a.example"),
        ("https://a.example:8443/b//c?d=/e", "a.example"),
        ("https://a.example:8443", "a.example"),
        ("http://user:word@a.example/@b", "a.example"),
        ("http://[2001:db8::1]:81/", "2001:db8::1"),
        ("http://a/", "a"),
    ],
)
def test_the_host_of_a_url_or_an_origin(url: str, host: str) -> None:
    assert host_of(url) == host
