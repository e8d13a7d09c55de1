"""Bytes of a page to text, as a browser decides it (https://html.spec.whatwg.org/, 13.2.3).

Byte order mark, ``charset`` of Content-Type, ``<meta>`` in the first 1,024 bytes, else the
encoding of an XML declaration; then UTF-8 where the bytes are valid UTF-8, else windows-1252. In
XML, the declaration alone, else UTF-8.

Where Python's codec of a name is not the Encoding Standard's, another of Python's is used.
"""

import codecs
import re

import webencodings
from html5lib._inputstream import EncodingParser

PRESCAN = 1024
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))
_CODECS = {
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "gbk": "gb18030",
    "windows-874": "cp874",
}
_EUC_JP = re.compile(rb"[\xa1-\xfe][\xa1-\xfe]")


def decode(body: bytes, charset: str | None, *, is_xml: bool = False) -> tuple[str, str]:
    """Text of a page, and the name of the encoding that URLs' queries in it are written in."""
    encoding = _encoding(body, charset, is_xml)
    for mark, _ in _BOMS:
        if body.startswith(mark):
            body = body[len(mark) :]
            break
    utf16 = encoding.name in ("utf-16le", "utf-16be")
    return _text(body, encoding), "utf-8" if utf16 else encoding.name


def _text(body: bytes, encoding: webencodings.Encoding) -> str:
    if encoding.name == "euc-jp":
        return _from_euc_jp(body)
    if encoding.name in _CODECS:
        return body.decode(_CODECS[encoding.name], "replace")
    if encoding.name.startswith("windows-"):
        return body.decode(encoding.codec_info.name, "inlink-c1")
    text: str = encoding.codec_info.decode(body, "replace")[0]
    return text


def _c1(error: UnicodeError) -> tuple[str, int]:
    """Bytes that a code page lacks: what Latin-1 has there, if that is a control character."""
    assert isinstance(error, UnicodeDecodeError)
    byte = error.object[error.start]
    return chr(byte) if byte < 0xA0 else "\ufffd", error.start + 1


codecs.register_error("inlink-c1", _c1)


def _from_euc_jp(body: bytes) -> str:
    """EUC-JP, by way of Shift_JIS: both have the rows and cells of index jis0208."""
    out, at = [], 0
    while at < len(body):
        pair = body[at : at + 2]
        if body[at] < 0x80:
            out.append(chr(body[at]))
            at += 1
        elif pair[:1] == b"\x8f":
            out.append(body[at : at + 3].decode("euc_jp", "replace")[:1])
            at += 3
        elif pair[:1] == b"\x8e":
            out.append(pair[1:].decode("cp932", "replace"))
            at += 2
        elif _EUC_JP.fullmatch(pair):
            out.append(_shift_jis(*pair).decode("cp932", "replace")[:1])
            at += 2
        else:
            out.append("\ufffd")
            at += 1
    return "".join(out)


def _shift_jis(lead: int, trail: int) -> bytes:
    """The two bytes of Shift_JIS that have the row and cell of two bytes of EUC-JP."""
    row, cell = lead - 0xA1, trail - 0xA1
    first = row // 2 + (0x81 if row < 62 else 0xC1)
    second = cell + 0x9F if row % 2 else cell + (0x40 if cell < 63 else 0x41)
    return bytes((first, second))


def encode(char: str, name: str) -> bytes:
    """A character in an encoding, as it stands in queries.

    Raises:
        UnicodeEncodeError: The encoding lacks it.
    """
    if name == "gbk":
        return _to_gbk(char)
    if name in ("shift_jis", "euc-jp") and char == "\u2212":
        char = "\uff0d"
    if name == "euc-jp":
        return _to_euc_jp(char)
    known = webencodings.lookup(name)
    return char.encode(_CODECS.get(name) or (known.codec_info.name if known else name))


def _to_gbk(char: str) -> bytes:
    """A euro sign is one byte; what gb18030 has four bytes for, GBK lacks."""
    if char == "€":
        return b"\x80"
    encoded = char.encode("gb18030")
    if len(encoded) > 2:
        raise UnicodeEncodeError("gbk", char, 0, 1, "not in GBK")
    return encoded


def _to_euc_jp(char: str) -> bytes:
    encoded = char.encode("cp932")
    if len(encoded) == 1:
        return encoded if encoded[0] < 0x80 else b"\x8e" + encoded
    first, second = encoded
    if first > 0xEF:
        raise UnicodeEncodeError("euc-jp", char, 0, 1, "not in JIS X 0208")
    row = (first - (0x81 if first < 0xA0 else 0xC1)) * 2 + (second >= 0x9F)
    cell = second - 0x9F if second >= 0x9F else second - (0x40 if second < 0x7F else 0x41)
    return bytes((row + 0xA1, cell + 0xA1))


def _encoding(body: bytes, charset: str | None, is_xml: bool) -> webencodings.Encoding:
    for mark, name in _BOMS:
        if body.startswith(mark):
            return webencodings.lookup(name)
    stated = webencodings.lookup(charset) if charset else None
    declared = _xml_declaration(body)
    if stated or is_xml:
        return stated or declared or webencodings.lookup("utf-8")
    found = EncodingParser(body[:PRESCAN]).getEncoding() or declared
    if found:
        return webencodings.lookup("utf-8") if found.name.startswith("utf-16") else found
    try:
        body.decode()
    except UnicodeDecodeError:
        return webencodings.lookup("windows-1252")
    return webencodings.lookup("utf-8")


def _xml_declaration(body: bytes) -> webencodings.Encoding | None:
    """The encoding that an XML declaration names (HTML, "get an XML encoding")."""
    declaration = re.match(
        rb"<\?xml[^>]*?encoding[\0-\x20]*=[\0-\x20]*([\"'])(.*?)\1", body[:PRESCAN]
    )
    label = declaration[2].decode("latin-1") if declaration else ""
    found = webencodings.lookup(label) if label and not re.search(r"[\0-\x20]", label) else None
    return webencodings.lookup("utf-8") if found and found.name.startswith("utf-16") else found
