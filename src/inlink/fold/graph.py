"""The live link graph: which pages link to which, now.

In: the stretches of links (see ``history``), the steps, the previous generation's graph.
Out: the table ``graph``.
"""

import ibis
import ibis.expr.types as ir
from ibis import _


def fold_graph(
    found: ir.Table, steps: ir.Table, previous: ir.Table, folded_again: ir.Table
) -> ir.Table:
    """Distinct (source, target), without links from a page to itself."""
    new = found.filter(_.lost_at.isnull(), ~_.carried).select(
        "source_id", "target_id", followed=~_.nofollow
    )
    # A page seen in part may link and redirect to one URL, and keeps links that it does not show.
    in_part = steps.filter(~_.whole).select(source_id="url_id").distinct()
    merged = (
        new.semi_join(in_part, "source_id")
        .group_by("source_id", "target_id")
        .agg(followed=_.followed.any())
    )
    changed = steps.filter(~_.carried & _.whole).select("url_id").distinct()
    stays = previous.anti_join(changed, previous.source_id == changed.url_id)
    stays = stays.anti_join(folded_again, stays.source_id == folded_again.url_id)
    return ibis.union(
        new.anti_join(in_part, "source_id"),
        merged,
        stays.anti_join(merged, ["source_id", "target_id"]),
    )


def page_nodes(graph: ir.Table, pages: ir.Table) -> ir.Table:
    """Nodes of the page graph: live pages, and both ends of every live link."""
    return ibis.union(
        pages.filter(_.outcome == "ok").select("url_id"),
        graph.select(url_id=_.source_id),
        graph.select(url_id=_.target_id),
        distinct=True,
    )


def domain_edges(graph: ir.Table, urls: ir.Table) -> ir.Table:
    """Distinct followed links between registrable domains (``source_id``, ``target_id``)."""
    domains = urls.select("url_id", "domain_id")
    sources = domains.rename(source_id="url_id", source_domain="domain_id")
    targets = domains.rename(target_id="url_id", target_domain="domain_id")
    return (
        graph.filter(_.followed)
        .inner_join(sources, "source_id")
        .inner_join(targets, "target_id")
        .filter(_.source_domain != _.target_domain)
        .select(source_id=_.source_domain, target_id=_.target_domain)
        .distinct()
    )
