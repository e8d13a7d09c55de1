"""The worker that writes export files.

In: tasks of the queue (`inlink.exports.queue`). Out: ``exports/<host>-<token>.csv.gz``, written
under a temporary name, renamed when it is complete, and removed when it has expired.

`run` is a process of its own. It may die at any time: when its lease has run out, another worker
does the task again, and the unfinished file is removed later.
"""

import contextlib
import logging
import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import cast

from inlink.accounts.database import connect
from inlink.contract.rows import Backlink
from inlink.contract.vocabulary import Mode
from inlink.exports.csv_gz import write_csv_gz
from inlink.exports.queue import COMMAND, LEASE, MAX_ATTEMPTS, UNITS, Exports, Task, worker_name
from inlink.index.generations import Generations, NothingBuiltError
from inlink.index.reader import Reader
from inlink.store.configuration import Settings, load_settings
from inlink.store.layout import Layout, sync_directory
from inlink.urls.canonical import url_of_key
from inlink.urls.targets import Target, parse_target

BATCH = 1000  # rows; even a slow disk reads them well before a lease runs out
POLL = 0.5  # seconds between looks at the queue
SWEEP = 60.0  # seconds between looks for expired files
REPORT = 10.0  # seconds between log lines about a running export
ABANDONED = 3600.0  # seconds after its last write until a file without a task is removed
MAX_HOST = 100  # characters of the host in a file's name

FILE_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]*-[0-9a-f]{32}\.csv\.gz")
"""The name of a finished file; a temporary one has a dot in front."""

logger = logging.getLogger(__name__)


class LeaseLostError(RuntimeError):
    """Another worker has the task, or the task is gone."""


class StoppedError(RuntimeError):
    """The worker was told to stop."""


def run(layout: Layout, lease: float = LEASE) -> None:
    """Write exports until SIGTERM, then return an unfinished task to the queue.

    *lease*: seconds that this worker may be silent before another one takes over its task.

    Raises:
        SettingsError: ``settings.json`` cannot be used.
        AccountsError: the accounts database cannot be opened.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    settings = load_settings(layout.root)
    engine = connect(settings.accounts_url or layout.accounts)
    worker = ExportWorker(layout, Exports(engine, lease), settings, lambda: stopping)
    while not stopping:
        try:
            worked = worker.work()
        except Exception:  # the database may be unavailable for a while
            logger.exception("The export worker failed and continues")
            worked = False
        if not worked:
            time.sleep(POLL)
    worker.close()
    engine.dispose()


class ExportWorker:
    """Writes exports one after the other; *stopping*, called between batches, says when to stop."""

    def __init__(
        self, layout: Layout, exports: Exports, settings: Settings, stopping: Callable[[], bool]
    ) -> None:
        self._directory = layout.exports
        self._exports = exports
        self._settings = settings
        self._stopping = stopping
        self._generations = Generations(layout)
        self._name = worker_name()
        self._swept: float | None = None

    def close(self) -> None:
        """Close the generation."""
        self._generations.close()

    def work(self) -> bool:
        """Do the oldest waiting task, and sweep now and then; False if no task was waiting.

        The generation stays unchanged, and on disk, for the whole export.
        """
        now = time.monotonic()
        if self._swept is None or now - self._swept > SWEEP:
            self._swept = now
            self._directory.mkdir(exist_ok=True)  # it may be deleted at any time
            sweep(self._exports, self._directory, self._settings.keep_exports_hours * 3600)
        self._generations.refresh()
        try:
            with self._generations.lease() as reader:
                task = self._exports.claim(self._name)
                if task is not None:
                    self._attempt(task, reader)
        except NothingBuiltError:
            return False
        return task is not None

    def _attempt(self, task: Task, reader: Reader) -> None:
        if task.attempts > MAX_ATTEMPTS:
            self._give_up(task, "every worker that tried it died")
            return
        try:
            self._export(task, reader)
        except StoppedError:
            self._exports.release(task)
            logger.info("Export %s: returned to the queue, because the server is stopping", task.id)
        except LeaseLostError:
            logger.warning("Export %s: dropped, as another worker has it or it is gone", task.id)
        except Exception as error:
            logger.exception(
                "Export %s: attempt %d of %d failed", task.id, task.attempts, MAX_ATTEMPTS
            )
            if task.attempts == MAX_ATTEMPTS:
                self._give_up(task, repr(error))
            # Otherwise the lease runs out, and whichever worker claims the task then tries again.

    def _give_up(self, task: Task, reason: str) -> None:
        if self._exports.give_up(task):
            logger.error(
                "Export %s of %s (%s): given up, %d units returned to key %d: %s",
                *(task.id, task.target, task.mode, task.units, task.key_id, reason),
            )

    def _export(self, task: Task, reader: Reader) -> None:
        start = time.monotonic()
        target = parse_target(task.target, cast("Mode", task.mode), self._settings.drop_parameters)
        name = f"{file_host(target)}-{secrets.token_hex(16)}.csv.gz"
        path, temporary = self._directory / name, self._directory / f".{name}"
        try:
            with temporary.open("xb") as file:
                batches = self._watched(task, reader.backlink_batches(target, BATCH))
                rows = write_csv_gz(file, batches)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(self._directory)
        if not self._exports.complete(task, name, rows, rows * unit_cost(self._settings)):
            path.unlink()
            raise LeaseLostError
        seconds = time.monotonic() - start
        logger.info("Export %s: %d rows in %.1f s, %s", task.id, rows, seconds, name)

    def _watched(self, task: Task, batches: Iterable[list[Backlink]]) -> Iterator[list[Backlink]]:
        """Pass *batches* on; between them, renew the lease, report, and check the stop signal."""
        rows = 0
        start = renewed = reported = time.monotonic()
        for batch in batches:
            now = time.monotonic()
            if self._stopping():
                raise StoppedError
            if now - renewed > self._exports.lease / 3:
                if not self._exports.renew(task):
                    raise LeaseLostError
                renewed = now
            if now - reported > REPORT:
                rate = rows / (now - start)
                logger.info("Export %s: %d rows so far, %.0f rows/s", task.id, rows, rate)
                reported = now
            yield batch
            rows += len(batch)


def sweep(exports: Exports, directory: Path, keep: float) -> None:
    """Remove tasks that were complete *keep* seconds ago, with their files, and files that dead
    workers and deleted keys left behind.
    """
    now = time.time()
    for task in exports.expired(now - keep):
        if task.file is not None:
            (directory / task.file).unlink(missing_ok=True)
        exports.remove(task)
        logger.info("Export %s: removed, because it has expired", task.id)
    named = exports.files()
    for path in directory.iterdir():
        ours = FILE_NAME.fullmatch(path.name.removeprefix("."))
        with contextlib.suppress(FileNotFoundError):  # another worker was quicker
            if ours and path.name not in named and now - path.stat().st_mtime > ABANDONED:
                path.unlink()
                logger.info("%s: removed, because it belongs to no task", path.name)


def unit_cost(settings: Settings) -> int:
    """Units that one row costs."""
    return settings.costs.get(COMMAND, UNITS)


def file_host(target: Target) -> str:
    """The host of *target*, in characters that every file system and URL accepts."""
    key = target.low.partition(")")[0]
    host = url_of_key(f"{key})/ http").removeprefix("http://")
    return re.sub(r"[^a-z0-9._-]+", "-", host)[:MAX_HOST].strip(".-") or "export"
