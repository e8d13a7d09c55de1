"""Cursors come back as they were, and cannot be made up or used for something else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inlink.api.cursor import CursorError, Cursors
from inlink.contract.rows import RawPosition
from inlink.urls.targets import parse_target

CURSORS = Cursors(b"secret" * 6)
TARGET = parse_target("example.com", "host")
POSITION = RawPosition("com,example)/ https", "com,other)/page https", "href")


def text(most: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), max_size=most)


@given(st.builds(RawPosition, text(3000), text(3000), st.sampled_from(["href", "redirect"])))
def test_a_cursor_brings_its_position_back(position: RawPosition) -> None:
    cursor = CURSORS.make(TARGET, position)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert CURSORS.read(TARGET, cursor) == position


def test_long_positions_are_compressed() -> None:
    key = "com,example,www)/" + "path/" * 500
    assert len(CURSORS.make(TARGET, RawPosition(key, key, "href"))) < 400


@pytest.mark.parametrize(
    ("text", "mode"), [("example.com", "domain"), ("example.org", "host"), ("example.com", "url")]
)
def test_a_cursor_is_for_one_target_and_mode(text: str, mode: str) -> None:
    with pytest.raises(CursorError):
        CURSORS.read(parse_target(text, mode), CURSORS.make(TARGET, POSITION))  # type: ignore[arg-type]


def test_a_cursor_is_for_a_target_however_it_is_written() -> None:
    again = parse_target("HTTPS://EXAMPLE.COM/some/path", "host")
    assert CURSORS.read(again, CURSORS.make(TARGET, POSITION)) == POSITION


def test_a_cursor_of_another_secret_is_refused() -> None:
    with pytest.raises(CursorError):
        Cursors(b"another" * 6).read(TARGET, CURSORS.make(TARGET, POSITION))


def test_no_character_of_a_cursor_can_be_changed() -> None:
    cursor = CURSORS.make(TARGET, POSITION)
    for place in range(len(cursor) - 1):  # the last one may have bits that say nothing
        changed = cursor[:place] + ("B" if cursor[place] == "A" else "A") + cursor[place + 1 :]
        with pytest.raises(CursorError):
            CURSORS.read(TARGET, changed)


@given(st.one_of(text(200), st.from_regex(r"[A-Za-z0-9_-]{0,100}", fullmatch=True)))
def test_nonsense_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError):
        CURSORS.read(TARGET, cursor)
