"""What older rules read and built is made again: crawl files, generations, segments."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from inlink.evidence.records import RecordGoneError, read_record, recorded
from inlink.extract.batch import read_batch, write_description
from inlink.extract.extraction import extract
from inlink.fold import recipe as fold_recipe
from inlink.fold.job import build
from inlink.fold.recipe import Generation, Recipe, read_generation
from inlink.index.generations import Generations, NothingBuiltError
from inlink.index.writer import write_segments
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.store.versions import EXTRACTOR_RULES, FOLD_RULES, SEGMENT_FORMAT
from inlink.web.source import find
from tests.crawl_files import CrawlFile


def command(data: Path, *arguments: str | Path) -> str:
    result = CliRunner().invoke(main_command(), [*map(str, arguments), "--data", str(data)])
    assert result.exit_code == 0, result.output
    return result.stdout


def main_command() -> Any:
    from inlink.cli import main

    return main


def ingested(layout: Layout, crawl: Path, settings: Settings | None = None) -> None:
    (source,) = find(str(crawl))
    extract(source, layout, settings or Settings())


def counts(said: str) -> dict[str, str]:
    """The table that ``inlink ingest`` prints."""
    rows = (line.rsplit(maxsplit=1) for line in said.splitlines() if line)
    return {name.strip(): count for name, count in rows}


def built(layout: Layout) -> Generation:
    def segments(*given: Any) -> None:
        write_segments(*given[:3])

    generation = build(layout, Settings(), segments, lambda *_: None)
    assert generation is not None
    return generation


def as_older_rules_left_it(layout: Layout) -> str:
    """Make the only batch one of the first version, which knew no rules; its name then.

    That version named a batch by the SHA-256 of the crawl file's digest and the settings.
    """
    (directory,) = layout.batch_directories()
    said = json.loads((directory / "batch.json").read_text())
    del said["rules"]
    said["inlink"] = "0.2.0"
    (directory / "batch.json").write_text(json.dumps(said))
    decisive = bytes.fromhex(said["sha256"]) + said["settings"].encode()
    name = hashlib.sha256(decisive).hexdigest()[:32]
    directory.rename(layout.batches / name)
    return name


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    body = "<a href=https://shop.example/>the shop</a>"
    return CrawlFile().response("https://page.example/", body).write(tmp_path / "a.warc.gz")


def test_a_known_file_of_older_rules_is_read_again_and_takes_the_place(
    tmp_path: Path, crawl: Path
) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    old = as_older_rules_left_it(layout)
    first = built(layout)
    assert first.recipe.batches == (old,)
    status = json.loads(command(layout.root, "status", "--json"))
    assert (status["older_batches"], status["older_visits"]) == (1, 1)
    assert "1 batches with 1 visits were read by older rules" in command(layout.root, "status")

    said = counts(command(layout.root, "ingest", crawl))
    assert (said["files read"], said["read again by newer rules"]) == ("1", "1")
    (new,) = layout.batch_directories()
    assert new.name != old
    assert read_batch(new).rules == EXTRACTOR_RULES
    place = recorded(layout, old, 0)  # the generation that is served was made from it
    assert read_record(place).capture.uri == "https://page.example/"

    second = built(layout)
    assert (second.recipe.previous, second.recipe.batches) == (None, (new.name,))
    assert second.counts.live_links == 1
    assert not (layout.batches / old).exists()
    said = counts(command(layout.root, "ingest", crawl))
    assert (said["files read"], said["files already known"]) == ("0", "1")
    status = json.loads(command(layout.root, "status", "--json"))
    assert (status["older_batches"], status["older_visits"]) == (0, 0)


def test_a_build_folds_one_batch_of_a_file_though_its_reading_again_was_cut_short(
    tmp_path: Path, crawl: Path
) -> None:
    """The new batch is there, and the old one not yet out of the way."""
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    old = as_older_rules_left_it(layout)
    ingested(layout, crawl)
    (new,) = {path.name for path in layout.batch_directories()} - {old}
    assert built(layout).recipe.batches == (new,)
    assert not (layout.batches / old).exists()


def test_another_file_of_older_rules_stays(tmp_path: Path, crawl: Path) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    old = as_older_rules_left_it(layout)
    other = CrawlFile().response("https://other.example/").write(tmp_path / "other.warc.gz")
    said = counts(command(layout.root, "ingest", other))
    assert (said["files read"], said["read again by newer rules"]) == ("1", "0")
    assert old in {path.name for path in layout.batch_directories()}
    assert "1 batches with 1 visits were read by older rules" in command(layout.root, "status")


def test_batches_of_other_settings_are_not_replaced(tmp_path: Path, crawl: Path) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    old = as_older_rules_left_it(layout)
    ingested(layout, crawl, Settings(robot_name="otherbot"))
    built(layout)
    assert len(layout.batch_directories()) == 2
    assert (layout.batches / old / "batch.json").exists()


def change_recipe(layout: Layout, change: Callable[[Recipe], Recipe]) -> None:
    """Let the current generation have been built by another recipe."""
    number = layout.current_number() or 0
    generation = read_generation(layout, number)
    changed = msgspec.structs.replace(generation, recipe=change(generation.recipe))
    path = layout.generation(number) / "generation.json"
    path.write_bytes(msgspec.json.encode(changed))


def test_a_generation_of_another_version_is_folded_from_nothing(
    tmp_path: Path, crawl: Path
) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    first = built(layout).recipe
    assert (first.fold_rules, first.segment_format) == (FOLD_RULES, SEGMENT_FORMAT)
    assert build(layout, Settings(), lambda *_: None, lambda *_: None) is None
    path = layout.generation(1) / "generation.json"
    said = json.loads(path.read_text())
    del said["plan"]["fold_rules"], said["plan"]["segment_format"]
    said["plan"]["version"] = "0.2.0"  # as version 0.2.0 wrote it
    path.write_text(json.dumps(said))
    assert "built by older rules; run `inlink build`" in command(layout.root, "status")
    second = built(layout).recipe
    assert (second.previous, second.new_batches) == (None, first.batches)
    assert "older rules" not in command(layout.root, "status")


def test_segments_of_another_format_are_not_served_but_written_anew(
    tmp_path: Path, crawl: Path
) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    built(layout)
    change_recipe(layout, lambda recipe: msgspec.structs.replace(recipe, segment_format=3))
    path = layout.generation(1) / "segments" / "segments.json"
    path.write_text(path.read_text().replace(f'"format": {SEGMENT_FORMAT}', '"format": 3'))
    generations = Generations(layout)
    assert generations.refresh() is None
    with pytest.raises(NothingBuiltError, match="Another version of Inlink built the index"):
        generations.lease().__enter__()
    assert "built by older rules; run `inlink build`" in command(layout.root, "status")

    recipe = built(layout).recipe
    assert (recipe.previous, recipe.new_batches) == (1, ())
    assert generations.refresh() == 2
    before, after = (layout.generation(number) / "tables" for number in (1, 2))
    for name in ("pages", "links", "urls", "places", "ranks"):
        tables = [pq.read_table(folder / f"{name}.parquet") for folder in (before, after)]
        assert tables[0].equals(tables[1]), name
    generations.close()


def test_an_interrupted_build_of_older_rules_is_not_gone_on_with(
    tmp_path: Path, crawl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)

    def dies(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as older:
        older.setattr(fold_recipe, "FOLD_RULES", FOLD_RULES - 1)
        with pytest.raises(InterruptedError):
            build(layout, Settings(), dies, lambda *_: None)
    begun = layout.building / "tables" / "begun"  # the new table may get the inode of the old one
    begun.touch()
    with pytest.raises(InterruptedError):
        build(layout, Settings(), dies, lambda *_: None)
    assert (layout.building / "tables" / "links.parquet").exists()
    assert not begun.exists()


# files that lie elsewhere now


def test_a_file_that_was_moved_is_known_at_its_new_place(tmp_path: Path, crawl: Path) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    (batch,) = layout.batch_directories()
    moved = crawl.rename(tmp_path / "archive.warc.gz")
    with pytest.raises(RecordGoneError):
        read_record(recorded(layout, batch.name, 0))

    said = counts(command(layout.root, "ingest", moved))
    known, elsewhere = "files already known", "files moved"
    assert (said["files read"], said[known], said[elsewhere]) == ("0", "0", "1")
    assert layout.batch_directories() == [batch]
    assert read_record(recorded(layout, batch.name, 0)).recorded.file == f"file://{moved}"
    before = moved.stat()
    with moved.open("r+b") as file:  # would be an error if it were read
        file.write(bytes(before.st_size))
    os.utime(moved, ns=(before.st_atime_ns, before.st_mtime_ns))
    said = counts(command(layout.root, "ingest", moved))
    assert (said[known], said[elsewhere]) == ("1", "0")


def test_a_copy_changes_nothing_while_the_first_file_is_there(tmp_path: Path, crawl: Path) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    copy = tmp_path / "copy.warc.gz"
    copy.write_bytes(crawl.read_bytes())
    said = counts(command(layout.root, "ingest", copy))
    assert (said["files already known"], said["files moved"]) == ("1", "0")
    (batch,) = layout.batch_directories()
    assert read_batch(batch).source.url == f"file://{crawl}"


def test_a_file_in_whose_place_another_lies_was_moved(tmp_path: Path, crawl: Path) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    copy = tmp_path / "copy.warc.gz"
    copy.write_bytes(crawl.read_bytes())
    crawl.write_bytes(copy.read_bytes() + b"more")
    said = counts(command(layout.root, "ingest", copy))
    assert said["files moved"] == "1"
    (batch,) = layout.batch_directories()
    assert read_batch(batch).source.url == f"file://{copy}"


def test_a_store_that_cannot_be_asked_keeps_its_address(tmp_path: Path, crawl: Path) -> None:
    layout = Layout(tmp_path / "data")
    ingested(layout, crawl)
    (batch,) = layout.batch_directories()
    far = msgspec.structs.replace(read_batch(batch).source, url="nosuchscheme://bucket/a.warc.gz")
    write_description(batch, msgspec.structs.replace(read_batch(batch), source=far))
    said = counts(command(layout.root, "ingest", crawl))
    assert (said["files already known"], said["files moved"]) == ("1", "0")
    assert read_batch(batch).source == far
