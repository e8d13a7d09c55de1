"""The URLs of a page: whatever is remembered or seen at a glance is as the parser would have it."""

import ada_url
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inlink.extract.urlbook import UrlBook

BASES = ["https://u@page.example:8443/dir/page?q=1", "http://page.example/", "http://127.0.0.1/a/b"]
TEXTS = st.lists(
    st.sampled_from([*"/\\#?.:@&= \t\n\r\0aé", "..", "//", "http:", "https://", "HTTP://",
                     "b.example", "b.example/", "%2e", "#top", "/x", "xn--a.b", "[", "80"]),
    max_size=7,
).map("".join)  # fmt: skip


def _joined(base: str, text: str) -> str | None:
    try:
        url = ada_url.join_url(base, text).partition("#")[0]
    except ValueError:
        return None
    url = url.replace("%2e", ".")  # RFC 3986, 6.2.2.2
    return url if url.startswith(("http://", "https://")) else None


@settings(max_examples=1500)
@given(st.sampled_from(BASES), st.lists(TEXTS, max_size=5))
def test_links_are_resolved_as_the_parser_does(base: str, texts: list[str]) -> None:
    book = UrlBook(())
    for page in (base, BASES[0], BASES[1]):  # one book for all, as for the pages of a file
        resolver = book.resolver(page, "utf-8", base_depends_on_page=True)
        for text in texts * 2:
            row = resolver[text]
            assert (row.url if row else None) == _joined(page, text)
    named = {url for page in (base, *BASES[:2]) for text in texts if (url := _joined(page, text))}
    assert sorted(row.url for row in book.new) == sorted(named)


@pytest.mark.parametrize("text", ["#", "#x", "", "?q=1&utm_x=2#y"])
def test_the_page_itself_loses_the_parameters_to_drop(text: str) -> None:
    book = UrlBook(("utm_*",))
    row = book.resolver("http://a.example/?q=1&utm_a=1", "utf-8", base_depends_on_page=True)[text]
    assert row is not None
    assert row.url == "http://a.example/?q=1"
