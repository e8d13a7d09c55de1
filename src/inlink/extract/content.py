"""The page in the body of an answer, read by its media type.

In: a decoded body and its media type. Out: what the page says, the nodes of its links, and its
encoding. A body that is neither HTML nor XHTML has no page.
"""

import codecs
import re
from collections import Counter
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from inlink.extract.encoding import page_text
from inlink.extract.html import Page, parsed_page, parsed_xml
from inlink.web.media_types import HTML, HTML_TYPES, XHTML, MediaType
from inlink.web.problems import Problems

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)
_UTF16 = {b"\0<\0?": "utf-16be", b"<\0?\0": "utf-16le"}
_DECLARED = re.compile(
    rb"<\?xml[^>]*?[\t\n\r ]encoding[\t\n\r ]*=[\t\n\r ]*[\"']([A-Za-z][A-Za-z0-9._-]*)[\"']"
)


class Content(NamedTuple):
    """A page, the nodes of its links in order, and the name of its encoding."""

    page: Page = Page()
    nodes: list[LexborNode] = []  # noqa: RUF012
    encoding: str = "utf-8"


def read_content(body: bytes, media_type: MediaType | None, problems: Problems) -> Content:
    """Read the page in *body*; what exceeds a limit is left out, and counted.

    XHTML that is not well-formed is read as HTML, where a browser shows an error.
    """
    if media_type is None or media_type.essence not in HTML_TYPES or not body:
        return Content()
    content = _xml(body, media_type, problems) if media_type.essence == XHTML else None
    if content is not None:
        return content
    text = page_text(body, str(media_type._replace(essence=HTML)), problems)
    page, nodes = parsed_page(text.utf8, problems)
    return Content(page, nodes, text.encoding)


def _xml(body: bytes, media_type: MediaType, problems: Problems) -> Content | None:
    """The page in *body* if it is well-formed; bytes invalid in their encoding are not."""
    wrong: Problems = Counter()
    text = page_text(body, str(_with_xml_encoding(body, media_type)), wrong)
    parsed = None if wrong else parsed_xml(text.utf8, problems)
    return parsed and Content(*parsed, text.encoding)


def _with_xml_encoding(body: bytes, media_type: MediaType) -> MediaType:
    """*media_type* with the charset of the XML, if neither it nor a byte order mark names one.

    https://www.w3.org/TR/xml/#sec-guessing
    """
    if media_type.charset is not None or body.startswith(_MARKS):
        return media_type
    declared = _DECLARED.match(body)
    label = declared[1].decode() if declared else _UTF16.get(body[:4], "utf-8")
    return media_type._replace(charset=label)
