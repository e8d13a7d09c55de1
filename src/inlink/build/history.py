"""From steps to history: when each link was found, when it was lost, and why.

In: steps (see ``visits``), the links that their visits saw, the previous generation's rows.
Out: rows of the tables ``links`` (backlinks by link element) and ``redirects``.

A link is *present* at a step that has it. Presence at consecutive steps is one stretch of time
("gaps and islands"): it begins with the visit of its first step and ends with the visit of the
step after its last, whose outcome gives the reason. A stretch that was open in the previous
generation is present at step 0, which was carried over, and keeps its beginning.
"""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.build.visits import ANSWERS

ELEMENT_REASONS = {
    "ok": "link_removed",
    "noindex": "noindex",
    "not_canonical": "not_canonical",
    "redirect": "redirect",
    "broken_redirect": "broken_redirect",
    "page_not_found": "page_not_found",
    "failed": "crawl_error",
    "page_dropped": "page_dropped",
    "other": "other",
}
"""Why an ``<a>`` or ``<area>`` link is lost, by the outcome of the step that lacks it."""

CANONICAL_REASONS = ELEMENT_REASONS | {
    "noindex": "link_removed",
    "not_canonical": "link_removed",
}
"""The same for a canonical, which counts on a page that is not indexable too."""

REDIRECT_REASONS = CANONICAL_REASONS | {"redirect": "link_removed"}
"""The same for a redirect: a page that redirects elsewhere has lost this one."""

ATTRIBUTES = ("element", "anchor", "nofollow", "image", "image_source")


def seen_links(steps: ir.Table, links: ir.Table) -> ir.Table:
    """The links that count at each new step, one row an element, inside domains too."""
    here = steps.filter(~_.carried & _.outcome.isin(ANSWERS))
    element = links.element
    counts = (
        ((here.outcome == "ok") & element.isin(["a", "area"]))
        | (here.outcome.isin(["noindex", "not_canonical"]) & (element == "canonical"))
        | ((here.outcome == "redirect") & (element == "location"))
    )
    return (
        here.inner_join(links, here.content_visit_id == links.visit_id)
        .filter(counts)
        .select(
            source_id=here.url_id,
            target_id=links.target_id,
            step=here.step,
            last_step=here.step == here.steps - 1,
            at=here.visited_at,
            external=here.domain_id != links.target_domain_id,
            position=links.position,
            element=links.element,
            anchor=(links.image & (links.alt.fill_null("") != "")).ifelse(links.alt, links.anchor),
            nofollow=links.nofollow,
            image=links.image,
            image_source=links.image_source,
        )
    )


def element_presence(seen: ir.Table) -> ir.Table:
    """Backlinks by element, one row for each step and target.

    Several elements to one target are one link: its attributes are those of the first with an
    anchor text or an image, and it is nofollow only if all of them are.
    """
    external = seen.filter(_.external, _.element != "location")
    same = ibis.window(
        group_by=["source_id", "target_id", "step"],
        order_by=[((external.anchor == "") & ~external.image).ifelse(1, 0), external.position],
    )
    together = ibis.window(group_by=["source_id", "target_id", "step"])
    return (
        external.mutate(
            nth=ibis.row_number().over(same), nofollow=external.nofollow.all().over(together)
        )
        .filter(_.nth == 0)
        .select("source_id", "target_id", "step", "at", *ATTRIBUTES)
    )


def redirect_presence(seen: ir.Table) -> ir.Table:
    """Redirects, inside domains too; a page that redirects to itself goes nowhere."""
    redirects = seen.filter(_.element == "location", _.source_id != _.target_id)
    return redirects.select("source_id", "target_id", "step", "at").distinct()


def carried_presence(steps: ir.Table, previous: ir.Table, attributes: Sequence[str]) -> ir.Table:
    """The stretches that were open when the previous generation ended, at the carried steps."""
    carried = steps.filter(_.carried)
    return (
        previous.filter(_.lost_at.isnull())
        .inner_join(carried, previous.source_id == carried.url_id)
        .select(
            previous.source_id,
            previous.target_id,
            carried.step,
            *[previous[name] for name in attributes],
            at=previous.found_at,
        )
    )


def stretches(presence: ir.Table, steps: ir.Table, attributes: Sequence[str]) -> ir.Table:
    """Presence at steps as stretches of time; ``lost_outcome`` is that of the step without."""
    link = ibis.window(group_by=["source_id", "target_id"], order_by="step")
    islands = presence.mutate(island=_.step - ibis.row_number().over(link))
    whole = ["source_id", "target_id", "island"]
    backwards = ibis.window(group_by=whole, order_by=ibis.desc("step"))
    together = ibis.window(group_by=whole)
    last = islands.mutate(
        nth=ibis.row_number().over(backwards), found_at=_.at.min().over(together)
    ).filter(_.nth == 0)
    after = steps.select(
        source_id=_.url_id,
        last_step=_.step - 1,
        lost_at=_.visited_at,
        lost_outcome=_.outcome,
    )
    ended = last.rename(last_step="step").left_join(after, ["source_id", "last_step"])
    return ended.select(
        "source_id", "target_id", "found_at", "lost_at", "lost_outcome", *attributes
    )


def fold_elements(
    seen: ir.Table, steps: ir.Table, previous: ir.Table, folded_again: ir.Table
) -> ir.Table:
    """Rows of ``links`` with link type ``href``: of the folded pages, and those that just go on."""
    before = previous.filter(_.link_type == "href")
    presence = ibis.union(
        element_presence(seen).select("source_id", "target_id", "step", "at", *ATTRIBUTES),
        carried_presence(steps, before, ATTRIBUTES).select(
            "source_id", "target_id", "step", "at", *ATTRIBUTES
        ),
    )
    folded = stretches(presence, steps, ATTRIBUTES)
    reason = (folded.element == "canonical").ifelse(
        _reason(folded.lost_outcome, CANONICAL_REASONS),
        _reason(folded.lost_outcome, ELEMENT_REASONS),
    )
    columns = ("source_id", "target_id", "found_at", "lost_at", "reason_lost", *ATTRIBUTES)
    rows = ibis.union(
        folded.mutate(reason_lost=reason).select(*columns),
        closed(before, steps).select(*columns),
    )
    goes_on = untouched(before, steps, folded_again).select(*columns, "first_seen")
    return ibis.union(with_first_seen(rows), goes_on).mutate(link_type=ibis.literal("href"))


def fold_redirects(
    seen: ir.Table, steps: ir.Table, previous: ir.Table, folded_again: ir.Table
) -> ir.Table:
    """Rows of ``redirects``."""
    presence = ibis.union(
        redirect_presence(seen),
        carried_presence(steps, previous, ()).select("source_id", "target_id", "step", "at"),
    )
    folded = stretches(presence, steps, ())
    columns = ("source_id", "target_id", "found_at", "lost_at", "reason_lost")
    return ibis.union(
        folded.mutate(reason_lost=_reason(folded.lost_outcome, REDIRECT_REASONS)).select(*columns),
        closed(previous, steps).select(*columns),
        untouched(previous, steps, folded_again).select(*columns),
    )


def closed(previous: ir.Table, steps: ir.Table) -> ir.Table:
    """Stretches that had ended before, of the pages that this build carries on."""
    carried = steps.filter(_.carried)
    ended = previous.filter(_.lost_at.notnull())
    return ended.semi_join(carried, ended.source_id == carried.url_id)


def untouched(previous: ir.Table, steps: ir.Table, folded_again: ir.Table) -> ir.Table:
    """Rows of the pages that this build does not fold."""
    folded = ibis.union(steps.select("url_id"), folded_again.select("url_id"), distinct=True)
    return previous.anti_join(folded, previous.source_id == folded.url_id)


def with_first_seen(rows: ir.Table) -> ir.Table:
    """Add ``first_seen``, the beginning of a link's first stretch."""
    return rows.mutate(
        first_seen=_.found_at.min().over(ibis.window(group_by=["source_id", "target_id"]))
    )


def _reason(outcome: ir.Value, reasons: dict[str, str]) -> ir.Value:
    return outcome.cases(*reasons.items(), else_=ibis.null("string"))
