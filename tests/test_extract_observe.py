"""What a visit saw, rule by rule (``docs/data-model.md``), from WARC files that warcio writes."""

import base64
import datetime as dt
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from inlink.contract.outcomes import is_same_page
from inlink.store.configuration import Settings
from tests.crawl_files import HTML, CrawlFile, observe, observe_page

PAGE = "https://page.example/dir/page"


@pytest.mark.parametrize(
    ("status", "headers", "body", "outcome"),
    [
        ("200 OK", HTML, "<p>", "ok"),
        ("200", HTML, "<p>", "ok"),
        ("200 OK", [("Content-Type", "APPLICATION/xhtml+xml")], "<p>", "ok"),
        ("200 OK", [], "<!doctype html>", "ok"),
        ("200 OK", [("Content-Type", "")], " <html>", "ok"),
        ("200 OK", [], "plain text", "other"),
        ("200 OK", [("Content-Type", "text/plain")], "<html>", "other"),
        ("204 No Content", HTML, "", "other"),
        ("206 Partial Content", HTML, "<p>", "other"),
        ("100 Continue", [], "", "other"),
        ("200 OK", HTML, "<meta name=robots content=noindex>", "noindex"),
        ("200 OK", HTML, "<meta name=ROBOTS content='follow, NONE'>", "noindex"),
        ("200 OK", HTML, "<meta name=inlinkbot content=noindex>", "noindex"),
        ("200 OK", HTML, "<meta name=googlebot content=noindex>", "ok"),
        ("200 OK", [*HTML, ("X-Robots-Tag", "noindex")], "<p>", "noindex"),
        ("200 OK", [*HTML, ("X-Robots-Tag", "otherbot: noindex")], "<p>", "ok"),
        ("200 OK", HTML, "<meta name=robots content=nofollow>", "ok"),
        ("200 OK", HTML, "<link rel=canonical href=other>", "not_canonical"),
        ("200 OK", HTML, "<link rel=canonical href=page>", "ok"),
        ("200 OK", HTML, "<link rel=canonical href=http://www.page.example/dir/page/>", "ok"),
        ("200 OK", HTML, "<link rel=canonical href=''>", "ok"),
        ("200 OK", HTML, "<link rel=canonical href=mailto:x>", "ok"),
        ("200 OK", [*HTML, ("Link", "</else>; rel=canonical")], "<p>", "not_canonical"),
        ("200 OK", [*HTML, ("Link", "</else>; rel=canonical")],
         "<link rel=canonical href=page>", "ok"),
        ("200 OK", [("Content-Type", "text/plain"), *HTML], "<p>", "ok"),
        ("200 OK", [*HTML, ("Content-Type", "text/plain")], "<p>", "other"),
        ("200 OK", [("Content-Type", "text/html, text/plain")], "<p>", "other"),
        ("200 OK", [*HTML, ("Content-Type", "text;html")], "<p>", "ok"),
        ("200 OK", HTML, "<meta name=robots content='unavailable_after: 2026-01-01'>", "noindex"),
        ("200 OK", HTML, "<meta name=robots content='unavailable_after: 2026-02-01'>", "ok"),
        ("200 OK", HTML, "<meta name=googlebot content='unavailable_after: 2026-01-01'>", "ok"),
        ("200 OK", [*HTML, ("X-Robots-Tag", "unavailable_after: 2 Jan 2026 03:04:05 GMT")], "",
         "noindex"),
        ("200 OK", [*HTML, ("X-Robots-Tag", "unavailable_after: 2 Jan 2026 03:04:06 GMT")], "",
         "ok"),
        ("200 OK", HTML, "<meta http-equiv=refresh content='10.9; url=/new'>", "redirect"),
        ("200 OK", HTML, "<meta http-equiv=refresh content='11; url=/new'>", "ok"),
        ("200 OK", HTML, "<meta http-equiv=refresh content=5>", "ok"),
        ("200 OK", HTML, "<meta http-equiv=refresh content='0; url=page#top'>", "ok"),
        ("200 OK", HTML, "<meta http-equiv=refresh content='0; url=PAGE'>", "redirect"),
        ("200 OK", HTML, "<meta http-equiv=refresh content='0; url=mailto:x'>", "ok"),
        ("200 OK", HTML, "<meta name=robots content=noindex>"
         "<meta http-equiv=refresh content='0; url=/new'>", "redirect"),
        ("200 OK", HTML, "<link rel=canonical href=/c>"
         "<meta http-equiv=refresh content='0; url=/new'>", "redirect"),
        ("200 OK", [*HTML, ("Refresh", "0; url=/new")], "", "redirect"),
        ("200 OK", [*HTML, ("Refresh", "11; url=/new")], "", "ok"),
        ("200 OK", [("Content-Type", "image/png"), ("Refresh", "0; url=/new")], "", "other"),
        ("404 Not Found", [*HTML, ("Refresh", "0; url=/new")], "", "page_not_found"),
        ("404 Not Found", HTML, "<meta http-equiv=refresh content='0; url=/new'>",
         "page_not_found"),
        ("301 Moved", [("Location", "/new")], "", "redirect"),
        ("302 Found", [("location", "//other.example")], "", "redirect"),
        ("303 See Other", [("Location", "x")], "", "redirect"),
        ("307 Temporary", [("Location", "x")], "", "redirect"),
        ("308 Permanent", [("Location", "x")], "", "redirect"),
        ("301 Moved", [], "", "broken_redirect"),
        ("301 Moved", [("Location", "")], "", "broken_redirect"),
        ("301 Moved", [("Location", "ftp://x.example/")], "", "broken_redirect"),
        ("300 Multiple Choices", [("Location", "x")], "", "broken_redirect"),
        ("304 Not Modified", [], "", "unchanged"),
        ("404 Not Found", HTML, "<p>", "page_not_found"),
        ("410 Gone", HTML, "<p>", "page_not_found"),
        ("403 Forbidden", HTML, "<p>", "failed"),
        ("500 Oops", HTML, "<p>", "failed"),
        ("999 Denied", HTML, "<p>", "failed"),
    ],
)  # fmt: skip
def test_outcomes_of_responses(
    tmp_path: Path, status: str, headers: Any, body: str, outcome: str
) -> None:
    seen = observe_page(body, tmp_path, PAGE, status=status, headers=headers)
    assert seen.visit["outcome"] == outcome
    assert seen.visit["status"] == int(status[:3])


@pytest.mark.parametrize(
    ("fields", "outcome", "failure"),
    [
        ("fetchError: dns\r\n", "failed", "dns"),
        ("via: x\r\nfetchError: Timeout after 30 s\r\n", "failed", "timeout"),
        ("fetch-error: refused", "failed", "refused"),
        ("fetch_error: tls\r\n", "failed", "tls"),
        ("FetchFailure: reset\r\n", "failed", "reset"),
        ("fetchError:\r\n", "failed", "unknown"),
        ("fetchError: robots\r\n", "page_dropped", "robots"),
        ("fetchError: blocked\r\n", "page_dropped", "blocked"),
        ("fetchError: excluded by the operator\r\n", "page_dropped", "excluded"),
    ],
)
def test_metadata_records_that_report_a_failed_fetch(
    tmp_path: Path, fields: str, outcome: str, failure: str
) -> None:
    visit = observe(CrawlFile().failure(PAGE, fields), tmp_path).visit
    assert (visit["outcome"], visit["failure"]) == (outcome, failure)
    assert visit["status"] is None
    assert visit["visited_at"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def test_other_records_are_no_visits(tmp_path: Path) -> None:
    file = CrawlFile()
    file.failure(PAGE, "via: http://x.example/\r\nhopsFromSeed: L\r\nfetchTimeMs: 20\r\n")
    file.failure("dns:page.example", "fetchError: dns\r\n")
    file.record("warcinfo", "", b"software: x\r\n", content_type="application/warc-fields")
    file.record("request", PAGE, b"GET / HTTP/1.1\r\n\r\n", content_type="application/http")
    file.record("conversion", PAGE, b"text", content_type="text/plain")
    file.record("continuation", PAGE, b"<p>", content_type="application/http")
    file.record("response", "dns:page.example", b"20260101\n", content_type="text/dns")
    file.record("resource", "ftp://page.example/x", b"<p>", content_type="text/html")
    file.record("resource", "urn:pageinfo:x", b"<p>", content_type="text/html")
    file.record("metadata", PAGE, b"{}", content_type="application/json")
    seen = observe(file, tmp_path)
    assert seen.visits == []
    assert seen.batch.records == {
        "warcinfo": 1, "request": 1, "conversion": 1, "continuation": 1, "response": 1,
        "resource": 2, "metadata": 3,
    }  # fmt: skip
    assert seen.batch.problems == {}


def test_a_resource_record_is_a_page_of_status_200(tmp_path: Path) -> None:
    file = CrawlFile()
    file.record("resource", PAGE, b"<a href=/x>there</a>", content_type="text/html")
    seen = observe(file, tmp_path)
    assert (seen.visit["outcome"], seen.visit["status"]) == ("ok", 200)
    assert seen.links_of(seen.visit) == [("a", "https://page.example/x", "there")]


def test_revisits(tmp_path: Path) -> None:
    file = CrawlFile()
    file.record("revisit", f"{PAGE}/1")
    file.record("revisit", f"{PAGE}/2", warc={"WARC-Refers-To-Target-URI": "http://a.example#x"})
    file.record("revisit", f"{PAGE}/3", b"HTTP/1.1 200 OK\r\n\r\n",
                content_type="application/http")  # fmt: skip
    file.record("revisit", f"{PAGE}/4", b"HTTP/1.1 301 Moved\r\nLocation: /new\r\n\r\n",
                content_type="application/http")  # fmt: skip
    seen = observe(file, tmp_path)
    assert [(visit["outcome"], visit["status"]) for visit in seen.visits] == [
        ("unchanged", None), ("unchanged", None), ("unchanged", 200), ("redirect", 301),
    ]  # fmt: skip
    refers_to = [seen.urls.get(visit["refers_to_id"]) for visit in seen.visits]
    assert refers_to == [f"{PAGE}/1", "http://a.example/", f"{PAGE}/3", None]


def test_every_column_of_a_visit(tmp_path: Path) -> None:
    file = CrawlFile().response(PAGE, "x")
    headers = [
        ("Content-Type", "Text/HTML; charset=utf-8"),
        ("X-Robots-Tag", "NoArchive"),
        ("ETag", 'W/"1-a"'),
        ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ]
    body = """<title> A  title </title><base href=/base/><meta name=robots content=nofollow>
        <link rel=canonical href=/canonical><a href=x>y</a>"""
    warc = {
        "WARC-IP-Address": "2001:DB8::1",
        "WARC-Date": "2026-01-02T03:04:05.678901Z",
    }
    file.response("<HTTPS://Page.example:443/a b#c>", body, headers=headers, warc=warc)
    seen = observe(file, tmp_path)
    visit = seen.visits[1]
    digest = base64.b32encode(hashlib.sha1(body.encode()).digest()).decode()
    assert seen.urls[visit.pop("url_id")] == "https://page.example/a%20b"
    assert visit.pop("visit_id") != visit.pop("domain_id")
    assert visit == {
        "visited_at": dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC),
        "outcome": "not_canonical",
        "status": 200,
        "failure": None,
        "ip": "2001:db8::1",
        "content_type": "text/html",
        "title": "A title",
        "robots": "nofollow, noarchive",
        "canonical_url": "https://page.example/canonical",
        "base_url": "https://page.example/base/",
        "base_reference": "/base/",
        "redirect_url": None,
        "original_url": "HTTPS://Page.example:443/a b#c",
        "payload_digest": f"sha1:{digest}",
        "etag": 'W/"1-a"',
        "last_modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        "refers_to_id": None,
        "unavailable_after": None,
        "complete": True,
        "file": "crawl.warc.gz",
        "offset": file.offsets[1],
    }


def test_a_validator_that_could_not_be_sent_back_is_left_out(tmp_path: Path) -> None:
    headers = [("Content-Type", "text/html"), ("ETag", f'"{"x" * 1023}"'), ("Last-Modified", "")]
    seen = observe_page("x", tmp_path, headers=headers)
    assert (seen.visit["etag"], seen.visit["last_modified"]) == (None, None)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-01-02T03:04:05+02:00", dt.datetime(2026, 1, 2, 1, 4, 5, tzinfo=dt.UTC)),
        ("2026-01-02T03:04:05.123456789Z", dt.datetime(2026, 1, 2, 3, 4, 5, 123456, dt.UTC)),
        ("2026-01-02", dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
        ("2026-02", dt.datetime(2026, 2, 1, tzinfo=dt.UTC)),
        ("2026", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        ("20260102030405", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        # ClueWeb09 has the day of the year; 2008 was a leap year: the 294th is 20 October.
        ("2008-10-294T05:21:46-0700", dt.datetime(2008, 10, 20, 12, 21, 46, tzinfo=dt.UTC)),
        ("yesterday", None),
        ("2026-13-01T00:00:00Z", None),
    ],
)
def test_dates(tmp_path: Path, date: str, expected: dt.datetime | None) -> None:
    seen = observe(CrawlFile().response(PAGE, "x", warc={"WARC-Date": date}), tmp_path)
    assert [visit["visited_at"] for visit in seen.visits] == [expected] * (expected is not None)
    assert seen.batch.problems == ({} if expected else {"record_date": 1})


def test_links_in_the_order_of_the_page(tmp_path: Path) -> None:
    seen = observe_page(
        """<link rel=canonical href=http://other.example/>
        <a href="/one" rel="nofollow ugc">1</a> <a href=mailto:x@y.example>no</a>
        <a href="two?a=1&b=2#part"><img src=../i.png alt=" two  "></a>
        <map><area href=//three.example alt=3></map> <a href="javascript:x()">no</a>
        <a href="#top">up</a> <a href=two?a=1&b=2><img src=data:x,y></a>""",
        tmp_path,
        PAGE,
    )
    columns = ("position", "element", "anchor", "rel", "nofollow", "image", "image_source", "alt")
    rows = [
        (seen.urls[link["target_id"]], *(link[name] for name in columns)) for link in seen.links
    ]
    two, image = "https://page.example/dir/two?a=1&b=2", "https://page.example/i.png"
    assert rows == [
        ("http://other.example/", -1, "canonical", "", "canonical", False, False, None, None),
        ("https://page.example/one", 0, "a", "1", "nofollow ugc", True, False, None, None),
        (two, 1, "a", "", "", False, True, image, "two"),
        ("https://three.example/", 2, "area", "3", "", False, False, None, None),
        (PAGE, 3, "a", "up", "", False, False, None, None),
        (two, 4, "a", "", "", False, True, None, None),
    ]


def test_nofollow_for_the_whole_page(tmp_path: Path) -> None:
    for number, content in enumerate(("nofollow", "none", "NOINDEX, NoFollow")):
        directory = tmp_path / str(number)
        directory.mkdir()
        page = f"<meta name=robots content='{content}'><a href=x>x</a><a href=y rel=me>y</a>"
        assert all(link["nofollow"] for link in observe_page(page, directory).links)


def test_redirects(tmp_path: Path) -> None:
    body = "<title>Moved</title><a href=/new>here</a>"
    seen = observe_page(body, tmp_path, PAGE, status="301 Moved",
                        headers=[*HTML, ("Location", "../new#x")])  # fmt: skip
    assert seen.visit["redirect_url"] == "https://page.example/new"
    assert seen.links_of(seen.visit) == [
        ("location", "https://page.example/new", ""),
        ("a", "https://page.example/new", "here"),
    ]


ZERO = "<meta http-equiv=refresh content='0; url=new'>"


@pytest.mark.parametrize(
    ("headers", "body", "element", "target", "reference"),
    [
        ([], ZERO, "refresh", "https://page.example/dir/new", "new"),
        ([], f"<base href=/b/>{ZERO}", "refresh", "https://page.example/b/new", "new"),
        ([], f"<base href=http://b.example/>{ZERO}", "refresh", "http://b.example/new", None),
        ([], ZERO.replace("new", "http://b.example/"), "refresh", "http://b.example/", None),
        ([], ZERO + ZERO.replace("new", "other"), "refresh", "https://page.example/dir/new", "new"),
        ([("Refresh", "0;url=x")], ZERO, "refresh", "https://page.example/dir/x", "x"),
        ([("Refresh", "0;url=x")], f"<base href=/b/>{ZERO}", "refresh",
         "https://page.example/dir/x", None),
        ([("Refresh", "0;url=//r.example")], "", "refresh", "https://r.example/", "//r.example"),
        ([("Refresh", "30;url=x")], ZERO, None, None, None),  # the first alone is obeyed
        ([], ZERO.replace("0;", "30;") + ZERO, None, None, None),
    ],
)  # fmt: skip
def test_refreshes(
    tmp_path: Path, headers: Any, body: str, element: str | None, target: str, reference: str
) -> None:
    """https://html.spec.whatwg.org/#shared-declarative-refresh-steps; the grammar: test_browser."""
    seen = observe_page(body, tmp_path, PAGE, headers=[*HTML, *headers])
    assert seen.visit["redirect_url"] == target
    assert [
        (link["element"], seen.urls[link["target_id"]], link["position"], link["reference"])
        for link in seen.links
    ] == ([(element, target, -1, reference)] if element else [])


def test_a_location_comes_before_a_refresh(tmp_path: Path) -> None:
    headers = [*HTML, ("Location", "/new"), ("Refresh", "0;url=/other")]
    seen = observe_page(ZERO, tmp_path, PAGE, status="302 Found", headers=headers)
    assert seen.visit["redirect_url"] == "https://page.example/new"
    assert seen.links_of(seen.visit) == [("location", "https://page.example/new", "")]


def test_a_page_that_sends_away_keeps_what_else_it_says(tmp_path: Path) -> None:
    body = f"<title>t</title><link rel=canonical href=/c>{ZERO}<a href=x>x</a>"
    seen = observe_page(body, tmp_path, PAGE)
    assert seen.visit["title"] == "t"
    assert [link[0] for link in seen.links_of(seen.visit)] == ["canonical", "refresh", "a"]


def test_what_a_wat_file_says_of_refreshes_and_relations(tmp_path: Path) -> None:
    html = {
        "Head": {"Metas": [{"http-equiv": "Refresh", "content": "0;url=new"}]},
        "Links": [{"path": "A@/href", "url": "x", "rel": "UGC,NoFollow"}],
    }
    response = {"Response-Message": {"Status": "200"}, "Headers": {"Content-Type": "text/html"},
                "HTML-Metadata": html}  # fmt: skip
    envelope = {
        "WARC-Header-Metadata": {"WARC-Type": "response", "WARC-Target-URI": PAGE,
                                 "WARC-Date": "2026-01-02T03:04:05Z"},
        "Payload-Metadata": {"HTTP-Response-Metadata": response},
    }  # fmt: skip
    entry = json.dumps({"Envelope": envelope}).encode()
    seen = observe(CrawlFile().record("metadata", PAGE, entry, content_type="application/json"),
                   tmp_path)  # fmt: skip
    assert seen.visit["redirect_url"] == "https://page.example/dir/new"
    assert [(link["element"], link["rel"], link["nofollow"]) for link in seen.links] == [
        ("refresh", "", False),
        ("a", "ugc nofollow", True),
    ]


@pytest.mark.parametrize(
    ("body", "headers", "title", "targets"),
    [
        # An empty title, and a script that hides nothing: XML 1.0, 3.1.
        ("{root}<head><title/></head><a href='x'/></html>", "", "", ["x"]),
        # Not well-formed, and so read as HTML: a tag too many, an entity that XML does not know.
        ("{root}<head><title>t</title></head><p><a href='x'/></html>", "", "t", ["x"]),
        ("{root}<head><title>&nbsp;t</title></head><a href='x'/></html>", "", "t", ["x"]),
        # The encoding: XML 1.0, 4.3.3, and RFC 7303, 3.2. What "meta" says is nothing to XML.
        ("<?xml version='1.0' encoding='koi8-r'?>{root}<title>\xf1</title></html>", "", "Я", []),
        ("<?xml version='1.0' encoding='koi8-r'?>{root}<title>\xdf</title></html>",
         "; charset=windows-1251", "Я", []),
        ("{root}<meta charset='koi8-r'/><title>\xd0\xaf</title></html>", "", "Я", []),
        # Bytes wrong in it are a fatal error: so HTML, by its rules for encodings.
        ("{root}<meta charset='koi8-r'/><title>\xf1</title></html>", "", "Я", []),
    ],
)  # fmt: skip
def test_xhtml(tmp_path: Path, body: str, headers: str, title: str, targets: list[str]) -> None:
    """What a browser shows of it is in ``test_extract_browser``."""
    content = body.format(root='<html xmlns="http://www.w3.org/1999/xhtml">').encode("latin-1")
    said = [("Content-Type", f"application/xhtml+xml{headers}")]
    seen = observe_page(content, tmp_path, "http://a.example/", headers=said)
    assert seen.visit["title"] == title
    assert [link[1] for link in seen.links_of(seen.visit)] == [
        f"http://a.example/{target}" for target in targets
    ]


def test_utf_16_of_xml(tmp_path: Path) -> None:
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><title>Я</title><a href="x"/></html>'
    said = [("Content-Type", "application/xhtml+xml")]
    for number, content in enumerate((
        page.encode("utf-16"),
        f"<?xml version='1.0' encoding='utf-16'?>{page}".encode("utf-16-be"),
        f"<?xml version='1.0' encoding='utf-16'?>{page}".encode("utf-16-le"),
    )):  # fmt: skip
        (directory := tmp_path / str(number)).mkdir()
        seen = observe_page(content, directory, headers=said)
        assert seen.visit["title"] == "Я"
        assert len(seen.links) == 1


@pytest.mark.parametrize(
    ("rel", "nofollow", "written"),
    [
        ("ugc,nofollow", True, "ugc nofollow"),
        ("NoFollow,UGC", True, "nofollow ugc"),
        (" sponsored , nofollow ,", True, "sponsored nofollow"),
        ("nofollow;ugc", False, "nofollow;ugc"),
        ("x-nofollow,nofollowed", False, "x-nofollow nofollowed"),
        (",", False, ""),
    ],
)
def test_relations(tmp_path: Path, rel: str, nofollow: bool, written: str) -> None:
    (link,) = observe_page(f"<a href=x rel='{rel}'>x</a>", tmp_path).links
    assert (link["nofollow"], link["rel"]) == (nofollow, written)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("/b/", "https://page.example/b/x"),
        ("sub/", "https://page.example/dir/sub/x"),
        ("http://cdn.example", "http://cdn.example/x"),
        ("", "https://page.example/dir/x"),
        ("javascript:1", "https://page.example/dir/x"),
        ("data:text/html,x", "https://page.example/dir/x"),
    ],
)
def test_base(tmp_path: Path, base: str, expected: str) -> None:
    seen = observe_page(f"<base href='{base}'><a href=x>x</a>", tmp_path, PAGE)
    assert seen.links_of(seen.visit) == [("a", expected, "x")]


@pytest.mark.parametrize("base", ["ftp://f.example/d/", "mailto:x", "about:blank", "file:///d/"])
def test_a_base_that_is_not_http(tmp_path: Path, base: str) -> None:
    """Relative links lead nowhere that counts (https://html.spec.whatwg.org/#frozen-base-url)."""
    links = "".join(
        f"<a href='{url}'>x</a>" for url in ("x", "/x", "#x", "", "?x", "http://b.example")
    )
    seen = observe_page(f"<base href='{base}'>{links}<img src=i>", tmp_path, PAGE)
    assert seen.visit["base_url"] == base
    assert [link[1] for link in seen.links_of(seen.visit)] == ["http://b.example/"]


def test_the_link_field_is_relative_to_the_page_not_to_base(tmp_path: Path) -> None:
    headers = [*HTML, ("Link", "<c>; rel=canonical")]
    seen = observe_page("<base href=/b/>", tmp_path, PAGE, headers=headers)
    assert seen.visit["canonical_url"] == "https://page.example/dir/c"


def test_queries_are_sent_in_the_encoding_of_the_page(tmp_path: Path) -> None:
    # https://url.spec.whatwg.org/#query-state: é is E9 in windows-1252, and has no €-less Ж.
    body = "<a href='/é?q=é&r=%41Ж#é'>x</a>".encode("cp1252", "xmlcharrefreplace")
    headers = [("Content-Type", "text/html; charset=windows-1252")]
    seen = observe_page(body, tmp_path, PAGE, headers=headers)
    ((_, target, _),) = seen.links_of(seen.visit)
    assert target == "https://page.example/%C3%A9?q=%E9&r=A%26%231046%3B"


def test_parameters_to_drop(tmp_path: Path) -> None:
    settings = Settings(drop_parameters=("utm_*",))
    file = CrawlFile().response(f"{PAGE}?a=1&utm_x=2", "<a href='/x?utm_a=b&c=d'>x</a>")
    seen = observe(file, tmp_path, settings)
    assert sorted(seen.urls.values()) == [f"{PAGE}?a=1", "https://page.example/x?c=d"]


def test_a_cut_record_is_marked(tmp_path: Path) -> None:
    seen = observe_page("<a href=x>x</a>", tmp_path, warc={"WARC-Truncated": "length"})
    assert not seen.visit["complete"]
    assert len(seen.links) == 1


def test_an_encoded_body_is_decoded(tmp_path: Path) -> None:
    headers = [*HTML, ("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")]
    packed = gzip.compress(b"<a href=x>x</a>")
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    assert len(observe_page(body, tmp_path, headers=headers).links) == 1


def test_the_same_visit_has_the_same_id_in_any_file(tmp_path: Path) -> None:
    ids = []
    for number, begin in enumerate((CrawlFile(), CrawlFile().response("http://x.example/", "y"))):
        (directory := tmp_path / str(number)).mkdir()
        begin.response(PAGE, "<a href=x>x</a>").write(directory / "crawl.warc.gz")
        ids.append(observe(begin, directory).visits[-1]["visit_id"])
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    "change",
    [
        {"body": "<a href=x>y</a>"},
        {"body": "<a href=y>x</a>"},
        {"status": "404 Not Found"},
        {"warc": {"WARC-Date": "2026-01-02T03:04:06Z"}},
        {"warc": {"WARC-IP-Address": "192.0.2.1"}},
        {"uri": f"{PAGE}2"},
    ],
)
def test_visits_that_differ_have_different_ids(tmp_path: Path, change: dict[str, Any]) -> None:
    ids = []
    none: dict[str, Any] = {}
    for number, options in enumerate((none, change)):
        (directory := tmp_path / str(number)).mkdir()
        record: dict[str, Any] = {"body": "<a href=x>x</a>", "uri": PAGE} | options
        seen = observe(CrawlFile().response(**record), directory)
        ids.append(seen.visit["visit_id"])
    assert ids[0] != ids[1]


def test_the_table_of_urls_has_each_that_is_named_once(tmp_path: Path) -> None:
    file = CrawlFile()
    for number in range(3):
        file.response(f"{PAGE}{number}", "<a href=x>x</a><a href=x>y</a><img src=no>")
    file.record("revisit", f"{PAGE}9", warc={"WARC-Refers-To-Target-URI": "http://a.example/"})
    seen = observe(file, tmp_path)
    named = {link["target_id"] for link in seen.links}
    named |= {visit["url_id"] for visit in seen.visits}
    named |= {visit["refers_to_id"] for visit in seen.visits} - {None}
    assert set(seen.urls) == named
    assert seen.batch.urls == len(named) == 6


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a.example/", "https://www.a.example/", True),
        ("http://a.example/x", "http://a.example/x/", True),
        ("http://a.example/x?q", "http://a.example/x/?q", True),
        ("http://a.example/x", "http://a.example/X", False),
        ("http://a.example/x", "http://a.example/x?", False),
        ("http://a.example/x//", "http://a.example/x", False),
        ("http://a.example/", "http://b.a.example/", False),
        ("http://a.example/x?y/", "http://a.example/x?y", False),
    ],
)
def test_the_same_page(one: str, other: str, same: bool) -> None:
    assert is_same_page(one, other) is same
