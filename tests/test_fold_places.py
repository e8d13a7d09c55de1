"""Where the records of pages lie, against a search of all batches for the visits of each page."""

from pathlib import Path
from typing import Any

from inlink.fold.places import MOST
from tests.generations import build_tables, fold, table
from tests.observations import Link, Visit, write_batch
from tests.test_fold import made_visits, split

Place = tuple[str, int]
LINKS = (Link("https://b.example/"),)
PAGE = "https://a.example/"


def places(directory: Path, *, is_content: bool = True) -> list[Place]:
    """The places of the only page, in their order."""
    rows = [row for row in table(directory, "places") if row["is_content"] == is_content]
    return [(row["batch"], row["row"]) for row in sorted(rows, key=lambda row: row["nth"])]


def check(directory: Path, batches: dict[str, list[Visit]]) -> None:
    """Each row is told where it says; the rows of each page are those of docs/data-model.md."""
    told = {(name, row): visit for name, part in batches.items() for row, visit in enumerate(part)}
    by_id = {visit.visit_id: visit for visit in told.values()}
    found: dict[tuple[int, bool], list[dict[str, Any]]] = {}
    for row in table(directory, "places"):
        assert told[row["batch"], row["row"]].visit_id == row["visit_id"]
        found.setdefault((row["url_id"], row["is_content"]), []).append(row)
    for page in table(directory, "pages"):
        rows = found.pop((page["url_id"], True), [])
        last = found.pop((page["url_id"], False), [])
        if page["proof_visit_id"] is None:
            assert rows == last == []
            continue
        content = by_id[page["proof_visit_id"]]
        first, *others = sorted(rows, key=lambda row: row["nth"])
        assert first["visit_id"] == content.visit_id
        assert len(rows) <= MOST
        assert len({row["batch"] for row in rows}) == len(rows)
        for row in others:
            visit = by_id[row["visit_id"]]
            same = visit.digest is not None and visit.digest == content.digest
            assert visit is content or same or (visit.url, visit.at) == (content.url, content.at)
        assert {row["visit_id"] for row in last} == {page["visit_id"]} - {content.visit_id}
    assert not found


def test_every_page_with_content_has_its_records(tmp_path: Path) -> None:
    """Built batch by batch: with visits that come late, twice, and that refer to other pages."""
    parts = split(made_visits(11), 11, 3)
    fold(tmp_path, *parts)
    check(tmp_path, {f"batch-{number}": part for number, part in enumerate(parts)})
    rows = table(tmp_path, "places")
    assert {row["is_content"] for row in rows} == {True, False}
    assert max(row["nth"] for row in rows) > 0


def test_a_visit_in_several_batches_has_a_place_in_each(tmp_path: Path) -> None:
    visit = Visit(PAGE, 0, links=LINKS)
    for name in ("batch-1", "batch-0"):
        write_batch(tmp_path, name, [Visit("https://c.example/", 1, "failed"), visit, visit])
        build_tables(tmp_path)
    assert places(tmp_path) == [("batch-0", 1), ("batch-1", 1)]


def test_visits_that_saw_the_same_bytes_have_places_the_latest_first(tmp_path: Path) -> None:
    days = [Visit(PAGE, day, links=LINKS, digest="sha1:A") for day in range(3)]
    fold(tmp_path, [days[0]], [days[1]], [days[2]])
    assert places(tmp_path) == [("batch-2", 0), ("batch-1", 0), ("batch-0", 0)]
    write_batch(tmp_path, "batch-3", [Visit(PAGE, 3, links=LINKS, digest="sha1:B")])
    build_tables(tmp_path)
    assert places(tmp_path) == [("batch-3", 0)]


def test_a_revisit_shows_nothing_but_says_where_the_content_is(tmp_path: Path) -> None:
    seen = [Visit(PAGE, day, links=LINKS, digest="sha1:A") for day in range(2)]
    fold(tmp_path, seen[:1], seen[1:], [Visit(PAGE, 2, "unchanged", digest="sha1:A")])
    assert places(tmp_path) == [("batch-1", 0), ("batch-0", 0)]
    assert places(tmp_path, is_content=False) == [("batch-2", 0)]


def test_content_of_another_url_has_the_places_of_both(tmp_path: Path) -> None:
    """A revisit that borrows the bytes of another URL, which its own URL once had too."""
    other = Visit("https://c.example/", 1, links=LINKS, digest="sha1:A")
    own = Visit(PAGE, 0, links=LINKS, digest="sha1:A")
    borrowed = Visit(PAGE, 2, "unchanged", digest="sha1:A", refers_to=other.url)
    fold(tmp_path, [own], [other], [borrowed])
    check(tmp_path, {"batch-0": [own], "batch-1": [other], "batch-2": [borrowed]})
    ids = {row["visit_id"] for row in table(tmp_path, "places") if row["is_content"]}
    assert ids == {own.visit_id, other.visit_id}
    pages = {row["visit_id"]: row["url_id"] for row in table(tmp_path, "pages")}
    page = pages[borrowed.visit_id]
    rows = [row for row in table(tmp_path, "places") if row["url_id"] == page]
    assert {row["visit_id"] for row in rows if row["is_content"]} >= {other.visit_id}


def test_no_more_places_are_kept_than_are_of_use(tmp_path: Path) -> None:
    days = [Visit(PAGE, day, links=LINKS, digest="sha1:A") for day in range(MOST + 2)]
    for number, visit in enumerate(days):
        write_batch(tmp_path, f"batch-{number}", [visit])
    build_tables(tmp_path)
    assert places(tmp_path) == [(f"batch-{number}", 0) for number in range(MOST + 1, 1, -1)]


def test_one_instant_without_a_digest_is_one_content(tmp_path: Path) -> None:
    """WARC and WAT of one crawl: two batches that tell of the same fetch."""
    warc, wat = (Visit(PAGE, 0, links=LINKS, title=title) for title in ("", "of WAT"))
    write_batch(tmp_path, "batch-0", [warc])
    write_batch(tmp_path, "batch-1", [wat])
    build_tables(tmp_path)
    assert sorted(places(tmp_path)) == [("batch-0", 0), ("batch-1", 0)]
