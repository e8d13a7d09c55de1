"""The fold of visits into history, on cases told one by one.

All cases are folded in one build, and again visit by visit in a build each; every case has hosts
of its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inlink.store.configuration import Settings
from inlink.store.layout import Layout
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
            (
                "http://chain-a.example/",
                "http://chain-c.example/",
                "redirect",
                1,
                3,
                "link_removed",
            ),
            (
                "http://chain-b.example/",
                "http://chain-c.example/",
                "redirect",
                1,
                3,
                "broken_redirect",
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
    "a part of a page takes nothing away": (
        [linked("part", 0, target("part")), linked("part", 1, complete=False)],
        [(page("part"), target("part"), "href", 0, None, None)],
    ),
    "a part of a page adds": (
        [
            linked("adds", 0, target("adds")),
            linked("adds", 1, other("adds"), complete=False),
            linked("adds", 2, other("adds")),
        ],
        [
            (page("adds"), other("adds"), "href", 1, None, None),
            (page("adds"), target("adds"), "href", 0, 2, "link_removed"),
        ],
    ),
    **{
        f"an incomplete visit that is {outcome}": (
            [
                linked(outcome.replace("_", "-") + "-cut", 0, target("cut")),
                Visit(page(outcome.replace("_", "-") + "-cut"), 1, outcome, complete=False),
                Visit(page(outcome.replace("_", "-") + "-cut"), 2, outcome, complete=False),
            ],
            [(page(outcome.replace("_", "-") + "-cut"), target("cut"), "href", 0, None, None)],
        )
        for outcome in ("failed", "page_not_found", "page_dropped", "noindex", "other", "unchanged")
    },
    "an incomplete redirect": (
        [
            linked("half", 0, target("half")),
            Visit(page("half"), 1, "redirect", redirect=other("half"), complete=False),
            linked("half", 2, target("half")),
        ],
        [
            (page("half"), other("half"), "redirect", 1, 2, "link_removed"),
            (page("half"), target("half"), "href", 0, None, None),
        ],
    ),
    "a canonical in a part of a page": (
        [
            linked("named", 0, target("named")),
            Visit(page("named"), 1, "not_canonical", canonical=other("named"), complete=False),
        ],
        [
            (page("named"), other("named"), "href", 1, None, None),
            (page("named"), target("named"), "href", 0, None, None),
        ],
    ),
    "a canonical seen in part, and then the whole page without it": (
        [
            Visit(page("gone"), 0, "noindex", canonical=other("gone"), complete=False),
            linked("gone", 1, target("gone")),
        ],
        [
            (page("gone"), other("gone"), "href", 0, 1, "link_removed"),
            (page("gone"), target("gone"), "href", 1, None, None),
        ],
    ),
    "two failures with a part of the page between them": (
        [
            linked("between", 0, target("between")),
            Visit(page("between"), 1, "failed"),
            linked("between", 2, target("between"), complete=False),
            Visit(page("between"), 3, "failed"),
        ],
        [(page("between"), target("between"), "href", 0, 3, "crawl_error")],
    ),
    "a third failure after a part of the page": (
        [
            linked("third", 0, target("third")),
            Visit(page("third"), 1, "failed"),
            Visit(page("third"), 2, "failed"),
            linked("third", 3, target("third"), complete=False),
            Visit(page("third"), 4, "failed"),
        ],
        [
            (page("third"), target("third"), "href", 0, 2, "crawl_error"),
            (page("third"), target("third"), "href", 3, 4, "crawl_error"),
        ],
    ),
    "a part of a page that was gone": (
        [
            linked("return", 0, target("return"), other("return")),
            Visit(page("return"), 1, "page_not_found"),
            linked("return", 2, target("return"), complete=False),
        ],
        [
            (page("return"), other("return"), "href", 0, 1, "page_not_found"),
            (page("return"), target("return"), "href", 0, 1, "page_not_found"),
            (page("return"), target("return"), "href", 2, None, None),
        ],
    ),
    "the beginning of a page at the instant of the whole": (
        [
            linked("instant", 0, other("instant")),
            linked("instant", 1, target("instant")),
            linked("instant", 1, other("instant"), complete=False),
        ],
        [
            (page("instant"), other("instant"), "href", 0, 1, "link_removed"),
            (page("instant"), target("instant"), "href", 1, None, None),
        ],
    ),
    "unchanged since a part was seen": (
        [
            linked("since", 0, target("since")),
            Visit(page("since"), 1, "page_not_found"),
            linked("since", 2, other("since"), complete=False),
            Visit(page("since"), 3, "unchanged"),
        ],
        [
            (page("since"), other("since"), "href", 2, None, None),
            (page("since"), target("since"), "href", 0, 1, "page_not_found"),
            (page("since"), target("since"), "href", 3, None, None),
        ],
    ),
    "a revisit of what was seen in part": (
        [
            linked("partly", 0, target("partly"), digest="sha1:A", complete=False),
            linked("partly", 1, other("partly"), digest="sha1:B"),
            Visit(page("partly"), 2, "unchanged", digest="sha1:A"),
        ],
        [
            (page("partly"), other("partly"), "href", 1, None, None),
            (page("partly"), target("partly"), "href", 0, 1, "link_removed"),
            (page("partly"), target("partly"), "href", 2, None, None),
        ],
    ),
    "a revisit of the whole, cut since": (
        [
            linked("whole", 0, target("whole"), digest="sha1:A"),
            linked("whole", 1, other("whole"), digest="sha1:B", complete=False),
            Visit(page("whole"), 2, "unchanged", digest="sha1:A"),
        ],
        [
            (page("whole"), other("whole"), "href", 1, 2, "link_removed"),
            (page("whole"), target("whole"), "href", 0, None, None),
        ],
    ),
    "a revisit of another URL at one instant": (
        [
            linked("lender", 1, target("lender"), digest="sha1:A"),
            *(
                Visit(
                    f"https://borrower{number}.example/",
                    1,
                    "unchanged",
                    digest="sha1:A",
                    refers_to=page("lender"),
                )
                for number in range(4)
            ),
        ],
        [
            *(
                (f"https://borrower{number}.example/", target("lender"), "href", 1, None, None)
                for number in range(4)
            ),
            (page("lender"), target("lender"), "href", 1, None, None),
        ],
    ),
    "relative links of borrowed content": (
        [
            Visit(
                page("brand"),
                0,
                digest="sha1:A",
                links=(
                    Link("https://brand-blog.example/about", reference="/about"),
                    Link("https://www.brand-shop.example/", reference="//www.brand-shop.example"),
                    Link(target("brand")),
                ),
            ),
            Visit(
                "https://brand-park.example/x",
                1,
                "unchanged",
                digest="sha1:A",
                refers_to=page("brand"),
            ),
        ],
        [
            (source, found, "href", day, None, None)
            for source, day in ((page("brand"), 0), ("https://brand-park.example/x", 1))
            for found in (target("brand"), "https://www.brand-shop.example/")
        ],
    ),
    "a relative base and canonical of borrowed content": (
        [
            Visit(
                "https://based-blog.example/",
                0,
                digest="sha1:A",
                links=(Link("https://based-blog.example/dir/x", reference="x"),),
                canonical="https://based-blog.example/",
                base_reference="/dir/",
                canonical_reference="/",
            ),
            Visit(
                "https://based-park.example/",
                1,
                "unchanged",
                digest="sha1:A",
                refers_to="https://based-blog.example/",
            ),
            Visit(
                "https://based-park.example/2",
                1,
                "unchanged",
                digest="sha1:A",
                refers_to="https://based-blog.example/",
            ),
        ],
        [],
    ),
    "a canonical that leaves the domain where it is borrowed": (
        [
            Visit(
                "https://leaves-blog.example/",
                0,
                digest="sha1:A",
                links=(Link(target("leaves"), "text"),),
                canonical="https://leaves-blog.example/",
            ),
            Visit(
                "https://leaves-park.example/",
                1,
                "unchanged",
                digest="sha1:A",
                refers_to="https://leaves-blog.example/",
            ),
            Visit("https://leaves-blog.example/", 2, "failed"),
        ],
        [
            ("https://leaves-blog.example/", target("leaves"), "href", 0, None, None),
            (
                "https://leaves-park.example/",
                "https://leaves-blog.example/",
                "href",
                1,
                None,
                None,
            ),
        ],
    ),
    "a refresh": (
        [
            Visit(
                page("refresh"),
                0,
                "redirect",
                (Link(other("refresh"), "text"),),
                digest="sha1:A",
                redirect=target("refresh"),
                refreshes=True,
            ),
            Visit(page("refresh"), 1, "page_not_found"),
            Visit(page("refresh"), 2, "unchanged", digest="sha1:A"),
            Visit(
                "https://refresh-copy.example/",
                3,
                "unchanged",
                digest="sha1:A",
                refers_to=page("refresh"),
            ),
        ],
        [
            (page("refresh"), target("refresh"), "redirect", 0, 1, "page_not_found"),
            (page("refresh"), target("refresh"), "redirect", 2, None, None),
            ("https://refresh-copy.example/", target("refresh"), "redirect", 3, None, None),
        ],
    ),
    "a day from which on it is not to be indexed": (
        [linked("until", 0, target("until"), unavailable_after=2.5)],
        [(page("until"), target("until"), "href", 0, 2.5, "noindex")],
    ),
    "a day that a later visit moved": (
        [
            linked("moved", 0, target("moved"), unavailable_after=2.5),
            linked("moved", 2, target("moved"), unavailable_after=4.5),
            Visit(page("moved"), 5, "failed"),
        ],
        [(page("moved"), target("moved"), "href", 0, 4.5, "noindex")],
    ),
    "a day that passes between failures": (
        [
            linked("passes", 0, target("passes"), unavailable_after=2.5),
            Visit(page("passes"), 2, "failed"),
            Visit(page("passes"), 3, "failed"),
        ],
        [(page("passes"), target("passes"), "href", 0, 2.5, "noindex")],
    ),
    "a revisit after that day": (
        [
            linked("after", 0, target("after"), digest="sha1:A", unavailable_after=2.5),
            Visit(page("after"), 1, "page_not_found"),
            Visit(page("after"), 2, "unchanged", digest="sha1:A"),
            Visit(page("after"), 3, "page_not_found"),
            Visit(page("after"), 4, "unchanged", digest="sha1:A"),
        ],
        [
            (page("after"), target("after"), "href", 0, 1, "page_not_found"),
            (page("after"), target("after"), "href", 2, 2.5, "noindex"),
        ],
    ),
    "a canonical outlives that day": (
        [
            Visit(
                page("outlives"),
                0,
                "not_canonical",
                canonical=target("outlives"),
                unavailable_after=2.5,
            ),
            linked("outlives", 1, other("outlives"), complete=False),
        ],
        [
            (page("outlives"), other("outlives"), "href", 1, 2.5, "noindex"),
            (page("outlives"), target("outlives"), "href", 0, None, None),
        ],
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


STALE = Settings(stale_days=10)
STALE_CASES: dict[str, Case] = {
    "nobody came": (
        [linked("nobody", 0, target("nobody"))],
        [(page("nobody"), target("nobody"), "href", 0, 10, "page_dropped")],
    ),
    "somebody came in time": (
        [linked("intime", 0, target("intime")), linked("intime", 25, target("intime"))],
        [
            (page("intime"), target("intime"), "href", 0, 10, "page_dropped"),
            (page("intime"), target("intime"), "href", 25, None, None),
        ],
    ),
    "any visit is one": (
        [
            linked("any", 0, target("any")),
            Visit(page("any"), 9, "failed"),
            linked("any", 18, complete=False),
            Visit(page("any"), 27, "unchanged", digest="sha1:unknown"),
        ],
        [(page("any"), target("any"), "href", 0, None, None)],
    ),
    "a redirect": (
        [
            Visit(page("goes"), 0, "redirect", redirect="https://goes-blog.example/2"),
            Visit("https://goes-blog.example/2", 0, "redirect", redirect=target("goes")),
            Visit(page("goes"), 9, "redirect", redirect="https://goes-blog.example/2"),
        ],
        [
            ("https://goes-blog.example/2", target("goes"), "redirect", 0, 10, "page_dropped"),
            (page("goes"), target("goes"), "redirect", 0, 10, "link_removed"),
        ],
    ),
    "unavailable before": (
        [linked("before", 0, target("before"), unavailable_after=5.5)],
        [(page("before"), target("before"), "href", 0, 5.5, "noindex")],
    ),
    "the newest visit": (
        [linked("newest", 30, target("newest"))],
        [(page("newest"), target("newest"), "href", 30, None, None)],
    ),
}


@pytest.mark.parametrize("day_by_day", [False, True])
def test_links_of_pages_that_nobody_visits_are_lost(tmp_path: Path, day_by_day: bool) -> None:
    visits = [visit for visits, _ in STALE_CASES.values() for visit in visits]
    days_of_visits = sorted({visit.day for visit in visits})
    builds = [[visit for visit in visits if visit.day == day] for day in days_of_visits]
    fold(tmp_path, *builds if day_by_day else [visits], settings=STALE)
    assert days(tmp_path) == sorted(row for _, rows in STALE_CASES.values() for row in rows)


def test_images_of_borrowed_content_are_those_of_the_page_visited(tmp_path: Path) -> None:
    image = Link(
        target("image"),
        image=True,
        image_source="https://image-blog.example/i.png",
        image_reference="i.png",
    )
    copy = "https://image-copy.example/dir/"
    fold(
        tmp_path,
        [
            Visit(page("image"), 0, links=(image,), digest="sha1:A"),
            Visit(copy, 1, "unchanged", digest="sha1:A", refers_to=page("image")),
        ],
    )
    sources = {row["image_source"] for row in table(tmp_path, "links")}
    assert sources == {"https://image-blog.example/i.png", "https://image-copy.example/dir/i.png"}


def test_a_canonical_borrowed_before_is_the_same_after_a_failure(tmp_path: Path) -> None:
    visits, rows = CASES["a canonical that leaves the domain where it is borrowed"]
    fold(tmp_path, visits[:2], visits[2:])
    assert days(tmp_path) == rows
    assert pages_by_url(tmp_path)["https://leaves-park.example/"]["outcome"] == "not_canonical"


def test_a_part_of_a_page_makes_its_state_no_worse(tmp_path: Path) -> None:
    visits = [
        linked("good", 0, title="Post"),
        *(
            Visit(page("good"), 1, outcome, complete=False)
            for outcome in ("noindex", "page_not_found")
        ),
        Visit(page("bad"), 0, "page_not_found"),
        linked("bad", 1, complete=False),
        Visit(page("failing"), 0, "failed"),
        Visit(page("failing"), 1, "failed", complete=False),
        linked("failing", 2, complete=False),
    ]
    fold(tmp_path, visits)
    pages = pages_by_url(tmp_path)
    assert (pages[page("good")]["outcome"], pages[page("good")]["title"]) == ("ok", "Post")
    assert pages[page("bad")]["outcome"] == "ok"
    assert pages[page("failing")]["failures"] == 1


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
