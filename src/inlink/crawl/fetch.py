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
import contextlib
import datetime as dt
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import msgspec

from inlink import __version__
from inlink.crawl.addresses import Addresses, Resolve, is_local_name, system_resolve
from inlink.crawl.errors import FetchError
from inlink.extract.http import Fields, field, parse_response
from inlink.extract.limits import MAX_HEADER_BYTES
from inlink.extract.observe import HTML_TYPES, media_type
from inlink.store.settings import Settings

OTHER_BODY_BYTES = 64 << 10
"""Where the body of what is neither HTML nor XML nor text is cut off: it has no links to read."""

_READ = 1 << 16
_BODILESS = frozenset((204, 304))
_INTERIM_ANSWERS = 10
_ACCEPT = "text/html,application/xhtml+xml,*/*;q=0.5"
_ACCEPT_ENCODING = "gzip, br"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


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
        self._addresses = Addresses(
            allow_private=settings.allow_private_addresses,
            loopback_only=loopback_only,
            resolve=resolve,
        )
        self._allow_private = settings.allow_private_addresses
        self._proxy = urlsplit(settings.crawl_proxy) if settings.crawl_proxy else None
        self._limit = settings.max_body_megabytes * 1_000_000
        self._timeout = settings.fetch_timeout_seconds
        self._tls = ssl.create_default_context()

    async def get(self, url: str, conditions: Fields = ()) -> Fetched:
        """Fetch *url*, with *conditions* as further header fields; redirects are not followed.

        Raises:
            FetchError: there is no whole answer, or the address is not to be connected to.
        """
        with _causes():
            async with asyncio.timeout(self._timeout):
                return await self._get(url, conditions)

    async def _get(self, url: str, conditions: Fields) -> Fetched:
        at, start = dt.datetime.now(dt.UTC), time.monotonic()
        async with self._connected(url) as (reader, writer, ip):
            target, request = self._request(url, conditions)
            writer.write(request if target is None else target)
            await writer.drain()
            head = await _final_head(reader)
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

    @contextlib.asynccontextmanager
    async def _connected(
        self, url: str
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, str | None]]:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        if self._proxy:
            ip = None
            reader, writer = await self._through_proxy(host, port, secure=secure)
        else:
            ip, (reader, writer) = await self._directly(host, port, secure=secure)
        try:
            yield reader, writer, ip
        finally:
            writer.transport.abort()

    async def _directly(self, host: str, port: int, *, secure: bool) -> tuple[str, Streams]:
        refused: OSError | None = None
        for ip in (await self._addresses.of(host))[:3]:
            try:
                return ip, await asyncio.open_connection(
                    ip,
                    port,
                    limit=MAX_HEADER_BYTES,
                    ssl=self._tls if secure else None,
                    server_hostname=host if secure else None,
                )
            except ssl.SSLError:
                raise
            except OSError as error:
                refused = error
        assert refused is not None
        raise refused

    async def _through_proxy(self, host: str, port: int, *, secure: bool) -> Streams:
        """The proxy looks the name up, so only what the URL itself says can be checked here."""
        assert self._proxy is not None
        if not self._allow_private and is_local_name(host):
            raise FetchError("blocked", f"{host} is not public")
        reader, writer = await asyncio.open_connection(
            self._proxy.hostname, self._proxy.port or 3128, limit=MAX_HEADER_BYTES
        )
        if secure:
            authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            answer = parse_response(await _final_head(reader))
            if answer is None or answer.status != 200:
                status = answer.status if answer else "no status"
                raise FetchError("refused", f"the proxy answered CONNECT with {status}")
            await writer.start_tls(self._tls, server_hostname=host)
        return reader, writer

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
        if self._proxy and parts.scheme == "http":
            absolute = f"GET {url} HTTP/1.1\r\n{header}".encode("latin-1")
        return absolute, f"GET {path} HTTP/1.1\r\n{header}".encode("latin-1")


def user_agent(settings: Settings) -> str:
    """How the crawler names itself."""
    name = f"{settings.robot_name}/{__version__}"
    contact = settings.user_agent_contact
    return f"{name} (+{contact})" if contact else name


def _has_links(fields: Fields) -> bool:
    named = media_type(field(fields, "content-type"), b"")
    return named is None or named in HTML_TYPES or named.startswith("text/") or "xml" in named


@contextlib.contextmanager
def _causes() -> Iterator[None]:
    """Give the errors of the network the name of their cause."""
    try:
        yield
    except TimeoutError as error:
        raise FetchError("timeout", "the answer took too long") from error
    except ssl.SSLError as error:
        raise FetchError("tls", error.reason or str(error)) from error
    except ConnectionRefusedError as error:
        raise FetchError("refused", "the connection was refused") from error
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise FetchError("reset", "the connection was closed before the end") from error
    except OSError as error:
        raise FetchError("refused", error.strerror or str(error)) from error


async def _final_head(reader: asyncio.StreamReader) -> bytes:
    """The header of the answer, after those of interim ones (1xx)."""
    for _ in range(_INTERIM_ANSWERS):
        head = await _head(reader)
        response = parse_response(head)
        if response is None or not 100 <= response.status < 200 or response.status == 101:
            return head
    raise FetchError("http", "too many interim answers")


async def _head(reader: asyncio.StreamReader) -> bytes:
    lines: list[bytes] = []
    size = 0
    while not lines or lines[-1].strip(b"\r\n"):
        line = await _line(reader)
        size += len(line)
        if size > MAX_HEADER_BYTES:
            raise FetchError("http", f"the header is longer than {MAX_HEADER_BYTES} bytes")
        lines.append(line)
    return b"".join(lines)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise FetchError("http", f"a line is longer than {MAX_HEADER_BYTES} bytes") from error


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
        line = await _line(reader)
        body += line
        size = _chunk_size(line)
        if size == 0:
            return bytes(body + await _trailer(reader)), False
        wanted = min(size + 2, limit - len(body))
        body += await reader.readexactly(wanted)
    return bytes(body), True


def _chunk_size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0].strip(), 16)
    except ValueError as error:
        raise FetchError("http", f"{line[:40]!r} is no length of a chunk") from error


async def _trailer(reader: asyncio.StreamReader) -> bytes:
    lines = bytearray()
    while len(lines) < MAX_HEADER_BYTES:
        line = await _line(reader)
        lines += line
        if not line.strip(b"\r\n"):
            break
    return bytes(lines)
