"""Visits as crawl files tell of them.

In: records. Out: captures, each one fetch of one URL:

- ``response`` records, and the entries for them in WAT files (see ``wat``);
- ``resource`` records with an http or https URL, which hold what a server answered without its
  header: a 200 of the record's own Content-Type, as replay tools treat them;
- ``revisit`` records;
- ``metadata`` records that report a failed fetch: Content-Type ``application/warc-fields``, with a
  field ``fetchError`` whose first word is the cause, as in ``fetchError: dns no such host``. Causes
  in use are ``dns``, ``timeout``, ``refused``, ``reset``, ``tls``, ``http``,
  ``robots_unreachable``, and for fetches that policy forbade ``robots``, ``blocked``, ``excluded``.

All other records (``warcinfo``, ``request``, ``conversion``, ``continuation``, other ``metadata``)
are no visits.
"""

import datetime as dt
import ipaddress
import re
from functools import lru_cache
from typing import Literal

import msgspec

from inlink.extract.framing import Record, header_fields
from inlink.extract.html import Page
from inlink.extract.http import Fields, parse_response
from inlink.extract.problems import Problems

Kind = Literal["response", "revisit", "failure"]

_FAILURE_FIELDS = frozenset(("fetcherror", "fetchfailure", "fetchfailed"))
_CAUSE = re.compile(r"[\w.-]{1,64}")
_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?\d*\Z", re.A)
_REDUCED = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?\Z", re.A)
_ORDINAL = re.compile(r"(\d{4})-\d\d-(\d{3})(?=T)", re.A)
_FRACTION = re.compile(r"(\.\d{6})\d+")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


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
    """What the body says, where the file has that in place of the body (WAT)."""
    failure: str | None = None
    refers_to: str | None = None


def capture_of(record: Record, problems: Problems) -> Capture | None:
    """The visit that a WARC or ARC record tells of; None if it does not, or cannot be placed."""
    if record.type in ("response", "resource"):
        return _response(record, problems)
    if record.type == "revisit":
        return _revisit(record, problems)
    if record.type == "metadata":
        return _failure(record, problems)
    return None


def web_uri(text: str | None) -> str | None:
    """A target URI less the angle brackets of old tools; None if it is not http or https."""
    uri = (text or "").strip().removeprefix("<").removesuffix(">")
    return uri if uri[:8].lower().startswith(("http://", "https://")) else None


def _response(record: Record, problems: Problems) -> Capture | None:
    uri = web_uri(record.headers.get("warc-target-uri"))
    time = _time_of(record, problems) if uri else None
    if uri is None or time is None:
        return None
    own_type = record.headers.get("content-type", "")
    response = parse_response(record.block) if record.type == "response" else None
    if response is not None:
        status, fields, body = response.status, response.fields, response.body
    elif record.type == "resource":
        status, fields, body = 200, (("content-type", own_type),), record.block
    else:
        problems["http_header"] += 1
        return None
    return Capture(
        kind="response",
        uri=uri,
        time=time,
        offset=record.offset,
        ip=ip_address(record.headers.get("warc-ip-address")),
        digest=record.headers.get("warc-payload-digest"),
        truncated=is_truncated(record.headers) or record.truncated,
        status=status,
        fields=fields,
        body=body,
    )


def _revisit(record: Record, problems: Problems) -> Capture | None:
    uri = web_uri(record.headers.get("warc-target-uri"))
    time = _time_of(record, problems) if uri else None
    if uri is None or time is None:
        return None
    response = parse_response(record.block)
    return Capture(
        kind="revisit",
        uri=uri,
        time=time,
        offset=record.offset,
        ip=ip_address(record.headers.get("warc-ip-address")),
        digest=record.headers.get("warc-payload-digest"),
        truncated=record.truncated,
        status=response.status if response else None,
        fields=response.fields if response else (),
        refers_to=web_uri(record.headers.get("warc-refers-to-target-uri")),
    )


def _failure(record: Record, problems: Problems) -> Capture | None:
    uri = web_uri(record.headers.get("warc-target-uri"))
    if uri is None or not record.headers.get("content-type", "").startswith(
        "application/warc-fields"
    ):
        return None
    said = header_fields(record.block.splitlines())
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
    )


def is_truncated(headers: dict[str, str]) -> bool:
    """Whether the writer says that the block is not whole, or goes on in another record."""
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
    """An IP address in its usual form; None if it is none."""
    try:
        return str(ipaddress.ip_address((text or "").strip().strip("[]")))
    except ValueError:
        return None
