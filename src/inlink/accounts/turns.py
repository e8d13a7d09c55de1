"""Charges of requests that were read in one turn of the event loop, committed together.

In: charges, from coroutines of one event loop. Out: whether each is granted. Those that are made
while the loop goes through what is ready are committed when it is through: of one request that is
a moment later, of many at once it is one commit instead of many.
"""

import asyncio

from inlink.accounts.ledger import Charge, Ledger

Granted = asyncio.Future[bool | None]
"""None: it could not be said without waiting."""


class Turns:
    """Charges requests through *ledger*; for one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: list[tuple[Charge, Granted]] = []

    async def charge(self, charge: Charge) -> bool:
        """Take the units of one request; True, once it is committed, if the key had as many.

        Raises:
            sqlite3.Error, SQLAlchemyError: it could not be committed.
            RuntimeError: the ledger is closed.
        """
        loop = asyncio.get_running_loop()
        if not self._held:
            loop.call_soon(self._commit)
        held: Granted = loop.create_future()
        self._held.append((charge, held))
        granted = await held
        if granted is None:
            submitted = asyncio.wrap_future(self._ledger.submit(*charge))
            return await asyncio.shield(submitted)  # it is charged though the client leaves
        return granted

    def _commit(self) -> None:
        held, self._held = self._held, []
        try:
            granted = self._ledger.post_at_once([charge for charge, _ in held])
        except Exception as error:  # each request tells it
            for _, future in held:
                if not future.done():  # the client left
                    future.set_exception(error)
            return
        for place, (_, future) in enumerate(held):
            if not future.done():
                future.set_result(None if granted is None else granted[place])
