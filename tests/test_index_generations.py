"""One process follows CURRENT: changes over, keeps what is in use, survives what goes wrong."""

import logging
import shutil
from pathlib import Path

import pytest

from inlink.fold.publish import remove_old_generations
from inlink.index.generations import Generations, NothingBuiltError
from inlink.store.layout import BusyError, Layout, locked
from inlink.urls.targets import parse_target
from tests.serving import Row, make_current, write_generation

TARGET = parse_target("shop.example", "host")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generations 1 to 4; generation n has n backlinks to TARGET."""
    data = tmp_path_factory.mktemp("made")
    for number in range(1, 5):
        sources = [f"https://blog{source}.example/" for source in range(number)]
        write_generation(data, number, [Row(source, "https://shop.example/") for source in sources])
    return data


@pytest.fixture
def layout(made: Path, tmp_path: Path) -> Layout:
    return Layout(shutil.copytree(made, tmp_path / "data"))


def backlinks(generations: Generations) -> int:
    with generations.lease() as reader:
        return reader.metrics(TARGET).backlinks


def can_remove(layout: Layout, number: int) -> bool:
    try:
        with locked(layout.generation(number) / "in-use.lock"):
            return True
    except BusyError:
        return False


def test_there_is_nothing_before_the_first_build(tmp_path: Path) -> None:
    generations = Generations(Layout(tmp_path))
    generations.refresh()
    with pytest.raises(NothingBuiltError), generations.lease():
        pass


def test_current_is_followed(layout: Layout) -> None:
    generations = Generations(layout)
    for number in (1, 2, 4, 3):
        make_current(layout.root, number)
        generations.refresh()
        assert backlinks(generations) == number
    generations.close()


def test_a_generation_is_locked_while_it_is_served_or_in_use(layout: Layout) -> None:
    generations = Generations(layout)
    make_current(layout.root, 1)
    generations.refresh()
    assert not can_remove(layout, 1)
    with generations.lease() as reader:
        make_current(layout.root, 2)
        generations.refresh()
        assert backlinks(generations) == 2
        assert not can_remove(layout, 1)
        assert reader.metrics(TARGET).backlinks == 1
    assert can_remove(layout, 1)
    assert not can_remove(layout, 2)
    generations.close()
    assert can_remove(layout, 2)


def test_clean_up_leaves_what_is_served(layout: Layout) -> None:
    generations = Generations(layout)
    make_current(layout.root, 2)
    generations.refresh()
    assert remove_old_generations(layout, keep=1) == [1, 3]
    assert backlinks(generations) == 2
    make_current(layout.root, 4)
    generations.refresh()
    assert remove_old_generations(layout, keep=1) == [2]
    generations.close()


def test_a_broken_generation_is_reported_once_and_the_old_one_stays(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    generations = Generations(layout)
    make_current(layout.root, 1)
    generations.refresh()
    (layout.generation(2) / "segments" / "segments.json").write_text("no json")
    make_current(layout.root, 2)
    with caplog.at_level(logging.ERROR):
        generations.refresh()
        generations.refresh()
    # an earlier test of this process may have the log tell more than errors
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
    assert backlinks(generations) == 1
    assert not can_remove(layout, 1)
    assert can_remove(layout, 2)
    make_current(layout.root, 3)
    generations.refresh()
    assert backlinks(generations) == 3
    generations.close()


def test_a_generation_that_is_mended_is_taken_up(layout: Layout) -> None:
    generations = Generations(layout)
    counts = layout.generation(1) / "segments" / "segments.json"
    content = counts.read_bytes()
    counts.unlink()
    make_current(layout.root, 1)
    generations.refresh()
    with pytest.raises(NothingBuiltError), generations.lease():
        pass
    counts.write_bytes(content)
    generations.refresh()
    assert backlinks(generations) == 1
    generations.close()


class RacedLayout(Layout):
    """A data directory in which another process publishes and cleans up at the worst moment."""

    def generation(self, number: int) -> Path:
        directory = super().generation(number)
        if number == 1:
            make_current(self.root, 2)
            shutil.rmtree(directory)
        return directory


def test_the_generation_named_is_removed_before_it_is_opened(layout: Layout) -> None:
    """What CURRENT named when it was read is gone when it is opened."""
    make_current(layout.root, 1)
    generations = Generations(RacedLayout(layout.root))
    generations.refresh()
    assert backlinks(generations) == 2
    generations.close()


def test_current_going_away_changes_nothing(layout: Layout) -> None:
    generations = Generations(layout)
    make_current(layout.root, 1)
    generations.refresh()
    layout.current.unlink()
    generations.refresh()
    assert backlinks(generations) == 1
    generations.close()
