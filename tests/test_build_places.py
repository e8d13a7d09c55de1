"""Where the records of pages lie, against a search of all batches for the visits of each page."""

from pathlib import Path

from tests.generations import build_tables, fold, table
from tests.observations import Link, Visit, write_batch
from tests.test_build_fold import made_visits, split


def places(directory: Path) -> list[dict[str, object]]:
    return table(directory, "places")


def searched(directory: Path, batches: dict[str, list[Visit]]) -> list[dict[str, object]]:
    """The table by its definition in docs/data-model.md."""
    recorded: dict[int, tuple[str, int]] = {}
    for name in sorted(batches, reverse=True):
        for number, visit in reversed(list(enumerate(batches[name]))):
            recorded[visit.visit_id] = (name, number)
    rows = []
    for page in table(directory, "pages"):
        content = page["content_visit_id"]
        if content is None:
            continue
        for visit_id in dict.fromkeys([content, page["visit_id"]]):
            batch, row = recorded[visit_id]
            rows.append(
                {
                    "url_id": page["url_id"],
                    "visit_id": visit_id,
                    "is_content": visit_id == content,
                    "batch": batch,
                    "row": row,
                }
            )
    return rows


def in_order(rows: list[dict[str, object]]) -> list[str]:
    return sorted(map(str, rows))


def test_every_page_with_content_has_its_records(tmp_path: Path) -> None:
    """Built batch by batch: with visits that come late, twice, and that refer to other pages."""
    parts = split(made_visits(11), 11, 3)
    fold(tmp_path, *parts)
    batches = {f"batch-{number}": part for number, part in enumerate(parts)}
    found = places(tmp_path)
    assert in_order(found) == in_order(searched(tmp_path, batches))
    assert {row["is_content"] for row in found} == {True, False}
    for name, part in batches.items():
        write_batch(tmp_path / "whole", name, part)
    build_tables(tmp_path / "whole")
    assert in_order(places(tmp_path / "whole")) == in_order(found)


def test_a_visit_in_several_batches_has_the_first_place_of_the_first_name(tmp_path: Path) -> None:
    visit = Visit("https://a.example/", 0, links=(Link("https://b.example/"),))
    other = Visit("https://c.example/", 1)
    names = [f"batch-{number}" for number in range(2)]
    names.reverse()
    for name in names:
        write_batch(tmp_path, name, [other, visit, visit])
        build_tables(tmp_path)
    assert {(row["batch"], row["row"]) for row in places(tmp_path)} == {
        ("batch-0", 0),
        ("batch-0", 1),
    }
