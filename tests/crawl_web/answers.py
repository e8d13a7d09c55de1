"""What a host does with a request: it answers well, badly, late, without end, or not at all.

An answer is a coroutine function that is given the writer of the connection.
"""

import asyncio
import gzip
from asyncio import StreamWriter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

Answer = Callable[[StreamWriter], Coroutine[Any, Any, None]]
Headers = dict[str, str]

HTML = {"Content-Type": "text/html; charset=utf-8"}


def head(status: int, headers: Headers) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Whatever",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def send(data: bytes) -> Answer:
    """These bytes, and then the end."""

    async def answer(writer: StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def reply(status: int, headers: Headers, body: bytes = b"") -> Answer:
    return send(head(status, {**headers, "Content-Length": str(len(body))}) + body)


def page(*links: str, extra: str = "", headers: Headers | None = None) -> Answer:
    return reply(200, {**HTML, **(headers or {})}, markup(*links, extra=extra))


def markup(*links: str, extra: str = "") -> bytes:
    anchors = "\n".join(
        link if link.startswith("<") else f'<p>See <a href="{link}">there</a>.</p>'
        for link in links
    )
    document = f"<!DOCTYPE html><html><head><title>A page</title>{extra}</head><body>{anchors}"
    return f"{document}</body></html>".encode()


def redirect(location: str, status: int = 301) -> Answer:
    return reply(status, {**HTML, "Location": location})


def text(body: str) -> Answer:
    return reply(200, {"Content-Type": "text/plain"}, body.encode())


def zipped(body: bytes) -> Answer:
    return reply(200, {**HTML, "Content-Encoding": "gzip"}, gzip.compress(body, mtime=0))


def chunked(body: bytes, *, ending: bytes = b"0\r\n\r\n") -> Answer:
    half = len(body) // 2
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:half], body[half:]))
    return send(head(200, {**HTML, "Transfer-Encoding": "chunked"}) + pieces + ending)


def without_length(body: bytes) -> Answer:
    """As HTTP/1.0 had it, with line ends as they should not be."""
    return send(b"HTTP/1.0 200 OK\nContent-Type: text/html\nX-Folded: one\n two\n\n" + body)


def after_hints(body: bytes) -> Answer:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    return send(hints + head(200, {**HTML, "Content-Length": str(len(body))}) + body)


def wrong_length(body: bytes, length: int) -> Answer:
    return send(head(200, {**HTML, "Content-Length": str(length)}) + body)


async def hang(writer: StreamWriter) -> None:
    """Nothing, until the other side has had enough."""
    await asyncio.sleep(3600)


async def reset(writer: StreamWriter) -> None:
    writer.transport.abort()
    await asyncio.sleep(0)


def reset_within(body: bytes) -> Answer:
    async def answer(writer: StreamWriter) -> None:
        writer.write(head(200, {**HTML, "Content-Length": str(len(body))}) + body[: len(body) // 2])
        await writer.drain()
        writer.transport.abort()

    return answer


def slow(body: bytes) -> Answer:
    """A byte now and then; it would take minutes."""

    async def answer(writer: StreamWriter) -> None:
        writer.write(head(200, {**HTML, "Content-Length": str(len(body) + 1000)}) + body)
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.2)

    return answer


def endless(body: bytes, *, in_chunks: bool) -> Answer:
    """The page, and then white space for ever."""
    filling = b" " * 50_000

    async def answer(writer: StreamWriter) -> None:
        headers = {**HTML, **({"Transfer-Encoding": "chunked"} if in_chunks else {})}
        writer.write(head(200, headers))
        piece = body
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if in_chunks else piece)
            await writer.drain()
            piece = filling

    return answer


@dataclass(frozen=True)
class Tagged:
    """A page with an ETag: who has it already is answered 304."""

    etag: str
    answer: Answer

    async def __call__(self, writer: StreamWriter) -> None:
        await self.answer(writer)

    def to(self, headers: Headers) -> Answer:
        """The answer to a request with such fields."""
        known = headers.get("if-none-match") == self.etag
        return reply(304, {"ETag": self.etag}) if known else self.answer


def first(times: int, before: Answer, after: Answer) -> Answer:
    """*before* so many times, then *after*."""
    count = 0

    async def answer(writer: StreamWriter) -> None:
        nonlocal count
        count += 1
        await (before if count <= times else after)(writer)

    return answer
