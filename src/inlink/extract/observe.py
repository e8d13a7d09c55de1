"""What a visit saw: rows of the tables ``visits`` and ``links`` (``docs/data-model.md``).

In: captures. Out: observations; the URLs that they name go into the `UrlBook`.
"""

from typing import NamedTuple

import msgspec
import xxhash

from inlink.contract.outcomes import Element, Outcome, outcome_of_page
from inlink.extract.captures import Capture
from inlink.extract.content import read_content
from inlink.extract.html import Page
from inlink.extract.refresh import MAX_REFRESH_SECONDS, refresh_of
from inlink.extract.robots import Directives, directives_for, is_robots_name, normalised
from inlink.extract.urlbook import Resolver, UrlBook, is_absolute
from inlink.urls.canonical import canonical_url, parsed_url
from inlink.urls.describe import UrlRow
from inlink.web.http import Response, decoded_body, field, has_unknown_coding
from inlink.web.link_field import canonical_link
from inlink.web.media_types import HTML_TYPES, media_type
from inlink.web.problems import Problems

REDIRECTS = frozenset((301, 302, 303, 307, 308))
POLICY = frozenset(("robots", "robots.txt", "robotstxt", "robots_txt", "blocked", "excluded"))
"""Causes of a failed fetch that mean that policy forbade it."""

MAX_VALIDATOR = 1024
"""Maximum length of an ``ETag`` or ``Last-Modified``; longer ones are left out."""

MAX_CONTENT_TYPE = 128
"""Maximum number of characters that are kept of a media type."""


class VisitRow(NamedTuple):
    """A row of the table ``visits``; the fields are its columns, in their order."""

    visit_id: int
    url_id: int
    domain_id: int
    visited_at: int
    outcome: Outcome
    status: int | None
    failure: str | None
    ip: str | None
    content_type: str | None
    title: str
    robots: str
    canonical_url: str | None
    base_url: str | None
    base_reference: str | None
    redirect_url: str | None
    original_url: str | None
    payload_digest: str | None
    etag: str | None
    last_modified: str | None
    refers_to_id: int | None
    unavailable_after: int | None
    complete: bool
    file: str
    offset: int


class LinkRow(NamedTuple):
    """A row of the table ``links`` without its first column, the visit."""

    position: int
    element: Element
    target_id: int
    target_domain_id: int
    anchor: str
    rel: str
    nofollow: bool
    image: bool
    image_source: str | None
    alt: str | None
    reference: str | None
    image_reference: str | None


class Observation(NamedTuple):
    """What one visit saw."""

    visit: VisitRow
    links: list[LinkRow]


class _Content(NamedTuple):
    """What a page says, with its URLs resolved."""

    is_html: bool
    content_type: str | None
    title: str
    robots: str
    directives: Directives
    canonical: UrlRow | None
    base_url: str | None
    base_reference: str | None
    canonical_reference: str | None
    refresh: UrlRow | None
    refresh_reference: str | None
    links: list[LinkRow]
    complete: bool


class Observer:
    """Observes the visits of one crawl file, called *file*."""

    def __init__(self, file: str, robot_name: str, book: UrlBook, problems: Problems) -> None:
        self._file = file
        self._robot_name = robot_name.lower()
        self._book = book
        self._problems = problems

    def observe(self, capture: Capture) -> Observation | None:
        """What the visit saw; None if the URL that it names is not valid."""
        page = self._book.row(capture.uri)
        address = canonical_url(capture.uri)
        if page is None or address is None:
            return None
        content = self._content(capture, page, address)
        redirect = content.refresh or self._redirect(capture, address)
        outcome = outcome_of(capture, page, content, redirect)
        links = _links(content, redirect)
        refers_to = None
        if outcome == "unchanged":
            refers_to = (capture.refers_to and self._book.row(capture.refers_to)) or page
        visit = VisitRow(
            visit_id=0,
            url_id=page.url_id,
            domain_id=page.domain_id,
            visited_at=capture.time,
            outcome=outcome,
            status=capture.status,
            failure=capture.failure,
            ip=capture.ip,
            content_type=content.content_type,
            title=content.title,
            robots=content.robots,
            canonical_url=content.canonical.url if content.canonical else None,
            base_url=content.base_url,
            base_reference=content.base_reference,
            redirect_url=redirect.url if redirect else None,
            original_url=capture.uri if capture.uri != page.url else None,
            payload_digest=capture.digest,
            etag=_validator(capture, "etag"),
            last_modified=_validator(capture, "last-modified"),
            refers_to_id=refers_to.url_id if refers_to else None,
            unavailable_after=content.directives.unavailable_after,
            complete=content.complete and not (capture.truncated or _is_partial(capture.status)),
            file=self._file,
            offset=capture.offset,
        )
        return Observation(visit._replace(visit_id=visit_id(visit, links)), links)

    def _content(self, capture: Capture, page: UrlRow, address: str) -> _Content:
        body, is_whole = b"", True
        if capture.kind == "response" and capture.page is None:
            response = Response(capture.status or 0, capture.fields, capture.body)
            body, is_whole = decoded_body(response, self._problems)
        named_type = media_type(capture.fields, body)
        content_type = named_type.essence[:MAX_CONTENT_TYPE] if named_type else None
        is_html = content_type in HTML_TYPES and not has_unknown_coding(capture.fields)
        found = read_content(body, named_type, self._problems)
        read = (capture.page or found.page) if is_html else Page()
        tags = [value for name, value in capture.fields if name == "x-robots-tag"]
        metas = (meta for meta in read.robots if is_robots_name(meta[0].lower(), self._robot_name))
        robots = normalised(metas, tags)
        directives = directives_for(robots, self._robot_name)
        named_base = base_of(read, address)
        base = named_base or address
        depends = named_base is None or not is_absolute(read.base or "")
        resolver = self._book.resolver(base, found.encoding, base_depends_on_page=depends)
        canonical, canonical_reference = self._canonical(capture, read, resolver, address)
        refresh, refresh_reference = None, None
        if capture.kind == "response" and capture.status == 200 and is_html:
            refresh, refresh_reference = self._refresh(capture, read, resolver, address)
        return _Content(
            is_html=is_html,
            content_type=content_type,
            title=read.title,
            robots=robots,
            directives=directives,
            canonical=canonical,
            base_url=base if base != address else None,
            base_reference=read.base if named_base and depends else None,
            canonical_reference=canonical_reference,
            refresh=refresh if refresh != page else None,
            refresh_reference=refresh_reference,
            links=_element_links(read, resolver, directives.nofollow),
            complete=is_whole and not read.truncated,
        )

    def _canonical(
        self, capture: Capture, read: Page, resolver: Resolver, address: str
    ) -> tuple[UrlRow | None, str | None]:
        """The canonical, and its reference (column of ``links``)."""
        if read.canonical and (found := resolver[read.canonical]):
            return found, resolver.reference(read.canonical)
        header = canonical_link(value for name, value in capture.fields if name == "link")
        return self._of_header(header, read, address) if header else (None, None)

    def _of_header(self, text: str, read: Page, address: str) -> tuple[UrlRow | None, str | None]:
        """The URL in a header field, and its reference.

        It is relative to the page, whatever base the page names for its elements.
        """
        reference = None if read.base or is_absolute(text) else text
        return self._book.row(text, address), reference

    def _refresh(
        self, capture: Capture, read: Page, resolver: Resolver, address: str
    ) -> tuple[UrlRow | None, str | None]:
        """Where the first refresh leads, if it happens soon, and its reference."""
        header = refresh_of(field(capture.fields, "refresh") or "")
        refresh = header or next(filter(None, map(refresh_of, read.refreshes)), None)
        if refresh is None or refresh.url is None or refresh.seconds > MAX_REFRESH_SECONDS:
            return None, None
        if header:
            return self._of_header(refresh.url, read, address)
        return resolver[refresh.url], resolver.reference(refresh.url)

    def _redirect(self, capture: Capture, address: str) -> UrlRow | None:
        location = field(capture.fields, "location")
        if capture.status not in REDIRECTS or not location:
            return None
        return self._book.row(location, address)


def _links(content: _Content, redirect: UrlRow | None) -> list[LinkRow]:
    nofollow = content.directives.nofollow
    first = []
    if content.canonical:
        reference = content.canonical_reference
        first.append(_page_link("canonical", content.canonical, "canonical", nofollow, reference))
    if content.refresh:
        reference = content.refresh_reference
        first.append(_page_link("refresh", content.refresh, "", nofollow, reference))
    elif redirect:
        first.append(_page_link("location", redirect, "", nofollow, None))
    return first + content.links


def base_of(page: Page, address: str) -> str | None:
    """The URL that *page*, at *address*, names as its base; None if it names none.

    https://html.spec.whatwg.org/#frozen-base-url
    """
    if not page.base:
        return None
    base = canonical_url(page.base, address) or parsed_url(page.base, address)
    return None if base is None or base.startswith(("data:", "javascript:")) else base


def _is_partial(status: int | None) -> bool:
    """Whether a response of this status shows only a part, or is followed by the real response."""
    return status is not None and (status == 206 or 100 <= status < 200)


def _validator(capture: Capture, name: str) -> str | None:
    """A field that can make a later request conditional; None if it is too long to be sent."""
    value = field(capture.fields, name)
    return value if value and len(value) <= MAX_VALIDATOR else None


def _page_link(
    element: Element, target: UrlRow, rel: str, nofollow: bool, reference: str | None
) -> LinkRow:
    return LinkRow(
        position=-1,
        element=element,
        target_id=target.url_id,
        target_domain_id=target.domain_id,
        anchor="",
        rel=rel,
        nofollow=nofollow,
        image=False,
        image_source=None,
        alt=None,
        reference=reference,
        image_reference=None,
    )


def _element_links(page: Page, resolver: Resolver, nofollow: bool) -> list[LinkRow]:
    rows: list[LinkRow] = []
    for link in page.links:
        target = resolver[link.href]
        if target is None:
            continue
        row = (
            len(rows),
            link.element,
            target.url_id,
            target.domain_id,
            link.anchor,
            link.rel,
            nofollow or ("nofollow" in link.rel and "nofollow" in link.rel.split(" ")),
            link.image,
            resolver.address(link.image_source) if link.image_source else None,
            link.alt,
            resolver.reference(link.href),
            resolver.reference(link.image_source) if link.image_source else None,
        )
        rows.append(tuple.__new__(LinkRow, row))  # half the time of LinkRow(...)
    return rows


def outcome_of(
    capture: Capture, page: UrlRow, content: _Content, redirect: UrlRow | None
) -> Outcome:
    """What the visit means for the page: the table of outcomes in ``docs/data-model.md``.

    A revisit record has no content of its own, but it may have its own header. If the status alone
    is the answer, as with a redirect, the record is judged by that.
    """
    status = capture.status
    if capture.kind == "failure":
        return "page_dropped" if capture.failure in POLICY else "failed"
    if status == 304 or (capture.kind == "revisit" and (status is None or status < 300)):
        return "unchanged"
    if status is None or status >= 400 or status < 100:
        return "page_not_found" if status in (404, 410) else "failed"
    if status >= 300:
        return "redirect" if redirect else "broken_redirect"
    if status != 200 or not content.is_html:
        return "other"
    last = content.directives.unavailable_after
    return outcome_of_page(
        page.url,
        refresh=content.refresh.url if content.refresh else None,
        noindex=content.directives.noindex or (last is not None and last <= capture.time),
        canonical=content.canonical.url if content.canonical else None,
    )


def visit_id(visit: VisitRow, links: list[LinkRow]) -> int:
    """XXH3-64 of what the visit saw, signed; the place of the record is not part of it."""
    digest = xxhash.xxh3_64_intdigest(msgspec.msgpack.encode((visit[1:-2], links)))
    return digest - (1 << 64) if digest >> 63 else digest
