"""Where a link stands in its page, against the trees and texts of another parser (turbohtml).

`Reader` writes the whole text of a page down once, from its beginning to its end, and notes where
each link begins and ends in it; the part of the page is read off the list of elements around.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import turbohtml
from warcio.archiveiterator import ArchiveIterator

from inlink.contract.proof import Occurrence
from inlink.evidence.finding import find_link
from inlink.evidence.surroundings import Surroundings, surroundings
from inlink.extract.captures import Capture
from inlink.extract.html import parsed_page
from inlink.store.configuration import Settings
from tests.reading import encoding, http

# The words of docs/api.md ("The proof of a link").
PARTS = {
    "nav": "navigation",
    "navigation": "navigation",
    "menu": "navigation",
    "menubar": "navigation",
    "aside": "aside",
    "complementary": "aside",
    "banner": "header",
    "contentinfo": "footer",
    "main": "content",
    "article": "content",
}
ROLES = set(PARTS) - {"nav", "aside"}
OF_PAGE = ("header", "footer")
SECTIONS = {"article", "aside", "main", "nav", "section"}
SECTION_ROLES = {"article", "complementary", "main", "navigation"}
IN_LINE = "a abbr b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q s samp"
IN_LINE += " small span strike strong sub sup time tt u var wbr"
UNSEEN = "head iframe noembed noframes object option script select style svg template textarea"
UNSEEN += " title video audio canvas"


@dataclass
class Reader:
    """The text of a page, and where the links are in it."""

    pieces: list[str] = field(default_factory=list)
    links: list[tuple[list[turbohtml.Element], int, int]] = field(default_factory=list)
    """The elements around each, innermost first; where it begins and ends."""

    def read(self, node: turbohtml.Element, around: list[turbohtml.Element], seen: bool) -> None:
        html = node.namespace is turbohtml.Namespace.HTML
        name = node.tag if html or node.tag == "svg" else f"other {node.tag}"
        place = None
        if html and node.tag in ("a", "area") and "href" in node.attrs:
            place = len(self.links)
            self.links.append((around, len(self.pieces), 0))
        seen = seen and name not in UNSEEN.split()
        space = "" if node.tag in IN_LINE.split() or name in ("body", "html") else " "
        self.pieces.append(space if seen else "")
        if name != "template":
            for child in node.children:
                if isinstance(child, turbohtml.Element):
                    self.read(child, [node, *around], seen)
                elif isinstance(child, turbohtml.Text) and seen:
                    self.pieces.append(child.text)
        self.pieces.append(space if seen else "")
        if place is not None:
            self.links[place] = (around, self.links[place][1], len(self.pieces))

    def surroundings(self) -> list[Surroundings]:
        return [
            Surroundings(
                part(around),  # type: ignore[arg-type]
                fold("".join(self.pieces[max(0, begin - 1500) : begin]))[-200:].strip(),
                fold("".join(self.pieces[end : end + 1500]))[:200].strip(),
            )
            for around, begin, end in self.links
        ]


def fold(text: str) -> str:
    return " ".join(text.split())


def roles(node: turbohtml.Element) -> list[str]:
    given = node.attrs.get("role") or ""
    return (" ".join(given) if isinstance(given, list) else given).lower().split()


def part(around: list[turbohtml.Element]) -> str:
    for place, node in enumerate(around):
        told = [role for role in roles(node) if role in ROLES]
        if told:
            return PARTS[told[0]]
        if node.tag in ("nav", "aside", "main", "article"):
            return PARTS[node.tag]
        above = around[place + 1 :]
        if node.tag in OF_PAGE and not any(is_section(one) for one in above):
            return node.tag
    return "content"


def is_section(node: turbohtml.Element) -> bool:
    told = [role for role in roles(node) if role in ROLES]
    return node.tag in SECTIONS or (bool(told) and told[0] in SECTION_ROLES)


def expected(text: str) -> list[Surroundings]:
    reader = Reader()
    document = turbohtml.parse(text, allow_declarative_shadow_roots=False)
    for child in document.children:
        if isinstance(child, turbohtml.Element):
            reader.read(child, [], seen=True)
    return reader.surroundings()


def found(text: str) -> list[Surroundings]:
    _, nodes = parsed_page(text.encode(), Counter())
    return [surroundings(node) for node in nodes]


def pages(path: Path, every: int) -> list[str]:
    """The text of every so manieth page of a crawl file."""
    texts = []
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream):
            if record.rec_type != "response" or not record.http_headers:
                continue
            kind = record.http_headers.get_header("Content-Type") or ""
            body = record.content_stream().read()
            if kind.startswith("text/html") and body:
                texts.append(encoding.decode(body, http.media_type([kind])[1])[0])
    return texts[::every]


@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("recipe-pages-recrawl.warc.gz", 90),
        ("aut-example.warc.gz", 19),
        ("dolma-sample-0001.warc.gz", 1),
        ("resiliparse-warcfile.warc.gz", 2),
    ],
)
def test_links_of_real_pages_stand_where_another_parser_sees_them(
    shared: Path, name: str, every: int
) -> None:
    parts: Counter[str] = Counter()
    for text in pages(shared / "warc" / name, every):
        links = found(text)
        assert links == expected(text)
        parts.update(link.part for link in links)
    assert parts.total() > 200
    if name.startswith("recipe"):  # of the years in which pages have such elements
        assert set(parts) == {"content", "navigation", "header", "footer", "aside"}


@pytest.mark.parametrize(
    ("page", "part"),
    [
        ("<p><a href=/>x</a>", "content"),
        ("<div class=footer><a href=/>x</a></div>", "content"),
        ("<nav><ul><li><a href=/>x</a></ul></nav>", "navigation"),
        ("<div role='x MENU'><a href=/>x</a></div>", "navigation"),
        ("<header><p><a href=/>x</a></header>", "header"),
        ("<header><nav><a href=/>x</a></nav></header>", "navigation"),
        ("<nav><header><a href=/>x</a></header></nav>", "navigation"),
        ("<article><header><a href=/>x</a></header></article>", "content"),
        ("<section><footer><a href=/>x</a></footer></section>", "content"),
        ("<div role=article><footer><a href=/>x</a></footer></div>", "content"),
        ("<footer><section><a href=/>x</a></section></footer>", "footer"),
        ("<footer role=complementary><a href=/>x</a></footer>", "aside"),
        ("<section><div role=contentinfo><a href=/>x</a></div></section>", "footer"),
        ("<main><aside><a href=/>x</a></aside></main>", "aside"),
        ("<aside><article><a href=/>x</a></article></aside>", "content"),
        ("<footer><map name=m><area href=/></map></footer>", "footer"),
    ],
)
def test_the_innermost_part_that_tells_decides(page: str, part: str) -> None:
    assert [link.part for link in found(page)] == [part]


def test_the_text_is_what_a_reader_sees_with_spaces_where_lines_break() -> None:
    page = (
        "<title>not this</title><h1>One</h1>two <b>thr</b>ee<script>no</script><p>fo\n ur "
        "<a href=/>here <i>it</i> is</a>, five<br>six<select><option>no</select><li>seven"
    )
    assert found(page) == [Surroundings("content", "One two three fo ur", ", five six seven")]


def test_no_more_than_200_characters_are_told_and_none_is_read_twice() -> None:
    words = " ".join(f"word{n}" for n in range(200_000))
    (link,) = found(f"<p>{words}<a href=/>x</a>{words}")
    assert link.before == words[-200:].strip()
    assert link.after == words[:200].strip()


PAGE = "http://a.example/"
TARGET = "http://t.example/x"


def occurrences(page: str, *fields: tuple[str, str]) -> list[Occurrence]:
    """What a page says of a link to `TARGET`."""
    said = fields or (("content-type", "text/html"),)
    capture = Capture(kind="response", uri=PAGE, time=0, offset=0, status=200,
                      fields=said, body=page.encode())  # fmt: skip
    finding = find_link(capture, PAGE, TARGET, Settings())
    assert finding is not None
    assert finding.counts
    return finding.occurrences


def test_a_refresh_stands_in_the_head() -> None:
    meta = f"<p>x<meta http-equiv=refresh content='0;url={TARGET}'>"
    for found in (
        occurrences(meta),
        occurrences("x", ("content-type", "text/html"), ("refresh", f"0;url={TARGET}")),
    ):
        ((element, place, before, after),) = [
            (one.element, one.place, one.before, one.after) for one in found
        ]
        assert (element, place, before, after) == ("refresh", "head", "", "")


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (f"<nav>one<svg><a xlink:href={TARGET}>l</a></svg>two</nav>", "text/html"),
        (f"<nav>one<div><template shadowrootmode=open><a href={TARGET}>l</a></template></div>two",
         "text/html"),
        (f'<html xmlns="http://www.w3.org/1999/xhtml"><head><script/></head><body><nav>one'
         f'<a href="{TARGET}">l</a><script/>two</nav></body></html>', "application/xhtml+xml"),
    ],
)  # fmt: skip
def test_links_of_every_kind_have_their_surroundings(page: str, kind: str) -> None:
    (found,) = occurrences(page, ("content-type", kind))
    assert (found.anchor, found.place) == ("l", "navigation")
    assert (found.before, found.after) == ("one", "two")
