"""A forward proxy on loopback that answers as every host of a web, and keeps a log.

Requests for http have an absolute URL; https comes by CONNECT, for which the hosts have
certificates of a CA that is made for the run. The demo and the tests of the crawler use it to serve
their webs.
"""

import asyncio
import contextlib
import ssl
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme


@dataclass
class Request:
    """One line of the log; times are those of the server's clock, in seconds.

    It is logged before the client has any part of the answer. The times err on one side only,
    however late this process is: the time from the end of one request to the beginning of the next
    is never shorter than the client waited.
    """

    url: str
    method: str
    headers: dict[str, str]
    begin: float
    """When the request was read, after the client sent it."""
    end: float
    """When the last part of the answer so far was about to be written, so before it arrived."""

    @property
    def host(self) -> str:
        """The requested host."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_robots(self) -> bool:
        """Whether the request was for robots.txt."""
        return urlsplit(self.url).path == "/robots.txt"


Answer = Callable[[StreamWriter], Coroutine[Any, Any, None]]
"""Answers a request by writing to its connection."""

Web = Callable[[str, dict[str, str]], Answer | None]
"""Returns what to do with a request for a URL with header fields; None: 404."""


class _TimedWriter(StreamWriter):
    """Writes to the connection of *writer*, and records in *request* when it last began to."""

    def __init__(self, writer: StreamWriter, reader: StreamReader, request: Request) -> None:
        transport = writer.transport
        protocol = transport.get_protocol()
        super().__init__(transport, protocol, reader, asyncio.get_running_loop())
        self._request = request

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._request.end = time.time()
        super().write(data)


class Server:
    """The proxy; *web* may be changed between two crawls."""

    def __init__(self, web: Web, ca: trustme.CA, untrusted: frozenset[str] = frozenset()) -> None:
        self.web = web
        self.log: list[Request] = []
        self.address = ""
        self._ca = ca
        self._untrusted = untrusted
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection, with one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        method, target, headers = await _request(reader)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await writer.start_tls(self._context(target.partition(":")[0]))
            method, path, headers = await _request(reader)
            target = f"https://{headers['host']}{path}"
        if target.startswith("/"):  # not through the proxy
            target = f"http://{headers['host']}{target}"
        begin = time.time()
        request = Request(target, method, headers, begin, begin)
        self.log.append(request)
        timed = _TimedWriter(writer, reader, request)
        try:
            await _until_gone(reader, (self.web(target, headers) or _nothing)(timed))
        finally:
            timed.close()

    def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            ca = trustme.CA() if host in self._untrusted else self._ca
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ca.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]


async def _nothing(writer: StreamWriter) -> None:
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def _until_gone(reader: StreamReader, answer: Coroutine[Any, Any, None]) -> None:
    """Run *answer* until it is complete or the client disconnects."""
    gone = asyncio.ensure_future(reader.read())
    answering = asyncio.ensure_future(answer)
    await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
    for task in (gone, answering):
        task.cancel()
    await asyncio.gather(gone, answering, return_exceptions=True)


async def _request(reader: StreamReader) -> tuple[str, str, dict[str, str]]:
    text = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *lines = text.split("\r\n")
    method, target, _ = line.split(" ")
    pairs = (field.partition(":") for field in lines if field)
    return method, target, {name.lower(): value.strip() for name, _, value in pairs}


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run *server* in a thread, at a free address."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    thread = threading.Thread(target=_serve, args=(loop, server, started))
    thread.start()
    started.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _serve(loop: asyncio.AbstractEventLoop, server: Server, started: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    listening = loop.run_until_complete(asyncio.start_server(server.answer, "127.0.0.1", 0))
    server.address = "http://{}:{}".format(*listening.sockets[0].getsockname())
    started.set()
    loop.run_forever()
    listening.close()
    loop.run_until_complete(asyncio.sleep(0.1))
    loop.close()


def ca_file(ca: trustme.CA, directory: Path) -> Path:
    """Write the certificate of *ca* to a file for OpenSSL's ``SSL_CERT_FILE``; returns its path."""
    path = directory / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path
