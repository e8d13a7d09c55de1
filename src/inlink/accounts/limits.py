"""Rate limits: how many requests a second, and how many at once, for keys and other subjects.

This is the generic cell rate algorithm (GCRA; ITU-T I.371), a token bucket that stores only one
number: ``next_request_at``, the time when the next request is due if requests come evenly, at
intervals of 1/rate. A request may come at most (burst - 1) intervals before that time, and moves it
on by one interval. One UPDATE both decides and moves, so the limit holds across all processes and
machines (as far as their clocks agree).

Times are whole nanoseconds: sums of floating-point seconds would refuse the last of a burst.
"""

import threading
import time
from contextlib import nullcontext

from sqlalchemy import Engine, select, text

from inlink.accounts.database import KEYS, PACES
from inlink.accounts.keys import Key

SECOND = 1_000_000_000  # ns

_TAKE = text("""
    UPDATE keys SET next_request_at = :interval +
        CASE WHEN next_request_at > :now THEN next_request_at ELSE :now END
    WHERE id = :key_id AND (next_request_at IS NULL OR next_request_at <= :latest)
""")


_TAKE_PACE = text("""
    INSERT INTO paces (subject, next_at) VALUES (:subject, :now + :interval)
    ON CONFLICT (subject) DO UPDATE SET next_at = :interval +
        CASE WHEN paces.next_at > :now THEN paces.next_at ELSE :now END
    WHERE paces.next_at <= :latest
""")
_FORGET = text("DELETE FROM paces WHERE next_at < :now")


class RateLimits:
    """Counts requests against the rates of keys; for any number of threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # SQLite has one writer at a time and makes others poll, so it is better to queue threads.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    def take(self, key: Key) -> float:
        """0.0 if a request with *key* may proceed now, else the seconds until one may.

        A request that has to wait is not counted. *key* has the limit; the database has the count.
        """
        if key.rate_limit is None or key.rate_burst is None:
            return 0.0
        interval = round(SECOND / key.rate_limit)
        early = (key.rate_burst - 1) * interval
        now = time.time_ns()
        values = {"key_id": key.id, "interval": interval, "now": now, "latest": now + early}
        with self._turn, self._engine.begin() as connection:
            if connection.execute(_TAKE, values).rowcount > 0:
                return 0.0
            due: int | None = connection.scalar(
                select(KEYS.c.next_request_at).where(KEYS.c.id == key.id)
            )
        if due is None:  # the key was deleted or given another limit a moment ago
            return 0.0
        return _wait_until(due - early)

    def take_pace(self, subject: str, seconds: float, burst: int = 1) -> float:
        """The same for a *subject* that may come every *seconds* seconds, *burst* times at once.

        Subjects whose interval is over are forgotten.
        """
        interval, now = round(SECOND * seconds), time.time_ns()
        early = (burst - 1) * interval
        values = {"subject": subject, "interval": interval, "now": now, "latest": now + early}
        with self._turn, self._engine.begin() as connection:
            connection.execute(_FORGET, {"now": now})
            if connection.execute(_TAKE_PACE, values).rowcount > 0:
                return 0.0
            due: int | None = connection.scalar(
                select(PACES.c.next_at).where(PACES.c.subject == subject)
            )
        return 0.0 if due is None else _wait_until(due - early)


def _wait_until(moment: int) -> float:
    """Seconds from now until *moment*, more than 0.

    The clock is read again: the database may have kept this request waiting while another, whose
    clock was read later, moved the time on by more than one interval from when this one began.
    """
    return max(1, moment - time.time_ns()) / SECOND
