"""Sitemaps: the protocol (https://www.sitemaps.org/protocol.html), XML 1.0, RSS 2.0, Atom, gzip."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inlink.crawl import sitemaps
from inlink.crawl.sitemaps import MAX_BYTES, MAX_URLS, SitemapUrl, sitemap_urls
from tests.test_crawl_robots import fetched

XMLNS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
ONE, TWO = "http://a.example/one", "http://a.example/two"


def found(body: str | bytes, **fields: str) -> list[str]:
    """What a sitemap names."""
    data = body.encode() if isinstance(body, str) else body
    return [entry.url for entry in sitemap_urls(fetched(200, data, **fields))]


def urlset(*locs: str, begin: str = "") -> str:
    urls = "\r\n".join(f"<url><loc>{loc}</loc><lastmod>2026-01-01</lastmod></url>" for loc in locs)
    return f"{begin}<urlset {XMLNS}>\r\n{urls}\r\n</urlset>"


@pytest.mark.parametrize("encoding", ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"))
@pytest.mark.parametrize("declared", ("", "UTF-8", "UTF-16"))
def test_any_mark_and_encoding_of_xml_is_read(encoding: str, declared: str) -> None:
    """https://www.w3.org/TR/xml/#sec-guessing"""
    begin = f'<?xml version="1.0" encoding="{declared}"?>\r\n' if declared else ""
    assert found(urlset(ONE, f"{TWO}/\u00e9", begin=begin).encode(encoding)) == [
        ONE,
        f"{TWO}/\u00e9",
    ]


def test_other_encodings_are_those_of_the_declaration() -> None:
    begin = '<?xml version="1.0" encoding="windows-1251"?>'
    assert found(urlset(f"{ONE}/\u044f", begin=begin).encode("cp1251")) == [f"{ONE}/\u044f"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("?a=1&amp;b=2", "?a=1&b=2"),
        ("?a=1&b=2", "?a=1&b=2"),
        ("?a=1&b=2&amp;c=3&#38;d&#x26;e", "?a=1&b=2&c=3&d&e"),
        ("?a&copy;&lt;&", "?a&copy;<&"),
        ("<![CDATA[?a=1&b=2&amp;c]]>", "?a=1&b=2&amp;c"),
        ("<!-- a -->?b", "?b"),
        ("  \r\n", ""),
    ],
)
def test_ampersands_mean_what_they_say(written: str, meant: str) -> None:
    assert found(urlset(f"{ONE}{written}", TWO)) == [f"{ONE}{meant}", TWO]


@pytest.mark.parametrize(
    "body",
    [
        f"<urlset><url><loc>{ONE}</loc></url></urlset>",
        f'<s:urlset xmlns:s="x"><s:url><s:loc>{ONE}</s:loc></s:url></s:urlset>',
        f"<s:urlset><s:url><s:loc>{ONE}</s:loc></s:url></s:urlset>",
        f"\n\n <?xml version='1.0'?>{urlset(ONE)}",
        f"<!-- made by hand -->{urlset(ONE)}",
        f"<urlset><url><loc>{ONE}</loc></url><url><loc",
        f"<urlset><url><loc>{ONE}</loc>\x00\x0b</url></urlset>",
        f"<urlset xmlns:i='i'><url><loc>{ONE}</loc><i:image><i:loc>{TWO}</i:loc></i:image></url>",
        f"<rss><channel><link>{TWO}</link><item><link>{ONE}</link><guid>{TWO}</guid></item>",
        f"<rss><channel><item><link><![CDATA[{ONE}]]></link></item></channel></rss>",
        f'<r:RDF xmlns:r="r" xmlns="http://purl.org/rss/1.0/"><item><link>{ONE}</link></item>',
        f'<feed xmlns="http://a.example/"><link href="{TWO}"/><entry><link href="{ONE}"/>',
        f'<feed><entry><link rel="self" href="{TWO}"/><link rel="alternate" href="{ONE}"/></entry>',
    ],
)  # fmt: skip
def test_every_form_is_read_as_far_as_it_goes(body: str) -> None:
    assert found(body) == [ONE]


def test_an_index_names_sitemaps() -> None:
    body = f"<sitemapindex {XMLNS}><sitemap><loc>{ONE}</loc></sitemap></sitemapindex>"
    assert sitemap_urls(fetched(200, body.encode())) == [SitemapUrl(ONE, True)]


@pytest.mark.parametrize("end", ("\n", "\r\n", "\r"))
@pytest.mark.parametrize("encoding", ("utf-8", "utf-8-sig", "utf-16"))
def test_text_has_a_full_url_in_each_line(end: str, encoding: str) -> None:
    lines = (ONE, "", "/relative", f"{TWO} and words", "ftp://a.example/", f"  {TWO}  ", "<p>")
    assert found(end.join(lines).encode(encoding)) == [ONE, TWO]


@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE html>\n<html><body>\n<p>Not here</p></body></html>",
        f"\ufeff<!DOCTYPE html>\n<html><body>\n{ONE}\n</body></html>",
        f"Sorry\n<html><body>\n<a href='{ONE}'>one</a>\nhttp://a.example/<b>\n</body></html>",
        "{}",
        "",
        "\x00\x01",
    ],
)
def test_an_error_page_names_nothing(body: str) -> None:
    assert found(body) == []


MEMBERS = gzip.compress(urlset(ONE).encode()[:90]) + gzip.compress(urlset(ONE).encode()[90:])


@pytest.mark.parametrize(
    "data",
    (
        MEMBERS,
        MEMBERS + b"\0" * 512,
        MEMBERS + b"rubbish",
        MEMBERS[:-9],
        gzip.compress(b"") + MEMBERS,
    ),
)
@pytest.mark.parametrize("content_type", ("application/x-gzip", "image/png", "text/html", ""))
def test_gzip_may_have_several_members_and_any_media_type(data: bytes, content_type: str) -> None:
    """https://www.rfc-editor.org/rfc/rfc1952#section-2.2"""
    assert found(data, content_type=content_type) == [ONE]


def test_gzip_may_be_a_coding_of_the_answer_as_well() -> None:
    assert found(MEMBERS, content_encoding="gzip") == [ONE]
    assert found(gzip.compress(MEMBERS), content_encoding="gzip") == [ONE]


def test_no_more_count_than_the_protocol_allows() -> None:
    many = [f"{ONE}/{number}" for number in range(MAX_URLS + 10)]
    assert found(urlset(*many)) == found("\n".join(many)) == many[:MAX_URLS]


def test_a_large_one_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages end at 10 MiB; sitemaps may have 50 MB, be they sent compressed or not."""
    padding = f"<!--{' ' * 1000}-->" * (12 << 10)
    body = urlset(ONE, begin=padding).encode()
    assert 10 << 20 < len(body) < MAX_BYTES
    packed = zlib.compressobj(1, wbits=31)
    zipped = packed.compress(body) + packed.flush()
    assert found(body) == found(zipped) == found(zipped, content_encoding="gzip") == [ONE]
    monkeypatch.setattr(sitemaps, "MAX_BYTES", 1000)
    assert found(zipped) == []


@pytest.mark.parametrize(
    "body",
    [
        "<a>" * 100_000,
        "<urlset>" + "<a/>" * (sitemaps.MAX_ELEMENTS // 4),
        "<![CDATA[" * 100_000,
        "<urlset>" + "&" * 3_000_000,
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12))
        + "]><urlset><url>&m;</url></urlset>",
        '<!DOCTYPE a [<!ENTITY % a "a">'
        + "".join(f'<!ENTITY % p{n} "{"&#37;p{n - 1};" * 10}">' for n in range(1, 12))
        + "%p11;]><urlset/>",
    ],
    ids=("deep", "wide", "cdata", "ampersands", "entities", "parameter-entities"),
)
def test_what_grows_when_it_is_read_is_not_read_on(body: str) -> None:
    assert found(body) == []


def test_entities_of_files_are_not_read() -> None:
    doctype = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert found(urlset(f"{ONE}/&x;", begin=doctype)) == [f"{ONE}/&x;"]


PIECES = (
    *(b"<urlset>", b"<url>", b"<loc>", b"</loc>", b"</url>", b"<item>", b"<link>", b"<entry>"),
    *(b"http://a.example/", b"&", b"&amp;", b"<![CDATA[", b"]]>", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"\x1f\x8b\x08", b"<?xml encoding='utf-16'?>", b"<!DOCTYPE a [", b"\0", b"\n", b"</", b"<"),
)


@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_no_sitemap_is_an_error(body: bytes) -> None:
    found(body)
