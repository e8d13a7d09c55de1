"""One GET, with the bytes of request and answer as they went over the wire.

In: a canonical URL and the fields of a conditional request. Out: `Fetched`, or a `FetchError` with
a cause. HTTP clients give the fields of an answer, but not its bytes, which a WARC record wants; so
the framing of HTTP/1.1 (https://www.rfc-editor.org/rfc/rfc9112#section-6) is read here, on the
streams of asyncio. Nothing is decoded, so an answer takes no more memory than the limit on bytes.

A body that ends before its length, or that takes too long, is a failed fetch and not a short page:
the links behind the place where it broke off would count as lost. One that is longer than the limit
is cut there, at each visit in the same place.
"""

import asyncio
import datetime as dt
import time
from urllib.parse import urlsplit

import msgspec

from inlink import __version__
from inlink.crawl.addresses import Resolve, system_resolve
from inlink.crawl.connect import Connector, final_head, line, named_causes
from inlink.crawl.errors import FetchError
from inlink.extract.http import Fields, field, parse_response
from inlink.extract.limits import MAX_HEADER_BYTES
from inlink.extract.media_types import HTML_TYPES, media_type
from inlink.store.settings import Settings

OTHER_BODY_BYTES = 64 << 10
"""Where the body of what is neither HTML nor XML nor text is cut off: it has no links to read."""

_READ = 1 << 16
_BODILESS = frozenset((204, 304))
_ACCEPT = "text/html,application/xhtml+xml,*/*;q=0.5"
_ACCEPT_ENCODING = "gzip, br"


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
        self._limit = settings.max_body_megabytes * 1_000_000
        self._timeout = settings.fetch_timeout_seconds

    async def get(self, url: str, conditions: Fields = ()) -> Fetched:
        """Fetch *url*, with *conditions* as further header fields; redirects are not followed.

        Raises:
            FetchError: there is no whole answer, or the address is not to be connected to.
            ProxyError: the proxy cannot be reached.
        """
        with named_causes():
            async with asyncio.timeout(self._timeout):
                return await self._get(url, conditions)

    async def _get(self, url: str, conditions: Fields) -> Fetched:
        at, start = dt.datetime.now(dt.UTC), time.monotonic()
        async with self._connector.to(url) as (reader, writer, ip):
            target, request = self._request(url, conditions)
            writer.write(request if target is None else target)
            await writer.drain()
            head = await final_head(reader)
            response = parse_response(head)
            if response is None:
                raise FetchError("http", f"the answer begins with {head[:40]!r}")
            limit = self._limit if _has_links(response.fields) else OTHER_BODY_BYTES
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
            *conditions,
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


def _has_links(fields: Fields) -> bool:
    named = media_type(fields, b"")
    if named is None or named.essence in HTML_TYPES:
        return True
    return named.essence.startswith("text/") or "xml" in named.essence


async def _body(
    reader: asyncio.StreamReader, status: int, fields: Fields, limit: int
) -> tuple[bytes, bool]:
    """The body as sent, at most *limit* bytes of it, and whether there is more."""
    if status in _BODILESS:
        return b"", False
    if "chunked" in (field(fields, "transfer-encoding") or "").lower():
        return await _chunks(reader, limit)
    length = _content_length(fields)
    body = await _at_most(reader, limit if length is None else min(length, limit))
    if length is None:
        return body, len(body) == limit and not reader.at_eof()
    if len(body) < min(length, limit):
        raise FetchError("reset", f"the body ended after {len(body)} of {length} bytes")
    return body, length > limit


def _content_length(fields: Fields) -> int | None:
    """https://www.rfc-editor.org/rfc/rfc9112#section-6.3: equal ones may be repeated."""
    said = {
        part.strip()
        for name, value in fields
        if name == "content-length"
        for part in value.split(",")
    }
    if not said:
        return None
    value = said.pop()
    if said or not (value.isascii() and value.isdigit()):
        raise FetchError("http", "the Content-Length is no number, or several")
    return int(value)


async def _at_most(reader: asyncio.StreamReader, size: int) -> bytes:
    body = bytearray()
    while len(body) < size and (piece := await reader.read(min(_READ, size - len(body)))):
        body += piece
    return bytes(body)


async def _chunks(reader: asyncio.StreamReader, limit: int) -> tuple[bytes, bool]:
    """A chunked body with its framing: what was sent, byte for byte."""
    body = bytearray()
    while len(body) < limit:
        beginning = await line(reader)
        body += beginning
        size = _chunk_size(beginning)
        if size == 0:
            return bytes(body + await _trailer(reader)), False
        wanted = min(size + 2, limit - len(body))
        body += await reader.readexactly(wanted)
    return bytes(body), True


def _chunk_size(beginning: bytes) -> int:
    try:
        return int(beginning.partition(b";")[0].strip(), 16)
    except ValueError as error:
        raise FetchError("http", f"{beginning[:40]!r} is no length of a chunk") from error


async def _trailer(reader: asyncio.StreamReader) -> bytes:
    lines = bytearray()
    while len(lines) < MAX_HEADER_BYTES:
        read = await line(reader)
        lines += read
        if not read.strip(b"\r\n"):
            break
    return bytes(lines)
