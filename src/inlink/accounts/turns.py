"""Commit the charges of all requests that were read in one turn of the event loop together.

In: charges, from coroutines of one event loop. Out: whether each is granted. Charges that are made
while the loop runs its ready callbacks are committed after the last of them. One request is
committed a moment later; many at once need one commit instead of many.
"""

import asyncio
from collections.abc import Sequence

from inlink.accounts.ledger import Charge, Ledger

Answer = bool | asyncio.Future[bool]
"""Whether a charge is granted; a future if the answer has to be waited for."""


class Turns:
    """Charges requests through *ledger*; for one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: list[tuple[Charge, asyncio.Future[Answer]]] = []

    async def charge(self, charge: Charge) -> bool:
        """Take the units of one request; True, once committed, if the key had enough.

        Raises:
            sqlite3.Error, SQLAlchemyError: the charge could not be committed.
            RuntimeError: the ledger is closed.
        """
        loop = asyncio.get_running_loop()
        if not self._held:
            loop.call_soon(self._commit)
        held: asyncio.Future[Answer] = loop.create_future()
        self._held.append((charge, held))
        granted = await held
        if isinstance(granted, bool):
            return granted
        return await asyncio.shield(granted)  # the ledger continues even if the client leaves

    def _commit(self) -> None:
        held, self._held = self._held, []
        charges = [charge for charge, _ in held]
        try:
            answers: Sequence[Answer] | None = self._ledger.post_at_once(charges)
            if answers is None:  # the ledger's thread waits for the database
                answers = [asyncio.wrap_future(self._ledger.submit(*each)) for each in charges]
        except Exception as error:  # each request raises it
            for _, future in held:
                if not future.done():  # the client left
                    future.set_exception(error)
            return
        for (_, future), answer in zip(held, answers, strict=True):
            if not future.done():
                future.set_result(answer)
