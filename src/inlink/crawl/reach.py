"""How far a crawl reaches: which URLs are taken into the frontier.

In: URLs that were asked for, and URLs that were found. Out: tasks in the frontier.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from inlink.crawl.addresses import is_loopback
from inlink.crawl.frontier import Frontier, Task, host_of
from inlink.crawl.spec import CrawlSpec
from inlink.crawl.traps import in_order, is_trap, pattern_of, without_session
from inlink.store.configuration import Settings
from inlink.urls.canonical import text_id
from inlink.urls.domains import HOSTS_CACHED, registrable_domain


class Lead(NamedTuple):
    """A URL that was found."""

    url: str
    depth: int
    """How many links it is away from what was asked for."""
    hops: int
    """How many redirects led to it."""
    priority: float


class Reach:
    """The reach of one crawl; *loopback_only* says that it must not leave this machine."""

    def __init__(
        self, spec: CrawlSpec, settings: Settings, frontier: Frontier, *, loopback_only: bool
    ) -> None:
        self._spec = spec
        self._settings = settings
        self._frontier = frontier
        self._loopback_only = loopback_only
        # All that is in scope has been sown before the first link is followed.
        self._is_in_scope = lru_cache(HOSTS_CACHED)(frontier.in_scope)

    def sow(self, task: Task) -> None:
        """Take in a page that was asked for; what lies in its domain or host is in scope."""
        self._frontier.widen_scope(self._scope_of(host_of(task.url)))
        if self._frontier.is_new(task.url):
            self._frontier.is_new(in_order(task.url))
            self._frontier.add(task)

    def _scope_of(self, host: str) -> str:
        return registrable_domain(host) if self._spec.scope == "domain" else host

    def includes(self, url: str) -> bool:
        """Whether *url* is in scope."""
        return self._includes_host(host_of(url))

    def _includes_host(self, host: str) -> bool:
        if self._loopback_only and not is_loopback(host):
            return False
        return self._spec.scope == "web" or self._is_in_scope(self._scope_of(host))

    def follow(self, leads: Iterable[Lead]) -> None:
        """Take in those of *leads* that are new, in scope, within bounds and no trap."""
        rooms: dict[str, int] = {}
        near = [task for task in map(self._near, leads) if task and self._room(task, rooms) > 0]
        ids = [{text_id(task.url), text_id(in_order(task.url))} for task in near]
        seen = self._frontier.seen(set().union(*ids))
        noted: set[int] = set()
        followed = []
        for task, own in zip(near, ids, strict=True):
            if self._room(task, rooms) <= 0 or seen & own:
                continue
            seen |= own
            noted |= own
            if self._is_good(task.url):
                rooms[host_of(task.url)] -= 1
                followed.append(task)
        self._frontier.note(noted)
        self._frontier.add(*followed)

    def _near(self, lead: Lead) -> Task | None:
        """The task of *lead*; None if it is too many links or redirects away."""
        if self._spec.depth is not None and lead.depth > self._spec.depth:
            return None
        if lead.hops > self._settings.redirect_hops:
            return None
        url = without_session(lead.url)
        return Task(url=url, priority=lead.priority, depth=lead.depth, hops=lead.hops)

    def _room(self, task: Task, rooms: dict[str, int]) -> int:
        """How many more pages may be taken in at the host of *task*; *rooms* are those known."""
        host = host_of(task.url)
        if host not in rooms:
            rooms[host] = 0
            if self._includes_host(host):
                known = self._frontier.host(host)
                rooms[host] = self._settings.host_pages - known.pages - known.queued
        return rooms[host]

    def _is_good(self, url: str) -> bool:
        if is_trap(url):
            return False
        pattern = pattern_of(url)
        return pattern is None or self._frontier.has_room(*pattern)
