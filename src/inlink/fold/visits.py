"""Which visits a build folds, and what each of them means for its page.

In: the pages of the previous generation, the visits of new batches, and of all batches.
Out: *steps*. A step is a visit that sets the state of its page or adds links to it, numbered from 0
in order of time for each page. Visits that change nothing (a first failure, a revisit of content
already known) are not steps.

A visit is *whole* if it shows everything on the page: links that it lacks are lost. An incomplete
visit is not whole. It adds or confirms the links that count by its outcome. It is neither a failure
nor a success, and the only state that it can give its page is ``ok``. If a complete visit of the
page has the same instant, the incomplete one is ignored.

Time itself also makes steps: a page *expires* when it has not been visited for ``stale_days``, and
on the day from which its robots directives forbid showing it. The current time is that of the
newest visit that the build knows, so that the fold depends on visits alone.

If all new visits of a page come after its last known one, the page continues from where the
previous generation left it: that state is its step 0, *carried*. A page whose past is reopened (by
a visit from before its last known one or from before it expired, or by a revisit whose content must
be looked up) is folded again from all of its visits.
"""

import datetime as dt
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.contract.outcomes import ANSWERS, CONTENT, COUNTING, SHOWN, TITLED
from inlink.store import tables

_NOT_FOLDED = ("file", "offset", "original_url", "etag", "last_modified")


@dataclass(frozen=True, slots=True)
class Sources:
    """The tables that a build reads about visits.

    ``pages``, ``referrals`` and ``redirects`` are the previous generation's; ``new`` and ``every``
    hold the visits of the batches that it has not folded, and of all batches.
    """

    pages: ir.Table
    referrals: ir.Table
    redirects: ir.Table
    new: ir.Table
    every: ir.Table

    def newest(self) -> dt.datetime:
        """The time of the newest visit, which the fold takes for now."""
        times = ibis.union(self.pages.select("visited_at"), self.new.select("visited_at"))
        newest: dt.datetime | None = times.visited_at.max().to_pyarrow().as_py()
        return newest or dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True, slots=True)
class Expiry:
    """What decides when pages expire: the current time, and after how many days a page is stale."""

    now: dt.datetime
    stale_days: int | None

    def stale_at(self, table: ir.Table) -> ir.Value:
        """When a page last visited at ``visited_at`` becomes stale; null: never."""
        if self.stale_days is None:
            return ibis.null("timestamp('UTC', 6)")
        return table.visited_at + ibis.interval(days=self.stale_days)

    def has_come(self, time: ir.Value) -> ir.Value:
        """Whether *time* has come."""
        return time <= ibis.literal(self.now, "timestamp('UTC', 6)")

    def next_time(self, time: ir.Value) -> ir.Value:
        """The *time* of the next event; now, if there is none."""
        return time.coalesce(ibis.literal(self.now, "timestamp('UTC', 6)"))


def in_time(table: ir.Table) -> list[ir.Value]:
    """The order of visits: by time; two at the same instant, by what they saw."""
    return [table.visited_at, table.visit_id]


def distinct_visits(visits: ir.Table) -> ir.Table:
    """One row per visit, without the columns that the fold does not use."""
    columns = [name for name in visits.columns if name not in _NOT_FOLDED]
    return visits.select(columns).distinct()


def that_count(visits: ir.Table) -> ir.Table:
    """*visits* without incomplete ones at the same instant as a complete one of the same page.

    For each instant of a page, *visits* has all visits or none.
    """
    complete, partial = visits.filter(_.complete), visits.filter(~_.complete)
    return ibis.union(complete, partial.anti_join(complete, ["url_id", "visited_at"]))


def reopened_pages(sources: Sources, expiry: Expiry) -> ir.Table:
    """Pages (``url_id``) to fold again from all their visits."""
    pages, new = sources.pages, sources.new
    both = new.inner_join(pages, "url_id").select(
        new.url_id,
        late=new.visited_at <= ibis.greatest(pages.visited_at, pages.expired_at),
        revisit=new.outcome == "unchanged",
        confirms=(new.outcome == "unchanged")
        & (new.refers_to_id.coalesce(new.url_id) == new.url_id)
        & (new.payload_digest.isnull() | (new.payload_digest == pages.payload_digest)).fill_null(
            False
        )
        & pages.outcome.isin(CONTENT)
        & pages.partial_visit_id.isnull()
        & pages.expired_at.isnull(),
        redirects_in_part=~new.complete & (new.outcome == "redirect"),
    )
    known = both.group_by("url_id").agg(
        late=_.late.any(),
        revisit=_.revisit.any(),
        confirms=_.confirms.all(),
        redirects_in_part=_.redirects_in_part.any(),
    )
    again = known.late | (known.revisit & ~known.confirms) | known.redirects_in_part
    known = known.filter(again).select("url_id")
    referring = sources.referrals.semi_join(
        new, sources.referrals.refers_to_id == new.url_id
    ).select("url_id")
    borrowing = new.filter(_.outcome == "unchanged", _.refers_to_id != _.url_id).select("url_id")
    expiring = pages.filter(expiry.has_come(_.unavailable_after)).select("url_id")
    return ibis.union(known, referring, borrowing, expiring, _redirecting(sources), distinct=True)


def _redirecting(sources: Sources) -> ir.Table:
    """Pages with a live redirect and a new visit that was not complete.

    Such a page may both link and redirect to one URL. The graph has one row for both, and cannot
    continue from the row that it had.
    """
    redirects = sources.redirects.filter(_.lost_at.isnull())
    partial = sources.new.filter(~_.complete)
    return partial.semi_join(redirects, partial.url_id == redirects.source_id).select("url_id")


def visits_to_fold(sources: Sources, reopened: ir.Table, expiry: Expiry) -> ir.Table:
    """Every visit that this build folds, with the carried states of the pages that continue."""
    again = distinct_visits(sources.every.semi_join(reopened, "url_id"))
    fresh = sources.new.anti_join(reopened, "url_id")
    visits = _observed(that_count(ibis.union(again, fresh)))
    stale_at = expiry.stale_at(sources.pages)
    gone_stale = expiry.has_come(stale_at) & (sources.pages.expired_at < stale_at).fill_null(True)
    stale = sources.pages.filter(gone_stale).anti_join(reopened, "url_id")
    goes_on = ibis.union(fresh.select("url_id"), stale.select("url_id"), distinct=True)
    state = sources.pages.semi_join(goes_on, "url_id").mutate(
        refers_to_id=ibis.null("int64"),
        complete=ibis.literal(True),
        whole=ibis.literal(True),
        titled=ibis.literal(True),
        has_content=_.outcome.isin(CONTENT),
        carried=ibis.literal(True),
    )
    return ibis.union(visits.select(*_FOLDED), state.select(*_FOLDED))


_FOLDED = (
    "visit_id",
    "url_id",
    "domain_id",
    "visited_at",
    "outcome",
    "ip",
    "title",
    "payload_digest",
    "content_visit_id",
    "proof_visit_id",
    "partial_visit_id",
    "failures",
    "refers_to_id",
    "unavailable_after",
    "expired_at",
    "complete",
    "whole",
    "titled",
    "has_content",
    "carried",
)
"""What the fold knows about a visit: columns of ``visits``, of ``pages``, and these.

- ``whole``: links that it does not show are not there. A revisit is whole if its content is known
  as a whole.
- ``titled``: if it shows no title, there is none.
- ``has_content``: a revisit may refer to it.
- ``carried``: it is a state of the previous generation.
"""


def _observed(visits: ir.Table) -> ir.Table:
    """Visits as observed, each with its own content."""
    content = _.outcome.isin(ANSWERS).ifelse(_.visit_id, ibis.null("int64"))
    return visits.mutate(
        content_visit_id=content,
        proof_visit_id=content,
        partial_visit_id=ibis.null("int64"),
        expired_at=ibis.null("timestamp('UTC', 6)"),
        failures=ibis.literal(0, "int32"),
        whole=_.complete,
        titled=_.complete,
        has_content=_.outcome.isin(CONTENT) | ((_.outcome == "redirect") & (_.status == 200)),
        carried=ibis.literal(False),
    )


def revisits(visits: ir.Table) -> ir.Table:
    """Those of *visits* that report unchanged content, and the URL that they refer to."""
    return visits.filter(_.outcome == "unchanged").mutate(
        refers_to_id=_.refers_to_id.coalesce(_.url_id)
    )


def resolve_named(visits: ir.Table, every: ir.Table) -> ir.Table:
    """Give each revisit that names what it refers to the outcome, title and content of that visit.

    A revisit that names a payload digest or another URL refers to the latest earlier visit of that
    URL that answered with such content (an unknown digest agrees with any). If we have no such
    visit, the revisit keeps the outcome ``unchanged``.

    A complete visit takes precedence over incomplete ones. But if an incomplete one is later, it is
    unknown which of the two is meant, so the revisit is not whole either.

    The content of another URL is looked up among its visits in *every* batch, because the states
    that *visits* carry over do not say enough about it.
    """
    again = revisits(visits)
    borrowers = again.filter(again.refers_to_id != again.url_id)
    names = again.payload_digest.notnull() | (again.refers_to_id != again.url_id)
    lenders = that_count(
        distinct_visits(every.semi_join(borrowers, every.url_id == borrowers.refers_to_id))
    )
    contents = ibis.union(_contents(visits), _contents(_observed(lenders), lends=True))
    return _resolve(visits, again.filter(names), contents)


def borrowing(visits: ir.Table) -> ir.Table:
    """Those of *visits* (see `resolve_named`) that have the content of another URL."""
    return visits.filter(_.refers_to_id != _.url_id, _.outcome != "unchanged")


def on_own_pages(visits: ir.Table, outcomes: ir.Table) -> ir.Table:
    """*visits* with what borrowed content means for their own pages (``own_outcome``).

    The links of that content then have the id of the revisit.
    """
    known = visits.left_join(outcomes, "visit_id")
    borrows = known["own_outcome"].notnull()
    return known.mutate(
        outcome=known["own_outcome"].coalesce(known["outcome"]),
        content_visit_id=borrows.ifelse(known["visit_id"], known["content_visit_id"]),
    ).select(*visits.columns)


def resolve_unnamed(visits: ir.Table) -> ir.Table:
    """Give revisits that name nothing (a 304) what their page had when it last had content."""
    again = revisits(visits)
    named = again.payload_digest.notnull() | (again.refers_to_id != again.url_id)
    return _resolve(visits, again.filter(~named), _contents(visits))


_CANDIDATE = (
    "url_id",
    "visit_id",
    "visited_at",
    "outcome",
    "title",
    "payload_digest",
    "content_visit_id",
    "proof_visit_id",
    "unavailable_after",
    "whole",
    "has_content",
)


def _contents(visits: ir.Table, *, lends: bool = False) -> ir.Table:
    """The visits that a revisit may refer to; *lends*: a revisit of another URL."""
    contents = visits.filter(_.has_content).select(*_CANDIDATE)
    return contents.mutate(lends=ibis.literal(lends))


def _resolve(visits: ir.Table, revisits: ir.Table, contents: ir.Table) -> ir.Table:
    content = contents.rename({f"known_{name}": name for name in contents.columns})
    same_time = revisits.visited_at == content.known_visited_at
    earlier = revisits.inner_join(
        content,
        [
            revisits.refers_to_id == content.known_url_id,
            (revisits.refers_to_id != revisits.url_id) == content.known_lends,
            (content.known_visited_at < revisits.visited_at)
            | (same_time & (content.known_lends | (content.known_visit_id < revisits.visit_id))),
            (revisits.payload_digest == content.known_payload_digest).fill_null(True),
        ],
    )
    latest = [ibis.desc("known_visited_at"), ibis.desc("known_visit_id")]
    best = [ibis.desc("known_whole"), *latest]
    found = earlier.mutate(
        nth=ibis.row_number().over(ibis.window(group_by="visit_id", order_by=best)),
        is_latest=ibis.row_number().over(ibis.window(group_by="visit_id", order_by=latest)) == 0,
    ).filter(_.nth == 0)
    found = found.select("visit_id", "is_latest", *content.columns)
    resolved = visits.left_join(found, "visit_id")
    is_found = resolved["known_visit_id"].notnull()
    changed = {
        name: is_found.ifelse(resolved[f"known_{name}"], resolved[name])
        for name in (
            *("outcome", "title", "payload_digest"),
            *("content_visit_id", "proof_visit_id", "unavailable_after", "has_content"),
        )
    }
    known = resolved["known_whole"] & resolved["is_latest"]
    changed["titled"] = is_found.ifelse(known, resolved["titled"])
    changed["whole"] = is_found.ifelse(known & resolved["complete"], resolved["whole"])
    return resolved.mutate(**changed).select(*visits.columns)


def state_visits(visits: ir.Table, failed_visits: int) -> ir.Table:
    """Mark the visits of the fold (``acts``) that set their page's state or add links to it.

    Also adds ``run``: how many failed visits in a row, up to and including this one. A carried
    state starts with the failures that it ended with. A page that earlier robots directives no
    longer allow to be shown is ``noindex``.
    """
    gone = visits.outcome.isin(SHOWN) & (visits.unavailable_after <= visits.visited_at)
    visits = visits.mutate(outcome=gone.fill_null(False).ifelse("noindex", visits.outcome))
    failed = (visits.outcome == "failed") & visits.complete & ~visits.carried
    ends_run = visits.complete & ~failed
    along = ibis.window(group_by="url_id", order_by=in_time(visits), preceding=(None, 0))
    runs = visits.mutate(failed=failed, stretch=ends_run.ifelse(1, 0).sum().over(along))
    within = ibis.window(
        group_by=["url_id", "stretch"], order_by=in_time(visits), preceding=(None, 0)
    )
    counted = runs.mutate(
        run=(_.failed.ifelse(1, 0) + _.failures).sum().over(within).cast("int32")
    ).drop("stretch")
    adds = counted.whole | counted.outcome.isin(list(COUNTING))
    # A page seen only in part has links, although nothing else is known about it.
    says = counted.carried | (counted.outcome != "unchanged")
    acts = says & (~counted.failed | (counted.run >= failed_visits))
    return counted.mutate(acts=acts & adds)


_VISITED, _STALE, _UNAVAILABLE = 2, 1, 0
"""The order of steps at one instant."""


def expiries(visits: ir.Table, expiry: Expiry) -> ir.Table:
    """The steps that time makes between *visits* (see `state_visits`) and until now."""
    along = ibis.window(group_by="url_id", order_by=in_time(visits))
    following = expiry.next_time(visits.visited_at.lead().over(along))
    stale_at = expiry.stale_at(visits)
    stale = visits.mutate(stale_at=stale_at, is_stale=stale_at <= following).filter(_.is_stale)
    stale = stale.mutate(
        visited_at=_.stale_at, outcome=ibis.literal("page_dropped"), turn=ibis.literal(_STALE)
    )
    whole = visits.filter(_.acts & _.whole).mutate(turn=ibis.literal(_VISITED))
    columns = (*_IN_ORDER, "domain_id", "outcome", "unavailable_after")
    states = ibis.union(whole.select(*columns), stale.select(*columns))
    along = ibis.window(group_by="url_id", order_by=_IN_ORDER[1:])
    following = expiry.next_time(states.visited_at.lead().over(along))
    unavailable = states.mutate(following=following).filter(
        _.outcome.isin(SHOWN), _.unavailable_after <= _.following
    )
    unavailable = unavailable.mutate(
        visited_at=_.unavailable_after,
        outcome=ibis.literal("noindex"),
        turn=ibis.literal(_UNAVAILABLE),
    )
    return ibis.union(stale.select(*columns), unavailable.select(*columns)).mutate(
        content_visit_id=ibis.null("int64"),
        unavailable_after=ibis.null("timestamp('UTC', 6)"),
        expired_at=_.visited_at,
        carried=ibis.literal(False),
        whole=ibis.literal(True),
        settled=ibis.literal(True),
        expires=ibis.literal(True),
    )


_IN_ORDER = ("url_id", "visited_at", "turn", "visit_id")
_OF_STEP = (
    *_IN_ORDER,
    *("domain_id", "outcome", "content_visit_id"),
    *("unavailable_after", "expired_at", "carried", "whole", "settled", "expires"),
)


def number_steps(visits: ir.Table, expired: ir.Table) -> ir.Table:
    """The steps among *visits* (see `state_visits`) and *expired*, numbered from 0 by page.

    ``stage`` is the number of whole steps up to and including this one, less 1: at a stage, a page
    shows everything that the steps of the stage show. ``stages`` is the page's last stage.
    ``settled`` are whole steps, except carried ones of pages that also have links of incomplete
    visits.
    """
    visited = visits.filter(_.acts).mutate(
        content_visit_id=_.outcome.isin(ANSWERS).ifelse(_.content_visit_id, ibis.null("int64")),
        turn=ibis.literal(_VISITED),
        expires=ibis.literal(False),
        settled=_.whole & _.partial_visit_id.isnull(),
    )
    acts = ibis.union(visited.select(*_OF_STEP), expired.select(*_OF_STEP))
    along = ibis.window(group_by="url_id", order_by=_IN_ORDER[1:])
    before = acts.mutate(
        **{f"{name}_before": acts[name].lag().over(along) for name in _SAME_STATE},
        settled_before=_.settled.lag().over(along),
    )
    same = (before.settled_before | ~before.whole).fill_null(False)
    for name in _SAME_STATE:
        same &= before[name].identical_to(before[f"{name}_before"])
    changed = before.filter(~same | before.expires).select(*_OF_STEP)
    so_far = ibis.window(group_by="url_id", order_by=_IN_ORDER[1:], preceding=(None, 0))
    numbered = changed.mutate(
        step=ibis.row_number().over(along),
        steps=_.count().over(ibis.window(group_by="url_id")),
        stage=(_.whole.ifelse(1, 0).sum().over(so_far) - 1).cast("int32"),
    )
    return numbered.mutate(stages=_.stage.max().over(ibis.window(group_by="url_id"))).drop("turn")


_SAME_STATE = ("outcome", "content_visit_id")


def fold_pages(previous: ir.Table, visits: ir.Table, steps: ir.Table) -> ir.Table:
    """The state of every page after its last visit (table ``pages``).

    *visits* are those of `state_visits`. A page about which nothing is known, because it was seen
    only in part, has the outcome ``unchanged``.
    """
    along = ibis.window(group_by="url_id", order_by=in_time(visits))
    numbered = visits.mutate(nth=ibis.row_number().over(along))
    numbered = numbered.mutate(
        partial_visit_id=(numbered.acts & ~numbered.whole).ifelse(
            numbered.visit_id, numbered.partial_visit_id
        )
    )
    has_content = numbered.content_visit_id.notnull() & numbered.whole
    has_title = numbered.outcome.isin(TITLED) & (numbered.titled | (numbered.title != ""))
    pages = numbered.group_by("url_id").agg(
        domain_id=_.domain_id.max(),
        visited_at=_.visited_at.max(),
        visit_id=_.visit_id.argmax(_.nth),
        failures=_.run.argmax(_.nth),
        content=_content(numbered).argmax(_.nth, where=has_content),
        proof=_.proof_visit_id.argmax(_.nth, where=numbered.proof_visit_id.notnull()),
        partial=_.partial_visit_id.argmax(_.nth, where=numbered.partial_visit_id.notnull()),
        partial_nth=_.nth.max(where=numbered.partial_visit_id.notnull()),
        whole_nth=_.nth.max(where=numbered.acts & numbered.whole & ~numbered.carried),
        title=_.title.argmax(_.nth, where=has_title | numbered.carried),
        ip=_.ip.argmax(_.nth, where=numbered.ip.notnull()),
    )
    joined = pages.left_join(_last_states(steps), "url_id")
    is_partial = (joined["partial_nth"] > joined["whole_nth"]).fill_null(True)
    folded = joined.mutate(
        content_visit_id=joined["content"]["content_visit_id"],
        payload_digest=joined["content"]["payload_digest"],
        proof_visit_id=joined["content"]["proof_visit_id"].coalesce(joined["proof"]),
        partial_visit_id=is_partial.ifelse(joined["partial"], ibis.null("int64")),
        title=joined["title"].fill_null(""),
        outcome=joined["outcome"].coalesce((joined["failures"] > 0).ifelse("failed", "unchanged")),
    )
    columns = tables.PAGES.names
    return ibis.union(folded.select(columns), previous.anti_join(folded, "url_id").select(columns))


def _last_states(steps: ir.Table) -> ir.Table:
    """The state of each page after its last step, and what the next build must know about it."""
    until = ibis.struct({"outcome": steps.outcome, "at": steps.unavailable_after})
    last = steps.group_by("url_id").agg(
        outcome=_.outcome.argmax(
            _.step, where=(_.whole & (_.outcome != "unchanged")) | (_.outcome == "ok")
        ),
        until=until.argmax(_.step, where=_.whole),
        expired_at=_.expired_at.argmax(_.step, where=_.expired_at.notnull()),
        expired_step=_.step.max(where=_.expired_at.notnull()),
        whole_step=_.step.max(where=_.whole & ~_.expires),
    )
    is_pending = last["until"]["outcome"].isin(SHOWN)
    has_expired = (last.expired_step >= last.whole_step).fill_null(True)
    never = ibis.null("timestamp('UTC', 6)")
    return last.select(
        "url_id",
        "outcome",
        unavailable_after=is_pending.fill_null(False).ifelse(last["until"]["at"], never),
        expired_at=has_expired.ifelse(last.expired_at, never),
    )


def _content(visits: ir.Table) -> ir.Value:
    """What is kept about a page's content; as one value, because a null part would be skipped."""
    names = ("content_visit_id", "payload_digest", "proof_visit_id")
    return ibis.struct({name: visits[name] for name in names})


def fold_referrals(sources: Sources) -> ir.Table:
    """Which pages to fold again when another URL gets a visit (table ``referrals``)."""
    new = sources.new.filter(_.outcome == "unchanged", _.refers_to_id != _.url_id)
    columns = tables.REFERRALS.names
    return ibis.union(sources.referrals.select(columns), new.select(columns), distinct=True)
