"""The tables of strings: every row back, and the same places as `bisect` finds in a list."""

from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inlink.index.strings import BLOCK_ROWS, Strings, write_strings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def batch(*columns: Sequence[str]) -> pa.RecordBatch:
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.record_batch(arrays, names=[f"c{n}" for n in range(len(columns))])


def opened(path: Path, *batches: pa.RecordBatch, sample: bool = False) -> Strings:
    # Keys have to be sorted by code point to be looked for; here they always are written as such.
    rows = pa.RecordBatchReader.from_batches(batches[0].schema, list(batches))
    write_strings(path, rows, batches[0] if sample else None, sorted_by_key=True)
    return Strings(path)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("strings") / "strings.arrow"


@given(rows=st.lists(st.tuples(TEXT, TEXT), max_size=70), split=st.integers(0, 70))
def test_rows_come_back_whatever_is_in_them(
    path: Path, rows: list[tuple[str, str]], split: int
) -> None:
    rows = sorted(rows)
    keys, values = [key for key, _ in rows], [value for _, value in rows]
    strings = opened(path, batch(keys[:split], values[:split]), batch(keys[split:], values[split:]))
    order = np.random.default_rng(split).permutation(np.repeat(np.arange(len(rows)), 2))
    first, second = strings.lookup(order)
    assert list(zip(first, second, strict=True)) == [rows[n] for n in order]
    assert len(strings) == len(rows)


@given(keys=st.lists(TEXT, unique=True, max_size=100), wanted=st.lists(TEXT, min_size=1))
def test_bisect_agrees_with_the_list(path: Path, keys: list[str], wanted: list[str]) -> None:
    keys = sorted(keys)
    strings = opened(path, batch(keys, keys))
    for key in [*wanted, *keys, *(f"{key}\0" for key in keys), *(key[:-1] for key in keys)]:
        assert strings.bisect(key) == bisect_left(keys, key)


def test_a_dictionary_is_trained_and_used(path: Path) -> None:
    keys = [f"com,example,www)/articles/{n:07}?from=newsletter https" for n in range(40_000)]
    plain = write_and_measure(path, keys, sample=False)
    trained = write_and_measure(path, keys, sample=True)
    assert trained < plain
    strings = Strings(path)
    assert strings.lookup(np.array([39_999, 0, 12_345])) == [[keys[39_999], keys[0], keys[12_345]]]


def write_and_measure(path: Path, keys: list[str], *, sample: bool) -> int:
    opened(path, batch(keys), sample=sample)
    return path.stat().st_size


def test_blocks_do_not_depend_on_the_batches(path: Path) -> None:
    keys = [f"key {n:04}" for n in range(1000)]
    opened(path, batch(keys))
    whole = path.read_bytes()
    opened(path, *(batch(keys[n : n + 7]) for n in range(0, 1000, 7)))
    assert path.read_bytes() == whole


def test_separators_are_cut_short(path: Path) -> None:
    keys = [f"{n // BLOCK_ROWS:02}{'x' * 1000}{n:04}" for n in range(BLOCK_ROWS * 50)]
    opened(path, batch(keys))
    with pa.memory_map(str(path)) as source:
        separators = pa.ipc.open_file(source).read_all().column("separator").to_pylist()
    assert max(len(separator or b"") for separator in separators) == 2


def test_threads_read_at_once(path: Path) -> None:
    keys = [f"{n:06}" for n in range(20_000)]
    strings = opened(path, batch(keys))
    rows = np.random.default_rng(0).integers(0, len(keys), (16, 500))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(strings.lookup, rows))
    assert found == [[[keys[n] for n in some]] for some in rows.tolist()]
