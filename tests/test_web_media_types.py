"""Media types against the vectors of web-platform-tests, and what has none by its first bytes."""

import pytest

from inlink.extract.encoding import page_encoding
from inlink.web.media_types import media_type


def named(*values: str) -> tuple[str, str | None] | None:
    """Essence and charset that these fields ``Content-Type`` name."""
    return media_type(tuple(("content-type", value) for value in values), b"")


# fetch/content-type/resources/content-types.json
@pytest.mark.parametrize(
    ("values", "essence", "charset"),
    [
        (["", "text/plain"], "text/plain", None),
        (["text/plain", ""], "text/plain", None),
        (["text/html", "text/plain"], "text/plain", None),
        (["text/plain;charset=gbk", "text/html"], "text/html", None),
        (["text/plain;charset=gbk", "text/html;charset=windows-1254"], "text/html",
         "windows-1254"),
        (["text/plain;charset=gbk", "text/plain"], "text/plain", "gbk"),
        (["text/plain;charset=gbk", "text/plain;charset=windows-1252"], "text/plain",
         "windows-1252"),
        (["text/html;charset=gbk", 'text/html;x=",text/plain'], "text/html", "gbk"),
        (["text/html;charset=gbk", "text/plain", "text/html"], "text/html", None),
        (["text/plain", "*/*"], "text/plain", None),
        (["text/html", "*/*"], "text/html", None),
        (["*/*", "text/html"], "text/html", None),
        (["text/plain", "*/*;charset=gbk"], "text/plain", None),
        (["text/html", "*/*;charset=gbk"], "text/html", None),
        (['text/html;x="', "text/plain"], "text/html", None),
        (['text/html;"', "text/plain"], "text/html", None),
    ],
)  # fmt: skip
def test_the_last_valid_type_of_several(
    values: list[str], essence: str, charset: str | None
) -> None:
    assert named(*values) == (essence, charset)
    assert named(", ".join(values)) == (essence, charset)  # RFC 9110, 5.3: the same


# mimesniff/mime-types/resources/mime-types.json
@pytest.mark.parametrize(
    ("text", "charset", "encoding"),
    [
        ("text/html;charset=gbk", "gbk", "gbk"),
        ("TEXT/HTML;CHARSET=GBK", "GBK", "gbk"),
        ("text/html;charset=gbk(", "gbk(", None),
        ("text/html;x=(;charset=gbk", "gbk", "gbk"),
        ("text/html;charset=gbk;charset=windows-1255", "gbk", "gbk"),
        ("text/html;charset =gbk", None, None),
        ("text/html ;charset=gbk", "gbk", "gbk"),
        ("text/html; charset=gbk", "gbk", "gbk"),
        ("text/html;charset= gbk", " gbk", "gbk"),
        ("text/html;charset='gbk'", "'gbk'", None),
        ("text/html;charset='gbk", "'gbk", None),
        ("text/html;charset=gbk'", "gbk'", None),
        ("text/html;test;charset=gbk", "gbk", "gbk"),
        ("text/html;test=;charset=gbk", "gbk", "gbk"),
        ("text/html;';charset=gbk", "gbk", "gbk"),
        ('text/html;";charset=gbk', "gbk", "gbk"),
        ("text/html ; ; charset=gbk", "gbk", "gbk"),
        ("text/html;;;;charset=gbk", "gbk", "gbk"),
        ('text/html;charset="gbk"', "gbk", "gbk"),
        ('text/html;charset="gbk', "gbk", "gbk"),
        ('text/html;charset=gbk"', 'gbk"', None),
        ('text/html;charset=" gbk"', " gbk", "gbk"),
        ('text/html;charset="\\ gbk"', " gbk", "gbk"),
        ('text/html;charset="\\g\\b\\k"', "gbk", "gbk"),
        ('text/html;charset="gbk"x', "gbk", "gbk"),
        ("text/html;charset={gbk}", "{gbk}", None),
        (f"text/html;{'0123456789' * 14}=x;charset=gbk", "gbk", "gbk"),
        ("text/html;test=\xff;charset=gbk", "gbk", "gbk"),
    ],
)
def test_parameters(text: str, charset: str | None, encoding: str | None) -> None:
    assert named(text) == ("text/html", charset)
    assert page_encoding(b"", str(media_type((("content-type", text),), b""))) == (encoding, 0)


SYMBOLS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("text", "essence"),
    [
        (f"{SYMBOLS}/{SYMBOLS};{SYMBOLS}={SYMBOLS}", f"{SYMBOLS}/{SYMBOLS}".lower()),
        ("x/x;test", "x/x"),
        ('x/x;test="\\', "x/x"),
        ("x/x;test=\ufffd;x=x", "x/x"),
        ("", None),
        ("\t", None),
        ("bogus", None),
        ("bogus/", None),
        ("bogus/ ", None),
        ("bogus/bogus/;", None),
        ("</>", None),
        ("(/)", None),
        ("text/html(;doesnot=matter", None),
        ("{/}", None),
        ("\u0100/\u0100", None),
    ],
)
def test_types(text: str, essence: str | None) -> None:
    assert named(text) == (None if essence is None else (essence, None))


# https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
@pytest.mark.parametrize(
    ("body", "html"),
    [
        (b"<!DOCTYPE HTML>", True), (b"\n\t <html >", True), (b"<!-- x", True), (b"<P>", True),
        (b"<a href=x>", True), (b"<BR >", True), (b"<abbr>", False), (b"<pre>", False),
        (b"<htmlx>", False), (b"text <html>", False), (b"", False), (b"<?xml version='1'?>", False),
    ],
)  # fmt: skip
def test_sniffing(body: bytes, html: bool) -> None:
    assert (media_type((), body) == ("text/html", None)) is html
    assert media_type((("content-type", "text/plain"),), body) == ("text/plain", None)
    for named in ("unknown/unknown", "application/unknown", "*/*", "text", ""):
        assert (media_type((("content-type", named),), body) == ("text/html", None)) is html
