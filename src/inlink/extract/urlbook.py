"""The URLs of one crawl file: each is resolved, described and noted once.

A page names the same URLs again and again, and the pages of a site name the same ones, so what was
found out is remembered, up to a limit.
"""

from collections.abc import Sequence
from urllib.parse import quote_from_bytes

from inlink.urls.canonical import canonical_url
from inlink.urls.describe import UrlRow, describe

_REMEMBERED = 1 << 18
_ABSOLUTE = ("http://", "https://")


class UrlBook:
    """Rows of the table ``urls``; `new` has those that were not there before."""

    def __init__(self, drop_parameters: Sequence[str]) -> None:
        self.new: list[UrlRow] = []
        self._drop_parameters = drop_parameters
        self._noted: set[int] = set()
        self._rows: dict[str, UrlRow] = {}
        self._resolved: dict[str, UrlRow | None] = {}

    def row(self, text: str, base: str | None = None) -> UrlRow | None:
        """The row of the URL that *text* is, relative to *base*; None if that is none to keep."""
        url = canonical_url(text, base, self._drop_parameters)
        return None if url is None else self._row(url)

    def _row(self, url: str) -> UrlRow:
        row = self._rows.get(url)
        if row is None:
            if len(self._rows) >= _REMEMBERED:
                self._rows.clear()
            row = self._rows[url] = describe(url)
            if row.url_id not in self._noted:
                self._noted.add(row.url_id)
                self.new.append(row)
        return row

    def resolver(self, base: str, encoding: str) -> "Resolver":
        """Resolves what a page in *encoding* has for URLs, relative to *base*."""
        return Resolver(self, self._resolved, base, encoding)


class Resolver:
    """Resolves the URLs of one page."""

    def __init__(
        self, book: UrlBook, resolved: dict[str, UrlRow | None], base: str, encoding: str
    ) -> None:
        self._book = book
        self._everywhere = resolved
        self._here: dict[str, UrlRow | None] = {}
        self._images: dict[str, str | None] = {}
        self._base = base
        self._origin = base[: base.index("/", 8)]
        self._encoding = encoding

    def row(self, text: str) -> UrlRow | None:
        """The row of the URL that *text* is; None if that is none to keep."""
        # These depend on nothing of the base, or on what stands before its path.
        if text.startswith(_ABSOLUTE):
            known, key = self._everywhere, text
        elif text[:1] == "/":
            known, key = self._everywhere, f"{self._origin}\n{text}"
        else:
            known, key = self._here, text
        if self._encoding != "utf-8" and not text.isascii():
            known = self._here
        if key in known:
            return known[key]
        if len(known) >= _REMEMBERED:
            known.clear()
        row = known[key] = self._book.row(self.as_sent(text), self._base)
        return row

    def address(self, text: str) -> str | None:
        """The URL of an image; it is no page, and is not noted."""
        if text[:5].lower() == "data:":
            return None
        if text not in self._images:
            self._images[text] = canonical_url(self.as_sent(text), self._base)
        return self._images[text]

    def as_sent(self, text: str) -> str:
        """*text* with its query in the encoding of the page.

        https://url.spec.whatwg.org/#query-state: a browser sends it so, not in UTF-8.
        """
        if self._encoding in ("utf-8", "utf-16le", "utf-16be", "replacement") or text.isascii():
            return text
        address, number_sign, fragment = text.partition("#")
        path, mark, query = address.partition("?")
        if not mark or query.isascii():
            return text
        sent = "".join(c if c.isascii() else self._percent_encoded(c) for c in query)
        return f"{path}?{sent}{number_sign}{fragment}"

    def _percent_encoded(self, character: str) -> str:
        try:
            return quote_from_bytes(character.encode(_CODECS.get(self._encoding, self._encoding)))
        except (UnicodeEncodeError, LookupError):
            return f"%26%23{ord(character)}%3B"


_CODECS = {"gbk": "gb18030", "shift_jis": "cp932", "euc-kr": "cp949", "big5": "big5hkscs"}
