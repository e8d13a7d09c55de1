"""What a page says in its markup: title, robots directives, canonical and links.

In: the text of a page, its URL and encoding. Out: a `Page`. The tree a parser of HTML made is
turned into one stream of events, without the contents of ``<template>`` (they are no part of the
document), and everything is read off that stream. ``<noscript>`` is markup: nothing runs scripts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import turbohtml
from turbohtml import Node

from .urls import resolve

LONGEST_TEXT = 2048
_READ = ("a", "area", "base", "img", "link", "meta", "title")
"""The elements whose attributes say something."""

_NOT_TEXT = ("script", "style", "template")


class Event(NamedTuple):
    """A start tag (with `attrs`), a text, or an end tag (neither).

    `name` is the local name in HTML's namespace, ``foreign:name`` in another. `attrs` may be empty
    where they say nothing that is read.
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
    """What the markup of one page says; `robots` are (name of the robot, directives)."""

    title: str
    robots: list[tuple[str, str]]
    canonical: str | None
    links: list[Link]


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


def read(
    text: str, url: str, encoding: str, parser: Callable[[str], Iterable[Event]] | None = None
) -> Page:
    """Read the page at `url`, whose queries are written in `encoding`."""
    seen = _Elements()
    for event in (parser or turbohtml_events)(text):
        seen.see(event)
    base = url
    if seen.base is not None:
        base = resolve(seen.base, url, encoding) or url
    links = (_link(opened, base, encoding) for opened in seen.links)
    return Page(
        title=seen.title.folded() if seen.title else "",
        robots=seen.robots,
        canonical=seen.canonical and resolve(seen.canonical, base, encoding),
        links=[link for link in links if link],
    )


class _Elements:
    """The elements of a page that matter, gathered in document order."""

    def __init__(self) -> None:
        self.base: str | None = None
        self.canonical: str | None = None
        self.robots: list[tuple[str, str]] = []
        self.title: _Open | None = None
        self.links: list[_Open] = []
        self._path: list[str] = []
        self._open: list[tuple[int, _Open]] = []

    def see(self, event: Event) -> None:
        """Take the next event in."""
        if event.attrs is not None:
            self._path.append(event.name)
            self._start(event.name, event.attrs)
        elif event.text is not None:
            self._text(event.text)
        else:
            self._path.pop()
            if self._open:
                self._open = [entry for entry in self._open if entry[0] <= len(self._path)]

    def _text(self, text: str) -> None:
        for depth, opened in self._open:
            inside = (name.rpartition(":")[2] for name in self._path[depth:])
            if not any(name in _NOT_TEXT for name in inside):
                opened.text.append(text)

    def _start(self, name: str, attrs: dict[str, str]) -> None:
        if name in ("a", "area") and "href" in attrs:
            self.links.append(self._opened(name, attrs))
        elif name == "title" and self.title is None:
            self.title = self._opened(name, attrs)
        elif name == "img":
            for _, opened in self._open:
                opened.image = opened.image or attrs
        elif name == "base" and "href" in attrs and self.base is None:
            self.base = attrs["href"]
        elif name == "meta" and "name" in attrs:
            self.robots.append((attrs["name"].strip().lower(), attrs.get("content", "").lower()))
        elif name == "link" and _is_canonical(attrs) and "head" in self._path:
            self.canonical = self.canonical or attrs["href"]

    def _opened(self, name: str, attrs: dict[str, str]) -> _Open:
        opened = _Open(name, attrs)
        self._open.append((len(self._path), opened))
        return opened


def _is_canonical(attrs: dict[str, str]) -> bool:
    return "href" in attrs and "canonical" in attrs.get("rel", "").lower().split()


def _link(opened: _Open, base: str, encoding: str) -> Link | None:
    attrs, image = opened.attrs, opened.image
    target = resolve(attrs["href"], base, encoding)
    if target is None:
        return None
    nofollow = "nofollow" in attrs.get("rel", "").lower().split()
    if opened.element == "area":
        return Link("area", target, fold(attrs.get("alt", "")), nofollow)
    if image is None:
        return Link("a", target, opened.folded(), nofollow)
    source = resolve(image["src"], base, encoding) if image.get("src") else None
    alt = fold(image["alt"]) if "alt" in image else None
    return Link("a", target, opened.folded(), nofollow, True, source, alt)


def turbohtml_events(text: str) -> Iterator[Event]:
    """The document's tree as turbohtml makes it."""
    waiting: list[Node | Event] = [turbohtml.parse(text, allow_declarative_shadow_roots=False)]
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
        elif isinstance(node, turbohtml.Document):
            waiting += reversed(node.children)


def _start_tag(node: turbohtml.Element) -> Event:
    html = node.namespace is turbohtml.Namespace.HTML
    if not html or node.tag not in _READ:
        return Event(node.tag if html else f"foreign:{node.tag}", {})
    attrs = {
        key: " ".join(value) if isinstance(value, list) else value or ""
        for key, value in node.attrs.items()
    }
    return Event(node.tag, attrs)
