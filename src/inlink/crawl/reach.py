"""How far a crawl reaches: which URLs are taken into the frontier.

In: URLs that were asked for, and URLs that were found. Out: tasks in the frontier.
"""

from inlink.crawl.addresses import is_loopback
from inlink.crawl.frontier import Frontier, Task, host_of
from inlink.crawl.spec import CrawlSpec
from inlink.crawl.traps import in_order, is_trap, pattern_of, without_session
from inlink.store.configuration import Settings
from inlink.urls.domains import registrable_domain


class Reach:
    """The reach of one crawl; *loopback_only* says that it must not leave this machine."""

    def __init__(
        self, spec: CrawlSpec, settings: Settings, frontier: Frontier, *, loopback_only: bool
    ) -> None:
        self._spec = spec
        self._settings = settings
        self._frontier = frontier
        self._loopback_only = loopback_only

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
        host = host_of(url)
        if self._loopback_only and not is_loopback(host):
            return False
        return self._spec.scope == "web" or self._frontier.in_scope(self._scope_of(host))

    def follow(self, found: str, depth: int, hops: int, priority: float) -> None:
        """Take in a URL that was found, if it is new, in scope, within bounds and no trap."""
        if self._spec.depth is not None and depth > self._spec.depth:
            return
        url = without_session(found)
        if hops > self._settings.redirect_hops or not self.includes(url):
            return
        host = self._frontier.host(host_of(url))
        if host.pages + host.queued >= self._settings.host_pages:
            return
        if not self._frontier.is_new(url, in_order(url)) or is_trap(url):
            return
        pattern = pattern_of(url)
        if pattern is None or self._frontier.has_room(*pattern):
            self._frontier.add(Task(url=url, priority=priority, depth=depth, hops=hops))
