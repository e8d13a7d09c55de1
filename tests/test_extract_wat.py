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
    ],
)
def test_entries_that_say_nothing(tmp_path: Path, block: bytes, problems: dict[str, int]) -> None:
    file = CrawlFile()
    file.record("metadata", "http://a.example/", block, content_type="application/json")
    seen = observe(file, tmp_path)
    assert seen.visits == []
    assert seen.batch.problems == problems
