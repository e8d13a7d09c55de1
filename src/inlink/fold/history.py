"""From steps to history: when each link was found, when it was lost, and why.

In: steps (see ``visits``), the links that their visits saw, the previous generation's rows.
Out: rows of the tables ``links`` (backlinks by link element) and ``redirects``.

A link is *present* at a step that has it. Presences with no whole step between them that lacks the
link form one stretch of time ("gaps and islands"). It begins with the visit of its first step and
ends with the visit of the next whole step after its last, whose outcome gives the reason. A stretch
that was open in the previous generation is present at step 0, which was carried over, and keeps its
beginning.
"""

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.contract.outcomes import (
    ANCHORED_REASONS,
    ANSWERS,
    CANONICAL_REASONS,
    COUNTING,
    REDIRECT_REASONS,
    REDIRECTING,
    Outcome,
    ReasonLost,
)
from inlink.store import tables


def distinct_links(links: ir.Table, visits: ir.Table) -> ir.Table:
    """Links without duplicates from visits that several batches have."""
    repeated = visits.group_by("visit_id").agg(records=_.count()).filter(_.records > 1)
    once = links.anti_join(repeated, "visit_id")
    return ibis.union(once, links.semi_join(repeated, "visit_id").distinct())


def presence(
    steps: ir.Table, links: ir.Table, previous_links: ir.Table, previous_redirects: ir.Table
) -> ir.Table:
    """What is present at which step: the elements seen, and the stretches that go on."""
    elements = previous_links.filter(_.link_type == "href")
    return ibis.union(
        seen_links(steps, links),
        _staying(steps, links),
        _carried(steps, elements, ELEMENT),
        _carried(steps, previous_redirects, REDIRECT),
    )


INSIDE, ELEMENT, REDIRECT = 0, 1, 2
"""Kinds of links: by an element within a domain, by one to another domain, by a redirect."""

_LINK = ("source_id", "target_id", "kind")

_CHOICE_BITS = 33
_CHOICES = 1 << _CHOICE_BITS
_BARE = 1 << 32  # more than there are positions; links outside the document have position -1
_CARRIED = _CHOICES - 1


def seen_links(steps: ir.Table, links: ir.Table) -> ir.Table:
    """The links that count at each new step, one row per element.

    The texts of elements are left out, because they are needed only for the last element of a
    stretch, and numbers are added up in a fraction of the time. ``choice`` combines the step with
    which of its elements to one target is preferred: one with an anchor text or an image, then the
    first. Links inside a domain have no history, only the last stage.
    """
    here = steps.filter(~_.carried & _.outcome.isin(ANSWERS))
    return _shown(here.mutate(at_step=_.step, at_stage=_.stage), links)


def _staying(steps: ir.Table, links: ir.Table) -> ir.Table:
    """Canonicals and redirects at the step from which their page may not be shown.

    They are still there, although no visit has seen them again.
    """
    unavailable = steps.filter(_.expires, _.outcome == "noindex").select(
        page=_.url_id, at_step=_.step, at_stage=_.stage, before=_.stage - 1
    )
    shown = steps.filter(~_.carried & _.outcome.isin(ANSWERS))
    here = shown.inner_join(
        unavailable, [shown.url_id == unavailable.page, shown.stage == unavailable.before]
    ).select(*shown.columns, "at_step", "at_stage")
    staying = links.filter(_.element.isin(("canonical", *REDIRECTING)))
    # For links to other domains, the steps that showed them say whether they are followed.
    return _shown(here, staying).mutate(nofollow=_.nofollow | (_.kind != INSIDE))


def _shown(here: ir.Table, links: ir.Table) -> ir.Table:
    """Those of *links* that count at the steps *here*, as present at the step ``at_step``."""
    pages = here.select(
        *("domain_id", "outcome", "content_visit_id", "step", "at_step", "at_stage", "stages"),
        source_id="url_id",
        at="visited_at",
    )
    joined = pages.inner_join(links, [("content_visit_id", "visit_id")])
    counts = ibis.or_(
        *(
            (joined.outcome == outcome) & joined.element.isin(elements)
            for outcome, elements in COUNTING.items()
        )
    )
    redirects = joined.element.isin(REDIRECTING)
    outside = joined.domain_id != joined.target_domain_id
    bare = (anchor_text(joined) == "") & ~joined.image
    last = joined.at_stage == joined.stages
    counting = joined.filter(
        counts, joined.source_id != joined.target_id, outside | redirects | last
    )
    return counting.select(
        "source_id",
        "target_id",
        kind=redirects.ifelse(REDIRECT, outside.ifelse(ELEMENT, INSIDE)).cast("int32"),
        step=joined.at_step,
        at=joined.at,
        nofollow=joined.nofollow,
        choice=(joined.step + 1) * _CHOICES - bare.ifelse(_BARE, 0) - joined.position - 3,
    )


def anchor_text(links: ir.Table) -> ir.Value:
    """The anchor text of an element; for an image, its ``alt``."""
    has_alt = links.image & (links.alt.fill_null("") != "")
    return has_alt.ifelse(links.alt, links.anchor)


def _carried(steps: ir.Table, previous: ir.Table, kind: int) -> ir.Table:
    """The stretches that were open when the previous generation ended, at the carried steps."""
    carried = going_on(steps).select(source_id=_.url_id, step=_.step)
    open_ones = previous.filter(_.lost_at.isnull()).select("source_id", "target_id", at="found_at")
    return open_ones.inner_join(carried, "source_id").select(
        "source_id",
        "target_id",
        kind=ibis.literal(kind, "int32"),
        step="step",
        at="at",
        nofollow=ibis.literal(False),
        choice=ibis.literal(_CARRIED, "int64"),
    )


_STRETCH = {
    "found_at": _.at.min(),
    "last_choice": _.choice.max(),
    "last_followed": (~_.nofollow).ifelse(_.step, -1).max(),
}
"""What is known about the steps of one stretch."""

_MOST_STEPS = 60
"""Steps kept as the bits of one integer; links present at later steps are handled separately."""


def add_up(present: ir.Table) -> ir.Table:
    """Every link with its steps as bits; for most links, these are one stretch."""
    bit = ibis.literal(1, "int64") << ibis.least(present.step, _MOST_STEPS)
    return present.group_by(_LINK).agg(**_STRETCH, bits=bit.bit_or())


def broken_links(links: ir.Table, steps: ir.Table) -> ir.Table:
    """Those of *links* (see `add_up`) that may have several stretches.

    If a page has steps that are not whole, or that end only some links, the bits do not show it.
    """
    first_bit = links.bits & -links.bits
    is_whole = (links.bits < 1 << _MOST_STEPS) & ((links.bits & (links.bits + first_bit)) == 0)
    in_part = steps.filter(~_.whole | (_.expires & (_.outcome == "noindex")))
    return links.filter(~is_whole | links.source_id.isin(in_part.url_id)).select(_LINK)


def parts(broken: ir.Table, present: ir.Table, steps: ir.Table) -> ir.Table:
    """The stretches of *broken* links; ``last_stage`` is that of their last presence."""
    staged = steps.select("step", "stage", "whole", source_id="url_id")
    there = present.semi_join(broken, _LINK).inner_join(staged, ["source_id", "step"])
    along = ibis.window(group_by=_LINK, order_by=["step", "choice"])
    so_far = ibis.window(group_by=_LINK, order_by=["step", "choice"], preceding=(None, 0))
    # No whole step between this presence and the one before may be left out.
    left_out = there.stage - there.whole.ifelse(1, 0) > there.stage.lag().over(along)
    islands = there.mutate(begins=left_out.fill_null(False).ifelse(1, 0))
    islands = islands.mutate(island=islands.begins.sum().over(so_far))
    return islands.group_by([*_LINK, "island"]).agg(**_STRETCH, last_stage=_.stage.max())


def stretches(links: ir.Table, broken: ir.Table, parts: ir.Table, steps: ir.Table) -> ir.Table:
    """Stretches of time in which links were present, with the element at the last step.

    *links* is the result of `add_up`; *broken* are those of them that are not one stretch but
    *parts*. If several elements link to one target, the preferred one counts (``visit_id``,
    ``position``), but the link is nofollow only if all of them are. ``carried`` says that the link
    was not seen since the previous generation; ``lost_outcome`` is the outcome of the step that
    ended the stretch.
    """
    closing = steps.filter(_.whole).select(
        closed_page="url_id",
        closed_stage=_.stage - 1,
        lost_at="visited_at",
        lost_outcome="outcome",
    )
    last = steps.select(
        page="url_id", at_step="step", at_stage="stage", visit_id="content_visit_id"
    )
    ends = last.left_join(
        closing, [last.page == closing.closed_page, last.at_stage == closing.closed_stage]
    )
    whole = links.anti_join(broken, _LINK).select(*_LINK, *_STRETCH)
    whole = whole.mutate(last_step=_.last_choice >> _CHOICE_BITS)
    # Every stretch has its row of ends: a left join, so that the few ends are looked up.
    at_once = whole.left_join(ends, [whole.source_id == ends.page, whole.last_step == ends.at_step])
    in_parts = parts.mutate(last_step=_.last_choice >> _CHOICE_BITS)
    seen = in_parts.left_join(
        last, [in_parts.source_id == last.page, in_parts.last_step == last.at_step]
    )
    closed = seen.left_join(
        closing, [seen.source_id == closing.closed_page, seen.last_stage == closing.closed_stage]
    )
    return ibis.union(*(_described(found) for found in (at_once, closed)))


def _described(found: ir.Table) -> ir.Table:
    return found.select(
        *_LINK,
        "found_at",
        "lost_at",
        "lost_outcome",
        "visit_id",
        position=(_BARE - 3 - _.last_choice % _BARE).cast("int32"),
        nofollow=_.last_followed < _.last_step,
        carried=_.last_choice == _CARRIED,
    )


def fold_elements(
    found: ir.Table,
    lost: ir.Table,
    steps: ir.Table,
    links: ir.Table,
    previous: ir.Table,
    folded_again: ir.Table,
) -> ir.Table:
    """Rows of ``links`` with link type ``href``: of the folded pages, and those that just continue.

    *lost* are the stretches of *found* that have ended.
    """
    before = previous.filter(_.link_type == "href")
    found = found.filter(_.kind == ELEMENT)
    seen = _with_first_seen(
        found.filter(~_.carried), lost.filter(_.kind == ELEMENT), closed(before, steps)
    )
    texts = links.filter(~_.element.isin(REDIRECTING)).select(
        "visit_id", "position", "element", "image", "image_source", anchor=anchor_text(links)
    )
    new = texts.inner_join(seen, ["visit_id", "position"]).mutate(
        link_type=ibis.literal("href"), reason_lost=ibis.null("string")
    )
    columns = (*tables.BACKLINKS.names, "lost_outcome")
    rows = ibis.union(
        new.select(columns),
        _kept(before, found.filter(_.carried), steps, folded_again).select(columns),
    )
    reason = (rows.element == "canonical").ifelse(
        _reason(rows.lost_outcome, CANONICAL_REASONS),
        _reason(rows.lost_outcome, ANCHORED_REASONS),
    )
    return rows.mutate(reason_lost=rows.reason_lost.coalesce(reason)).drop("lost_outcome")


def fold_redirects(
    found: ir.Table, steps: ir.Table, previous: ir.Table, folded_again: ir.Table
) -> ir.Table:
    """Rows of ``redirects``."""
    found = found.filter(_.kind == REDIRECT)
    new = found.filter(~_.carried).mutate(reason_lost=ibis.null("string"))
    columns = (*tables.REDIRECTS.names, "lost_outcome")
    rows = ibis.union(
        new.select(columns),
        _kept(previous, found.filter(_.carried), steps, folded_again).select(columns),
    )
    reason = _reason(rows.lost_outcome, REDIRECT_REASONS)
    return rows.mutate(reason_lost=rows.reason_lost.coalesce(reason)).drop("lost_outcome")


def _kept(
    previous: ir.Table, carried: ir.Table, steps: ir.Table, folded_again: ir.Table
) -> ir.Table:
    """Rows of *previous* that stay as they were, or whose links were not seen since.

    The latter are *carried*, and may have ended. Open rows of pages with news are left out if their
    link was seen: those continue in another row.
    """
    ends = carried.select(
        page="source_id",
        target_id="target_id",
        now_lost_at="lost_at",
        lost_outcome="lost_outcome",
        unseen=ibis.literal(True),
    )
    going = going_on(steps).select(page=_.url_id, goes_on=ibis.literal(True))
    page = previous.lost_at.isnull().ifelse(previous.source_id, ibis.null("int64"))
    rows = previous.mutate(page=page).left_join(ends, ["page", "target_id"])
    rows = rows.drop("page_right", "target_id_right").left_join(going, "page")
    rows = rows.filter(rows.goes_on.isnull() | rows.unseen.notnull())
    return rows.anti_join(folded_again, rows.source_id == folded_again.url_id).mutate(
        lost_at=_.lost_at.coalesce(_.now_lost_at)
    )


def going_on(steps: ir.Table) -> ir.Table:
    """The carried steps of pages that have later steps."""
    return steps.filter(_.carried, _.steps > 1)


def closed(previous: ir.Table, steps: ir.Table) -> ir.Table:
    """Stretches that had ended before, of the pages that this build continues."""
    carried = going_on(steps)
    ended = previous.filter(_.lost_at.notnull())
    return ended.semi_join(carried, ended.source_id == carried.url_id)


def _with_first_seen(found: ir.Table, lost: ir.Table, ended: ir.Table) -> ir.Table:
    """Add ``first_seen``, the start of each link's first stretch: *lost* now, or *ended* before.

    A link has several stretches only if it was lost, so only such links are aggregated.
    """
    key = ["source_id", "target_id"]
    earlier = ibis.union(lost.select(*key, "found_at"), ended.select(*key, "found_at"))
    first = earlier.group_by(key).agg(earliest=_.found_at.min())
    joined = found.left_join(first, key)
    return joined.select(
        *found.columns,
        first_seen=ibis.least(joined.found_at, joined.earliest.coalesce(joined.found_at)),
    )


def _reason(outcome: ir.Value, reasons: dict[Outcome, ReasonLost]) -> ir.Value:
    return outcome.cases(*reasons.items(), else_=ibis.null("string"))
