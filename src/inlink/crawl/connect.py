"""Connections: to the address of a host that was judged, or through a forward proxy.

In: a URL. Out: the streams of a connection to its host, encrypted for https, and the address.
Errors of the network get the name of their cause here.
"""

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from inlink.crawl.addresses import Addresses, Resolve, is_local_name
from inlink.crawl.errors import FetchError, ProxyError
from inlink.store.configuration import Settings
from inlink.web.http import parse_response
from inlink.web.limits import MAX_HEADER_BYTES

_ADDRESSES_TRIED = 3
_INTERIM_ANSWERS = 10


class Connection(NamedTuple):
    """An open connection; *ip* is None where only the proxy knows it."""

    reader: StreamReader
    writer: StreamWriter
    ip: str | None


class Connector:
    """Connects by the rules of *settings*; *loopback_only* says not to leave this machine."""

    def __init__(self, settings: Settings, *, loopback_only: bool, resolve: Resolve) -> None:
        self._addresses = Addresses(
            allow_private=settings.allow_private_addresses,
            loopback_only=loopback_only,
            resolve=resolve,
        )
        self._allow_private = settings.allow_private_addresses
        self._proxy = urlsplit(settings.crawl_proxy) if settings.crawl_proxy else None
        self._tls = ssl.create_default_context()

    @contextlib.asynccontextmanager
    async def to(self, url: str) -> AsyncIterator[Connection]:
        """A connection for one request to the host of *url*.

        Raises:
            FetchError: there is none to be had.
            ProxyError: the proxy cannot be reached.
        """
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = (443 if secure else 80) if parts.port is None else parts.port
        connect = self._through_proxy if self._proxy else self._directly
        connection = await connect(host, port, secure=secure)
        try:
            if secure and self._proxy:
                await self._tunnel(connection, host, port)
            yield connection
        finally:
            connection.writer.transport.abort()

    async def _directly(self, host: str, port: int, *, secure: bool) -> Connection:
        for ip in (await self._addresses.of(host))[:_ADDRESSES_TRIED]:
            try:
                streams = await asyncio.open_connection(
                    ip,
                    port,
                    limit=MAX_HEADER_BYTES,
                    ssl=self._tls if secure else None,
                    server_hostname=host if secure else None,
                )
                return Connection(*streams, ip)
            except ssl.SSLError:
                raise
            except OSError as error:
                refused = error
        raise refused

    async def _through_proxy(self, host: str, port: int, *, secure: bool) -> Connection:
        """The proxy looks the name up, so only what the URL itself says can be checked here."""
        assert self._proxy is not None
        if not self._allow_private and is_local_name(host):
            raise FetchError("blocked", f"{host} is not public")
        try:
            streams = await asyncio.open_connection(
                self._proxy.hostname, self._proxy.port or 3128, limit=MAX_HEADER_BYTES
            )
        except OSError as error:
            raise ProxyError(f"the proxy {self._proxy.geturl()} cannot be reached") from error
        return Connection(*streams, None)

    async def _tunnel(self, connection: Connection, host: str, port: int) -> None:
        reader, writer, _ = connection
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        answer = parse_response(await final_head(reader))
        if answer is None or answer.status != 200:
            status = answer.status if answer else "no status"
            raise FetchError("refused", f"the proxy answered CONNECT with {status}")
        await writer.start_tls(self._tls, server_hostname=host)


@contextlib.contextmanager
def named_causes() -> Iterator[None]:
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
    except UnicodeError as error:  # a label that is too long for DNS and TLS
        raise FetchError("dns", str(error)) from error


async def final_head(reader: StreamReader) -> bytes:
    """The header of the answer, after those of interim ones (1xx)."""
    for _ in range(_INTERIM_ANSWERS):
        head = await _head(reader)
        response = parse_response(head)
        if response is None or not 100 <= response.status < 200:
            return head
        if response.status == 101:
            raise FetchError("http", "the answer switches to another protocol, unrequested")
    raise FetchError("http", "too many interim answers")


async def _head(reader: StreamReader) -> bytes:
    lines: list[bytes] = []
    size = 0
    while not lines or lines[-1].strip(b"\r\n"):
        read = await _line(reader)
        size += len(read)
        if size > MAX_HEADER_BYTES:
            raise FetchError("http", f"the header is longer than {MAX_HEADER_BYTES} bytes")
        lines.append(read)
    return b"".join(lines)


async def _line(reader: StreamReader) -> bytes:
    """The next line, with its end."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise FetchError("http", f"a line is longer than {MAX_HEADER_BYTES} bytes") from error
