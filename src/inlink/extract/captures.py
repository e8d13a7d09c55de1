"""Visits as crawl files record them.

In: records. Out: captures, each one fetch of one URL:

- ``response`` records, and the entries for them in WAT files (see ``wat``). One whose own
  Content-Type is not ``application/http``, and that has no status line, is the answer of an
  HTTP/0.9 server: a page of that Content-Type. ARC files have such records;
- ``resource`` records with an http or https URL, which hold what a server answered without its
  header: they count as a 200 of the record's own Content-Type, as in replay tools;
- ``revisit`` records;
- ``metadata`` records that report a failed fetch: Content-Type ``application/warc-fields``, with a
  field ``fetchError`` whose first word is the cause, as in ``fetchError: dns no such host``. Causes
  in use are ``dns``, ``timeout``, ``refused``, ``reset``, ``tls``, ``http``,
  ``robots_unreachable``; for fetches forbidden by policy, ``robots``, ``blocked``, ``excluded``.

``request`` records become `Request`: their method says whether a capture is a visit (see
``methods``). All other records (``warcinfo``, ``conversion``, other ``metadata``) are not visits.
"""

import base64
import datetime as dt
import hashlib
import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import msgspec

from inlink.extract.html import Page
from inlink.web.framing import Record, header_fields
from inlink.web.http import Fields, Response, parse_response
from inlink.web.limits import MAX_HEADER_BYTES
from inlink.web.problems import Problems

Kind = Literal["response", "revisit", "failure"]

_FAILURE_FIELDS = frozenset(("fetcherror", "fetchfailure", "fetchfailed"))
_CAUSE = re.compile(r"[\w.-]{1,64}")
_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?\d*\Z", re.A)
_REDUCED = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?\Z", re.A)
_ORDINAL = re.compile(r"(\d{4})-\d\d-(\d{3})(?=T)", re.A)
_FRACTION = re.compile(r"(\.\d{6})\d+")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TOKEN = rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})(?:\s|\Z)"
_METHOD = re.compile(rb"\s*" + _TOKEN)
_METHOD_FIELD = re.compile(rb"^:method:?[ \t]+" + _TOKEN, re.M)  # HTTP/2, as some tools write it


class Concurrent(msgspec.Struct, frozen=True):
    """What a record says about which other records of the same fetch it belongs to."""

    own: str | None
    """WARC-Record-ID."""
    others: frozenset[str]
    """WARC-Concurrent-To, of which there may be several."""


class Request(msgspec.Struct, frozen=True, eq=False):
    """The request of one fetch."""

    uri: str
    time: int
    method: str
    """In upper case."""
    concurrent: Concurrent


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """One fetch of one URL."""

    kind: Kind
    uri: str
    """As the record has it."""
    time: int
    """Microseconds since 1970, UTC."""
    offset: int
    ip: str | None = None
    digest: str | None = None
    truncated: bool = False
    status: int | None = None
    fields: Fields = ()
    body: bytes = b""
    """As it was sent."""
    page: Page | None = None
    """What the body says, if the file has that in place of the body (WAT)."""
    failure: str | None = None
    refers_to: str | None = None
    concurrent: Concurrent = Concurrent(None, frozenset())


def capture_of(record: Record, problems: Problems) -> Capture | Request | None:
    """The visit that a WARC or ARC record reports; None if there is none or it cannot be placed."""
    if record.type in ("response", "resource"):
        return _response(record, problems)
    if record.type == "request":
        return _request(record)
    if record.type == "revisit":
        return _revisit(record, problems)
    if record.type == "metadata":
        return _failure(record, problems)
    return None


def web_uri(text: str | None) -> str | None:
    """A target URI without the angle brackets of old tools; None if it is not http or https."""
    uri = (text or "").strip().removeprefix("<").removesuffix(">")
    return uri if uri[:8].lower().startswith(("http://", "https://")) else None


def concurrent_of(headers: dict[str, str]) -> Concurrent:
    """What the WARC *headers* of a record, by name in lower case, say about other records."""
    others = headers.get("warc-concurrent-to", "").split()
    return Concurrent(headers.get("warc-record-id"), frozenset(others))


def _request(record: Record) -> Request | None:
    uri = web_uri(record.headers.get("warc-target-uri"))
    time = microseconds(record.headers.get("warc-date", ""))
    method = _METHOD.match(record.block) or _METHOD_FIELD.search(record.block[:MAX_HEADER_BYTES])
    if uri is None or time is None or method is None:
        return None
    return Request(uri, time, method[1].decode().upper(), concurrent_of(record.headers))


def _response(record: Record, problems: Problems) -> Capture | None:
    uri = web_uri(record.headers.get("warc-target-uri"))
    time = _time_of(record, problems) if uri else None
    if uri is None or time is None:
        return None
    own_type = record.headers.get("content-type", "")
    response = parse_response(record.block) if record.type == "response" else None
    if response is None:
        if not _is_bare(record, own_type):
            problems["http_header"] += 1
            return None
        response = Response(200, (("content-type", own_type),), record.block)
    is_whole = response.header_ended and not (record.truncated or is_truncated(record.headers))
    return Capture(
        kind="response",
        uri=uri,
        time=time,
        offset=record.offset,
        ip=ip_address(record.headers.get("warc-ip-address")),
        digest=payload_digest(record.headers, response.status, "response"),
        truncated=not is_whole,
        status=response.status,
        fields=response.fields,
        body=response.body,
        concurrent=concurrent_of(record.headers),
    )


def _is_bare(record: Record, own_type: str) -> bool:
    """Whether the block is what a server answered without any header."""
    if record.type == "resource":
        return True
    if not record.block or record.block.isspace():
        return False
    is_arc = "warc-type" not in record.headers
    is_message = own_type.lower().startswith(("application/http", "message/http"))
    return is_arc or bool(own_type and not is_message)


def _revisit(record: Record, problems: Problems) -> Capture | None:
    uri = web_uri(record.headers.get("warc-target-uri"))
    time = _time_of(record, problems) if uri else None
    if uri is None or time is None:
        return None
    response = parse_response(record.block)
    status = response.status if response else None
    return Capture(
        kind="revisit",
        uri=uri,
        time=time,
        offset=record.offset,
        ip=ip_address(record.headers.get("warc-ip-address")),
        digest=payload_digest(record.headers, status, "revisit"),
        truncated=record.truncated,
        status=status,
        fields=response.fields if response else (),
        refers_to=web_uri(record.headers.get("warc-refers-to-target-uri")),
        concurrent=concurrent_of(record.headers),
    )


def payload_digest(headers: dict[str, str], status: int | None, kind: Kind) -> str | None:
    """The digest of the page's content, by the WARC *headers* of a record; None if they have none.

    A 304 has no content. The digest of a response record is then that of an empty body; a revisit
    record may have the digest of the content that was not modified.
    """
    digest = headers.get("warc-payload-digest")
    is_unmodified = status == 304 or "not-modified" in headers.get("warc-profile", "")
    if digest and is_unmodified and (kind == "response" or _is_of_empty(digest)):
        return None
    return digest


def _is_of_empty(digest: str) -> bool:
    value = digest.rpartition(":")[2].rstrip("=").lower()
    return value in _DIGESTS_OF_EMPTY


def _digests_of_empty() -> Iterator[str]:
    for name in ("md5", "sha1", "sha256", "sha384", "sha512"):
        digest = hashlib.new(name, usedforsecurity=False)
        yield digest.hexdigest()
        yield base64.b32encode(digest.digest()).decode().rstrip("=").lower()


_DIGESTS_OF_EMPTY = frozenset(_digests_of_empty())


def _failure(record: Record, problems: Problems) -> Capture | None:
    uri = web_uri(record.headers.get("warc-target-uri"))
    if uri is None or not record.headers.get("content-type", "").startswith(
        "application/warc-fields"
    ):
        return None
    said = header_fields(record.block[:MAX_HEADER_BYTES].splitlines())
    causes = [
        value
        for name, value in said.items()
        if name.replace("-", "").replace("_", "") in _FAILURE_FIELDS
    ]
    time = _time_of(record, problems) if causes else None
    if time is None:
        return None
    cause = _CAUSE.match(causes[0].lower())
    return Capture(
        kind="failure",
        uri=uri,
        time=time,
        offset=record.offset,
        ip=ip_address(record.headers.get("warc-ip-address")),
        failure=cause[0] if cause else "unknown",
        concurrent=concurrent_of(record.headers),
    )


def is_truncated(headers: dict[str, str]) -> bool:
    """Whether the writer says that the block is not whole, or continues in another record."""
    return "warc-truncated" in headers or "warc-segment-number" in headers


def _time_of(record: Record, problems: Problems) -> int | None:
    time = microseconds(record.headers.get("warc-date", ""))
    if time is None:
        problems["record_date"] += 1
    return time


@lru_cache(1024)
def microseconds(date: str) -> int | None:
    """A date of WARC (ISO 8601) or ARC (14 digits), since 1970; None if it is neither."""
    text = _FRACTION.sub(r"\1", date.strip())
    if match := _DIGITS.match(text):
        year, month, day, hour, minute, second = match.groups("00")
        text = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
    elif _REDUCED.match(text):
        text += "-01-01"[len(text) - 4 :]
    try:
        time = dt.datetime.fromisoformat(_ORDINAL.sub(_calendar_date, text))
        time = time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        return None
    return (time - _EPOCH) // dt.timedelta(microseconds=1)


def written_time(time: int) -> str:
    """A time (microseconds since 1970) as WARC 1.1 writes dates."""
    written = (_EPOCH + dt.timedelta(microseconds=time)).isoformat()
    return written.replace("+00:00", "Z")


def _calendar_date(match: re.Match[str]) -> str:
    """ClueWeb09 has the day of the year where the day of the month should be."""
    day = dt.date(int(match[1]), 1, 1) + dt.timedelta(days=int(match[2]) - 1)
    return day.isoformat()


@lru_cache(4096)
def ip_address(text: str | None) -> str | None:
    """An IP address in its usual form; None if *text* is not one."""
    try:
        return str(ipaddress.ip_address((text or "").strip().strip("[]")))
    except ValueError:
        return None
