"""PageRank of a link graph.

In: the edges, as two arrays of node numbers. Out: one float64 for each node, summing to 1.

With N nodes, damping d and out(u) the number of edges that leave u, PageRank is the vector with

    x(v) = (1 - d + d D) / N  +  d * (sum of x(u) / out(u) over the edges u -> v)
    D    = sum of x(u) over the dangling nodes, which no edges leave

that is, the random surfer of Brin and Page ("The anatomy of a large-scale hypertextual web search
engine", 1998) with uniform teleport, the mass of dangling nodes spread uniformly (Langville and
Meyer, "Deeper inside PageRank", 2004). An edge from a node to itself counts like any other.

Linear system: divided by its first term, which is the same for every node, x solves

    y(v) = 1 + d * (sum of y(u) / out(u) over the edges u -> v),    x = y / (sum of y)

where D does not occur (Del Corso, Gulli and Romani, "Fast PageRank computation via a sparse linear
system", 2005). Dangling nodes pass nothing on, so one last step gives them their values (Ipsen and
Selee, "PageRank computation, with special attention to dangling nodes", 2007); before that, only
nodes that edges leave take part. In a backlink index most nodes are pages that were never visited.

Update rule: a step replaces y by the right side, starting from y = 1. At first, y is scaled before
each step so that the changes of the step sum to zero. Scaling removes the error along the solution
itself, so that steps approach the solution as fast as the walks of surfers mix, as in power
iteration. Without it, each step would only reduce the error by the damping factor.

As soon as a step leaves more than a certain part of the change, the web does not mix, and y is no
longer scaled. From then on, if the nodes that change most have less than half of the edges, steps
among only these are inserted until the others have more to change. Most of a web converges soon,
and then waits for small groups of pages that link to each other ("adaptive": Kamvar, Haveliwala and
Golub, "Adaptive methods for the computation of PageRank", 2004). Whatever the few pass on to others
meanwhile is part of the change in the next step over all nodes, so nothing is neglected.

Stopping bound: let c be the sum of the absolute changes in a step over all nodes. In the steps that
would follow, it is at most d c, d d c and so on, so y differs from the solution y* by at most
c d / (1 - d) in sum, and after the last step, to all nodes, by d times that. With S the
sum of y, the sum of y* is at least S - c d / (1 - d), and at least N, so that

    ||y / S - x||  <=  2 ||y - y*|| / (sum of y*)
                   <=  2 d**2 / (1 - d) * c / max(N, S - c d / (1 - d))

in the L1 norm. A step that is not scaled multiplies c by d or less, although rounding may hide
that. A scaled step multiplies it by less, or is the last scaled one. The iteration ends when the
bound is at most the tolerance; with the defaults, after at most some 200 steps over all nodes.

Memory: the matrix contains only 0 and 1, because the vector is divided by out(u) before each
product. SciPy needs 8 bytes per edge for the ones. Cut into blocks of rows, the matrix shares one
short array of ones, and an edge takes the 4 bytes of its source.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

DAMPING = 0.85
TOLERANCE = 1e-12
"""Allowed L1 distance to the exact vector, not counting rounding."""

BLOCK_EDGES = 1 << 18
MIXES = 0.6
"""While a step leaves less than this part of the change, the web mixes."""
TRIAL = 5
"""Steps before that is checked: the first ones are not typical."""
BUSY = 0.3
"""A node is busy when it changes by more than this part of the mean change."""
BUSY_EDGES = 0.5
"""Steps among the busy nodes are worthwhile if these have less than this part of the edges."""

Nodes = NDArray[np.uint32] | NDArray[np.int32] | NDArray[np.int64]
Floats = NDArray[np.float64]
Progress = Callable[[int, float], None]
"""Called after each step over all nodes with its number, from 1, and the bound reached."""


def pagerank(
    sources: Nodes,
    targets: Nodes,
    nodes: int,
    *,
    damping: float = DAMPING,
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> Floats:
    """PageRank of the graph of *nodes* nodes with the edges *sources[i]* -> *targets[i]*.

    The edges are distinct and in any order; they are sorted here, so that the same graph gives the
    same bytes. Memory: 20 bytes per edge during the sort, including the arguments, and 12 after it;
    some 50 bytes per node. It is faster if the pages of a site have successive numbers.

    Raises:
        ValueError: a node number out of range, an edge given twice, arrays of different lengths,
            2**31 nodes or more, or a damping or tolerance that is not between 0 and 1.
    """
    if not (0 < damping < 1 and 0 < tolerance < 1):
        raise ValueError(f"damping {damping}, tolerance {tolerance}: expected between 0 and 1")
    return Graph.sort(sources, targets, nodes).pagerank(damping, tolerance, progress)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a 0-1 matrix: for each node, the sources of the edges that reach it."""

    lengths: NDArray[np.int32]
    blocks: list[tuple[int, csr_array[np.float64]]]  # number of the first row, and the rows

    def times(self, vector: Floats, out: Floats) -> Floats:
        """Their product with *vector*, in *out*."""
        for first, block in self.blocks:
            out[first : first + block.shape[0]] = np.asarray(block @ vector)
        return out

    def among(self, chosen: NDArray[np.intp]) -> "_Rows":
        """The rows and columns of the *chosen* nodes, which are in ascending order."""
        number = np.full(len(self.lengths), -1, np.int32)
        number[chosen] = np.arange(len(chosen), dtype=np.int32)
        columns, lengths = [], []
        for first, block in self.blocks:
            begin, end = np.searchsorted(chosen, [first, first + block.shape[0]])
            rows = block[chosen[begin:end] - first]
            sources = number[rows.indices]
            inside = sources >= 0
            columns.append(sources[inside])
            lengths.append(np.diff(np.append(0, inside.cumsum())[rows.indptr]))
        return _rows(np.concatenate(lengths), np.concatenate(columns), len(chosen))


@dataclass(frozen=True, slots=True)
class Graph:
    """A renumbered graph: first the nodes that edges leave, then the dangling ones."""

    order: NDArray[np.intp]  # the old number, by the new one
    out: NDArray[np.int32]  # how many edges leave each of the nodes that edges leave
    linking: _Rows  # of these nodes
    dangling: _Rows

    @classmethod
    def sort(cls, sources: Nodes, targets: Nodes, nodes: int) -> "Graph":
        """The graph of *nodes* nodes with the edges *sources[i]* -> *targets[i]*.

        Raises:
            ValueError: see `pagerank`.
        """
        _check(sources, targets, nodes)
        dangles = np.ones(nodes, np.bool_)
        dangles[sources] = False
        order = np.argsort(dangles, kind="stable")
        linking = nodes - int(np.count_nonzero(dangles))
        number = np.empty(nodes, np.uint32)
        number[order] = np.arange(nodes, dtype=np.uint32)
        edges = _sorted_edges(sources, targets, number)
        starts = np.searchsorted(edges, np.arange(nodes + 1, dtype=np.uint64) << np.uint64(32))
        columns = edges.astype(np.uint32).view(np.int32)  # the lower half
        del edges
        lengths, cut = np.diff(starts), starts[linking]
        return cls(
            order,
            np.bincount(columns, minlength=linking).astype(np.int32),
            _rows(lengths[:linking], columns[:cut], linking),
            _rows(lengths[linking:], columns[cut:], linking),
        )

    def pagerank(
        self,
        damping: float = DAMPING,
        tolerance: float = TOLERANCE,
        progress: Progress | None = None,
    ) -> Floats:
        """PageRank of each node, by its old number; see the function of this name."""
        if not len(self.order):
            return np.empty(0)
        linking = len(self.out)
        result = np.empty(len(self.order))
        ranks = self._solve(damping, tolerance, progress)
        last = np.empty(len(self.order))
        weighted = ranks * (damping / self.out)
        self.linking.times(weighted, last[:linking])
        self.dangling.times(weighted, last[linking:])
        last += 1
        last /= last.sum()
        result[self.order] = last
        return result

    def _solve(self, damping: float, tolerance: float, progress: Progress | None) -> Floats:
        """y of the nodes that edges leave."""
        weights, nodes = damping / self.out, len(self.order)
        y, new, weighted, sizes = (np.ones(len(weights)) for _ in range(4))
        steps, bound, before, mixes = 0, 2.0, np.inf, True
        while bound > tolerance and len(weights):
            self.linking.times(np.multiply(y, weights, out=weighted), new)
            if mixes:
                scale = len(weights) / float(y.sum() - new.sum())
                y *= scale
                new *= scale
            new += 1
            change = np.subtract(new, y, out=y)
            y, new = new, y
            left = float(np.abs(change, out=sizes).sum())
            steps += 1
            least = nodes + damping * float(y.sum()) - left * damping / (1 - damping)
            error = 2 * damping**2 / (1 - damping) / max(nodes, least)  # for each unit of change
            bound = left * error if mixes else min(bound * damping, left * error)
            mixes = mixes and (steps < TRIAL or left < MIXES * before)
            before = left
            if progress:
                progress(steps, bound)
            if bound > tolerance and not mixes:
                self._settle(y, change, sizes, weights, tolerance / error)
        return y

    def _settle(
        self, y: Floats, change: Floats, sizes: Floats, weights: Floats, enough: float
    ) -> None:
        """Steps among the busy nodes, which add the consequences of the last *change* to *y*.

        *sizes* are the absolute changes. The steps end when those of the busy nodes sum to less
        than those of the other nodes, or than *enough*.
        """
        busy = np.flatnonzero(sizes > BUSY * sizes.mean())
        lengths = self.linking.lengths
        if lengths[busy].sum() > BUSY_EDGES * lengths.sum():
            return
        rows, sizes_of_others = self.linking.among(busy), sizes.sum() - sizes[busy].sum()
        change, weights, gain = change[busy], weights[busy], np.zeros(len(busy))
        enough = max(enough, float(sizes_of_others))
        while np.abs(change).sum() > enough:
            rows.times(change * weights, change)
            gain += change
        y[busy] += gain


def _check(sources: Nodes, targets: Nodes, nodes: int) -> None:
    if not 0 <= nodes < 2**31:
        raise ValueError(f"{nodes} nodes: expected 0 to 2**31 - 1")
    if sources.shape != targets.shape or sources.ndim != 1:
        raise ValueError(f"sources {sources.shape}, targets {targets.shape}: expected one length")
    for ends in (sources, targets):
        if ends.size and not 0 <= int(ends.min()) <= int(ends.max()) < nodes:
            raise ValueError(
                f"node numbers {ends.min()} to {ends.max()}: expected 0 to {nodes - 1}"
            )


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


def _rows(lengths: NDArray[np.integer], columns: NDArray[np.int32], width: int) -> _Rows:
    """Rows, cut into blocks of about BLOCK_EDGES edges.

    Attributes are assigned because the constructor of csr_array copies slices.
    """
    starts = np.append(0, lengths.cumsum())
    cuts = np.searchsorted(starts, np.arange(0, len(columns), BLOCK_EDGES))
    cuts = np.unique(np.concatenate([cuts, [0, len(lengths)]]))
    ones = np.ones(np.diff(starts[cuts]).max(initial=0))
    blocks = []
    for first, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        begin, count = starts[first], starts[end] - starts[first]
        block = csr_array((end - first, width), dtype=np.float64)
        block.data = ones[:count]
        block.indices = columns[begin : begin + count]
        block.indptr = (starts[first : end + 1] - begin).astype(np.int32)
        blocks.append((first, block))
    return _Rows(lengths.astype(np.int32), blocks)
