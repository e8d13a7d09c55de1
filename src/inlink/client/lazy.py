"""What the client's methods return: requests that are sent when their answers are needed.

Both kinds can be used from plain code and from coroutines, and send a new request for each use.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from inlink.client.wire import Blocking, Waiting, Wire, run

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wires:
    """A client's wires."""

    blocking: Blocking
    waiting: Waiting


class Reply(Generic[T]):
    """One answer: ``reply.result()``, or ``await reply``. Each use sends a request.

    Raises:
        ClientError: the request failed.
    """

    def __init__(self, wires: Wires, ask: Callable[[Wire], Coroutine[Any, Any, T]]) -> None:
        self._wires = wires
        self._ask = ask

    def result(self) -> T:
        """Send the request and wait for the answer."""
        return run(self._ask(self._wires.blocking))

    def __await__(self) -> Generator[Any, Any, T]:
        return self._ask(self._wires.waiting).__await__()


class Rows(Generic[T]):
    """Any number of rows: ``for row in rows``, or ``async for row in rows``.

    Each loop sends its own requests, and requests more rows only when it needs them.
    ``rows.result()`` and ``await rows`` return a list of all rows.

    Raises:
        ClientError: a request failed.
    """

    def __init__(
        self, wires: Wires, pages: Callable[[Wire], AsyncGenerator[Sequence[T], None]]
    ) -> None:
        self._wires = wires
        self._pages = pages

    def __iter__(self) -> Iterator[T]:
        pages = self._pages(self._wires.blocking)
        try:
            while True:
                yield from run(pages.__anext__())
        except StopAsyncIteration:
            return
        finally:
            run(pages.aclose())

    async def __aiter__(self) -> AsyncIterator[T]:
        async with aclosing(self._pages(self._wires.waiting)) as pages:
            async for page in pages:
                for row in page:
                    yield row

    def result(self) -> list[T]:
        """All rows."""
        return list(self)

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self._all().__await__()

    async def _all(self) -> list[T]:
        return [row async for row in self]
