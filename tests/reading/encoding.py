"""Bytes of a page to text, as a browser decides it (https://html.spec.whatwg.org/, 13.2.3).

Byte order mark, ``charset`` of Content-Type, ``<meta>`` in the first 1,024 bytes; then UTF-8 where
the bytes are valid UTF-8, else windows-1252.
"""

import re

import webencodings
from html5lib._inputstream import EncodingParser

PRESCAN = 1024
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))


def decode(body: bytes, content_type: str) -> tuple[str, str]:
    """Text of a page, and the Python codec that URLs' queries in it are written in."""
    encoding = _encoding(body, content_type)
    for mark, _ in _BOMS:
        if body.startswith(mark):
            body = body[len(mark) :]
            break
    text = encoding.codec_info.decode(body, "replace")[0]
    utf16 = encoding.name in ("utf-16le", "utf-16be")
    return text, "utf-8" if utf16 else encoding.codec_info.name


def _encoding(body: bytes, content_type: str) -> webencodings.Encoding:
    for mark, name in _BOMS:
        if body.startswith(mark):
            return webencodings.lookup(name)
    declared = re.search(r"charset\s*=\s*[\"']?([^\s\"';]+)", content_type, re.IGNORECASE)
    found = webencodings.lookup(declared[1]) if declared else None
    found = found or EncodingParser(body[:PRESCAN]).getEncoding()
    if found:
        return (
            webencodings.lookup("utf-8")
            if found.name.startswith("utf-16") and not declared
            else found
        )
    try:
        body.decode()
    except UnicodeDecodeError:
        return webencodings.lookup("windows-1252")
    return webencodings.lookup("utf-8")
