"""What a page of HTML says: title, robots, canonical, base, and its links.

In: the text of a page, UTF-8. Out: a `Page`, with URLs as they stand in the page.

Lexbor parses it by the rules of https://html.spec.whatwg.org/#parsing, without scripting, so that
what is in ``noscript`` counts. What is in a ``template`` is no part of the page. Time and memory
are linear in the size of the page (see also ``depth``).
"""

import contextlib
import gc
from collections.abc import Iterator

import msgspec
from selectolax.lexbor import (
    LexborDocumentOptions,
    LexborHTMLParser,
    LexborNode,
    SelectolaxError,
)

from inlink.extract.depth import cut_position
from inlink.extract.limits import MAX_ANCHOR, MAX_LINKS, MAX_TITLE
from inlink.extract.problems import Problems

MAX_TEXT_WORK = 64 << 20
"""Characters of anchor text, before folding, that a page may make the extractor read."""

_WANTED = (
    "a[href], area[href], title, base[href], meta[name], link[rel*=canonical i][href],"
    " a img, a script, a style"
)
"""All in one walk over the page: each walk costs a tenth of the time that parsing takes."""


_OPTIONS = LexborDocumentOptions.WO_EVENTS


def _tag_id(tag: str) -> int:
    return LexborHTMLParser(f"<{tag}>").css(tag)[0].tag_id


_A, _AREA, _IMG, _SCRIPT, _STYLE = map(_tag_id, ("a", "area", "img", "script", "style"))


class Link(msgspec.Struct, frozen=True, gc=False):
    """A link element; texts are folded, URLs as they stand in the page."""

    element: str
    href: str
    anchor: str
    rel: str
    image: bool
    image_source: str | None
    alt: str | None


class Page(msgspec.Struct, frozen=True):
    """What a page says."""

    title: str = ""
    robots: list[tuple[str, str]] = []
    """Names and contents of all ``meta`` that have both."""
    canonical: str | None = None
    base: str | None = None
    links: list[Link] = []
    truncated: bool = False


def fold(text: str) -> str:
    """*text* with white space folded."""
    return " ".join(text.split())


def read_page(text: bytes, problems: Problems) -> Page:
    """Read a page; what exceeds a limit is left out, and counted."""
    end = cut_position(text)
    with _no_collector():
        return _read(text, end, problems)[0]


def parsed_page(text: bytes, problems: Problems) -> tuple[Page, list[LexborNode]]:
    """Read a page; also the nodes of its links, in their order, with the page around them."""
    return _read(text, cut_position(text), problems)


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """The nodes of a page make the cyclic collector run again and again; none is in a cycle."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _read(text: bytes, end: int | None, problems: Problems) -> tuple[Page, list[LexborNode]]:
    if end is not None:
        problems["page_too_deep"] += 1
        text = text[:end]
    try:
        tree = LexborHTMLParser(text, options=_OPTIONS)
        reader = _Reader(tree, problems, end is not None)
        return reader.page(), reader.nodes
    except (SelectolaxError, MemoryError):
        problems["page_unreadable"] += 1
        return Page(truncated=True), []


class _Reader:
    def __init__(self, tree: LexborHTMLParser, problems: Problems, truncated: bool) -> None:
        self._problems = problems
        self._truncated = truncated
        self._text_cut = False
        self._text_work = 0
        self._links: list[LexborNode] = []
        self._images: list[LexborNode] = []
        self.nodes: list[LexborNode] = []
        """Those of the page's links."""
        self._metadata: list[tuple[str, LexborNode]] = []
        for node in tree.css(_WANTED):
            tag = node.tag_id
            if tag in (_A, _AREA):
                self._links.append(node)
            elif tag == _IMG:
                self._images.append(node)
            elif tag in (_SCRIPT, _STYLE):
                node.decompose()  # what is in it is no text
            else:
                self._metadata.append((node.tag or "", node))

    def page(self) -> Page:
        title, base, canonical = None, None, None
        metas: list[tuple[str, str]] = []
        for tag, node in self._metadata:
            attributes = node.attributes
            if tag == "meta":
                metas.append((attributes.get("name") or "", attributes.get("content") or ""))
            elif tag == "link":
                if canonical is None and "canonical" in _tokens(attributes.get("rel")):
                    canonical = attributes.get("href") if _is_in(node, "head") else None
            elif tag == "base":
                base = base if base is not None else attributes.get("href") or ""
            elif title is None and not _is_in(node, "svg"):
                title = self._folded(node.text(), MAX_TITLE)
        links = self._read_links()
        if self._text_cut:
            self._problems["text_truncated"] += 1
        return Page(title or "", metas, canonical, base, links, self._truncated)

    def _read_links(self) -> list[Link]:
        if len(self._links) > MAX_LINKS:
            self._problems["links_truncated"] += 1
            self._truncated = True
            del self._links[MAX_LINKS:]
        images = self._first_images()
        links: list[Link] = []
        for node in self._links:
            attributes = node.attributes
            if "href" not in attributes:
                continue  # xlink:href in SVG
            href = attributes["href"] or ""
            rel = attributes.get("rel") or ""
            if rel:
                rel = self._folded(rel.lower(), MAX_ANCHOR)
            is_image, source, alt = False, None, None
            if node.tag_id == _AREA:
                element, anchor = "area", self._folded(attributes.get("alt") or "", MAX_ANCHOR)
            else:
                element, anchor = "a", self._anchor(node)
                image = images.get(node.mem_id) if images else None
                if image is not None:
                    is_image, (source, alt) = True, self._source_and_alt(image)
            links.append(Link(element, href, anchor, rel, is_image, source, alt))
            self.nodes.append(node)
        return links

    def _anchor(self, node: LexborNode) -> str:
        if self._text_work >= MAX_TEXT_WORK:
            self._text_cut = self._truncated = True
            return ""
        text = node.text()
        self._text_work += len(text)
        return self._folded(text, MAX_ANCHOR)

    def _source_and_alt(self, image: LexborNode) -> tuple[str | None, str | None]:
        attributes = image.attributes
        if "alt" not in attributes:
            return attributes.get("src"), None
        return attributes.get("src"), self._folded(attributes["alt"] or "", MAX_ANCHOR)

    def _first_images(self) -> dict[int, LexborNode]:
        """The first image within each link, by the link's id."""
        found: dict[int, LexborNode] = {}
        passed: set[int] = set()  # all that is above these has its image already
        for image in self._images:
            node = image.parent
            while node is not None and node.mem_id not in passed:
                passed.add(node.mem_id)
                if node.tag_id == _A:
                    found[node.mem_id] = image
                node = node.parent
        return found

    def _folded(self, text: str, limit: int) -> str:
        folded = " ".join(text.split())
        if len(folded) <= limit:
            return folded
        self._text_cut = self._truncated = True
        return folded[:limit].rstrip()


def _tokens(text: str | None) -> list[str]:
    return text.lower().split() if text else []


def _is_in(node: LexborNode, tag: str) -> bool:
    parent = node.parent
    while parent is not None and parent.tag not in ("head", "body", "svg"):
        parent = parent.parent
    return parent is not None and parent.tag == tag
