"""InLink Rank: PageRank on a logarithmic scale from 0 to 100.

In: PageRank, and the sources of the edges it was computed from. Out: a whole number for each node.

PageRank shrinks as the graph grows, because it sums to 1. What a node receives through links,

    r(v) = x(v) / x0 - 1,    x0 = (1 - d + d D) / N

does not: x0 is what every node has without any link (``pagerank`` has the formula). In units of x0,
the equation is r(v) = d * (sum of (1 + r(u)) / out(u) over the edges u -> v), which depends neither
on N nor on D nor on any node without a path to v. This is PageRank before normalisation (Del
Corso, Gulli and Romani, "Fast PageRank computation via a sparse linear system", 2005).
InLink Rank is

    min(100, round(100 * log(1 + r / R0) / log(1 + R1 / R0)))

``docs/ranks.md`` gives the reasons for R0 and R1, with figures from ``bench/rank_scale.py``.
"""

import numpy as np
from numpy.typing import NDArray

from inlink.fold.pagerank import DAMPING, Nodes

FINEST = 0.01
"""R0: what each page receives from a page without in-links that links to 85 pages; the scale is
logarithmic above, linear below."""

HIGHEST = 1e7
"""R1: the amount that makes 100, a little more than the first domain of the whole web receives."""


def inlink_rank(
    pagerank: NDArray[np.float64], sources: Nodes, *, damping: float = DAMPING
) -> NDArray[np.int16]:
    """InLink Rank, 0 to 100, of the nodes whose PageRank is *pagerank*; 0 without links.

    *sources* and *damping* are those that PageRank was computed with.
    """
    share = received(pagerank, sources, damping=damping)
    score: NDArray[np.float64] = np.log1p(share / FINEST) * (100 / np.log1p(HIGHEST / FINEST))
    return np.minimum(score.round(), 100).astype(np.int16)


def received(
    pagerank: NDArray[np.float64], sources: Nodes, *, damping: float = DAMPING
) -> NDArray[np.float64]:
    """What each node receives through links, in units of the PageRank of a node without any.

    The arguments are those of ``inlink_rank``.
    """
    dangling = np.ones(len(pagerank), np.bool_)
    dangling[sources] = False
    base = (1 - damping + damping * float(pagerank[dangling].sum())) / max(1, len(pagerank))
    share: NDArray[np.float64] = pagerank / base - 1
    return np.maximum(share, 0)  # rounding
