"""Small inputs that went wrong once, through the command line and the API.

``../shared/cases`` has them; its README has the right answer to each, with the standard that
decides it. Those of the crawler are in ``test_crawl_hostile``. Files that share a host with another
file are read under a host of their own, of the same length, so that all can be one index.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from inlink.cli import main

from .generations import stretches, table
from .serving import Server, serving

RENAMED = {
    "f1-shift-jis-query.warc": (b"http://enc.example", b"http://en1.example"),
    "f3-gbk-query.warc": (b"http://enc.example", b"http://en3.example"),
    "f5-euc-jp-row13.warc": (b"http://enc.example", b"http://en5.example"),
    "f7-xml-declaration.warc": (b"http://enc.example", b"http://en7.example"),
    "g4-arc-headerless.arc": (b"http://a.example", b"http://g.example"),
    "g5-wat-entities-2018.wat": (b"http://a.example", b"http://h.example"),
}
"""Files that are read under another host, of the same length."""

ONCE = (
    "truth/revisit-relative/brand-dedup.warc.gz",
    "truth/304-as-response/response-with-digest.warc.gz",
    "damage/wat-nested-1100.warc",
    "damage/wrong-lengths-5000.warc.gz",
)
"""Files of folders that may be read together with all others."""

ABSENCE = ("trunc.example", "badgz.example", "dcz.example", "seg.example", "head.example")
LINKING = {
    **{f"http://{host}/": "http://t.example/x" for host in ABSENCE},
    "http://wp.example/%EB%B3%B4/": "http://t.example/x",
    "http://ct.example/": "http://t.example/x",
    "http://xh.example/": "http://t.example/x",
    "http://rel.example/": "http://t.example/x",
    "http://sh.example/": "http://t.example/x",
    "http://xl.example/": "http://t.example/x",
    "http://mr.example/": "http://t.example/x",
    "http://en1.example/": "http://t.example/?q=%93%FA%96{%95\\",
    "http://en3.example/": "http://t.example/?w=%80&z=%26%2354620%3B",
    "http://en5.example/": "http://t.example/",
    "http://en7.example/": "http://t.example/x",
    "http://old.example/": "http://t.example/x",
    "http://g.example/1": "http://t.example/x",
    "http://h.example/": "http://t.example/?a=1&b=2",
    "http://a.example/1": "http://t.example/x",
}
"""Every page with a live backlink of t.example, and the URL that it links to."""

Rows = dict[str, dict[str, Any]]


def run(data: Path, *arguments: str) -> str:
    """What the command line prints on a data directory."""
    result = CliRunner().invoke(main, [arguments[0], "--data", str(data), *arguments[1:]])
    assert result.exit_code == 0, result.output
    return result.output


def counts(output: str) -> dict[str, str]:
    """What ``inlink ingest`` counted, by its words."""
    lines = (line.rsplit(maxsplit=1) for line in output.splitlines() if line.strip())
    return {line[0].strip(): line[1] for line in lines if len(line) == 2}


@pytest.fixture(scope="module")
def index(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One index of all cases that are read and built once."""
    directory = tmp_path_factory.mktemp("cases")
    files = directory / "files"
    files.mkdir()
    read = [*cases.glob("d*.warc"), *cases.glob("e*.warc"), *cases.glob("[fg]*")]
    for path in [*read, *(cases / name for name in ONCE)]:
        content = path.read_bytes()
        old, new = RENAMED.get(path.name, (b"", b""))
        (files / path.name).write_bytes(content.replace(old, new) if old else content)
    run(directory / "data", "ingest", *map(str, sorted(files.iterdir())))
    run(directory / "data", "build")
    return directory / "data"


@pytest.fixture(scope="module")
def server(index: Path) -> Iterator[Server]:
    with serving(index) as running:
        yield running


@pytest.fixture(scope="module")
def backlinks(server: Server) -> Rows:
    """The live backlinks of t.example, by page."""
    answer = server.get("get-backlinks", target="t.example", mode="domain", limit=1000)
    rows = answer.json()["backlinks"]
    assert len({row["url_from"] for row in rows}) == len(rows)
    return {row["url_from"]: row for row in rows}


def outcome(index: Path, url: str) -> str:
    """What the index holds of a page."""
    ids = {row["url"]: row["url_id"] for row in table(index, "urls")}
    (page,) = (row for row in table(index, "pages") if row["url_id"] == ids[url])
    return str(page["outcome"])


def test_just_the_pages_that_link_have_a_live_backlink(backlinks: Rows) -> None:
    assert {page: row["url_to"] for page, row in backlinks.items()} == LINKING


def test_nothing_is_lost_by_a_visit_that_did_not_show_all_of_the_page(server: Server) -> None:
    answer = server.get("get-new-lost-backlinks", target="t.example", mode="domain",
                        new_lost_type="lost", date_from="2000-01-01", date_to="2026-12-31",
                        limit=1000)  # fmt: skip
    assert answer.json()["new_lost_backlinks"] == []


@pytest.mark.parametrize("host", ABSENCE)
def test_an_absence_that_was_not_seen_leaves_the_first_day(backlinks: Rows, host: str) -> None:
    assert backlinks[f"http://{host}/"]["first_seen"] == "2024-01-01"


def test_equivalent_percent_encodings_are_one_url(index: Path) -> None:
    assert outcome(index, "http://wp.example/%EB%B3%B4/") == "ok"


def test_a_relation_list_may_have_commas(backlinks: Rows) -> None:
    assert backlinks["http://rel.example/"]["nofollow"] is True


def test_xhtml_is_read_as_xml(backlinks: Rows) -> None:
    assert backlinks["http://xh.example/"]["title"] == ""


def test_a_page_is_not_indexable_after_its_last_day(index: Path) -> None:
    assert outcome(index, "http://ua.example/") == "noindex"


def test_only_a_base_of_html_counts(index: Path) -> None:
    urls = {row["url"] for row in table(index, "urls")}
    assert "http://b.example/d/y" in urls
    assert not any("//z.example" in url for url in urls)


def test_a_refresh_is_a_redirect(backlinks: Rows, index: Path) -> None:
    assert ("http://mr.example/", "http://t.example/x", "redirect") in {
        row[:3] for row in stretches(index)
    }
    assert outcome(index, "http://mr.example/") == "redirect"


@pytest.mark.parametrize(
    ("page", "title", "anchor"),
    [("http://en5.example/", "①～㈱", "①"), ("http://en7.example/", "Я", "t")],  # noqa: RUF001
)
def test_texts_are_those_of_a_browser(backlinks: Rows, page: str, title: str, anchor: str) -> None:
    assert (backlinks[page]["title"], backlinks[page]["anchor"]) == (title, anchor)


def test_entities_of_an_old_wat_file_are_read(backlinks: Rows) -> None:
    assert backlinks["http://h.example/"]["anchor"] == "A & B"


def test_one_bad_entry_takes_no_other_with_it(server: Server) -> None:
    answer = server.get("get-backlinks", target="good.example.org", mode="host")
    sources = {row["url_from"] for row in answer.json()["backlinks"]}
    assert sources == {"http://ok1.com/", "http://ok2.com/", "http://ok.com/"}


def test_damage_is_counted(cases: Path, tmp_path: Path) -> None:
    said = counts(run(tmp_path, "ingest", str(cases / "damage" / "wrong-lengths-5000.warc.gz")))
    assert said["records"] == "5,001"
    assert said["records with a wrong or missing length"] == "5,000"
    said = counts(run(tmp_path, "ingest", str(cases / "damage" / "wat-nested-1100.warc")))
    assert (said["visits"], said["WAT records that could not be read"]) == ("2", "1")
    said = counts(run(tmp_path, "ingest", str(cases / "d3-damaged-gzip.warc")))
    assert said["bodies with a Content-Encoding that is damaged or ends early"] == "1"


def test_a_visit_of_the_far_future_is_refused_and_counted(cases: Path, tmp_path: Path) -> None:
    said = counts(run(tmp_path, "ingest", str(cases / "damage" / "future-1.warc")))
    assert (said["records"], said["visits"]) == ("1", "0")
    assert "1" in {value for name, value in said.items() if "future" in name}


def test_a_revisit_resolves_borrowed_urls_against_its_own(server: Server, index: Path) -> None:
    for host in ("brand.com", "brand.net", "brand.co.uk"):
        answer = server.get("get-metrics", target=host, mode="domain")
        assert answer.json()["metrics"][0]["backlinks"] == 0
        assert outcome(index, f"https://{host}/") == "ok"


def test_a_304_that_was_stored_as_a_response_brings_the_links_back(server: Server) -> None:
    events = server.get("get-new-lost-backlinks", target="target.com", mode="domain",
                        date_from="2026-01-01", date_to="2026-01-31").json()  # fmt: skip
    days = [(row["new_lost_type"], row["new_lost_date"]) for row in events["new_lost_backlinks"]]
    assert sorted(days) == [("lost", "2026-01-02"), ("new", "2026-01-01"), ("new", "2026-01-03")]


def test_a_revisit_is_judged_by_true_visits_whatever_was_built(cases: Path, tmp_path: Path) -> None:
    """In one build of both files the same: see test_fold_revisits."""
    files = sorted((cases / "truth" / "revisit-canonical-split").iterdir())
    assert len(files) == 2
    for file in files:
        run(tmp_path, "ingest", str(file))
        run(tmp_path, "build")
    found = [
        (source, target, reason)
        for source, target, _, _, _, reason, _ in stretches(tmp_path)
        if source == "https://b.com/"
    ]
    assert found == [("https://b.com/", "https://a.com/", None)]
    assert outcome(tmp_path, "https://b.com/") == "not_canonical"
