"""Which visits a build folds, and what each of them means for its page.

In: the pages of the previous generation, the visits of new batches, and of all batches.
Out: *steps*. A step is a visit that sets the state of its page or adds links to it, numbered from 0
along the page's time. Visits that change nothing (a first failure, a revisit of what is already
known) are no steps.

A visit is *whole* if it shows all that is there: what it lacks is lost. An incomplete visit is not.
It adds or confirms the links that count by its outcome. It is neither a failure nor a success, and
of all states it can only bring its page that of ``ok``. Where a complete visit of the page has the
same instant, it is ignored.

A page whose new visits all come after its last known one goes on from where the previous generation
left it: that state is its step 0, *carried*. A page whose past is reopened (a visit from before its
last known one, a revisit whose content has to be looked up) is folded again from all of its visits.
"""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.extract.outcomes import ANSWERS, CONTENT
from inlink.store import tables

_NOT_FOLDED = ("file", "offset", "original_url", "etag", "last_modified")


@dataclass(frozen=True, slots=True)
class Sources:
    """What a build reads of visits.

    ``pages`` and ``referrals`` are the previous generation's; ``new`` and ``every`` hold the visits
    of the batches it has not folded, and of all batches.
    """

    pages: ir.Table
    referrals: ir.Table
    new: ir.Table
    every: ir.Table


def in_time(table: ir.Table) -> list[ir.Value]:
    """The order of visits: by time, and by what they saw where two share an instant."""
    return [table.visited_at, table.visit_id]


def distinct_visits(visits: ir.Table) -> ir.Table:
    """One row a visit, without the columns that the fold has no use for."""
    columns = [name for name in visits.columns if name not in _NOT_FOLDED]
    return visits.select(columns).distinct()


def reopened_pages(sources: Sources) -> ir.Table:
    """Pages (``url_id``) that have to be folded again from all their visits."""
    pages, new = sources.pages, sources.new
    both = new.inner_join(pages, "url_id").select(
        new.url_id,
        late=(new.visited_at < pages.visited_at)
        | ((new.visited_at == pages.visited_at) & (new.visit_id <= pages.visit_id)),
        revisit=new.outcome == "unchanged",
        confirms=(new.outcome == "unchanged")
        & (new.refers_to_id.coalesce(new.url_id) == new.url_id)
        & (new.payload_digest.isnull() | (new.payload_digest == pages.payload_digest)).fill_null(
            False
        )
        & pages.outcome.isin(CONTENT),
    )
    known = both.group_by("url_id").agg(
        late=_.late.any(), revisit=_.revisit.any(), confirms=_.confirms.all()
    )
    known = known.filter(known.late | (known.revisit & ~known.confirms)).select("url_id")
    referring = sources.referrals.semi_join(
        new, sources.referrals.refers_to_id == new.url_id
    ).select("url_id")
    borrowing = new.filter(_.outcome == "unchanged", _.refers_to_id != _.url_id).select("url_id")
    return ibis.union(known, referring, borrowing, distinct=True)


def visits_to_fold(sources: Sources, reopened: ir.Table) -> ir.Table:
    """Every visit that this build looks at, with the carried states of the pages that go on."""
    again = distinct_visits(sources.every.semi_join(reopened, "url_id"))
    fresh = sources.new.anti_join(reopened, "url_id")
    columns = (
        "visit_id",
        "url_id",
        "domain_id",
        "visited_at",
        "outcome",
        "ip",
        "title",
        "payload_digest",
        "content_visit_id",
        "failures",
        "canonical_url",
        "refers_to_id",
        "carried",
    )
    visits = ibis.union(again, fresh).mutate(
        content_visit_id=_.outcome.isin(ANSWERS).ifelse(_.visit_id, ibis.null("int64")),
        failures=ibis.literal(0, "int32"),
        carried=ibis.literal(False),
    )
    state = sources.pages.semi_join(fresh, "url_id").mutate(
        canonical_url=ibis.null("string"),
        refers_to_id=ibis.null("int64"),
        carried=ibis.literal(True),
    )
    return ibis.union(visits.select(*columns), state.select(*columns))


def revisits(visits: ir.Table) -> ir.Table:
    """Those of *visits* that say that something is as it was, and which URL they speak of."""
    return visits.filter(_.outcome == "unchanged").mutate(
        refers_to_id=_.refers_to_id.coalesce(_.url_id)
    )


def resolve_revisits(visits: ir.Table, every: ir.Table, urls: ir.Table) -> ir.Table:
    """Give each revisit the outcome, title and content of the visit it refers to.

    One that names a payload digest or another URL refers to the latest earlier visit of that URL
    that answered with such content (a digest that is not known agrees with any). One that names
    neither (a 304) says that nothing changed since the page last had content. A revisit that refers
    to nothing we have keeps the outcome ``unchanged``.

    What another URL had is looked up among its visits in *every* batch: the states that *visits*
    carry over say too little of it.
    """
    again = revisits(visits)
    borrowing = again.filter(again.refers_to_id != again.url_id)
    names = again.payload_digest.notnull() | (again.refers_to_id != again.url_id)
    lenders = distinct_visits(every.semi_join(borrowing, every.url_id == borrowing.refers_to_id))
    contents = ibis.union(
        _contents(visits), _contents(lenders.mutate(content_visit_id=_.visit_id), lends=True)
    )
    resolved = _resolve(visits, again.filter(names), contents, urls)
    return _resolve(resolved, again.filter(~names), _contents(resolved), urls)


_CANDIDATE = (
    "url_id",
    "visit_id",
    "visited_at",
    "outcome",
    "title",
    "payload_digest",
    "canonical_url",
    "content_visit_id",
)


def _contents(visits: ir.Table, *, lends: bool = False) -> ir.Table:
    """What a revisit may refer to; *lends*: one of another URL."""
    contents = visits.select(*_CANDIDATE).filter(_.outcome.isin(CONTENT))
    return contents.mutate(lends=ibis.literal(lends))


def _resolve(visits: ir.Table, revisits: ir.Table, contents: ir.Table, urls: ir.Table) -> ir.Table:
    content = contents.rename({f"content_{name}": name for name in contents.columns})
    same_time = revisits.visited_at == content.content_visited_at
    earlier = revisits.inner_join(
        content,
        [
            revisits.refers_to_id == content.content_url_id,
            (revisits.refers_to_id != revisits.url_id) == content.content_lends,
            (content.content_visited_at < revisits.visited_at)
            | (
                same_time & (content.content_lends | (content.content_visit_id < revisits.visit_id))
            ),
            (revisits.payload_digest == content.content_payload_digest).fill_null(True),
        ],
    )
    latest = ibis.window(
        group_by="visit_id",
        order_by=[ibis.desc("content_visited_at"), ibis.desc("content_visit_id")],
    )
    found = earlier.mutate(nth=ibis.row_number().over(latest)).filter(_.nth == 0)
    found = _outcome_on_own_page(
        found.select("visit_id", "url_id", "refers_to_id", *content.columns), urls
    )
    resolved = visits.left_join(found.drop("url_id", "refers_to_id"), "visit_id")
    is_found = resolved["content_content_visit_id"].notnull()
    changed = {
        name: is_found.ifelse(resolved[f"content_{name}"], resolved[name])
        for name in ("outcome", "title", "payload_digest", "content_visit_id")
    }
    return resolved.mutate(**changed).select(*visits.columns)


def _outcome_on_own_page(found: ir.Table, urls: ir.Table) -> ir.Table:
    """Content borrowed from another URL may name that URL as its canonical."""
    named = found.left_join(urls.select("url_id", "url"), "url_id")
    borrowed = (named["refers_to_id"] != named["url_id"]) & named["content_outcome"].isin(
        ["ok", "not_canonical"]
    )
    canonical = named["content_canonical_url"]
    own = (canonical.isnull() | (_page(canonical) == _page(named["url"]))).ifelse(
        "ok", "not_canonical"
    )
    return named.mutate(content_outcome=borrowed.ifelse(own, named["content_outcome"])).select(
        *found.columns
    )


def _page(url: ir.Value) -> ir.Value:
    """A URL without what does not make another page: scheme, ``www.`` and trailing slash."""
    address = url.re_replace(r"^https?://(www\.)?", "")
    return address.re_replace(r"^([^?]*?)/?(\?.*)?$", r"\1\2")


def count_failures(visits: ir.Table) -> ir.Table:
    """Add ``run``: how many failed visits in a row, up to and including this one.

    A carried state brings the failures that it ended with.
    """
    failed = (visits.outcome == "failed") & ~visits.carried
    along = ibis.window(group_by="url_id", order_by=in_time(visits), preceding=(None, 0))
    runs = visits.mutate(failed=failed, stretch=(~failed).ifelse(1, 0).sum().over(along))
    within = ibis.window(
        group_by=["url_id", "stretch"], order_by=in_time(visits), preceding=(None, 0)
    )
    return runs.mutate(
        run=(_.failed.ifelse(1, 0) + _.failures).sum().over(within).cast("int32")
    ).drop("stretch")


def number_steps(visits: ir.Table, failed_visits: int) -> ir.Table:
    """The visits that set their page's state, numbered from 0 (``step``) by page."""
    counted = count_failures(visits)
    sets_state = counted.filter(
        (_.outcome != "unchanged") & (~_.failed | (_.run == failed_visits)),
    ).mutate(
        content_visit_id=_.outcome.isin(ANSWERS).ifelse(_.content_visit_id, ibis.null("int64"))
    )
    along = ibis.window(group_by="url_id", order_by=in_time(sets_state))
    before = sets_state.mutate(
        content_before=_.content_visit_id.lag().over(along),
        outcome_before=_.outcome.lag().over(along),
    )
    same = (before.content_visit_id == before.content_before) & (
        before.outcome == before.outcome_before
    )
    changed = before.filter(~same.fill_null(False))
    along = ibis.window(group_by="url_id", order_by=in_time(changed))
    return changed.select(
        "url_id",
        "domain_id",
        "visited_at",
        "visit_id",
        "outcome",
        "content_visit_id",
        "carried",
        step=ibis.row_number().over(along),
        steps=_.count().over(ibis.window(group_by="url_id")),
    )


def fold_pages(previous: ir.Table, visits: ir.Table, steps: ir.Table) -> ir.Table:
    """The state of every page after its last visit (table ``pages``)."""
    counted = count_failures(visits)
    along = ibis.window(group_by="url_id", order_by=in_time(counted))
    numbered = counted.mutate(nth=ibis.row_number().over(along))
    has_content = numbered.content_visit_id.notnull()
    has_title = numbered.outcome.isin(["ok", "noindex", "not_canonical"]) | numbered.carried
    pages = numbered.group_by("url_id").agg(
        domain_id=_.domain_id.max(),
        visited_at=_.visited_at.max(),
        visit_id=_.visit_id.argmax(_.nth),
        failures=_.run.argmax(_.nth),
        content=_content(numbered).argmax(_.nth, where=has_content),
        title=_.title.argmax(_.nth, where=has_title),
        ip=_.ip.argmax(_.nth, where=numbered.ip.notnull()),
        last_outcome=_.outcome.argmax(_.nth),
    )
    last = steps.filter(_.step == _.steps - 1).select("url_id", "outcome")
    joined = pages.left_join(last, "url_id")
    folded = joined.mutate(
        content_visit_id=joined["content"]["content_visit_id"],
        payload_digest=joined["content"]["payload_digest"],
        title=joined["title"].fill_null(""),
        outcome=joined["outcome"].coalesce(joined["last_outcome"]),
    )
    columns = tables.PAGES.names
    return ibis.union(folded.select(columns), previous.anti_join(folded, "url_id").select(columns))


def _content(visits: ir.Table) -> ir.Value:
    """What is kept of a page's content; as one value, for a part that is null is passed over."""
    names = ("content_visit_id", "payload_digest")
    return ibis.struct({name: visits[name] for name in names})


def fold_referrals(sources: Sources) -> ir.Table:
    """Which pages to fold again when another URL gets a visit (table ``referrals``)."""
    new = sources.new.filter(_.outcome == "unchanged", _.refers_to_id != _.url_id)
    columns = tables.REFERRALS.names
    return ibis.union(sources.referrals.select(columns), new.select(columns), distinct=True)
