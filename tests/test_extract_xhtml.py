"""XHTML: the tree is that of the XML, and absurd pages are within bounds."""

import time
from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborNode

from inlink.extract.content import read_content
from inlink.extract.depth import MAX_DEPTH
from inlink.extract.html import Page, parsed_xml
from inlink.extract.xhtml import xml_tree
from inlink.web.media_types import XHTML, MediaType

ROOT = '<html xmlns="http://www.w3.org/1999/xhtml">'
NAMES = ["a", "b", "div", "p", "table", "td", "select", "title", "script", "textarea", "br", "form"]


def read(text: str) -> Page | None:
    found = parsed_xml(text.encode(), Counter())
    return found and found[0]


def elements() -> st.SearchStrategy[str]:
    """Elements within elements, as no page of HTML could have them."""
    texts = st.sampled_from(["x", " ", "&amp;", "&#233;", "<![CDATA[<a>]]>", "<!-- -->", "<?p?>"])
    return st.recursive(
        texts,
        lambda inner: st.builds(
            "<{0} href='{2}'>{1}</{0}>".format,
            st.sampled_from(NAMES),
            st.lists(inner, max_size=4).map("".join),
            st.sampled_from(["/x", "a&amp;b", ""]),
        ),
        max_leaves=15,
    )


def by_etree(element: ElementTree.Element) -> list[object]:
    inner: list[object] = [element.text or ""]
    for child in element:
        inner += [by_etree(child), child.tail or ""]
    return [element.tag.rpartition("}")[2], element.get("href"), *inner]


def by_lexbor(node: LexborNode) -> list[object]:
    inner: list[object] = [""]
    for child in node.iter(include_text=True):
        if child.is_element_node:
            inner += [by_lexbor(child), ""]
        else:
            inner[-1] = str(inner[-1]) + (child.text_content or "")
    return [node.tag, node.attributes.get("href"), *inner]


@settings(max_examples=200)
@given(st.lists(elements(), max_size=4).map("".join))
def test_the_tree_is_that_of_another_reader(inner: str) -> None:
    text = f"{ROOT}{inner}</html>"
    found = xml_tree(text.encode())
    assert found is not None
    tree, is_whole = found
    assert is_whole
    assert by_lexbor(tree.css("html")[1]) == by_etree(ElementTree.fromstring(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        f"{ROOT}<p></html>",
        f"{ROOT}</html><p/>",
        f"{ROOT}<p x='1' x='2'/></html>",
        f"{ROOT}<p x=1/></html>",
        f"{ROOT}<p>&bogus;</p></html>",
        f"{ROOT}<p>&nbsp;</p></html>",
        f"{ROOT}a & b</html>",
        f"{ROOT}<x:p/></html>",
        f"{ROOT}<!-- -- --></html>",
        f"{ROOT}]]></html>",
        f"{ROOT}\0</html>",
        f"<!DOCTYPE html [<!ENTITY a '&a;'>]>{ROOT}&a;</html>",
    ],
)
def test_what_is_not_well_formed(text: str) -> None:
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(text)
    assert read(text) is None


def entities(count: int, each: int) -> str:
    """Entities within entities, `each` times, as often."""
    inner = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * each}'>" for n in range(1, count))
    return f"<!DOCTYPE html [<!ENTITY e0 'laugh'>{inner}]>{ROOT}<p>&e{count - 1};</p></html>"


def absurd(size: int) -> dict[str, str]:
    many = "<b/>" * size
    spaces = " ".join(f'xmlns:n{number}="{number}"' for number in range(size // 20))
    return {
        "laughs": entities(12, 10),
        "nested": entities(1000, 1),
        "large": f"<!DOCTYPE html [<!ENTITY a '{'x' * size}'>]>{ROOT}{'&a;' * size}</html>",
        "in attributes": f"<!DOCTYPE html [<!ENTITY a '{'x' * size}'>]>{ROOT}"
                         f"<p id='{'&a;' * size}'/></html>",
        "defaults": f"<!DOCTYPE html [<!ATTLIST b id CDATA '{'x' * 50_000}' xmlns CDATA 'n'>]>"
                    f"{ROOT}{many}</html>",
        "long namespace": f'<html xmlns="{"x" * 4 * size}">{many}</html>',
        "namespace by entity": f"<!DOCTYPE html [<!ENTITY a '{'x' * size}'>]>"
                               f'<html xmlns="&a;">{many}</html>',
        "namespaces": f"<html {spaces}>{many}</html>",
        "deep": ROOT + "<b>" * size,
        "wide": f"{ROOT}{many}</html>",
        "comment": f"{ROOT}<!--{' ' * 6 * size}--></html>",
        "comments": f"{ROOT}{'<!--' * size}",
        "CDATA": f"{ROOT}{'<![CDATA[' * size}",
        "references": f"{ROOT}{'&#65;' * size}</html>",
        "attributes": ROOT + "<b " + " ".join(f'a{n}=""' for n in range(size // 10)) + "/></html>",
    }  # fmt: skip


@pytest.mark.parametrize("name", absurd(1))
def test_absurd_pages_take_bounded_time(name: str) -> None:
    page = absurd(250_000)[name].encode()
    begin = time.process_time()
    read_content(page, MediaType(XHTML), Counter())
    assert time.process_time() - begin < 10  # unbounded, some take hours, or all memory


def test_nothing_is_read_but_the_page() -> None:
    """An entity of a file, and a document type of one, are as if they were empty."""
    for declared in (
        '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE html SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE html [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>',
    ):
        page = read(f"{declared}{ROOT}<a href='x'>&a;</a></html>")
        assert page is not None
        assert [link.anchor for link in page.links] == [""]


def test_depth_is_cut_off_and_counted() -> None:
    problems: Counter[str] = Counter()
    text = f"{ROOT}<a href='1'/>{'<b>' * MAX_DEPTH}<a href='2'/>"
    found = parsed_xml(text.encode(), problems)
    assert found is not None
    page, nodes = found
    assert [link.href for link in page.links] == ["1"]
    assert len(nodes) == 1
    assert page.truncated
    assert problems == {"page_too_deep": 1}
