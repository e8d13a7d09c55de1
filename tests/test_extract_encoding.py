"""Encodings: the vectors of html5lib-tests, and the order in which a browser looks."""

import tarfile
from collections import Counter
from pathlib import Path

import pytest
import webencodings
from hypothesis import given
from hypothesis import strategies as st

from inlink.extract.encoding import is_utf8, page_encoding, page_text
from tests.crawl_files import Observed


def _vectors(shared: Path) -> list[tuple[bytes, str]]:
    found: list[tuple[bytes, str]] = []
    with tarfile.open(shared / "html5" / "html5lib-tests.tar.gz") as archive:
        for member in archive:
            if "encoding/" in member.name and member.name.endswith(".dat"):
                file = archive.extractfile(member)
                assert file is not None
                for case in file.read().split(b"#data\n")[1:]:
                    data, _, label = case.partition(b"\n#encoding\n")
                    found.append((data, label.split(b"\n")[0].decode()))
    return found


def test_html5lib_vectors(shared: Path) -> None:
    vectors = _vectors(shared)
    assert len(vectors) == 82
    for data, label in vectors:
        expected = webencodings.lookup(label)
        assert expected is not None
        found = page_encoding(data, None)[0] or "windows-1252"  # their default
        if found != expected.name:
            # The meta lies behind the 1,024 bytes of a prescan: the parser comes upon it.
            assert len(data) > 1024
            found = page_text(data + b"\xff\xfe\xff", None, Counter()).encoding
        assert found == expected.name, data[:200]


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "text"),
    [
        (b"\xef\xbb\xbfa\xc3\xa9", "text/html; charset=iso-8859-1", "utf-8", "aé"),
        (b"\xff\xfea\0b\0", "text/html; charset=utf-8", "utf-16le", "ab"),
        (b"\xfe\xff\0a\0b", None, "utf-16be", "ab"),
        (b"<meta charset=utf-8>\xe9", "text/html; charset=ISO-8859-1", "windows-1252", None),
        (b"\xcf\xf0", 'text/html; charset="windows-1251"', "windows-1251", "Пр"),
        (b"\xcf\xf0", "text/html;charset = windows-1251 ; x=y", "windows-1251", "Пр"),
        (b"caf\xc3\xa9", None, "utf-8", "café"),
        (b"caf\xe9", None, "windows-1252", "café"),
        (b"caf\xe9 \x80\x81", "text/html; charset=latin1", "windows-1252", "café €\x81"),
        (b"caf\xe9", "text/html; charset=no-such-thing", "windows-1252", "café"),
        (b"\x93\xfa\x96\x7b", "text/html; charset=x-sjis", "shift_jis", "日本"),
        (b"\xc4\xe3\x95\x32\x82\x36", "text/html; charset=gb2312", "gbk", "你\U00020000"),
        (b'<meta charset="x-user-defined">\xe9', None, "windows-1252", None),
        (b'<meta charset="utf-16">caf\xc3\xa9', None, "utf-8", None),
        (b"<?xml version='1.0' encoding='koi8-r'?>\xd1", None, "koi8-r", None),
        (b"<?xml encoding='koi8-r'?><meta charset=gbk>\xd1\xd1", None, "gbk", None),
        (b"<?xml encoding='koi8-r'?>" + b" " * 2000 + b"<meta charset=gbk>", None, "koi8-r", None),
        (b" " * 2000 + b'<meta charset=iso-2022-jp>\x1b$B$"', None, "iso-2022-jp", None),
        (b"\x1b[31m", None, "utf-8", "\x1b[31m"),
    ],
)
def test_a_browsers_order(
    body: bytes, content_type: str | None, encoding: str, text: str | None
) -> None:
    found = page_text(body, content_type, Counter())
    assert found.encoding == encoding
    if text is not None:
        assert found.utf8.decode() == text


def test_wrong_bytes_are_replaced_and_counted() -> None:
    problems: Counter[str] = Counter()
    assert page_text(b"a\xffb", "text/html; charset=utf-8", problems).utf8.decode() == "a\ufffdb"
    assert page_text(b"ab\x1b$(Cxyz", "text/html; charset=iso-2022-kr", problems).utf8.decode() == (
        "\ufffd"  # https://encoding.spec.whatwg.org/#replacement
    )
    assert problems == {"charset": 2}


@given(st.one_of(st.binary(), st.text().map(str.encode), st.lists(st.sampled_from(
    [b"a" * 9, b"\xc3\xa4", b"\xe2\x82\xac", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"\xc0\x80",
     b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\0"]
)).map(b"".join)))  # fmt: skip
def test_utf8_is_what_python_decodes(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        assert not is_utf8(data)
    else:
        assert is_utf8(data)


@pytest.mark.parametrize(
    ("name", "title", "target", "anchor"),
    [
        ("f1-shift-jis-query", "", "http://t.example/?q=%93%FA%96{%95\\", "x"),
        ("f3-gbk-query", "", "http://t.example/?w=%80&z=%26%2354620%3B", "x"),
        ("f5-euc-jp-row13", "①\uff5e㈱", "http://t.example/", "①"),
        ("f7-xml-declaration", "Я", "http://t.example/x", "t"),
    ],
)
def test_pages_that_went_wrong(
    shared: Path, tmp_path: Path, name: str, title: str, target: str, anchor: str
) -> None:
    """Their README has what is right: what Chromium shows."""
    seen = Observed(shared.parent / "cases" / f"{name}.warc", tmp_path)
    assert seen.visit["title"] == title
    assert seen.links_of(seen.visit) == [("a", target, anchor)]
