"""Sitemaps (https://www.sitemaps.org/protocol.html): XML, indexes of others, RSS, Atom, and text.

In: the answer to the request for one, which may be gzip whatever its media type. Out: the URLs that
it names, as far as it can be read. The XML is read as a stream, so a sitemap takes no more memory
than its text; entities of its own are never expanded.
"""

import codecs
import re
import zlib
from typing import NamedTuple

import lxml.etree

from inlink.crawl.fetch import Fetched
from inlink.web.http import Response, decoded_body
from inlink.web.problems import Problems

MAX_BYTES = 50 << 20
"""What one sitemap may have, as it is sent and when gzip is undone."""
MAX_URLS = 50_000
"""URLs that one sitemap may have."""
MAX_ELEMENTS = 1_000_000
"""Elements that are looked at; a URL of a sitemap may have dozens, for images and translations."""
MAX_AMPERSANDS = 1_000_000
"""Ampersands that are read; what has more is read to a part."""
MAX_LENGTH = 10_000
"""Characters of a URL that are kept: longer ones are none."""

_STEP = 1 << 14
_GZIP = b"\x1f\x8b"
_TEXT_URL = re.compile(r"https?://[^\s<>\"]+", re.I)
_SAYS_UTF_16 = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']utf-?16", re.I)
_ENCODINGS = (  # by how a text begins: https://www.w3.org/TR/xml/#sec-guessing
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_CDATA = re.compile(rb"(<!\[CDATA\[.*?(?:\]\]>|\Z))", re.S)
_RAW_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9A-Fa-f]{1,6});)")
"""One that means nothing in XML, or an entity that a document defines for itself."""


class SitemapUrl(NamedTuple):
    """A URL in a sitemap as it stands there, and whether it is another sitemap."""

    url: str
    is_sitemap: bool


def sitemap_urls(fetched: Fetched) -> list[SitemapUrl]:
    """What a sitemap names, at most `MAX_URLS`."""
    response = Response(fetched.status, fetched.fields, fetched.body)
    body, _ = decoded_body(response, Problems(), MAX_BYTES)
    if body.startswith(_GZIP):
        body = _gunzipped(body)
    body = body.lstrip()
    encoding = next((name for begin, name in _ENCODINGS if body.startswith(begin)), None)
    if encoding is not None:
        body = body.decode(encoding, "replace").encode().lstrip()
    elif _SAYS_UTF_16.match(body):  # in bytes that are not
        encoding = "utf-8"
    if body.startswith(b"<"):
        return _xml_urls(body, None if encoding is None else "utf-8")
    return _text_urls(body.decode("utf-8", "replace"))


def _gunzipped(data: bytes) -> bytes:
    """All members, as far as they go."""
    pieces: list[bytes] = []
    member, position, left = zlib.decompressobj(wbits=31), 0, MAX_BYTES
    try:
        while position < len(data) and left > 0:
            pieces.append(member.decompress(data[position : position + _STEP], left))
            left -= len(pieces[-1])
            position += _STEP
            if member.eof:
                position = min(position, len(data)) - len(member.unused_data)
                member = zlib.decompressobj(wbits=31)
    except zlib.error:
        pass
    return b"".join(pieces)


def _text_urls(text: str) -> list[SitemapUrl]:
    """One full URL in a line, and nothing else: an error page has none."""
    lines = (line.strip() for line in re.split(r"[\r\n]+", text))
    urls = [SitemapUrl(line, False) for line in lines if _TEXT_URL.fullmatch(line)]
    return urls[:MAX_URLS]


def _xml_urls(body: bytes, encoding: str | None) -> list[SitemapUrl]:
    target = _Target()
    parser = lxml.etree.XMLParser(
        target=target,  # type: ignore[arg-type]  # lxml asks for less than its stubs
        encoding=encoding,
        recover=True,
        resolve_entities=False,
        no_network=True,
    )
    try:
        parser.feed(_escaped(body))
        parser.close()
    except (lxml.etree.XMLSyntaxError, _EnoughError):
        pass
    return target.urls


def _escaped(body: bytes) -> bytes:
    """*body* with its raw ampersands as XML has them; in CDATA all of them are."""
    while body.count(b"&") > MAX_AMPERSANDS:
        body = body[: len(body) // 2]
    parts = _CDATA.split(body)
    parts[::2] = [_RAW_AMPERSAND.sub(b"&amp;", part) for part in parts[::2]]
    return b"".join(parts)


_NAMING = (("url", "loc"), ("sitemap", "loc"), ("item", "link"))
_LINKING, _ITSELF = ("entry", "link"), "alternate"


class _EnoughError(Exception):
    """The sitemap has reached the limit of URLs or elements."""


class _Target:
    """Gathers URLs from what the parser of lxml finds, by the local names of elements.

    In a sitemap they are the text of ``loc`` in ``url`` or ``sitemap``. In feeds they are ``link``
    in ``item`` (RSS: text) or ``entry`` (Atom: ``href``, of the page itself).
    """

    def __init__(self) -> None:
        self.urls: list[SitemapUrl] = []
        self._open: list[str] = []
        self._text: list[str] | None = None
        self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise _EnoughError
        name = tag.rpartition("}")[2].rpartition(":")[2]
        parent = self._open[-1] if self._open else ""
        self._open.append(name)
        if (parent, name) in _NAMING:
            self._text = []
        elif (parent, name) == _LINKING and attributes.get("rel", _ITSELF) == _ITSELF:
            self._add(attributes.get("href", ""), is_sitemap=False)

    def data(self, text: str) -> None:
        """Text of an element."""
        if self._text is not None:
            self._text.append(text[:MAX_LENGTH])

    def end(self, tag: str) -> None:
        """An element ends."""
        self._open.pop()
        if self._text is not None and self._open:
            self._add("".join(self._text), is_sitemap=self._open[-1] == "sitemap")
            self._text = None

    def close(self) -> None:
        """The document ends."""

    def _add(self, url: str, *, is_sitemap: bool) -> None:
        if url := url.strip():
            self.urls.append(SitemapUrl(url[:MAX_LENGTH], is_sitemap))
            if len(self.urls) >= MAX_URLS:
                raise _EnoughError
