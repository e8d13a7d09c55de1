"""Encodings as Chromium has them: every pointer of every index, every character in a query."""

import itertools
import random
from collections.abc import Iterable, Iterator

import pytest

from inlink.extract.encoding import page_encoding, page_text
from inlink.extract.html import read_page
from inlink.extract.urlbook import UrlBook
from inlink.urls.canonical import canonical_url
from inlink.web.charsets import decode, encode_query
from inlink.web.http import field, parse_response
from inlink.web.problems import Problems
from tests.chromium import UNDECLARED, Answers, Questions, ask

UTF = ("utf-8", "utf-16be", "utf-16le")
SINGLE_BYTE = (
    *(f"iso-8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
    *(f"windows-{page}" for page in (874, *range(1250, 1259))),
    *("ibm866", "iso-8859-8-i", "koi8-r", "koi8-u", "macintosh", "x-mac-cyrillic"),
    "x-user-defined",
)
PAIRS = ("big5", "euc-jp", "euc-kr", "gb18030", "gbk", "shift_jis")
ENCODINGS = (*UTF, *SINGLE_BYTE, *PAIRS, "iso-2022-jp")
"""All of https://encoding.spec.whatwg.org/#names-and-labels but ``replacement``."""

ALL, HIGH, DIGITS = range(0x100), range(0x80, 0x100), range(0x30, 0x3A)

NOT_8F = tuple(byte for byte in HIGH if byte != 0x8F)
"""In EUC-JP, a wrong sequence after 8F makes Chromium take the next pair for JIS X 0212."""

NOT_ESC = tuple(byte for byte in ALL if byte != 0x1B)
"""In ISO-2022-JP, wrong escape sequences leave Chromium in states that the standard does not have.

`test_escape_sequences` has them.
"""

WRONG_IN_CHROMIUM = (b"\x88\x62", b"\x88\x64", b"\x88\xa3", b"\x88\xa5")
"""Big5 pointers with two characters each: `test_what_chromium_has_wrong`."""


def _lines(sequences: Iterable[Iterable[int]], before: bytes = b"", after: bytes = b"\n") -> bytes:
    """Each sequence in a line of its own: a line end is never part of one."""
    return b"".join(before + bytes(sequence) + after for sequence in sequences)


def _pointers(encoding: str) -> Iterator[bytes]:
    """Every sequence of bytes that the standard looks up, and all others of their length."""
    yield _lines((byte,) for byte in ALL)
    if encoding in PAIRS:
        yield _lines(itertools.product(HIGH if encoding != "euc-jp" else NOT_8F, ALL))
    if encoding == "euc-jp":
        yield _lines(itertools.product((0x8F,), HIGH, ALL))
    if encoding in ("gb18030", "gbk"):
        yield _lines(itertools.product(range(0x81, 0x85), DIGITS, HIGH, DIGITS))
        yield _lines(itertools.product(range(0x85, 0x100), DIGITS, (0x81, 0x9A, 0xFE), (0x35,)))
    if encoding == "iso-2022-jp":
        yield _lines(itertools.product(NOT_ESC, NOT_ESC), b"\x1b$B", b"\x1b(B\n")
        yield _lines(itertools.product(b"0OPt", ALL[0x20:0x80]), b"\x1b$@", b"\x1b(B\n")
        for state in (b"\x1b(J", b"\x1b(I", b"\x1b(B"):
            yield _lines(((byte,) for byte in NOT_ESC), state, b"x\x1b(B\n")


def _broken_off() -> Iterator[bytes]:
    yield from (bytes((byte,)) for byte in ALL)
    yield from (b"\x81\x30", b"\x81\x30\x81", b"\x8f\xb0", b"\x8f\x30", b"\xe2\x82", b"\xd8\0\0")


def _mixtures(encoding: str) -> Iterator[bytes]:
    """Right and wrong sequences in a row."""
    chance = random.Random(encoding)
    telling = ALL if encoding in UTF else (*b"09@AZ~\\ <>&;\x7f", *NOT_8F)
    pieces = [bytes((byte,)) for byte in telling] + ["€𠀀é".encode(), b"\xd8\x40\xdc\x0b"] * 20
    for _ in range(200):
        yield b"".join(chance.choices(pieces, k=chance.randrange(2, 60))) + b"."


CHARACTERS = [
    chr(code)
    for code in (*range(1, 0xD800), *range(0xE000, 0x10000), *range(0x10000, 0x110000, 97))
    if chr(code) not in "\t\n\r#&"
]


def _queries() -> list[str]:
    """Every character, each between ``&``, and characters of every state in a row."""
    each = ["&".join(CHARACTERS[at : at + 1000]) for at in range(0, len(CHARACTERS), 1000)]
    chance = random.Random("queries")
    telling = "aZ9\\~%'\"<>{}|^` \x0e\x1b日本語表ソｱﾞﾟ\xa5\u203e\u2212é€Ж한\ue000①\ufffd\U00020000"
    return each + ["x" + "".join(chance.choices(telling, k=40)) + "x" for _ in range(100)]


XML = b'<?xml version="1.0" encoding="windows-1251"?>'
LINK = """<a href='
 http://t.example/é日?a=日
本&amp;b=é€Ж한ก\xa5&#39;"<\\^`{|}&c=ﾐ\uf7e9 x#日?é \t'>"""
XHTML = b"<html xmlns='http://www.w3.org/1999/xhtml'><head>%s</head></html>"
LETTER = b"<title>\xdf</title>"
PAGES = [
    ("text/html", page)
    for page in (
        XML + LETTER,
        b"\n" + XML + LETTER,
        XML + b"<meta charset=windows-1253>" + LETTER,
        b"<meta charset=windows-1253>" + XML + LETTER,
        b"<?xml encoding = 'windows-1251' ?>" + LETTER,
        b'<?xml version="1.0" <meta encoding="windows-1251" charset="windows-1253"?>' + LETTER,
        b'<?xml encoding="windows-1251">' + LETTER,
        b'<?xmlish xencoding\0=\n"windows-1251"?>' + LETTER,
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + LETTER,
        b'<?xml version="1.0" encoding="utf-16"?><title>\xd0\x96</title>',
        b'<?xml version="1.0" encoding="x-user-defined"?>' + LETTER,
        b'<?xml version="1.0" encoding="euc-jp"?><title>\xad\xa1\x8f\xb0\xa1</title>',
        b'<?xml version="1.0" encoding=windows-1251?>' + LETTER,
        b'<?xml version="1.0" encoding=" windows-1251"?>' + LETTER,
        b'<?xml version="1.0" encoding="windows-1251\'?>' + LETTER,
        b'<?xml encoding="no-such-thing" encoding="windows-1251"?>' + LETTER,
        b'<?xml encoding="no-such-thing"?><meta charset=windows-1253>' + LETTER,
        b'<?xml version="1.0"?>' + LETTER,
        b'<?XML version="1.0" encoding="windows-1251"?>' + LETTER,
        b'<?xml version="1.0" ENCODING="windows-1251"?>' + LETTER,
        b'<?xml encoding="windows-1251"',
        (XML + "<title>Я</title>".encode("cp1251")).decode("cp1251").encode("utf-16-le"),
        (XML + "<title>Я</title>".encode("cp1251")).decode("cp1251").encode("utf-16-be"),
        b"<title>x</title>" + b"<meta name=x>" * 100 + b"<meta charset=iso-2022-jp>\x1b(B",
        b"<meta charset=x-user-defined>" + LETTER,
        b"<meta charset=utf-16><title>\xd0\x96</title>",
        b"<meta http-equiv=Content-Type content='a; charset=windows-1251'>" + LETTER,
    )
] + [
    ("application/xhtml+xml", XML + XHTML % b"<title>\xdf</title>"),
    ("Application/xhtml+xml", XML + XHTML % b"<meta charset='utf-8'/><title>\xdf</title>"),
    ("application/xhtml+xml; a=b", XHTML % b"<meta charset='koi8-r'/><title>\xd0\x96</title>"),
    ("text/html; charset=windows-1253", XML + LETTER),
    ("text/html; charset=iso-2022-kr", b"<title>x</title>"),
    ("text/html; charset=ISO-2022-JP", b"<title>\x1b$B$\"\x1b(B</title>"),
    ("text/html; charset=x-user-defined", LETTER),
    ("text/html; charset=Shift_JIS", "<title>表</title>".encode("cp932")
     + "<a href='http://t.example/表?q=日本{表\\&r=ﾐ#表'>".encode("cp932")),
    ("text/html; charset=EUC-JP", b"<title>\xad\xa1</title><a href='//t.example?\xad\xa1'>"),
] + [
    (f"text/html; charset={encoding}",
     LINK.encode("ascii", "xmlcharrefreplace"))
    for encoding in (*PAIRS, "iso-2022-jp", "koi8-u", "macintosh", "utf-8", "windows-874",
                     "windows-1252", "windows-1258", "x-mac-cyrillic", "x-user-defined")
]  # fmt: skip

LOCATIONS = [
    b"/a\xe9b", b"/a\xc3\xa9b", b"/a?q=\xe9", b"/a?q=\xc3\xa9&r=\x80",
    b"/\xe9\xc3\xa9?\xc3\xa9\xe9",
    b"/\x93\xfa\x96{?\x96{\x95", b"b/\xdf", b"/%E9?%e9'\xe9",
]  # fmt: skip


@pytest.fixture(scope="module")
def questions() -> Questions:
    decoded = {
        encoding: [*_pointers(encoding), *_broken_off(), *_mixtures(encoding)]
        for encoding in ENCODINGS
    }
    return Questions(decoded, ENCODINGS, _queries(), PAGES, LOCATIONS)


@pytest.fixture(scope="module")
def chromium(
    browser: str, questions: Questions, tmp_path_factory: pytest.TempPathFactory
) -> Answers:
    return ask(browser, questions, tmp_path_factory.mktemp("profile"))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_bytes_are_decoded_as_in_chromium(
    chromium: Answers, questions: Questions, encoding: str
) -> None:
    answers = zip(questions.decode[encoding], chromium.decoded[encoding], strict=True)
    for data, expected in answers:
        text = decode(data, encoding)
        if text != expected:
            lines = zip(data.split(b"\n"), text.split("\n"), expected.split("\n"), strict=True)
            wrong = [line for line in lines if line[1] != line[2]]
            assert encoding == "big5"
            assert [line[0] for line in wrong] == [*WRONG_IN_CHROMIUM]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_queries_are_sent_as_by_chromium(
    chromium: Answers, questions: Questions, encoding: str
) -> None:
    answers = zip(questions.queries, chromium.sent[encoding], strict=True)
    for query, expected in answers:
        sent = encode_query(query, encoding)
        if sent != expected:  # to name the places takes a while
            assert sent.split("&") == expected.split("&"), query


@pytest.mark.parametrize("number", range(len(PAGES)))
def test_a_page_is_read_as_by_chromium(chromium: Answers, number: int) -> None:
    content_type, body = PAGES[number]
    expected = chromium.shown[number]
    text = page_text(body, content_type, Problems())
    page = read_page(text.utf8, Problems())
    if expected["encoding"] == UNDECLARED:
        assert page_encoding(body, content_type) == (None, 0)
    else:
        assert text.encoding == expected["encoding"]
        if text.encoding != "replacement":
            assert page.title == expected["title"]
    base = "http://page.example/"
    resolver = UrlBook(()).resolver(base, text.encoding, base_depends_on_page=True)
    rows = [resolver[link.href] for link in page.links]
    assert [row and row.url for row in rows] == list(map(canonical_url, expected["links"]))


@pytest.mark.parametrize("number", range(len(LOCATIONS)))
def test_a_location_is_followed_as_by_chromium(chromium: Answers, number: int) -> None:
    head = b"HTTP/1.1 302 Found\r\nX: \xe9\r\nlocation : %s\r\n\r\n" % LOCATIONS[number]
    response = parse_response(head)
    assert response is not None
    location = field(response.fields, "location")
    assert location is not None
    expected = canonical_url(chromium.followed[number], "http://page.example/")
    assert canonical_url(location, "http://page.example/redirect") == expected
    assert field(response.fields, "x") == "é"


def test_what_chromium_has_wrong() -> None:
    """https://encoding.spec.whatwg.org/#big5-decoder and #euc-jp-decoder, by hand."""
    text = "\xca\u0304\xca\u030c\xea\u0304\xea\u030c"
    assert decode(b"".join(WRONG_IN_CHROMIUM), "big5") == text
    assert (
        decode(b"\x8f\xb0\x20\xb0\xa1\x8f\xff\xb0\xa1\x8f", "euc-jp") == "\ufffd 亜\ufffd亜\ufffd"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b$", "\ufffd$"),
        (b"\x1b$P", "\ufffd$P"),
        (b"\x1b(BP", "P"),
        (b"\x1b(B\x1b(BP", "\ufffdP"),
        (b"P\x1b(BP", "PP"),
        (b"\x0d\x0e\x0f\x10", "\r\ufffd\ufffd\x10"),
        (b"\x1b(J\x5c\x5d\x7e", "\xa5]\u203e"),
        (b"\x1b(J\x0d\x0e\x0f\x10", "\r\ufffd\ufffd\x10"),
        (b"\x1b(J\x1b\x1b(IP", "\ufffdﾐ"),
        (b"\x1b(IP", "ﾐ"),
    ],
)
def test_escape_sequences(data: bytes, text: str) -> None:
    """As ``encoding/iso-2022-jp-decoder.any.js`` of web-platform-tests has them."""
    assert decode(data, "iso-2022-jp") == text


def test_the_replacement_encoding() -> None:
    """https://encoding.spec.whatwg.org/#replacement-decoder."""
    assert decode(b"abc", "replacement") == "\ufffd"
    assert decode(b"", "replacement") == ""
