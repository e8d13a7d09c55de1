"""Where things are in a data directory, and how they get there whole.

A file or directory is written next to its place under a temporary name, then renamed, so a reader
sees all of it or nothing. ``CURRENT`` names the generation that is served.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


class Layout:
    """The paths of one data directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.batches = root / "batches"
        self.generations = root / "generations"
        self.building = root / "building"
        self.current = root / "CURRENT"
        self.accounts = root / "accounts.sqlite"
        self.exports = root / "exports"
        self.crawls = root / "crawls"
        self.plans = root / "plans"

    def batch_directories(self) -> list[Path]:
        """The finished batches, by name."""
        if not self.batches.exists():
            return []
        return sorted(path.parent for path in self.batches.glob("*/batch.json"))

    def crawl(self, name: str) -> Path:
        """The directory of the crawl *name*: its state, and its WARC files if kept here."""
        return self.crawls / name

    def generation(self, number: int) -> Path:
        """The directory of generation *number*."""
        return self.generations / f"{number:08d}"

    def generation_numbers(self) -> list[int]:
        """The finished generations, oldest first."""
        if not self.generations.exists():
            return []
        return sorted(int(path.parent.name) for path in self.generations.glob("*/generation.json"))

    def current_number(self) -> int | None:
        """The generation that ``CURRENT`` names; None before the first."""
        try:
            return int(self.current.read_text())
        except FileNotFoundError:
            return None

    def secret(self) -> bytes:
        """32 bytes that sign cursors; created on first use, the same for every worker."""
        path = self.root / "secret"
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        temporary = path.with_name(f".secret.{os.getpid()}.{secrets.token_hex(4)}")
        temporary.touch(mode=0o600)
        temporary.write_bytes(secrets.token_bytes(32))
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)  # the first of several workers wins
        temporary.unlink()
        return path.read_bytes()


def write_atomically(path: Path, content: bytes) -> None:
    """Write *content* so that *path* holds either the old or the new bytes, even after a crash."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def publish_directory(temporary: Path, path: Path) -> bool:
    """Rename a finished directory to *path*; if one is there, remove *temporary*, return False."""
    for file in temporary.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
    try:
        temporary.rename(path)
    except OSError:
        if not path.exists():
            raise
        shutil.rmtree(temporary)
        return False
    sync_directory(path.parent)
    return True


def sync_directory(path: Path) -> None:
    """Make renames in *path* durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BusyError(RuntimeError):
    """Another process holds the lock."""


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Hold an advisory lock on *path* (created if needed); it is freed when its process dies.

    *wait* until no other process holds a lock that excludes this one.

    Raises:
        BusyError: another process does, and this call does not wait.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"{path} is in use by another process") from error
        yield
    finally:
        os.close(descriptor)
