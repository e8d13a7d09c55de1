"""Where to cut off a page that is built to keep a parser busy for hours.

For every tag, the HTML parsing rules take time that grows with the depth of the open elements. They
also copy every formatting element that was left open (``<font>``) into each new block. A page of
ten megabytes can make that quadratic. Browsers limit the depth (Chromium: 512); here the page ends
where the work, roughly estimated from its tags alone, would exceed a limit.
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inlink.extract.elements import FOREIGN, VOID, OpenElements

MANY_TAGS = 10_000
"""Pages with fewer tags than this cannot cost much and are not checked."""

MAX_DEPTH = 1000
"""Maximum number of elements open at one place."""

MAX_UNCLOSED = 20_000
"""Maximum number of start tags that lack a required end tag: for some, depth is underestimated."""

MAX_ATTRIBUTES = 2000
"""Maximum number of attributes of a tag; each is compared with all before it."""

MAX_COPIES = 5_000_000
"""Maximum number of formatting elements copied into blocks."""

_VALUE = rb"[\t\n\f\r ]*=[\t\n\f\r ]*(?:\"[^\"]*\"?|'[^']*'?|[^\t\n\f\r >]*)"
_MARKUP = re.compile(
    rb"<!--(?!-?>)|<(?P<end>/?)(?P<name>[A-Za-z][^\t\n\f\r />]*)"
    rb"(?:[^=>]*[^\t\n\f\r />=]%b){0,%d}[^=>]*" % (_VALUE, MAX_ATTRIBUTES)
)
"""The beginning of a comment, or a tag without its ``>``: attributes with values, then the rest.

It follows https://html.spec.whatwg.org/#tokenization. Whatever may follow a value can be empty, so
no value is ever tried a second time. Each takes memory until the match is done, hence the limit.
"""
_ATTRIBUTE = rb"[\t\n\f\r /]*[^\t\n\f\r />][^\t\n\f\r />=]*(?:%b)?" % _VALUE
_ATTRIBUTES = re.compile(
    rb"</?[A-Za-z][^\t\n\f\r />]*(?:%b){0,%d}(?P<too_many>%b)?"
    % (_ATTRIBUTE, MAX_ATTRIBUTES, _ATTRIBUTE)
)
_COMMENT_END = re.compile(rb"--!?>")
_TEXT_END = {
    name: re.compile(rb"</%b(?=[\t\n\f\r />])" % name, re.I)
    for name in b"script style textarea title xmp iframe noembed noframes".split()
}
"""Where the text ends in these elements, which contain text instead of markup."""
_LONG_TAG = 2 * MAX_ATTRIBUTES
_BLOCK = _LONG_TAG // 2
_MANY_PLACES = 100
_NEED_NO_END = VOID | frozenset(
    b"a p li dt dd option optgroup tr td th caption tbody thead tfoot colgroup rb rt rp rtc".split()
)


def cut_position(page: bytes) -> int | None:
    """Where to cut *page* off; None if it can stay whole."""
    if len(page) < _LONG_TAG:
        return None
    tags: NDArray[np.bool_] = np.equal(np.frombuffer(page, np.uint8), ord("<"))
    is_small = np.count_nonzero(tags) < MANY_TAGS
    if (is_small or _is_shallow(page)) and not _has_long_tag(page, tags):
        return None
    return _costly_position(page)


def _has_long_tag(page: bytes, begins: NDArray[np.bool_]) -> bool:
    """Whether a tag has too many attributes; *begins* says for each byte whether it is a ``<``."""
    blocks = begins[: len(page) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
    # A long tag contains a whole block, so it begins at the last "<" before a block without any.
    ends = np.flatnonzero(blocks[:-1] & ~blocks[1:]) + 1
    places = {page.rfind(b"<", 0, end * _BLOCK) for end in ends.tolist()}
    # Each check may read to the end of the page; all tags take one pass, however many there are.
    if len(places) <= _MANY_PLACES and not any(_has_many_attributes(page, at) for at in places):
        return False
    # What looks like a tag may stand in a script.
    return any(_is_long_tag(tag) for tag in _tags(page))


def _tags(page: bytes) -> Iterator[re.Match[bytes]]:
    """The tags of *page*, without those in comments and in elements that contain only text."""
    position = 0
    while markup := _MARKUP.search(page, position):
        position = markup.end()
        name = markup["name"]
        if name is None:
            end = _COMMENT_END.search(page, position)
            position = end.end() if end else len(page)
            continue
        yield markup
        if not markup["end"] and (text_end := _TEXT_END.get(name.lower())):
            end = text_end.search(page, position)
            position = end.start() if end else len(page)


def _is_shallow(page: bytes) -> bool:
    """Whether a simple estimate shows that depth and copies stay below their limits.

    Here an end tag closes at most the top element. The elements that `OpenElements` has open, and
    those that it keeps to reopen, are all open here, so its depth is at most twice this.
    """
    opened: list[bytes] = []
    starts = deepest = foreign = 0
    for tag in _tags(page):
        end, name = tag["end"], tag["name"].lower()
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
    for tag in _tags(page):
        end, name = tag["end"], tag["name"].lower()
        if end:
            elements.end(name)
            if not_ended.get(name):
                not_ended[name] -= 1
                unclosed -= 1
        else:
            text = tag[0]
            elements.start(name, text)
            copies += elements.to_copy
            if name not in _NEED_NO_END and not text.endswith(b"/"):
                not_ended[name] = not_ended.get(name, 0) + 1
                unclosed += 1
            too_many = elements.depth > MAX_DEPTH or unclosed > MAX_UNCLOSED or copies > MAX_COPIES
            if too_many:  # an end tag adds nothing
                return tag.start()
        if _is_long_tag(tag):
            return tag.start()
    return None


def _is_long_tag(tag: re.Match[bytes]) -> bool:
    return tag.end() - tag.start() >= _LONG_TAG and _has_many_attributes(tag.string, tag.start())


def _has_many_attributes(page: bytes, start: int) -> bool:
    """Whether a tag with more attributes than `MAX_ATTRIBUTES` begins at *start*."""
    tag = _ATTRIBUTES.match(page, start)
    return tag is not None and tag["too_many"] is not None
