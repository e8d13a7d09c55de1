"""What a page of HTML says: title, robots, canonical, base, refresh, and its links.

In: the text of a page, UTF-8. Out: a `Page`, with URLs as the page has them.

Lexbor parses it by the rules of https://html.spec.whatwg.org/#parsing, without scripting, so that
the content of ``noscript`` counts. The content of a ``template`` is not part of the page, unless
the template is a shadow root (see ``shadow``). Pages of XML come as trees of the same kind (see
``xhtml``). Time and memory are linear in the size of the page (see also ``depth``).
"""

import contextlib
import gc
import re
from collections.abc import Iterator

import msgspec
from selectolax.lexbor import (
    LexborDocumentOptions,
    LexborHTMLParser,
    LexborNode,
    SelectolaxError,
)

from inlink.contract.outcomes import Element
from inlink.extract.depth import cut_position
from inlink.extract.shadow import SHADOW_ROOT, show_shadow_roots
from inlink.extract.xhtml import xml_tree
from inlink.web.limits import MAX_ANCHOR, MAX_LINKS, MAX_TITLE
from inlink.web.problems import Problems

MAX_TEXT_WORK = 64 << 20
"""Maximum number of characters of anchor text, before folding, that are read of one page."""

_LINKS = "a[href], area[href], a img, a script, a style"
_WANTED = (
    f"{_LINKS}, title, base[href], meta[name], meta[http-equiv=refresh i],"
    f" link[rel*=canonical i][href], math, {SHADOW_ROOT}"
)
"""All in one walk over the page: each walk costs a tenth of the time that parsing takes."""

_BREAKS = frozenset(
    "address article aside blockquote br caption center dd details dialog dir div dl dt fieldset"  # noqa: SIM905
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li listing main menu"
    " nav ol optgroup option p plaintext pre search section summary table tbody td tfoot th thead"
    " tr ul xmp".split()
)
"""Where a line or a cell, and so a word, ends by https://html.spec.whatwg.org/#rendering."""

_TEXT_END = "\0"
"""Put between texts of different nodes; the parser leaves none in a text."""

_JOINT = re.compile(r"[^\s\0]\0+[^\s\0]")
"""Where texts of different nodes would become one word."""

_OPTIONS = LexborDocumentOptions.WO_EVENTS


def _tag_id(tag: str) -> int:
    return LexborHTMLParser(f"<{tag}>").css(tag)[0].tag_id


_A, _AREA, _IMG, _MATH, _SCRIPT, _STYLE, _TEMPLATE = map(
    _tag_id, ("a", "area", "img", "math", "script", "style", "template")
)

_HTML_IN_FOREIGN = ("foreignobject", "desc", "title", "annotation-xml", "mi", "mo", "mn", "ms")
_BEGINS = {"svg": "svg", "math": "math"} | dict.fromkeys((*_HTML_IN_FOREIGN, "mtext"), "html")
"""Elements whose content is in another namespace than they are, with that namespace."""

_NO_HREF = "\0"


class Link(msgspec.Struct, frozen=True, gc=False):
    """A link element; texts are folded, URLs are as the page has them."""

    element: Element
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
    refreshes: list[str] = []
    """Contents of all ``<meta http-equiv=refresh>`` outside ``noscript``; see ``refresh``.

    One in ``noscript`` only redirects visitors without scripting, to a poorer page.
    """
    links: list[Link] = []
    truncated: bool = False


def fold(text: str) -> str:
    """*text* with white space folded."""
    return " ".join(text.split())


def relations(rel: str) -> str:
    """The tokens of a ``rel``, in lower case, joined by spaces.

    HTML separates them by white space; Google also accepts commas
    (https://developers.google.com/search/docs/crawling-indexing/qualify-outbound-links).
    """
    return " ".join(rel.lower().replace(",", " ").split())


def read_page(text: bytes, problems: Problems) -> Page:
    """Read a page; what exceeds a limit is left out, and counted."""
    return parsed_page(text, problems)[0]


def parsed_page(text: bytes, problems: Problems) -> tuple[Page, list[LexborNode]]:
    """Read a page; also returns the nodes of its links, in order, with the page around them."""
    end = cut_position(text)
    if end is not None:
        problems["page_too_deep"] += 1
        text = text[:end]
    with _no_collector():
        try:
            tree = LexborHTMLParser(text, options=_OPTIONS)
            return _read(tree, problems, end is not None)
        except (SelectolaxError, MemoryError):
            problems["page_unreadable"] += 1
            return Page(truncated=True), []


def parsed_xml(text: bytes, problems: Problems) -> tuple[Page, list[LexborNode]] | None:
    """The same for a page that is XML; None if it is not well-formed."""
    with _no_collector():
        found = xml_tree(text)
        if found is None:
            return None
        tree, is_whole = found
        if not is_whole:
            problems["page_too_deep"] += 1
        return _read(tree, problems, not is_whole)


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """The nodes of a page trigger the cyclic garbage collector repeatedly; none is in a cycle."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _read(
    tree: LexborHTMLParser, problems: Problems, truncated: bool
) -> tuple[Page, list[LexborNode]]:
    reader = _Reader(tree, problems, truncated)
    return reader.page(), reader.nodes


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
        self._spaced: set[int] = set()
        self._namespaces: dict[int, str] = {}
        self._has_math = False
        shadow_roots: list[LexborNode] = []
        self._sort(tree.css(_WANTED), shadow_roots)
        if shadow_roots:  # they have links, but nothing about the whole page
            show_shadow_roots(shadow_roots)
            self._links, self._images = [], []
            self._sort(tree.css(_LINKS), [])

    def _sort(self, nodes: list[LexborNode], shadow_roots: list[LexborNode]) -> None:
        for node in nodes:
            tag = node.tag_id
            if tag in (_A, _AREA):
                self._links.append(node)
            elif tag == _IMG:
                self._images.append(node)
            elif tag in (_SCRIPT, _STYLE):
                node.decompose()  # its content is not text
            elif tag == _MATH:
                self._has_math = True
            elif tag == _TEMPLATE:
                shadow_roots.append(node)
            else:
                self._metadata.append((node.tag or "", node))

    def page(self) -> Page:
        title, base, canonical = None, None, None
        metas: list[tuple[str, str]] = []
        refreshes: list[str] = []
        for tag, node in self._metadata:
            attributes = node.attributes
            if tag == "meta":
                content = attributes.get("content")
                if "name" in attributes:
                    metas.append((attributes["name"] or "", content or ""))
                is_refresh = (attributes.get("http-equiv") or "").lower() == "refresh"
                if content and is_refresh and not _is_in_noscript(node):
                    refreshes.append(content)
            elif tag == "link":
                if canonical is None and "canonical" in _tokens(attributes.get("rel")):
                    canonical = attributes.get("href") if _is_in(node, "head") else None
            elif tag == "base":
                if base is None and self._namespace(node) == "html":
                    base = attributes.get("href") or ""
            elif title is None and not _is_in(node, "svg"):
                title = self._folded(node.text(), MAX_TITLE)
        links = self._read_links()
        if self._text_cut:
            self._problems["text_truncated"] += 1
        return Page(title or "", metas, canonical, base, refreshes, links, self._truncated)

    def _read_links(self) -> list[Link]:
        if len(self._links) > MAX_LINKS:
            self._problems["links_truncated"] += 1
            self._truncated = True
            del self._links[MAX_LINKS:]
        images = self._first_images()
        links: list[Link] = []
        for node in self._links:
            attributes = node.attributes
            href = attributes.get("href", _NO_HREF)
            if href is _NO_HREF and self._namespace(node) == "svg":
                href = attributes.get("xlink:href", _NO_HREF)
            if href is _NO_HREF or (self._has_math and self._namespace(node) == "math"):
                continue
            rel = attributes.get("rel") or ""
            if rel:
                rel = self._folded(relations(rel), MAX_ANCHOR)
            is_image, source, alt = False, None, None
            if node.tag_id == _AREA:
                element: Element = "area"
                anchor = self._folded(attributes.get("alt") or "", MAX_ANCHOR)
            else:
                element, anchor = "a", self._anchor(node)
                image = images.get(node.mem_id) if images else None
                if image is not None:
                    is_image, (source, alt) = True, self._source_and_alt(image)
            links.append(Link(element, href or "", anchor, rel, is_image, source, alt))
            self.nodes.append(node)
        return links

    def _anchor(self, node: LexborNode) -> str:
        if self._text_work >= MAX_TEXT_WORK:
            self._text_cut = True
            return ""
        has_spaces = self._spaced and node.mem_id in self._spaced
        text = node.text(separator="" if has_spaces else _TEXT_END)
        self._text_work += len(text)
        if _TEXT_END in text:
            joins = _JOINT.search(text) is not None
            text = self._spaced_text(node) if joins else text.replace(_TEXT_END, "")
        return self._folded(text, MAX_ANCHOR)

    def _spaced_text(self, link: LexborNode) -> str:
        """The text of *link* with spaces where lines and cells end; the spaces stay in the page."""
        for node in link.css("*"):
            tag = node.tag
            if tag == "a":
                self._spaced.add(node.mem_id)  # each part of a page is handled once
            elif tag in _BREAKS:
                node.insert_before(" ")
                node.insert_after(" ")
        return link.text()

    def _source_and_alt(self, image: LexborNode) -> tuple[str | None, str | None]:
        attributes = image.attributes
        if "alt" not in attributes:
            return attributes.get("src"), None
        return attributes.get("src"), self._folded(attributes["alt"] or "", MAX_ANCHOR)

    def _first_images(self) -> dict[int, LexborNode]:
        """The first image within each link, by the link's id."""
        found: dict[int, LexborNode] = {}
        passed: set[int] = set()  # every ancestor of these has its image already
        for image in self._images:
            node = image.parent
            while node is not None and node.mem_id not in passed:
                passed.add(node.mem_id)
                if node.tag_id == _A:
                    found[node.mem_id] = image
                node = node.parent
        return found

    def _namespace(self, node: LexborNode) -> str:
        """``html``, ``svg`` or ``math``: that of the innermost element that begins a namespace.

        https://html.spec.whatwg.org/#html-integration-point
        """
        passed: list[int] = []
        namespace, parent = "html", node.parent
        while parent is not None:
            known = self._namespaces.get(parent.mem_id) or _BEGINS.get((parent.tag or "").lower())
            passed.append(parent.mem_id)
            if known is not None:
                namespace = known
                break
            parent = parent.parent
        self._namespaces.update(dict.fromkeys(passed, namespace))
        return namespace

    def _folded(self, text: str, limit: int) -> str:
        folded = " ".join(text.split())
        if len(folded) <= limit:
            return folded
        self._text_cut = True
        return folded[:limit].rstrip()


def _tokens(text: str | None) -> list[str]:
    return text.lower().split() if text else []


def _is_in_noscript(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None and parent.tag != "noscript":
        parent = parent.parent
    return parent is not None


def _is_in(node: LexborNode, tag: str) -> bool:
    parent = node.parent
    while parent is not None and parent.tag not in ("head", "body", "svg"):
        parent = parent.parent
    return parent is not None and parent.tag == tag
