"""Crawl files to visits, by warcio: one `Visit` for each response and revisit of a page.

Failed fetches that ``metadata`` records report are not read here: no public crawl has them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders

from . import encoding, markup
from .urls import resolve

ROBOT = "inlinkbot"
HTML_TYPES = ("text/html", "application/xhtml+xml")
REDIRECTS = (301, 302, 303, 307, 308)
_VALUED_DIRECTIVES = (
    "unavailable_after",
    "max-snippet",
    "max-image-preview",
    "max-video-preview",
)


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
    """All visits of a WARC file, in its order."""
    return list(_visits(path))


def _visits(path: Path) -> Iterator[Visit]:
    with path.open("rb") as stream:
        records = ArchiveIterator(stream)
        for record in records:
            web = (
                record.rec_headers.get_header("WARC-Target-URI", "").lstrip("<").startswith("http")
            )
            if record.rec_type not in ("response", "revisit") or not web:
                continue
            body = record.content_stream().read()
            url = resolve(record.rec_headers.get_header("WARC-Target-URI").strip("<>"))
            if url:
                yield _visit(record, url, body, path.name, records.get_record_offset())


def _visit(record: ArcWarcRecord, url: str, body: bytes, file: str, offset: int) -> Visit:
    """What a record says; a revisit's own headers (WARC 1.1, 6.7.2) say its status."""
    headers, http = record.rec_headers, record.http_headers
    common = Visit(
        url=url,
        at=datetime.fromisoformat(headers.get_header("WARC-Date")),
        outcome="other",
        ip=headers.get_header("WARC-IP-Address"),
        digest=headers.get_header("WARC-Payload-Digest"),
        file=file,
        offset=offset,
    )
    status = int(http.get_statuscode()) if http else 200
    if status == 304 or (record.rec_type == "revisit" and 200 <= status < 300):
        original = (headers.get_header("WARC-Refers-To-Target-URI") or "").strip("<>")
        return replace(common, outcome="unchanged", refers_to=resolve(original, url) or url)
    if status == 200 and _is_html(http, body):
        return _html(common, http, body)
    redirect = resolve(http.get_header("Location"), url) if http.get_header("Location") else None
    if status in REDIRECTS and redirect:
        nofollow = bool(_directives([], http) & {"nofollow", "none"})
        return replace(common, outcome="redirect", redirect=redirect, nofollow=nofollow)
    return replace(common, outcome=_outcome_of_status(status))


def _outcome_of_status(status: int) -> str:
    if status in (404, 410):
        return "page_not_found"
    if 300 <= status < 400:
        return "broken_redirect"
    return "failed" if status >= 400 else "other"


def _is_html(http: StatusAndHeaders, body: bytes) -> bool:
    content_type = http.get_header("Content-Type")
    if not content_type:
        return bool(re.match(rb"\s*<(!doctype html|html|head|body|!--)", body, re.IGNORECASE))
    return content_type.split(";")[0].strip().lower() in HTML_TYPES


def _html(common: Visit, http: StatusAndHeaders, body: bytes) -> Visit:
    text, codec = encoding.decode(body, http.get_header("Content-Type") or "")
    page = markup.read(text, common.url, codec)
    directives = _directives(page.robots, http)
    canonical = page.canonical or _canonical_header(http, common.url)
    outcome = "ok"
    if directives & {"noindex", "none"}:
        outcome = "noindex"
    elif canonical and bare(canonical) != bare(common.url):
        outcome = "not_canonical"
    return replace(
        common,
        outcome=outcome,
        title=page.title,
        links=tuple(page.links),
        nofollow=bool(directives & {"nofollow", "none"}),
        canonical=canonical,
    )


def bare(url: str) -> tuple[str, str]:
    """A URL without scheme, ``www.`` and the slash at the end of its path; and its query."""
    path, mark, query = re.sub(r"^https?://(www\.)?", "", url).partition("?")
    return path.removesuffix("/"), mark + query


def _directives(metas: list[tuple[str, str]], http: StatusAndHeaders) -> set[str]:
    """Directives addressed to every robot or to ours."""
    addressed = list(metas)
    for name, value in http.headers:
        if name.lower() == "x-robots-tag":
            robot, colon, rest = value.lower().partition(":")
            named = colon and "," not in robot and robot.strip() not in _VALUED_DIRECTIVES
            addressed.append((robot.strip(), rest) if named else ("robots", value.lower()))
    return {
        directive.strip()
        for name, content in addressed
        if name in ("robots", ROBOT)
        for directive in content.split(",")
    }


def _canonical_header(http: StatusAndHeaders, url: str) -> str | None:
    for name, value in http.headers:
        if name.lower() == "link":
            for target, parameters in re.findall(r"<([^>]*)>([^,<]*)", value):
                rel = re.search(r";\s*rel\s*=\s*\"?([^\";]*)", parameters, re.IGNORECASE)
                if rel and "canonical" in rel[1].lower().split():
                    return resolve(target, url)
    return None
