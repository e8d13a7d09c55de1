"""Where the visits of a page are recorded, so that its links can be proved (table ``places``).

In: the pages of this generation, the visits of batches, and the places of the previous generation.
Out: for each page that ever had content, the places in batches of visits that saw it, and those of
its last visit if that is another one.

Crawl files are moved and deleted, so a page has several places of one content if several batches
have it: that of the visit that it was read from, and those of others that saw the same bytes.
"""

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.contract.outcomes import ANSWERS
from inlink.store import tables

MOST = 6
"""Maximum number of places kept of a page's content, each in another batch."""

_RECORDED = ("visit_id", "visited_url_id", "visited_at", "payload_digest", "batch", "row")


def fold_places(pages: ir.Table, visits: ir.Table, previous: ir.Table) -> ir.Table:
    """The table ``places``; *visits* say in which ``batch`` and ``row`` they are."""
    recorded = ibis.union(
        visits.mutate(visited_url_id=_.url_id, is_content=_.outcome.isin(ANSWERS)).select(
            *_RECORDED, "is_content"
        ),
        previous.select(*_RECORDED, "is_content"),
    )
    proven = pages.filter(_.proof_visit_id.notnull()).mutate(content_visit_id=_.proof_visit_id)
    columns = tables.PLACES.names
    return ibis.union(
        _of_content(proven, recorded).select(*columns),
        _of_last_visit(proven, recorded).select(*columns),
    )


def _of_content(pages: ir.Table, recorded: ir.Table) -> ir.Table:
    """The places of the content of *pages*."""
    content = _shown(pages, recorded)
    own, lent = content.mutate(owner_id=_.url_id), content.mutate(owner_id=_.lender_id)
    owned = ibis.union(own, lent, distinct=True)
    seen = owned.inner_join(
        recorded.filter(_.is_content), owned.owner_id == recorded.visited_url_id
    )
    at_once = (seen.visited_at == seen.content_at) & (seen.owner_id == seen.lender_id)
    unknown = seen.payload_digest.isnull() | seen.content_digest.isnull()
    same = (
        (seen.visit_id == seen.content_visit_id)
        | (seen.payload_digest == seen.content_digest).fill_null(False)
        | (at_once & unknown)
    )
    return _latest_batches(seen.filter(same)).mutate(is_content=ibis.literal(True))


def _shown(pages: ir.Table, recorded: ir.Table) -> ir.Table:
    """The visits that saw the content of *pages*: of which URL, when, and with which digest."""
    content = pages.select("url_id", "content_visit_id")
    visits = recorded.semi_join(content, recorded.visit_id == content.content_visit_id)
    distinct = visits.group_by("visit_id").agg(
        lender_id=_.visited_url_id.min(),
        content_at=_.visited_at.min(),
        content_digest=_.payload_digest.min(),
    )
    return content.inner_join(distinct, content.content_visit_id == distinct.visit_id).drop(
        "visit_id"
    )


def _latest_batches(seen: ir.Table) -> ir.Table:
    """One place per batch, and at most `MOST` of these: first the visit itself, then the latest."""
    first = [_.visit_id != _.content_visit_id, ibis.desc("visited_at"), "visit_id", "batch", "row"]
    in_batch = ibis.window(group_by=["url_id", "batch"], order_by=first)
    of_page = ibis.window(group_by="url_id", order_by=first)
    one_each = seen.mutate(nth=ibis.row_number().over(in_batch)).filter(_.nth == 0)
    numbered = one_each.mutate(nth=ibis.row_number().over(of_page).cast("int32"))
    return numbered.filter(_.nth < MOST)


def _of_last_visit(pages: ir.Table, recorded: ir.Table) -> ir.Table:
    """The places of the last visit of *pages*, if another visit saw their content."""
    last = pages.filter(_.visit_id != _.content_visit_id).select("url_id", "visit_id")
    seen = last.inner_join(recorded, "visit_id").mutate(content_visit_id=_.visit_id)
    return _latest_batches(seen).mutate(is_content=ibis.literal(False))
