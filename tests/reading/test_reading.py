"""The independent reading itself, on cases worked out by hand and on published vectors."""

import gzip
import json
import random
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import Element

import brotli  # type: ignore[import-untyped]
import html5lib
import pytest
import zstandard
from warcio.archiveiterator import ArchiveIterator

from . import answers, encoding, events, http, markup, records, robots, urls
from .answers import Ranks, Target
from .events import Days
from .history import History, Key, State, Stretch, fold
from .markup import Event, Link
from .records import Visit

PAGE = "https://a.example/page"
TARGET = "https://b.example/"
DAY = datetime(2026, 1, 1, tzinfo=UTC)
HTML_NAMESPACE = "{http://www.w3.org/1999/xhtml}"


# URLs


def test_urls_are_parsed_as_the_published_vectors_say(shared: Path) -> None:
    cases = json.loads((shared / "url" / "urltestdata.json").read_text(encoding="utf-8"))
    compared = 0
    for case in cases:
        base = case.get("base") if isinstance(case, dict) else "about:blank"
        if base and not base.lower().startswith(("http:", "https:")):
            continue
        want = None if case.get("failure") else case["href"].partition("#")[0]
        if want is not None and not want.startswith(("http:", "https:")):
            want = None
        assert urls.standard(case["input"], base) == want, case
        compared += 1
    assert compared > 600


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("someone.github.io", "someone.github.io"),
        ("github.io", "github.io"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("www.example.unlisted", "example.unlisted"),
        ("[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_registrable_domain(host: str, domain: str) -> None:
    assert urls.domain_of(host) == domain


def test_a_query_is_written_in_the_encoding_of_the_page() -> None:
    """https://url.spec.whatwg.org/#query-state, with the example of the standard's section 1.3."""
    assert urls.resolve("?é", PAGE, "cp1252") == PAGE + "?%E9"
    assert urls.resolve("?é", PAGE) == PAGE + "?%C3%A9"
    assert urls.resolve("?‽", PAGE, "shift_jis") == PAGE + "?%26%238253%3B"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("http://example.com/%7esmith/%41%e4", "http://example.com/~smith/A%E4"),
        ("/a%2fb%2E%2e?q=%7e%20%c3%a9#%7e", "https://a.example/a%2Fb..?q=~%20%C3%A9"),
        ("/100%25%zz%4", "https://a.example/100%25%zz%4"),
        ("HTTPS://A.example:443/%3f", "https://a.example/%3F"),
    ],
)
def test_percent_encodings_are_normalised(reference: str, url: str) -> None:
    """RFC 3986, 6.2.2.1 and 6.2.2.2; "/" and "?" are reserved, "%zz" is no encoding."""
    assert urls.resolve(reference, PAGE) == url


@pytest.mark.parametrize(
    ("reference", "base"),
    [
        ("/dir/", "https://a.example/dir/"),
        ("//b.example", "https://b.example/"),
        ("data:text/html,x", PAGE),
        ("JavaScript:x", PAGE),
        ("http://[", PAGE),
        ("ftp:", PAGE),
        ("ftp://files.example/", None),
        ("mailto:x@a.example", None),
        (None, PAGE),
    ],
)
def test_the_base_of_a_page(reference: str | None, base: str | None) -> None:
    """HTML, "set the frozen base URL": data and javascript, and invalid ones, do not count."""
    assert urls.base_of(reference, PAGE) == base


# Answers


PLAIN = b"<a href=https://b.example/>b</a>"


def _answer(body: bytes, *fields: str, status: str = "HTTP/1.1 200 OK") -> http.Answer:
    head = "".join(f"{line}\r\n" for line in (status, *fields))
    answer = http.parse(head.encode("latin-1") + b"\r\n" + body)
    assert answer
    return answer


def _chunked(body: bytes) -> bytes:
    return b"%x;x=y\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])


CODED = {
    "Content-Encoding: gzip": gzip.compress(PLAIN),
    "Content-Encoding: deflate": zlib.compress(PLAIN),
    "Content-Encoding:deflate": zlib.compress(PLAIN)[2:-4],
    "Content-Encoding: br": brotli.compress(PLAIN),
    "Content-Encoding: zstd": zstandard.compress(PLAIN),
    "Content-Encoding: gzip, br": brotli.compress(gzip.compress(PLAIN)),
    "Transfer-Encoding: chunked": _chunked(PLAIN),
    "Transfer-Encoding: gzip, chunked": _chunked(gzip.compress(PLAIN)),
    f"Content-Length: {len(PLAIN)}": PLAIN,
}


@pytest.mark.parametrize("field", CODED)
def test_a_body_is_complete_only_if_it_was_decoded_to_its_end(field: str) -> None:
    whole = _answer(CODED[field], field)
    assert (whole.body, whole.complete) == (PLAIN, True)
    body = CODED[field]
    for length in range(8, len(body) - 4):  # of fewer, nobody can say what they begin
        cut = _answer(body[:length], field)
        assert not cut.complete, length
        assert PLAIN.startswith(cut.body), length


def test_bodies_that_cannot_be_decoded() -> None:
    """What an archiver stored decoded is taken as it is; what is damaged or unknown, not at all."""
    members = gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:])
    assert _answer(members, "Content-Encoding: X-Gzip").body == PLAIN
    for coding in ("gzip", "deflate", "br", "zstd"):
        stored = _answer(PLAIN, f"Content-Encoding: {coding}")
        assert (stored.body, stored.complete) == (PLAIN, True)
        damaged = _answer(bytes(range(256)), f"Content-Encoding: {coding}")
        assert (damaged.body, damaged.complete) == (b"", False)
    unknown = _answer(PLAIN, "Content-Encoding: dcz")
    assert (unknown.body, unknown.complete, unknown.known) == (b"", False, False)
    assert _answer(b"", "Content-Length: 99", status="HTTP/1.1 304 Not Modified").complete


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("HTTP/1.1 200", 200),
        ("HTTP 200 Document follows", 200),
        ("http/1.0 404 Nope", 404),
        ("HTTP/1.0 0 Unknown", 0),
        ("HTTP/1.1", 200),
    ],
)
def test_status_lines_of_old_servers(line: str, status: int) -> None:
    assert _answer(b"", status=line).status == status
    assert http.parse(b"<html>") is None


@pytest.mark.parametrize(
    ("values", "essence", "charset"),
    [
        (["text/html;charset=gbk, text/html"], "text/html", "gbk"),
        (["text/html;charset=gbk;a=b, text/html;x=y"], "text/html", "gbk"),
        (["text/html;charset=gbk, text/plain"], "text/plain", None),
        (["text/html;charset=gbk", "*/*"], "text/html", "gbk"),
        (["text/html", "cannot-parse"], "text/html", None),
        (['text/html;x=";', "text/plain"], "text/html", None),
        (['text/html;charset="gbk"'], "text/html", "gbk"),
        (["text/html;charset=gbk;charset=utf-8"], "text/html", "gbk"),
        (["text/html;charset=", "TEXT/HTML;charset=x"], "text/html", "x"),
        (["text"], "", None),
    ],
)
def test_a_media_type_is_extracted_as_the_fetch_standard_has_it(
    values: list[str], essence: str, charset: str | None
) -> None:
    """https://fetch.spec.whatwg.org/#concept-header-extract-mime-type, its examples first."""
    assert http.media_type(values) == (essence, charset)


# Robots


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", datetime(2010, 6, 25, 23, tzinfo=UTC)),
        (
            "unavailable_after: Friday, 25-Jun-10 15:00:00 GMT",
            datetime(2010, 6, 25, 15, tzinfo=UTC),
        ),
        ("noarchive, unavailable_after:2010-06-25", datetime(2010, 6, 25, tzinfo=UTC)),
        ("unavailable_after: 2010-06-25T15:00:00+02:00", datetime(2010, 6, 25, 13, tzinfo=UTC)),
        ("unavailable_after: soon", None),
    ],
)
def test_the_day_from_which_on_a_page_is_not_to_be_indexed(text: str, day: datetime | None) -> None:
    """RFC 822, RFC 850 and ISO 8601, as Google's documentation of the directive says."""
    assert robots.directives([("robots", text)], []).unavailable_after == day
    assert robots.directives([], [text]).unavailable_after == day
    assert robots.directives([], [f"otherbot: {text}"]).unavailable_after is None
    assert robots.directives([], [f"inlinkbot: {text}"]).unavailable_after == day


# Encodings


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"\xef\xbb\xbf\xc3\xa9", "text/html; charset=iso-8859-1", "é"),
        (b"\xe9", "text/html; charset=iso-8859-1", "é"),
        (b"\x93", "text/html; charset=iso-8859-1", "“"),
        (b'<meta charset="windows-1251">\xc6', "text/html", '<meta charset="windows-1251">Ж'),
        (b" " * 1024 + b'<meta charset="windows-1251">\xc6', "", None),
        (b"\xc3\xa9", "text/html", "é"),
        (b"\xe9", "text/html", "é"),
    ],
)
def test_encoding(body: bytes, content_type: str, text: str | None) -> None:
    decoded = encoding.decode(body, http.media_type([content_type])[1])[0]
    assert decoded == text if text is not None else decoded.endswith("Æ")


# Markup


def _page(text: str) -> markup.Page:
    return markup.read(text, PAGE, "utf-8")


def test_links_of_a_page() -> None:
    page = _page(
        """<head><base href="https://b.example/dir/"><base href="https://c.example/">
        <title> One \n two </title><title>no</title><link rel="x Canonical" href="/c#f">
        <meta name=Robots content="NoIndex"></head>
        <a href=" x?a=1#frag" rel="NOFOLLOW me">a <b>b</b><script>s</script>\u00a0c</a>
        <a href=mailto:x>no</a><a name=y>no</a><template><a href=t>no</a></template>
        <a href=/i>text<img src=p.png alt=" one\ntwo "><img src=q.png alt=q></a>
        <a href=/j>text<img alt=""></a><map><area href=/m alt="al t"></map>
        <svg><a href=/svg>svg</a></svg><noscript><a href=/n>n</a></noscript>
        <link rel=canonical href=/body>"""
    )
    site = "https://b.example"
    assert page.title == "One two"
    assert page.canonical == "/c#f"
    assert ("robots", "NoIndex") in page.robots
    assert page.links == [
        Link("a", site + "/dir/x?a=1", "a b c", True),
        Link("a", site + "/i", "text", False, True, site + "/dir/p.png", "one two"),
        Link("a", site + "/j", "text", False, True, None, ""),
        Link("area", site + "/m", "al t", False),
        Link("a", site + "/svg", "svg", False),
        Link("a", site + "/n", "n", False),
    ]
    assert [link.anchor for link in page.links] == ["a b c", "one two", "text", "al t", "svg", "n"]


def test_words_do_not_join_where_a_browser_sets_them_apart() -> None:
    page = _page(
        "<a href=/>one<br>two<div>three</div>four<p>five<ul><li>six<li>seven</ul>eight"
        "<b>nine</b><span>ten</span></a>"
    )
    assert [link.text for link in page.links] == ["one two three four five six seven eightnineten"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("0; url=http://t.example/x", (0, "http://t.example/x")),
        ("5;URL='/a b' c", (5, "/a b")),
        (" 1 , url = x", (1, "x")),
        ("10.9;x", (10, "x")),
        (".5;x", (0, "x")),
        ("0 url=x", (0, "x")),
        ("3", (3, None)),
        ("3;", (3, None)),
        ("0;urls", (0, "urls")),
        ("x; url=y", None),
        ("0x; url=y", None),
        ("; url=y", None),
    ],
)
def test_a_refresh(content: str, said: tuple[int, str | None] | None) -> None:
    """https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps"""
    assert markup.refresh(content) == said


def test_what_counts_of_a_page_beside_its_links() -> None:
    page = _page(
        "<noscript><meta http-equiv=refresh content='0;url=/no'></noscript>"
        "<meta http-equiv=refresh content=wrong><meta http-equiv=Refresh content='1;url=/yes'>"
        "<meta http-equiv=refresh content='2;url=/late'>"
        "<svg><base href=/svg/><title>svg</title></svg><base href=/html/>"
        "<div><template shadowrootmode=open><base href=/shadow/><title>s</title><a href=1>1</a>"
        "</template></div><template><a href=2>2</a></template><title>real</title>"
    )
    assert (page.refresh, page.base, page.title) == (
        "1;url=/yes",
        "https://a.example/html/",
        "real",
    )
    assert [link.target for link in page.links] == ["https://a.example/html/1"]


def test_xhtml_is_read_as_xml_if_it_is_well_formed() -> None:
    text = (
        '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x">'
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>'
        '<script/><a href="/x" rel="nofollow">x&nbsp;&amp;y<br/>z</a><p><a href="/p"/></p>'
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:l="http://www.w3.org/1999/xlink">'
        '<a l:href="/svg">s</a></svg></body></html>'
    )
    page = markup.read(text, PAGE, "utf-8", markup.xml_events(text))
    assert [(link.target, link.text) for link in page.links] == [
        ("https://a.example/x", "x &y z"),
        ("https://a.example/p", ""),
        ("https://a.example/svg", "s"),
    ]
    assert markup.xml_events("<html><p></html>") is None


def html5lib_events(text: str) -> Iterator[Event]:
    """The document's tree as html5lib, the standard's reference in Python, makes it."""

    def walk(node: Element) -> Iterator[Event]:
        namespace, _, name = node.tag.rpartition("}")
        foreign = namespace + "}" != HTML_NAMESPACE
        attrs = {key: value for key, value in node.attrib.items() if isinstance(key, str)}
        yield Event(f"foreign:{name}" if foreign else name, attrs)
        if name != "template":
            yield Event(text=node.text or "")
            for child in node:
                if isinstance(child.tag, str):
                    yield from walk(child)
                yield Event(text=child.tail or "")
        yield Event()

    yield from walk(html5lib.parse(text))


@pytest.mark.filterwarnings("ignore::html5lib.constants.DataLossWarning")
def test_two_parsers_of_html_see_the_same_page(shared: Path) -> None:
    pages = []
    with (shared / "warc" / "recipe-pages-first.warc.gz").open("rb") as stream:
        for record in ArchiveIterator(stream):
            if record.rec_type == "response":
                url = record.rec_headers.get_header("WARC-Target-URI")
                pages.append((url, record.content_stream().read()))
    for url, body in random.Random(20261123).sample(pages, 12):
        text, codec = encoding.decode(body, "utf-8")
        assert markup.read(text, url, codec) == markup.read(
            text, url, codec, html5lib_events(text)
        ), url


# History


_offsets = count()


def _visit(day: int, outcome: str, *targets: str, url: str = PAGE, **more: str) -> Visit:
    links = tuple(Link("a", target, "x", False) for target in targets)
    return Visit(
        url=url,
        at=DAY + timedelta(days=day),
        outcome=outcome,
        links=links,
        canonical=more.get("canonical"),
        redirect=more.get("redirect"),
        digest=more.get("digest"),
        refers_to=more.get("refers_to"),
        offset=next(_offsets),
    )


def _told(history: History) -> list[tuple[str, str, int, int | None, str | None, int]]:
    """(source, target, day found, day lost, reason, day first seen) of all stretches."""
    return sorted(
        (
            key.source,
            key.target,
            (stretch.found_at - DAY).days,
            (stretch.lost_at - DAY).days if stretch.lost_at else None,
            stretch.reason,
            (stretch.first_seen - DAY).days,
        )
        for key, stretches in history.links.items()
        for stretch in stretches
    )


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (_visit(1, "ok"), "link_removed"),
        (_visit(1, "page_not_found"), "page_not_found"),
        (_visit(1, "page_dropped"), "page_dropped"),
        (_visit(1, "redirect", redirect=PAGE + "2"), "redirect"),
        (_visit(1, "broken_redirect"), "broken_redirect"),
        (_visit(1, "noindex", TARGET), "noindex"),
        (_visit(1, "not_canonical", TARGET, canonical=PAGE + "2"), "not_canonical"),
        (_visit(1, "other"), "other"),
    ],
)
def test_a_link_is_lost_for_the_reason_of_its_page(second: Visit, reason: str) -> None:
    history = fold([_visit(0, "ok", TARGET), second])
    assert _told(history) == [(PAGE, TARGET, 0, 1, reason, 0)]


def test_one_failure_is_no_loss_and_two_in_a_row_are() -> None:
    seen, failed = _visit(0, "ok", TARGET), [_visit(day, "failed") for day in (1, 3, 4)]
    history = fold([seen, failed[0], _visit(2, "ok", TARGET), *failed[1:]])
    assert _told(history) == [(PAGE, TARGET, 0, 4, "crawl_error", 0)]
    assert history.pages[PAGE].last_visited == DAY + timedelta(days=4)


def test_a_link_that_comes_back_is_new_and_keeps_its_first_seen() -> None:
    history = fold([_visit(0, "ok", TARGET), _visit(1, "ok"), _visit(2, "ok", TARGET)])
    assert _told(history) == [
        (PAGE, TARGET, 0, 1, "link_removed", 0),
        (PAGE, TARGET, 2, None, None, 0),
    ]


def test_a_revisit_confirms_the_content_it_names() -> None:
    first, second = _visit(0, "ok", TARGET, digest="1"), _visit(1, "ok", digest="2")
    again = _visit(2, "unchanged", digest="1", refers_to=PAGE)
    unknown = _visit(3, "unchanged", digest="3", refers_to=PAGE)
    assert _told(fold([first, second, again, unknown])) == [
        (PAGE, TARGET, 0, 1, "link_removed", 0),
        (PAGE, TARGET, 2, None, None, 0),
    ]
    other = _visit(4, "unchanged", digest="1", refers_to=PAGE, url=PAGE + "2")
    assert (PAGE + "2", TARGET, 4, None, None, 4) in _told(fold([first, second, again, other]))


def test_a_canonical_link_is_live_under_noindex_and_lost_by_a_redirect() -> None:
    visits = [
        _visit(0, "not_canonical", canonical=TARGET),
        _visit(1, "noindex", canonical=TARGET),
        _visit(2, "redirect", redirect=PAGE + "2"),
    ]
    assert _told(fold(visits)) == [(PAGE, TARGET, 0, 2, "redirect", 0)]


def test_a_chain_lives_while_all_its_hops_do() -> None:
    """A to A2 (same domain) to B to C; the last hop ends on day 5, B alone for its reason."""
    b, c = TARGET, "https://c.example/"
    visits = [
        _visit(0, "redirect", redirect=PAGE + "2"),
        _visit(1, "redirect", redirect=b, url=PAGE + "2"),
        _visit(2, "redirect", redirect=c, url=b),
        _visit(5, "page_not_found", url=b),
    ]
    assert _told(fold(visits)) == [
        (PAGE, b, 1, None, None, 1),
        (PAGE, c, 2, 5, "link_removed", 2),
        (PAGE + "2", b, 1, None, None, 1),
        (PAGE + "2", c, 2, 5, "link_removed", 2),
        (b, c, 2, 5, "page_not_found", 2),
    ]


def test_several_elements_to_one_url_are_one_backlink() -> None:
    links = (
        Link("a", TARGET, "", True),
        Link("a", TARGET, "", True, True, "https://a.example/i.png", ""),
        Link("a", TARGET, "second", False),
        Link("a", PAGE + "2", "inside", False),
    )
    (row,) = answers.live(fold([Visit(PAGE, DAY, "ok", links=links)]))
    assert row.key == Key(PAGE, TARGET, "href")
    assert (row.link.anchor, row.link.image, row.link.nofollow) == ("", True, False)


def test_metrics_are_counted_by_host_and_address() -> None:
    link = (Link("a", TARGET, "x", False),)
    visits = [
        Visit("https://a.example/1", DAY, "ok", ip="10.0.0.1", links=link),
        Visit("https://a.example/2", DAY, "ok", ip="10.0.0.2", links=link),
        Visit("https://x.school.edu/", DAY, "ok", ip="10.0.1.2", links=link),
    ]
    targets = answers.by_target(answers.live(fold(visits)))
    assert answers.metrics(targets[Target("host", "b.example")]) == {
        "backlinks": 3,
        "refdomains": 2,
        "subnets": 2,
        "ips": 3,
        "nofollow_backlinks": 0,
        "dofollow_backlinks": 3,
        "edu_backlinks": 1,
        "gov_backlinks": 0,
    }
    assert ("domain", "example") in targets


# What came and went


def _named(day: int) -> date:
    return (DAY + timedelta(days=day)).date()


def _rows(*visits: Visit) -> list[answers.Row]:
    targets = answers.by_target(answers.stretches(fold(sorted(visits, key=lambda v: v.at))))
    return targets[Target("host", "b.example")]


RANKS = Ranks({PAGE: 7}, {"a.example": 9})
ALWAYS = Days(date.min, date.max)


def test_events_of_a_link_that_goes_and_comes_back() -> None:
    rows = _rows(_visit(0, "ok", TARGET), _visit(2, "ok"), _visit(4, "ok", TARGET))
    told = events.new_lost_backlinks(rows, ALWAYS, None, "new_lost_date", RANKS)
    names = ("new_lost_date", "new_lost_type", "reason_lost", "first_seen", "inlink_rank")
    assert [tuple(row[name] for name in names) for row in told] == [
        ("2026-01-05", "new", "", "2026-01-01", 7),
        ("2026-01-03", "lost", "link_removed", "2026-01-01", 7),
        ("2026-01-01", "new", "", "2026-01-01", 7),
    ]
    assert events.backlinks_count(rows, Days(_named(1), _named(4)), "new") == [
        {"date": "2026-01-02", "new": 0, "lost": 0},
        {"date": "2026-01-03", "new": 0, "lost": 0},
        {"date": "2026-01-04", "new": 0, "lost": 0},
        {"date": "2026-01-05", "new": 1, "lost": 0},
    ]
    live = [len(events.live_at_end_of(rows, _named(day))) for day in range(-1, 6)]
    assert live == [0, 1, 1, 0, 0, 1, 1]


def test_among_the_events_of_a_day_the_new_come_first_then_the_order_is_that_of_keys() -> None:
    """``b.example/`` stands before ``b.example/2``, ``a.example`` before ``z.a.example``."""
    page = "https://z.a.example/"
    visits = [
        _visit(0, "ok", TARGET, url=page),
        _visit(1, "ok", TARGET + "2", url=page),
        _visit(1, "ok", TARGET + "2", TARGET),
    ]
    told = events.new_lost_backlinks(_rows(*visits), ALWAYS, None, "new_lost_date", RANKS)
    assert [(row["new_lost_type"], row["url_from"], row["url_to"]) for row in told] == [
        ("new", PAGE, TARGET),
        ("new", PAGE, TARGET + "2"),
        ("new", page, TARGET + "2"),
        ("lost", page, TARGET),
        ("new", page, TARGET),
    ]


@pytest.mark.parametrize(
    ("stretches", "told"),
    [
        ([(0, 3), (3, None)], [(0, "new", 1)]),
        ([(0, 3), (4, None)], [(0, "new", 1), (3, "lost", 1), (4, "new", 1)]),
        ([(0, 5), (2, 3)], [(0, "new", 2), (5, "lost", 2)]),
        ([(1, 1)], [(1, "lost", 1), (1, "new", 1)]),
        ([(0, 1), (1, 2), (2, 4)], [(0, "new", 3), (4, "lost", 3)]),
        ([(0, None), (2, 3)], [(0, "new", 1)]),
    ],
)
def test_a_referring_domain_is_there_while_its_links_share_days(
    stretches: list[tuple[int, int | None]], told: list[tuple[int, str, int]]
) -> None:
    """Each stretch is that of a link from another page of one host."""
    rows = []
    for number, (found, lost) in enumerate(stretches):
        times = [None if day is None else DAY + timedelta(days=day) for day in (found, lost)]
        assert times[0]
        link = Stretch(times[0], times[0], "a", lost_at=times[1])
        key = Key(f"{PAGE}{number}", TARGET, "href")
        rows.append(answers.Row(key, link, State(DAY)))
    listed = events.new_lost_refdomains(rows, ALWAYS, None, "new_lost_date", RANKS)
    assert {row["domain_inlink_rank"] for row in listed} == {9}
    assert (
        sorted(
            (
                (date.fromisoformat(row["new_lost_date"]) - DAY.date()).days,
                row["new_lost_type"],
                row["backlinks"],
            )
            for row in listed
        )
        == told
    )


def test_what_a_lost_referring_domain_had_is_counted_once_for_each_link() -> None:
    """A link that came and went twice, follow at first, nofollow at last."""
    key, page = Key(PAGE, TARGET, "href"), State(DAY)
    days = [DAY + timedelta(days=day) for day in range(3)]
    first = Stretch(days[0], days[0], "a", lost_at=days[1])
    again = Stretch(days[1], days[0], "a", nofollow=True, lost_at=days[2])
    rows = [answers.Row(key, link, page) for link in (first, again)]
    new, lost = sorted(
        events.new_lost_refdomains(rows, ALWAYS, None, "new_lost_date", RANKS),
        key=lambda row: str(row["new_lost_date"]),
    )
    assert (new["new_lost_date"], lost["new_lost_date"]) == ("2026-01-01", "2026-01-03")
    for row in (new, lost):
        assert (row["backlinks"], row["dofollow_backlinks"]) == (1, 0)
        assert row["first_seen"] == "2026-01-01"


def test_filters_select_among_the_elements() -> None:
    page = State(DAY)
    rows = [
        answers.Row(Key(f"https://{number}.a.example/", TARGET, link_type), link, page)
        for number, (link_type, link) in enumerate(
            [
                ("href", Stretch(DAY, DAY, "a", "text")),
                ("href", Stretch(DAY, DAY, "area", nofollow=True, image=True)),
                ("href", Stretch(DAY, DAY, "canonical")),
                ("redirect", Stretch(DAY, DAY, "location", nofollow=True)),
            ]
        )
    ]

    def kept(**filters: str) -> list[int]:
        return [rows.index(row) for row in events.selected(rows, filters)]

    assert kept(link_type="href") == [0, 1, 2]
    assert [kept(anchor_type=kind) for kind in ("text", "image", "undefined")] == [[0], [1], [2, 3]]
    follow = [kept(dofollow=kind) for kind in ("dofollow", "nofollow", "undefined")]
    assert follow == [[0], [1], [2, 3]]
    assert kept(url_from="a.example") == [0, 1, 2, 3]
    assert kept(url_from="1.a.example", dofollow="nofollow") == [1]
    assert kept(url_from="example.a") == kept(url_from="xample") == []


def test_lists_group_links_by_text_page_and_address() -> None:
    b2 = TARGET + "2"
    home = [Link("a", TARGET, "x", False), Link("a", b2, "", True)]
    visits = [
        Visit("https://a.example/", DAY, "ok", ip="10.0.0.9", links=tuple(home)),
        Visit("https://www.a.example/?", DAY, "ok", ip="10.0.0.10", links=(home[0],)),
        Visit("https://c.edu/1", DAY, "ok", links=(Link("a", TARGET, "x", False, True),)),
    ]
    rows = _rows(*visits)
    ranks = Ranks({TARGET: 3, b2: 5, "https://b.example.c.example/": 99}, {"a.example": 9})
    counted = {"first_seen": "2026-01-01"}
    assert answers.anchors(rows) == [
        {
            "anchor": "x",
            "backlinks": 3,
            "refdomains": 3,
            "dofollow_backlinks": 3,
            "nofollow_backlinks": 0,
            **counted,
        },
        {
            "anchor": "",
            "backlinks": 1,
            "refdomains": 1,
            "dofollow_backlinks": 0,
            "nofollow_backlinks": 1,
            **counted,
        },
    ]
    assert [(row["url"], row["refdomains"]) for row in answers.pages(rows)] == [
        (TARGET, 3),
        (b2, 1),
    ]
    assert [(row["ip"], row["backlinks"]) for row in answers.ips(rows, "refdomains")] == [
        ("10.0.0.9", 2),
        ("10.0.0.10", 1),
    ]
    assert answers.histogram(rows, ranks, "host") == [
        {"domain_inlink_rank": 9, "refdomains": 2},
        {"domain_inlink_rank": -1, "refdomains": 1},
    ]
    assert answers.histogram(rows, ranks, "domain")[0] == {"domain_inlink_rank": 9, "refdomains": 1}
    countries = {"10.0.0.9": "DE", "10.0.0.10": "DE"}
    summary = answers.summary(rows, Target("host", "b.example"), ranks, countries.get)
    said = {name: value for name, value in summary.items() if type(value) is int}
    assert said == {
        **answers.metrics(rows),
        "inlink_rank": 3,
        "domain_inlink_rank": -1,
        "anchors": 2,
        "dofollow_anchors": 1,
        "from_home_page_backlinks": 2,
        "dofollow_from_home_page_backlinks": 1,
        "from_home_page_refdomains": 1,
        "text_backlinks": 3,
        "dofollow_refdomains": 3,
        "edu_refdomains": 1,
        "gov_refdomains": 0,
        "pages_with_backlinks": 2,
    }
    assert summary["top_anchors_by_backlinks"][0] == {"anchor": "x", "backlinks": 3}
    assert summary["top_pages_by_refdomains"][1] == {"url": b2, "refdomains": 1}
    assert summary["top_tlds"] == [{"tld": "example", "count": 2}, {"tld": "edu", "count": 1}]
    assert summary["top_countries"] == [{"country": "de", "count": 2}]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://u:p@www.example.com:8443/p?q", "com,example,www):8443/p?q https u:p"),
        ("http://example.com./", "com,example,)/ http"),
        ("http://192.0.2.1/", "192.0.2.1)/ http"),
        ("https://[2001:db8::1]/?", "[2001:db8::1])/? https"),
        ("http://a..b!/", "b%21,%,a)/ http"),
    ],
)
def test_the_order_of_urls_is_that_of_their_keys(url: str, key: str) -> None:
    assert urls.order_key(url) == key


# The crawls


@pytest.mark.parametrize("name", ["dolma-sample-0000", "pywb-iana", "resiliparse-warcfile"])
def test_counts_of_the_crawls_are_near_those_of_their_index(shared: Path, name: str) -> None:
    """INDEX.md counts with another extractor, which it says differs by a few per cent."""
    row = next(
        line
        for line in (shared / "INDEX.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| " + re.sub(r"000\d", "000{0,1}", name))
    )
    pages, links = (int(row.split("|")[column].replace(",", "")) for column in (3, 5))
    visits = records.read(shared / "warc" / f"{name}.warc.gz")
    if name.startswith("dolma"):
        visits += records.read(shared / "warc" / "dolma-sample-0001.warc.gz")
    html = [visit for visit in visits if visit.outcome in ("ok", "noindex", "not_canonical")]
    assert len(html) == pages
    assert sum(len(visit.links) for visit in html) == pytest.approx(links, rel=0.05)
