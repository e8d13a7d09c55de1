"""Visits to the history of backlinks: when each was found and lost, and why.

In: visits in order (`ordered`). Out: `Stretch`es, one for each time that a backlink was live, and
the state of each page. It follows "Live" and "Lost" of the design's contract decisions.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from .markup import Link
from .records import Visit, bare
from .urls import base_of, domain_of, host_of, resolve

FAILURES_THAT_COUNT = 2
LONGEST_CHAIN = 10

_STATE_REASONS = {
    "page_not_found": "page_not_found",
    "failed": "crawl_error",
    "page_dropped": "page_dropped",
    "broken_redirect": "broken_redirect",
    "other": "other",
}
_ELEMENT_REASONS = _STATE_REASONS | {
    "redirect": "redirect",
    "noindex": "noindex",
    "not_canonical": "not_canonical",
}
_CANONICAL_REASONS = _STATE_REASONS | {"redirect": "redirect"}
REASONS = {
    "a": _ELEMENT_REASONS,
    "area": _ELEMENT_REASONS,
    "canonical": _CANONICAL_REASONS,
    "location": _STATE_REASONS,
    "refresh": _STATE_REASONS,
}
HTML = ("ok", "noindex", "not_canonical")
"""Outcomes of a visit that saw a page, other than one that sends on by a refresh."""


class Key(NamedTuple):
    """What makes a backlink one and the same."""

    source: str
    target: str
    link_type: str


@dataclass(slots=True)
class Stretch:
    """A time that a backlink was live, with its attributes as last seen."""

    found_at: datetime
    first_seen: datetime
    element: str
    anchor: str = ""
    nofollow: bool = False
    image: bool = False
    image_source: str | None = None
    lost_at: datetime | None = None
    reason: str | None = None


@dataclass(slots=True)
class State:
    """What is known of a page after its visits so far.

    The outcome is that of the last visit that says what the page is; if none does, of the last.
    """

    last_visited: datetime
    outcome: str = ""
    title: str = ""
    ip: str | None = None
    failures: int = 0


@dataclass(slots=True)
class History:
    """Everything that the visits say.

    `graph` has the live links between any two pages, and whether an element of each is followed.
    """

    links: dict[Key, list[Stretch]] = field(default_factory=lambda: defaultdict(list))
    redirects: dict[Key, list[Stretch]] = field(default_factory=lambda: defaultdict(list))
    pages: dict[str, State] = field(default_factory=dict)
    graph: dict[tuple[str, str], bool] = field(default_factory=dict)


def is_external(source: str, target: str) -> bool:
    """Whether the two URLs have different registrable domains."""
    return domain_of(host_of(source)) != domain_of(host_of(target))


def fold(visits: list[Visit], stale_days: int | None = None) -> History:
    """Fold all visits, given in order of time (and of visit id within one instant).

    The links of a page that nobody visits for `stale_days` are lost (None: never).
    """
    by_url: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_url[visit.url].append(visit)
    by_url = {url: _that_count(own) for url, own in by_url.items()}
    newest = max((visit.at for visit in visits), default=datetime.min.replace(tzinfo=UTC))
    pages = [_Page(url, by_url, stale_days) for url in by_url]
    for page in pages:
        page.read(newest)
    history = History(pages={page.url: page.state for page in pages})
    for page in pages:
        history.links |= {
            key: stretches
            for key, stretches in page.links.items()
            if is_external(key.source, key.target)
        }
        history.redirects |= page.redirects
        _add_to_graph(history.graph, page)
    _add_chains(history)
    return history


def _add_to_graph(graph: dict[tuple[str, str], bool], page: "_Page") -> None:
    for key, stretches in (*page.links.items(), *page.redirects.items()):
        if stretches[-1].lost_at is None and key.source != key.target:
            edge = key.source, key.target
            graph[edge] = graph.get(edge, False) or not stretches[-1].nofollow


def _that_count(own: list[Visit]) -> list[Visit]:
    """The visits of a page, each once, and none cut where a whole one was at the same instant."""
    whole = {visit.at for visit in own if visit.complete}
    return [visit for visit in dict.fromkeys(own) if visit.complete or visit.at not in whole]


class _Page:
    """A page that is read visit by visit.

    A complete visit says which links there are. An incomplete one says which there are at least.
    """

    def __init__(self, url: str, by_url: dict[str, list[Visit]], stale_days: int | None) -> None:
        self.url = url
        self.visits = by_url[url]
        self.state = State(self.visits[0].at)
        self.links: dict[Key, list[Stretch]] = defaultdict(list)
        self.redirects: dict[Key, list[Stretch]] = defaultdict(list)
        self._by_url = by_url
        self._stale = timedelta(days=stale_days) if stale_days else None
        self._contents: list[Visit] = []
        """What the page had, in order: its answers, and those that revisits said it had."""
        self._unavailable: datetime | None = None
        self._canonicals: set[Key] = set()
        """The canonicals that were shown since the last complete visit, that one included."""

    def read(self, newest: datetime) -> None:
        """Read all visits; `newest` is the last of all pages."""
        for position, visit in enumerate(self.visits):
            if position:
                self._expire(visit.at)
            self._visit(visit)
        self._expire(newest)
        self.state.outcome = self.state.outcome or (
            "failed" if self.state.failures else "unchanged"
        )

    def _expire(self, now: datetime) -> None:
        """What the calendar says since the last visit, in the order of time."""
        if self._unavailable and self._unavailable <= now:
            stale = self._stale and self.state.last_visited + self._stale
            if not stale or self._unavailable <= stale:
                self._become_unavailable(self._unavailable)
        if self._stale and self.state.last_visited + self._stale <= now:
            self._set({}, self.state.last_visited + self._stale, "page_dropped")

    def _become_unavailable(self, at: datetime) -> None:
        """Links no longer count; a canonical does, and a redirect is none of the page's content."""
        for key, stretches in self.links.items():
            if stretches[-1].lost_at is None and key not in self._canonicals:
                _lose(stretches[-1], at, "noindex")
        self.state.outcome = "noindex"
        self._unavailable = None

    def _visit(self, visit: Visit) -> None:
        self.state.last_visited = visit.at
        self.state.ip = visit.ip or self.state.ip
        if visit.complete:
            self.state.failures = self.state.failures + 1 if visit.outcome == "failed" else 0
            if 0 < self.state.failures < FAILURES_THAT_COUNT:
                return
        seen: Visit | None = visit
        if visit.outcome == "unchanged":
            seen = self._referred(visit)
        if seen is None:
            return
        seen = content_at(seen, self.url, visit.at)
        if _has_content(seen) and not self._as_before(visit):
            self._contents.append(replace(seen, complete=seen.complete and visit.complete))
        self._title(seen)
        found = _seen(seen, visit.at)
        if seen.complete and visit.complete:
            self._set(found, visit.at, seen.outcome)
            if seen.outcome in ("ok", "not_canonical"):
                self._unavailable = seen.unavailable_after
        else:
            self._add(found)
            if seen.outcome == "ok":
                self.state.outcome = "ok"

    def _title(self, seen: Visit) -> None:
        """A page that was cut may have lost its title."""
        if seen.outcome in HTML and (seen.complete or seen.title):
            self.state.title = seen.title

    def _referred(self, visit: Visit) -> Visit | None:
        """The content that a visit without content of its own confirms.

        An equal payload is an equal body: it says nothing of a status or ``Location``. One that
        names no payload says that its page has not changed since it last had content. A complete
        content counts above one that was cut; but where what was cut came later, nobody knows which
        of the two is confirmed, so that what is not there may still be.
        """
        if self._as_before(visit):
            earlier = self._contents
        elif self._is_own(visit.refers_to):
            earlier = self.visits[: self.visits.index(visit)]
        else:
            others = self._by_url.get(visit.refers_to or "", [])
            earlier = [other for other in others if other.at <= visit.at]
        same = [
            other
            for other in earlier
            if _has_content(other)
            and (not visit.digest or not other.digest or visit.digest == other.digest)
        ]
        whole = [other for other in same if other.complete]
        if not whole:
            return same[-1] if same else None
        return replace(whole[-1], complete=whole[-1] == same[-1])

    def _as_before(self, visit: Visit) -> bool:
        """Whether a visit says no more than that its page has not changed."""
        return visit.outcome == "unchanged" and not visit.digest and self._is_own(visit.refers_to)

    def _is_own(self, url: str | None) -> bool:
        return url in (None, self.url)

    def _set(self, found: dict[Key, Stretch], at: datetime, outcome: str) -> None:
        """A state of the page: end what is gone, then go on with what is there."""
        self.state.outcome = outcome
        self._unavailable = None
        self._canonicals.clear()
        for table in (self.links, self.redirects):
            for key, stretches in table.items():
                if stretches[-1].lost_at is None and key not in found:
                    _lose(stretches[-1], at, outcome)
        self._add(found)

    def _add(self, found: dict[Key, Stretch]) -> None:
        """Go on with what was there before, begin what is new."""
        for key, row in found.items():
            if row.element == "canonical":
                self._canonicals.add(key)
            _go_on((self.redirects if key.link_type == "redirect" else self.links)[key], row)


def _lose(stretch: Stretch, at: datetime, outcome: str) -> None:
    stretch.lost_at = at
    stretch.reason = REASONS[stretch.element].get(outcome, "link_removed")


def _go_on(stretches: list[Stretch], row: Stretch) -> None:
    if stretches:
        row.first_seen = stretches[0].first_seen
    if stretches and stretches[-1].lost_at is None:
        row.found_at = stretches.pop().found_at
    stretches.append(row)


def _has_content(visit: Visit) -> bool:
    """Whether a revisit can mean it: a page, or another body; of redirects, those by a refresh."""
    return visit.outcome in (*HTML, "other") or visit.refreshes


def _seen(visit: Visit, at: datetime) -> dict[Key, Stretch]:
    """What counts of the links that a visit saw, by its outcome."""
    seen: dict[Key, Stretch] = {}
    if visit.redirect and visit.outcome == "redirect":
        element = "refresh" if visit.refreshes else "location"
        seen[Key(visit.url, visit.redirect, "redirect")] = Stretch(
            at, at, element, nofollow=visit.nofollow
        )
    elif visit.outcome == "ok":
        by_target: dict[str, list[Link]] = defaultdict(list)
        for link in visit.links:
            by_target[link.target].append(link)
        for target, links in by_target.items():
            seen[Key(visit.url, target, "href")] = _as_one(links, visit.nofollow, at)
    elif visit.outcome in ("noindex", "not_canonical") and visit.canonical:
        seen[Key(visit.url, visit.canonical, "href")] = Stretch(
            at, at, "canonical", nofollow=visit.nofollow
        )
    return seen


def content_at(visit: Visit, url: str, at: datetime) -> Visit:
    """What the content that a visit saw is at a URL, at a time.

    At another URL its relative references lead elsewhere, and a canonical that was the page itself
    may be another page. From the day on that its robots directives name, it is not to be indexed.
    """
    seen = visit if visit.url == url else _borrowed(visit, url)
    until = seen.unavailable_after
    if seen.outcome in ("ok", "not_canonical") and until and until <= at:
        return replace(seen, outcome="noindex")
    return seen


def _borrowed(visit: Visit, url: str) -> Visit:
    base = base_of(visit.base_reference, url)

    def here(reference: str | None, there: str | None) -> str | None:
        return there if reference is None else resolve(reference, base, visit.codec)

    links = []
    for link in visit.links:
        target = here(link.reference, link.target)
        if target:
            source = here(link.image_reference, link.image_source)
            links.append(replace(link, target=target, image_source=source))
    canonical = here(visit.canonical_reference, visit.canonical)
    outcome, redirect = visit.outcome, visit.redirect
    if visit.refreshes:
        redirect = here(visit.refresh_reference, visit.redirect)
        outcome = "redirect" if redirect not in (None, url) else "ok"
    if outcome in ("ok", "not_canonical"):
        outcome = "not_canonical" if canonical and bare(canonical) != bare(url) else "ok"
    return replace(
        visit,
        url=url,
        links=tuple(links),
        canonical=canonical,
        redirect=redirect,
        outcome=outcome,
        refreshes=outcome == "redirect",
    )


def _as_one(links: list[Link], nofollow: bool, at: datetime) -> Stretch:
    first = next((link for link in links if link.anchor or link.image), links[0])
    return Stretch(
        found_at=at,
        first_seen=at,
        element=first.element,
        anchor=first.anchor,
        nofollow=nofollow or all(link.nofollow for link in links),
        image=first.image,
        image_source=first.image_source,
    )


def _add_chains(history: History) -> None:
    """Redirects over one hop and more: live while there is a way from the page to the target.

    A link whose way ends with its first hop is lost for the reason of that. Where the page still
    redirects, and a later hop is gone, the link was removed.
    """
    found: dict[Key, datetime] = {}
    before: dict[Key, set[str]] = {}
    for moment in _moments(history.redirects):
        hops = _hops_at(history.redirects, moment)
        now = _ways(hops)
        for key in before.keys() - now.keys():
            reason = _broken(history, key.source, before[key], moment)
            history.links[key].append(_chain(found.pop(key), moment, reason))
        for key in now.keys() - before.keys():
            found[key] = moment
        before = now
    for key, at in found.items():
        history.links[key].append(_chain(at, None, None))
    for key, stretches in history.redirects.items():
        if is_external(key.source, key.target):
            momentary = [each for each in stretches if each.lost_at == each.found_at]
            history.links[key] += [_chain(e.found_at, e.lost_at, e.reason) for e in momentary]
    for key in [key for key in history.links if key.link_type == "redirect"]:
        history.links[key] = _joined(history.links[key])
        if not history.links[key]:
            del history.links[key]


def _moments(redirects: dict[Key, list[Stretch]]) -> list[datetime]:
    """When any redirect came or went."""
    ends = {
        end
        for stretches in redirects.values()
        for stretch in stretches
        for end in (stretch.found_at, stretch.lost_at)
        if end
    }
    return sorted(ends)


def _hops_at(redirects: dict[Key, list[Stretch]], moment: datetime) -> dict[str, set[str]]:
    """Where each page redirects to from a moment on: to several, if some were seen in parts."""
    hops: dict[str, set[str]] = defaultdict(set)
    for key, stretches in redirects.items():
        for stretch in stretches:
            if stretch.found_at <= moment and (not stretch.lost_at or moment < stretch.lost_at):
                hops[key.source].add(key.target)
    return hops


def _ways(hops: dict[str, set[str]]) -> dict[Key, set[str]]:
    """The links that the hops make, each with the first hops that lead to its target."""
    ways: dict[Key, set[str]] = defaultdict(set)
    for source, firsts in hops.items():
        for first in firsts:
            for target in _reached(source, first, hops):
                if is_external(source, target):
                    ways[Key(source, target, "redirect")].add(first)
    return ways


def _reached(source: str, first: str, hops: dict[str, set[str]]) -> set[str]:
    """All that `first` leads to, itself included, without a return to `source`."""
    reached = last = {first} - {source}
    for _ in range(LONGEST_CHAIN - 1):
        last = {target for hop in last for target in hops.get(hop, ())} - reached - {source}
        reached = reached | last
    return reached


def _broken(history: History, source: str, firsts: set[str], moment: datetime) -> str:
    """Why a link whose ways began with `firsts` was lost."""
    reasons = []
    for first in firsts:
        for hop in history.redirects[Key(source, first, "redirect")]:
            if hop.found_at < moment and (not hop.lost_at or moment < hop.lost_at):
                return "link_removed"
            if hop.lost_at == moment and hop.reason:
                reasons.append(hop.reason)
    return min(reasons)


def _chain(found_at: datetime, lost_at: datetime | None, reason: str | None) -> Stretch:
    return Stretch(found_at, found_at, "location", lost_at=lost_at, reason=reason)


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    """Stretches in order of time; where one touches the one before, the link was never lost."""
    joined: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda each: each.found_at):
        last = joined[-1] if joined else None
        if last and (last.lost_at is None or stretch.found_at <= last.lost_at):
            if last.lost_at and (stretch.lost_at is None or stretch.lost_at > last.lost_at):
                last.lost_at, last.reason = stretch.lost_at, stretch.reason
        else:
            joined.append(stretch)
        stretch.first_seen = joined[0].found_at
    return joined
