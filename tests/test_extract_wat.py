"""WAT files: the same observations as from the WARC files of the same name, as far as they go."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.crawl_files import CrawlFile, Observed, observe

PAIRS = ("dolma-sample-0000", "dolma-sample-0001")


def _links(seen: Observed) -> list[tuple[Any, ...]]:
    pages = {visit["visit_id"]: seen.urls[visit["url_id"]] for visit in seen.visits}
    columns = ("position", "element", "rel", "nofollow")
    return [
        (pages[link["visit_id"]], seen.urls[link["target_id"]], *(link[name] for name in columns))
        for link in seen.links
    ]


@pytest.mark.parametrize("name", PAIRS)
def test_a_wat_file_says_what_its_warc_file_does(shared: Path, tmp_path: Path, name: str) -> None:
    warc = Observed(shared / "warc" / f"{name}.warc.gz", tmp_path / "warc")
    wat = Observed(shared / "wat" / f"derived-{name}.warc.wat.gz", tmp_path / "wat")
    assert _links(wat) == _links(warc)
    assert len(wat.links) > 800
    columns = ("url_id", "visited_at", "outcome", "status", "ip", "content_type", "title",
               "robots", "canonical_url", "base_url", "redirect_url")  # fmt: skip
    for one, other in zip(wat.visits, warc.visits, strict=True):
        assert [one[name] for name in columns] == [other[name] for name in columns]


def test_anchors_agree_where_a_wat_file_has_them(shared: Path, tmp_path: Path) -> None:
    name = PAIRS[0]
    warc = Observed(shared / "warc" / f"{name}.warc.gz", tmp_path / "warc")
    wat = Observed(shared / "wat" / f"derived-{name}.warc.wat.gz", tmp_path / "wat")
    texts = [(one["anchor"], other["anchor"])
             for one, other in zip(wat.links, warc.links, strict=True)]  # fmt: skip
    same = sum(one == other for one, other in texts)
    assert same > 0.98 * len(texts)


def test_excerpts_of_common_crawl(shared: Path, tmp_path: Path) -> None:
    for number in ("", "2", "3", "4"):
        path = shared / "wat" / f"priyanlc-CC-MAIN-sample{number}.warc.wat.gz"
        seen = Observed(path, tmp_path / f"data{number}")
        assert seen.visit["outcome"] == "ok"
        assert len(seen.links) == 670  # as INDEX.md has it
    seen = Observed(shared / "wat" / "whirlwind.warc.wat.gz", tmp_path / "request")
    assert seen.visits == []  # it is of a request record


def _entry(envelope: dict[str, Any]) -> CrawlFile:
    block = json.dumps({"Container": {}, "Envelope": envelope}).encode()
    file = CrawlFile()
    return file.record("metadata", "http://a.example/", block, content_type="application/json")


def _response(status: dict[str, Any], headers: Any, html: Any) -> dict[str, Any]:
    return {
        "WARC-Header-Metadata": {
            "WARC-Type": "response",
            "WARC-Target-URI": "http://a.example/",
            "WARC-Date": "2026-01-02T03:04:05Z",
            "WARC-IP-Address": "192.0.2.1",
        },
        "Payload-Metadata": {
            "HTTP-Response-Metadata": {
                "Response-Message": status,
                "Headers": headers,
                "HTML-Metadata": html,
            }
        },
    }


def test_layouts_of_other_years(tmp_path: Path) -> None:
    html = {
        "Links": [
            {"path": "A@/href", "href": "/one", "text": "o  ne", "rel": "NoFollow"},
            {"url": "http://b.example/", "path": "AREA@/href", "alt": "two"},
            {"path": "IMG@/src", "url": "/i.png"},
            {"path": "A@/href"},
            "rubbish",
        ],
        "Head": {"Base": "/base/", "Metas": [{"name": "robots", "content": "noindex"}]},
    }
    headers = {"content-type": ["text/html", "x"], "X-Robots-Tag": ["noarchive", "nosnippet"]}
    seen = observe(_entry(_response({"Status-Code": 200}, headers, html)), tmp_path)
    assert seen.links_of(seen.visit) == [
        ("a", "http://a.example/one", "o ne"),
        ("area", "http://b.example/", "two"),
    ]
    assert [link["nofollow"] for link in seen.links] == [True, False]
    assert seen.visit["robots"] == "noindex, noarchive, nosnippet"
    assert seen.visit["ip"] == "192.0.2.1"


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, [1], {"x": 1}, True, 1.5])
def test_values_of_another_type_are_left_out_alone(tmp_path: Path, odd: Any) -> None:
    good: Any = {"path": "A@/href", "url": "/good", "text": "good"}
    links: Any = [
        good,
        odd if not isinstance(odd, dict) else {"path": odd},
        {"path": "A@/href", "url": {"not": "text"}, "href": "/href", "text": ["no"], "rel": 1},
        {"path": "A@/href", "url": "/odd", "title": odd, "target": odd},
        {"path": ["A@/href"], "url": "/not-a-link"},
    ]
    html = {"Links": links, "Head": {"Title": "t", "Base": {"x": 1}, "Link": odd, "Metas": [odd]}}
    envelope = _response({"Status": "200"}, {"Content-Type": "text/html", "X": odd}, html)
    seen = observe(_entry(envelope), tmp_path)
    assert seen.links_of(seen.visit) == [
        ("a", "http://a.example/good", "good"),
        ("a", "http://a.example/href", ""),
        ("a", "http://a.example/odd", ""),
    ]
    assert seen.visit["title"] == "t"
    envelope["Payload-Metadata"]["HTTP-Response-Metadata"]["HTML-Metadata"]["Links"] = odd
    (tmp_path / "odd").mkdir()
    seen = observe(_entry(envelope), tmp_path / "odd")
    assert seen.visit["title"] == "t"
    assert seen.links == []


def test_redirects_and_revisits(tmp_path: Path) -> None:
    envelope = _response({"Status": "301"}, {"Location": "/new"}, {})
    seen = observe(_entry(envelope), tmp_path)
    assert seen.visit["redirect_url"] == "http://a.example/new"
    envelope["WARC-Header-Metadata"]["WARC-Type"] = "revisit"
    envelope["Payload-Metadata"] = {}
    (tmp_path / "revisit").mkdir()
    assert observe(_entry(envelope), tmp_path / "revisit").visit["outcome"] == "unchanged"


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (b'{"Envelope": ', {"wat_invalid": 1}),
        (b'["Envelope"]', {}),
        (b'{"Envelope": {"WARC-Header-Metadata": []}}', {}),
        (b'{"Envelope": {"Payload-Metadata": "x"}}', {}),
        (b'{"Envelope": [{}]}', {"wat_invalid": 1}),
        (b'{"Envelope": null}', {"wat_invalid": 1}),
        (b'{"Envelope": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {"wat_invalid": 1}),
        (b'{"Envelope": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", {"wat_invalid": 1}),
        (b'{"Envelope": {"x": "\\ud800"}}', {"wat_invalid": 1}),
    ],
)
def test_entries_that_say_nothing(tmp_path: Path, block: bytes, problems: dict[str, int]) -> None:
    file = CrawlFile()
    file.record("metadata", "http://a.example/", block, content_type="application/json")
    seen = observe(file, tmp_path)
    assert seen.visits == []
    assert seen.batch.problems == problems


def _wat(envelope: dict[str, Any], *, info: str = "", written: str = "") -> CrawlFile:
    block = json.dumps({"Container": {}, "Envelope": envelope}).encode()
    file = CrawlFile()
    dated = {"WARC-Date": written} if written else {}
    if info:
        file.record(
            "warcinfo", "", info.encode(), content_type="application/warc-fields", warc=dated
        )
    return file.record("metadata", "http://a.example/", block, content_type="application/json",
                       warc=dated)  # fmt: skip


ESCAPED = {
    "Head": {"Title": "T &amp; U &eacute;", "Base": "/d/?a&amp;b"},
    "Links": [
        {"path": "A@/href", "url": "x?a=1&amp;b&#x3D;2&order=3&copy;4&notit;5", "text": "A &amp B"},
        {"path": "AREA@/href", "url": "/y", "alt": "&quot;&lt;&#60;"},
    ],
}


@pytest.mark.parametrize(
    ("info", "written", "escaped"),
    [
        ("", "2018-05-10T00:00:00Z", True),
        ("", "2019-06-01T00:00:00Z", True),
        ("", "2019-08-01T00:00:00Z", False),
        ("", "2024-05-10T00:00:00Z", False),
        # As the files of December 2016 and of May 2024 have it, in ../shared/data/wat.
        (
            "Software-Info: ia-web-commons.1.0-SNAPSHOT-20161209033514\r\n",
            "2016-12-15T09:37:09Z",
            True,
        ),
        (
            "Software-Info: ia-web-commons.1.1.10-SNAPSHOT-20240513074037\r\n",
            "2024-05-31T01:16:45Z",
            False,
        ),
        (
            "Software-Info: ia-web-commons.1.0-SNAPSHOT-20161209033514\r\n",
            "2024-05-31T01:16:45Z",
            True,
        ),
        ("software: something else\r\n", "2026-11-23T20:40:18Z", False),
        ("software: something else\r\n", "2015-11-23T20:40:18Z", True),
    ],
)
def test_character_references_of_old_writers_are_resolved(
    tmp_path: Path, info: str, written: str, escaped: bool
) -> None:
    envelope = _response({"Status": "200"}, {"Content-Type": "text/html"}, ESCAPED)
    envelope["WARC-Header-Metadata"]["WARC-Date"] = "2014-01-01T00:00:00Z"
    seen = observe(_wat(envelope, info=info, written=written), tmp_path)
    expected: dict[str, Any] = {}
    # By HTML 13.2.5.72: no reference without a semicolon before "=" or a letter in an attribute.
    body = (
        "<title>T &amp; U &eacute;</title><base href='/d/?a&amp;b'>"
        "<a href='x?a=1&amp;b&#x3D;2&order=3&copy;4&notit;5'>A &amp B</a>"
        "<map><area href=/y alt='&quot;&lt;&#60;'></map>"
    )
    (tmp_path / "page").mkdir()
    page = observe(CrawlFile().response("http://a.example/", body), tmp_path / "page")
    expected = {"links": page.links_of(page.visit), "title": page.visit["title"]}
    found = {"links": seen.links_of(seen.visit), "title": seen.visit["title"]}
    assert (found == expected) is escaped


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
def test_answers_to_other_methods_are_no_visits(tmp_path: Path, method: str) -> None:
    answer = _response({"Status": "200"}, {"Content-Type": "text/html"}, {"Head": {}})
    answer["WARC-Header-Metadata"]["WARC-Record-ID"] = "<urn:a>"
    for number, others in enumerate(("<urn:a>", ["<urn:b>", "<urn:a>"], None)):
        request = {
            "WARC-Header-Metadata": answer["WARC-Header-Metadata"]
            | {"WARC-Type": "request", "WARC-Record-ID": "<urn:q>"}
            | ({"WARC-Concurrent-To": others} if others else {}),
            "Payload-Metadata": {"HTTP-Request-Metadata": {"Request-Message": {"Method": method}}},
        }
        for order in ((answer, request), (request, answer)):
            (directory := tmp_path / f"{number}{order[0] is answer}").mkdir()
            file = CrawlFile()
            for envelope in order:
                block = json.dumps({"Envelope": envelope}).encode()
                file.record("metadata", "http://a.example/", block, content_type="application/json")
            assert observe(file, directory).visits == []


@pytest.mark.parametrize(
    ("header", "payload", "response", "headers", "complete"),
    [
        ({}, {}, {}, {}, True),
        ({"WARC-Truncated": "length"}, {}, {}, {}, False),
        ({"WARC-Segment-Number": "1"}, {}, {}, {}, False),
        ({"Content-Length": "100"}, {"Actual-Content-Length": "99"}, {}, {}, False),
        ({"Content-Length": "100"}, {"Actual-Content-Length": "100"}, {}, {}, True),
        ({"Content-Length": "100"}, {}, {}, {}, True),
        ({}, {}, {"Entity-Length": "99"}, {"Content-Length": "100"}, False),
        ({}, {}, {"Entity-Length": "100"}, {"Content-Length": "100"}, True),
        ({}, {}, {"Entity-Length": "900"}, {"X-Crawler-Content-Length": "9999"}, True),
        ({}, {}, {}, {"X-Crawler-Content-Encoding": "gzip"}, True),
        # The writers of WAT files undo no coding.
        ({}, {}, {}, {"Content-Encoding": "gzip"}, False),
        ({}, {}, {}, {"Transfer-Encoding": "chunked"}, False),
        ({}, {}, {}, {"Content-Encoding": "dcz"}, False),
        ({}, {}, {"Response-Message": {"Status": "206"}}, {}, False),
        ({}, {}, {"HTML-Metadata": None}, {}, False),
    ],
)
def test_complete(
    tmp_path: Path, header: Any, payload: Any, response: Any, headers: Any, complete: bool
) -> None:
    html = {"Head": {"Title": "t"}, "Links": []}
    envelope = _response({"Status": "200"}, {"Content-Type": "text/html", **headers}, html)
    envelope["WARC-Header-Metadata"] |= header
    envelope["Payload-Metadata"] |= payload
    told = envelope["Payload-Metadata"]["HTTP-Response-Metadata"]
    told |= response
    if told["HTML-Metadata"] is None:
        del told["HTML-Metadata"]
    assert observe(_entry(envelope), tmp_path).visit["complete"] is complete


def test_a_304_has_no_digest(tmp_path: Path) -> None:
    envelope = _response({"Status": "304"}, {}, {})
    envelope["WARC-Header-Metadata"]["WARC-Payload-Digest"] = (
        "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"
    )
    assert observe(_entry(envelope), tmp_path).visit["payload_digest"] is None


def test_visits_of_the_future_are_refused(tmp_path: Path) -> None:
    envelope = _response({"Status": "200"}, {}, {})
    envelope["WARC-Header-Metadata"]["WARC-Date"] = "2999-01-01T00:00:00Z"
    seen = observe(_entry(envelope), tmp_path)
    assert (seen.visits, seen.batch.problems) == ([], {"visit_in_future": 1})
