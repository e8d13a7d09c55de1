"""Pages that are XML (``application/xhtml+xml``), as trees of the HTML parser.

In: the text of a page, UTF-8. Out: a tree that can be read like any other. Its elements are those
of the XML, whatever the rules of HTML would make of the tags. Elements of HTML keep their names, as
do links, scripts and styles of SVG; all others are called ``other``.

Expat reads the XML, here without access to network or files. The size to which entities expand is
limited, and calculated before the first of them is used. So is the total length of names with their
namespaces.
"""

import html.entities
import re
from xml.parsers import expat

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from inlink.extract.depth import MAX_DEPTH
from inlink.web.limits import MAX_BODY_BYTES

_XHTML = "http://www.w3.org/1999/xhtml"
_SVG = "http://www.w3.org/2000/svg"
_XLINK_HREF = "http://www.w3.org/1999/xlink href"
_IN_SVG = frozenset(("a", "script", "style", "svg"))
_HTML_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ATTRIBUTES = frozenset(("alt", "content", "href", "http-equiv", "name", "rel", "role", "src"))
"""All attributes that are ever read."""

_KNOWN_DTD = frozenset(
    (  # https://html.spec.whatwg.org/#parsing-xhtml-documents
        b"-//W3C//DTD XHTML 1.0 Transitional//EN",
        b"-//W3C//DTD XHTML 1.1//EN",
        b"-//W3C//DTD XHTML 1.0 Strict//EN",
        b"-//W3C//DTD XHTML 1.0 Frameset//EN",
        b"-//W3C//DTD XHTML Basic 1.0//EN",
        b"-//W3C//DTD XHTML 1.1 plus MathML 2.0//EN",
        b"-//W3C//DTD XHTML 1.1 plus MathML 2.0 plus SVG 1.1//EN",
        b"-//W3C//DTD MathML 2.0//EN",
        b"-//WAPFORUM//DTD XHTML Mobile 1.0//EN",
    )
)
_DOCTYPE = re.compile(
    rb"(?:\s|<\?(?:[^?]|\?(?!>))*\?>|<!--(?:[^-]|-(?!->))*-->)*<!DOCTYPE\s+[^\s>\[]+\s+PUBLIC\s+"
    rb"(?:\"([^\"]*)\"|'([^']*)')"
)
_REFERENCE = re.compile(
    rb"<!--(?:[^-]|-(?!->))*|<\?(?:[^?]|\?(?!>))*|<!\[CDATA\[(?:[^\]]|\](?!\]>))*"
    rb"|&([A-Za-z][A-Za-z0-9]*);"
)
_ENTITY = re.compile(r"&([^#;][^;]*);")


_MAX_ELEMENTS = 200_000
_MAX_NAMES = 64 << 20
"""Maximum length of the names of all elements and attributes together, with namespaces."""

_MAX_DOCTYPE = 64 << 10
"""Maximum offset of the end of the document type, in bytes."""

_MAX_ENTITY_DEPTH = 20
"""Maximum nesting of entities; one that contains itself is nested without end."""

_PIECE = 1 << 15
"""Bytes that Expat gets at a time: it continues to their end even if a limit says to stop."""


class _TooManyError(Exception):
    """The page has too many elements, or they are nested too deeply."""


def xml_tree(text: bytes) -> tuple[LexborHTMLParser, bool] | None:
    """The tree of a page, and whether all of it is there; None if it is not well-formed XML.

    A page whose entities or names exceed the limits also counts as not well-formed.
    """
    text = _with_known_entities(text)
    builder = _Builder(text.count(b"&"))
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.specified_attributes = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.EntityDeclHandler = builder.declare
    parser.EndDoctypeDeclHandler = builder.check_entities
    try:
        for position in range(0, len(text), _PIECE):
            builder.position = position
            parser.Parse(text[position : position + _PIECE])
        parser.Parse(b"", True)
    except _TooManyError:
        return builder.tree, False
    except (expat.ExpatError, OverflowError):
        return None
    return builder.tree, True


def _with_known_entities(text: bytes) -> bytes:
    """*text* with numbers for the entities that a browser knows without reading the DTD."""
    doctype = _DOCTYPE.match(text)
    if doctype is None or (doctype[1] or doctype[2]) not in _KNOWN_DTD:
        return text
    return _REFERENCE.sub(_numbered, text)


def _numbered(reference: re.Match[bytes]) -> bytes:
    characters = reference[1] and html.entities.html5.get(f"{reference[1].decode()};")
    if not characters:
        return reference[0]
    return "".join(f"&#{ord(character)};" for character in characters).encode()


class _Builder:
    """Builds a tree from what Expat reads; *references* is the most that there may be."""

    def __init__(self, references: int) -> None:
        self.tree = LexborHTMLParser("", options=LexborDocumentOptions.WO_EVENTS)
        root = self.tree.css("html")[0]
        for part in self.tree.css("head, body"):
            part.decompose()
        self.position = 0
        """Offset of the piece of text that is being read."""
        self._open = [root]
        self._skipped = 0
        self._elements = self._names = 0
        self._references = references
        self._entities: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._names += len(name) + sum(map(len, attributes))
        if self._names > _MAX_NAMES:
            raise OverflowError
        if len(self._open) > MAX_DEPTH or self._elements > _MAX_ELEMENTS:
            raise _TooManyError
        namespace, _, local = name.rpartition(" ")
        if self._skipped or (namespace == _XHTML and local == "template"):
            self._skipped += 1  # the content of a template is not part of the page
            return
        node = self.tree.create_node(_tag(namespace, local))
        self._open[-1].insert_child(node, move=True)
        if namespace == _SVG and "href" not in attributes and _XLINK_HREF in attributes:
            attributes["href"] = attributes[_XLINK_HREF]
        for key, value in attributes.items():
            if key in _ATTRIBUTES:
                node.attrs[key] = value
        self._open.append(node)

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        else:
            self._open.pop()

    def characters(self, text: str) -> None:
        if not self._skipped:
            self._open[-1].insert_child(text)

    def declare(self, name: str, is_parameter: bool, value: str | None, *_: str | None) -> None:
        if not is_parameter and value is not None:
            self._entities.setdefault(name, value)

    def check_entities(self) -> None:
        """Refuse entities that could exceed the limit, by an upper bound of their size."""
        longest = 0
        sizes: dict[str, int] = {}
        for name in self._entities:
            longest = max(longest, self._size(name, sizes, 0))
        if longest * self._references > MAX_BODY_BYTES or self.position > _MAX_DOCTYPE:
            raise OverflowError

    def _size(self, name: str, sizes: dict[str, int], depth: int) -> int:
        """Characters that an entity stands for, those within it included."""
        if name not in sizes:
            if depth > _MAX_ENTITY_DEPTH:
                raise OverflowError
            value = self._entities.get(name, "")
            within = _ENTITY.findall(value)
            sizes[name] = len(value) + sum(self._size(each, sizes, depth + 1) for each in within)
        return sizes[name]


def _tag(namespace: str, local: str) -> str:
    if namespace == _XHTML and _HTML_NAME.fullmatch(local):
        return local
    return local if namespace == _SVG and local in _IN_SVG else "other"
