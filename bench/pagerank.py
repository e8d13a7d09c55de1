"""How fast PageRank is and what memory it takes, beside other ways of computing it.

    python bench/pagerank.py [EDGES]

Graphs: cnr-2000 (from ../shared/data/graph beside the checkout; left out where that is absent), the
same with its nodes numbered at random, and a made-up one of EDGES (10,000,000) edges. For each: one
product of the 0 and 1 matrix with a vector, done in several ways, and the whole computation.
Times are CPU time, of one thread. Docs: docs/ranks.md.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import igraph
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from inlink.build.pagerank import DAMPING, TOLERANCE, _Graph, pagerank

GRAPHS = Path(__file__).parents[2] / "shared" / "data" / "graph"

Ends = NDArray[np.uint32]
Graph = tuple[Ends, Ends, int]


def made_up(edges: int) -> Graph:
    """Ten edges a node; 70 % stay among the 50 nodes of a site; 30 % of the nodes dangle."""
    random = np.random.default_rng(1)
    nodes = edges // 10
    sources = random.integers(0, nodes * 7 // 10, edges)
    inside = sources // 50 * 50 + (50 * random.random(edges) ** 2).astype(np.int64)
    outside = (nodes * random.random(edges) ** 4).astype(np.int64)
    targets = np.where(random.random(edges) < 0.7, inside, outside).clip(max=nodes - 1)
    key = np.unique(sources * nodes + targets)
    return (key // nodes).astype(np.uint32), (key % nodes).astype(np.uint32), nodes


def shuffled(graph: Graph) -> Graph:
    """The same graph with its nodes numbered at random."""
    sources, targets, nodes = graph
    number = np.random.default_rng(2).permutation(nodes).astype(np.uint32)
    return number[sources], number[targets], nodes


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    """CPU time, the best of some runs."""
    best = float("inf")
    for _ in range(runs):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def products(graph: Graph) -> None:
    """Print the time of one product, and the bytes an edge of what it needs at hand."""
    sources, targets, nodes = graph
    ends = (targets.view(np.int32), sources.view(np.int32))
    small = csr_array((np.ones(len(sources), np.int8), ends), shape=(nodes, nodes))
    single, double = small.astype(np.float32), small.astype(np.float64)
    x = np.random.default_rng(0).random(nodes)
    rows = small.indptr[np.flatnonzero(np.diff(small.indptr))]
    sorted_graph = _Graph.sort(*graph)
    y = x[: sorted_graph.linking]
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "one matrix of float64": (12, lambda: double @ x),
        "one matrix of float32": (8, lambda: single @ x),
        "one matrix of int8": (5, lambda: small @ x),
        "add.reduceat": (4, lambda: np.add.reduceat(x[small.indices], rows)),
        "bincount": (8, lambda: np.bincount(targets, x[sources], nodes)),
        "blocks with common ones": (4, lambda: [block @ y for _, block in sorted_graph.blocks]),
    }
    base = seconds(ways["one matrix of float64"][1])
    for name, (size, way) in ways.items():
        took = seconds(way)
        print(f"  {name:24} {size:2} B/edge  {took * 1000:7.1f} ms  ratio {took / base:.2f}")


def textbook(graph: Graph) -> tuple[NDArray[np.float64], int]:
    """Power iteration over all nodes on one SciPy matrix that holds the weights."""
    sources, targets, nodes = graph
    out = np.bincount(sources, minlength=nodes)
    ends = (targets.view(np.int32), sources.view(np.int32))
    matrix = csr_array((DAMPING / out[sources], ends), shape=(nodes, nodes))
    dangling = out == 0
    x, bound, steps = np.full(nodes, 1 / nodes), 1.0, 0
    while bound > TOLERANCE:
        new = matrix @ x + (1 - DAMPING + DAMPING * x[dangling].sum()) / nodes
        bound = DAMPING / (1 - DAMPING) * np.abs(new - x).sum()
        x, steps = new, steps + 1
    return x, steps


def gauss_seidel(graph: Graph) -> tuple[NDArray[np.float64], int]:
    """r = 1 + d * (sum of r(u) / out(u)), each block using what the ones before it just gave."""
    sorted_graph = _Graph.sort(*graph)
    linking = sorted_graph.linking
    r, bound, sweeps = np.ones(graph[2]), 1.0, 0
    passed_on = DAMPING * r[:linking] / sorted_graph.out
    while bound > TOLERANCE:
        change = 0.0
        for first, block in sorted_graph.blocks:
            rows = slice(first, first + block.shape[0])
            new = np.asarray(block @ passed_on) + 1.0
            if first < linking:
                change += float(np.abs(new - r[rows]).sum())
                passed_on[rows] = DAMPING * new / sorted_graph.out[rows]
            r[rows] = new
        bound = 2 * DAMPING / (1 - DAMPING) * change / float(r.sum())
        sweeps += 1
    result = np.empty(graph[2])
    result[sorted_graph.order] = r / r.sum()
    return result, sweeps


def inlink(graph: Graph) -> tuple[NDArray[np.float64], int]:
    """What Inlink does."""
    steps: list[int] = []
    return pagerank(*graph, progress=lambda step, _: steps.append(step)), steps[-1]


def prpack(graph: Graph) -> tuple[NDArray[np.float64], int]:
    """PRPACK, through igraph."""
    sources, targets, nodes = graph
    edges = np.stack([sources, targets], axis=1).astype(np.int64)
    return np.array(igraph.Graph(n=nodes, edges=edges, directed=True).pagerank()), 0


def solvers(graph: Graph) -> None:
    """Print the time of the whole computation, the better of two, and the distance from ours."""
    ours, base = np.empty(0), 0.0
    for solve in (inlink, textbook, gauss_seidel, prpack):
        results: list[tuple[NDArray[np.float64], int]] = []
        took = seconds(lambda: results.append(solve(graph)), 2)  # noqa: B023
        rank, steps = results[0]
        if solve is inlink:
            ours, base = rank, took
        distance = float(np.abs(rank - ours).sum())
        print(
            f"  {solve.__name__:14} {took:6.2f} s  ratio {took / base:5.2f}  steps {steps or '-':4}"
            f"  L1 from ours {distance:.1e}"
        )


def memory(graph: Graph) -> None:
    """Print the most memory that ``pagerank`` has at a time, its arguments included."""
    sources, targets, nodes = graph
    tracemalloc.start()
    pagerank(sources, targets, nodes, tolerance=0.1)
    peak = tracemalloc.get_traced_memory()[1] + sources.nbytes + targets.nbytes
    tracemalloc.stop()
    print(f"  most memory {peak / 1e6:.0f} MB: {peak / len(sources):.1f} bytes an edge")


def main() -> None:
    """Print everything."""
    graphs = {}
    if GRAPHS.exists():
        edges = np.load(GRAPHS / "cnr-2000-edges.npz")
        graphs["cnr-2000"] = (edges["src"], edges["dst"], 325_557)
        graphs["cnr-2000 numbered at random"] = shuffled(graphs["cnr-2000"])
    graphs["made up"] = made_up(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
    for name, graph in graphs.items():
        print(f"{name}: {graph[2]:,} nodes, {len(graph[0]):,} edges")
        products(graph)
        solvers(graph)
        memory(graph)


if __name__ == "__main__":
    main()
