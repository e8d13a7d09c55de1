"""What is reported of a link in its page: plain data, for answers and for whoever reads them."""

import msgspec

from inlink.contract.outcomes import Element
from inlink.contract.vocabulary import PagePart, Result


class Occurrence(msgspec.Struct, frozen=True):
    """One element that links there; a field is null if the crawl file does not record it."""

    element: Element
    anchor: str
    rel: str
    nofollow: bool
    image: bool
    image_source: str | None
    alt: str | None
    place: PagePart | None
    """The part of the page that it is in."""
    before: str | None
    """The page's text before it, at most 200 characters."""
    after: str | None


class Check(msgspec.Struct, frozen=True):
    """What a live check found; ``occurrences`` includes those that do not count."""

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
