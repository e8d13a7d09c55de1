"""WAT: what Common Crawl keeps of each record, as JSON.

In: a WARC ``metadata`` record whose block is a JSON object with an ``Envelope``. Out: the same
captures as from the WARC file, as far as a WAT file goes. What it does not have:

- whether a link wraps an image, and the image (``image`` is false);
- the text of the page, so that all limits are those of the WAT writer, as is the encoding;
- failed fetches. Envelopes of requests and metadata are no visits.

The layout (https://commoncrawl.org/get-started) varies by year: ``href`` for ``url``, header values
as lists, ``Status-Code`` for ``Status``; the path of a link is ``A@/href`` or ``AREA@/href``.
"""

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec

from inlink.extract.captures import Capture, ip_address, is_truncated, microseconds, web_uri
from inlink.extract.framing import Record
from inlink.extract.html import Link, Page, fold
from inlink.extract.http import Fields
from inlink.extract.limits import MAX_ANCHOR, MAX_LINKS, MAX_TITLE
from inlink.extract.problems import Problems

_Object = dict[str, Any]


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
        content = msgspec.json.decode(record.block.strip())
    except msgspec.DecodeError:
        problems["wat_invalid"] += 1
        return None
    envelope = _object(content, "Envelope")
    headers = {
        name.lower(): value
        for name, value in _object(envelope, "WARC-Header-Metadata").items()
        if isinstance(value, str)
    }
    uri = web_uri(headers.get("warc-target-uri"))
    kind = headers.get("warc-type")
    if uri is None or kind not in ("response", "revisit"):
        return None
    time = microseconds(headers.get("warc-date", ""))
    if time is None:
        problems["record_date"] += 1
        return None
    response = _object(_object(envelope, "Payload-Metadata"), "HTTP-Response-Metadata")
    status = _status(_object(response, "Response-Message"))
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
        fields=_fields(_object(response, "Headers")),
        page=_page(_object(response, "HTML-Metadata"), problems),
        refers_to=web_uri(headers.get("warc-refers-to-target-uri")),
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


def _page(metadata: _Object, problems: Problems) -> Page:
    head = _object(metadata, "Head")
    links = list(itertools.islice(_links(_objects(metadata, "Links")), MAX_LINKS + 1))
    truncated = len(links) > MAX_LINKS
    if truncated:
        problems["links_truncated"] += 1
        links.pop()
    metas = [
        (_string(meta, "name") or "", _string(meta, "content") or "")
        for meta in _objects(head, "Metas")
    ]
    return Page(
        title=fold(_string(head, "Title") or "")[:MAX_TITLE],
        robots=metas,
        canonical=_canonical(_objects(head, "Link")),
        base=_string(head, "Base"),
        links=links,
        truncated=truncated,
    )


def _canonical(links: list[_Object]) -> str | None:
    for link in links:
        if "canonical" in (_string(link, "rel") or "").lower().split():
            return _string(link, "url", "href")
    return None


def _links(links: list[_Object]) -> Iterable[Link]:
    for link in links:
        element = (_string(link, "path") or "").partition("@")[0].lower()
        href = _string(link, "url", "href")
        if element not in ("a", "area") or href is None:
            continue
        text = _string(link, "text") if element == "a" else _string(link, "alt", "text")
        rel = " ".join((_string(link, "rel") or "").lower().split())
        yield Link(
            element, href, fold(text or "")[:MAX_ANCHOR], rel[:MAX_ANCHOR], False, None, None
        )
