"""How long to leave a host in peace, and how often to try again.

In: what a fetch gave, the settings, the rules of the host. Out: seconds.
"""

import datetime as dt
import re
from email.utils import parsedate_to_datetime

from inlink.crawl.errors import FetchError
from inlink.crawl.fetch import Fetched
from inlink.web.http import field

MAX_DELAY = 60.0
"""Longest ``Crawl-delay`` that is kept; who asks for more gets fewer requests instead."""
MAX_PAUSE = 900.0
"""Longest ``Retry-After`` that is waited for."""
PAUSE_DELAYS = 15
"""The pause after trouble, in delays between two requests; each further one is twice as long."""
GIVE_UP_AFTER = 8
"""After how many pages in a row without an answer a host counts as gone."""

NO_ANSWER = frozenset(("dns", "timeout", "refused", "reset"))
"""Causes that may pass. What failed otherwise fails again."""
_OVERLOADED = frozenset((429, 503))
_HTTP_DATE = re.compile(  # https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7: all three forms
    r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT"
    r"|[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}",
    re.ASCII,
)

Result = Fetched | FetchError


def delay_after(result: Result, latency: float, least: float, asked: float) -> float:
    """Seconds until the next request to a host.

    *least* is what the setting says, *asked* what robots.txt says, *latency* how long the host
    takes to answer: one that is slow is asked more slowly, so it is busy with us half of the time
    at most.
    """
    seconds = result.seconds if isinstance(result, Fetched) else 0.0
    return min(max(least, asked, latency, seconds), MAX_DELAY)


def smoothed(latency: float, seconds: float) -> float:
    """The latency of a host after an answer that took so long (0: none was known)."""
    return (latency + seconds) / 2 if latency else seconds


def page_budget(pages: int, asked_delay: float) -> float:
    """How many pages one crawl fetches: *pages*, or as many fewer as the delay is beyond ours."""
    return pages * min(1.0, MAX_DELAY / asked_delay) if asked_delay else pages


def asked_pause(result: Result) -> float | None:
    """What an overloaded host says in ``Retry-After``, in seconds; None if it says nothing usable.

    https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3: a number of seconds, or a date.
    """
    if isinstance(result, FetchError) or result.status not in _OVERLOADED:
        return None
    said = (field(result.fields, "retry-after") or "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    if not _HTTP_DATE.fullmatch(said):
        return None
    try:
        at = parsedate_to_datetime(said)
    except ValueError:  # no such day
        return None
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return max((at - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)


def pause_before_retry(result: Result, attempts: int, least: float) -> float | None:
    """How long to wait before what was tried *attempts* times is tried again; None: it is not."""
    if attempts >= _most_attempts(result):
        return None
    asked = asked_pause(result)
    if asked is not None:
        return asked if asked <= MAX_PAUSE else None
    return least * PAUSE_DELAYS * (1 << (attempts - 1))


def _most_attempts(result: Result) -> int:
    if isinstance(result, FetchError):
        return 2 if result.cause in NO_ANSWER else 1
    return 3 if result.status in _OVERLOADED else 1
