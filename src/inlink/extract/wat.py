"""WAT: what Common Crawl extracts from each record, as JSON.

In: a WARC ``metadata`` record whose block is a JSON object with an ``Envelope``. Out: the same
captures as from the WARC file, as far as a WAT file has them. It does not have:

- whether a link wraps an image, and the image (``image`` is false);
- the text of the page, so that all limits, and the encoding, are those of the WAT writer. Writers
  do not undo the codings of a body, so one that is encoded by its header was not read as a whole;
- failed fetches. Envelopes of metadata are not visits.

The layout (https://commoncrawl.org/get-started) varies by year: ``href`` for ``url``, header values
as lists, ``Status-Code`` for ``Status``; the path of a link is ``A@/href`` or ``AREA@/href``.
"""

import html
import re
from functools import lru_cache
from html.entities import html5
from typing import Any

import msgspec

from inlink.contract.outcomes import ANCHORED, Element
from inlink.extract.captures import (
    Capture,
    Request,
    capture_of,
    concurrent_of,
    ip_address,
    is_truncated,
    microseconds,
    payload_digest,
    web_uri,
)
from inlink.extract.html import Link, Page, fold, relations
from inlink.web.framing import Record, add_field, header_fields
from inlink.web.http import Fields, field, is_coded, said_length
from inlink.web.limits import MAX_ANCHOR, MAX_HEADER_BYTES, MAX_LINKS, MAX_TITLE
from inlink.web.problems import Problems

_Object = dict[str, Any]

_RESOLVED_SINCE = "20190708"
_BUILT = re.compile(r"ia-web-commons\S*-(20\d{6})\d{6}")
_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);?(?!=)")


class _Link(msgspec.Struct):
    path: str | None = None
    url: str | None = None
    href: str | None = None
    text: str | None = None
    alt: str | None = None
    rel: str | None = None


class _Html(msgspec.Struct, rename="pascal"):
    head: _Object = {}
    links: list[_Link] = []


class _Response(msgspec.Struct, rename={"message": "Response-Message", "html": "HTML-Metadata"}):
    message: _Object = {}
    headers: _Object = msgspec.field(name="Headers", default_factory=dict)
    html: _Html | None = None
    length: Any = msgspec.field(name="Entity-Length", default=None)


class _Payload(msgspec.Struct):
    response: _Response = msgspec.field(name="HTTP-Response-Metadata", default_factory=_Response)
    request: _Object = msgspec.field(name="HTTP-Request-Metadata", default_factory=dict)
    length: Any = msgspec.field(name="Actual-Content-Length", default=None)


class _Envelope(msgspec.Struct):
    headers: _Object = msgspec.field(name="WARC-Header-Metadata", default_factory=dict)
    payload: _Payload = msgspec.field(name="Payload-Metadata", default_factory=_Payload)


class _Entry(msgspec.Struct):
    """The parts of an entry that are read."""

    envelope: _Envelope = msgspec.field(name="Envelope", default_factory=_Envelope)


_DECODER = msgspec.json.Decoder(_Entry)


def told_by(record: Record, info: Record | None, problems: Problems) -> Capture | Request | None:
    """The visit that a record of a WARC, ARC or WAT file reports; None if there is none.

    *info* is the last ``warcinfo`` record before it.
    """
    if is_wat(record):
        return wat_capture(record, problems, entities=has_entities(record, info))
    return capture_of(record, problems)


def is_wat(record: Record) -> bool:
    """Whether *record* is an entry of a WAT file."""
    return (
        record.type == "metadata"
        and "json" in record.headers.get("content-type", "")
        and b'"Envelope"' in record.block
    )


def has_entities(entry: Record, info: Record | None) -> bool:
    """Whether the texts of a WAT *entry* have character references, as in the page.

    The extractor of Common Crawl has resolved them since July 2019 (commoncrawl/ia-web-commons,
    issues 14 and 19). *info*, the ``warcinfo`` record of the file, may say when the extractor was
    built, and says when the file was written; without it, the date of the entry is used.
    """
    if info is not None:
        software = header_fields(info.block[:MAX_HEADER_BYTES].splitlines()).get(
            "software-info", ""
        )
        if built := _BUILT.search(software):
            return built[1] < _RESOLVED_SINCE
        entry = info
    time = microseconds(entry.headers.get("warc-date", ""))
    return time is not None and time < (microseconds(_RESOLVED_SINCE + "000000") or 0)


def wat_capture(
    record: Record, problems: Problems, *, entities: bool = False
) -> Capture | Request | None:
    """The visit that an entry of a WAT file reports; None if there is none or it cannot be read.

    *entities*: the texts of the entry have character references (see `has_entities`).
    """
    try:
        envelope = _envelope(record.block.strip())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problems["wat_invalid"] += 1
        return None
    headers: dict[str, str] = {}
    for name, value in _fields(envelope.headers):
        add_field(headers, name, value)
    uri = web_uri(headers.get("warc-target-uri"))
    kind = headers.get("warc-type")
    if uri is None or kind not in ("request", "response", "revisit"):
        return None
    time = microseconds(headers.get("warc-date", ""))
    if time is None:
        problems["record_date"] += 1
        return None
    if kind == "request":
        method = _string(_object(envelope.payload.request, "Request-Message"), "Method")
        return Request(uri, time, method.upper(), concurrent_of(headers)) if method else None
    response = envelope.payload.response
    status = _status(response.message)
    if kind == "response" and status is None:
        problems["http_header"] += 1
        return None
    fields = _fields(response.headers)
    content = response.html or _Html()
    is_revisit = kind == "revisit"
    return Capture(
        kind="revisit" if is_revisit else "response",
        uri=uri,
        time=time,
        offset=record.offset,
        ip=ip_address(headers.get("warc-ip-address")),
        digest=payload_digest(headers, status, "revisit" if is_revisit else "response"),
        truncated=not (is_revisit or _is_whole(envelope, headers, fields, problems)),
        status=status,
        fields=fields,
        page=_page(_resolved(content) if entities else content, problems),
        refers_to=web_uri(headers.get("warc-refers-to-target-uri")),
        concurrent=concurrent_of(headers),
    )


def _is_whole(
    envelope: _Envelope, headers: dict[str, str], fields: Fields, problems: Problems
) -> bool:
    """Whether the entry says that the whole body was there to be read."""
    response = envelope.payload.response
    is_page = "html" in (field(fields, "content-type") or "").lower()
    if is_truncated(headers) or is_coded(fields) or (is_page and response.html is None):
        return False
    kept = envelope.payload.length
    if kept is not None and _number(kept) < _number(headers.get("content-length")):
        problems["record_truncated"] += 1
        return False
    status = _status(response.message) or 0
    if response.length is not None and _number(response.length) < said_length(status, fields):
        problems["body_short"] += 1
        return False
    return True


def _number(value: Any) -> int:
    """A length in an entry, in bytes; 0 if it has none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _resolved(page: _Html) -> _Html:
    """*page* with the character references in its texts resolved."""
    links = [
        _Link(
            path=link.path,
            url=_resolved_value(link.url),
            href=_resolved_value(link.href),
            text=html.unescape(link.text) if link.text else link.text,
            alt=_resolved_value(link.alt),
            rel=_resolved_value(link.rel),
        )
        for link in page.links
    ]
    head: _Object = {
        name: [
            {key: _resolved_value(each[key]) for key in each} for each in _objects(page.head, name)
        ]
        for name in ("Metas", "Link")
    }
    head["Title"] = html.unescape(_string(page.head, "Title") or "")
    head["Base"] = _resolved_value(page.head.get("Base"))
    return _Html(head, links)


def _resolved_value(value: Any) -> Any:
    """The value of an attribute, whatever its type, with its character references resolved.

    https://html.spec.whatwg.org/multipage/parsing.html#named-character-reference-state: without a
    semicolon, before ``=`` or a letter or digit, it is not a reference.
    """
    if not isinstance(value, str) or "&" not in value:
        return value
    return _REFERENCE.sub(_resolved_reference, value)


def _resolved_reference(match: re.Match[str]) -> str:
    text = match[0]
    is_known = text.startswith("&#") or text[1:] in html5
    return html.unescape(text) if is_known else text


def _envelope(block: bytes) -> _Envelope:
    try:
        return _DECODER.decode(block).envelope
    except msgspec.ValidationError:
        return _fitting(msgspec.json.decode(block))


def _fitting(content: Any) -> _Envelope:
    """The envelope of an entry, without the values whose type is not the usual one."""
    envelope = content.get("Envelope") if isinstance(content, dict) else {}
    if not isinstance(envelope, dict):
        raise msgspec.ValidationError("the envelope is not an object")
    payload = _object(envelope, "Payload-Metadata")
    response = _object(payload, "HTTP-Response-Metadata")
    html = _object(response, "HTML-Metadata")
    links = [
        _Link(**{name: _string(link, name) for name in _Link.__struct_fields__})
        for link in _objects(html, "Links")
    ]
    page = _Html(_object(html, "Head"), links) if "HTML-Metadata" in response else None
    message, headers = _object(response, "Response-Message"), _object(response, "Headers")
    return _Envelope(
        _object(envelope, "WARC-Header-Metadata"),
        _Payload(
            _Response(message, headers, page, response.get("Entity-Length")),
            _object(payload, "HTTP-Request-Metadata"),
            payload.get("Actual-Content-Length"),
        ),
    )


def _object(parent: Any, name: str) -> _Object:
    value = parent.get(name) if isinstance(parent, dict) else None
    return value if isinstance(value, dict) else {}


def _objects(parent: _Object, name: str) -> list[_Object]:
    value = parent.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _string(parent: _Object, *names: str) -> str | None:
    return next((parent[name] for name in names if isinstance(parent.get(name), str)), None)


def _status(message: _Object) -> int | None:
    status = str(message.get("Status", message.get("Status-Code", "")))
    return int(status) if len(status) <= 3 and status.isascii() and status.isdigit() else None


def _fields(headers: _Object) -> Fields:
    pairs = (
        (name.lower(), value)
        for name, given in headers.items()
        for value in (given if isinstance(given, list) else [given])
    )
    return tuple((name, value) for name, value in pairs if isinstance(value, str))


def _page(html: _Html, problems: Problems) -> Page:
    links = _links(html.links)
    truncated = len(links) > MAX_LINKS
    if truncated:
        problems["links_truncated"] += 1
        links.pop()
    metas = [
        (_string(meta, "name") or "", _string(meta, "content") or "")
        for meta in _objects(html.head, "Metas")
    ]
    refreshes = [
        _string(meta, "content") or ""
        for meta in _objects(html.head, "Metas")
        if (_string(meta, "http-equiv") or "").lower() == "refresh"
    ]
    return Page(
        title=fold(_string(html.head, "Title") or "")[:MAX_TITLE],
        robots=metas,
        canonical=_canonical(_objects(html.head, "Link")),
        base=_string(html.head, "Base"),
        refreshes=refreshes,
        links=links,
        truncated=truncated,
    )


def _canonical(links: list[_Object]) -> str | None:
    for link in links:
        if "canonical" in (_string(link, "rel") or "").lower().split():
            return _string(link, "url", "href")
    return None


def _links(given: list[_Link]) -> list[Link]:
    """The links, up to one more than a page may have."""
    links: list[Link] = []
    for link in given:
        element = _element(link.path)
        href = link.href if link.url is None else link.url
        if element is None or href is None:
            continue
        text = link.alt if element == "area" and link.alt is not None else link.text
        anchor = fold(text)[:MAX_ANCHOR] if text else ""
        rel = relations(link.rel)[:MAX_ANCHOR] if link.rel else ""
        links.append(Link(element, href, anchor, rel, False, None, None))
        if len(links) > MAX_LINKS:
            break
    return links


@lru_cache(256)
def _element(path: str | None) -> Element | None:
    element = (path or "").partition("@")[0].lower()
    return next((known for known in ANCHORED if known == element), None)
