"""The generation that a server process answers from, and the switch to the next one.

In: ``CURRENT``, which names a generation. Out: a reader of that generation. When ``CURRENT`` names
another one, `Generations.refresh` opens it and switches to it. The old generation is closed when
the last request that uses it is done. While a generation is open, the process holds a shared lock
on its ``in-use.lock``. Clean-up takes that lock exclusively, and so does not remove generations in
use.
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
    """There is no generation to answer from; the message says why and what to do."""


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
        self._reason = "Nothing was built yet. Run `inlink build`."

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
        """Switch if ``CURRENT`` names another generation; on failure, keep the old one.

        Only one thread may call this at a time.

        Returns:
            The number of the generation switched to, None if there was no switch.
        """
        seen = self._fingerprint()
        if seen is None or seen == self._seen:
            return None
        try:
            number = self._switch()
        except Exception as error:
            if seen != self._failed:  # every call tries again, but the failure is reported once
                logger.exception("Cannot open the generation that %s names", self._layout.current)
            self._failed = seen
            if isinstance(error, SegmentsError):
                self._reason = "Another version of Inlink built the index. Run `inlink build`."
            return None
        self._seen = seen
        return number

    def close(self) -> None:
        """Close the current generation once no request uses it."""
        self._swap(None)

    def _fingerprint(self) -> tuple[int, ...] | None:
        """A value that changes when ``CURRENT`` is replaced; None while it does not exist."""
        try:
            status = self._layout.current.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _switch(self) -> int | None:
        number = self._layout.current_number()
        if number is None or (self._current is not None and self._current.number == number):
            return None
        opened = self._open()
        self._swap(opened)
        return opened.number

    def _open(self) -> Snapshot:
        """Open the generation that ``CURRENT`` names, or the next one if it vanishes meanwhile."""
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
        """Close a generation that is no longer the current one when its last user is done."""
        with self._lock:
            if snapshot.users or snapshot is self._current:
                return
            close, snapshot.close = snapshot.close, lambda: None
        close()
