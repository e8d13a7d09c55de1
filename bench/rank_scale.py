"""How well the 0 to 100 scale tells nodes apart, for several constants, and whether it holds still.

    python bench/rank_scale.py

Graphs: cnr-2000 (a crawl of 2000), Common Crawl's top 1,000 domains and hosts of each release (both
from ../shared/data/graph beside the checkout; left out where that is absent), and made-up webs of
30, 300 and 3,000 pages. Docs: docs/ranks.md.
"""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inlink.fold.pagerank import DAMPING, pagerank
from inlink.fold.scale import inlink_rank, received

GRAPHS = Path(__file__).parents[2] / "shared" / "data" / "graph"

Floats = NDArray[np.float64]
Graph = tuple[NDArray[np.uint32], NDArray[np.uint32], int]


def made_up_web(pages: int) -> Graph:
    """A site of 10 pages links to its home page and within; a few links go to popular sites."""
    random = np.random.default_rng(pages)
    page = np.arange(pages)
    home, inner = page // 10 * 10, page // 10 * 10 + random.integers(0, 10, pages)
    popular = (pages * random.random((2, pages)) ** 4).astype(np.int64)
    ends = np.concatenate([home, inner, popular[0], popular[1][: pages // 3]])
    starts = np.concatenate([page, page, page, page[: pages // 3]])
    edges = np.unique(np.stack([starts, np.minimum(ends, pages - 1)]), axis=1).astype(np.uint32)
    sources, targets = edges[:, edges[0] != edges[1]]
    return sources, targets, pages


def twice(graph: Graph) -> Graph:
    """The graph and a copy of it beside it."""
    sources, targets, nodes = graph
    copy = np.uint32(nodes)
    return np.append(sources, sources + copy), np.append(targets, targets + copy), 2 * nodes


def with_star(graph: Graph) -> Graph:
    """The graph beside as many pages that all link to one."""
    sources, targets, nodes = graph
    leaves = np.arange(nodes + 1, 2 * nodes, dtype=np.uint32)
    centre = np.full(len(leaves), nodes, np.uint32)
    return np.append(sources, leaves), np.append(targets, centre), 2 * nodes


def web_graphs(kind: str) -> list[tuple[Floats, Floats]]:
    """What Common Crawl's top nodes receive, for each release: least and most that it can be.

    The published values do not say what mass dangling nodes have. It is at least what their number
    makes it if nothing links to them, and less than 1.
    """
    result = []
    with tarfile.open(GRAPHS / "cc-webgraph-top1000-ranks.tar.gz") as archive:
        texts = {
            Path(member.name).name: (archive.extractfile(member) or io.BytesIO()).read().decode()
            for member in archive
            if member.isfile()
        }
    for row in csv.DictReader(io.StringIO(texts[f"{kind}.tsv"]), delimiter="\t"):
        ranks = json.loads(texts.get(f"{kind}-{row['release']}.json", "null"))
        if not ranks or not ranks["rows"]:  # the first releases have none
            continue
        column = [name.lstrip("#") for name in ranks["header"]].index("pr_val")
        rank = np.sort([float(node[column]) for node in ranks["rows"]])[::-1]
        nodes, dangling = int(row["nodes"]), int(row["dangling"]) / int(row["nodes"])
        fewest = (1 - DAMPING) * dangling / (1 - DAMPING * dangling)
        most, least = (rank * nodes / (1 - DAMPING + DAMPING * mass) - 1 for mass in (fewest, 1.0))
        result.append((least, most))
    return result


def score(share: Floats, finest: float, highest: float) -> Floats:
    """The scale with other constants, before rounding."""
    whole: Floats = np.log1p(share / finest) * (100 / np.log1p(highest / finest))
    return np.minimum(whole, 100)


def line(name: str, share: Floats, scores: Floats) -> str:
    """Distinct scores, entropy in bits, linked nodes that get 0, deciles."""
    whole = np.rint(scores).astype(int)
    counts = np.unique(whole, return_counts=True)[1] / len(whole)
    deciles = np.quantile(whole, np.linspace(0, 1, 11)).astype(int)
    lost = np.mean(whole[share > 1e-9] == 0)
    return (
        f"  {name:14} distinct {len(counts):3}  entropy {-(counts * np.log2(counts)).sum():.2f}"
        f"  linked but 0: {lost:6.2%}  deciles {' '.join(f'{value:3}' for value in deciles)}"
    )


def discrimination(shares: dict[str, Floats]) -> None:
    """Print the figures of each graph for each pair of constants."""
    for finest, highest in (
        (1, 1e7),
        (0.1, 1e7),
        (0.01, 1e6),
        (0.01, 1e7),
        (0.01, 1e8),
        (0.001, 1e7),
    ):
        print(f"R0 {finest:g}, R1 {highest:g}")
        for name, share in shares.items():
            print(line(name, share, score(share, finest, highest)))


def top_of_the_web() -> None:
    """Print the range of scores over the releases at some places of the list."""
    finest, places = 0.01, (1, 10, 100, 300, 1000)
    for kind in ("domain", "host"):
        graphs = web_graphs(kind)
        for highest in (1e6, 1e7, 1e8):
            print(f"{kind}s of {len(graphs)} releases, R0 {finest:g}, R1 {highest:g}")
            for place in places:
                least = min(low[place - 1] for low, _ in graphs)
                most = max(high[place - 1] for _, high in graphs)
                low, high = score(np.array([least, most]), finest, highest)
                print(
                    f"  place {place:4}: received {least:.2g} to {most:.2g},"
                    f" score {low:.0f} to {high:.0f}"
                )


def stability(graphs: dict[str, Graph]) -> None:
    """Print how many scores change when the index doubles; other scales beside ours."""
    scales: dict[str, Callable[[Floats, NDArray[np.uint32]], NDArray[Any]]] = {
        "InLink Rank": inlink_rank,
        "share of top": lambda x, _: 100 * np.log(x / x.min()) / np.log(x.max() / x.min()),
        "of the mean": lambda x, _: 100 * np.log1p(x * len(x) / 0.01) / np.log1p(1e9),
    }
    for name, graph in graphs.items():
        rank = pagerank(*graph)
        for change in (twice, with_star):
            grown = change(graph)
            grown_rank = pagerank(*grown)
            for scale_name, scale in scales.items():
                before = np.rint(scale(rank, graph[0]))
                after = np.rint(scale(grown_rank, grown[0]))[: len(before)]
                moved = np.abs(after - before)
                print(
                    f"  {name:14} {change.__name__:10} {scale_name:12}"
                    f" changed {np.mean(moved > 0):7.2%}, by {moved.max():.0f} at most"
                )


def main() -> None:
    """Print everything."""
    graphs = {f"{pages:,} pages": made_up_web(pages) for pages in (30, 300, 3000)}
    if GRAPHS.exists():
        edges = np.load(GRAPHS / "cnr-2000-edges.npz")
        graphs["cnr-2000"] = (edges["src"], edges["dst"], 325_557)
    discrimination({name: received(pagerank(*graph), graph[0]) for name, graph in graphs.items()})
    if GRAPHS.exists():
        top_of_the_web()
    stability(graphs)


if __name__ == "__main__":
    main()
