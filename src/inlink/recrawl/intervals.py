"""How long to wait before a page is looked at again: by how often it has changed.

In: visits. Out: for each page, the days from its last visit to the next.

That a page changes is taken for a Poisson process. Of *n* checks (visits after the first), *X*
found it changed since the visit before, and they were spread over *T* days. The rate of change is

    r = -ln((n - X + 0.5) / (n + 0.5)) * n / T

which is the estimator of Cho and Garcia-Molina (Estimating frequency of change, ACM Transactions on
Internet Technology 3(3), 2003, section 4.2) with T/n for the time between checks. Unlike
-ln(1 - X/n) / (T/n) it is finite where every check found a change, and much less biased where there
were few. A page is due when it is as likely as not to have changed: ln 2 / r days after its visit.
"""

import datetime as dt
import math

import ibis
import ibis.expr.types as ir
from ibis import _

DAY = 86_400

LOOK_BACK = dt.timedelta(days=365)
"""Older visits say little of what a page does now, and need not be read."""

SHORTEST = 1.0
"""Days. No page is looked at more often: API and ranks tell of days."""

FIRST = 7.0
"""Days to the first check, and where nothing is known of the year before."""

LONGEST = 90.0
"""Days. A link that went is noticed within a quarter, however still the page was."""

PATIENCE = 2.0
"""How many times as long as a page was seen unchanged it may be left alone."""


def histories(visits: ir.Table, at: dt.datetime) -> ir.Table:
    """Each page's ``checks``, ``changes`` and ``days`` within `LOOK_BACK` before *at*.

    A change is another payload digest (where there is none, another title) or outcome than at the
    visit before. Failed visits say nothing of it; a revisit or a 304 says that there was none.
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
    """Days between two visits of a page with such a history; all three are null if it has none."""
    rate = -((checks - changes + 0.5) / (checks + 0.5)).ln() * checks / days.nullif(0)
    likely = (rate > 0).ifelse(math.log(2) / rate.nullif(0), LONGEST)
    seen = ibis.greatest(FIRST, PATIENCE * days)
    return ibis.least(likely, seen).clip(SHORTEST, LONGEST).coalesce(FIRST)
