"""What a visit means for its page, which of its elements count, and why lost links are lost.

In: outcomes, elements, canonical URLs. Out: the rules that extraction, fold, index and evidence
share; queries take their lists from here. The table of outcomes in ``docs/data-model.md`` explains
each outcome, and that of reasons in ``docs/contract.md`` each reason.
"""

from typing import Literal

Outcome = Literal[
    "ok",
    "noindex",
    "not_canonical",
    "redirect",
    "broken_redirect",
    "page_not_found",
    "failed",
    "page_dropped",
    "other",
    "unchanged",
]
"""``unchanged``: a revisit, which the fold gives the outcome of the visit that it refers to."""

Element = Literal["a", "area", "canonical", "location", "refresh"]

ReasonLost = Literal[
    "",
    "page_not_found",
    "crawl_error",
    "page_dropped",
    "redirect",
    "not_canonical",
    "noindex",
    "link_removed",
    "broken_redirect",
    "other",
]
"""``""``: the link is live."""

CONTENT: tuple[Outcome, ...] = ("ok", "noindex", "not_canonical", "other")
"""Outcomes of a visit that a revisit may refer to."""

ANSWERS: tuple[Outcome, ...] = (*CONTENT, "redirect")
"""Outcomes of a visit that may have links that count."""

TITLED: tuple[Outcome, ...] = ("ok", "noindex", "not_canonical")
"""Outcomes of a visit that shows a page, with a title."""

SHOWN: tuple[Outcome, ...] = ("ok", "not_canonical")
"""Outcomes of a page that becomes ``noindex`` when its ``unavailable_after`` has come."""

SILENT: tuple[Outcome, ...] = ("failed", "page_dropped")
"""Outcomes of a visit that says nothing about the links of the page."""

REDIRECTING: tuple[Element, ...] = ("location", "refresh")
"""Elements that make a backlink of type ``redirect``; those of all others are ``href``."""

ANCHORED: tuple[Element, ...] = ("a", "area")
"""Elements that have an anchor text."""

COUNTING: dict[Outcome, tuple[Element, ...]] = {
    "ok": ANCHORED,
    "noindex": ("canonical",),
    "not_canonical": ("canonical",),
    "redirect": REDIRECTING,
}
"""The elements that count at a visit, by its outcome; with any other outcome, none does."""

ANCHORED_REASONS: dict[Outcome, ReasonLost] = {
    "ok": "link_removed",
    "noindex": "noindex",
    "not_canonical": "not_canonical",
    "redirect": "redirect",
    "broken_redirect": "broken_redirect",
    "page_not_found": "page_not_found",
    "failed": "crawl_error",
    "page_dropped": "page_dropped",
    "other": "other",
}
"""Why an ``<a>`` or ``<area>`` link is lost, by the outcome of the visit that lacks it."""

CANONICAL_REASONS: dict[Outcome, ReasonLost] = ANCHORED_REASONS | {
    "noindex": "link_removed",
    "not_canonical": "link_removed",
}
"""The same for a canonical, which also counts on a page that is not indexable."""

REDIRECT_REASONS: dict[Outcome, ReasonLost] = CANONICAL_REASONS | {"redirect": "link_removed"}
"""The same for a redirect: a page that redirects elsewhere has lost this one."""

LATER_HOP: ReasonLost = "link_removed"
"""Why a chain is lost if a hop after the first one ends."""


def outcome_of_page(
    url: str, *, refresh: str | None, noindex: bool, canonical: str | None
) -> Outcome:
    """The outcome of a visit to *url* that was answered with 200 and an HTML page.

    *refresh* is the URL that it sends visitors to, *canonical* the one that it names as its own.
    """
    if refresh is not None and refresh != url:
        return "redirect"
    if noindex:
        return "noindex"
    if canonical is not None and not is_same_page(canonical, url):
        return "not_canonical"
    return "ok"


def is_same_page(one: str, other: str) -> bool:
    """Whether two canonical URLs differ only in scheme, ``www.`` and a trailing slash."""
    return _essence(one) == _essence(other)


def _essence(url: str) -> tuple[str, str, str]:
    address, mark, query = url.partition("://")[2].removeprefix("www.").partition("?")
    return address.removesuffix("/"), mark, query
