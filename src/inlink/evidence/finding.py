"""Find a link in a record: is it there, where, and does it count?

In: a capture, and the URLs of the page and of the link. Out: each element that links to the URL, as
the index reads it and with its surroundings; and what the visit means for the page.
"""

import msgspec
from selectolax.lexbor import LexborNode

from inlink.contract.outcomes import COUNTING, REDIRECTING, Outcome
from inlink.contract.proof import Occurrence
from inlink.contract.vocabulary import PagePart
from inlink.evidence.surroundings import surroundings
from inlink.extract.captures import Capture
from inlink.extract.content import read_content
from inlink.extract.observe import LinkRow, Observation, Observer
from inlink.extract.urlbook import UrlBook
from inlink.store.configuration import Settings
from inlink.urls.canonical import canonical_url, text_id
from inlink.web.http import Response, decoded_body
from inlink.web.media_types import media_type
from inlink.web.problems import Problems

MAX_OCCURRENCES = 100
"""How many elements of one page with links to one URL are reported."""


class Finding(msgspec.Struct, frozen=True):
    """What one visit shows about a link."""

    occurrences: list[Occurrence]
    """The elements, in the order of the page."""
    counts: bool
    """Whether the link is live by this visit, by the rules of the index."""
    complete: bool
    """Whether links that the visit does not show are not there (docs/data-model.md, visits)."""
    outcome: Outcome
    """What the visit means for the page: docs/data-model.md, outcomes of visits."""
    status: int | None
    robots: str
    canonical_url: str | None
    redirect_url: str | None


def find_link(capture: Capture, url_from: str, url_to: str, settings: Settings) -> Finding | None:
    """What *capture* shows about a link from *url_from* to *url_to*; None if not a page's visit.

    Both URLs are canonical. By a revisit, a page may have the content of another URL. This content
    is read as if it had been sent at *url_from*.
    """
    if canonical_url(capture.uri, drop_parameters=settings.drop_parameters) != url_from:
        capture = msgspec.structs.replace(capture, uri=url_from)
    book = UrlBook(settings.drop_parameters)
    observation = Observer("", settings.robot_name, book, Problems()).observe(capture)
    if observation is None:
        return None
    visit = observation.visit
    target = text_id(url_to)
    rows = [row for row in observation.links if row.target_id == target]
    places = _places(capture, observation, target, book)
    return Finding(
        occurrences=[_occurrence(row, places, capture) for row in rows[:MAX_OCCURRENCES]],
        counts=any(row.element in COUNTING.get(visit.outcome, ()) for row in rows),
        complete=visit.complete,
        outcome=visit.outcome,
        status=visit.status,
        robots=visit.robots,
        canonical_url=visit.canonical_url,
        redirect_url=visit.redirect_url,
    )


def _places(
    capture: Capture, observation: Observation, target: int, book: UrlBook
) -> dict[int, LexborNode]:
    """The nodes of the page's links to *target*, by the position of their row.

    The page is parsed once more, which is cheaper than keeping the nodes of every ingested page.
    """
    if capture.kind != "response" or capture.page is not None or not observation.links:
        return {}
    body, _ = decoded_body(Response(0, capture.fields, capture.body), Problems())
    content = read_content(body, media_type(capture.fields, body), Problems())
    base = observation.visit.base_url or canonical_url(capture.uri) or ""
    resolver = book.resolver(base, content.encoding, base_depends_on_page=False)
    valid = [
        (row, node)
        for link, node in zip(content.page.links, content.nodes, strict=True)
        if (row := resolver[link.href]) is not None
    ]
    return {place: node for place, (row, node) in enumerate(valid) if row.url_id == target}


def _occurrence(row: LinkRow, places: dict[int, LexborNode], capture: Capture) -> Occurrence:
    place, before, after = _surroundings(row, places, capture)
    return Occurrence(
        element=row.element,
        anchor=row.anchor,
        rel=row.rel,
        nofollow=row.nofollow,
        image=row.image,
        image_source=row.image_source,
        alt=row.alt,
        place=place,
        before=before,
        after=after,
    )


def _surroundings(
    row: LinkRow, places: dict[int, LexborNode], capture: Capture
) -> tuple[PagePart | None, str | None, str | None]:
    if row.position in places:
        return surroundings(places[row.position])
    if row.element in (*REDIRECTING, "canonical"):
        return "head", "", ""
    return None, None, None  # a WAT file has nothing more about a link
