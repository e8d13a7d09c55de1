"""A web on loopback: a forward proxy that answers for every host by itself.

In: what each URL answers. Out: HTTP/1.1 over the proxy's port, for https after CONNECT with a
certificate of an authority made for the purpose. Answers have an ETag, and a request that names it
gets a 304.
"""

import asyncio
import contextlib
import hashlib
import http
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import trustme

from demo.model import Answer

HOST = "127.0.0.1"
PATIENCE = 10.0
"""Seconds to wait for a request."""

Answers = Callable[[str], Answer | None]
"""What a URL answers; None: the server closes the connection instead."""


@contextlib.contextmanager
def serving(answers: Answers, hosts: Iterable[str], authority: Path) -> Iterator[str]:
    """Serve *answers* meanwhile; the URL of the proxy.

    *authority* gets the certificate to trust for https on the *hosts*.
    """
    maker = trustme.CA()
    maker.cert_pem.write_to_path(authority)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    maker.issue_cert(*hosts).configure_cert(tls)
    proxy = _Proxy(answers, tls)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(proxy.serve, HOST, 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Proxy:
    def __init__(self, answers: Answers, tls: ssl.SSLContext) -> None:
        self._answers = answers
        self._tls = tls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                url, fields = await self._request(reader, writer)
                answer = self._answers(url)
                if answer is not None:
                    writer.write(_message(answer, fields.get("if-none-match")))
                    await writer.drain()
        writer.close()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, dict[str, str]]:
        method, target, fields = await _head(reader)
        if method != "CONNECT":
            return target, fields
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await writer.start_tls(self._tls)
        _, path, fields = await _head(reader)
        return f"https://{target.removesuffix(':443')}{path}", fields


async def _head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    """Method, target and fields of a request."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    return method, target, {name.lower(): value.strip() for name, _, value in pairs}


def _message(answer: Answer, known: str | None) -> bytes:
    tag = f'"{hashlib.sha256(repr(answer).encode()).hexdigest()[:16]}"'
    if answer.status == 200 and known == tag:
        answer = Answer(304, ())
    fields = [
        *answer.headers,
        *([("ETag", tag)] if answer.status in (200, 304) else []),
        ("Content-Length", str(len(answer.body))),
        ("Connection", "close"),
    ]
    status = http.HTTPStatus(answer.status)
    lines = [f"HTTP/1.1 {status} {status.phrase}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode() + answer.body
