"""The URLs of one crawl file: each is resolved, described and recorded once.

A page names the same URLs again and again, and so do the pages of a site, so results are
remembered, up to a limit.
"""

from collections.abc import Sequence

from inlink.urls.canonical import canonical_url, path_start
from inlink.urls.describe import UrlRow, describe
from inlink.web.charsets import UTF, encode_query

_REMEMBERED = 1 << 18
_ABSOLUTE = ("http://", "https://")
_HOST_MAY_FOLLOW = ("//", "/\\", "/\t", "/\n", "/\r")
"""Beginnings that may name a host instead of a path; the parser ignores tabs and line ends."""

_AROUND = "".join(map(chr, range(0x21)))
_WITHIN = str.maketrans("", "", "\t\n\r")
"""What the parser ignores at both ends of a URL, and anywhere in it."""


class UrlBook:
    """Rows of the table ``urls``; `new` has those that were not recorded before."""

    def __init__(self, drop_parameters: Sequence[str]) -> None:
        self.new: list[UrlRow] = []
        self._drop_parameters = drop_parameters
        self._seen: set[int] = set()
        self._known: dict[str, UrlRow | None] = {}  # by canonical URL, and by other absolute ones

    def row(self, text: str, base: str | None = None) -> UrlRow | None:
        """The row of the URL *text*, relative to *base*; None if it is not one to keep."""
        if base is None and text in self._known:
            return self._known[text]
        url = canonical_url(text, base, self._drop_parameters)
        row = None if url is None else self._known.get(url) or self._recorded_row(url)
        if base is None and text != url:
            self._know(text, row)
        return row

    def _recorded_row(self, url: str) -> UrlRow:
        row = describe(url)
        self._know(url, row)
        if row.url_id not in self._seen:
            self._seen.add(row.url_id)
            self.new.append(row)
        return row

    def _know(self, url: str, row: UrlRow | None) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[url] = row

    def resolver(self, base: str, encoding: str, *, base_depends_on_page: bool) -> "Resolver":
        """A resolver of the URLs of a page in *encoding*, relative to *base*.

        *base_depends_on_page*: *base* is the page's own URL, or was resolved against it.
        """
        return Resolver(self, base, encoding, base_depends_on_page)


def is_absolute(text: str) -> bool:
    """Whether *text* is obviously the same URL on every page; other absolute URLs give False."""
    return text.startswith(_ABSOLUTE)


class Resolver(dict[str, UrlRow | None]):
    """The URLs as one page writes them, and the row of each; None for those not to keep.

    A row is looked up when it is first needed.
    """

    def __init__(self, book: UrlBook, base: str, encoding: str, base_depends_on_page: bool) -> None:
        super().__init__()
        self._book = book
        self._images: dict[str, str | None] = {}
        self._base = base
        self._origin = base[: path_start(base)] if is_absolute(base) else None
        self._encoding = encoding
        self._base_depends_on_page = base_depends_on_page

    def __missing__(self, text: str) -> UrlRow | None:
        self[text] = row = self._row(text)
        return row

    def _row(self, text: str) -> UrlRow | None:
        if text.startswith("#"):
            return self[""]
        if self._encoding != "utf-8" and not text.isascii():
            return self._book.row(self.as_sent(text), self._base)
        if text.startswith(_ABSOLUTE):
            return self._book.row(text)
        if self._origin and text.startswith("/") and not text.startswith(_HOST_MAY_FOLLOW):
            return self._book.row(self._origin + text)
        return self._book.row(text, self._base)

    def reference(self, text: str) -> str | None:
        """*text* as a browser reads it, if the page's own URL decides what it resolves to."""
        if not self._base_depends_on_page or text.startswith(_ABSOLUTE):
            return None
        return self.as_sent(text)

    def address(self, text: str) -> str | None:
        """The URL of an image; it is not a page, and is not recorded."""
        if text[:5].lower() == "data:":
            return None
        if text not in self._images:
            self._images[text] = canonical_url(self.as_sent(text), self._base)
        return self._images[text]

    def as_sent(self, text: str) -> str:
        """*text* with its query in the encoding of the page.

        https://url.spec.whatwg.org/#query-state: a browser sends it like this, not in UTF-8.
        """
        if self._encoding in UTF or text.isascii():
            return text
        address, number_sign, fragment = text.strip(_AROUND).translate(_WITHIN).partition("#")
        path, mark, query = address.partition("?")
        if query.isascii():
            return text
        return f"{path}{mark}{encode_query(query, self._encoding)}{number_sign}{fragment}"
