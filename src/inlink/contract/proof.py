"""What is told of a link in its page: plain data, for answers and for those who read them."""

import msgspec

from inlink.contract.outcomes import Element
from inlink.contract.vocabulary import PagePart, Result


class Occurrence(msgspec.Struct, frozen=True):
    """One element that links there; null is what the crawl file does not tell."""

    element: Element
    anchor: str
    rel: str
    nofollow: bool
    image: bool
    image_source: str | None
    alt: str | None
    place: PagePart | None
    """The part of the page in which it stands."""
    before: str | None
    """Text of the page before it; at most 200 characters."""
    after: str | None


class Check(msgspec.Struct, frozen=True):
    """What a live check found; ``occurrences`` has also what does not count."""

    url_from: str
    url_to: str
    result: Result
    checked_at: str
    outcome: str
    """What the visit means for the page: docs/data-model.md, outcomes of visits."""
    failure: str | None
    """Why there is no answer: ``dns``, ``timeout``, ``robots``, and so on."""
    status: int | None
    ip: str | None
    robots: str
    canonical_url: str | None
    redirect_url: str | None
    occurrences: list[Occurrence]
