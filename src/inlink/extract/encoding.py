"""The character encoding of a page, decided as a browser does.

In: the bytes of a page and its Content-Type. Out: its text in UTF-8, and the encoding it was in.

The order is that of https://html.spec.whatwg.org/#determining-the-character-encoding: byte order
mark, ``charset`` of the Content-Type, prescan of the first 1,024 bytes for a ``meta`` and then for
an XML declaration, then a ``meta`` that the parser finds later
(https://html.spec.whatwg.org/#change-the-encoding; looked for only if the bytes are not UTF-8, or
may be ISO-2022-JP). Labels are those of https://encoding.spec.whatwg.org/. Where none of
them decides, a browser guesses; here the encoding is then UTF-8 if the bytes are valid in it, else
windows-1252.
"""

import codecs
import re
import struct

import msgspec
import pyarrow as pa
import webencodings

from inlink.web.charsets import REPLACEMENT, decode
from inlink.web.problems import Problems

_PRESCAN_BYTES = 1024
_LATE_META_BYTES = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
)
_UTF16_DECLARATIONS = tuple(("<?x".encode(name), name) for name in ("utf-16le", "utf-16be"))
_ESCAPE = b"\x1b"
"""All other bytes of a page in ISO-2022-JP are ASCII, so it is also valid UTF-8."""
_CHARSET_PARAMETER = re.compile(r";\s*charset\s*=\s*(?:\"([^\"]*)\"?|([^\s;\"]+))", re.I)
_XHTML = re.compile(r"\s*application/xhtml\+xml\b", re.I)
_SPACE = b"\t\n\x0c\r "
_META = re.compile(rb"<meta[\t\n\x0c\r /]", re.I)
_TAG = re.compile(rb"</?[a-zA-Z]")
_TAG_NAME_END = re.compile(rb"[\t\n\x0c\r >]")
_CHARSET_IN_CONTENT = re.compile(
    rb"charset[\t\n\x0c\r ]*=[\t\n\x0c\r ]*"
    rb"(?:\"([^\"]*)\"|'([^']*)'|([^\t\n\x0c\r ;\"'][^\t\n\x0c\r ;]*))",
    re.I,
)
_XML_ENCODING = re.compile(
    rb"encoding[\0-\x20]*=[\0-\x20]*(?:\"([^\0-\x20\"]*)\"|'([^\0-\x20']*)')"
)


class Text(msgspec.Struct, frozen=True):
    """A page as text: *utf8* is valid UTF-8; *encoding* is the name of the one it was in."""

    utf8: bytes
    encoding: str


def page_text(body: bytes, content_type: str | None, problems: Problems) -> Text:
    """The text of a page; bytes invalid in its encoding become U+FFFD, and are counted."""
    encoding, mark = page_encoding(body, content_type)
    data = body[mark:]
    valid = encoding in (None, "utf-8") and is_utf8(data)
    if encoding is None:
        late = None if valid and _ESCAPE not in data else prescan(data[:_LATE_META_BYTES])
        encoding = late or ("utf-8" if valid else "windows-1252")
    if valid and encoding == "utf-8":
        return Text(data, "utf-8")
    text = decode(data, encoding)
    if REPLACEMENT in text:
        problems["charset"] += 1
    return Text(text.encode(), encoding)


def is_utf8(data: bytes) -> bool:
    """Whether *data* is valid UTF-8: the same as by ``data.decode()``, without making a string."""
    offsets = struct.pack("=qq", 0, len(data))
    text = pa.LargeStringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def page_encoding(body: bytes, content_type: str | None) -> tuple[str | None, int]:
    """The encoding that the page names, if any, and the length of its byte order mark."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return name, len(mark)
    if content_type and (match := _CHARSET_PARAMETER.search(content_type)):
        encoding = _named(match[1] or match[2] or "")
        if encoding:
            return encoding, 0
    is_xml = bool(content_type and _XHTML.match(content_type))
    return prescan(body[:_PRESCAN_BYTES], is_xml=is_xml), 0


def _named(label: str) -> str | None:
    found = webencodings.lookup(label)
    return found.name if found else None


def prescan(data: bytes, *, is_xml: bool = False) -> str | None:
    """The encoding that the beginning of a page names in a ``meta`` or an XML declaration.

    https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding. In XML, a
    ``meta`` does not count (https://www.w3.org/TR/xml/#charencoding).
    """
    for declaration, name in _UTF16_DECLARATIONS:
        if data.startswith(declaration):
            return name
    return (None if is_xml else _first_meta(data)) or _xml_encoding(data)


def _xml_encoding(data: bytes) -> str | None:
    """https://html.spec.whatwg.org/#xml-encoding: the first ``encoding``, wherever it is."""
    if not data.startswith(b"<?xml") or b">" not in data:
        return None
    match = _XML_ENCODING.match(data, max(0, data.find(b"encoding")))
    return _ascii_compatible(match[1] or match[2]) if match else None


def _ascii_compatible(label: bytes) -> str | None:
    """The encoding called *label*; it cannot be UTF-16 where *label* was read as ASCII."""
    encoding = _named(label.decode("latin-1"))
    return "utf-8" if encoding in ("utf-16le", "utf-16be") else encoding


def _first_meta(data: bytes) -> str | None:
    if b"charset" not in data.lower():
        return None  # most pages that name no encoding: skip their tags
    position = 0
    while (position := data.find(b"<", position)) >= 0:
        if data.startswith(b"<!--", position):
            end = data.find(b"-->", position + 2)
            if end < 0:
                return None
            position = end + 3
        elif match := _META.match(data, position):
            attributes, position = _attributes(data, match.end() - 1)
            if position > len(data):
                return None
            if encoding := _meta_encoding(attributes):
                return encoding
        elif match := _TAG.match(data, position):
            name_end = _TAG_NAME_END.search(data, match.end())
            if name_end is None:
                return None
            _, position = _attributes(data, name_end.start())
        elif data[position + 1 : position + 2] in (b"!", b"/", b"?"):
            position = data.find(b">", position)
            if position < 0:
                return None
        else:
            position += 1
    return None


def _meta_encoding(attributes: dict[bytes, bytes]) -> str | None:
    label: bytes | None = attributes.get(b"charset")
    if label is None:
        if attributes.get(b"http-equiv") != b"content-type":
            return None
        match = _CHARSET_IN_CONTENT.search(attributes.get(b"content", b""))
        if match is None:
            return None
        label = match[1] or match[2] or match[3] or b""
    encoding = _ascii_compatible(label)
    return "windows-1252" if encoding == "x-user-defined" else encoding


def _attributes(data: bytes, position: int) -> tuple[dict[bytes, bytes], int]:
    """The attributes of a tag from *position* on, names and values in lower case, and its end.

    The end is after that of *data* if the tag does not end in it.
    """
    attributes: dict[bytes, bytes] = {}
    while True:
        attribute, position = _attribute(data, position)
        if attribute is None:
            return attributes, position
        attributes.setdefault(*attribute)


def _attribute(data: bytes, position: int) -> tuple[tuple[bytes, bytes] | None, int]:
    """https://html.spec.whatwg.org/#concept-get-attributes-when-sniffing."""
    position = _past(data, position, _SPACE + b"/")
    if position >= len(data) or data[position] == 0x3E:
        return None, position + 1
    start = position
    while position < len(data) and data[position] not in b"\t\n\x0c\r />":
        if data[position] == 0x3D and position > start:
            break
        position += 1
    name = data[start:position].lower()
    position = _past(data, position, _SPACE)
    if data[position : position + 1] != b"=":
        return (name, b""), position
    position = _past(data, position + 1, _SPACE)
    quote = data[position : position + 1]
    if quote in (b'"', b"'"):
        end = data.find(quote, position + 1)
        if end < 0:
            return None, len(data) + 1
        return (name, data[position + 1 : end].lower()), end + 1
    start = position
    while position < len(data) and data[position] not in b"\t\n\x0c\r >":
        position += 1
    if position == len(data):
        return None, position + 1
    return (name, data[start:position].lower()), position


def _past(data: bytes, position: int, characters: bytes) -> int:
    while position < len(data) and data[position] in characters:
        position += 1
    return position
