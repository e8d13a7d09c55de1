"""Export tasks: a queue in the table ``exports``.

In: a key and the target that it requests. Out: tasks for workers, one at a time for each key. A
worker holds a task by a lease that it renews. If a worker dies, another one takes over its task.
Each change is one transaction, together with the units that it takes from the key or gives back.

No task library keeps tasks both in SQLite and in PostgreSQL and runs them again after a crash: huey
loses the task of a worker that is killed, procrastinate supports PostgreSQL only, and version 4 of
APScheduler is an alpha that does not renew its leases. Claiming by lease is one UPDATE.
"""

import secrets
import socket
import time

import msgspec
from sqlalchemy import ColumnElement, Engine, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from inlink.accounts import ledger
from inlink.accounts.database import EXPORTS

COMMAND = "download-all-backlinks"
"""The command under which units are recorded."""

UNITS = 1
"""Units that a row costs by default."""

LEASE = 30.0
"""Seconds that a worker may be silent before another one takes over its task."""

MAX_ATTEMPTS = 3

QUEUED, PROCESSING, COMPLETE = "queued", "processing", "complete"


class Task(msgspec.Struct, frozen=True):
    """One row of the table ``exports``."""

    id: str
    key_id: int
    target: str
    mode: str
    status: str
    units: int
    created_at: float
    worker: str | None = None
    lease_until: float | None = None
    attempts: int = 0
    finished_at: float | None = None
    rows: int | None = None
    file: str | None = None


class BusyError(RuntimeError):
    """The key has a task that is not complete: *task*."""

    def __init__(self, task: Task) -> None:
        super().__init__(f"the export {task.id} of this key is still running")
        self.task = task


class BalanceError(RuntimeError):
    """The key has fewer units left than the export costs."""


class Exports:
    """The export tasks of one database; may be used by several threads and processes."""

    def __init__(self, engine: Engine, lease: float = LEASE) -> None:
        self._engine = engine
        self.lease = lease

    def submit(self, key_id: int, target: str, mode: str, units: int) -> Task:
        """Queue an export of *target* and take *units* for it.

        Raises:
            BusyError: the key has an unfinished task; no units were taken.
            BalanceError: the key has too few units left; nothing was queued.
        """
        target = target.replace("\0", "%00")  # the same URL; PostgreSQL allows no NUL in text
        new = Task(secrets.token_hex(16).upper(), key_id, target, mode, QUEUED, units, time.time())
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(EXPORTS).values(msgspec.structs.asdict(new)))
                if not ledger.post(connection, key_id, COMMAND, 1, units):
                    raise BalanceError(f"the export costs {units} units")
        except IntegrityError:
            task = self._newest(key_id)
            if task is None:  # the key was deleted
                raise
            raise BusyError(task) from None
        return new

    def find(self, key_id: int, task_id: str) -> Task | None:
        """The task *task_id* of the key; None if the key has no such task."""
        return self._first(EXPORTS.c.id == task_id, EXPORTS.c.key_id == key_id)

    def claim(self, worker: str) -> Task | None:
        """Take the oldest task that no worker holds; None if there is none.

        A task on which `MAX_ATTEMPTS` workers have failed is returned too; see its ``attempts``.
        """
        now = time.time()
        abandoned = and_(EXPORTS.c.status == PROCESSING, EXPORTS.c.lease_until < now)
        oldest = (
            select(EXPORTS.c.id)
            .where(or_(EXPORTS.c.status == QUEUED, abandoned))
            .order_by(EXPORTS.c.created_at, EXPORTS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)  # SQLite has only one writer at a time
            .scalar_subquery()
        )
        statement = (
            update(EXPORTS)
            .where(EXPORTS.c.id == oldest)
            .values(
                status=PROCESSING,
                worker=worker,
                lease_until=now + self.lease,
                attempts=EXPORTS.c.attempts + 1,
            )
            .returning(*EXPORTS.c)
        )
        with self._engine.begin() as connection:
            row = connection.execute(statement).first()
        return None if row is None else Task(*row)

    def renew(self, task: Task) -> bool:
        """Renew the lease; False if it is lost: another worker has the task, or it is gone."""
        return self._change(task, lease_until=time.time() + self.lease)

    def release(self, task: Task) -> bool:
        """Return a task to the queue, as if it had not been claimed."""
        return self._change(
            task, status=QUEUED, worker=None, lease_until=None, attempts=task.attempts - 1
        )

    def complete(self, task: Task, file: str, rows: int, units: int) -> bool:
        """Record that *file* has the *rows* of a task, for *units*; False: the lease is lost.

        The index may have changed since the units were taken. Units that were too many are given
        back. Units that were too few are taken if the key has them: a finished export does not fail
        for lack of units, and a balance does not fall below zero.
        """
        with self._engine.begin() as connection:
            done = connection.execute(
                update(EXPORTS)
                .where(_held(task))
                .values(
                    status=COMPLETE,
                    worker=None,
                    lease_until=None,
                    finished_at=time.time(),
                    rows=rows,
                    file=file,
                )
            )
            if done.rowcount == 0:
                return False
            more = units - task.units
            if more and ledger.post(connection, task.key_id, COMMAND, 0, more):
                changed = update(EXPORTS).where(EXPORTS.c.id == task.id).values(units=units)
                connection.execute(changed)
        return True

    def give_up(self, task: Task) -> bool:
        """Remove a task and give its units back; False, with no change, if the lease is lost."""
        with self._engine.begin() as connection:
            gone = connection.execute(delete(EXPORTS).where(_held(task))).rowcount
            if gone:
                ledger.post(connection, task.key_id, COMMAND, 0, -task.units)
        return gone == 1

    def expired(self, before: float) -> list[Task]:
        """The tasks that were complete *before* that Unix time."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(EXPORTS).where(EXPORTS.c.finished_at < before))
            return [Task(*row) for row in rows]

    def remove(self, task: Task) -> None:
        """Delete a task from the database."""
        with self._engine.begin() as connection:
            connection.execute(delete(EXPORTS).where(EXPORTS.c.id == task.id))

    def files(self) -> set[str]:
        """The names of all files that belong to a task."""
        with self._engine.connect() as connection:
            return set(
                connection.scalars(select(EXPORTS.c.file).where(EXPORTS.c.file.is_not(None)))
            )

    def _newest(self, key_id: int) -> Task | None:
        return self._first(EXPORTS.c.key_id == key_id)

    def _first(self, *conditions: ColumnElement[bool]) -> Task | None:
        statement = select(EXPORTS).where(*conditions).order_by(EXPORTS.c.created_at.desc())
        with self._engine.connect() as connection:
            row = connection.execute(statement).first()
        return None if row is None else Task(*row)

    def _change(self, task: Task, **values: object) -> bool:
        with self._engine.begin() as connection:
            changed = connection.execute(update(EXPORTS).where(_held(task)).values(values))
        return changed.rowcount == 1


def worker_name() -> str:
    """A name for a worker, unique across all machines."""
    return f"{socket.gethostname()[:31]}:{secrets.token_hex(16)}"


def _held(task: Task) -> ColumnElement[bool]:
    """Whether *task* is still held by the worker that claimed it."""
    return and_(
        EXPORTS.c.id == task.id,
        EXPORTS.c.status == PROCESSING,
        EXPORTS.c.worker == task.worker,
        EXPORTS.c.attempts == task.attempts,
    )
