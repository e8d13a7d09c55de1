"""Loads the peers, starts the servers, Inlink's too, and asks them over one connection each."""

import contextlib
import importlib
import multiprocessing
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.serving import serving

from bench.harness import INLINK, Kind, Run, Skipped
from bench.peers import rows
from inlink.contract.paths import PREFIX
from inlink.store.configuration import Settings
from inlink.store.layout import Layout

PEERS = ("sqlite", "postgresql", "duck", "clickhouse")
LOADED_AT_ONCE = 2  # the first two take long, with one processor each
CONSTANT = "the framework, a constant answer"

_LENGTH = re.compile(rb"content-length: (\d+)", re.I)


@dataclass
class Contender:
    """A server that answers."""

    name: str
    kind: Kind
    port: int
    key: str
    pid: int
    _connection: socket.socket | None = None

    def path(self, command: str, parameters: dict[str, str]) -> str:
        """What is asked for."""
        return f"{PREFIX}/{command}?{urlencode({'apikey': self.key, **parameters}, safe=':/')}"

    def ask(self, path: str) -> bytes:
        """The body of the answer to a GET.

        Raises:
            RuntimeError: the status is not 200.
        """
        received = self._begin(path) or self._begin(path)  # an idle connection was closed
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        pieces, missing = [body], int(length[1] if length else 0) - len(body)
        while missing > 0:
            pieces.append(self._more())
            missing -= len(pieces[-1])
        if b" 200 " not in head[:20]:
            raise RuntimeError(f"{self.name}: {head!r} {body!r}")
        return b"".join(pieces)

    def _begin(self, path: str) -> bytes:
        """Send a request; the beginning of its answer, or nothing if the connection was closed."""
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self.port))
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        with contextlib.suppress(ConnectionError):
            self._connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            received = self._connection.recv(1 << 16)
        if not received:
            self.close()
        return received

    def _more(self) -> bytes:
        assert self._connection is not None
        received = self._connection.recv(1 << 20)
        if not received:
            raise RuntimeError(f"{self.name} closed the connection within an answer")
        return received

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def seconds(self, path: str) -> float:
        """How long an answer takes."""
        start = time.perf_counter()
        self.ask(path)
        return time.perf_counter() - start


@dataclass(frozen=True)
class Loaded:
    """A peer whose database is there."""

    module: str
    name: str
    place: str
    size: int
    """Bytes on disk."""


@contextlib.contextmanager
def loaded_peers(run: Run, layout: Layout) -> Iterator[tuple[Path, list[Loaded], list[Skipped]]]:
    """Load the current generation into every peer: the rows, the peers, and who is absent."""
    number = layout.current_number()
    assert number is not None, "nothing was built"
    directory = run.directory / "peers"
    run.say("denormalising the rows for the peers")
    rows.write(layout.generation(number) / "tables", directory / "rows", Settings().memory_limit)
    with contextlib.ExitStack() as stack:

        def load(module: str) -> Loaded | Skipped:
            try:
                return _load(run, module, directory, stack)
            except (ImportError, OSError) as error:
                return Skipped(module, str(error))

        with ThreadPoolExecutor(LOADED_AT_ONCE) as threads:
            found = list(threads.map(load, PEERS))
        loaded = [each for each in found if isinstance(each, Loaded)]
        yield directory / "rows", loaded, [each for each in found if isinstance(each, Skipped)]


def _load(run: Run, module: str, directory: Path, stack: contextlib.ExitStack) -> Loaded:
    peer = importlib.import_module(f"bench.peers.{module}")
    run.say(f"loading {peer.PEER.NAME}")
    place = str(directory / module)
    if module == "postgresql":
        place = stack.enter_context(peer.server())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:  # none leaves its memory here
        process.submit(peer.PEER.load, directory / "rows", place).result()
        size = process.submit(peer.PEER.size, place).result()
    run.say(f"loaded {peer.PEER.NAME}")
    return Loaded(module, peer.PEER.NAME, place, size)


@contextlib.contextmanager
def served_by_inlink(layout: Layout) -> Iterator[Contender]:
    """``inlink serve`` with one worker, and accounts of its own."""
    layout.accounts.unlink(missing_ok=True)  # those of an earlier stage
    with serving(layout.root, "--export-workers", "0") as server:
        own = Contender(INLINK, "inlink", server.port, server.key, server.process.pid)
        with contextlib.closing(own):
            yield own


@contextlib.contextmanager
def served_by_peer(peer: Loaded) -> Iterator[Contender]:
    """The server of a peer."""
    with (
        _running(peer.module, peer.place) as (port, key, pid),
        contextlib.closing(Contender(peer.name, "peer", port, key, pid)) as contender,
    ):
        yield contender


@contextlib.contextmanager
def served_constant() -> Iterator[Contender]:
    """The framework alone."""
    with (
        _running("constant") as (port, key, pid),
        contextlib.closing(Contender(CONSTANT, "limit", port, key, pid)) as contender,
    ):
        yield contender


@contextlib.contextmanager
def _running(*arguments: str) -> Iterator[tuple[int, str, int]]:
    """Run a server; its port, a key, and its process."""
    command = [sys.executable, "-m", "bench.peers.server", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("Serving at "):
                raise OSError(f"the server of {arguments[0]} did not start")
            port, key = line.rpartition(":")[2].split()
            yield int(port), key, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
