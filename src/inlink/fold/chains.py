"""Redirect chains: A to B to C makes A a backlink of B, and A and B backlinks of C.

In: ``redirects``, from page to page with their stretches of time, and ``urls``.
Out: rows of ``links`` with link type ``redirect``. A chain is live while all of its hops are: it is
found when the last of them is found, and lost when the first of them is lost. If that is a later
hop, the referring page still redirects, so the reason is `LATER_HOP`.
"""

import datetime as dt

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.contract.outcomes import LATER_HOP
from inlink.fold.workspace import Workspace, count

NEVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
"""Stands for the end of an open stretch, so that ends can be compared."""


def fold_chains(work: Workspace, redirects: ir.Table, urls: ir.Table, hops: int) -> ir.Table:
    """Backlinks by redirect, through at most *hops* redirects in a row."""
    edges = redirects.mutate(lost_at=_.lost_at.coalesce(_never()))
    reach = work.step("chains-1", edges)
    lengths = [reach]
    for hop in range(2, hops + 1):
        if count(reach) == 0:
            break
        reach = work.step(f"chains-{hop}", _one_more(reach, edges))
        lengths.append(reach)
    between_domains = _external(work, ibis.union(*lengths) if len(lengths) > 1 else reach, urls)
    rows = _merge(between_domains).mutate(
        lost_at=_.lost_at.nullif(_never()), link_type=ibis.literal("redirect")
    )
    return rows.mutate(
        first_seen=_.found_at.min().over(ibis.window(group_by=["source_id", "target_id"])),
        element=ibis.literal("location"),
        anchor=ibis.literal(""),
        nofollow=ibis.literal(False),
        image=ibis.literal(False),
        image_source=ibis.null("string"),
    )


def _never() -> ir.Value:
    return ibis.literal(NEVER, "timestamp('UTC', 6)")


def _one_more(reach: ir.Table, edges: ir.Table) -> ir.Table:
    """Every chain extended by one hop, for the time that both parts are live."""
    following = edges.rename(
        via_id="source_id",
        end_id="target_id",
        next_found="found_at",
        next_lost="lost_at",
    )
    joined = reach.inner_join(following, reach["target_id"] == following["via_id"])
    found_at = ibis.greatest(joined["found_at"], joined["next_found"])
    lost_at = ibis.least(joined["lost_at"], joined["next_lost"])
    longer = joined.filter(found_at < lost_at, joined["source_id"] != joined["end_id"])
    return longer.select(
        "source_id",
        target_id=_.end_id,
        found_at=ibis.greatest(_.found_at, _.next_found),
        lost_at=ibis.least(_.lost_at, _.next_lost),
        reason_lost=(_.lost_at <= _.next_lost).ifelse(_.reason_lost, LATER_HOP),
    )


def _external(work: Workspace, chains: ir.Table, urls: ir.Table) -> ir.Table:
    domains = urls.select("url_id", "domain_id")
    sources = domains.rename(source_id="url_id", source_domain="domain_id")
    targets = domains.rename(target_id="url_id", target_domain="domain_id")
    # One join per step: an optimizer that sees both may first compare all domains with all.
    from_domains = work.step("chains-from-domains", chains.inner_join(sources, "source_id"))
    return (
        from_domains.inner_join(targets, "target_id")
        .filter(_.source_domain != _.target_domain)
        .select(*chains.columns)
    )


def _merge(chains: ir.Table) -> ir.Table:
    """Stretches of one link that touch or overlap become one."""
    before = ibis.window(
        group_by=["source_id", "target_id"],
        order_by=["found_at", "lost_at"],
        preceding=(None, 1),
    )
    starts = chains.mutate(end_before=_.lost_at.max().over(before)).mutate(
        starts=(_.end_before.isnull() | (_.found_at > _.end_before)).ifelse(1, 0)
    )
    along = ibis.window(
        group_by=["source_id", "target_id"],
        order_by=["found_at", "lost_at"],
        preceding=(None, 0),
    )
    numbered = starts.mutate(stretch=_.starts.sum().over(along))
    return (
        numbered.group_by(["source_id", "target_id", "stretch"])
        .agg(
            found_at=_.found_at.min(),
            reason_lost=_.reason_lost.first(
                order_by=[ibis.desc("lost_at"), "reason_lost"], include_null=True
            ),
            lost_at=_.lost_at.max(),
        )
        .drop("stretch")
    )
