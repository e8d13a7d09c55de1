"""The ledger: units taken from a key's balance, and what each key has used, a row for each day.

Balance and usage change in one transaction, so what a balance has lost is always the sum of the
usage. The database decides whether a balance suffices: in the statement that takes the units, so
any number of threads, processes and machines may charge one key.

A server charges through `Ledger`, which commits together what waits together (group commit): a
commit costs about as much for a hundred charges as for one.
"""

import datetime as dt
import threading
from concurrent.futures import Future
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import NamedTuple

from sqlalchemy import Connection, Engine, text

# An unlimited key is written too: null less the units stays null, and the row stays locked until
# the commit, so that the rows of USAGE are always locked in the order of the keys.
_TAKE = text("""
    UPDATE keys SET units_left = units_left - :units
    WHERE id = :key_id AND (units_left IS NULL OR units_left >= :units)
""")
_RECORD = text("""
    INSERT INTO usage (key_id, day, command, requests, units)
    VALUES (:key_id, :day, :command, :requests, :units)
    ON CONFLICT (key_id, day, command) DO UPDATE
    SET requests = usage.requests + excluded.requests, units = usage.units + excluded.units
""")


def post(connection: Connection, key_id: int, command: str, requests: int, units: int) -> bool:
    """Take *units* from a key and record them and *requests*, in the caller's transaction.

    Negative units are given back. False, and nothing is written, if the key has fewer units than
    that, or is no longer there. In one transaction, post in ascending order of keys: then two of
    them cannot wait for each other.
    """
    if connection.execute(_TAKE, {"key_id": key_id, "units": units}).rowcount == 0:
        return False
    day = dt.datetime.now(dt.UTC).date().isoformat()
    usage = {"key_id": key_id, "day": day, "command": command, "requests": requests, "units": units}
    connection.execute(_RECORD, usage)
    return True


class _Charge(NamedTuple):
    key_id: int
    command: str
    units: int
    granted: "Future[bool]"


class Ledger:
    """Charges requests to keys; for any number of threads of the process that made it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: SimpleQueue[_Charge | None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def charge(self, key_id: int, command: str, units: int) -> bool:
        """Take the units of one request; True, once it is committed, if the key had as many.

        Raises:
            SQLAlchemyError: it could not be committed.
            RuntimeError: the ledger is closed.
        """
        return self.submit(key_id, command, units).result()

    def submit(self, key_id: int, command: str, units: int) -> "Future[bool]":
        """What `charge` will return, or raise, for a caller that does not wait here.

        Raises:
            RuntimeError: the ledger is closed.
        """
        charge = _Charge(key_id, command, units, Future())
        with self._closing:
            if self._closed:
                raise RuntimeError("the ledger is closed")
            self._waiting.put(charge)
        return charge.granted

    def close(self) -> None:
        """Commit what waits, and take nothing more."""
        with self._closing:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            waiting = self._all_that_wait()
            charges = [charge for charge in waiting if charge is not None]
            self._commit(charges)
            if len(charges) < len(waiting):
                return

    def _all_that_wait(self) -> list[_Charge | None]:
        """At least one."""
        waiting = [self._waiting.get()]
        while True:
            try:
                waiting.append(self._waiting.get_nowait())
            except Empty:
                return waiting

    def _commit(self, charges: list[_Charge]) -> None:
        """Post *charges* in one transaction, then answer each of them."""
        charges.sort(key=_account)
        granted: list[bool] = []
        try:
            with self._engine.begin() as connection:
                for (key_id, command), alike in groupby(charges, key=_account):
                    units = [charge.units for charge in alike]
                    granted += _post_all(connection, key_id, command, units)
        except Exception as error:
            for charge in charges:
                charge.granted.set_exception(error)
        else:
            for charge, answer in zip(charges, granted, strict=True):
                charge.granted.set_result(answer)


def _account(charge: _Charge) -> tuple[int, str]:
    return charge.key_id, charge.command


def _post_all(connection: Connection, key_id: int, command: str, units: list[int]) -> list[bool]:
    """Which of these requests are granted: all if the balance suffices, else first come first."""
    if post(connection, key_id, command, len(units), sum(units)):
        return [True] * len(units)
    return [post(connection, key_id, command, 1, one) for one in units]
