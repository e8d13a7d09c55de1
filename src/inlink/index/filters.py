"""Filter backlinks: by their properties, their sources and their texts.

In: rows of a partition's links, live or lost, and a `LinkFilter`. Out: the rows that it keeps.
Columns are checked first. Texts are looked up last, each distinct one once, and only for the rows
that are left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inlink.contract.outcomes import ANCHORED
from inlink.contract.vocabulary import AnchorType, Follow, LinkType
from inlink.index.files import Ints, Mask, Rows
from inlink.index.partition import Links, Lost, Partition
from inlink.index.segments import ELEMENT_SHIFT, ELEMENTS, IMAGE, NOFOLLOW, REDIRECT
from inlink.index.strings import Strings
from inlink.urls.targets import Target

_LOOKUP_ROWS = 1 << 14
"""Texts held in memory at a time."""

_FLAGS = np.arange(64, dtype=np.uint8)
"""Every value that the flags of a link can have."""


@dataclass(frozen=True, slots=True)
class TextFilter:
    """*text* must be there, or must not be; case is ignored."""

    text: str
    contains: bool


@dataclass(frozen=True, slots=True)
class LinkFilter:
    """What a backlink must be; None: anything."""

    link_type: LinkType | None = None
    anchor_type: AnchorType | None = None
    """``image`` with or without text; ``undefined`` has no anchor element."""
    follow: Follow | None = None
    """``undefined`` has no anchor element; the others have one."""
    nofollow: bool | None = None
    """By the flag alone, whatever the element is."""
    source: Target | None = None
    """The pages that it may come from."""
    url_from: TextFilter | None = None
    url_to: TextFilter | None = None
    anchor: TextFilter | None = None
    inlink_rank: tuple[int, int] | None = None
    """Lowest and highest rank of the page."""
    domain_inlink_rank: tuple[int, int] | None = None


ANYTHING = LinkFilter()


def kept(partition: Partition, links: Links | Lost, rows: Rows, keep: LinkFilter) -> Rows:
    """The *rows* of *links* that *keep* keeps, in their order."""
    if keep == ANYTHING:
        return rows
    rows = rows[_has_flags(keep)[links.flags[rows]]]
    if keep.inlink_rank:
        rows = rows[_within(links.inlink_rank[rows], *keep.inlink_rank)]
    if keep.domain_inlink_rank:
        rows = rows[_within(links.domain_inlink_rank[rows], *keep.domain_inlink_rank)]
    if keep.source:
        low, high = map(partition.page_texts.bisect, (keep.source.low, keep.source.high))
        rows = rows[_within(links.source[rows], low, high - 1)]
    if keep.url_to:
        targets = partition.target_of(rows, links)
        rows = rows[_holds(keep.url_to, partition.target_keys, targets)]
    if keep.anchor:
        rows = rows[_holds(keep.anchor, partition.anchors, links.anchor[rows])]
    if keep.url_from:
        rows = rows[_holds(keep.url_from, partition.page_texts, links.source[rows])]
    return rows


def _has_flags(keep: LinkFilter) -> Mask:
    """For each value of the flags, whether *keep* keeps the links that have it."""
    mask = np.ones(len(_FLAGS), bool)
    undefined = (_FLAGS >> ELEMENT_SHIFT & len(ELEMENTS) - 1) >= len(ANCHORED)
    if keep.link_type:
        mask &= (_FLAGS & REDIRECT != 0) == (keep.link_type == "redirect")
    if keep.anchor_type == "image":
        mask &= _FLAGS & IMAGE != 0
    elif keep.anchor_type == "undefined":
        mask &= undefined
    elif keep.anchor_type == "text":
        mask &= (_FLAGS & IMAGE == 0) & ~undefined
    if keep.follow == "undefined":
        mask &= undefined
    elif keep.follow:
        mask &= ((_FLAGS & NOFOLLOW != 0) == (keep.follow == "nofollow")) & ~undefined
    if keep.nofollow is not None:
        mask &= (_FLAGS & NOFOLLOW != 0) == keep.nofollow
    return mask


def _within(values: Ints, low: int, high: int) -> Mask:
    mask: Mask = (values >= low) & (values <= high)
    return mask


def _holds(wanted: TextFilter, strings: Strings, rows: Ints) -> Mask:
    """Whether the text of each of *rows*, as answers show it, meets *wanted*."""
    distinct, places = np.unique(rows, return_inverse=True)
    part = wanted.text.casefold()
    found = (part in text.casefold() for text in _texts(strings, distinct))
    mask: Mask = np.fromiter(found, bool, len(distinct)) == wanted.contains
    return mask[places]


def _texts(strings: Strings, rows: Ints) -> Iterator[str]:
    for start in range(0, len(rows), _LOOKUP_ROWS):
        yield from strings.lookup(rows[start : start + _LOOKUP_ROWS])[0]
