"""The parts of a web: answers, visits to URLs in several crawls, and the resulting backlinks.

``sites`` (the quiet majority) and ``stories`` (every kind of change) fill a ``Web``. Both state,
beside the visits, which backlinks these make. Nothing of Inlink is used here. The web stays as a
visit found it until the next visit, so that it can be crawled as well as written to files.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

CRAWLS = (
    datetime(2026, 9, 7, 6, tzinfo=UTC),
    datetime(2026, 10, 5, 6, tzinfo=UTC),
    datetime(2026, 11, 2, 6, tzinfo=UTC),
)
"""When the crawls begin: two over the whole web, and a third over the pages that changed."""

LATER = timedelta(days=3)
"""Time from the second crawl until what failed in it is retried."""

STAGES = (CRAWLS[0], CRAWLS[1], CRAWLS[1] + LATER, CRAWLS[2])
"""When the web changes: at each crawl, and at the retries of the second."""

PACE = timedelta(seconds=7)

POLICY = ("robots", "blocked")
"""Failures that are the crawler's own: it was told not to fetch."""

NETWORKS = (
    "192.0.2",
    "198.51.100",
    "203.0.113",
    *(f"198.18.{third}" for third in range(8)),
)
"""Addresses that belong to nobody: documentation (RFC 5737) and benchmarking (RFC 2544)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Visit:
    """One fetch of one URL: it has an answer, or names a failure, or repeats an earlier visit."""

    url: str
    at: datetime
    ip: str
    answer: Answer | None = None
    failure: str | None = None
    repeats: "Visit | None" = None


@dataclass(frozen=True, slots=True)
class Backlink:
    """One stretch of time in which a backlink was live, as it must be in the index."""

    source: str
    target: str
    found: datetime
    lost: datetime | None = None
    reason: str | None = None
    first_seen: datetime | None = None
    """None: the same as *found*."""
    link_type: str = "href"
    element: str = "a"
    anchor: str = ""
    nofollow: bool = False
    image_source: str | None = None
    """None: not an image link."""


def stage_of(at: datetime) -> int:
    """The number of the stage (see `STAGES`), from 1, that a visit belongs to."""
    return sum(begin <= at for begin in STAGES)


class Web:
    """Every visit of every crawl, and every backlink that is true after them."""

    def __init__(self) -> None:
        self.visits: tuple[list[Visit], ...] = tuple([] for _ in CRAWLS)
        self.backlinks: list[Backlink] = []
        self._addresses: dict[str, str] = {}
        self._by_url: dict[str, list[Visit]] = {}

    def visit(self, crawl: int, url: str, answer: Answer, *, days: int = 0) -> datetime:
        """Visit *url* in crawl 1, 2 or 3, *days* after its first day; returns the time."""
        return self._add(crawl, url, days, answer=answer)

    def fail(self, crawl: int, url: str, failure: str, *, days: int = 0) -> datetime:
        """A visit that got no answer or was not made; *failure* is why (``dns``, ``robots``)."""
        return self._add(crawl, url, days, failure=failure)

    def repeat(self, crawl: int, url: str, earlier: datetime) -> datetime:
        """A visit that got the same answer as the visit at the time *earlier*."""
        repeated = next(visit for visits in self.visits for visit in visits if visit.at == earlier)
        return self._add(crawl, url, 0, repeats=repeated)

    def backlink(
        self,
        source: str,
        target: str,
        found: datetime,
        lost: datetime | None = None,
        reason: str | None = None,
        *,
        first_seen: datetime | None = None,
        element: str = "a",
        anchor: str = "",
        nofollow: bool = False,
        image_source: str | None = None,
    ) -> None:
        """State that *source* linked to *target* from *found* to *lost* (None: it still does)."""
        link_type = "redirect" if element == "location" else "href"
        self.backlinks.append(
            Backlink(
                source,
                target,
                found,
                lost,
                reason,
                first_seen,
                link_type,
                element,
                anchor,
                nofollow,
                image_source,
            )
        )

    def answer(self, url: str, stage: int) -> Answer | str | None:
        """The answer of *url* in stage 1 to 4, or why it gives none; None before it exists.

        A URL that is disallowed (``robots``) or unwanted (``blocked``) answers as before.
        """
        known: Answer | str | None = None
        for visit in self._by_url.get(url, ()):
            if stage_of(visit.at) <= stage and visit.failure not in POLICY:
                known = (visit.repeats or visit).answer or visit.failure
        return known

    def excluded(self, cause: str, stage: int) -> list[str]:
        """The URLs that policy excludes at that stage by the *cause* ``robots`` or ``blocked``."""
        return [
            url
            for url, visits in self._by_url.items()
            if any(visit.failure == cause and stage_of(visit.at) <= stage for visit in visits)
        ]

    def _add(
        self,
        crawl: int,
        url: str,
        days: int,
        *,
        answer: Answer | None = None,
        failure: str | None = None,
        repeats: Visit | None = None,
    ) -> datetime:
        visits = self.visits[crawl - 1]
        at = CRAWLS[crawl - 1] + PACE * len(visits) + timedelta(days=days)
        visit = Visit(url, at, self._address(url), answer, failure, repeats)
        visits.append(visit)
        self._by_url.setdefault(url, []).append(visit)
        return at

    def _address(self, url: str) -> str:
        """The address of a URL's host: every fourth host shares that of the host before it."""
        host = urlsplit(url).hostname or ""
        if host not in self._addresses:
            number = len(self._addresses)
            number -= number % 4 == 3
            network = NETWORKS[number % len(NETWORKS)]
            self._addresses[host] = f"{network}.{10 + number}"
        return self._addresses[host]
