"""One GET, with the bytes of request and answer as they went over the wire.

In: a canonical URL, the fields of a conditional request, and how long a body may be. Out:
`Fetched`, or a `FetchError` with a cause. HTTP clients give the fields of an answer, but not its
bytes, which a WARC record wants; so the framing of HTTP/1.1
(https://www.rfc-editor.org/rfc/rfc9112#section-6) is read here, on the streams of asyncio, and
strictly: a length that the standard does not allow makes the answer malformed. Nothing is decoded,
so an answer takes no more memory than the limit on bytes.

A body that ends before its length, or that takes too long, is a failed fetch and not a short page:
the links behind the place where it broke off would count as lost. One that is longer than the limit
is cut there, at each visit in the same place.
"""

import asyncio
import datetime as dt
import re
import time
from urllib.parse import urlsplit

import msgspec

from inlink import __version__
from inlink.crawl.addresses import Resolve, system_resolve
from inlink.crawl.connect import Connector, final_head, named_causes
from inlink.crawl.errors import FetchError
from inlink.store.configuration import Settings
from inlink.web.http import Fields, parse_response
from inlink.web.limits import MAX_HEADER_BYTES

MAX_CHUNKS = 1_000_000
"""Chunks of one body: with more, to look at them would take longer than to fetch them."""

_READ = 1 << 16
_BODILESS = frozenset((204, 304))
_ACCEPT = "text/html,application/xhtml+xml,*/*;q=0.5"
_ACCEPT_ENCODING = "gzip, br"
_LENGTH = re.compile(r"0*(\d{1,15})", re.ASCII)  # nothing has a length of more digits
_CHUNK_BEGINNING = re.compile(rb"0*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
_SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer, as bytes and as what they mean."""

    url: str
    at: dt.datetime
    """When it was asked for."""
    seconds: float
    ip: str | None
    """None: the proxy knows."""
    request: bytes
    head: bytes
    """Status line and header fields of the answer, up to and with the empty line."""
    body: bytes
    """As sent: with the framing of chunks, and encoded."""
    cut: bool
    """The body is longer, but was not read further."""
    status: int
    fields: Fields


class Fetcher:
    """Fetches URLs by the rules of *settings*; *loopback_only* says not to leave this machine."""

    def __init__(
        self,
        settings: Settings,
        *,
        loopback_only: bool = False,
        resolve: Resolve = system_resolve,
    ) -> None:
        self.user_agent = user_agent(settings)
        self._connector = Connector(settings, loopback_only=loopback_only, resolve=resolve)
        self._proxied = settings.crawl_proxy is not None
        self._page_limit = settings.max_body_megabytes * 1_000_000
        self._timeout = settings.fetch_timeout_seconds

    async def get(self, url: str, conditions: Fields = (), limit: int | None = None) -> Fetched:
        """Fetch *url*; redirects are not followed.

        *conditions* are further header fields; one that cannot be sent as it was received (RFC 9110
        5.5: visible ASCII) is left out. *limit* is how many bytes of the body are read; None: as
        many as of a page.

        Raises:
            FetchError: there is no whole answer, or the address is not to be connected to.
            ProxyError: the proxy cannot be reached.
        """
        with named_causes():
            async with asyncio.timeout(self._timeout):
                return await self._get(url, conditions, limit or self._page_limit)

    async def _get(self, url: str, conditions: Fields, limit: int) -> Fetched:
        at, start = dt.datetime.now(dt.UTC), time.monotonic()
        async with self._connector.to(url) as (reader, writer, ip):
            target, request = self._request(url, conditions)
            writer.write(request if target is None else target)
            await writer.drain()
            head = await final_head(reader)
            response = parse_response(head)
            if response is None:
                raise FetchError("http", f"the answer begins with {head[:40]!r}")
            body, cut = await _body(reader, response.status, response.fields, limit)
        return Fetched(
            url=url,
            at=at,
            seconds=time.monotonic() - start,
            ip=ip,
            request=request,
            head=head,
            body=body,
            cut=cut,
            status=response.status,
            fields=response.fields,
        )

    def _request(self, url: str, conditions: Fields) -> tuple[bytes | None, bytes]:
        """What a proxy is sent in place of the request (None: nothing else), and the request."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if "?" in url else "")
        fields = (
            ("Host", parts.netloc.rpartition("@")[2]),
            ("User-Agent", self.user_agent),
            ("Accept", _ACCEPT),
            ("Accept-Encoding", _ACCEPT_ENCODING),
            *(condition for condition in conditions if _SENDABLE.fullmatch(condition[1])),
            ("Connection", "close"),
        )
        header = "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
        absolute = None
        if self._proxied and parts.scheme == "http":
            absolute = f"GET {url} HTTP/1.1\r\n{header}".encode("latin-1")
        return absolute, f"GET {path} HTTP/1.1\r\n{header}".encode("latin-1")


def user_agent(settings: Settings) -> str:
    """How the crawler names itself."""
    name = f"{settings.robot_name}/{__version__}"
    contact = settings.user_agent_contact
    return f"{name} (+{contact})" if contact else name


async def _body(
    reader: asyncio.StreamReader, status: int, fields: Fields, limit: int
) -> tuple[bytes, bool]:
    """The body as sent, at most *limit* bytes of it, and whether there is more."""
    if status in _BODILESS:
        return b"", False
    codings = [name for name in _listed(fields, "transfer-encoding") if name != "identity"]
    if codings[-1:] == ["chunked"]:
        return await _chunks(reader, limit)
    length = None if codings else _content_length(fields)
    body = await _at_most(reader, limit if length is None else min(length, limit))
    if length is None:
        return body, len(body) == limit and not reader.at_eof()
    if len(body) < min(length, limit):
        raise FetchError("reset", f"the body ended after {len(body)} of {length} bytes")
    return body, length > limit


def _listed(fields: Fields, name: str) -> list[str]:
    """The members of a field that is a list, in lower case, wherever they stand."""
    values = (value for own, value in fields if own == name)
    return [member.strip().lower() for value in values for member in value.split(",")]


def _content_length(fields: Fields) -> int | None:
    """https://www.rfc-editor.org/rfc/rfc9112#section-6.3: equal ones may be repeated."""
    matches = [_LENGTH.fullmatch(member) for member in _listed(fields, "content-length")]
    lengths = {match and int(match[1]) for match in matches}
    if len(lengths) > 1 or None in lengths:
        raise FetchError("http", "the Content-Length is not a length, or there are several")
    return lengths.pop() if lengths else None


async def _at_most(reader: asyncio.StreamReader, size: int) -> bytes:
    body = bytearray()
    while len(body) < size and (piece := await reader.read(min(_READ, size - len(body)))):
        body += piece
    return bytes(body)


async def _chunks(reader: asyncio.StreamReader, limit: int) -> tuple[bytes, bool]:
    """A chunked body with its framing: what was sent, byte for byte.

    https://www.rfc-editor.org/rfc/rfc9112#section-7.1, and as browsers do, spaces behind the size
    and lines that end in a bare LF.
    """
    body = bytearray()
    position = 0
    for _ in range(MAX_CHUNKS):
        start = await _line_end(reader, body, position)
        match = _CHUNK_BEGINNING.fullmatch(body, position, start)
        if match is None:
            said = bytes(body[position : min(start, position + 40)])
            raise FetchError("http", f"{said!r} is not the length of a chunk")
        end = start + int(match[1], 16)
        if end == start:
            return bytes(body[: await _trailer_end(reader, body, start)]), False
        while len(body) < min(end, limit):
            await _read_into(reader, body)
        if end >= limit:
            return bytes(body[:limit]), True
        position = await _line_end(reader, body, end)
        if body[end:position].strip(b"\r\n"):
            raise FetchError("http", f"a chunk is longer than its {end - start} bytes")
    raise FetchError("http", f"the body has more than {MAX_CHUNKS:,} chunks")


async def _trailer_end(reader: asyncio.StreamReader, body: bytearray, start: int) -> int:
    """Where the fields behind the last chunk end, with the empty line."""
    position = start
    while position - start <= MAX_HEADER_BYTES:
        end = await _line_end(reader, body, position)
        if not body[position:end].strip(b"\r\n"):
            return end
        position = end
    raise FetchError("http", f"the trailer is longer than {MAX_HEADER_BYTES} bytes")


async def _line_end(reader: asyncio.StreamReader, body: bytearray, start: int) -> int:
    """Where the line at *start* ends, with its LF."""
    end = 0
    while not end:
        end = body.find(b"\n", start) + 1
        if (end or len(body)) - start > MAX_HEADER_BYTES:
            raise FetchError("http", f"a line is longer than {MAX_HEADER_BYTES} bytes")
        if not end:
            await _read_into(reader, body)
    return end


async def _read_into(reader: asyncio.StreamReader, body: bytearray) -> None:
    piece = await reader.read(_READ)
    if not piece:
        raise asyncio.IncompleteReadError(b"", None)
    body += piece
