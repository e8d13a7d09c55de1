"""What an answer leads to: the links of a page, the target of a redirect, the URLs of a sitemap.

The extractor reads pages, so that what is followed is what is indexed. What a page or a link says
is not to be followed (``nofollow``) is not; nor are the links of error pages.
"""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import lxml.etree
from scrapy.utils.sitemap import Sitemap

from inlink.crawl.fetch import Fetched
from inlink.extract.captures import Capture
from inlink.extract.http import Response, decoded_body
from inlink.extract.limits import MAX_BODY_BYTES
from inlink.extract.observe import Observer
from inlink.extract.problems import Problems
from inlink.extract.urlbook import UrlBook
from inlink.store.settings import Settings

MAX_SITEMAP_URLS = 50_000
"""What one sitemap may have by its protocol (https://www.sitemaps.org/protocol.html)."""


class Found(NamedTuple):
    """A URL that an answer leads to."""

    url: str
    is_redirect: bool


def links_of(fetched: Fetched, settings: Settings) -> list[Found]:
    """What to follow from *fetched*, each URL once, in the order of the page."""
    book = UrlBook(settings.drop_parameters)
    problems = Problems()
    capture = Capture(
        kind="response",
        uri=fetched.url,
        time=0,
        offset=0,
        status=fetched.status,
        fields=fetched.fields,
        body=fetched.body,
    )
    observation = Observer("", settings.robot_name, book, problems).observe(capture)
    if observation is None:
        return []
    urls = {row.url_id: row.url for row in book.new}
    found = (
        Found(urls[link.target_id], link.element == "location")
        for link in observation.links
        if link.element == "location" or (fetched.status == 200 and not link.nofollow)
    )
    return list(dict.fromkeys(found))


class SitemapUrl(NamedTuple):
    """A URL in a sitemap, and whether it is another sitemap."""

    url: str
    is_sitemap: bool


def sitemap_urls(fetched: Fetched) -> Iterator[SitemapUrl]:
    """What a sitemap names, as far as it can be read; it may be gzip, and may be plain text."""
    body, _ = decoded_body(Response(fetched.status, fetched.fields, fetched.body), Problems())
    if body[:2] == b"\x1f\x8b":
        body = _gunzipped(body)
    if body.lstrip()[:1] != b"<":
        lines = body.decode("utf-8", "replace").splitlines()
        yield from (SitemapUrl(line.strip(), False) for line in lines[:MAX_SITEMAP_URLS])
        return
    try:
        sitemap = Sitemap(body)
        for count, entry in enumerate(sitemap):
            if count >= MAX_SITEMAP_URLS:
                break
            yield SitemapUrl(entry["loc"], sitemap.type == "sitemapindex")
    except (lxml.etree.XMLSyntaxError, StopIteration):
        return


def _gunzipped(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(data, MAX_BODY_BYTES)
    except zlib.error:
        return b""
