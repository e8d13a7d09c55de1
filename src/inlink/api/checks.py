"""Live checks for a server: each in a process of its own, few at once, and none for too long.

In: the URLs of a backlink. Out: what `inlink.evidence.check` found. A crawler lives in a process of
its own; one that takes too long is ended. The time counts from when the process has started, which
takes a second on an idle machine, and many on a busy one.
"""

import contextlib
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import msgspec

from inlink.contract.proof import Check
from inlink.evidence.question import Question
from inlink.store.configuration import Settings
from inlink.store.layout import Layout

AT_ONCE = 4
"""Checks that run at once in one server process, at most."""

_SLACK = 10.0  # seconds, for all but the waiting for the host
_START = 60  # seconds
_PROGRAM = "from inlink.evidence.check import main; main()"


class ChecksBusyError(Exception):
    """The limit of checks at once is reached."""


class CheckTimeoutError(Exception):
    """The page did not answer in time."""


class CheckFailedError(Exception):
    """The check could not be made; the message says why."""


class Checks:
    """Makes live checks; for any number of threads."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout = layout
        # The robots.txt of the host, then the page.
        self.longest = 2 * settings.fetch_timeout_seconds + _SLACK
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def check(self, url_from: str, url_to: str) -> Check:
        """Fetch the page now, and look for the link.

        Raises:
            ChecksBusyError, CheckTimeoutError, CheckFailedError: see there.
        """
        with self._turn(), TemporaryDirectory(prefix="inlink-verify-") as folder:
            data = str(self._layout.root.absolute())
            seconds = int(self.longest + _SLACK)
            return self._answer(Question(data, folder, seconds, url_from, url_to))

    def _answer(self, question: Question) -> Check:
        with self._process() as process:
            _wait_for_start(process)
            try:
                answer, said = process.communicate(msgspec.json.encode(question), self.longest)
            except subprocess.TimeoutExpired:
                raise CheckTimeoutError from None
        if process.returncode != 0:
            raise CheckFailedError(said.decode(errors="replace").strip())
        return msgspec.json.decode(answer, type=Check)  # begins with a line end

    def close(self) -> None:
        """End the running checks."""
        self._closed = True
        for process in list(self._running):
            process.kill()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if self._closed or not self._free.acquire(blocking=False):
            raise ChecksBusyError
        try:
            yield
        finally:
            self._free.release()

    @contextlib.contextmanager
    def _process(self) -> Iterator["subprocess.Popen[bytes]"]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-P", "-c", _PROGRAM]
        with subprocess.Popen(  # noqa: S603  # Ctrl-C does not reach its group
            command, stdin=pipe, stdout=pipe, stderr=pipe, process_group=0
        ) as process:
            self._running.add(process)
            try:
                yield process
            finally:
                process.kill()
                self._running.discard(process)


def _wait_for_start(process: "subprocess.Popen[bytes]") -> None:
    """Return once *process* has written something, or ended."""
    assert process.stdout
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    if not poll.poll(1000 * _START):
        raise CheckFailedError(f"its process did not start within {_START} seconds")
