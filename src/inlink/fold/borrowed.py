"""Content that one URL borrows from another, read as if it were that of the page visited.

In: revisits that refer to another URL, with the visits that lent their content, and its links.
Out: the outcome of each revisit; link rows under the revisit's own id; the URLs that these name.

A relative reference leads elsewhere on another page, and a canonical that was the lending page
itself may be another page here. So the references of the lender (columns ``reference``,
``image_reference`` and ``base_reference``) are resolved anew, as extraction would have done. Values
that do not depend on the page are taken as they are. Rows pass through Python a few at a time, so
memory does not grow with them.
"""

from functools import partial
from typing import Any, NamedTuple

import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from inlink.contract.outcomes import outcome_of_page
from inlink.extract.robots import directives_for
from inlink.fold.workspace import Workspace
from inlink.store import tables
from inlink.urls.canonical import canonical_url
from inlink.urls.describe import describe

_OUTCOME_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("visit_id", pa.int64()),
    pa.field("own_outcome", pa.string()),
]
_OUTCOMES = pa.schema(_OUTCOME_FIELDS)
_LINKS = pa.schema(
    [pa.field(field.name, field.type) for field in (*tables.LINKS, *tables.BORROWED_URLS)]
)

Row = dict[str, Any]


class Borrowed(NamedTuple):
    """What revisits that refer to other URLs say about their own pages."""

    outcomes: ir.Table
    """``visit_id`` of each, and its ``own_outcome``."""
    links: ir.Table
    """Rows of the table ``links`` of a batch."""
    urls: ir.Table
    """Rows of the table ``borrowed_urls``, including URLs that a batch names."""


class Extraction(NamedTuple):
    """The settings by which content is read."""

    drop_parameters: tuple[str, ...]
    robot_name: str


def read_borrowed(
    work: Workspace,
    borrowing: ir.Table,
    visits: ir.Table,
    links: ir.Table,
    urls: ir.Table,
    settings: Extraction,
) -> Borrowed:
    """Read the content of the revisits *borrowing*; ``proof_visit_id`` is the visit that lent it.

    *visits* and *links* are those of all batches; *urls* has at least the pages of the revisits.
    """
    lenders = visits.semi_join(borrowing, [("visit_id", "proof_visit_id")])
    lenders = lenders.select(
        *("robots", "canonical_url", "redirect_url", "base_reference"), lender_id="visit_id"
    ).distinct()
    named = urls.select("url", page_id="url_id")
    pages = work.step(
        "borrowing-pages",
        borrowing.select("visit_id", "outcome", page_id="url_id", lender_id="proof_visit_id")
        .inner_join(named, "page_id")
        .inner_join(lenders, "lender_id"),
    )
    lent = links.semi_join(pages, [("visit_id", "lender_id")]).distinct()
    lent = lent.rename(lender_id="visit_id")
    made = work.mapped(
        "borrowed-links",
        pages.select("visit_id", "page_id", "lender_id", "url", "base_reference").inner_join(
            lent, "lender_id"
        ),
        partial(_read_link, settings.drop_parameters),
        _LINKS,
    )
    outcomes = work.mapped(
        "borrowed-outcomes", _with_heads(pages, lent), partial(_read_outcome, settings), _OUTCOMES
    )
    named_urls = made.filter(_.url_id.notnull()).select(tables.BORROWED_URLS.names).distinct()
    return Borrowed(outcomes, made.select(tables.LINKS.names), named_urls)


def _with_heads(pages: ir.Table, links: ir.Table) -> ir.Table:
    """*pages* with what the heads of their lenders say about other pages."""
    heads = links.group_by("lender_id").agg(
        canonical_reference=_.reference.max(where=_.element == "canonical"),
        refresh_reference=_.reference.max(where=_.element == "refresh"),
        refreshes=(_.element == "refresh").any(),
    )
    return pages.left_join(heads, "lender_id").drop("lender_id_right")


def _read_link(drop_parameters: tuple[str, ...], row: Row) -> Row | None:
    """A link of the lender as one of the borrowing page; None if it leads nowhere from there."""
    base = _base(row)
    if row["reference"] is not None:
        target = canonical_url(row["reference"], base, drop_parameters)
        if target is None:
            return None
        url = describe(target)
        row |= url._asdict() | {"target_id": url.url_id, "target_domain_id": url.domain_id}
    else:
        row |= dict.fromkeys(tables.URLS.names)
    if row["image_reference"] is not None:
        row["image_source"] = canonical_url(row["image_reference"], base)
    return row


def _read_outcome(settings: Extraction, row: Row) -> Row:
    """What the content means for the borrowing page: see ``outcome_of`` of extraction."""
    drop, base, url = settings.drop_parameters, _base(row), row["url"]
    outcome = row["outcome"]
    if outcome in ("ok", "not_canonical", "redirect"):
        refresh = None
        if row["refreshes"]:
            refresh = row["redirect_url"]
            if row["refresh_reference"] is not None:
                refresh = canonical_url(row["refresh_reference"], base, drop)
        canonical = row["canonical_url"]
        if row["canonical_reference"] is not None:
            canonical = canonical_url(row["canonical_reference"], base, drop)
        noindex = directives_for(row["robots"], settings.robot_name).noindex
        outcome = outcome_of_page(url, refresh=refresh, noindex=noindex, canonical=canonical)
    return {"visit_id": row["visit_id"], "own_outcome": outcome}


def _base(row: Row) -> str:
    """What the references of the page at ``url`` are relative to."""
    url: str = row["url"]
    if row["base_reference"] is None:
        return url
    return canonical_url(row["base_reference"], url) or url
