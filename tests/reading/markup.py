"""What a page says in its markup: title, robots directives, canonical, refresh and links.

In: the text of a page, its URL and encoding. Out: a `Page`. The tree that a parser of HTML or XML
made is turned into one stream of events, without the contents of ``<template>`` (they are no part
of the document, but for a declarative shadow root), and everything is read off that stream.
``<noscript>`` is markup: nothing runs scripts. Only a refresh in it is not: browsers that run
scripts, which is nearly all, show the page.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.entities import html5
from typing import NamedTuple

import turbohtml
from lxml import etree
from turbohtml import Namespace, Node

from .urls import base_of, resolve

LONGEST_TEXT = 2048
_READ = ("a", "area", "base", "img", "link", "meta", "svg:a", "title")
"""The elements whose attributes say something."""

_NOT_TEXT = ("script", "style", "template")
# fmt: off
_APART = (
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd",
    "details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "legend", "li",
    "listing", "main", "menu", "nav", "ol", "optgroup", "option", "p", "plaintext", "pre",
    "search", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
    "xmp",
)
# fmt: on
"""Elements that a browser sets apart from the text around them (HTML, 15.3), and line breaks."""

_SHADOW = "#shadow"
_XHTML, _SVG = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"


class Event(NamedTuple):
    """A start tag (with `attrs`), a text, or an end tag (neither).

    `name` is the local name in HTML's namespace, ``svg:name`` in that of SVG, ``foreign:name`` in
    another. The content of a shadow root is in an element `_SHADOW`. `attrs` may be empty where
    they say nothing that is read; an SVG ``a`` has its ``xlink:href`` as ``href``.
    """

    name: str = ""
    attrs: dict[str, str] | None = None
    text: str | None = None


_END = Event()


@dataclass(frozen=True, slots=True)
class Link:
    """An ``<a>`` or ``<area>`` that leads to http or https.

    The references are the URLs as the page has them; None where its own URL makes no difference.
    """

    element: str
    target: str
    text: str
    nofollow: bool
    image: bool = False
    image_source: str | None = None
    alt: str | None = None
    reference: str | None = field(default=None, compare=False)
    image_reference: str | None = field(default=None, compare=False)

    @property
    def anchor(self) -> str:
        """The anchor as the API serves it: the alternative text of an image that has one."""
        return self.alt or self.text if self.image else self.text


@dataclass(slots=True)
class Page:
    """What the markup of one page says; `robots` are (name of the robot, directives).

    `canonical`, `refresh` and `base_reference` are as the page has them. `base` is what its
    references are relative to, None where that is no URL of http or https.
    """

    title: str
    robots: list[tuple[str, str]]
    canonical: str | None
    refresh: str | None
    links: list[Link]
    base: str | None
    base_reference: str | None


class Refresh(NamedTuple):
    """What a refresh says; without a URL, the page itself is loaded again."""

    seconds: int
    url: str | None


@dataclass(slots=True)
class _Open:
    """A link element or title, with what was seen in it."""

    element: str
    attrs: dict[str, str]
    text: list[str] = field(default_factory=list)
    image: dict[str, str] | None = None

    def folded(self) -> str:
        return fold("".join(self.text))


def fold(text: str) -> str:
    """Text with white space folded, cut to the longest that is kept."""
    return " ".join(text.split())[:LONGEST_TEXT]


def relations(rel: str) -> list[str]:
    """The words of ``rel``, which Google splits at commas too."""
    return re.split(r"[\s,]+", rel.lower())


def refresh(content: str) -> Refresh | None:
    """What a refresh says (HTML, "shared declarative refresh steps"); None where it is not one."""
    match = re.match(r"[\t\n\f\r ]*(?:([0-9]+)|(?=\.))[0-9.]*", content)
    if not match:
        return None
    rest = content[match.end() :]
    if rest and rest[0] not in "\t\n\f\r ;,":
        return None
    rest = re.sub(r"^[\t\n\f\r ]*[;,]?[\t\n\f\r ]*", "", rest)
    if not rest:
        return Refresh(int(match[1] or 0), None)
    url = re.sub(r"^url[\t\n\f\r ]*=[\t\n\f\r ]*", "", rest, flags=re.IGNORECASE)
    if url[:1] in ("'", '"'):
        url = url[1:].split(url[0])[0]
    return Refresh(int(match[1] or 0), url)


def read(text: str, url: str, encoding: str, events: Iterable[Event] | None = None) -> Page:
    """Read the page at `url`, whose queries are written in `encoding`."""
    seen = _Elements()
    for event in events or turbohtml_events(text):
        seen.see(event)
    base = base_of(seen.base, url)
    links = (_link(opened, base, encoding) for opened in seen.links)
    return Page(
        title=seen.title.folded() if seen.title else "",
        robots=seen.robots,
        canonical=seen.canonical,
        refresh=seen.refresh,
        links=[link for link in links if link],
        base=base,
        base_reference=seen.base,
    )


class _Elements:
    """The elements of a page that matter, gathered in document order."""

    def __init__(self) -> None:
        self.base: str | None = None
        self.canonical: str | None = None
        self.refresh: str | None = None
        self.robots: list[tuple[str, str]] = []
        self.title: _Open | None = None
        self.links: list[_Open] = []
        self._path: list[str] = []
        self._open: list[tuple[int, _Open]] = []

    def see(self, event: Event) -> None:
        """Take the next event in."""
        if event.attrs is not None:
            self._part(event.name)
            self._path.append(event.name)
            self._start(event.name, event.attrs)
        elif event.text is not None:
            self._text(event.text)
        else:
            self._part(self._path.pop())
            if self._open:
                self._open = [entry for entry in self._open if entry[0] <= len(self._path)]

    def _part(self, name: str) -> None:
        if name in _APART:
            self._text(" ")

    def _text(self, text: str) -> None:
        for depth, opened in self._open:
            inside = (name.rpartition(":")[2] for name in self._path[depth:])
            if not any(name in _NOT_TEXT for name in inside):
                opened.text.append(text)

    def _start(self, name: str, attrs: dict[str, str]) -> None:
        if name in ("a", "area", "svg:a") and "href" in attrs:
            self.links.append(self._opened(name.removeprefix("svg:"), attrs))
        elif name == "img":
            for _, opened in self._open:
                opened.image = opened.image or attrs
        elif _SHADOW not in self._path:
            self._start_of_document(name, attrs)

    def _start_of_document(self, name: str, attrs: dict[str, str]) -> None:
        """An element that speaks of the whole page, as none in a shadow root does."""
        if name == "title" and self.title is None:
            self.title = self._opened(name, attrs)
        elif name == "base" and "href" in attrs and self.base is None:
            self.base = attrs["href"]
        elif name == "meta" and "name" in attrs:
            self.robots.append((attrs["name"].strip().lower(), attrs.get("content", "")))
        elif name == "meta" and attrs.get("http-equiv", "").lower() == "refresh":
            content = attrs.get("content", "")
            if self.refresh is None and refresh(content) and "noscript" not in self._path:
                self.refresh = content
        elif name == "link" and _is_canonical(attrs) and "head" in self._path:
            self.canonical = self.canonical or attrs["href"]

    def _opened(self, name: str, attrs: dict[str, str]) -> _Open:
        opened = _Open(name, attrs)
        self._open.append((len(self._path), opened))
        return opened


def _is_canonical(attrs: dict[str, str]) -> bool:
    return "href" in attrs and "canonical" in attrs.get("rel", "").lower().split()


def _link(opened: _Open, base: str | None, encoding: str) -> Link | None:
    attrs, image = opened.attrs, opened.image
    target = resolve(attrs["href"], base, encoding)
    if target is None:
        return None
    nofollow = "nofollow" in relations(attrs.get("rel", ""))
    if opened.element == "area":
        text = fold(attrs.get("alt", ""))
        return Link("area", target, text, nofollow, reference=attrs["href"])
    source = image.get("src") if image else None
    return Link(
        "a",
        target,
        opened.folded(),
        nofollow,
        image=image is not None,
        image_source=resolve(source, base, encoding) if source else None,
        alt=fold(image["alt"]) if image and "alt" in image else None,
        reference=attrs["href"],
        image_reference=source or None,
    )


def turbohtml_events(text: str) -> Iterator[Event]:
    """The document's tree as turbohtml makes it."""
    waiting: list[Node | Event] = [turbohtml.parse(text, allow_declarative_shadow_roots=True)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Event):
            yield node
        elif isinstance(node, turbohtml.Text):
            yield Event("", text=node.text)
        elif isinstance(node, turbohtml.Element):
            yield _start_tag(node)
            waiting.append(_END)
            if node.tag != "template":
                waiting += reversed(node.children)
            if node.shadow_root:
                waiting += [_END, *reversed(node.shadow_root.children), Event(_SHADOW, {})]
        elif isinstance(node, turbohtml.Document):
            waiting += reversed(node.children)


def _start_tag(node: turbohtml.Element) -> Event:
    prefix = {Namespace.HTML: "", Namespace.SVG: "svg:"}.get(node.namespace, "foreign:")
    if prefix + node.tag not in _READ:
        return Event(prefix + node.tag, {})
    attrs = {
        key: " ".join(value) if isinstance(value, list) else value or ""
        for key, value in node.attrs.items()
    }
    if prefix and "xlink:href" in attrs:
        attrs = {"href": attrs["xlink:href"], **attrs}
    return Event(prefix + node.tag, attrs)


def xml_events(text: str) -> list[Event] | None:
    """The document's tree as a parser of XML makes it; None where it is not well-formed."""
    text = re.sub(r"^\ufeff?<\?xml[^>]*\?>", "", text)
    if re.search(r"<!DOCTYPE[^>]*-//W3C//DTD XHTML", text):
        text = re.sub(r"&([A-Za-z][A-Za-z0-9]*;)", _named, text)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return None
    return list(_of_tree(root))


def _named(entity: re.Match[str]) -> str:
    """A character that HTML has a name for and XML has none (XHTML 1.0, A.2)."""
    known = entity[1] in html5 and entity[1] not in ("amp;", "lt;", "gt;", "quot;", "apos;")
    return html5[entity[1]] if known else entity[0]


def _of_tree(node: etree._Element) -> Iterator[Event]:
    tag = str(node.tag)
    name = tag.rpartition("}")[2]
    prefix = {_XHTML: "", _SVG: "svg:"}.get(tag.removesuffix(name), "foreign:")
    attrs = {str(key): str(value) for key, value in node.attrib.items()}
    if prefix and _XLINK_HREF in attrs:
        attrs = {"href": attrs[_XLINK_HREF], **attrs}
    yield Event(prefix + name, attrs)
    if prefix + name != "template":
        yield Event(text=node.text or "")
        for child in node:
            if isinstance(child.tag, str):
                yield from _of_tree(child)
            yield Event(text=child.tail or "")
    yield _END
