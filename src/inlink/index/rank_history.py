"""The ranks of earlier days.

In: a partition, and days on which ranks were published. Out: the rank on each of these days.
"""

import datetime as dt
from collections.abc import Sequence

import numpy as np

from inlink.contract.rows import UNKNOWN_RANK
from inlink.index.days import day_number
from inlink.index.files import Ints
from inlink.index.partition import Partition

_BIAS = 1 << 31
"""Added to a day that int32 can hold, it makes an unsigned number of 32 bits."""


def inlink_ranks(
    partition: Partition, targets: slice, days: Sequence[dt.date]
) -> list[tuple[dt.date, int]]:
    """InLink Rank of *targets* (of several, the highest) on each of *days*."""
    past = partition.past_ranks
    column = partition.targets.inlink_rank
    return _ranks(targets, column, past.target, past.until, past.inlink_rank, days)


def domain_inlink_ranks(
    partition: Partition, domain_id: int, days: Sequence[dt.date]
) -> list[tuple[dt.date, int]]:
    """The rank of a registrable domain on each of *days*."""
    past = partition.past_domain_ranks
    rows, column = partition.domain_rows(domain_id), partition.domains.domain_inlink_rank
    return _ranks(rows, column, past.domain, past.until, past.domain_inlink_rank, days)


def _ranks(
    rows: slice,
    current: Ints,
    of: Ints,
    until: Ints,
    past: Ints,
    days: Sequence[dt.date],
) -> list[tuple[dt.date, int]]:
    """The highest rank of *rows* on each of *days*.

    *current* has the present rank of every row. *past* has earlier ranks, each *of* a row and
    *until* a day, sorted by both.
    """
    low, high = np.searchsorted(of, np.array([rows.start, rows.stop], np.int32)).tolist()
    past = np.append(past[low:high], current[rows])
    packed = of[low:high].astype(np.int64) << 32 | until[low:high].astype(np.int64) + _BIAS
    numbers = np.arange(rows.start, rows.stop)
    ranks = []
    for day in days:
        place = np.searchsorted(packed, numbers << 32 | day_number(day) + _BIAS, side="right")
        was = place < np.searchsorted(packed, numbers + 1 << 32)
        value = np.where(was, past[place], current[rows])
        ranks.append((day, int(value.max(initial=UNKNOWN_RANK))))
    return ranks
