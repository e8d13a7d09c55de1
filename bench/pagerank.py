"""PageRank: from the edges, and from a graph already made of them, to the rank of each node.

Graphs: cnr-2000 (a real crawl of one domain, from ``../shared/data/graph``; left out where that is
absent), and made-up webs of sites whose sizes, links and popularity follow power laws. Every
contender gets the same two arrays of node numbers. The first case of a graph counts what it makes
of them and the ranking, the second only the ranking. Times are processor time, without a round to
warm up: the making of the graph, and of 30 or 200 million edges, is long enough.

The limit is power iteration, of which only the products of a matrix and a vector count: as many as
it needs, by SciPy, on the normalised matrix that anybody would make (float64, all nodes), which is
there already. Inlink needs fewer products, so it can be faster than that.

All are run until they are about `TOLERANCE` from the exact vector in the L1 norm, as far as their
settings allow, and held against Inlink's vector: `AGREE` is the most that they may differ.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import igraph
import networkx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from sknetwork.ranking import PageRank

from bench.harness import INLINK, SHARED, Goal, Kind, Measurement, Run, Skipped
from inlink.fold.pagerank import DAMPING, TOLERANCE, Graph, pagerank

TITLE = "PageRank"
GOALS = [
    Goal("Faster than every peer, from the edges on", "from edges", "best peer", at_least=1),
    Goal("Faster than every peer, the graph being made", "ranking", "best peer", at_least=1),
    Goal("Within 1.5 times the limit, from the edges on", "from edges", "limit", at_least=2 / 3),
    Goal("Within 1.5 times the limit, the graph being made", "ranking", "limit", at_least=2 / 3),
]
AGREE = 1e-10
CNR_2000 = SHARED / "graph" / "cnr-2000-edges.npz"
MADE_UP_EDGES = (30_000_000, 200_000_000)
MADE_UP_EDGES_QUICK = (5_000_000,)
IGRAPH_EDGES, NETWORKX_EDGES = 50_000_000, 4_000_000
"""The largest graphs that these are given."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Web:
    """A graph as every contender gets it, and how many products power iteration needs on it."""

    name: str
    sources: NDArray[np.int32]
    targets: NDArray[np.int32]
    nodes: int


@dataclass(frozen=True)
class Turn:
    """One turn of a contender."""

    making: float  # seconds
    ranking: float
    ranks: Floats
    products: int | None = None  # of a matrix and a vector, where that is known


@dataclass
class Contender:
    """What ranks, and its turns."""

    name: str
    kind: Kind
    turn: Callable[[Web], Turn]
    note: str = ""
    turns: list[Turn] = field(default_factory=list)


def cnr_2000() -> Web:
    """The real crawl."""
    edges = np.load(CNR_2000)
    sources, targets = (edges[end].astype(np.int32) for end in ("src", "dst"))
    return Web("cnr-2000", sources, targets, 325_557)


def made_up(edges: int) -> Web:
    """About *edges* edges, 7.5 a node.

    Pages of a site have successive numbers. Seven links in ten stay in the site, and lead to its
    first pages most; the others to the first pages of popular sites. Three pages in ten dangle.
    """
    random = np.random.default_rng(1)
    nodes = edges * 2 // 15
    sizes = np.minimum(random.pareto(1.2, nodes // 8) * 5 + 1, 200_000).astype(np.int64)
    first = np.append(0, sizes.cumsum())
    first = first[first < nodes]
    sizes = np.diff(first, append=nodes)
    popular = random.permutation(len(first))
    sources, targets = [], []
    for start in range(0, nodes, 1 << 17):
        pages = np.arange(start, min(start + (1 << 17), nodes))
        links = np.minimum(random.pareto(1.5, len(pages)) * 5 + 4.6, 2000).astype(np.int64)
        links[random.random(len(pages)) < 0.3] = 0
        source = np.repeat(pages, links)
        away, near = random.random(len(source)) < 0.3, random.random(len(source)) ** 2
        site = np.searchsorted(first, pages, side="right").repeat(links) - 1
        far = popular[(len(first) * near * near * random.random(len(source))).astype(np.int64)]
        site = np.where(away, far, site)
        target = first[site] + (sizes[site] * np.where(away, near**3, near)).astype(np.int64)
        key = np.sort((source * nodes + target)[source != target])
        key = key[np.diff(key, prepend=-1) != 0]
        sources.append((key // nodes).astype(np.int32))
        targets.append((key % nodes).astype(np.int32))
    found = sum(map(len, sources))
    name = f"made up, {found / 1e6:.0f} M edges"
    return Web(name, np.concatenate(sources), np.concatenate(targets), nodes)


def timed(make: Callable[[], Any], rank: Callable[[Any], Floats]) -> Turn:
    """One turn of a contender that makes a graph, and then ranks."""
    start = time.process_time()
    graph = make()
    made = time.process_time()
    ranks = rank(graph)
    return Turn(made - start, time.process_time() - made, ranks)


def inlink(web: Web) -> Turn:
    """Inlink, as a build calls it."""
    return timed(lambda: Graph.sort(web.sources, web.targets, web.nodes), Graph.pagerank)


def power_iteration(web: Web) -> Turn:
    """Power iteration over all nodes; only the products count."""
    out = np.bincount(web.sources, minlength=web.nodes)
    ends = (web.targets, web.sources)
    matrix = csr_array((1 / out[web.sources], ends), shape=(web.nodes, web.nodes))
    dangling = out == 0
    x, distance, seconds, products = np.full(web.nodes, 1 / web.nodes), 1.0, 0.0, 0
    while distance > TOLERANCE:
        start = time.process_time()
        new = np.asarray(matrix @ x)
        seconds += time.process_time() - start
        new = DAMPING * new + (1 - DAMPING + DAMPING * x[dangling].sum()) / web.nodes
        distance = DAMPING / (1 - DAMPING) * float(np.abs(new - x).sum())
        x, products = new, products + 1
    return Turn(0, seconds, x, products)


def prpack(web: Web) -> Turn:
    """igraph, whose default is PRPACK."""
    return timed(
        lambda: igraph.Graph(
            web.nodes,
            np.stack([web.sources, web.targets], axis=1).astype(np.int64),
            directed=True,
        ),
        lambda graph: np.array(graph.pagerank(damping=DAMPING)),
    )


def scikit_network(web: Web, products: int) -> Turn:
    """The solver of scikit-network that is exact: a polynomial in the matrix, of a given degree."""
    ones, ends, shape = np.ones(len(web.sources)), (web.sources, web.targets), (web.nodes,) * 2
    return timed(
        lambda: csr_matrix((ones, ends), shape=shape),
        lambda matrix: np.asarray(PageRank(DAMPING, "RH", products).fit_predict(matrix)),
    )


def networkx_pagerank(web: Web) -> Turn:
    """networkx, which ranks by power iteration on a SciPy matrix."""

    def make() -> networkx.DiGraph:
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(web.nodes))
        graph.add_edges_from(zip(web.sources.tolist(), web.targets.tolist(), strict=True))
        return graph

    tolerance = TOLERANCE / web.nodes * (1 - DAMPING) / DAMPING
    return timed(
        make,
        lambda graph: np.array(
            list(networkx.pagerank(graph, DAMPING, tol=tolerance, max_iter=1000).values())
        ),
    )


def contenders(web: Web) -> Iterator[Contender | Skipped]:
    """Who takes part on *web*. The limit comes first: scikit-network is told its number."""
    limit = Contender("products of power iteration", "limit", power_iteration)
    yield limit
    yield Contender(INLINK, "inlink", inlink)
    yield Contender(
        "scikit-network (RH)",
        "peer",
        lambda web: scikit_network(web, limit.turns[-1].products or 0),
        "has no stopping rule: it is told the number of products that power iteration needs;"
        " its other solvers compute in float32 or treat dangling nodes in another way",
    )
    many = f"{web.name}: "
    if len(web.sources) <= IGRAPH_EDGES:
        yield Contender("igraph (PRPACK)", "peer", prpack, "has a fixed tolerance of 1e-10")
    else:
        yield Skipped("igraph (PRPACK)", many + "it takes some 100 bytes and 2 µs an edge")
    if len(web.sources) <= NETWORKX_EDGES:
        yield Contender("networkx", "peer", networkx_pagerank)
    else:
        yield Skipped("networkx", many + "Python objects of some 400 bytes an edge")


def compare(web: Web, rounds: int, run: Run) -> Iterator[Measurement | Skipped]:
    """All contenders on one graph, in turns.

    Raises:
        AssertionError: the ranks of a contender are not Inlink's.
    """
    taking_part = []
    for each in contenders(web):
        if isinstance(each, Contender):
            taking_part.append(each)
        else:
            yield each
    for number in range(rounds):
        for each in taking_part:
            run.say(f"{web.name}, round {number + 1}: {each.name}")
            gc.collect()
            each.turns.append(each.turn(web))
    ours = next(each.turns[0].ranks for each in taking_part if each.kind == "inlink")
    for each in taking_part:
        differs = float(np.abs(each.turns[0].ranks - ours).sum())
        assert differs < AGREE, f"{each.name} differs by {differs}"
        run.say(f"{web.name}: {each.name} differs from Inlink by {differs:.1e} (L1)")
    for each in taking_part:
        making = [turn.making + turn.ranking for turn in each.turns]
        ranking = [turn.ranking for turn in each.turns]
        for case, seconds in (("from edges", making), ("ranking", ranking)):
            rates = [len(web.sources) / taken for taken in seconds]
            yield Measurement(
                f"{case}: {web.name}", each.name, each.kind, "edges/s", rates, each.note
            )


def most_memory(web: Web) -> Measurement:
    """The most that ``pagerank`` holds at a time, its arguments included."""
    tracemalloc.start()
    pagerank(web.sources, web.targets, web.nodes)
    most = tracemalloc.get_traced_memory()[1] + web.sources.nbytes + web.targets.nbytes
    tracemalloc.stop()
    case = f"memory at most, an edge: {web.name}"
    return Measurement(case, INLINK, "inlink", "bytes", [most / len(web.sources)])


def measure(run: Run) -> Iterator[Measurement | Skipped]:
    """Every graph, the smallest first."""
    if CNR_2000.exists():
        yield from compare(cnr_2000(), run.either(3, 1), run)
    else:
        yield Skipped("cnr-2000", f"{CNR_2000} is absent")
    for edges in MADE_UP_EDGES_QUICK if run.quick else MADE_UP_EDGES:
        if edges > 4 * run.most_links:
            continue
        run.say(f"making a web of {edges:,} edges")
        web = made_up(edges)
        if edges == (MADE_UP_EDGES_QUICK if run.quick else MADE_UP_EDGES)[0]:
            yield most_memory(web)
        yield from compare(web, 1, run)
