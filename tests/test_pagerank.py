"""PageRank against closed forms, other implementations and a published vector."""

from pathlib import Path

import igraph
import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inlink.fold import pagerank as module
from inlink.fold.pagerank import TOLERANCE, pagerank

Edges = list[tuple[int, int]]
SIZES = [1, 2, 3, 5, 10, 50, 100, 1000]
DAMPINGS = [0.1, 0.5, 0.85, 0.99]


def rank(
    edges: Edges, nodes: int, damping: float = 0.85, tolerance: float = TOLERANCE
) -> NDArray[np.float64]:
    ends = np.array(edges, np.uint32).reshape(-1, 2)
    return pagerank(ends[:, 0], ends[:, 1], nodes, damping=damping, tolerance=tolerance)


def distance(left: NDArray[np.float64], right: NDArray[np.float64] | list[float]) -> float:
    return float(np.abs(left - np.array(right)).sum())


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Edges, int]:
    """Distinct edges in any order; few enough that dangling and lonely nodes are common."""
    nodes = draw(st.integers(1, 30))
    node = st.integers(0, nodes - 1)
    return draw(st.lists(st.tuples(node, node), unique=True, max_size=3 * nodes)), nodes


# Closed forms


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("nodes", SIZES)
def test_without_edges_every_node_has_the_same(nodes: int, damping: float) -> None:
    assert distance(rank([], nodes, damping=damping), np.full(nodes, 1 / nodes)) < 1e-14


@pytest.mark.parametrize("nodes", [2, 3, 5, 10, 50, 100])
def test_in_a_clique_every_node_has_the_same(nodes: int) -> None:
    edges = [(a, b) for a in range(nodes) for b in range(nodes) if a != b]
    assert distance(rank(edges, nodes), np.full(nodes, 1 / nodes)) < 1e-13


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("nodes", SIZES)
def test_in_a_cycle_every_node_has_the_same(nodes: int, damping: float) -> None:
    edges = [(a, (a + 1) % nodes) for a in range(nodes)]  # one node: a link to itself
    assert distance(rank(edges, nodes, damping=damping), np.full(nodes, 1 / nodes)) < 1e-13


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("leaves", SIZES)
def test_a_star_s_centre_has_its_leaves_share(leaves: int, damping: float) -> None:
    """In units of a leaf the dangling centre has 1 + d * leaves."""
    expected = np.ones(leaves + 1)
    expected[0] += damping * leaves
    edges = [(leaf, 0) for leaf in range(1, leaves + 1)]
    found = rank(edges, leaves + 1, damping=damping)
    assert distance(found, expected / expected.sum()) < 1e-11


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("leaves", SIZES)
def test_a_star_that_links_back_has_the_solution_of_two_equations(
    leaves: int, damping: float
) -> None:
    """centre = t + d * leaves * leaf, leaf = t + d * centre / leaves, t = (1 - d) / nodes."""
    teleport = (1 - damping) / (leaves + 1)
    centre = teleport * (1 + damping * leaves) / (1 - damping**2)
    expected = np.full(leaves + 1, teleport + damping * centre / leaves)
    expected[0] = centre
    edges = [edge for leaf in range(1, leaves + 1) for edge in ((0, leaf), (leaf, 0))]
    assert distance(rank(edges, leaves + 1, damping=damping), expected) < 1e-11


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("nodes", SIZES)
def test_along_a_chain_it_grows_by_powers_of_the_damping(nodes: int, damping: float) -> None:
    """In units of the first node, node i has 1 + d + ... + d**i; the last one dangles."""
    expected = np.cumsum(damping ** np.arange(nodes))
    edges = [(a, a + 1) for a in range(nodes - 1)]
    assert distance(rank(edges, nodes, damping=damping), expected / expected.sum()) < 1e-11


@pytest.mark.parametrize("nodes", [2, 3, 10, 1000])
def test_a_link_to_itself_keeps_its_share(nodes: int) -> None:
    """In units of the dangling nodes, that one has 1 / (1 - d)."""
    expected = np.ones(nodes)
    expected[0] = 1 / (1 - 0.85)
    assert distance(rank([(0, 0)], nodes), expected / expected.sum()) < 1e-11


def test_no_nodes_make_an_empty_vector() -> None:
    assert rank([], 0).shape == (0,)


# Other implementations


@given(graphs(), st.sampled_from(DAMPINGS))
def test_it_solves_the_equation_of_the_definition(graph: tuple[Edges, int], damping: float) -> None:
    """A dense direct solution, by Gauss elimination."""
    edges, nodes = graph
    transition = np.zeros((nodes, nodes))
    for source, target in edges:
        transition[target, source] = 1
    out = transition.sum(axis=0)
    transition[:, out == 0] = 1 / nodes
    transition[:, out > 0] /= out[out > 0]
    teleport = np.full(nodes, (1 - damping) / nodes)
    expected = np.linalg.solve(np.eye(nodes) - damping * transition, teleport)
    assert distance(rank(edges, nodes, damping=damping), expected) < 5 * TOLERANCE


@pytest.mark.parametrize("seed", range(5))
def test_networkx_and_igraph_agree_on_random_graphs(seed: int) -> None:
    random = np.random.default_rng(seed)
    nodes = int(random.integers(10, 3000))
    ends = (nodes * random.random((int(random.integers(1, 8)) * nodes, 2)) ** [1, 3]).astype(int)
    edges = [(int(a), int(b)) for a, b in np.unique(ends, axis=0)]
    found = rank(edges, nodes)
    other = igraph.Graph(n=nodes, edges=edges, directed=True).pagerank()
    assert distance(found, other) < 1e-10
    network = networkx.DiGraph(edges)
    network.add_nodes_from(range(nodes))
    by_node = networkx.pagerank(network, tol=1e-15, max_iter=1000)
    assert distance(found, [by_node[node] for node in range(nodes)]) < 1e-10


def test_the_published_vector_of_a_real_crawl_is_reproduced(shared: Path) -> None:
    edges = np.load(shared / "graph" / "cnr-2000-edges.npz")
    published = np.load(shared / "graph" / "cnr-2000-pagerank-a0.85.npy")
    found = pagerank(edges["src"], edges["dst"], len(published))
    assert distance(found, published) < 1.2e-12  # ours 1e-12, the published one 1e-13


# What holds for every graph


@given(graphs())
def test_it_is_a_distribution_and_no_node_has_less_than_the_teleport(
    graph: tuple[Edges, int],
) -> None:
    found = rank(*graph)
    assert abs(found.sum() - 1) < 1e-12
    assert found.min() >= (1 - 0.85) / graph[1] * (1 - 1e-12)


@given(graphs(), st.randoms(use_true_random=False), st.sampled_from([1, 3, 1 << 18]))
def test_the_order_of_the_edges_does_not_change_a_byte(
    graph: tuple[Edges, int], random: object, block: int
) -> None:
    edges, nodes = graph
    shuffled = list(edges)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_EDGES", block)
        found = rank(edges, nodes)
        assert rank(shuffled, nodes).tobytes() == found.tobytes()
    assert rank(edges, nodes).tobytes() == found.tobytes()  # nor does the size of the blocks


@given(graphs(), st.data())
def test_other_node_numbers_permute_the_vector(
    graph: tuple[Edges, int], data: st.DataObject
) -> None:
    edges, nodes = graph
    number = data.draw(st.permutations(range(nodes)))
    renumbered = rank([(number[a], number[b]) for a, b in edges], nodes)
    assert distance(renumbered[number], rank(edges, nodes)) < 2 * TOLERANCE


@pytest.mark.parametrize("kind", [np.uint32, np.int32, np.int64])
def test_every_integer_type_gives_the_same(kind: type[np.int32]) -> None:
    found = pagerank(np.array([0, 1, 2, 2], kind), np.array([1, 2, 0, 3], kind), 4)
    assert found.tobytes() == rank([(0, 1), (1, 2), (2, 0), (2, 3)], 4).tobytes()


@pytest.mark.parametrize("nodes", [5, 200])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-6, 1e-12])
def test_the_bound_reported_holds_and_reaches_the_tolerance(tolerance: float, nodes: int) -> None:
    """Two pages that link to each other gain slowly what the dangling ones lose."""
    edges = np.array([(0, 1), (1, 0), (2, 0), (3, 0), (4, 0)], np.uint32)
    reports: list[tuple[int, float]] = []
    found = pagerank(
        edges[:, 0],
        edges[:, 1],
        nodes,
        tolerance=tolerance,
        progress=lambda step, bound: reports.append((step, bound)),
    )
    exact = pagerank(edges[:, 0], edges[:, 1], nodes, tolerance=1e-15)
    assert [step for step, _ in reports] == list(range(1, len(reports) + 1))
    assert distance(found, exact) <= reports[-1][1] <= tolerance
    assert all(bound > tolerance for _, bound in reports[:-1])


# Errors


@pytest.mark.parametrize("edge", [(0, 3), (3, 0), (0, -1), (-1, 0)])
def test_a_node_number_out_of_range_is_refused(edge: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected 0 to 2"):
        pagerank(np.array([edge[0]], np.int32), np.array([edge[1]], np.int32), 3)


def test_an_edge_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="given twice"):
        rank([(0, 1), (1, 2), (0, 1)], 3)


def test_arrays_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one length"):
        pagerank(np.array([0, 1], np.int32), np.array([1], np.int32), 2)


@pytest.mark.parametrize("nodes", [-1, 2**31])
def test_an_impossible_number_of_nodes_is_refused(nodes: int) -> None:
    with pytest.raises(ValueError, match="nodes: expected"):
        rank([], nodes)


@pytest.mark.parametrize("options", [{"damping": 0}, {"damping": 1}, {"tolerance": 0}])
def test_damping_and_tolerance_lie_between_0_and_1(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected between 0 and 1"):
        rank([(0, 1)], 2, **options)
