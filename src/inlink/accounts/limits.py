"""Rate limits: how many requests a second, and how many at once, of keys and of other things.

The generic cell rate algorithm (GCRA; ITU-T I.371), which is a token bucket that needs to keep one
number: ``next_request_at``, the time when the next request is due if they come evenly, at intervals
of 1/rate. A request may come before that time by no more than (burst - 1) intervals, and moves it
on by one. Deciding and moving are one UPDATE, so the limit holds over all processes and machines
(as far as their clocks agree).

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
        # SQLite has one writer at a time, and lets others poll: threads had better stand in line.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    def take(self, key: Key) -> float:
        """0.0 if a request with *key* may go on now, else the seconds until one may.

        A request that has to wait is not counted. *key* says the limit, the database what has come.
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
        if due is None:  # a moment ago the key was deleted, or was given another limit
            return 0.0
        return _wait_until(due - early)

    def take_pace(self, subject: str, seconds: float, burst: int = 1) -> float:
        """The same of anything that may come every so many *seconds*, *burst* of it at once.

        What is not under way any more is forgotten.
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

    *Now* is read anew: the database may have kept this request waiting while another, whose clock
    was read later, moved the time on by more than one interval from when this one began.
    """
    return max(1, moment - time.time_ns()) / SECOND
