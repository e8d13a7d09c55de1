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
    """The links that count at each new step, one row an element, inside domains too.

    Without the texts of the elements, which only the last of a stretch is asked for: numbers are
    sorted and added up in a fraction of the time. ``preference`` is the order of elements to one
    target: those with an anchor text or an image come before others.
    """
    here = steps.filter(~_.carried & _.outcome.isin(ANSWERS))
    element = links.element
    counts = (
        ((here.outcome == "ok") & element.isin(["a", "area"]))
        | (here.outcome.isin(["noindex", "not_canonical"]) & (element == "canonical"))
        | ((here.outcome == "redirect") & (element == "location"))
    )
    bare = (anchor_text(links) == "") & ~links.image
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
            redirects=links.element == "location",
            nofollow=links.nofollow,
            preference=bare.ifelse(_BARE, 0) + links.position + 1,
        )
    )


def anchor_text(links: ir.Table) -> ir.Value:
    """The anchor text of an element: of an image, its ``alt``."""
    has_alt = links.image & (links.alt.fill_null("") != "")
    return has_alt.ifelse(links.alt, links.anchor)


def element_presence(seen: ir.Table) -> ir.Table:
    """Backlinks by element, one row for each step and element."""
    return seen.filter(_.external, ~_.redirects).mutate(
        carried=ibis.literal(False), first_seen=_.at
    )


def redirect_presence(seen: ir.Table) -> ir.Table:
    """Redirects, inside domains too; a page that redirects to itself goes nowhere."""
    return seen.filter(_.redirects, _.source_id != _.target_id).mutate(
        carried=ibis.literal(False), first_seen=_.at
    )


def carried_presence(steps: ir.Table, previous: ir.Table) -> ir.Table:
    """The stretches that were open when the previous generation ended, at the carried steps."""
    carried = going_on(steps).select(source_id=_.url_id, step=_.step, steps=_.steps)
    still = previous.filter(_.lost_at.isnull()).inner_join(carried, "source_id")
    return still.rename(at="found_at").mutate(
        carried=ibis.literal(True), preference=ibis.literal(0, "int64")
    )


_PRESENCE = (
    "source_id",
    "target_id",
    "step",
    "steps",
    "at",
    "first_seen",
    "carried",
    "preference",
    "nofollow",
)

_LINK = ("source_id", "target_id")

_BARE = 1 << 32  # more than there are positions; what is not in a document has position -1
_PREFERENCES = 2 * _BARE

_MOST_STEPS = 60
"""Of a page whose links' steps are kept as the bits of one integer."""


def stretches(presence: ir.Table, steps: ir.Table) -> ir.Table:
    """Presence at steps as stretches of time, with what is known of the element at the last step.

    Of several elements to one target the preferred one counts, but the link is nofollow only if all
    of them are. ``carried`` says that nothing was seen of it since the previous generation;
    ``lost_outcome`` is the outcome of the step after the stretch.
    """
    bit = ibis.literal(1, "int64") << ibis.least(presence.step, _MOST_STEPS)
    links = presence.group_by(_LINK).agg(
        **_STRETCH, first_step=_.step.min(), bits=bit.bit_or(), steps=_.steps.max()
    )
    from_first = links.bits >> links.first_step
    is_whole = (links.steps <= _MOST_STEPS) & ((from_first & (from_first + 1)) == 0)
    broken = presence.semi_join(links.filter(~is_whole), _LINK)
    along = ibis.window(group_by=_LINK, order_by="step")
    islands = broken.mutate(island=_.step - ibis.dense_rank().over(along))
    parts = islands.group_by([*_LINK, "island"]).agg(**_STRETCH)
    columns = (*_LINK, *_STRETCH)
    found = ibis.union(links.filter(is_whole).select(columns), parts.select(columns)).select(
        *_LINK,
        "last_step",
        "found_at",
        "first_seen",
        preference=_.last_step * _PREFERENCES - _.last_preferred,
        nofollow=_.last_followed < _.last_step,
        carried=_.last_seen < _.last_step,
    )
    after = steps.filter(_.step > 0).select(
        source_id=_.url_id,
        last_step=_.step - 1,
        lost_at=_.visited_at,
        lost_outcome=_.outcome,
    )
    return found.left_join(after, ["source_id", "last_step"]).drop(
        "source_id_right", "last_step_right"
    )


_STRETCH = {
    "found_at": _.at.min(),
    "first_seen": _.first_seen.min(),
    "last_step": _.step.max(),
    "last_preferred": (_.step * _PREFERENCES - _.preference).max(),
    "last_followed": (~_.nofollow).ifelse(_.step, -1).max(),
    "last_seen": (~_.carried).ifelse(_.step, -1).max(),
}
"""What is known of the steps of one stretch; ``last_preferred`` is the last step and, of its
elements, the least preference."""


def fold_elements(
    seen: ir.Table,
    steps: ir.Table,
    links: ir.Table,
    previous: ir.Table,
    folded_again: ir.Table,
) -> ir.Table:
    """Rows of ``links`` with link type ``href``: of the folded pages, and those that just go on."""
    before = previous.filter(_.link_type == "href")
    presence = ibis.union(
        element_presence(seen).select(_PRESENCE), carried_presence(steps, before).select(_PRESENCE)
    )
    folded = with_first_seen(stretches(presence, steps), closed(before, steps))
    rows = ibis.union(
        _with_attributes_seen(folded.filter(~_.carried), steps, links),
        _with_attributes_before(folded.filter(_.carried), before),
    )
    reason = (rows.element == "canonical").ifelse(
        _reason(rows.lost_outcome, CANONICAL_REASONS),
        _reason(rows.lost_outcome, ELEMENT_REASONS),
    )
    columns = (*_LINK, "found_at", "lost_at", "reason_lost", "first_seen", *ATTRIBUTES)
    return ibis.union(
        rows.mutate(reason_lost=reason).select(columns),
        closed(before, steps).select(columns),
        untouched(before, steps, folded_again).select(columns),
    ).mutate(link_type=ibis.literal("href"))


_FOLDED = (*_LINK, "found_at", "lost_at", "lost_outcome", "first_seen")


def _with_attributes_seen(folded: ir.Table, steps: ir.Table, links: ir.Table) -> ir.Table:
    """Stretches with the attributes of the element that the last step prefers."""
    contents = steps.select(source_id=_.url_id, last_step=_.step, visit_id=_.content_visit_id)
    placed = folded.inner_join(contents, ["source_id", "last_step"]).mutate(
        position=(_.preference % _BARE - 1).cast("int32")
    )
    texts = links.filter(_.element != "location").select(
        "visit_id",
        "position",
        "element",
        "image",
        "image_source",
        anchor=anchor_text(links),
    )
    joined = texts.inner_join(placed, ["visit_id", "position"])
    return joined.select(*_FOLDED, *ATTRIBUTES)


def _with_attributes_before(folded: ir.Table, previous: ir.Table) -> ir.Table:
    """Stretches whose last step was carried over, with the attributes that they had."""
    still = previous.filter(_.lost_at.isnull()).select(*_LINK, *ATTRIBUTES)
    joined = still.inner_join(folded.drop("nofollow"), _LINK)
    return joined.select(*_FOLDED, *ATTRIBUTES)


def fold_redirects(
    seen: ir.Table, steps: ir.Table, previous: ir.Table, folded_again: ir.Table
) -> ir.Table:
    """Rows of ``redirects``."""
    before = previous.mutate(first_seen=_.found_at, nofollow=ibis.literal(False))
    presence = ibis.union(
        redirect_presence(seen).select(_PRESENCE), carried_presence(steps, before).select(_PRESENCE)
    )
    folded = stretches(presence, steps)
    columns = (*_LINK, "found_at", "lost_at", "reason_lost")
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
    lost = ibis.union(
        folded.filter(_.lost_at.notnull()).select(*_LINK, "first_seen"),
        ended.select(*_LINK, "first_seen"),
    )
    first = lost.group_by(_LINK).agg(earliest=_.first_seen.min())
    joined = folded.left_join(first, _LINK)
    return joined.mutate(
        first_seen=ibis.least(joined.first_seen, joined.earliest.coalesce(joined.first_seen))
    ).select(*folded.columns)


def _reason(outcome: ir.Value, reasons: dict[str, str]) -> ir.Value:
    return outcome.cases(*reasons.items(), else_=ibis.null("string"))
