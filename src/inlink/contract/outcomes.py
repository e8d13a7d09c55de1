"""What a visit means for its page, which of its elements count then, and which URLs are one page.

In: outcomes, elements, canonical URLs. Out: the rules that extraction, fold and evidence share. The
table of outcomes in ``docs/data-model.md`` explains each.
"""

from typing import Literal

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

CONTENT = ("ok", "noindex", "not_canonical", "other")
"""Outcomes of a visit that a revisit may refer to."""

ANSWERS = (*CONTENT, "redirect")
"""Outcomes of a visit that may have links that count."""

REDIRECTING = ("location", "refresh")
"""Elements that make a backlink of type ``redirect``; those of all others are ``href``."""

COUNTING = {
    "ok": ("a", "area"),
    "noindex": ("canonical",),
    "not_canonical": ("canonical",),
    "redirect": REDIRECTING,
}
"""The elements that count at a visit, by its outcome; at other outcomes none does."""


def outcome_of_page(url: str, *, refresh: str | None, noindex: bool, canonical: str | None) -> str:
    """What a page of HTML means that was answered with 200 at *url*.

    *refresh* is where it sends its visitors to, *canonical* the URL that it names as its own.
    """
    if refresh is not None and refresh != url:
        return "redirect"
    if noindex:
        return "noindex"
    if canonical is not None and not is_same_page(canonical, url):
        return "not_canonical"
    return "ok"


def is_same_page(one: str, other: str) -> bool:
    """Whether two canonical URLs differ in no more than scheme, ``www.`` and a trailing slash."""
    return _essence(one) == _essence(other)


def _essence(url: str) -> tuple[str, str, str]:
    address, mark, query = url.partition("://")[2].removeprefix("www.").partition("?")
    return address.removesuffix("/"), mark, query
