"""The fold of visits into history, on cases told one by one.

All cases are folded in one build, and again visit by visit in a build each; every case has hosts
of its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inlink.store.layout import Layout
from inlink.store.settings import Settings
from tests.generations import build_tables, fold, stretches, table
from tests.observations import START, Link, Visit

Row = tuple[str, str, str, float, float | None, str | None]
Case = tuple[list[Visit], list[Row]]


def page(case: str) -> str:
    return f"https://{case}-blog.example/post"


def target(case: str) -> str:
    return f"https://{case}-shop.example/"


def other(case: str) -> str:
    return f"https://{case}-news.example/"


def linked(case: str, day: float, *targets: str, **more: Any) -> Visit:
    return Visit(page(case), day, links=tuple(Link(url, "text") for url in targets), **more)


def lost(case: str, day: float, reason: str) -> list[Row]:
    return [(page(case), target(case), "href", 0, day, reason)]


def reason_case(reason: str, *then: Callable[[str], Visit]) -> Case:
    case = reason.replace("_", "-")
    visits = [linked(case, 0, target(case)), *(visit(case) for visit in then)]
    return visits, lost(case, 5, reason)


def one_visit(outcome: str, day: float = 5, **more: Any) -> Callable[[str], Visit]:
    return lambda case: Visit(page(case), day, outcome, **more)


CASES: dict[str, Case] = {
    "page not found": reason_case("page_not_found", one_visit("page_not_found")),
    "two failures": reason_case("crawl_error", one_visit("failed", 4), one_visit("failed", 5)),
    "dropped by policy": reason_case("page_dropped", one_visit("page_dropped")),
    "redirects now": reason_case(
        "redirect",
        lambda case: Visit(page(case), 5, "redirect", redirect=f"https://{case}-blog.example/new"),
    ),
    "canonical elsewhere": reason_case(
        "not_canonical",
        lambda case: Visit(
            page(case), 5, "not_canonical", canonical=f"https://{case}-blog.example/x"
        ),
    ),
    "not to be indexed": reason_case(
        "noindex", lambda case: Visit(page(case), 5, "noindex", (Link(target(case), "text"),))
    ),
    "link removed": reason_case("link_removed", lambda case: linked(case, 5)),
    "redirects nowhere": reason_case("broken_redirect", one_visit("broken_redirect")),
    "not a page any more": reason_case("other", one_visit("other")),
    "one failure is no loss": (
        [
            linked("once", 0, target("once")),
            Visit(page("once"), 1, "failed"),
            linked("once", 2, target("once")),
            Visit(page("once"), 3, "failed"),
        ],
        [(page("once"), target("once"), "href", 0, None, None)],
    ),
    "back again": (
        [linked("back", 0, target("back")), linked("back", 1), linked("back", 2, target("back"))],
        [
            (page("back"), target("back"), "href", 0, 1, "link_removed"),
            (page("back"), target("back"), "href", 2, None, None),
        ],
    ),
    "a visit that comes late": (
        [linked("late", 0, target("late")), linked("late", 4, target("late")), linked("late", 2)],
        [
            (page("late"), target("late"), "href", 0, 2, "link_removed"),
            (page("late"), target("late"), "href", 4, None, None),
        ],
    ),
    "inside a domain": (
        [linked("inside", 0, "https://www.inside-blog.example/about", page("inside"))],
        [],
    ),
    "revisits": (
        [
            linked("same", 0, target("same"), digest="sha1:A", title="Post"),
            Visit(page("same"), 1, "unchanged", digest="sha1:A"),
            Visit(page("same"), 2, "unchanged"),
        ],
        [(page("same"), target("same"), "href", 0, None, None)],
    ),
    "a revisit of older content": (
        [
            linked("older", 0, target("older"), digest="sha1:A"),
            linked("older", 1, other("older"), digest="sha1:B"),
            Visit(page("older"), 2, "unchanged", digest="sha1:A"),
        ],
        [
            (page("older"), other("older"), "href", 1, 2, "link_removed"),
            (page("older"), target("older"), "href", 0, 1, "link_removed"),
            (page("older"), target("older"), "href", 2, None, None),
        ],
    ),
    "a revisit of nothing known": (
        [
            linked("unknown", 0, target("unknown"), digest="sha1:A"),
            Visit(page("unknown"), 1, "unchanged", digest="sha1:X"),
        ],
        [(page("unknown"), target("unknown"), "href", 0, None, None)],
    ),
    "a revisit of another URL": (
        [
            Visit(
                "https://copy.example/", 1, "unchanged", digest="sha1:A", refers_to=page("first")
            ),
            linked("first", 0, target("first"), digest="sha1:A"),
        ],
        [
            ("https://copy.example/", target("first"), "href", 1, None, None),
            (page("first"), target("first"), "href", 0, None, None),
        ],
    ),
    "a copy that names the original as its canonical": (
        [
            Visit(
                "https://mirror.example/",
                1,
                "unchanged",
                digest="sha1:A",
                refers_to=page("original"),
            ),
            linked("original", 0, target("original"), digest="sha1:A", canonical=page("original")),
        ],
        [
            ("https://mirror.example/", page("original"), "href", 1, None, None),
            (page("original"), target("original"), "href", 0, None, None),
        ],
    ),
    "a redirect chain": (
        [
            Visit("http://chain-a.example/", 0, "redirect", redirect="http://chain-b.example/"),
            Visit("http://chain-b.example/", 1, "redirect", redirect="http://chain-c.example/"),
            Visit("http://chain-b.example/", 3, "broken_redirect"),
        ],
        [
            ("http://chain-a.example/", "http://chain-b.example/", "redirect", 0, None, None),
            *(
                (source, "http://chain-c.example/", "redirect", 1, 3, "broken_redirect")
                for source in ("http://chain-a.example/", "http://chain-b.example/")
            ),
        ],
    ),
    "a redirect loop": (
        [
            Visit("http://loop-a.example/", 0, "redirect", redirect="http://loop-b.example/"),
            Visit("http://loop-b.example/", 0, "redirect", redirect="http://loop-a.example/"),
        ],
        [
            ("http://loop-a.example/", "http://loop-b.example/", "redirect", 0, None, None),
            ("http://loop-b.example/", "http://loop-a.example/", "redirect", 0, None, None),
        ],
    ),
    "a redirect that moves": (
        [
            Visit(page("moves"), 0, "redirect", redirect=target("moves")),
            Visit(page("moves"), 1, "redirect", redirect=other("moves")),
        ],
        [
            (page("moves"), other("moves"), "redirect", 1, None, None),
            (page("moves"), target("moves"), "redirect", 0, 1, "link_removed"),
        ],
    ),
    "a canonical in another domain": (
        [
            Visit(
                page("canon"),
                0,
                "not_canonical",
                (Link(other("canon"), "text"),),
                canonical=target("canon"),
            )
        ],
        [(page("canon"), target("canon"), "href", 0, None, None)],
    ),
}


@pytest.fixture(scope="module", params=["at once", "visit by visit"])
def folded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("folded")
    cases = [visits for visits, _ in CASES.values()]
    if request.param == "at once":
        batches = [[visit for visits in cases for visit in visits]]
    else:
        longest = max(len(visits) for visits in cases)
        batches = [[visits[nth] for visits in cases if nth < len(visits)] for nth in range(longest)]
    fold(directory, *batches)
    return directory


def days(directory: Path) -> list[Row]:
    def day(moment: Any) -> Any:
        return None if moment is None else (moment - START).total_seconds() / 86400

    return [(*row[:3], day(row[3]), day(row[4]), row[5]) for row in stretches(directory)]


@pytest.fixture(scope="module")
def folded_days(folded: Path) -> list[Row]:
    return days(folded)


@pytest.mark.parametrize("name", CASES)
def test_history(folded_days: list[Row], name: str) -> None:
    visits, expected = CASES[name]
    pages = {visit.url for visit in visits}
    assert [row for row in folded_days if row[0] in pages] == expected


def test_a_link_that_comes_back_keeps_first_seen(folded: Path) -> None:
    rows = [row for row in stretches(folded) if row[0] == page("back")]
    assert [row[6] for row in rows] == [START, START]


def test_the_last_visit_counts_even_when_it_failed(folded: Path) -> None:
    rows = pages_by_url(folded)
    assert rows[page("once")]["visited_at"] == Visit(page("once"), 3).at
    assert rows[page("once")]["failures"] == 1
    assert rows[page("same")]["visited_at"] == Visit(page("same"), 2).at
    assert rows[page("same")]["title"] == "Post"


def test_links_inside_a_domain_are_in_the_graph(folded: Path) -> None:
    ids = {row["url"]: row["url_id"] for row in table(folded, "urls")}
    edges = {(row["source_id"], row["target_id"]) for row in table(folded, "graph")}
    assert (ids[page("inside")], ids["https://www.inside-blog.example/about"]) in edges
    assert (ids[page("inside")], ids[page("inside")]) not in edges


def test_a_canonical_link_has_no_anchor(folded: Path) -> None:
    ids = {row["url"]: row["url_id"] for row in table(folded, "urls")}
    (row,) = (row for row in table(folded, "links") if row["source_id"] == ids[page("canon")])
    assert (row["element"], row["anchor"]) == ("canonical", "")


def pages_by_url(directory: Path) -> dict[str, dict[str, Any]]:
    urls = {row["url_id"]: row["url"] for row in table(directory, "urls")}
    return {urls[row["url_id"]]: row for row in table(directory, "pages")}


def test_several_elements_to_one_url_are_one_backlink(tmp_path: Path) -> None:
    links = (
        Link(target("many"), "", nofollow=True),
        Link(target("many"), "words", image=True, alt="picture", image_source="https://i.example/"),
        Link(target("many"), "later", nofollow=True),
    )
    fold(tmp_path, [Visit(page("many"), 0, links=links)])
    (row,) = table(tmp_path, "links")
    assert (row["anchor"], row["image"], row["nofollow"]) == ("picture", True, False)
    assert row["image_source"] == "https://i.example/"


def test_nothing_new_makes_no_generation(tmp_path: Path) -> None:
    fold(tmp_path, [linked("again", 0, target("again"))])
    assert build_tables(tmp_path) is None
    assert Layout(tmp_path).generation_numbers() == [1]


def test_another_setting_folds_everything_again(tmp_path: Path) -> None:
    fold(tmp_path, [linked("set", 0, target("set")), Visit(page("set"), 1, "failed")])
    build_tables(tmp_path, Settings(failed_visits=1))
    assert days(tmp_path) == lost("set", 1, "crawl_error")


def test_a_batch_that_was_taken_away_is_forgotten(tmp_path: Path) -> None:
    fold(tmp_path, [linked("gone", 0, target("gone"))], [linked("gone", 1, other("gone"))])
    (tmp_path / "batches" / "batch-1" / "batch.json").unlink()
    build_tables(tmp_path)
    assert days(tmp_path) == [(page("gone"), target("gone"), "href", 0, None, None)]


def test_an_interrupted_build_of_a_batch_that_was_taken_away_is_forgotten(tmp_path: Path) -> None:
    fold(tmp_path, [linked("left", 0, target("left"))])
    (tmp_path / "building" / "steps").mkdir(parents=True)
    assert build_tables(tmp_path) is None
    assert not (tmp_path / "building").exists()
