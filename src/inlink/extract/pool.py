"""Worker processes that each read one crawl file at a time.

In: jobs. Out: their results, as they come. If a worker dies (out of memory, killed), only the file
that it was reading is lost; another worker takes its place. Workers end when the process that
started them ends, however it ends.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Progress = Callable[[int], None]

_PROGRESS_INTERVAL = 0.2  # seconds


class WorkerDiedError(RuntimeError):
    """The worker died before its job was done."""


class Pool(Generic[Job, Result]):
    """Runs *work* on jobs in *size* processes; leaving the ``with`` block ends them at once."""

    def __init__(self, size: int, work: Callable[[Job, Progress], Result]) -> None:
        self._size = size
        self._work = work
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[Connection, tuple[SpawnProcess, Job]] = {}
        self._idle: list[tuple[Connection, SpawnProcess]] = []

    def __enter__(self) -> "Pool[Job, Result]":
        return self

    def __exit__(self, *_: object) -> None:
        running = [process for process, _ in self._workers.values()]
        for process in running + [process for _, process in self._idle]:
            process.terminate()
        for process in running + [process for _, process in self._idle]:
            process.join()

    def run(
        self, jobs: Sequence[Job], progress: Callable[[Job, int], None]
    ) -> Iterator[tuple[Job, Result | Exception]]:
        """Do *jobs* in order, several at once.

        Yields each with its result, or with the error that ended it. *progress* gets what the work
        reports about a job, a few times a second.
        """
        waiting = list(reversed(jobs))
        while waiting or self._workers:
            while waiting and len(self._workers) < self._size:
                self._start(waiting.pop())
            for connection in wait(list(self._workers), timeout=1):
                yield from self._receive(connection, progress)  # type: ignore[arg-type]

    def _start(self, job: Job) -> None:
        connection, process = self._idle.pop() if self._idle else self._spawn()
        self._workers[connection] = (process, job)
        with contextlib.suppress(OSError):  # it died meanwhile; reading from it will show that
            connection.send(job)

    def _spawn(self) -> tuple[Connection, SpawnProcess]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._work), daemon=True)
        with _without_ctrl_c():
            process.start()
        theirs.close()
        return ours, process

    def _receive(
        self, connection: Connection, progress: Callable[[Job, int], None]
    ) -> Iterator[tuple[Job, Result | Exception]]:
        process, job = self._workers[connection]
        try:
            message: Any = connection.recv()
        except (EOFError, OSError):
            process.join()
            del self._workers[connection]
            yield job, WorkerDiedError(_how_it_ended(process.exitcode))
            return
        if isinstance(message, int):
            progress(job, message)
            return
        del self._workers[connection]
        self._idle.append((connection, process))
        yield job, message[0]


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Processes started within never see Ctrl-C: it is for the command, which ends them."""
    resource_tracker.ensure_running()  # started later, it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the machine may be out of memory" if name == "SIGKILL" else ""
        return f"the process reading it was killed ({name}{hint})"
    return f"the process reading it ended with status {code}"


def _work(connection: Connection, work: Callable[[Any, Progress], Any]) -> None:
    """The main loop of a worker: a job in, a tuple with its result or error out."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        result: Any
        try:
            result = work(job, _Throttled(connection))
        except Exception as error:
            result = error
        connection.send((result,))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Throttled:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._next = 0.0

    def __call__(self, amount: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PROGRESS_INTERVAL
            self._connection.send(amount)
