"""The 0 to 100 scale: what it means, and that it holds still."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inlink.fold.pagerank import pagerank
from inlink.fold.scale import inlink_rank, received

Edges = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Edges, int]:
    nodes = draw(st.integers(1, 30))
    node = st.integers(0, nodes - 1)
    return draw(st.lists(st.tuples(node, node), unique=True, max_size=3 * nodes)), nodes


def ranked(edges: Edges, nodes: int) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    """PageRank, and the sources of the edges."""
    ends = np.array(edges, np.uint32).reshape(-1, 2)
    return pagerank(ends[:, 0], ends[:, 1], nodes), ends[:, 0]


def exactly_received(edges: Edges, nodes: int) -> NDArray[np.float64]:
    """The solution of r(v) = d * (sum of (1 + r(u)) / out(u)), by Gauss elimination."""
    passes: NDArray[np.float64] = np.zeros((nodes, nodes))
    for source, target in edges:
        passes[target, source] = 0.85
    passes /= np.maximum(1, np.count_nonzero(passes, axis=0))
    return np.linalg.solve(np.eye(nodes) - passes, np.ones(nodes)).astype(np.float64) - 1


def between_scores(share: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where 100 / 9 * log10(1 + 100 r) is so near a half that rounding decides."""
    score = 100 / 9 * np.log10(1 + 100 * share)
    return np.abs(score % 1 - 0.5) < 1e-6


@given(graphs())
def test_what_a_node_receives_is_the_solution_of_its_own_equation(
    graph: tuple[Edges, int],
) -> None:
    found = received(*ranked(*graph))
    assert np.allclose(found, exactly_received(*graph), rtol=1e-9, atol=1e-9)


@given(graphs())
def test_the_scale_is_the_one_documented(graph: tuple[Edges, int]) -> None:
    """docs/ranks.md: round(100 / 9 * log10(1 + 100 r))."""
    share = exactly_received(*graph)
    found = inlink_rank(*ranked(*graph))
    clear = ~between_scores(share)
    expected = np.rint(100 / 9 * np.log10(1 + 100 * share))
    assert found.dtype == np.int16
    assert np.array_equal(found[clear], expected[clear])


@given(graphs())
def test_it_lies_between_0_and_100_and_is_0_without_links(graph: tuple[Edges, int]) -> None:
    edges, nodes = graph
    found = inlink_rank(*ranked(edges, nodes))
    assert found.min() >= 0
    assert found.max() <= 100
    linked = {target for _, target in edges}
    assert all(found[node] == 0 for node in range(nodes) if node not in linked)
    assert all(found[node] > 0 for node in linked)  # at most 30 links a page here


@given(graphs())
def test_it_never_ranks_a_node_below_one_of_lower_pagerank(graph: tuple[Edges, int]) -> None:
    rank, sources = ranked(*graph)
    order = np.argsort(rank)
    assert (np.diff(inlink_rank(rank, sources)[order]) >= 0).all()


@given(graphs(), graphs())
def test_what_joins_the_index_elsewhere_changes_no_score(
    graph: tuple[Edges, int], other: tuple[Edges, int]
) -> None:
    edges, nodes = graph
    joined = edges + [(a + nodes, b + nodes) for a, b in other[0]]
    alone = ranked(edges, nodes)
    together = ranked(joined, nodes + other[1])
    share = received(*alone)
    assert np.allclose(received(*together)[:nodes], share, rtol=1e-9, atol=1e-9)
    clear = ~between_scores(share)
    assert np.array_equal(inlink_rank(*together)[:nodes][clear], inlink_rank(*alone)[clear])


@pytest.mark.parametrize("copies", [2, 3, 10])
def test_an_index_of_many_equal_parts_has_the_scores_of_one(shared: Path, copies: int) -> None:
    edges = np.load(shared / "graph" / "cnr-2000-edges.npz")
    inside = (edges["src"] < 10_000) & (edges["dst"] < 10_000)
    sources, targets = edges["src"][inside], edges["dst"][inside]
    shift = np.repeat(np.arange(copies, dtype=np.uint32) * 10_000, len(sources))
    once = inlink_rank(pagerank(sources, targets, 10_000), sources)
    many_sources = np.tile(sources, copies) + shift
    many_rank = pagerank(many_sources, np.tile(targets, copies) + shift, copies * 10_000)
    many = inlink_rank(many_rank, many_sources)
    assert np.array_equal(many, np.tile(once, copies))


@pytest.mark.parametrize("nodes", [1, 2, 3, 10, 1000])
def test_in_a_cycle_no_node_is_without_links_and_all_score_the_same(nodes: int) -> None:
    """r = d (1 + r), so r = 17 / 3 whatever the length: 100 / 9 * log10(567.67) = 30.6."""
    found = inlink_rank(*ranked([(a, (a + 1) % nodes) for a in range(nodes)], nodes))
    assert found.tolist() == [31] * nodes


@pytest.mark.parametrize(
    ("leaves", "score"),
    [(0, 0), (1, 21), (10, 33), (100, 44), (1000, 55), (10_000, 66)],
)
def test_ten_times_the_links_are_eleven_points_more(leaves: int, score: int) -> None:
    """A star: r = 0.85 * leaves, so 100 / 9 * log10(1 + 85 * leaves)."""
    found = inlink_rank(*ranked([(leaf, 0) for leaf in range(1, leaves + 1)], leaves + 1))
    assert found[0] == score


@pytest.mark.parametrize(("nodes", "score"), [(200_000, 89), (1_700_000, 100), (3_000_000, 100)])
def test_the_top_is_cut_off_at_100(nodes: int, score: int) -> None:
    """All link to one, which links to itself: r = d * nodes / (1 - d); the last would get 103."""
    rank = np.ones(nodes)
    rank[0] += 0.85 * nodes / 0.15
    found = inlink_rank(rank / rank.sum(), np.arange(nodes, dtype=np.uint32))
    assert found[0] == score
    assert found[1:].max() == 0


def test_no_nodes_have_no_ranks() -> None:
    assert inlink_rank(np.empty(0), np.array([], np.uint32)).shape == (0,)
