"""From steps to history: when each link was found, when it was lost, and why.

In: steps (see ``visits``), the links that their visits saw, the previous generation's rows.
Out: rows of the tables ``links`` (backlinks by link element) and ``redirects``.

A link is *present* at a step that has it. Presence at consecutive steps is one stretch of time
("gaps and islands"): it begins with the visit of its first step and ends with the visit of the
step after its last, whose outcome gives the reason. A stretch that was open in the previous
generation is present at step 0, which was carried over, and keeps its beginning.
"""

import ibis
import ibis.expr.types as ir
from ibis import _
from ibis.common.deferred import Deferred

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


def distinct_links(links: ir.Table, visits: ir.Table) -> ir.Table:
    """Links without the repetitions of visits that several batches have."""
    repeated = visits.group_by("visit_id").agg(records=_.count()).filter(_.records > 1)
    once = links.anti_join(repeated, "visit_id")
    return ibis.union(once, links.semi_join(repeated, "visit_id").distinct())


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
            steps=here.steps,
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

    Several elements to one target are one link: it is nofollow only if all of them are, and its
    other attributes are those of the element with the least ``preference``.
    """
    external = seen.filter(_.external, _.element != "location")
    return (
        external.mutate(preference=preference(external))
        .group_by(["source_id", "target_id", "step"])
        .agg(
            at=_.at.arbitrary(),
            steps=_.steps.arbitrary(),
            preference=_.preference.min(),
            nofollow=_.nofollow.all(),
        )
        .mutate(carried=ibis.literal(False), first_seen=_.at)
    )


def preference(element: ir.Table) -> ir.Value:
    """The order of elements to one target: those with an anchor text or an image before others."""
    bare = (element.anchor == "") & ~element.image
    return element.position.cast("int64") + bare.ifelse(1 << 32, 0)


def redirect_presence(seen: ir.Table) -> ir.Table:
    """Redirects, inside domains too; a page that redirects to itself goes nowhere."""
    redirects = seen.filter(_.element == "location", _.source_id != _.target_id)
    return redirects.select("source_id", "target_id", "step", "steps", "at").distinct()


def carried_presence(steps: ir.Table, previous: ir.Table) -> ir.Table:
    """The stretches that were open when the previous generation ended, at the carried steps."""
    carried = going_on(steps).select(source_id=_.url_id, step=_.step, steps=_.steps)
    return (
        previous.filter(_.lost_at.isnull()).inner_join(carried, "source_id").rename(at="found_at")
    )


def stretches(presence: ir.Table, steps: ir.Table, attributes: dict[str, Deferred]) -> ir.Table:
    """Presence at steps as stretches of time.

    ``last_step`` is the last of a stretch, ``lost_outcome`` the outcome of the step after it; of
    *attributes*, aggregates over a stretch, those of a single step are its own. The strings of the
    links are not among them, so that few bytes are sorted.
    """
    columns = ["source_id", "target_id", "last_step", "found_at", *attributes]
    single = presence.filter(_.steps == 1)
    single = single.rename(last_step="step", found_at="at").select(columns)
    link = ibis.window(group_by=["source_id", "target_id"], order_by="step")
    several = presence.filter(_.steps > 1)
    islands = several.mutate(island=_.step - ibis.row_number().over(link))
    joined = islands.group_by(["source_id", "target_id", "island"]).agg(
        found_at=_.at.min(), last_step=_.step.max(), **attributes
    )
    after = steps.filter(_.step > 0).select(
        source_id=_.url_id,
        last_step=_.step - 1,
        lost_at=_.visited_at,
        lost_outcome=_.outcome,
    )
    ended = joined.left_join(after, ["source_id", "last_step"])
    return ibis.union(
        ended.select(*columns, "lost_at", "lost_outcome"),
        single.mutate(lost_at=ibis.null(ended.lost_at.type()), lost_outcome=ibis.null("string")),
    )


def fold_elements(
    seen: ir.Table, steps: ir.Table, previous: ir.Table, folded_again: ir.Table
) -> ir.Table:
    """Rows of ``links`` with link type ``href``: of the folded pages, and those that just go on."""
    before = previous.filter(_.link_type == "href")
    narrow = ("source_id", "target_id", "step", "steps", "at", "first_seen", "carried")
    carried = carried_presence(steps, before).mutate(
        carried=ibis.literal(True), preference=ibis.literal(0, "int64")
    )
    presence = ibis.union(
        element_presence(seen).select(*narrow, "preference", "nofollow"),
        carried.select(*narrow, "preference", "nofollow"),
    )
    attributes = {
        "first_seen": _.first_seen.min(),
        "carried": _.carried.argmax(_.step),
        "preference": _.preference.argmax(_.step),
        "nofollow": _.nofollow.argmax(_.step),
    }
    folded = with_first_seen(stretches(presence, steps, attributes), closed(before, steps))
    rows = ibis.union(
        _with_attributes_seen(folded.filter(~_.carried), seen),
        _with_attributes_before(folded.filter(_.carried), before),
    )
    reason = (rows.element == "canonical").ifelse(
        _reason(rows.lost_outcome, CANONICAL_REASONS),
        _reason(rows.lost_outcome, ELEMENT_REASONS),
    )
    columns = ("source_id", "target_id", "found_at", "lost_at", "reason_lost", "first_seen")
    goes_on = untouched(before, steps, folded_again)
    return ibis.union(
        rows.mutate(reason_lost=reason).select(*columns, *ATTRIBUTES),
        closed(before, steps).select(*columns, *ATTRIBUTES),
        goes_on.select(*columns, *ATTRIBUTES),
    ).mutate(link_type=ibis.literal("href"))


_STRETCH = ("source_id", "target_id", "found_at", "lost_at", "lost_outcome", "first_seen")


def _with_attributes_seen(folded: ir.Table, seen: ir.Table) -> ir.Table:
    """Stretches with the attributes of the element that the last step of each prefers."""
    external = seen.filter(_.external, _.element != "location")
    rows = external.mutate(preference=preference(external)).drop("nofollow", "at", "steps")
    last = folded.rename(step="last_step").drop("carried")
    joined = rows.inner_join(last, ["source_id", "target_id", "step", "preference"])
    return joined.select(*_STRETCH, *ATTRIBUTES)


def _with_attributes_before(folded: ir.Table, previous: ir.Table) -> ir.Table:
    """Stretches whose last step was carried over, with the attributes that they had."""
    still = previous.filter(_.lost_at.isnull()).select("source_id", "target_id", *ATTRIBUTES)
    joined = still.inner_join(folded.drop("nofollow"), ["source_id", "target_id"])
    return joined.select(*_STRETCH, *ATTRIBUTES)


def fold_redirects(
    seen: ir.Table, steps: ir.Table, previous: ir.Table, folded_again: ir.Table
) -> ir.Table:
    """Rows of ``redirects``."""
    narrow = ("source_id", "target_id", "step", "steps", "at")
    presence = ibis.union(
        redirect_presence(seen).select(narrow),
        carried_presence(steps, previous).select(narrow),
    )
    folded = stretches(presence, steps, {})
    columns = ("source_id", "target_id", "found_at", "lost_at", "reason_lost")
    return ibis.union(
        folded.mutate(reason_lost=_reason(folded.lost_outcome, REDIRECT_REASONS)).select(*columns),
        closed(previous, steps).select(*columns),
        untouched(previous, steps, folded_again).select(*columns),
    )


def going_on(steps: ir.Table) -> ir.Table:
    """The carried steps of pages on which something happened since."""
    return steps.filter(_.carried, _.steps > 1)


def closed(previous: ir.Table, steps: ir.Table) -> ir.Table:
    """Stretches that had ended before, of the pages that this build carries on."""
    carried = going_on(steps)
    ended = previous.filter(_.lost_at.notnull())
    return ended.semi_join(carried, ended.source_id == carried.url_id)


def untouched(previous: ir.Table, steps: ir.Table, folded_again: ir.Table) -> ir.Table:
    """Rows of the pages on which this build finds nothing new."""
    folded = ibis.union(
        steps.filter(~_.carried).select("url_id"), folded_again.select("url_id"), distinct=True
    )
    return previous.anti_join(folded, previous.source_id == folded.url_id)


def with_first_seen(folded: ir.Table, ended: ir.Table) -> ir.Table:
    """Make ``first_seen`` the beginning of each link's first stretch, those that had *ended* too.

    A link has several rows only if it was lost, so only the links of such rows are added up.
    """
    link = ["source_id", "target_id"]
    lost = ibis.union(
        folded.filter(_.lost_at.notnull()).select(*link, "first_seen"),
        ended.select(*link, "first_seen"),
    )
    first = lost.group_by(link).agg(earliest=_.first_seen.min())
    joined = folded.left_join(first, link)
    return joined.mutate(
        first_seen=ibis.least(joined.first_seen, joined.earliest.coalesce(joined.first_seen))
    ).select(*folded.columns)


def _reason(outcome: ir.Value, reasons: dict[str, str]) -> ir.Value:
    return outcome.cases(*reasons.items(), else_=ibis.null("string"))
