"""Choosing rows: the same as sorting all of them and taking one after the other."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inlink.index.selection import occurrence, top, top_per_group

KINDS = st.sampled_from([np.int8, np.int32])


def by_sorting(values: list[int], groups: list[int], limit: int, per_group: int) -> list[int]:
    taken: list[int] = []
    seen: Counter[int] = Counter()
    for place in sorted(range(len(values)), key=lambda place: -values[place]):
        if seen[groups[place]] < per_group:
            seen[groups[place]] += 1
            taken.append(place)
    return taken[:limit]


@given(st.lists(st.integers(-128, 127)), st.integers(1, 30), KINDS)
def test_top(values: list[int], limit: int, kind: type[np.int8 | np.int32]) -> None:
    expected = by_sorting(values, list(range(len(values))), limit, 1)
    assert top(np.array(values, kind), limit).tolist() == expected


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 4)), max_size=300),
    st.integers(1, 8),
    st.integers(1, 4),
    KINDS,
)
def test_top_per_group(
    rows: list[tuple[int, int]], limit: int, per_group: int, kind: type[np.int8 | np.int32]
) -> None:
    values, groups = [value for value, _ in rows], [group for _, group in rows]
    found = top_per_group(np.array(values, kind), np.array(groups, np.int32), limit, per_group)
    assert found.tolist() == by_sorting(values, groups, limit, per_group)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.0])
def test_one_group_that_takes_up_the_beginning(share: float) -> None:
    random = np.random.default_rng(7)
    count = 50_000
    groups = np.where(random.random(count) < share, 3, random.integers(0, 900, count))
    values = np.where(groups == 3, 100, random.integers(0, 100, count))
    found = top_per_group(values.astype(np.int8), groups.astype(np.int32), 50, 2)
    assert found.tolist() == by_sorting(values.tolist(), groups.tolist(), 50, 2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("per_group", [1, 2, 5])
def test_a_group_found_once_is_looked_for_further(seed: int, per_group: int) -> None:
    random = np.random.default_rng(seed)
    groups = np.where(random.random(20_000) < 0.95, 0, random.integers(1, 30, 20_000))
    values = random.integers(0, 101, len(groups)).astype(np.int8)
    found = top_per_group(values, groups.astype(np.int32), 40, per_group)
    assert found.tolist() == by_sorting(values.tolist(), groups.tolist(), 40, per_group)


@given(st.lists(st.integers(0, 5)))
def test_occurrence(groups: list[int]) -> None:
    seen: Counter[int] = Counter()
    expected = []
    for group in groups:
        expected.append(seen[group])
        seen[group] += 1
    assert occurrence(np.array(groups, np.int32)).tolist() == expected
