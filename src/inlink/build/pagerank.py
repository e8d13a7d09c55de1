"""PageRank of a link graph.

In: the edges, as two arrays of node numbers. Out: one float64 for each node, summing to 1.

With N nodes, damping d and out(u) the number of edges that leave u, PageRank is the vector with

    x(v) = (1 - d + d D) / N  +  d * (sum of x(u) / out(u) over the edges u -> v)
    D    = sum of x(u) over the dangling nodes, those without edges that leave them

that is, the random surfer of Brin and Page ("The anatomy of a large-scale hypertextual web search
engine", 1998) with uniform teleport, the mass of dangling nodes spread uniformly (Langville and
Meyer, "Deeper inside PageRank", 2004). An edge from a node to itself counts like any other.

Update rule: power iteration from the uniform vector, over the nodes that have edges leaving them; D
is 1 less their sum. Dangling nodes pass nothing on along edges, so one last step, over all nodes,
gives them their values (lumping: Ipsen and Selee, "PageRank computation, with special attention to
dangling nodes", 2007). In a backlink index most nodes are pages that were never visited.

Stopping bound: a step brings the L1 distance to the solution x* down to d times itself or less, so

    ||x_new - x*|| <= d / (1 - d) * ||x_new - x_old||        (D counts as one more entry)

As the start is at most 2 away from x*, k steps leave at most 2 d^k. The iteration ends when the
smaller of the two bounds is at most the tolerance; with the defaults after 175 steps or fewer.

Memory: the matrix is 0 and 1, the weights being in the vector, divided by out(u) before each
product. SciPy wants 8 bytes an edge for the ones; cut into blocks of rows, they share one short
array of ones, and an edge takes the 4 bytes of its source (``bench/pagerank.py`` compares).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

DAMPING = 0.85
TOLERANCE = 1e-12
"""L1 distance to the exact vector that is allowed, not counting rounding."""

BLOCK_EDGES = 1 << 18

Nodes = NDArray[np.uint32] | NDArray[np.int32] | NDArray[np.int64]
Progress = Callable[[int, float], None]
"""Called after each step with its number, from 1, and the bound reached."""


def pagerank(
    sources: Nodes,
    targets: Nodes,
    nodes: int,
    *,
    damping: float = DAMPING,
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """PageRank of the graph of *nodes* nodes with the edges *sources[i]* -> *targets[i]*.

    The edges are distinct and in any order: they are sorted here, so that the same graph gives the
    same bytes. Memory: 20 bytes an edge while it sorts, those of the arguments included, 12 after
    that; some 30 bytes a node. It is faster when the pages of a site have successive numbers.

    Raises:
        ValueError: a node number out of range, an edge given twice, arrays of different lengths,
            2**31 nodes or more, or a damping or tolerance not between 0 and 1.
    """
    _check(sources, targets, nodes, damping, tolerance)
    if not nodes:
        return np.empty(0)
    graph = _Graph.sort(sources, targets, nodes)
    x, dangling = np.full(graph.linking, 1 / nodes), 1 - graph.linking / nodes
    steps, bound = 0, 2.0
    while bound > tolerance:
        new = graph.step(x, dangling, damping, graph.linking)
        new_dangling = 1 - float(new.sum())
        change = float(np.abs(new - x).sum()) + abs(new_dangling - dangling)
        x, dangling, steps = new, new_dangling, steps + 1
        bound = min(damping / (1 - damping) * change, 2 * damping**steps)
        if progress:
            progress(steps, bound)
    result = np.empty(nodes)
    result[graph.order] = graph.step(x, dangling, damping, nodes)
    return result


def _check(sources: Nodes, targets: Nodes, nodes: int, damping: float, tolerance: float) -> None:
    if not 0 <= nodes < 2**31:
        raise ValueError(f"{nodes} nodes: expected 0 to 2**31 - 1")
    if not (0 < damping < 1 and 0 < tolerance < 1):
        raise ValueError(f"damping {damping}, tolerance {tolerance}: expected between 0 and 1")
    if sources.shape != targets.shape or sources.ndim != 1:
        raise ValueError(f"sources {sources.shape}, targets {targets.shape}: expected one length")
    for ends in (sources, targets):
        if ends.size and not 0 <= int(ends.min()) <= int(ends.max()) < nodes:
            raise ValueError(
                f"node numbers {ends.min()} to {ends.max()}: expected 0 to {nodes - 1}"
            )


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph numbered anew: first the nodes that edges leave, then the dangling ones."""

    linking: int  # how many nodes have edges leaving them
    order: NDArray[np.intp]  # by new number, the old one
    out: NDArray[np.int32]  # how many edges leave each of the linking nodes
    blocks: list[tuple[int, csr_array[np.float64]]]  # number of the first row, and the rows

    @classmethod
    def sort(cls, sources: Nodes, targets: Nodes, nodes: int) -> "_Graph":
        out = np.bincount(sources, minlength=nodes)
        linking = int(np.count_nonzero(out))
        order = np.argsort(out == 0, kind="stable")
        number = np.empty(nodes, np.uint32)
        number[order] = np.arange(nodes, dtype=np.uint32)
        edges = _sorted_edges(sources, targets, number)
        starts = np.searchsorted(edges, np.arange(nodes + 1, dtype=np.uint64) << np.uint64(32))
        columns = edges.astype(np.uint32).view(np.int32)  # the lower half
        del edges
        blocks = _blocks(starts, columns, linking)
        return cls(linking, order, out[order[:linking]].astype(np.int32), blocks)

    def step(
        self, x: NDArray[np.float64], dangling: float, damping: float, rows: int
    ) -> NDArray[np.float64]:
        """The first *rows* entries of the step that follows *x*, the linking nodes' entries."""
        passed_on = x / self.out
        passed_on *= damping
        new = np.full(rows, (1 - damping + damping * dangling) / len(self.order))
        for first, block in self.blocks:
            if first < rows:
                new[first : first + block.shape[0]] += block @ passed_on
        return new


def _sorted_edges(sources: Nodes, targets: Nodes, number: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Each edge as target * 2**32 + source in new numbers, ascending."""
    edges = np.empty(len(sources), np.uint64)
    for start in range(0, len(sources), BLOCK_EDGES):
        part = slice(start, start + BLOCK_EDGES)
        edges[part] = number[targets[part]]
        edges[part] <<= np.uint64(32)
        edges[part] |= number[sources[part]]
    edges.sort()
    if (edges[1:] == edges[:-1]).any():
        raise ValueError("an edge is given twice")
    return edges


def _blocks(
    starts: NDArray[np.intp], columns: NDArray[np.int32], linking: int
) -> list[tuple[int, csr_array[np.float64]]]:
    """Rows cut into blocks of about BLOCK_EDGES edges, one of the cuts being at *linking*.

    Attributes are assigned because the constructor of csr_array copies slices.
    """
    cuts = np.searchsorted(starts, np.arange(0, len(columns), BLOCK_EDGES))
    cuts = np.unique(np.concatenate([cuts, [0, linking, len(starts) - 1]]))
    ones = np.ones(np.diff(starts[cuts]).max(initial=0))
    blocks = []
    for first, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        begin, count = starts[first], starts[end] - starts[first]
        block = csr_array((end - first, linking), dtype=np.float64)
        block.data = ones[:count]
        block.indices = columns[begin : begin + count]
        block.indptr = (starts[first : end + 1] - begin).astype(np.int32)
        blocks.append((first, block))
    return blocks
