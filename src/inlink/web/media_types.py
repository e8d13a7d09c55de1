"""The media type of an answer, as a browser reads it from ``Content-Type``.

In: the header fields of an answer, and its body. Out: the media type, and the ``charset`` that it
names.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from inlink.web.http import Fields

HTML = "text/html"
XHTML = "application/xhtml+xml"
HTML_TYPES = frozenset((HTML, XHTML))

_UNKNOWN_TYPES = frozenset(("unknown/unknown", "application/unknown"))
_HTML_BEGIN = re.compile(  # https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
    rb"(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*<(?:!--|(?:!doctype html|html|head|script|iframe|h1|div|font"
    rb"|table|a|style|title|b|body|br|p)[ >])",
    re.I,
)
_SPACE = "\t\n\r "
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)'
_VALUE = re.compile(rf'(?:[^",]|{_QUOTED})*', re.S)
_TYPE = re.compile(r"([!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+)[\t\n\r ]*(?:;|\Z)", re.I)
_PARAMETER = re.compile(rf"[{_SPACE}]*([^;=]*)(?:=(?:{_QUOTED}[^;]*|([^;]*)))?(?:;|\Z)", re.S)
_ESCAPE = re.compile(r"\\(.)", re.S)
_NOT_QUOTABLE = re.compile(r"[^\t -~\x80-\xff]")


class MediaType(NamedTuple):
    """A media type, and its parameter ``charset``."""

    essence: str
    """Type and subtype, in lower case."""
    charset: str | None = None

    def __str__(self) -> str:
        if self.charset is None:
            return self.essence
        charset = re.sub(r'(["\\])', r"\\\1", self.charset)
        return f'{self.essence};charset="{charset}"'


def media_type(fields: Fields, body: bytes) -> MediaType | None:
    """The media type that *fields* name; if they name none, HTML if *body* begins like it."""
    named = _extracted(", ".join(value for name, value in fields if name == "content-type"))
    if (named is None or named.essence in _UNKNOWN_TYPES) and _HTML_BEGIN.match(body):
        return MediaType(HTML)
    return named


@lru_cache(1024)
def _extracted(text: str) -> MediaType | None:
    """https://fetch.spec.whatwg.org/#concept-header-extract-mime-type."""
    found: MediaType | None = None
    for value in _values(text):
        parsed = _parsed(value)
        if parsed is None or parsed.essence == "*/*":
            continue
        if found and parsed.charset is None and parsed.essence == found.essence:
            continue
        found = parsed
    return found


def _values(text: str) -> Iterator[str]:
    """https://fetch.spec.whatwg.org/#header-value-get-decode-and-split."""
    position = 0
    while position <= len(text):
        match = _VALUE.match(text, position)
        position = match.end() + 1 if match else len(text) + 1
        yield match[0] if match else ""


def _parsed(text: str) -> MediaType | None:
    """https://mimesniff.spec.whatwg.org/#parsing-a-mime-type."""
    text = text.strip(_SPACE)
    match = _TYPE.match(text)
    if match is None:
        return None
    charset = next(_charsets(text, match.end()), None)
    return MediaType(match[1].lower(), charset)


def _charsets(text: str, position: int) -> Iterator[str]:
    """The values of the parameters called ``charset``."""
    while position < len(text) and (match := _PARAMETER.match(text, position)):
        name, quoted, bare = match.groups()
        value = (bare or "").rstrip(_SPACE) if quoted is None else _ESCAPE.sub(r"\1", quoted)
        is_valid = value or quoted is not None
        if name.lower() == "charset" and is_valid and not _NOT_QUOTABLE.search(value):
            yield value
        position = match.end()
