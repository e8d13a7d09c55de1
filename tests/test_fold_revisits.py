"""Revisits, on crawls whose answers once depended on how they were stored or divided.

What is right is what the same bytes give where every visit is stored in full, in one build.
"""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from inlink.extract.extraction import extract
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.web.source import find
from tests.generations import build_tables, fold, stretches, table
from tests.observations import Link, Visit, write_batch


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


def test_borrowed_content_is_judged_by_what_its_url_said_whatever_was_built_before(
    tmp_path: Path, cases: Path
) -> None:
    """In one build for each file the same: see test_cases."""
    read_and_fold(tmp_path, sorted((cases / "truth" / "revisit-canonical-split").glob("*.warc.gz")))
    assert outcomes(tmp_path) == {"https://a.com/": "ok", "https://b.com/": "not_canonical"}
    assert backlinks(tmp_path) == {
        ("https://a.com/", "https://target.com/", ""),
        ("https://b.com/", "https://a.com/", ""),
    }


@pytest.mark.parametrize("fails_after", [1, 3])
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


@pytest.mark.parametrize("stored", ["full", "dedup"])
def test_relative_urls_are_those_of_the_page_that_was_visited(
    tmp_path: Path, cases: Path, stored: str
) -> None:
    """Three pages of the same bytes: in full, and the second and third as revisits of the first."""
    read_and_fold(tmp_path, [cases / "truth" / "revisit-relative" / f"brand-{stored}.warc.gz"])
    assert set(outcomes(tmp_path).values()) == {"ok"}
    assert len(outcomes(tmp_path)) == 3
    assert backlinks(tmp_path) == set()


LENDER, BORROWER = "https://lender.example/a/", "https://borrower.example/b/"
REFERENCES = {
    "c": "https://borrower.example/b/c",
    "../d?utm_source=x&e=1": "https://borrower.example/d?e=1",
    "//other.example/f": "https://other.example/f",
}
"""What stands in a page, and where it leads from BORROWER without parameters of campaigns."""


def borrowing() -> list[Visit]:
    links = tuple(
        Link(f"https://lender.example/{n}", reference=r) for n, r in enumerate(REFERENCES)
    )
    image = Link(
        "https://shop.example/",
        image=True,
        image_source="https://lender.example/a/i.png?utm_source=x",
        image_reference="i.png?utm_source=x",
    )
    return [
        Visit(LENDER, 0, links=(*links, image), digest="sha1:A"),
        Visit(BORROWER, 1, "unchanged", digest="sha1:A", refers_to=LENDER),
    ]


def test_borrowed_references_are_resolved_as_in_extraction(tmp_path: Path) -> None:
    """Less the parameters that a setting drops, which images keep."""
    fold(tmp_path, borrowing(), settings=Settings(drop_parameters=("utm_*",)))
    urls = {row["url_id"]: row["url"] for row in table(tmp_path, "urls")}
    edges = {
        urls[row["target_id"]]
        for row in table(tmp_path, "graph")
        if urls[row["source_id"]] == BORROWER
    }
    assert edges == {*REFERENCES.values(), "https://shop.example/"}
    images = {
        urls[row["source_id"]]: row["image_source"]
        for row in table(tmp_path, "links")
        if row["image"]
    }
    assert images[BORROWER] == "https://borrower.example/b/i.png?utm_source=x"


def test_urls_of_content_that_turns_out_not_to_be_borrowed_are_forgotten(tmp_path: Path) -> None:
    visits = borrowing()
    fold(tmp_path, visits, [Visit(LENDER, 0.5, digest="sha1:A")])
    known = {row["url"] for row in table(tmp_path, "urls")}
    assert not known & set(REFERENCES.values())
    assert table(tmp_path, "borrowed_urls") == []


@pytest.mark.parametrize(
    ("target", "outcome"), [(BORROWER, "ok"), ("https://elsewhere.example/", "redirect")]
)
def test_a_borrowed_refresh_to_the_page_itself_is_no_redirect(
    tmp_path: Path, target: str, outcome: str
) -> None:
    visits = [
        Visit(LENDER, 0, "redirect", redirect=target, refreshes=True, digest="sha1:A"),
        Visit(BORROWER, 1, "unchanged", digest="sha1:A", refers_to=LENDER),
    ]
    fold(tmp_path, visits)
    assert outcomes(tmp_path) == {LENDER: "redirect", BORROWER: outcome}


def test_batches_of_older_rules_are_read_beside_new_ones(tmp_path: Path) -> None:
    """They say ``truncated`` for what is not complete, and lack the other new columns."""
    url, away = "https://page.example/", Link("https://away.example/", "text")
    write_batch(tmp_path, "batch-0", [Visit(url, 0, links=(away,)), Visit(url, 1, complete=False)])
    older = tmp_path / "batches" / "batch-0"
    visits, links = (pq.read_table(older / f"{name}.parquet") for name in ("visits", "links"))
    truncated = pc.invert(visits.column("complete"))
    visits = visits.drop_columns(["complete", "unavailable_after", "base_reference"])
    pq.write_table(visits.append_column("truncated", truncated), older / "visits.parquet")
    links = links.drop_columns(["reference", "image_reference"])
    pq.write_table(links, older / "links.parquet")
    build_tables(tmp_path)
    assert backlinks(tmp_path) == {(url, away.target, "")}
    write_batch(tmp_path, "batch-1", [Visit(url, 0.5, "failed"), Visit(url, 2)])
    build_tables(tmp_path)
    assert backlinks(tmp_path) == {(url, away.target, "link_removed")}
