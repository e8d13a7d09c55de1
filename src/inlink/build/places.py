"""Where the visits of a page are told: what its links can be proved by (table ``places``).

In: the pages of this generation, the visits of batches, and the places of the previous generation.
Out: for each page that ever had content, the place in the batches of the visit that had it, and
that of its last visit where this is another one. A visit that several batches have has the first
place among them, by the names of the batches.
"""

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.store import tables


def fold_places(pages: ir.Table, visits: ir.Table, previous: ir.Table) -> ir.Table:
    """The table ``places``; *visits* say in which ``batch`` they stand, and in which ``row``."""
    wanted = _wanted(pages)
    columns = ("visit_id", "batch", "row")
    told = ibis.union(visits.select(*columns), previous.select(*columns))
    first = (
        told.semi_join(wanted, "visit_id")
        .group_by("visit_id", "batch")
        .agg(row=_.row.min())
        .group_by("visit_id")
        .agg(row=_.row.argmin(_.batch), batch=_.batch.min())
    )
    return wanted.inner_join(first, "visit_id").select(*tables.PLACES.names)


def _wanted(pages: ir.Table) -> ir.Table:
    """The visits whose places are kept, by page."""
    proven = pages.filter(_.content_visit_id.notnull())
    content = proven.select("url_id", visit_id=_.content_visit_id, is_content=ibis.literal(True))
    last = proven.filter(_.visit_id != _.content_visit_id).select(
        "url_id", "visit_id", is_content=ibis.literal(False)
    )
    return ibis.union(content, last)
