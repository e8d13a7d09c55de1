"""The place of a link in its page: the part of the page, and the text before and after the link.

In: the node of a link in a parsed page. Out: the name of a part, and two pieces of text.

The part follows the landmarks of HTML and ARIA (https://www.w3.org/TR/html-aam-1.0/,
https://www.w3.org/TR/wai-aria-1.2/#landmark_roles): the innermost landmark around the link decides.
``header`` and ``footer`` are landmarks only outside sectioning elements: those of an article are
content.

The text is what a reader would see in the body, without scripts, styles and the like, and with
white space collapsed. Elements that are not inline become spaces.
"""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from inlink.contract.vocabulary import PagePart
from inlink.extract.html import fold

MAX_TEXT = 200
"""Characters of text on each side."""

_MAX_NODES = 20_000
"""Nodes that are read on each side."""

_ROLES: dict[str, PagePart] = {
    "navigation": "navigation",
    "menu": "navigation",
    "menubar": "navigation",
    "banner": "header",
    "contentinfo": "footer",
    "complementary": "aside",
    "main": "content",
    "article": "content",
}
_TAGS: dict[str, PagePart] = {
    "nav": "navigation",
    "aside": "aside",
    "main": "content",
    "article": "content",
}
_OF_PAGE: dict[str, PagePart] = {"header": "header", "footer": "footer"}
_SECTIONING = frozenset(("article", "aside", "main", "nav", "section"))
_SECTION_ROLES = frozenset(("article", "complementary", "main", "navigation"))

_IN_LINE = frozenset(
    "a abbr b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q s samp small"  # noqa: SIM905
    " span strike strong sub sup time tt u var wbr".split()
)
_NO_TEXT = frozenset(
    "head iframe noembed noframes object option script select style svg template textarea title"  # noqa: SIM905
    " video audio canvas".split()
)


class Surroundings(NamedTuple):
    """The place of a link in its page."""

    part: PagePart
    before: str
    after: str


def surroundings(link: LexborNode) -> Surroundings:
    """The surroundings of *link* in its page."""
    before = _pieces(link, attrgetter("prev"), attrgetter("last_child"))
    after = _pieces(link, attrgetter("next"), attrgetter("first_child"))
    return Surroundings(
        part_of(link),
        fold("".join(reversed(_enough(before))))[-MAX_TEXT:].strip(),
        fold("".join(_enough(after)))[:MAX_TEXT].strip(),
    )


def part_of(link: LexborNode) -> PagePart:
    """The part of the page that *link* is in."""
    around = list(_ancestors(link))
    for place, node in enumerate(around, 1):
        tag = node.tag or ""
        part = _ROLES.get(_role(node)) or _TAGS.get(tag)
        if part is None and not any(map(_is_section, around[place:])):
            part = _OF_PAGE.get(tag)
        if part is not None:
            return part
    return "content"


def _ancestors(node: LexborNode) -> Iterator[LexborNode]:
    parent = node.parent
    while parent is not None and parent.is_element_node:
        yield parent
        parent = parent.parent


def _role(node: LexborNode) -> str:
    """The first role of an element that is a landmark; "" if it has none."""
    roles = (node.attributes.get("role") or "").lower().split()
    return next((role for role in roles if role in _ROLES), "")


def _is_section(node: LexborNode) -> bool:
    return node.tag in _SECTIONING or _role(node) in _SECTION_ROLES


Step = Callable[[LexborNode], LexborNode | None]


def _pieces(link: LexborNode, beside: Step, within: Step) -> Iterator[str]:
    """Texts from *link* to the end of the body, in the direction of the two steps."""
    node, inner = link, None
    for _ in range(_MAX_NODES):
        following = inner
        while following is None:
            following = beside(node)
            if following is None:
                parent = node.parent
                if parent is None or parent.tag in ("body", "html"):
                    return
                yield _space(parent)
                node = parent
        node, inner = following, None
        if node.is_text_node:
            yield node.text_content or ""
        elif node.is_element_node and node.tag not in _NO_TEXT:
            yield _space(node)
            inner = within(node)


def _space(node: LexborNode) -> str:
    """What the start or end of an element becomes in text: a space, or nothing if it is inline."""
    return "" if node.tag in _IN_LINE else " "


def _enough(pieces: Iterator[str]) -> list[str]:
    """As many of *pieces* as the text needs."""
    taken: list[str] = []
    size = 0
    for piece in pieces:
        taken.append(piece)
        size += len(fold(piece))
        if size >= MAX_TEXT:
            break
    return taken
