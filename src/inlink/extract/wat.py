"""WAT: what Common Crawl keeps of each record, as JSON.

In: a WARC ``metadata`` record whose block is a JSON object with an ``Envelope``. Out: the same
captures as from the WARC file, as far as a WAT file goes. What it does not have:

- whether a link wraps an image, and the image (``image`` is false);
- the text of the page, so that all limits are those of the WAT writer, as is the encoding;
- failed fetches. Envelopes of requests and metadata are no visits.

The layout (https://commoncrawl.org/get-started) varies by year: ``href`` for ``url``, header values
as lists, ``Status-Code`` for ``Status``; the path of a link is ``A@/href`` or ``AREA@/href``.
"""

from functools import lru_cache
from typing import Any

import msgspec

from inlink.extract.captures import Capture, ip_address, is_truncated, microseconds, web_uri
from inlink.extract.framing import Record
from inlink.extract.html import Link, Page, fold
from inlink.extract.http import Fields
from inlink.extract.limits import MAX_ANCHOR, MAX_LINKS, MAX_TITLE
from inlink.extract.problems import Problems

_Object = dict[str, Any]


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
    html: _Html = msgspec.field(default_factory=_Html)


class _Payload(msgspec.Struct):
    response: _Response = msgspec.field(name="HTTP-Response-Metadata", default_factory=_Response)


class _Envelope(msgspec.Struct):
    headers: _Object = msgspec.field(name="WARC-Header-Metadata", default_factory=dict)
    payload: _Payload = msgspec.field(name="Payload-Metadata", default_factory=_Payload)


class _Entry(msgspec.Struct):
    """What is read of an entry: what is named here, and nothing else."""

    envelope: _Envelope = msgspec.field(name="Envelope", default_factory=_Envelope)


_DECODER = msgspec.json.Decoder(_Entry)


def is_wat(record: Record) -> bool:
    """Whether *record* is an entry of a WAT file."""
    return (
        record.type == "metadata"
        and "json" in record.headers.get("content-type", "")
        and b'"Envelope"' in record.block
    )


def wat_capture(record: Record, problems: Problems) -> Capture | None:
    """The visit that an entry of a WAT file tells of; None if it is none, or cannot be read."""
    try:
        envelope = _envelope(record.block.strip())
    except msgspec.DecodeError:
        problems["wat_invalid"] += 1
        return None
    headers = {
        name.lower(): value for name, value in envelope.headers.items() if isinstance(value, str)
    }
    uri = web_uri(headers.get("warc-target-uri"))
    kind = headers.get("warc-type")
    if uri is None or kind not in ("response", "revisit"):
        return None
    time = microseconds(headers.get("warc-date", ""))
    if time is None:
        problems["record_date"] += 1
        return None
    response = envelope.payload.response
    status = _status(response.message)
    if kind == "response" and status is None:
        problems["http_header"] += 1
        return None
    return Capture(
        kind="response" if kind == "response" else "revisit",
        uri=uri,
        time=time,
        offset=record.offset,
        ip=ip_address(headers.get("warc-ip-address")),
        digest=headers.get("warc-payload-digest"),
        truncated=is_truncated(headers),
        status=status,
        fields=_fields(response.headers),
        page=_page(response.html, problems),
        refers_to=web_uri(headers.get("warc-refers-to-target-uri")),
    )


def _envelope(block: bytes) -> _Envelope:
    try:
        return _DECODER.decode(block).envelope
    except msgspec.ValidationError:
        return _fitting(msgspec.json.decode(block))


def _fitting(content: Any) -> _Envelope:
    """The envelope of an entry in which something has another type than usual, without that."""
    envelope = _object(content, "Envelope")
    response = _object(_object(envelope, "Payload-Metadata"), "HTTP-Response-Metadata")
    html = _object(response, "HTML-Metadata")
    links = [
        _Link(**{name: _string(link, name) for name in _Link.__struct_fields__})
        for link in _objects(html, "Links")
    ]
    page = _Html(_object(html, "Head"), links)
    message, headers = _object(response, "Response-Message"), _object(response, "Headers")
    return _Envelope(
        _object(envelope, "WARC-Header-Metadata"), _Payload(_Response(message, headers, page))
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
    return int(status) if len(status) == 3 and status.isascii() and status.isdigit() else None


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
    return Page(
        title=fold(_string(html.head, "Title") or "")[:MAX_TITLE],
        robots=metas,
        canonical=_canonical(_objects(html.head, "Link")),
        base=_string(html.head, "Base"),
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
        rel = fold(link.rel.lower())[:MAX_ANCHOR] if link.rel else ""
        links.append(Link(element, href, anchor, rel, False, None, None))
        if len(links) > MAX_LINKS:
            break
    return links


@lru_cache(256)
def _element(path: str | None) -> str | None:
    element = (path or "").partition("@")[0].lower()
    return element if element in ("a", "area") else None
