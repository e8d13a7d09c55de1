"""What is told of a link in its page: plain data, for answers and for those who read them."""

from typing import Literal

import msgspec

Element = Literal["a", "area", "canonical", "location", "refresh"]

PagePart = Literal["content", "navigation", "header", "footer", "aside", "head"]
"""``head`` is what nobody sees: the head of the page, or the HTTP header before it."""

Result = Literal["there", "not_there", "not_checked"]
"""Of a live check: the link would be live by this visit; it would not; the page did not answer."""


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


class Question(msgspec.Struct, frozen=True):
    """What a process that makes a live check is asked."""

    data: str
    """The data directory, whose settings hold."""
    folder: str
    """Where what is fetched may lie meanwhile: a directory that is empty."""
    seconds: int
    """How long it may take at most."""
    url_from: str
    url_to: str
