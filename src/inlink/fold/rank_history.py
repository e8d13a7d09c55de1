"""The ranks of every generation, kept as past values.

In: the ranks of the generation published before and its history, and the ranks of the new one. Out:
rows of the tables ``past_ranks``, ``past_domain_ranks`` and ``rank_days``.

A generation's *rank day* is the UTC day of the last visit that it has folded, but never before the
rank day of the previous generation. If two have the same rank day, it gets the ranks of the later
one. A past value is written only if a rank differs from that of the previous rank day, so ranks
that do not change cost nothing.
"""

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.fold.workspace import count

UNKNOWN = -1
"""The rank of whatever was not a node of the graph."""


def rank_days(published: ir.Table, pages_before: ir.Table, pages: ir.Table) -> ir.Table:
    """The days for which there are ranks, ascending.

    *published* are those up to the generation whose pages are *pages_before*. It is empty if that
    generation was made before such days were kept; then its pages give its day.
    """
    before = _with_last_visit(published, pages_before)
    return _with_last_visit(before, pages).order_by("day")


def _with_last_visit(days: ir.Table, pages: ir.Table) -> ir.Table:
    """*days* and the day of the last visit of *pages*, unless *days* has a later one.

    Without any visit, there are no ranks that could have a day.
    """
    last_visit = pages.agg(day=_.visited_at.max().date()).filter(_.day.notnull())
    not_before = last_visit.filter((_.day > days.day.max().as_scalar()).fill_null(True))
    return ibis.union(days, not_before)


def past_ranks(
    past: ir.Table, before: ir.Table, now: ir.Table, days: ir.Table, names: tuple[str, str]
) -> ir.Table:
    """Rows of ``past_ranks`` or ``past_domain_ranks``; *names* are the columns of id and rank.

    *past* and *before* are the past values and the ranks of the generation published before, *now*
    are the new ranks, and the last of *days* is their day.
    """
    if count(days) < 2:
        return past  # which is empty: nothing is known from before the first rank day
    key, rank = names
    today = ibis.literal(days.day.max().to_pyarrow().as_py(), "date")
    same_day = past.filter(_.until == today)  # the previous generation has the same rank day
    day_before = ibis.union(
        same_day.select(key, rank), before.anti_join(same_day, key).select(key, rank)
    )
    both = day_before.outer_join(now.select(key, rank), key)
    changes = both.select(
        **{key: both[key].coalesce(both[f"{key}_right"]), rank: both[rank].fill_null(UNKNOWN)},
        until=today,
        rank_now=both[f"{rank}_right"].fill_null(UNKNOWN),
    ).filter(_[rank] != _.rank_now)
    columns = (key, "until", rank)
    return ibis.union(past.filter(_.until < today).select(columns), changes.select(columns))
