"""Pages: against html5lib on real ones, rules one by one, and absurd ones within bounds."""

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from warcio.archiveiterator import ArchiveIterator

from inlink.extract.depth import cut_position
from inlink.extract.elements import OpenElements
from inlink.extract.html import Link, Page, read_page
from inlink.web.limits import MAX_ANCHOR, MAX_LINKS, MAX_TITLE

HTML = "{http://www.w3.org/1999/xhtml}"
FILES = ("aut-example.warc.gz", "dolma-sample-0000.warc.gz", "dolma-sample-0001.warc.gz",
         "pywb-iana.warc.gz", "resiliparse-warcfile.warc.gz")  # fmt: skip


TAGS = ["div", "span", "p", "b", "i", "font", "ul", "li"]
TAGS += ["table", "tr", "td", "svg", "path", "a", "h1", "form"]


def _read(text: str) -> Page:
    return read_page(text.encode(), Counter())


def _link(html: str) -> Link:
    (link,) = _read(html).links
    return link


def _pages(shared: Path, limit: int, each: int) -> Iterator[str]:
    """Pages of at most *limit* bytes, *each* of every file."""
    for name in FILES:
        found = 0
        with (shared / "warc" / name).open("rb") as file:
            for record in ArchiveIterator(file):
                headers = record.http_headers
                if record.rec_type != "response" or headers is None or found == each:
                    continue
                if not (headers.get_header("content-type") or "").startswith("text/html"):
                    continue
                body = record.content_stream().read()
                if 500 < len(body) <= limit:
                    found += 1
                    yield body.decode("utf-8", "replace")


def _by_html5lib(html: str) -> tuple[str, list[tuple[str, str, str, bool, str | None]]]:
    tree = html5lib.parse(html, treebuilder="etree")
    titles = [" ".join("".join(e.itertext()).split()) for e in tree.iter(f"{HTML}title")]
    links = []
    for element in _outside_templates(tree):
        if element.tag not in (f"{HTML}a", f"{HTML}area") or "href" not in element.attrib:
            continue
        image = next(element.iter(f"{HTML}img"), None)
        is_area = element.tag == f"{HTML}area"
        text = element.get("alt", "") if is_area else "".join(_text(element))
        rel = " ".join(element.get("rel", "").lower().split())
        anchor = " ".join(text.split())[:MAX_ANCHOR].rstrip()
        source = None if image is None else image.get("src")
        links.append((element.get("href"), anchor, rel, image is not None, source))
    return (titles or [""])[0], links


def _outside_templates(element: Any) -> Iterator[Any]:
    yield element
    if element.tag != f"{HTML}template":
        for child in element:
            yield from _outside_templates(child)


# "display" of https://html.spec.whatwg.org/#rendering: block, list-item, table and its parts.
LINES = """
    address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li listing main
    menu nav ol optgroup option p plaintext pre search section summary table tbody td tfoot th thead
    tr ul xmp
"""


def _text(element: Any) -> Iterator[str]:
    hidden = {f"{HTML}{name}" for name in ("script", "style", "template")}
    if element.tag not in hidden and isinstance(element.tag, str):
        space = " " if element.tag.removeprefix(HTML) in LINES.split() else ""
        yield space + (element.text or "")
        for child in element:
            yield from _text(child)
            yield child.tail or ""
        yield space


def test_the_same_links_as_html5lib_on_real_pages(shared: Path) -> None:
    compared = 0
    for html in _pages(shared, limit=40_000, each=8):
        page = _read(html)
        title, links = _by_html5lib(html)
        ours = [(l.href, l.anchor, l.rel, l.image, l.image_source) for l in page.links]  # noqa: E741
        assert ours == links
        assert page.title == title[:MAX_TITLE].rstrip()
        compared += len(ours)
    assert compared > 800


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<a href=x>  two\n\t words\u00a0here </a>", "two words here"),
        ("<a href=x>a<b>b</b><i> c</i></a>", "ab c"),
        ("<a href=x>a<script>s</script><style>t</style><template>u</template>b</a>", "ab"),
        ("<a href=x>a<!-- no -->b&amp;c</a>", "ab&c"),
        ("<a href=x><img alt=picture src=i></a>", ""),
        ("<noscript><a href=x>seen</a></noscript>", "seen"),
        ("<svg><a href=x>drawn</a></svg>", "drawn"),
        ("<svg><a xlink:href=x>drawn</a></svg>", "drawn"),
        ("<div><template shadowrootmode=closed><a href=x>hidden</a></template></div>", "hidden"),
        ("<a href=x>One<br>Two</a>", "One Two"),
        ("<a href=x><div>One</div><div>Two</div><b>T</b>hree</a>", "One Two Three"),
        ("<a href=x>" + "y" * 3000, "y" * MAX_ANCHOR),
        ("<a href=x>" + " " * 3000 + "y", "y"),
    ],
)
def test_anchors(html: str, expected: str) -> None:
    assert _link(html).anchor == expected


def test_an_area_is_anchored_by_its_alt() -> None:
    link = _link('<map><area href=x alt=" the  north " rel="NoFollow"></map>')
    assert link == Link("area", "x", "the north", "nofollow", False, None, None)


def test_what_is_no_link() -> None:
    assert (
        _read("<a>a</a><a name=x>b</a><link href=x><template><a href=y>c</a></template>").links
        == []
    )
    assert _read("<a xlink:href=x>d</a><!-- <a href=x> --><xmp><a href=x></xmp>").links == []
    assert _read("<math><a xlink:href=x>d</a></math>").links == []
    assert _link("<a href>e</a>").href == ""


def test_links_of_shadow_roots_stand_where_they_are_shown() -> None:
    page = _read(
        "<a href=1><p><template shadowrootmode=open>in <b>it</b><img src=i></template></p></a>"
        "<my-a><template shadowrootmode=closed><a href=2></a><my-b><template shadowrootmode=open>"
        "<a href=3></a></template><a href=4></a></my-b></template><a href=5></a></my-a><a href=6>"
    )
    assert [link.href for link in page.links] == ["1", "2", "3", "4", "5", "6"]
    assert (page.links[0].anchor, page.links[0].image_source) == ("in it", "i")


def test_rel_tokens() -> None:
    assert _link("<a href=x rel='  NOFOLLOW\tUgc\n'>").rel == "nofollow ugc"


def test_images() -> None:
    image = _link("<a href=x><span><img src=1 alt=' one  two '></span><img src=2 alt=3></a>")
    assert (image.image, image.image_source, image.alt) == (True, "1", "one two")
    bare = _link("<a href=x><img></a>")
    assert (bare.image, bare.image_source, bare.alt) == (True, None, None)
    assert _link("<a href=x><img alt></a>").alt == ""
    assert not _link("<a href=x>x</a><img src=1>").image
    outer, inner = _read("<a href=1><object><a href=2><img src=i></a></object></a>").links
    assert outer.image
    assert inner.image


def test_metadata() -> None:
    page = _read("""
        <svg><title>drawing</title></svg><title> the
        title </title><title>second</title>
        <meta name=Robots content=noindex><meta name=description content=d><meta name=googlebot>
    """)
    assert page.title == "the title"
    assert page.robots == [("Robots", "noindex"), ("description", "d"), ("googlebot", "")]
    head = _read("<base target=x><base href=/a/><base href=/b/><link rel=next href=n>"
                 "<link rel='x CANONICAL' href=c><link rel=canonical href=d>")  # fmt: skip
    assert (head.base, head.canonical) == ("/a/", "c")
    assert _read("<body><link rel=canonical href=c>").canonical is None


def _nested(count: int) -> dict[str, str]:
    return {
        "div": "<div>" * count + "<a href=x>",
        "list": "<ul><li>" * count,
        "table": "<table><tr><td>" * count,
        "link": "<a href=x><object>" * count,
        "fonts": "".join(f"<font size={i}>" for i in range(count)) + "<p>x" * count,
        "closing": "</div>" * count,
        "comments": "<!--" * count,
        "quotes": '<a href="' * count,
        "less-than": "<" * count * 5,
        "attributes": "<a " + " ".join(f"a{i}=b" for i in range(count)) + " href=x>",
        "images": "<a href=x><object>" * 900 + "<img>" * count,
        "text": "<a href=x><object>" * 4000 + "word " * count,
        "breaks": "<a href=x><object>" * 450 + "<a href=y>x<b>y</b><br></a>" * (count // 20),
        "shadow roots": "<div><template shadowrootmode=open>" * 400 + "<b><a href=x>" * count,
        "flat shadow roots": "<div><template shadowrootmode=open><a href=x></template></div>"
        * (count // 8),
        "links of SVG": "<svg>" + "<g>" * 450 + "<a xlink:href=x></a>" * (count // 4),
        "links of MathML": "<math>" + "<mrow>" * 450 + "<a href=x></a>" * (count // 4),
        "scripts": "<a href=x>" + "<script></script>" * count,
    }


@pytest.mark.parametrize("name", _nested(1))
def test_absurd_pages_take_bounded_time(name: str) -> None:
    begin = time.process_time()
    read_page(_nested(200_000)[name].encode(), Counter())
    assert time.process_time() - begin < 10  # unbounded, most take minutes or hours


def test_depth_is_cut_off_and_counted() -> None:
    problems: Counter[str] = Counter()
    page = read_page(b"<a href=1>1</a>" + b"<div>" * 100_000 + b"<a href=2>2</a>", problems)
    assert [link.href for link in page.links] == ["1"]
    assert page.truncated
    assert problems == {"page_too_deep": 1}


def test_well_formed_pages_are_never_too_deep() -> None:
    items = "<tr><td><p><b>x</b><font size=1>y</font><a href=z>z</a><br><img>" * 20_000
    problems: Counter[str] = Counter()
    page = read_page(f"<table>{items}</table>".encode(), problems)
    assert len(page.links) == 20_000
    assert not problems


@pytest.mark.parametrize(
    "part",
    [
        "<svg><path d=x /><path d=x /><path d=x /></svg>",
        "<div><span><span><span></div>",
        "<ul><li><div></ul>",
        "<div><b><i><u></div>",
        "<table><tr><td><font color=red><table><tr><td>x</table></table>",
        "<p><span>text",
        "<dl><dt><span>term<dd><div>words</dl>",
    ],
)
def test_shallow_pages_are_never_too_deep(part: str) -> None:
    assert cut_position((part * 4000).encode()) is None


@pytest.mark.parametrize("before", ["", "<p>text</p>" * 500, "<script>1 < 2</script>"])
@pytest.mark.parametrize("after", ["", ">", "><p>text" * 500])
@pytest.mark.parametrize("attribute", [" a", " a=b", ' a=">"'])
def test_a_tag_with_too_many_attributes_is_cut_off(before: str, after: str, attribute: str) -> None:
    names = "".join(attribute.replace("a", f"n{number}") for number in range(3000))
    page = f"{before}<div{names}{after}".encode()
    assert cut_position(page) == len(before)
    for comment in (
        f"<script>{before.replace('script', 's')}x<div{names};</script>",
        f"<!--{names}-->",
    ):
        assert cut_position(comment.encode()) is None


@pytest.mark.parametrize("seed", range(40))
def test_depth_is_reckoned_about_as_the_parser_has_it(seed: int) -> None:
    """Never much too high, which would cut off sound pages; Lexbor's own tree is the judge."""
    chance = random.Random(seed)
    names = chance.sample(TAGS, 5)
    ends = chance.random() * 0.7
    tags = [f"<{'/' * (chance.random() < ends)}{chance.choice(names)}>" for _ in range(300)]
    page = "".join(tags).encode()
    elements, reckoned = OpenElements(), 0
    for tag in re.finditer(rb"<(/?)(\w+)", page):
        if tag[1]:
            elements.end(tag[2])
        else:
            elements.start(tag[2], tag[0])
        reckoned = max(reckoned, elements.depth)
    assert reckoned <= 2.5 * _depth(page) + 5


@pytest.mark.parametrize(
    "before",
    [
        "<!-->",
        "<!--->",
        "<!--x--!>",
        '<p ">',
        "<p title=a'b>",
        '<p ="x>',
        "<p title='>'class=\">\">",
        "<title-of-a-page>",
        "<title>a</titles></title>",
        "<script>'<!--'</script>",
    ],
)
def test_nothing_hides_depth(before: str) -> None:
    """What looks like a comment, a value or a text that goes on; Lexbor's tree is the judge."""
    page = (before + "<div>" * 20_000).encode()
    assert _depth(page[:5000]) > 500
    assert cut_position(page) is not None


@pytest.mark.parametrize(
    "around",
    ["<!--%s-->", "<!-- --%s-->", '<p title="%s">', "<p title = '%s'>", "<title>%s</title>"],
)
def test_what_is_no_markup_adds_no_depth(around: str) -> None:
    page = (around % ("<div>" * 20_000)).encode()
    assert _depth((around % ("<div>" * 2000)).encode()) < 10
    assert cut_position(page) is None


def _depth(page: bytes) -> int:
    deepest, level = 0, [LexborHTMLParser(page).root]
    while level:
        deepest += 1
        level = [child for node in level if node for child in node.iter()]
    return deepest


def test_no_real_page_is_cut_off(shared: Path) -> None:
    pages = 0
    with (shared / "warc" / "recipe-pages-recrawl.warc.gz").open("rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type == "response":
                assert cut_position(record.content_stream().read()) is None
                pages += 1
    assert pages == 919


def test_a_million_links_are_cut_off_and_counted() -> None:
    problems: Counter[str] = Counter()
    page = read_page(b"<a href=/p>word</a> " * (MAX_LINKS + 7), problems)
    assert len(page.links) == MAX_LINKS
    assert page.truncated
    assert problems == {"links_truncated": 1}


def test_long_titles_are_cut_off_and_counted() -> None:
    problems: Counter[str] = Counter()
    page = read_page(b"<title>" + b"t" * 5000, problems)
    assert page.title == "t" * MAX_TITLE
    assert not page.truncated  # all that counts of the page is there
    assert problems == {"text_truncated": 1}


def test_time_grows_with_the_number_of_links_only() -> None:
    def seconds(count: int) -> float:
        text = b"<p><a href=/p>word <b>here</b></a><img src=i></p>" * count
        begin = time.process_time()
        assert len(read_page(text, Counter()).links) == count
        return time.process_time() - begin

    seconds(1000)
    assert seconds(40_000) < 40 * max(min(seconds(4000) for _ in range(3)), 0.01)


PARTS = (
    b"<a href=", b">", b"</a>", b"<img src=", b"<svg>", b"<table>", b"<template>", b'"', b"</",
    b"<script>", b"<!--", b"<title>", b"<base href=", b"<meta name=robots content=", b"<select>",
)  # fmt: skip


@settings(max_examples=300)
@given(st.binary(max_size=500), st.lists(st.sampled_from(PARTS), max_size=30))
def test_no_bytes_raise(noise: bytes, parts: list[bytes]) -> None:
    text = b"x".join(parts) + noise + b" ".join(parts)
    read_page(text.decode("utf-8", "replace").encode(), Counter())
