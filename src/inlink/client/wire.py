"""The network and the clock, in two forms: blocking, and on an event loop.

Everything else is written once, as coroutines over a `Wire`. Over `Blocking` they never wait on an
event loop, so `run` completes them in a plain call; over `Waiting` they are awaited.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx

T = TypeVar("T")


class Wire(Protocol):
    """The operations of the client that take time."""

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The complete answer. Redirects are not followed, because the key is in the URL."""

    async def open(self, request: httpx.Request) -> httpx.Response:
        """The answer, with its body unread; the caller closes it. Redirects are followed."""

    def chunks(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body of an opened answer, as it is sent."""

    async def close(self, response: httpx.Response) -> None:
        """Return the connection of an answer to the pool."""

    async def pause(self, seconds: float) -> None:
        """Wait for *seconds*."""


@dataclass(frozen=True, slots=True)
class Blocking:
    """The wire of plain calls."""

    client: httpx.Client

    async def send(self, request: httpx.Request) -> httpx.Response:
        """See `Wire`."""
        return self.client.send(request)

    async def open(self, request: httpx.Request) -> httpx.Response:
        """See `Wire`."""
        return self.client.send(request, stream=True, follow_redirects=True)

    async def chunks(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """See `Wire`."""
        for chunk in response.iter_raw():
            yield chunk

    async def close(self, response: httpx.Response) -> None:
        """See `Wire`."""
        response.close()

    async def pause(self, seconds: float) -> None:
        """See `Wire`."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The wire of an event loop."""

    client: httpx.AsyncClient

    async def send(self, request: httpx.Request) -> httpx.Response:
        """See `Wire`."""
        return await self.client.send(request)

    async def open(self, request: httpx.Request) -> httpx.Response:
        """See `Wire`."""
        return await self.client.send(request, stream=True, follow_redirects=True)

    async def chunks(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """See `Wire`."""
        async for chunk in response.aiter_raw():
            yield chunk

    async def close(self, response: httpx.Response) -> None:
        """See `Wire`."""
        await response.aclose()

    async def pause(self, seconds: float) -> None:
        """See `Wire`."""
        await asyncio.sleep(seconds)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over `Blocking` until it is complete."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("a coroutine over a blocking wire waited for an event loop")
