"""The generation that a server process answers from, and the change to the next one.

`Generations.refresh` looks at ``CURRENT``; when it names another generation, that one is opened and
takes over, and the old one is closed when the last request that uses it is done. While a generation
is open, the process holds a shared lock on its ``in-use.lock``: clean-up takes that lock alone, and
so leaves generations in use where they are.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from inlink.index.reader import Reader
from inlink.index.segments import SegmentsError
from inlink.store.layout import Layout, locked

LOCK_NAME = "in-use.lock"

OPEN_PAUSE = 0.02  # seconds between attempts to open

logger = logging.getLogger(__name__)


class NothingBuiltError(RuntimeError):
    """There is no generation to answer from; the message says why, and what to do."""


class Snapshot:
    """One open generation, locked against removal, and the number of requests that use it."""

    def __init__(self, directory: Path, number: int) -> None:
        self.number = number
        self.users = 0
        with contextlib.ExitStack() as stack:
            stack.enter_context(locked(directory / LOCK_NAME, shared=True))
            self.reader = Reader(directory)
            stack.callback(self.reader.close)
            self.close = stack.pop_all().close


class Generations:
    """Follows ``CURRENT`` of one data directory; may be used by several threads."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._current: Snapshot | None = None
        self._seen: tuple[int, ...] | None = None
        self._failed: tuple[int, ...] | None = None
        self._reason = "Nothing has been built yet: run inlink build."

    @contextlib.contextmanager
    def lease(self) -> Iterator[Reader]:
        """The reader of the current generation, which stays open until the block ends.

        Raises:
            NothingBuiltError: there is no generation yet.
        """
        with self._lock:
            snapshot = self._current
            if snapshot is None:
                raise NothingBuiltError(self._reason)
            snapshot.users += 1
        try:
            yield snapshot.reader
        finally:
            with self._lock:
                snapshot.users -= 1
            self._close_unused(snapshot)

    def refresh(self) -> int | None:
        """Change over if ``CURRENT`` names another generation; on failure, keep the old one.

        Is to be called by one thread at a time.

        Returns:
            The number of the generation that took over, None if none did.
        """
        seen = self._fingerprint()
        if seen is None or seen == self._seen:
            return None
        try:
            number = self._change_over()
        except Exception as error:
            if seen != self._failed:  # it is tried again at every call, but reported once
                logger.exception("Cannot open the generation that %s names", self._layout.current)
            self._failed = seen
            if isinstance(error, SegmentsError):
                self._reason = "The index is of another version of Inlink: run inlink build."
            return None
        self._seen = seen
        return number

    def close(self) -> None:
        """Close the current generation once nobody uses it."""
        self._swap(None)

    def _fingerprint(self) -> tuple[int, ...] | None:
        """Something that differs after ``CURRENT`` is replaced; None while it is not there."""
        try:
            status = self._layout.current.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _change_over(self) -> int | None:
        number = self._layout.current_number()
        if number is None or (self._current is not None and self._current.number == number):
            return None
        opened = self._open()
        self._swap(opened)
        return opened.number

    def _open(self) -> Snapshot:
        """Open what ``CURRENT`` names; if that is replaced and removed in that moment, the next."""
        tried: int | None = None
        while True:
            number = self._layout.current_number()
            if number is None:
                raise FileNotFoundError(self._layout.current)
            try:
                return Snapshot(self._layout.generation(number), number)
            except Exception:
                if number == tried:
                    raise
            tried = number
            time.sleep(OPEN_PAUSE)

    def _swap(self, snapshot: Snapshot | None) -> None:
        with self._lock:
            old, self._current = self._current, snapshot
        if old is not None:
            self._close_unused(old)

    def _close_unused(self, snapshot: Snapshot) -> None:
        """Close a generation that is no longer the current one, when its last user is gone."""
        with self._lock:
            if snapshot.users or snapshot is self._current:
                return
            close, snapshot.close = snapshot.close, lambda: None
        close()
