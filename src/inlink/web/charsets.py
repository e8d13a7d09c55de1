"""Decoding, and the encoding of queries, as browsers do it (https://encoding.spec.whatwg.org/).

In: bytes, or the query of a URL, and the standard's name of an encoding in lower case. Out: the
text, or the query as it is sent. Python's codecs differ from the standard in thousands of
characters, so none of them is used.

turbohtml decodes. The standard's encoders look up the same indexes in reverse, so each encoder here
is the inverted decoder, with the exceptions that the standard makes.
"""

import itertools
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from urllib.parse import quote_from_bytes

import turbohtml.detect  # noqa: F401  (makes the codecs called whatwg-...)

REPLACEMENT = "\ufffd"

UTF = frozenset(("utf-8", "utf-16le", "utf-16be", "replacement"))
"""A page in one of these sends its URLs in UTF-8 (the standard's "get an output encoding")."""

_AS_IT_IS = "!$%&()*+,/:;=?@[\\]^`{|}"
"""The characters that a query keeps, besides letters, digits and ``-._~``.

They are those outside https://url.spec.whatwg.org/#special-query-percent-encode-set.
"""


def decode(data: bytes, encoding: str) -> str:
    """The text of *data*. Invalid bytes become U+FFFD, as many as in a browser."""
    return data.decode(f"whatwg-{encoding}")


def encode_query(query: str, encoding: str) -> str:
    """*query* as it is sent from a page in *encoding*: percent-encoded.

    A character that the encoding lacks becomes ``%26%23`` + its number + ``%3B``
    (https://url.spec.whatwg.org/#string-percent-encode-after-encoding).
    """
    return quote_from_bytes(_encode(query, encoding), safe=_AS_IT_IS)


def _encode(text: str, encoding: str) -> bytes:
    if encoding in UTF:
        return text.encode()
    if encoding == "iso-2022-jp":
        return _iso_2022_jp(text)
    table = _table(encoding)
    lacking = _gb18030_lacking if encoding == "gb18030" else _entity
    return b"".join(
        character.encode() if character.isascii() else table.get(character) or lacking(character)
        for character in text
    )


def _entity(character: str) -> bytes:
    return b"%%26%%23%d%%3B" % ord(character)


# For each character beyond ASCII in an encoding, its bytes.

_Table = dict[str, bytes]


@cache
def _table(encoding: str) -> _Table:
    return _TABLES[encoding]() if encoding in _TABLES else _single_byte(encoding)


def _single_byte(encoding: str) -> _Table:
    return _inverted(encoding, _sequences(range(0x80, 0x100)))


def _big5() -> _Table:
    """https://encoding.spec.whatwg.org/#index-big5-pointer."""
    sequences = _sequences(range(0xA1, 0xFF), range(0x40, 0xFF))
    last = _inverted("big5", sequences[::-1])
    return _inverted("big5", sequences) | {twin: last[twin] for twin in "═╞╡╪十卅"}


def _euc_jp() -> _Table:
    """https://encoding.spec.whatwg.org/#euc-jp-encoder."""
    katakana = _sequences((0x8E,), range(0xA1, 0xE0))
    jis0208 = _sequences(range(0xA1, 0xFF), range(0xA1, 0xFF))
    return _japanese(_inverted("euc-jp", katakana + jis0208))


def _shift_jis() -> _Table:
    """https://encoding.spec.whatwg.org/#index-shift_jis-pointer."""
    single = _sequences((0x80, *range(0xA1, 0xE0)))
    leads = (*range(0x81, 0xA0), *range(0xE0, 0xED), *range(0xFA, 0xFD))
    return _japanese(_inverted("shift_jis", single + _sequences(leads, range(0x40, 0xFD))))


def _japanese(table: _Table) -> _Table:
    return table | {"\xa5": b"\\", "\u203e": b"~", "\u2212": table["\uff0d"]}


def _euc_kr() -> _Table:
    return _inverted("euc-kr", _sequences(range(0x81, 0xFF), range(0x41, 0xFF)))


def _gbk() -> _Table:
    return _gb18030_pairs() | {"\u20ac": b"\x80"}


def _gb18030() -> _Table:
    digits, others = range(0x30, 0x3A), range(0x81, 0xFF)
    fours = _sequences(range(0x81, 0x85), digits, others, digits)
    replacement = {REPLACEMENT: b"\x84\x31\xa4\x37"}
    return _inverted("gb18030", fours) | replacement | _gb18030_pairs()


def _gb18030_pairs() -> _Table:
    pairs = _sequences(range(0x81, 0xFF), range(0x40, 0xFF))
    return _inverted("gb18030", pairs) | _GB18030_2005


def _gb18030_lacking(character: str) -> bytes:
    """https://encoding.spec.whatwg.org/#index-gb18030-ranges-pointer, beyond U+FFFF."""
    if character <= "\uffff":
        return _entity(character)
    rest, fourth = divmod(ord(character) - 0x10000 + 189000, 10)
    rest, third = divmod(rest, 126)
    first, second = divmod(rest, 10)
    return bytes((first + 0x81, second + 0x30, third + 0x81, fourth + 0x30))


_GB18030_2005 = {
    chr(code): bytes((lead, trail))
    for lead, trails, codes in (
        (0xA6, b"\xd9\xda\xdb\xdc\xdd\xde\xdf\xec\xed\xf3", range(0xE78D, 0xE797)),
        (0xFE, b"\x59\x61\x66\x67", (0xE81E, 0xE826, 0xE82B, 0xE82C)),
        (0xFE, b"\x6d\x7e\x90\xa0", (0xE832, 0xE843, 0xE854, 0xE864)),
    )
    for trail, code in zip(trails, codes, strict=True)
}
"""The table in https://encoding.spec.whatwg.org/#gb18030-encoder."""

_TABLES: dict[str, Callable[[], _Table]] = {
    "big5": _big5,
    "euc-jp": _euc_jp,
    "euc-kr": _euc_kr,
    "gb18030": _gb18030,
    "gbk": _gbk,
    "shift_jis": _shift_jis,
}


def _sequences(*places: Iterable[int]) -> list[bytes]:
    return [bytes(sequence) for sequence in itertools.product(*places)]


def _inverted(encoding: str, sequences: list[bytes]) -> _Table:
    """The first of *sequences* for each character that one of them decodes to."""
    texts = decode(b"\n".join(sequences), encoding).split("\n")
    found = zip(reversed(texts), reversed(sequences), strict=True)
    return {text: sequence for text, sequence in found if len(text) == 1 and text != REPLACEMENT}


# ISO-2022-JP: each state of the encoder is named by the escape sequence that begins it.

_ASCII, _ROMAN, _JIS0208 = b"\x1b(B", b"\x1b(J", b"\x1b$B"


def _iso_2022_jp(text: str) -> bytes:
    """https://encoding.spec.whatwg.org/#iso-2022-jp-encoder."""
    state = _ASCII
    pieces: list[bytes] = []
    for character in text:
        wanted, piece = _iso_2022_jp_piece(character, state)
        pieces += (piece,) if wanted == state else (wanted, piece)
        state = wanted
    return b"".join(pieces if state == _ASCII else (*pieces, _ASCII))


def _iso_2022_jp_piece(character: str, state: bytes) -> tuple[bytes, bytes]:
    """The state that *character* needs, and the bytes written in it."""
    single = _ROMAN if state == _ROMAN else _ASCII
    if character in "\x0e\x0f\x1b":
        return single, _entity(REPLACEMENT)
    if character.isascii():
        return _ASCII if character in "\\~" else single, character.encode()
    encoded = _table("euc-jp").get(_full_width(character))
    if encoded is None:
        return single, _entity(character)
    if len(encoded) == 1:  # yen sign and overline
        return _ROMAN, encoded
    return _JIS0208, bytes(byte & 0x7F for byte in encoded)


def _full_width(character: str) -> str:
    """Half-width katakana by the standard's index ISO-2022-JP katakana."""
    if not "\uff61" <= character <= "\uff9f":
        return character
    marks = {"\uff9e": "\u309b", "\uff9f": "\u309c"}
    return marks.get(character) or unicodedata.normalize("NFKC", character)
