"""The character encoding of a page, decided as a browser does.

In: the bytes of a page and its Content-Type. Out: its text, in UTF-8, and the encoding it was in.

The order is that of https://html.spec.whatwg.org/#determining-the-character-encoding: byte order
mark, ``charset`` of the Content-Type, prescan of the first 1,024 bytes for a ``meta``, then a
``meta`` that the parser comes upon later (https://html.spec.whatwg.org/#change-the-encoding; looked
for only where the bytes are not UTF-8). Labels are those of https://encoding.spec.whatwg.org/.
Where none of them decides, a browser guesses; here it is UTF-8 if the bytes are valid in it, else
windows-1252.
"""

import codecs
import re
import struct

import msgspec
import pyarrow as pa
import webencodings

from inlink.extract.problems import Problems

_PRESCAN_BYTES = 1024
_LATE_META_BYTES = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
)
_CHARSET_PARAMETER = re.compile(r";\s*charset\s*=\s*(?:\"([^\"]*)\"?|([^\s;\"]+))", re.I)
_SPACE = b"\t\n\x0c\r "
_META = re.compile(rb"<meta[\t\n\x0c\r /]", re.I)
_TAG = re.compile(rb"</?[a-zA-Z]")
_TAG_NAME_END = re.compile(rb"[\t\n\x0c\r >]")
_CHARSET_IN_CONTENT = re.compile(
    rb"charset[\t\n\x0c\r ]*=[\t\n\x0c\r ]*"
    rb"(?:\"([^\"]*)\"|'([^']*)'|([^\t\n\x0c\r ;\"'][^\t\n\x0c\r ;]*))",
    re.I,
)


class Text(msgspec.Struct, frozen=True):
    """A page as text: *utf8* is valid UTF-8; *encoding* is the name of the one it was in."""

    utf8: bytes
    encoding: str


def page_text(body: bytes, content_type: str | None, problems: Problems) -> Text:
    """The text of a page; bytes that are wrong in its encoding become U+FFFD, and are counted."""
    encoding, mark = page_encoding(body, content_type)
    data = body[mark:]
    if encoding in (None, "utf-8"):
        if is_utf8(data):
            return Text(data, "utf-8")
        encoding = encoding or prescan(data[:_LATE_META_BYTES]) or "windows-1252"
    text, sound = _decode(data, encoding)
    if not sound:
        problems["charset"] += 1
    return Text(text.encode("utf-8", "replace"), encoding)


def is_utf8(data: bytes) -> bool:
    """Whether *data* is valid in UTF-8: what ``data.decode()`` says, without making a string."""
    offsets = struct.pack("=qq", 0, len(data))
    text = pa.LargeStringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def page_encoding(body: bytes, content_type: str | None) -> tuple[str | None, int]:
    """The encoding that the page names, if it does, and the length of its byte order mark."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return name, len(mark)
    if content_type and (match := _CHARSET_PARAMETER.search(content_type)):
        encoding = _named(match[1] or match[2] or "")
        if encoding:
            return encoding, 0
    return prescan(body[:_PRESCAN_BYTES]), 0


def _named(label: str) -> str | None:
    found = webencodings.lookup(label)
    return found.name if found else None


def _decode(data: bytes, encoding: str) -> tuple[str, bool]:
    """*data* as text, and whether all of it was right."""
    found = webencodings.lookup(encoding)
    if encoding == "replacement" or found is None:
        return "\ufffd", False
    # The standard decodes gbk as gb18030 (https://encoding.spec.whatwg.org/#gbk-decoder).
    codec = codecs.lookup("gb18030") if encoding == "gbk" else found.codec_info
    try:
        return codec.decode(data, "strict")[0], True
    except UnicodeError:
        errors = _CONTROLS if encoding.startswith("windows-") else "replace"
        text = codec.decode(data, errors)[0]
        return text, "\ufffd" not in text


def _as_controls(error: UnicodeError) -> tuple[str, int]:
    """The windows encodings have C1 controls where Python's codecs have nothing."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    byte = error.object[error.start]
    return chr(byte) if byte < 0xA0 else "\ufffd", error.start + 1


_CONTROLS = "inlink-controls"
codecs.register_error(_CONTROLS, _as_controls)


def prescan(data: bytes) -> str | None:
    """The encoding that a ``meta`` in *data* names.

    https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding
    """
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
    encoding = _named(label.decode("latin-1"))
    if encoding in ("utf-16le", "utf-16be"):
        return "utf-8"  # it could not have been read as ASCII
    return "windows-1252" if encoding == "x-user-defined" else encoding


def _attributes(data: bytes, position: int) -> tuple[dict[bytes, bytes], int]:
    """The attributes of a tag from *position* on, names and values in lower case, and its end.

    The end is behind that of *data* if the tag has none in it.
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
