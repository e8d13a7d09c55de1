"""What the client's methods return: a question that is asked when its answer is wanted.

Both kinds may be used from plain code and from coroutines, and ask anew each time they are used.
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
    """One thing: ``reply.result()``, or ``await reply``. Each asks the server.

    Raises:
        ClientError: the request failed.
    """

    def __init__(self, wires: Wires, ask: Callable[[Wire], Coroutine[Any, Any, T]]) -> None:
        self._wires = wires
        self._ask = ask

    def result(self) -> T:
        """Ask, and wait for the answer."""
        return run(self._ask(self._wires.blocking))

    def __await__(self) -> Generator[Any, Any, T]:
        return self._ask(self._wires.waiting).__await__()


class Rows(Generic[T]):
    """Any number of things: ``for row in rows``, or ``async for row in rows``.

    Each loop asks the server, and asks for more only when it gets there. ``rows.result()`` and
    ``await rows`` make a list of all.

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
        """All of them."""
        return list(self)

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self._all().__await__()

    async def _all(self) -> list[T]:
        return [row async for row in self]
