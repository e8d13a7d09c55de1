"""InLink Rank of pages and of domains.

In: the live link graph of a generation. Out: the tables ``ranks`` and ``domain_ranks``.
The algorithm is in ``pagerank``, the 0 to 100 scale in ``scale``; here the two graphs are numbered
and loaded into memory: 8 bytes per edge, in addition to what ``pagerank`` needs.
"""

from collections.abc import Callable

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from ibis import _

from inlink.fold.graph import domain_edges, page_nodes
from inlink.fold.pagerank import pagerank
from inlink.fold.scale import inlink_rank
from inlink.fold.workspace import Workspace

RankProgress = Callable[[int, float], None]


def rank_pages(
    work: Workspace, graph: ir.Table, pages: ir.Table, urls: ir.Table, progress: RankProgress
) -> pa.Table:
    """Rows of ``ranks``, in the order of ``url_id``."""
    of_domains = urls.select("url_id", "domain_id")
    # Most links lead to pages of the same domain: numbered like this, these are near in memory.
    numbered = _numbered(
        page_nodes(graph, pages).inner_join(of_domains, "url_id"), "domain_id", "url_id"
    )
    nodes = work.step("page-nodes", numbered)
    work.step("page-edges", _edges(graph.filter(_.followed), nodes))
    return _rank(work, "page", ("url_id", "inlink_rank"), progress)


def rank_domains(
    work: Workspace, graph: ir.Table, pages: ir.Table, urls: ir.Table, progress: RankProgress
) -> pa.Table:
    """Rows of ``domain_ranks``, in the order of ``domain_id``."""
    in_graph = page_nodes(graph, pages)
    domains = urls.semi_join(in_graph, "url_id").select(url_id=_.domain_id).distinct()
    nodes = work.step("domain-nodes", _numbered(domains, "url_id"))
    work.step("domain-edges", _edges(domain_edges(graph, urls), nodes))
    return _rank(work, "domain", ("domain_id", "domain_inlink_rank"), progress)


def _numbered(nodes: ir.Table, *by: str) -> ir.Table:
    number = ibis.row_number().over(ibis.window(order_by=by))
    return nodes.select("url_id", number=number).order_by("number")


def _edges(edges: ir.Table, nodes: ir.Table) -> ir.Table:
    sources = nodes.rename(source_id="url_id", source="number")
    targets = nodes.rename(target_id="url_id", target="number")
    return (
        edges.inner_join(sources, "source_id")
        .inner_join(targets, "target_id")
        .select(source=_.source.cast("int32"), target=_.target.cast("int32"))
    )


def _rank(work: Workspace, graph: str, names: tuple[str, str], progress: RankProgress) -> pa.Table:
    ids = work.columns(f"{graph}-nodes", {"url_id": np.int64})["url_id"]
    edges = work.columns(f"{graph}-edges", {"source": np.int32, "target": np.int32})
    raw = pagerank(edges["source"], edges["target"], len(ids), progress=progress)
    score = inlink_rank(raw, edges["source"])
    order = np.argsort(ids)
    columns = [pa.array(column[order]) for column in (ids, raw, score)]
    return pa.table(columns, [names[0], "pagerank", names[1]])
