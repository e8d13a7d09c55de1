"""How long to wait before a page is visited again, by how often it has changed.

In: visits. Out: for each page, the days from its last visit to the next.

The changes of a page are modelled as a Poisson process. Of *n* checks (visits after the first), *X*
found the page changed since the visit before; they were spread over *T* days. The rate of change is

    r = -ln((n - X + 0.5) / (n + 0.5)) * n / T

which is the estimator of Cho and Garcia-Molina (Estimating frequency of change, ACM Transactions on
Internet Technology 3(3), 2003, section 4.2) with T/n as the time between checks. Unlike
-ln(1 - X/n) / (T/n), it is finite if every check found a change, and much less biased if there were
few checks. A page is due when it is as likely as not to have changed, ln 2 / r days after its
visit.
"""

import datetime as dt
import math

import ibis
import ibis.expr.types as ir
from ibis import _

DAY = 86_400

LOOK_BACK = dt.timedelta(days=365)
"""Older visits say little about how a page behaves now, and need not be read."""

SHORTEST = 1.0
"""Days. No page is visited more often, because API and ranks have a resolution of days."""

FIRST = 7.0
"""Days to the first check, or to the next if nothing is known about the past year."""

LONGEST = 90.0
"""Days. A lost link is noticed within a quarter, even on a page that never changed."""

PATIENCE = 2.0
"""A page may be left alone for this many times as long as it has been observed."""


def histories(visits: ir.Table, at: dt.datetime) -> ir.Table:
    """Each page's ``checks``, ``changes`` and ``days`` within `LOOK_BACK` before *at*.

    A page has changed if its payload digest (its title if there is no digest) or its outcome
    differs from the visit before. Failed visits say nothing about changes; a revisit or a 304 says
    that there was none.
    """
    recent = visits.filter(_.outcome != "failed", _.visited_at > at - LOOK_BACK).select(
        "url_id",
        "visited_at",
        "visit_id",
        same=_.outcome == "unchanged",
        state=(_.outcome + " " + _.payload_digest.coalesce(_.title)).hash(),
    )
    along = ibis.window(group_by=["url_id", "same"], order_by=["visited_at", "visit_id"])
    compared = recent.select(
        "url_id",
        seconds=_.visited_at.epoch_seconds(),
        changed=~_.same & (_.state != _.state.lag().over(along)).fill_null(False),
    )
    return compared.group_by("url_id").agg(
        checks=_.count() - 1,
        changes=_.changed.sum(),
        days=(_.seconds.max() - _.seconds.min()) / DAY,
    )


def interval(checks: ir.Value, changes: ir.Value, days: ir.Value) -> ir.Value:
    """Days between two visits of a page with this history; all three are null if it has none."""
    rate = -((checks - changes + 0.5) / (checks + 0.5)).ln() * checks / days.nullif(0)
    likely = (rate > 0).ifelse(math.log(2) / rate.nullif(0), LONGEST)
    seen = ibis.greatest(FIRST, PATIENCE * days)
    return ibis.least(likely, seen).clip(SHORTEST, LONGEST).coalesce(FIRST)
