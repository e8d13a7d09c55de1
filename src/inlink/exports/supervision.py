"""Export workers: processes beside the server that are replaced if they die and end with it.

In: a data directory and a number. Out: that many processes that run `inlink.exports.worker`.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from inlink.store.layout import Layout
from inlink.store.log import log_to_stderr

GRACE = 30  # seconds that a batch of an export may continue after the signal to stop
POLL = 0.2  # seconds between looks at a worker
PAUSE = 1.0  # seconds before a dead worker is replaced

_PROGRAM = "from inlink.exports.supervision import export_worker; export_worker()"

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def supervised_workers(layout: Layout, count: int, answers: threading.Event) -> Iterator[None]:
    """Keep *count* export workers running, from when the server *answers* until the block ends."""
    ended = threading.Event()
    keepers = [threading.Thread(target=_keep, args=(layout, answers, ended)) for _ in range(count)]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        ended.set()
        for keeper in keepers:
            keeper.join()


def _keep(layout: Layout, answers: threading.Event, ended: threading.Event) -> None:
    """Run an export worker, and another one when it dies.

    Ctrl-C does not reach the worker, which has its own process group; its parent stops it.
    """
    command = [sys.executable, "-P", "-c", _PROGRAM, str(layout.root)]
    while not answers.wait(POLL) and not ended.is_set():
        pass
    while not ended.is_set():
        with subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0) as process:  # noqa: S603
            while process.poll() is None and not ended.wait(POLL):
                pass
            if process.returncode is None:
                _stop(process)
            else:
                logger.error("An export worker died (exit code %d)", process.returncode)
                ended.wait(PAUSE)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()  # its task is done again when its lease has run out


def export_worker() -> None:
    """Run an export worker until its parent ends; ``sys.argv`` has the data directory."""
    from inlink.exports.worker import run

    log_to_stderr()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    run(Layout(Path(sys.argv[1])))


def _end_with_stdin() -> None:
    """Stop this process when stdin closes, as it does when the parent dies."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
