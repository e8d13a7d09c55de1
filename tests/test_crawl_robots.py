"""robots.txt: the examples of RFC 9309 and of the draft before it, and what an answer means."""

import datetime as dt
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inlink.crawl.errors import FetchError
from inlink.crawl.fetch import Fetched
from inlink.crawl.robots import MAX_BYTES, Rules, answer_of, origin_of, sitemaps_of
from inlink.urls.canonical import canonical_url

PIECES = (
    *(b"User-agent: *", b"User-agent: inlinkbot/1", b"Disallow: ", b"Allow: ", b"Sitemap: ", b"\r"),
    *(b"\n", b"http://[", b"//]", b"$", b"*", b"%", b"\0", b"\xff", b"Crawl-delay: ", b"9", b"#"),
)

SIMPLE = """
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""
"""https://www.rfc-editor.org/rfc/rfc9309#section-5.1"""

LONGEST = """
User-Agent: foobot
Allow: /example/page/
Disallow: /example/page/disallowed.gif
"""
"""https://www.rfc-editor.org/rfc/rfc9309#section-5.2"""

COMBINED = """
user-agent: ExampleBot
disallow: /foo
disallow: /bar

user-agent: ExampleBot
disallow: /baz
"""
"""https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1"""


@pytest.mark.parametrize(
    ("text", "robot", "path", "allowed"),
    [
        (SIMPLE, "otherbot", "/a.gif", False),
        (SIMPLE, "otherbot", "/a.gif?x", True),
        (SIMPLE, "otherbot", "/example/a", False),
        (SIMPLE, "otherbot", "/publications/a", True),
        (SIMPLE, "foobot", "/", False),
        (SIMPLE, "foobot", "/example/page.html", True),
        (SIMPLE, "foobot", "/example/allowed.gif", True),
        (SIMPLE, "FooBot", "/publications/", False),
        (SIMPLE, "barbot", "/example/page.html", False),
        (SIMPLE, "barbot", "/example/a.gif", True),
        (SIMPLE, "bazbot", "/example/page.html", False),
        (SIMPLE, "quxbot", "/example/", True),
        (LONGEST, "foobot", "/example/page/a", True),
        (LONGEST, "foobot", "/example/page/disallowed.gif", False),
        (COMBINED, "examplebot", "/foo", False),
        (COMBINED, "examplebot", "/baz", False),
        (COMBINED, "examplebot", "/qux", True),
        ("User-agent: *\nDisallow: /", "bot", "/robots.txt", True),
        ("User-agent: *\nAllow: /a\nDisallow: /a", "bot", "/a", True),
        ("User-agent: *\nDisallow: /foo/bar?baz=http://foo.bar", "bot",
         "/foo/bar?baz=http://foo.bar", False),
        ("User-agent: *\nDisallow: /foo/bar/ツ", "bot", "/foo/bar/%E3%83%84", False),
        ("User-agent: *\nDisallow: /foo/bar/%E3%83%84", "bot", "/foo/bar/%E3%83%84", False),
        ("User-agent: *\nDisallow: /foo/bar/%62%61%7A", "bot", "/foo/bar/baz", False),
        ("# nothing\nDisallow: /", "bot", "/", True),
        ("User-agent: *\nCrawl-delay: 2\nUser-agent: other\nDisallow: /no", "bot", "/no", False),
        ("User-agent: *\nNoindex: /a\nUser-agent: other\nDisallow: /no", "bot", "/no", False),
        ("# hello\rUser-agent: *\rDisallow: /secret\r", "bot", "/secret", False),
        ("User-agent: *\r\nDisallow: /a\rDisallow: /b\nDisallow: /c", "bot", "/b", False),
        ("User-agent: *\r\rDisallow: /a\n\rDisallow: /b", "bot", "/b", False),
        ("User-agent: *\nDisallow: /a\vDisallow: /b", "bot", "/b", True),
        ("User-agent: *\nDisallow: /a\u2028Disallow: /b", "bot", "/b", True),
        ("User-agent: *\nAllow: /x\x85Disallow: /b", "bot", "/b", True),
    ],
)  # fmt: skip
def test_the_examples_of_the_standard_hold(text: str, robot: str, path: str, allowed: bool) -> None:
    assert Rules(text, robot).allow(f"https://example.com{path}") is allowed


@pytest.mark.parametrize(
    ("agent", "ours"),
    [
        ("InlinkBot", True),
        ("inlinkbot/0.2", True),
        ("InlinkBot/1.0 (+https://a.example/)", True),
        ("inlinkbot *", True),
        ("inlinkbot*", True),
        ("INLINKBOT", True),
        ("inlinkbot2", True),
        ("inlinkbot, otherbot", True),
        ("\tinlinkbot\t", True),
        ("inlinkbot # comment", True),
        ("inlink", False),
        ("bot", False),
        ("i", False),
        ("inlinkbot-news", False),
        ("inlinkbot_x", False),
        ("my-inlinkbot", False),
        ("Mozilla/5.0 (compatible; inlinkbot)", False),
        ("*inlinkbot", False),
        ("inlin\u212abot", False),
        ("", False),
    ],
)
def test_a_product_token_ends_before_the_first_other_character(agent: str, ours: bool) -> None:
    """Google's robots_test.cc: AcceptUserAgentUpToFirstSpace, UserAgentValueCaseInsensitive."""
    text = f"User-agent: *\nDisallow: /all\n\nUser-agent: {agent}\nDisallow: /ours"
    rules = Rules(text, "inlinkbot")
    assert rules.allow("http://a.example/ours") is not ours
    assert rules.allow("http://a.example/all") is ours


@pytest.mark.parametrize(
    ("text", "forbidden", "allowed"),
    [
        ("user-agent: a\nuser-agent: Bot\nuser-agent: b\ndisallow: /x", "/x", "/y"),
        ("user-agent: *\nuser-agent: bot\ndisallow: /x\n\nuser-agent: *\ndisallow: /y", "/x", "/y"),
        ("user-agent: bot\nsitemap: http://[\nuser-agent: a\ndisallow: /x", "/x", "/y"),
        ("user-agent: bot\n\n\ndisallow: /x", "/x", "/y"),
        ("user-agent: a\ndisallow: /y\nuser-agent: bot\ndisallow: /x", "/x", "/y"),
        (
            "user-agent: bot\ndisallow:\nuser-agent: *\ndisallow: /y\nuser-agent: bot\ndisallow:/x",
            "/x",
            "/y",
        ),
        ("user-agent bot\ndisallow /x", "/x", "/y"),
        ("useragent: bot\ndissallow: /x", "/x", "/y"),
        ("user agent : bot\ndisalow : /x", "/x", "/y"),
        ("disallow: /y\nuser-agent: bot\ndisallow: /x", "/x", "/y"),
        ("user-agent: *\ndisallow: /caf\xe9", "/caf%E9", "/caf%C3%A9"),
        ("\xef\xbb\xbfuser-agent: *\ndisallow: /x", "/x", "/y"),
        ("user-agent: *\ndisallow: /x\ndisallow: //[\ndisallow: http://[", "/x", "/y"),
        ("user-agent: *\ndisallow: /\nallow: /index.html", "/x", "/"),
    ],
)
def test_groups_are_those_of_the_standard(text: str, forbidden: str, allowed: str) -> None:
    """https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1, and Google's robots_test.cc."""
    rules = Rules(answer_of(fetched(200, text.encode("latin-1"))).text, "bot")
    assert not rules.allow(f"http://a.example{forbidden}")
    assert rules.allow(f"http://a.example{allowed}")


@pytest.mark.parametrize(
    "said", ("-1", "1_000", "inf", "nan", "1e5", "\u0665", "ten", "", "9" * 400)
)
def test_what_is_no_number_of_seconds_is_no_delay(said: str) -> None:
    assert Rules(f"User-agent: *\nCrawl-delay: {said}", "bot").delay == 0.0


@given(st.binary(max_size=400) | st.lists(st.sampled_from(PIECES)).map(b"".join))
def test_no_file_is_an_error(body: bytes) -> None:
    text = answer_of(fetched(200, body)).text
    rules = Rules(text, "inlinkbot")
    assert rules.delay >= 0
    assert rules.allow("http://a.example/robots.txt")
    rules.allow("http://a.example/a?b=%zz")
    assert all(url == canonical_url(url) for url in sitemaps_of(text, "http://a.example"))


def test_a_crawl_delay_is_read_for_the_robot_that_asks() -> None:
    text = "User-agent: *\nCrawl-delay: 2.5\n\nUser-agent: slow\nCrawl-delay: 7"
    assert (Rules(text, "bot").delay, Rules(text, "slow").delay, Rules("", "bot").delay) == (
        2.5,
        7.0,
        0.0,
    )


def fetched(status: int, body: bytes = b"", **fields: str) -> Fetched:
    return Fetched(
        url="https://example.com/robots.txt",
        at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        seconds=0.1,
        ip=None,
        request=b"",
        head=b"",
        body=body,
        cut=False,
        status=status,
        fields=tuple((name.replace("_", "-"), value) for name, value in fields.items()),
    )


@pytest.mark.parametrize("status", (400, 401, 403, 404, 410, 451))
def test_a_file_that_is_not_there_allows_everything(status: int) -> None:
    answer = answer_of(fetched(status, b"User-agent: *\nDisallow: /"))
    assert (answer.text, answer.failure) == ("", None)


@pytest.mark.parametrize("status", (429, 500, 502, 503, 504))
def test_a_host_that_is_in_trouble_allows_nothing(status: int) -> None:
    failure = answer_of(fetched(status)).failure
    assert failure is not None
    assert failure[0] == "robots_unreachable"


def test_where_the_host_gave_no_answer_its_pages_failed_like_its_robots_txt() -> None:
    error = FetchError("dns", "no such host")
    assert answer_of(error).failure == ("dns", "robots.txt: no such host")
    redirected = answer_of(error, redirected=True).failure
    assert redirected is not None
    assert redirected[0] == "robots_unreachable"


def test_no_more_than_500_kib_count_and_no_half_line_does() -> None:
    line = b"Disallow: /%06d\n"
    body = b"User-agent: *\n" + b"".join(line % number for number in range(40_000))
    text = answer_of(fetched(200, body)).text
    assert MAX_BYTES - len(line % 0) < len(text) <= MAX_BYTES
    assert text.endswith("\n")


def test_a_compressed_file_is_read() -> None:
    body = gzip.compress(b"User-agent: *\nDisallow: /no")
    assert answer_of(fetched(200, body, content_encoding="gzip")).text.endswith("/no")


def test_rules_hold_for_scheme_host_and_port() -> None:
    assert origin_of("https://example.com:8443/a?b") == "https://example.com:8443"
    assert origin_of("http://user:word@example.com/") == "http://example.com"


def test_sitemaps_are_those_that_are_named_else_the_usual_one() -> None:
    text = "Sitemap: https://cdn.example/a.xml\nUser-agent: *\nsitemap: /b.xml"
    assert sitemaps_of(text, "https://example.com") == [
        "https://cdn.example/a.xml",
        "https://example.com/b.xml",
    ]
    assert sitemaps_of("", "https://example.com") == ["https://example.com/sitemap.xml"]


@pytest.mark.parametrize(
    "line",
    ("https://[your-domain]/sitemap.xml", "http://]/s.xml", "http://[", "//", "http://a:99999/"),
)
def test_a_sitemap_that_is_no_url_is_ignored(line: str) -> None:
    text = f"Sitemap: {line}\nSitemap: https://a.example/s.xml\rSite-map: /t.xml"
    assert sitemaps_of(text, "https://a.example") == [
        "https://a.example/s.xml",
        "https://a.example/t.xml",
    ]
    assert sitemaps_of(f"Sitemap: {line}", "https://a.example") == ["https://a.example/sitemap.xml"]


def test_of_a_file_with_other_line_ends_as_much_counts() -> None:
    body = b"User-agent: *\r" + b"Disallow: /%06d\r" * 40_000
    text = answer_of(fetched(200, body)).text
    assert MAX_BYTES - 20 < len(text) <= MAX_BYTES
    assert text.endswith("\r")
