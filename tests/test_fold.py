"""The fold against the independent reading of the same visits, one after the other.

`tests.reading.history` walks through each page's visits in order with a dictionary of what is live,
as the documents say it; it shares nothing with the fold, which does the same with windows over
tables. The visits are made by chance, and so is their division into batches and builds.
"""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inlink.store.configuration import Settings
from tests.generations import Stretch, fold, stretches, table
from tests.observations import Link, Visit
from tests.reading import markup, records, urls
from tests.reading.history import History
from tests.reading.history import fold as plainly


def read(visits: list[Visit], stale_days: int | None = None) -> History:
    """What the independent reading makes of the visits."""
    in_order = sorted(visits, key=lambda visit: (visit.at, visit.visit_id))
    return plainly([_as_read(visit) for visit in in_order], stale_days)


def _as_read(visit: Visit) -> records.Visit:
    names = (
        "url at outcome title canonical redirect digest complete refreshes"
        " base_reference canonical_reference refresh_reference"
    )
    return records.Visit(
        **{name: getattr(visit, name) for name in names.split()},
        links=tuple(map(_as_read_link, visit.links)),
        refers_to=(visit.refers_to or visit.url) if visit.outcome == "unchanged" else None,
        unavailable_after=visit.unavailable_at,
    )


def _as_read_link(link: Link) -> markup.Link:
    names = "element target nofollow image image_source alt reference image_reference"
    return markup.Link(**{name: getattr(link, name) for name in names.split()}, text=link.anchor)


def made_visits(seed: int) -> list[Visit]:
    """Visits of every kind to some hundred pages on some thirty hosts."""
    chance = random.Random(seed)
    pages = [
        f"https://{host}.site{number % 12}.example/{page}"
        for number in range(30)
        for host in ("www", "blog")
        for page in ("", "a", "b")
    ]
    visits = [
        _made_visit(chance, url, pages)
        for url in pages
        for _ in range(chance.choice((1, 1, 2, 3, 5, 8)))
    ]
    return visits + [_at_one_instant(chance, visit) for visit in visits if chance.random() < 0.05]


OUTCOMES = {
    "ok": 40,
    "failed": 12,
    "unchanged": 20,
    "redirect": 12,
    "refresh": 4,
    "noindex": 4,
    "not_canonical": 8,
    "page_not_found": 4,
    "broken_redirect": 3,
    "page_dropped": 2,
    "other": 3,
}
"""How often a made-up visit ends so; a refresh is a redirect that a page has in its content."""

BASES = ("/dir/", "sub/", "//blog.site3.example/x/", "?base")
REFERENCES = ("", "?q=1", "/", "/a", "b", "../b", "//www.site5.example/a", "https:c")


def _made_visit(chance: random.Random, url: str, pages: list[str]) -> Visit:
    day = chance.randrange(60) + (0.0 if chance.random() < 0.1 else chance.random())
    outcome = chance.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
    visit = Visit(url, day, outcome, complete=chance.random() < 0.85)
    others = [page for page in pages if page != url]
    if outcome == "unchanged":
        digest = chance.choice([None, "sha1:A", "sha1:B", "sha1:C"])
        refers_to = chance.choice(others) if chance.random() < 0.4 else None
        return replace(visit, digest=digest, refers_to=refers_to)
    if outcome == "redirect":
        near = [page for page in others if _domain(page) == _domain(url)]
        return replace(visit, redirect=chance.choice(chance.choice((others, near))))
    if outcome in ("ok", "noindex", "not_canonical", "refresh", "other"):
        return _with_content(chance, visit, others)
    return visit


def _domain(url: str) -> str:
    return urls.domain_of(urls.host_of(url))


def _with_content(chance: random.Random, visit: Visit, others: list[str]) -> Visit:
    """Give a visit what a page says, with references that depend on its URL among the links."""
    written = chance.choice(BASES) if chance.random() < 0.2 else None
    base = urls.resolve(written or "", visit.url) or visit.url
    links = tuple(_made_link(chance, base, others) for _ in range(chance.randrange(6)))
    visit = replace(
        visit,
        links=links,
        digest=chance.choice([None, "sha1:A", "sha1:B", "sha1:C"]),
        title=chance.choice(["", "One", "Two"]),
        base_reference=written,
    )
    if visit.outcome == "refresh":
        target = _made_reference(chance, base, ["https://out.example/1", "https://out.example/2"])
        return replace(
            visit,
            outcome="redirect",
            refreshes=True,
            redirect=target.target,
            refresh_reference=target.reference,
        )
    if visit.outcome != "other":
        visit = _with_canonical(chance, visit, base, others)
        if chance.random() < 0.15:
            after = visit.day + chance.uniform(-10, 20)
            outcome = "noindex" if after <= visit.day else visit.outcome
            visit = replace(visit, unavailable_after=after, outcome=outcome)
    return visit


def _with_canonical(chance: random.Random, visit: Visit, base: str, others: list[str]) -> Visit:
    """A canonical that agrees with the outcome; on a page that is ok, one that is the page."""
    if visit.outcome == "not_canonical" or chance.random() < 0.3:
        canonical = _made_reference(chance, base, [visit.url, *others])
        itself = records.bare(canonical.target) == records.bare(visit.url)
        if visit.outcome == "noindex" or itself == (visit.outcome == "ok"):
            return replace(
                visit, canonical=canonical.target, canonical_reference=canonical.reference
            )
    return replace(visit, outcome="ok") if visit.outcome == "not_canonical" else visit


def _made_link(chance: random.Random, base: str, others: list[str]) -> Link:
    link = replace(_made_reference(chance, base, others), anchor=chance.choice(["", "a", "b"]))
    link = replace(link, nofollow=chance.random() < 0.3)
    if chance.random() < 0.3:
        image = _made_reference(chance, base, others)
        source, reference = image.target, image.reference
        link = replace(link, image=True, image_source=source, image_reference=reference)
    return link


def _made_reference(chance: random.Random, base: str, absolute: list[str]) -> Link:
    """A link to one of *absolute*, or by a reference that is relative to *base*."""
    if chance.random() < 0.6:
        return Link(chance.choice(absolute))
    reference = chance.choice(REFERENCES)
    return Link(urls.resolve(reference, base) or "", reference=reference)


def _at_one_instant(chance: random.Random, visit: Visit) -> Visit:
    """Another record of the same instant, often one that was cut, like the copy of a file."""
    kept = tuple(link for link in visit.links if chance.random() < 0.5)
    return replace(visit, links=kept, complete=chance.random() < 0.2)


def expected(history: History) -> list[Stretch]:
    """The rows of ``links``, as the reading has them."""
    rows = [
        (*key, time.found_at, time.lost_at, time.reason, time.first_seen)
        for key, times in history.links.items()
        for time in times
    ]
    return sorted(rows, key=lambda row: row[:4])


def check(directory: Path, history: History) -> None:
    """The tables of the generation are what the reading says, with all of their attributes."""
    assert stretches(directory) == expected(history)
    names = {row["url_id"]: row["url"] for row in table(directory, "urls")}
    columns = ("element", "anchor", "nofollow", "image", "image_source")
    told = {
        (names[row["source_id"]], names[row["target_id"]], row["link_type"], row["found_at"]): [
            row[column] for column in columns
        ]
        for row in table(directory, "links")
    }
    assert told == {
        (*key, time.found_at): [getattr(time, column) for column in columns]
        for key, times in history.links.items()
        for time in times
    }
    edges: dict[tuple[str, str], bool] = {}
    for row in table(directory, "graph"):
        edge = names[row["source_id"]], names[row["target_id"]]
        edges[edge] = edges.get(edge, False) or row["followed"]
    assert edges == history.graph
    pages = {names[row["url_id"]]: _state(row) for row in table(directory, "pages")}
    assert pages == {
        url: (state.last_visited, state.outcome, state.title, state.failures)
        for url, state in history.pages.items()
    }


def _state(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column] for column in ("visited_at", "outcome", "title", "failures"))


def split(visits: list[Visit], seed: int, parts: int) -> list[list[Visit]]:
    """The same visits in another order and in several batches, some of them in two."""
    chance = random.Random(seed)
    shuffled = visits + chance.sample(visits, len(visits) // 20)
    chance.shuffle(shuffled)
    return [shuffled[part::parts] for part in range(parts)]


@pytest.mark.parametrize(("seed", "stale_days"), [(1, None), (2, None), (3, 10)])
def test_the_fold_agrees_with_a_plain_reading(
    tmp_path: Path, seed: int, stale_days: int | None
) -> None:
    visits = made_visits(seed)
    fold(tmp_path, visits, settings=Settings(stale_days=stale_days))
    check(tmp_path, read(visits, stale_days))


@pytest.mark.parametrize(("seed", "stale_days"), [(4, None), (5, 15)])
def test_any_order_and_split_of_the_batches_gives_the_same(
    tmp_path: Path, seed: int, stale_days: int | None
) -> None:
    visits, settings = made_visits(seed), Settings(stale_days=stale_days)
    fold(tmp_path / "whole", visits, settings=settings)
    fold(tmp_path / "parts", *split(visits, seed, 4), settings=settings)
    check(tmp_path / "parts", read(visits, stale_days))
    for name in ("pages", "links", "redirects", "graph", "referrals", "urls"):
        assert table(tmp_path / "parts", name) == table(tmp_path / "whole", name), name
    for name in ("ranks", "domain_ranks"):
        assert table(tmp_path / "parts", name) == table(tmp_path / "whole", name), name


def test_batches_in_the_order_of_time_give_the_same(tmp_path: Path) -> None:
    visits = sorted(made_visits(6), key=lambda visit: (visit.at, visit.visit_id))
    third, settings = len(visits) // 3, Settings(stale_days=12)
    parts = visits[:third], visits[third : 2 * third], visits[2 * third :]
    fold(tmp_path, *parts, settings=settings)
    check(tmp_path, read(visits, 12))
