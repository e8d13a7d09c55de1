"""Where to cut a page off that is built to keep a parser busy for hours.

The HTML parsing rules take time that grows with the depth of the open elements, for every tag, and
copy every formatting element that was left open (``<font>``) into each new block. A page of ten
megabytes can make that quadratic. Browsers limit the depth (Chromium: 512); here the page ends
where the work, roughly reckoned from its tags alone, would exceed a limit.
"""

import re

import numpy as np
from numpy.typing import NDArray

from inlink.extract.elements import FOREIGN, VOID, OpenElements

MANY_TAGS = 10_000
"""Pages with fewer tags than this cannot cost much, and are not looked at."""

MAX_DEPTH = 1000
"""Elements that may be open at one place."""

MAX_UNCLOSED = 20_000
"""Start tags without their end tag, where one is needed: depth is reckoned too low for some."""

MAX_ATTRIBUTES = 2000
"""Attributes that a tag may have; each is compared with all before it."""

MAX_COPIES = 5_000_000
"""Formatting elements that may be copied into blocks."""

_TAG = rb"<(?P<end>/?)(?P<name>[a-z][^\s/>]*)(?:[^>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+"
_TOKEN = re.compile(
    rb"<!--(?:[^-]++|-(?!->))*+(?:-->|\Z)"
    rb"|<(?P<raw>script|style|textarea|title|xmp|iframe|noembed|noframes)\b"
    rb"(?:[^<]++|<(?!/(?P=raw)))*+(?:</(?P=raw)|\Z)"
    rb"|" + _TAG,
    re.I | re.S,
)
_ATTRIBUTE = (
    rb"[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"?+|'[^']*+'?+|[^\t\n\f\r >]*+))?+"
)
_MANY_ATTRIBUTES = re.compile(
    rb"</?[a-z][^\t\n\f\r />]*+(?:%b){%d}" % (_ATTRIBUTE, MAX_ATTRIBUTES + 1), re.I
)
_LONG_TAG = 2 * MAX_ATTRIBUTES
_BLOCK = _LONG_TAG // 2
_MANY_PLACES = 100
_NEED_NO_END = VOID | frozenset(
    b"a p li dt dd option optgroup tr td th caption tbody thead tfoot colgroup rb rt rp rtc".split()
)


def cut_position(page: bytes) -> int | None:
    """Where *page* has to be cut off; None if it need not be."""
    if len(page) < _LONG_TAG:
        return None
    tags: NDArray[np.bool_] = np.equal(np.frombuffer(page, np.uint8), ord("<"))
    is_small = np.count_nonzero(tags) < MANY_TAGS
    if (is_small or _is_shallow(page)) and not _has_long_tag(page, tags):
        return None
    return _costly_position(page)


def _has_long_tag(page: bytes, begins: NDArray[np.bool_]) -> bool:
    """Whether a tag has too many attributes; *begins* says of each byte whether it is a ``<``."""
    blocks = begins[: len(page) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
    # A long tag has a whole block in it, so it begins with the last "<" before one that has none.
    ends = np.flatnonzero(blocks[:-1] & ~blocks[1:]) + 1
    places = {page.rfind(b"<", 0, end * _BLOCK) for end in ends.tolist()}
    # Each look may go on to the end of the page; the tokens take one pass, however many there are.
    if len(places) <= _MANY_PLACES and not any(_has_many_attributes(page, at) for at in places):
        return False
    # What looks like a tag may stand in a script.
    return any(_is_long_tag(token) for token in _TOKEN.finditer(page))


def _is_shallow(page: bytes) -> bool:
    """Whether plain reckoning shows that depth and copies stay below their limits.

    An end tag closes at most the element on top here. What `OpenElements` has open, and what it
    keeps to be opened again, is each among what is open here: so its depth is at most twice this.
    """
    opened: list[bytes] = []
    starts = deepest = foreign = 0
    for token in _TOKEN.finditer(page):
        end, name = token.group("end", "name")
        if name is None:
            continue
        name = name.lower()
        if end:
            if opened and opened[-1] == name:
                opened.pop()
                foreign -= name in FOREIGN
            continue
        starts += 1
        if name in VOID and not foreign:
            continue
        opened.append(name)
        foreign += name in FOREIGN
        if len(opened) > deepest:
            deepest = len(opened)
            if 2 * deepest > MAX_DEPTH:
                return False
    return deepest * starts <= MAX_COPIES


def _costly_position(page: bytes) -> int | None:
    elements = OpenElements()
    not_ended: dict[bytes, int] = {}
    unclosed = copies = 0
    for token in _TOKEN.finditer(page):
        tag, end, name = token.group(0, "end", "name")
        if name is None:
            continue
        name = name.lower()
        if end:
            elements.end(name)
            if not_ended.get(name):
                not_ended[name] -= 1
                unclosed -= 1
        else:
            elements.start(name, tag)
            copies += elements.to_copy
            if name not in _NEED_NO_END and not tag.endswith(b"/"):
                not_ended[name] = not_ended.get(name, 0) + 1
                unclosed += 1
            too_many = elements.depth > MAX_DEPTH or unclosed > MAX_UNCLOSED or copies > MAX_COPIES
            if too_many:  # an end tag adds nothing
                return token.start()
        if len(tag) >= _LONG_TAG and _has_many_attributes(page, token.start()):
            return token.start()
    return None


def _is_long_tag(token: re.Match[bytes]) -> bool:
    start, end = token.span()
    return (
        end - start >= _LONG_TAG
        and token["name"] is not None
        and _has_many_attributes(token.string, start)
    )


def _has_many_attributes(page: bytes, start: int) -> bool:
    """Whether what begins at *start* is a tag with more attributes than `MAX_ATTRIBUTES`."""
    return _MANY_ATTRIBUTES.match(page, start) is not None
