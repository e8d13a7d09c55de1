"""The independent reading, by itself, on ../shared/cases: the answers that their README gives."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from . import records
from .history import History, fold

X = "http://t.example/x"


def _read(cases: Path, *names: str) -> History:
    visits = [visit for name in names for visit in records.read(cases / name)]
    return fold(sorted(visits, key=lambda visit: visit.at))


def _live(history: History) -> list[tuple[str, str]]:
    """Target and link type of the live backlinks."""
    return [
        (key.target, key.link_type)
        for key, stretches in history.links.items()
        if stretches[-1].lost_at is None
    ]


@pytest.mark.parametrize(
    "name",
    [
        "d1-truncated.warc",
        "d3-damaged-gzip.warc",
        "d4-unknown-coding-dcz.warc",
        "d6-segmented.warc",
        "d8-head.warc",
    ],
)
def test_a_visit_that_did_not_show_the_page_loses_nothing(cases: Path, name: str) -> None:
    history = _read(cases, name)
    (stretches,) = history.links.values()
    assert [stretch.lost_at for stretch in stretches] == [None]
    assert _live(history) == [(X, "href")]


def test_what_was_not_shown_is_why(cases: Path) -> None:
    """Three are incomplete, the segments are whole when joined, and a HEAD is no visit."""
    names = {"d1-truncated": [True, False], "d3-damaged-gzip": [True, False]}
    names |= {"d4-unknown-coding-dcz": [True, False], "d6-segmented": [True] * 2, "d8-head": [True]}
    for name, complete in names.items():
        visits = records.read(cases / f"{name}.warc")
        assert [visit.complete for visit in visits] == complete, name


@pytest.mark.parametrize(
    ("name", "state", "live"),
    [
        ("e1-canonical-hex-case.warc", "ok", [(X, "href")]),
        ("e3-two-content-types.warc", "ok", [(X, "href")]),
        ("e4-xhtml-empty-script.warc", "ok", [(X, "href")]),
        ("e5-nofollow-comma.warc", "ok", [(X, "href")]),
        ("e6-unavailable-after-past.warc", "noindex", []),
        ("e7-base-svg.warc", "ok", []),
        ("e9-declarative-shadow.warc", "ok", [(X, "href")]),
        ("e10-svg-xlink.warc", "ok", [(X, "href")]),
        ("e11-meta-refresh.warc", "redirect", [(X, "redirect")]),
        ("f1-shift-jis-query.warc", "ok", [("http://t.example/?q=%93%FA%96{%95\\", "href")]),
        ("f3-gbk-query.warc", "ok", [("http://t.example/?w=%80&z=%26%2354620%3B", "href")]),
        ("f5-euc-jp-row13.warc", "ok", [("http://t.example/", "href")]),
        ("f7-xml-declaration.warc", "ok", [(X, "href")]),
        ("g1-status-line-ncsa.warc", "ok", [(X, "href")]),
        ("g4-arc-headerless.arc", "ok", [(X, "href")]),
        ("g5-wat-entities-2018.wat", "ok", [("http://t.example/?a=1&b=2", "href")]),
        ("g6-archive.wacz", "ok", [(X, "href")]),
    ],
)
def test_a_page_is_read_as_browsers_do(
    cases: Path, name: str, state: str, live: list[tuple[str, str]]
) -> None:
    history = _read(cases, name)
    (page,) = history.pages.values()
    assert (page.outcome, _live(history)) == (state, live)


def test_details_of_what_was_read(cases: Path) -> None:
    (nofollow,) = _read(cases, "e5-nofollow-comma.warc").links.values()
    assert nofollow[-1].nofollow
    assert ("http://b.example/d/", "http://b.example/d/y") in _read(cases, "e7-base-svg.warc").graph
    (xhtml,) = _read(cases, "e4-xhtml-empty-script.warc").pages.values()
    assert xhtml.title == ""
    japanese = _read(cases, "f5-euc-jp-row13.warc")
    assert [page.title for page in japanese.pages.values()] == ["①\uff5e㈱"]
    assert [rows[-1].anchor for rows in japanese.links.values()] == ["①"]
    assert [page.title for page in _read(cases, "f7-xml-declaration.warc").pages.values()] == ["Я"]
    (old,) = _read(cases, "g5-wat-entities-2018.wat").links.values()
    assert old[-1].anchor == "A & B"


def test_a_canonical_of_borrowed_content_is_judged_at_its_page(cases: Path) -> None:
    folder = "truth/revisit-canonical-split"
    names = [f"{folder}/1-A-and-revisit-B.warc.gz", f"{folder}/2-A-dns-failure.warc.gz"]
    for history in (_read(cases, *names[:1]), _read(cases, *names)):
        assert ("https://a.com/", "href") in _live(history)
        assert history.pages["https://b.com/"].outcome == "not_canonical"


@pytest.mark.parametrize("name", ["brand-full", "brand-dedup"])
def test_borrowed_references_lead_where_they_are(cases: Path, name: str) -> None:
    history = _read(cases, f"truth/revisit-relative/{name}.warc.gz")
    assert not history.links
    assert {url: page.outcome for url, page in history.pages.items()} == dict.fromkeys(
        ["https://brand.com/", "https://brand.net/", "https://brand.co.uk/"], "ok"
    )


@pytest.mark.parametrize("name", ["response-with-digest", "revisit-without-digest"])
def test_a_304_is_one_however_it_is_stored(cases: Path, name: str) -> None:
    (stretches,) = _read(cases, f"truth/304-as-response/{name}.warc.gz").links.values()
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    assert [(each.found_at, each.lost_at) for each in stretches] == [
        (days[0], days[1]),
        (days[2], None),
    ]


def test_a_visit_of_the_future_is_none(cases: Path) -> None:
    assert records.read(cases / "damage" / "future-1.warc") == []


def test_one_bad_entry_takes_no_other(cases: Path) -> None:
    assert len(records.read(cases / "damage" / "wat-nested-1100.warc")) == 2
