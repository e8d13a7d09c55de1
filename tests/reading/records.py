"""Crawl files to visits: a `Visit` for each answer to a GET, resource, revisit and failed fetch."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

from . import containers, encoding, http, markup, robots
from .containers import Record
from .http import Answer
from .urls import resolve

HTML_TYPES = ("text/html", "application/xhtml+xml")
REDIRECTS = (301, 302, 303, 307, 308)
LONGEST_REFRESH = 10
"""Seconds that a refresh may take and still be a redirect."""

EXCLUDED = ("robots", "blocked", "excluded")
ENTITIES_UNTIL = "2019-07"
"""Until then, Common Crawl's extractor of WAT files left entities as they stood."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to a page, with the outcome of ``docs/data-model.md`` ("visits").

    `nofollow` says that robots directives made it so of the whole page. `redirect` is where a
    ``Location`` or, if `refreshes`, a refresh leads. A reference is a URL as the page has it, whose
    queries are in `codec`; None where the page's own URL makes no difference.
    `file` and `offset` say which record it is, and are no part of what it says.
    """

    url: str
    at: datetime
    outcome: str
    ip: str | None = None
    title: str = ""
    links: tuple[markup.Link, ...] = ()
    nofollow: bool = False
    canonical: str | None = None
    redirect: str | None = None
    digest: str | None = None
    refers_to: str | None = None
    complete: bool = True
    refreshes: bool = False
    unavailable_after: datetime | None = None
    base_reference: str | None = None
    canonical_reference: str | None = None
    refresh_reference: str | None = None
    codec: str = "utf-8"
    file: str = field(default="", compare=False)
    offset: int = field(default=0, compare=False)


def read(path: Path) -> list[Visit]:
    """All visits of a crawl file, in its order, but for those of the future."""
    latest = datetime.now(UTC) + timedelta(days=1)
    return [visit for visit in _visits(path) if visit.at <= latest]


def _visits(path: Path) -> Iterator[Visit]:
    for record in containers.read(path):
        visit = None
        if record.kind in ("response", "revisit") and record.method == "GET":
            visit = _visit(record)
        elif record.kind == "resource":
            visit = _resource(record)
        elif record.kind == "metadata":
            is_wat = record.headers.get("content-type") == "application/json"
            visit = _wat(record) if is_wat else _failure(record)
        if visit:
            yield visit


def _common(record: Record, uri: str, date: str) -> Visit | None:
    url = resolve(uri)
    if url is None:
        return None
    return Visit(
        url=url,
        at=datetime.fromisoformat(date),
        outcome="other",
        ip=record.headers.get("warc-ip-address"),
        digest=record.headers.get("warc-payload-digest"),
        complete=record.whole,
        file=record.file,
        offset=record.offset,
    )


def _failure(record: Record) -> Visit | None:
    """A failed fetch, whose cause is the first word of the field ``fetchError``."""
    cause = re.search(rb"^fetchError:\s*([a-z]+)", record.block, re.MULTILINE)
    common = _common(record, record.uri, record.date)
    if not cause or not common:
        return None
    excluded = cause[1].decode() in EXCLUDED
    return replace(common, outcome="page_dropped" if excluded else "failed", digest=None)


def _visit(record: Record) -> Visit | None:
    """What a record says; a revisit's own headers (WARC 1.1, 6.7.2) say its status."""
    common = _common(record, record.uri, record.date)
    answer = http.parse(record.block)
    if answer is None:
        answer = Answer(200, [("Content-Type", "text/html")] if record.is_arc else [], record.block)
        if record.kind == "response" and not record.is_arc:
            return None
    if common is None:
        return None
    cut = answer.status == 206 or (record.kind == "response" and "warc-truncated" in record.headers)
    common = replace(common, complete=record.whole and not cut)
    if answer.status == 304 or (record.kind == "revisit" and 200 <= answer.status < 300):
        original = record.headers.get("warc-refers-to-target-uri", "").strip("<>")
        digest = common.digest if record.kind == "revisit" else None
        refers_to = resolve(original, common.url) or common.url
        return replace(common, outcome="unchanged", refers_to=refers_to, digest=digest)
    if record.kind == "revisit":  # its block leaves the body out, whatever length its header has
        return _answer(common, answer)
    return _answer(replace(common, complete=common.complete and answer.complete), answer)


def _resource(record: Record) -> Visit | None:
    """What a server answered, stored without its header (WARC 1.1, 6.4)."""
    common = _common(record, record.uri, record.date)
    if common is None:
        return None
    complete = record.whole and "warc-truncated" not in record.headers
    headers = [("Content-Type", record.headers.get("content-type", ""))]
    return _answer(replace(common, complete=complete), Answer(200, headers, record.block))


def _answer(common: Visit, answer: Answer) -> Visit:
    if answer.status == 200:
        return _page(common, answer) if answer.known else common
    location = answer.get("location")
    redirect = resolve(_from_bytes(location), common.url) if location else None
    if answer.status in REDIRECTS and redirect:
        said = robots.directives([], answer.all("x-robots-tag"))
        return replace(common, outcome="redirect", redirect=redirect, nofollow=said.nofollow)
    return replace(common, outcome=_outcome_of_status(answer.status))


def _from_bytes(text: str) -> str:
    """A header that was read as Latin-1: UTF-8 is read as such, other bytes stay what they are."""
    raw = text.encode("latin-1")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return re.sub(r"[\x80-\xff]", lambda byte: f"%{ord(byte[0]):02X}", text)


def _outcome_of_status(status: int) -> str:
    if status in (404, 410):
        return "page_not_found"
    if 300 <= status < 400:
        return "broken_redirect"
    return "failed" if status >= 400 else "other"


def _page(common: Visit, answer: Answer) -> Visit:
    essence, charset = http.media_type(answer.all("content-type"))
    looks_so = re.match(rb"\s*<(!doctype html|html|head|body|!--)", answer.body, re.IGNORECASE)
    if essence not in HTML_TYPES and (essence or not looks_so):
        return _sent_on(common, answer, None, common.url)
    is_xml = essence == "application/xhtml+xml"
    text, codec = encoding.decode(answer.body, charset, is_xml=is_xml)
    page = markup.read(text, common.url, codec, markup.xml_events(text) if is_xml else None)
    said = robots.directives(page.robots, answer.all("x-robots-tag"))
    named, base = page.canonical, page.base
    if named is None:  # a header knows no base element (RFC 8288, 3.2)
        named, base = _canonical_header(answer), common.url
    visit = replace(
        common,
        title=page.title,
        links=tuple(page.links),
        nofollow=said.nofollow,
        canonical=resolve(named, base, codec) if named is not None else None,
        unavailable_after=said.unavailable_after,
        base_reference=page.base_reference,
        canonical_reference=named if base == page.base else None,
        codec=codec,
    )
    expired = said.unavailable_after and said.unavailable_after <= common.at
    if said.noindex or expired:
        outcome = "noindex"
    else:
        elsewhere = visit.canonical and bare(visit.canonical) != bare(common.url)
        outcome = "not_canonical" if elsewhere else "ok"
    return _sent_on(replace(visit, outcome=outcome), answer, page.refresh, page.base)


def _sent_on(visit: Visit, answer: Answer, meta: str | None, base: str | None) -> Visit:
    """The visit as a redirect, where a header or element sends on to another URL soon."""
    header = answer.get("refresh")
    found = markup.refresh(header) if header is not None else None
    if found:
        base = visit.url
    else:
        found = markup.refresh(meta) if meta is not None else None
    if not found or found.seconds > LONGEST_REFRESH or found.url is None:
        return visit
    target = resolve(found.url, base, visit.codec)
    if target is None or target == visit.url:
        return visit
    return replace(
        visit, outcome="redirect", redirect=target, refreshes=True, refresh_reference=found.url
    )


def bare(url: str) -> tuple[str, str]:
    """A URL without scheme, ``www.`` and the slash at the end of its path; and its query."""
    path, mark, query = re.sub(r"^https?://(www\.)?", "", url).partition("?")
    return path.removesuffix("/"), mark + query


def _canonical_header(answer: Answer) -> str | None:
    for value in answer.all("link"):
        for target, parameters in re.findall(r"<([^>]*)>([^,<]*)", value):
            rel = re.search(r";\s*rel\s*=\s*\"?([^\";]*)", parameters, re.IGNORECASE)
            if rel and "canonical" in rel[1].lower().split():
                return str(target)
    return None


def _wat(record: Record) -> Visit | None:
    """A page as the metadata of a WAT file has it: its links without images."""
    try:
        envelope = json.loads(record.block)["Envelope"]
    except (ValueError, RecursionError):
        return None
    if not isinstance(envelope, dict):
        return None
    head = envelope["WARC-Header-Metadata"]
    response = envelope["Payload-Metadata"].get("HTTP-Response-Metadata", {})
    common = _common(record, head["WARC-Target-URI"], head["WARC-Date"])
    if common is None or head["WARC-Type"] != "response":
        return None
    read_entities = unescape if record.date < ENTITIES_UNTIL else str
    html = response.get("HTML-Metadata", {})
    links = []
    for link in html.get("Links", []):
        target = resolve(read_entities(link.get("url", "")), common.url)
        if link.get("path") in ("A@/href", "AREA@/href") and target:
            text = markup.fold(read_entities(link.get("text", "")))
            nofollow = "nofollow" in markup.relations(link.get("rel", ""))
            links.append(markup.Link(link["path"].split("@")[0].lower(), target, text, nofollow))
    title = markup.fold(read_entities(html.get("Head", {}).get("Title", "")))
    return replace(common, outcome="ok", title=title, links=tuple(links))
