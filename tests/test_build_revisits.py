"""Revisits, on crawls whose answers once depended on how they were stored or divided.

What is right is what the same bytes give where every visit is stored in full, in one build.
"""

from pathlib import Path

import pytest

from inlink.extract.extraction import extract
from inlink.extract.source import find
from inlink.store.layout import Layout
from inlink.store.settings import Settings
from tests.generations import build_tables, fold, stretches, table
from tests.observations import Link, Visit


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    return shared.parent / "cases" / "truth"


def read_and_fold(directory: Path, *builds: list[Path]) -> None:
    """Read the files of each of *builds* and build after them."""
    for files in builds:
        for file in files:
            (source,) = find(str(file))
            extract(source, Layout(directory), Settings())
        build_tables(directory)


def outcomes(directory: Path) -> dict[str, str]:
    urls = {row["url_id"]: row["url"] for row in table(directory, "urls")}
    return {urls[row["url_id"]]: row["outcome"] for row in table(directory, "pages")}


def backlinks(directory: Path) -> set[tuple[str, str, str]]:
    """Source, target, and why it was lost, "" while it is live."""
    return {(row[0], row[1], row[5] or "") for row in stretches(directory)}


@pytest.mark.parametrize("at_once", [True, False])
def test_borrowed_content_is_judged_by_what_its_url_said_whatever_was_built_before(
    tmp_path: Path, cases: Path, at_once: bool
) -> None:
    first, second = sorted((cases / "revisit-canonical-split").glob("*.warc.gz"))
    builds = [[first, second]] if at_once else [[first], [second]]
    read_and_fold(tmp_path, *builds)
    assert outcomes(tmp_path) == {"https://a.com/": "ok", "https://b.com/": "not_canonical"}
    assert backlinks(tmp_path) == {
        ("https://a.com/", "https://target.com/", ""),
        ("https://b.com/", "https://a.com/", ""),
    }


@pytest.mark.parametrize("fails_after", range(4))
def test_a_page_is_borrowed_from_as_often_as_it_was_carried_over(
    tmp_path: Path, fails_after: int
) -> None:
    """The lender goes on in builds of its own before and after the revisit."""
    lender, borrower = "https://lender.example/", "https://borrower.example/"
    away = Link("https://away.example/", "text")
    visits = [
        Visit(lender, 0, links=(away,), digest="sha1:A", canonical=lender),
        Visit(borrower, 1, "unchanged", digest="sha1:A", refers_to=lender),
        Visit(lender, 2, "unchanged", digest="sha1:A"),
        Visit(lender, 3, "unchanged"),
    ]
    visits.insert(fails_after + 1, Visit(lender, 0.5 + fails_after, "failed"))
    fold(tmp_path, *([visit] for visit in visits))
    assert outcomes(tmp_path) == {lender: "ok", borrower: "not_canonical"}
    assert backlinks(tmp_path) == {(lender, away.target, ""), (borrower, lender, "")}


def test_the_visit_that_lends_may_have_the_same_instant(tmp_path: Path) -> None:
    """Times of records have whole seconds, in which a crawler visits many pages."""
    lender, away = "https://lender.example/", Link("https://away.example/", "text")
    borrowers = [f"https://borrower-{number}.example/" for number in range(8)]
    visits = [Visit(url, 0, "unchanged", digest="sha1:A", refers_to=lender) for url in borrowers]
    fold(tmp_path, [Visit(lender, 0, links=(away,), digest="sha1:A"), *visits])
    assert backlinks(tmp_path) == {(url, away.target, "") for url in [lender, *borrowers]}


def test_a_digest_that_is_not_known_is_not_that_of_older_content(tmp_path: Path) -> None:
    """Content without a digest came last: a revisit that names another digest agrees with it."""
    url, old, new = "https://page.example/", "https://old.example/", "https://new.example/"
    visits = [
        Visit(url, 0, links=(Link(old, "text"),), digest="sha1:A"),
        Visit(url, 1, links=(Link(new, "text"),)),
        Visit(url, 2, "failed"),
        Visit(url, 3, "unchanged", digest="sha1:A"),
    ]
    fold(tmp_path, *([visit] for visit in visits))
    (page,) = table(tmp_path, "pages")
    assert page["content_visit_id"] == visits[1].visit_id
    assert page["payload_digest"] is None
    assert backlinks(tmp_path) == {(url, old, "link_removed"), (url, new, "")}
