"""The fold against a plain reading of the same visits, one after the other.

`Reader` walks through each page's visits in order with a dictionary of what is live, as the
documents say it; it shares nothing with the fold, which does the same with windows over tables.
"""

import datetime as dt
import itertools
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inlink.build.history import CANONICAL_REASONS, ELEMENT_REASONS, REDIRECT_REASONS
from inlink.urls.domains import registrable_domain
from tests.generations import fold, stretches, table
from tests.observations import Link, Visit

CONTENT = ("ok", "noindex", "not_canonical", "other")
Stretch = tuple[str, str, str, dt.datetime, dt.datetime | None, str | None, dt.datetime]


def domain(url: str) -> str:
    return registrable_domain(url.split("/")[2])


def resolve(visit: Visit, visits: list[Visit], before: dict[str, Visit]) -> Visit | None:
    """The visit whose content a revisit says is still there."""
    url = visit.refers_to or visit.url
    if visit.digest is None and url == visit.url:
        return before.get(url)
    earlier = [
        other
        for other in visits
        if other.url == url
        and other.outcome in CONTENT
        and (other.at, other.visit_id) < (visit.at, visit.visit_id)
        and (visit.digest is None or other.digest is None or other.digest == visit.digest)
    ]
    return max(earlier, key=lambda other: (other.at, other.visit_id), default=None)


@dataclass
class Reader:
    """Reads all visits of all pages; ``history`` and ``redirects`` are what it found."""

    visits: list[Visit]
    history: list[Stretch] = field(default_factory=list)
    redirects: list[tuple[str, str, dt.datetime, dt.datetime | None, str | None]] = field(
        default_factory=list
    )

    def read(self) -> None:
        self.visits.sort(key=lambda visit: (visit.at, visit.visit_id))
        for url in {visit.url for visit in self.visits}:
            self._page(url)

    def _page(self, url: str) -> None:
        live: dict[str, tuple[dt.datetime, str]] = {}
        going: tuple[str, dt.datetime] | None = None
        first_seen: dict[str, dt.datetime] = {}
        content: dict[str, Visit] = {}
        failures = 0
        for visit in (visit for visit in self.visits if visit.url == url):
            outcome, seen = visit.outcome, visit
            if outcome == "failed":
                failures += 1
                if failures != 2:
                    continue
            else:
                failures = 0
            if outcome == "unchanged":
                found = resolve(visit, self.visits, content)
                if found is None:
                    continue
                outcome, seen = found.outcome, found
                if found.url != url and outcome in ("ok", "not_canonical"):
                    outcome = "not_canonical" if found.canonical else "ok"
            if outcome in CONTENT:
                content[url] = seen
            here = self._links(url, outcome, seen)
            for target in sorted(set(live) - set(here)):
                found_at, element = live.pop(target)
                reasons = CANONICAL_REASONS if element == "canonical" else ELEMENT_REASONS
                row = (url, target, "href", found_at, visit.at, reasons[outcome])
                self.history.append((*row, first_seen[target]))
            for target, element in here.items():
                first_seen.setdefault(target, visit.at)
                live[target] = (live[target][0] if target in live else visit.at, element)
            goal = seen.redirect if outcome == "redirect" else None
            if going and going[0] != goal:
                reason = REDIRECT_REASONS[outcome]
                self.redirects.append((url, going[0], going[1], visit.at, reason))
                going = None
            if goal and not going:
                going = (goal, visit.at)
        for target, (found_at, _) in live.items():
            self.history.append((url, target, "href", found_at, None, None, first_seen[target]))
        if going:
            self.redirects.append((url, going[0], going[1], None, None))

    def _links(self, url: str, outcome: str, seen: Visit) -> dict[str, str]:
        if outcome == "ok":
            elements = seen.links
        elif outcome in ("noindex", "not_canonical") and seen.canonical:
            elements = (Link(seen.canonical, element="canonical"),)
        else:
            elements = ()
        return {
            link.target: link.element for link in elements if domain(link.target) != domain(url)
        }

    def chains(self) -> list[Stretch]:
        """Redirect backlinks: who leads where in every span of time between two visits."""
        moments = sorted({visit.at for visit in self.visits})
        live: dict[tuple[str, str], dt.datetime] = {}
        first_seen: dict[tuple[str, str], dt.datetime] = {}
        paths: dict[tuple[str, str], list[str]] = {}
        rows: list[Stretch] = []
        for moment in moments:
            now = self._paths(moment)
            for link in sorted(set(live) - set(now)):
                reason = self._broken_hop(paths[link], moment)
                rows.append((*link, "redirect", live.pop(link), moment, reason, first_seen[link]))
            for link in now:
                first_seen.setdefault(link, moment)
                live.setdefault(link, moment)
            paths = now
        for link, found_at in live.items():
            rows.append((*link, "redirect", found_at, None, None, first_seen[link]))
        return rows

    def _paths(self, moment: dt.datetime) -> dict[tuple[str, str], list[str]]:
        goes = {
            source: target
            for source, target, found, lost, _ in self.redirects
            if found <= moment and (lost is None or moment < lost)
        }
        paths = {}
        for source in goes:
            path = [source]
            while path[-1] in goes and len(path) <= 10 and goes[path[-1]] not in path:
                path.append(goes[path[-1]])
                if domain(path[-1]) != domain(source):
                    paths[(source, path[-1])] = path.copy()
        return paths

    def _broken_hop(self, path: list[str], moment: dt.datetime) -> str | None:
        for source, target in itertools.pairwise(path):
            for row in self.redirects:
                if row[:2] == (source, target) and row[3] == moment:
                    return row[4]
        raise AssertionError("a chain was lost without a lost hop")


def made_visits(seed: int) -> list[Visit]:
    """Visits of every kind to some hundred pages on some thirty hosts."""
    chance = random.Random(seed)
    pages = [
        f"https://{host}.site{number % 12}.example/{page}"
        for number in range(30)
        for host in ("www", "blog")
        for page in ("", "a", "b")
    ]
    return [
        _made_visit(chance, url, pages)
        for url in pages
        for _ in range(chance.choice((1, 1, 2, 3, 5, 8)))
    ]


OUTCOMES = {
    "ok": 40,
    "failed": 12,
    "unchanged": 15,
    "redirect": 12,
    "noindex": 4,
    "not_canonical": 5,
    "page_not_found": 4,
    "broken_redirect": 3,
    "page_dropped": 2,
    "other": 3,
}
"""How often a made-up visit ends so."""


def _made_visit(chance: random.Random, url: str, pages: list[str]) -> Visit:
    day = chance.randrange(60) + (0.0 if chance.random() < 0.1 else chance.random())
    others = [page for page in pages if page != url]
    links = tuple(Link(chance.choice(others), "text") for _ in range(chance.randrange(6)))
    outcome = chance.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
    digest = chance.choice([None, "sha1:A", "sha1:B", "sha1:C"])
    if outcome == "unchanged":
        refers_to = chance.choice(others) if chance.random() < 0.2 else None
        return Visit(url, day, outcome, digest=digest, refers_to=refers_to)
    if outcome == "redirect":
        near = [page for page in others if domain(page) == domain(url)]
        return Visit(url, day, outcome, redirect=chance.choice(chance.choice((others, near))))
    if outcome == "not_canonical":
        return Visit(url, day, outcome, links, digest=digest, canonical=chance.choice(others))
    if outcome in ("ok", "noindex", "other"):
        return Visit(url, day, outcome, links, digest=digest)
    return Visit(url, day, outcome)


def expected(visits: list[Visit]) -> list[Stretch]:
    reader = Reader(list(visits))
    reader.read()
    return sorted(reader.history + reader.chains(), key=lambda row: row[:4])


def split(visits: list[Visit], seed: int, parts: int) -> list[list[Visit]]:
    """The same visits in another order and in several batches, some of them in two."""
    chance = random.Random(seed)
    shuffled = visits + chance.sample(visits, len(visits) // 20)
    chance.shuffle(shuffled)
    return [shuffled[part::parts] for part in range(parts)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_fold_agrees_with_a_plain_reading(tmp_path: Path, seed: int) -> None:
    visits = made_visits(seed)
    fold(tmp_path, visits)
    assert stretches(tmp_path) == expected(visits)


@pytest.mark.parametrize("seed", [4, 5])
def test_any_order_and_split_of_the_batches_gives_the_same(tmp_path: Path, seed: int) -> None:
    visits = made_visits(seed)
    fold(tmp_path / "whole", visits)
    fold(tmp_path / "parts", *split(visits, seed, 4))
    assert stretches(tmp_path / "parts") == expected(visits)
    for name in ("pages", "links", "redirects", "graph", "referrals", "urls"):
        assert table(tmp_path / "parts", name) == table(tmp_path / "whole", name), name
    for name in ("ranks", "domain_ranks"):
        assert table(tmp_path / "parts", name) == table(tmp_path / "whole", name), name


def test_batches_in_the_order_of_time_give_the_same(tmp_path: Path) -> None:
    visits = sorted(made_visits(6), key=lambda visit: (visit.at, visit.visit_id))
    third = len(visits) // 3
    fold(tmp_path, visits[:third], visits[third : 2 * third], visits[2 * third :])
    assert stretches(tmp_path) == expected(visits)
