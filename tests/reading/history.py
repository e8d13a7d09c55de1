"""Visits to the history of backlinks: when each was found and lost, and why.

In: visits in order (`ordered`). Out: `Stretch`es, one for each time that a backlink was live, and
the state of each page. It follows "Live" and "Lost" of the design's contract decisions.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from .markup import Link
from .records import Visit, bare
from .urls import domain_of, host_of

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
}


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
    """What is known of a page after its visits so far."""

    last_visited: datetime
    outcome: str = ""
    title: str = ""
    ip: str | None = None
    failures: int = 0


@dataclass(slots=True)
class History:
    """Everything that the visits say."""

    links: dict[Key, list[Stretch]] = field(default_factory=lambda: defaultdict(list))
    redirects: dict[Key, list[Stretch]] = field(default_factory=lambda: defaultdict(list))
    pages: dict[str, State] = field(default_factory=dict)


def is_external(source: str, target: str) -> bool:
    """Whether the two URLs have different registrable domains."""
    return domain_of(host_of(source)) != domain_of(host_of(target))


def fold(visits: list[Visit]) -> History:
    """Fold all visits, given in order of time (and of visit id within one instant)."""
    history = History()
    by_url: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_url[visit.url].append(visit)
    for url, own in by_url.items():
        said_once = list(dict.fromkeys(own))
        page = _fold_page(url, said_once, by_url)
        history.pages |= page.pages
        history.links |= page.links
        history.redirects |= page.redirects
    _add_chains(history)
    return history


def _fold_page(url: str, visits: list[Visit], by_url: dict[str, list[Visit]]) -> History:
    history = History()
    state = history.pages[url] = State(visits[0].at)
    for position, visit in enumerate(visits):
        state.last_visited = visit.at
        state.ip = visit.ip or state.ip
        content: Visit | None = visit
        if visit.outcome == "unchanged":
            content = _referred(visit, visits[:position], by_url)
        if content is None:
            continue
        state.failures = state.failures + 1 if content.outcome == "failed" else 0
        if 0 < state.failures < FAILURES_THAT_COUNT:
            continue
        state.outcome = content.outcome
        if content.outcome in ("ok", "noindex", "not_canonical"):
            state.title = content.title
        found = {
            Key(url, target, link_type): stretch
            for (target, link_type), stretch in _seen(content, url, visit.at).items()
        }
        external = {key: row for key, row in found.items() if is_external(url, key.target)}
        _step(history.links, external, visit.at, state.outcome)
        hops = {key: replace(row) for key, row in found.items() if key.link_type == "redirect"}
        _step(history.redirects, hops, visit.at, state.outcome)
    return history


def _referred(visit: Visit, before: list[Visit], by_url: dict[str, list[Visit]]) -> Visit | None:
    """The latest earlier response that a visit without content of its own confirms.

    An equal payload is an equal body: it says nothing of a status or ``Location``, so only
    responses with a 2xx status can be meant.
    """
    earlier = before
    if visit.refers_to != visit.url:
        others = by_url.get(visit.refers_to or "", [])
        earlier = [other for other in others if other.at <= visit.at]
    for other in reversed(earlier):
        same = not visit.digest or not other.digest or visit.digest == other.digest
        if other.outcome in ("ok", "noindex", "not_canonical", "other") and same:
            return _as_content_of(other, visit.url)
    return None


def _as_content_of(other: Visit, url: str) -> Visit:
    """The same content at another URL: a canonical that is itself there need not be so here."""
    if other.outcome not in ("ok", "not_canonical"):
        return other
    elsewhere = other.canonical and bare(other.canonical) != bare(url)
    return replace(other, outcome="not_canonical" if elsewhere else "ok")


def _seen(visit: Visit, url: str, at: datetime) -> dict[tuple[str, str], Stretch]:
    """What counts of a visit's links where it is what the page at `url` says."""
    seen: dict[tuple[str, str], Stretch] = {}
    if visit.redirect and visit.outcome == "redirect":
        seen[visit.redirect, "redirect"] = Stretch(at, at, "location", nofollow=visit.nofollow)
    elif visit.outcome == "ok":
        by_target: dict[str, list[Link]] = defaultdict(list)
        for link in visit.links:
            by_target[link.target].append(link)
        for target, links in by_target.items():
            seen[target, "href"] = _as_one(links, visit.nofollow, at)
    if visit.canonical and is_external(url, visit.canonical):
        seen[visit.canonical, "href"] = Stretch(at, at, "canonical", nofollow=visit.nofollow)
    return seen


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


def _step(
    table: dict[Key, list[Stretch]], found: dict[Key, Stretch], at: datetime, outcome: str
) -> None:
    """One visit: end what is gone, go on with what is still there, begin what is new."""
    for key, stretches in table.items():
        last = stretches[-1]
        if last.lost_at is None and key not in found:
            last.lost_at = at
            last.reason = REASONS[last.element].get(outcome, "link_removed")
    for key, row in found.items():
        before = table[key]
        if before:
            row.first_seen = before[0].first_seen
        if before and before[-1].lost_at is None:
            row.found_at = before.pop().found_at
        before.append(row)


def _add_chains(history: History) -> None:
    """Redirects over several hops: live while every hop is."""
    hops: dict[str, list[tuple[str, Stretch]]] = defaultdict(list)
    for key, stretches in history.redirects.items():
        hops[key.source] += [(key.target, stretch) for stretch in stretches]
    for start in list(hops):
        for target, chain in _chains((start,), hops, None):
            if is_external(start, target):
                history.links[Key(start, target, "redirect")].append(chain)
    for key, stretches in history.links.items():
        history.links[key] = _joined(stretches)


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    """Stretches in order of time; where one ends as the next begins, the link was never lost."""
    joined: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda stretch: stretch.found_at):
        if joined and joined[-1].lost_at == stretch.found_at:
            stretch.found_at = joined.pop().found_at
        joined.append(stretch)
        stretch.first_seen = joined[0].found_at
    return joined


def _chains(
    path: tuple[str, ...], hops: dict[str, list[tuple[str, Stretch]]], so_far: Stretch | None
) -> Iterable[tuple[str, Stretch]]:
    """Chains of two hops and more that go on from `path`."""
    if len(path) > LONGEST_CHAIN:
        return
    for target, hop in hops.get(path[-1], []):
        both = _overlap(so_far, hop) if so_far else replace(hop)
        if both is None or target in path:
            continue
        if so_far:
            yield target, both
        yield from _chains((*path, target), hops, both)


def _overlap(one: Stretch, two: Stretch) -> Stretch | None:
    found_at = max(one.found_at, two.found_at)
    ends = [hop for hop in (one, two) if hop.lost_at]
    first = min(ends, key=lambda hop: hop.lost_at or found_at, default=None)
    if first and first.lost_at and first.lost_at <= found_at:
        return None
    return Stretch(
        found_at,
        found_at,
        "location",
        lost_at=first.lost_at if first else None,
        reason=first.reason if first else None,
    )
