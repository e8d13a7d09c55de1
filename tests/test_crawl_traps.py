"""Spider traps, and the time between two requests."""

import datetime as dt
from email.utils import format_datetime

import pytest

from inlink.crawl.errors import FetchError
from inlink.crawl.politeness import (
    MAX_DELAY,
    asked_pause,
    delay_after,
    page_budget,
    pause_before_retry,
)
from inlink.crawl.traps import in_order, is_trap, pattern_of, without_session
from tests.test_crawl_robots import fetched


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a/b/a/b/a/b/a/b/",
        "https://example.com/" + "x/" * 4,
        "https://example.com/" + "/".join(str(n) for n in range(21)),
        "https://example.com/?" + "&".join(f"p{n}=1" for n in range(17)),
        "https://example.com/" + "x" * 2000,
        "https://user:word@example.com/",
    ],
)
def test_a_url_that_comes_of_following_itself_is_a_trap(url: str) -> None:
    assert is_trap(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://example.com/2026/11/25/a-title-of-some-length/",
        "https://example.com/a/b/a/b/a/c?x=1&y=2",
        "https://en.wikipedia.example/wiki/Wikipedia:Wikipedia",
        "https://example.com/mail@example.com",
    ],
)
def test_a_usual_url_is_none(url: str) -> None:
    assert not is_trap(url)


@pytest.mark.parametrize(
    ("url", "less"),
    [
        ("http://a.example/p;jsessionid=0A1B2C?x=1", "http://a.example/p?x=1"),
        ("http://a.example/p?PHPSESSID=abc", "http://a.example/p"),
        ("http://a.example/p?x=1&sid=abc&y=2", "http://a.example/p?x=1&y=2"),
        ("http://a.example/p?sid=abc&x=1", "http://a.example/p?x=1"),
        ("http://a.example/p?CFID=1&CFTOKEN=2", "http://a.example/p"),
        ("http://a.example/p?userid=1&residence=2", "http://a.example/p?userid=1&residence=2"),
    ],
)
def test_the_id_of_a_session_is_taken_out(url: str, less: str) -> None:
    assert without_session(url) == less


def test_permutations_of_a_query_are_one() -> None:
    assert in_order("http://a.example/?b=2&a=1") == in_order("http://a.example/?a=1&b=2")
    assert in_order("http://a.example/?a=1") != in_order("http://a.example/?a=2")


def test_urls_that_differ_in_values_or_numbers_only_are_alike() -> None:
    def alike(one: str, other: str) -> bool:
        return pattern_of(f"http://a.example{one}") == pattern_of(f"http://a.example{other}")

    assert alike("/day/2026/11/25", "/day/1999/1/1")
    assert alike("/list?page=1&sort=a", "/list?page=2&sort=b")
    assert not alike("/list?page=1", "/list?sort=1")
    assert not alike("/day/1", "/week/1")
    assert pattern_of("http://a.example/about") is None


OK = fetched(200)  # took 0.1 s


def test_the_delay_is_the_longest_that_anybody_asks_for() -> None:
    assert delay_after(OK, latency=0.2, least=2, asked=0) == 2
    assert delay_after(OK, latency=0.2, least=2, asked=5) == 5
    assert delay_after(OK, latency=9, least=2, asked=5) == 9
    assert delay_after(OK, latency=0, least=0, asked=0) == 0.1
    assert delay_after(OK, latency=0.2, least=2, asked=3600) == MAX_DELAY


def test_who_asks_for_a_longer_delay_than_we_keep_is_asked_for_less() -> None:
    assert page_budget(5000, 0) == page_budget(5000, 60) == 5000
    assert page_budget(5000, 600) == 500


@pytest.mark.parametrize("status", (429, 503))
def test_retry_after_is_read_in_both_its_forms(status: int) -> None:
    assert asked_pause(fetched(status, retry_after="120")) == 120
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    pause = asked_pause(fetched(status, retry_after=format_datetime(at, usegmt=True)))
    assert pause is not None
    assert 88 < pause <= 90
    assert asked_pause(fetched(status, retry_after="soon")) is None
    assert asked_pause(fetched(status)) is None
    assert asked_pause(fetched(200, retry_after="120")) is None


def test_an_overloaded_host_is_tried_three_times_each_after_a_longer_pause() -> None:
    busy = fetched(503)
    assert [pause_before_retry(busy, attempts, 2) for attempts in (1, 2, 3)] == [30, 60, None]
    asked = fetched(429, retry_after="7")
    assert [pause_before_retry(asked, attempts, 2) for attempts in (1, 2, 3)] == [7, 7, None]


def test_a_pause_beyond_all_bounds_is_not_waited_for() -> None:
    assert pause_before_retry(fetched(429, retry_after="86400"), 1, 2) is None


def test_what_may_pass_is_tried_twice_and_what_will_not_once() -> None:
    for cause in ("dns", "timeout", "refused", "reset"):
        error = FetchError(cause, "")
        assert pause_before_retry(error, 1, 2) == 30
        assert pause_before_retry(error, 2, 2) is None
    for result in (FetchError("tls", ""), FetchError("http", ""), fetched(404), fetched(500), OK):
        assert pause_before_retry(result, 1, 2) is None
