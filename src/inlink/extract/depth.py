"""Where to cut a page off that is built to keep a parser busy for hours.

The HTML parsing rules take time that grows with the depth of the open elements, for every tag, and
copy every formatting element that was left open (``<font>``) into each new block. A page of ten
megabytes can make that quadratic. Browsers limit the depth (Chromium: 512); here the page ends
where the work, roughly reckoned from its tags alone, would exceed a limit.
"""

import re

import numpy as np
from numpy.typing import NDArray

from inlink.extract.elements import VOID, OpenElements

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
_START_TAG = re.compile(_TAG, re.I)
_TOKEN = re.compile(
    rb"<!--(?:[^-]++|-(?!->))*+(?:-->|\Z)"
    rb"|<(?P<raw>script|style|textarea|title|xmp|iframe|noembed|noframes)\b"
    rb"(?:[^<]++|<(?!/(?P=raw)))*+(?:</(?P=raw)|\Z)"
    rb"|" + _TAG,
    re.I | re.S,
)
_QUOTED = re.compile(rb"\"[^\"]*+\"?|'[^']*+'?")
_LONG_TAG = 2 * MAX_ATTRIBUTES
_BLOCK = _LONG_TAG // 2
_NEED_NO_END = VOID | frozenset(
    b"a p li dt dd option optgroup tr td th caption tbody thead tfoot colgroup rb rt rp rtc".split()
)


def cut_position(page: bytes) -> int | None:
    """Where *page* has to be cut off; None if it need not be."""
    if len(page) < _LONG_TAG:
        return None
    tags: NDArray[np.bool_] = np.equal(np.frombuffer(page, np.uint8), ord("<"))
    if np.count_nonzero(tags) >= MANY_TAGS or _has_long_tag(page, tags):
        return _costly_position(page)
    return None


def _has_long_tag(page: bytes, begins: NDArray[np.bool_]) -> bool:
    """Whether a tag has too many attributes; *begins* says of each byte whether it is a ``<``."""
    blocks = begins[: len(page) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
    # A long tag has a whole block in it, so it begins with the last "<" before one that has none.
    ends = np.flatnonzero(blocks[:-1] & ~blocks[1:]) + 1
    places = {page.rfind(b"<", 0, end * _BLOCK) for end in ends.tolist()}
    tags = (_START_TAG.match(page, place) for place in places)
    if not any(tag is not None and _has_many_attributes(tag) for tag in tags):
        return False
    # What looks like a tag may stand in a script.
    tokens = (t for t in _TOKEN.finditer(page) if t.end() - t.start() >= _LONG_TAG)
    return any(_has_many_attributes(token) for token in tokens)


def _costly_position(page: bytes) -> int | None:
    elements = OpenElements()
    not_ended: dict[bytes, int] = {}
    unclosed = copies = 0
    for token in _TOKEN.finditer(page):
        if token["name"] is None:
            continue
        name = token["name"].lower()
        if token["end"]:
            elements.end(name)
            if not_ended.get(name):
                not_ended[name] -= 1
                unclosed -= 1
        else:
            elements.start(name, token[0])
            copies += elements.to_copy
            if name not in _NEED_NO_END and not token[0].endswith(b"/"):
                not_ended[name] = not_ended.get(name, 0) + 1
                unclosed += 1
            too_many = elements.depth > MAX_DEPTH or unclosed > MAX_UNCLOSED or copies > MAX_COPIES
            if too_many:  # an end tag adds nothing
                return token.start()
        if _has_many_attributes(token):
            return token.start()
    return None


def _has_many_attributes(token: re.Match[bytes]) -> bool:
    if token.end() - token.start() < _LONG_TAG or token["name"] is None:
        return False
    text = token[0]
    at_most = len(text.split()) + text.count(b'"') + text.count(b"'")
    return at_most > MAX_ATTRIBUTES and len(_QUOTED.sub(b" ", text).split()) > MAX_ATTRIBUTES
