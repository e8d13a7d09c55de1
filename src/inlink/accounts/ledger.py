"""The ledger: it takes units from a key's balance and records the key's usage, a row for each day.

Balance and usage change in one transaction, so the units taken from a balance always equal the sum
of the usage. The statement that takes the units also checks, in the database, that the balance
suffices. So any number of threads, processes and machines may charge one key.

A server charges through `Ledger`, which commits waiting charges together (group commit): a commit
costs about as much for a hundred charges as for one. If the database is a file that nothing else
writes to at that moment, a commit takes less time than waking the thread that commits. In that
case `Ledger.post_at_once` commits in the caller's thread.
"""

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Engine, text

CHECKPOINT_AFTER = 500  # commits by `post_at_once`; each adds a few pages to the write-ahead log

# An unlimited key is updated too: null minus the units stays null, and the row stays locked until
# the commit, so that the rows of USAGE are always locked in the order of the keys.
_TAKE_SQL = """
    UPDATE keys SET units_left = units_left - :units
    WHERE id = :key_id AND (units_left IS NULL OR units_left >= :units)
"""
_RECORD_SQL = """
    INSERT INTO usage (key_id, day, command, requests, units)
    VALUES (:key_id, :day, :command, :requests, :units)
    ON CONFLICT (key_id, day, command) DO UPDATE
    SET requests = usage.requests + excluded.requests, units = usage.units + excluded.units
"""
_TAKE, _RECORD = text(_TAKE_SQL), text(_RECORD_SQL)


def post(connection: Connection, key_id: int, command: str, requests: int, units: int) -> bool:
    """Take *units* from a key and record them and *requests*, in the caller's transaction.

    Negative units are given back. Returns False and writes nothing if the key has too few units or
    no longer exists. In one transaction, post in ascending order of keys: then two transactions
    cannot wait for each other.
    """
    return _post(connection.execute, _TAKE, _RECORD, key_id, command, requests, units)


def _post(
    execute: Callable[..., Any],
    take: object,
    record: object,
    key_id: int,
    command: str,
    requests: int,
    units: int,
) -> bool:
    """Like `post`; *execute* runs the statements *take* and *record*, in its own form."""
    day = dt.datetime.now(dt.UTC).date().isoformat()
    usage = {"key_id": key_id, "day": day, "command": command, "requests": requests, "units": units}
    if execute(take, usage).rowcount == 0:
        return False
    execute(record, usage)
    return True


class Charge(NamedTuple):
    """The cost of one request, and the key that pays."""

    key_id: int
    command: str
    units: int

    @property
    def account(self) -> tuple[int, str]:
        """Charges with the same account are posted together."""
        return self.key_id, self.command


class _Waiting(NamedTuple):
    charge: Charge
    granted: "Future[bool]"


class _Checkpoint:
    """Makes the thread copy the write-ahead log into the database."""


def _own_connection(engine: Engine) -> sqlite3.Connection | None:
    """A connection that never waits for another writer, nor for the disk; for SQLite only."""
    if engine.dialect.name != "sqlite":
        return None
    pooled = engine.raw_connection()
    connection = cast("sqlite3.Connection", pooled.driver_connection)
    pooled.detach()  # with these settings, it must not return to the pool
    connection.execute("PRAGMA busy_timeout=0")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def _post_all(
    charges: Sequence[Charge], post_some: Callable[[int, str, int, int], bool]
) -> list[bool]:
    """Which of *charges* are granted: all of a key's if its balance suffices, else the first ones.

    *post_some* is `post` in the caller's transaction.
    """
    granted = [False] * len(charges)
    by_account = sorted(range(len(charges)), key=lambda place: charges[place].account)
    for (key_id, command), alike in groupby(by_account, key=lambda place: charges[place].account):
        places = list(alike)
        units = [charges[place].units for place in places]
        all_granted = post_some(key_id, command, len(units), sum(units))
        for place, one in zip(places, units, strict=True):
            granted[place] = all_granted or (len(units) > 1 and post_some(key_id, command, 1, one))
    return granted


class Ledger:
    """Charges requests to keys; for any number of threads of the process that created it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: SimpleQueue[_Waiting | _Checkpoint | None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._own = _own_connection(engine)
        self._made_at_once = 0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def charge(self, key_id: int, command: str, units: int) -> bool:
        """Take the units of one request; True, once committed, if the key had enough.

        Raises:
            SQLAlchemyError: the charge could not be committed.
            RuntimeError: the ledger is closed.
        """
        return self.submit(key_id, command, units).result()

    def submit(self, key_id: int, command: str, units: int) -> "Future[bool]":
        """What `charge` will return or raise, for a caller that does not want to block.

        Raises:
            RuntimeError: the ledger is closed.
        """
        waiting = _Waiting(Charge(key_id, command, units), Future())
        with self._closing:
            if self._closed:
                raise RuntimeError("the ledger is closed")
            self._waiting.put(waiting)
        return waiting.granted

    def post_at_once(self, charges: Sequence[Charge]) -> list[bool] | None:
        """Whether each of *charges* is granted, committed; None if that would mean waiting.

        Only one thread may call this at a time.

        Raises:
            sqlite3.Error: the charges could not be committed.
        """
        if self._own is None or self._closed:
            return None
        post_some = partial(_post, self._own.execute, _TAKE_SQL, _RECORD_SQL)
        try:
            with self._own:
                granted = _post_all(charges, post_some)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return None
        self._made_at_once += 1
        if self._made_at_once % CHECKPOINT_AFTER == 0:
            self._waiting.put(_Checkpoint())  # waits for the disk, so the thread does it
        return granted

    def close(self) -> None:
        """Commit the waiting charges, and accept no more."""
        with self._closing:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        if self._own is not None:
            self._own.close()

    def _run(self) -> None:
        while True:
            waiting = self._all_that_wait()
            self._commit([each for each in waiting if isinstance(each, _Waiting)])
            if any(isinstance(each, _Checkpoint) for each in waiting):
                with self._engine.begin() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            if None in waiting:
                return

    def _all_that_wait(self) -> "list[_Waiting | _Checkpoint | None]":
        """All waiting entries; waits for at least one."""
        waiting = [self._waiting.get()]
        while True:
            try:
                waiting.append(self._waiting.get_nowait())
            except Empty:
                return waiting

    def _commit(self, waiting: list[_Waiting]) -> None:
        """Post the waiting charges in one transaction, then answer each."""
        try:
            with self._engine.begin() as connection:
                granted = _post_all([each.charge for each in waiting], partial(post, connection))
        except Exception as error:
            for each in waiting:
                each.granted.set_exception(error)
        else:
            for each, answer in zip(waiting, granted, strict=True):
                each.granted.set_result(answer)
