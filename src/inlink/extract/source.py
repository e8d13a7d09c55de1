"""Opening crawl files, local or remote.

In: paths and fsspec URLs, with globs. Out: a file object that counts and hashes what it reads.
"""

import hashlib
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

import fsspec
import msgspec

CHUNK = 1 << 20


class Source(msgspec.Struct, frozen=True):
    """A crawl file that is to be read.

    *stamp* says which version of the file it is (modification time, ETag, …), as far as where it
    lies can tell without reading it; empty if it cannot.
    """

    url: str
    name: str
    size: int | None
    stamp: str


def find(pattern: str) -> list[Source]:
    """The files that a path or an fsspec URL names; globs are expanded, in order of name.

    Raises:
        OSError: there is no such file, or it cannot be looked up.
        ValueError: no file system for such a URL, or one whose package is not installed.
    """
    try:
        filesystem, path = fsspec.core.url_to_fs(pattern)
    except ImportError as error:
        raise ValueError(str(error)) from error
    paths = [path]
    if not filesystem.exists(path) and fsspec.core.has_magic(path):
        paths = sorted(filesystem.glob(path))
        if not paths:
            raise FileNotFoundError(f"{pattern}: no file matches")
    return [_source(filesystem, found) for found in paths]


def _source(filesystem: Any, path: str) -> Source:
    info = filesystem.info(path)
    if info["type"] == "directory":
        raise IsADirectoryError(f"{path}: is a directory; name the crawl files in it")
    versions = ("mtime", "ETag", "etag", "LastModified", "md5", "md5Hash", "generation", "ino")
    stamp = " ".join(f"{key}={info[key]}" for key in versions if info.get(key))
    url = str(filesystem.unstrip_protocol(path))
    return Source(url, path.rstrip("/").rpartition("/")[2], info.get("size"), stamp)


def is_there(url: str, size: int) -> bool:
    """Whether a file of *size* bytes lies at *url*; one that cannot be asked for counts as there.

    So a store that is out of reach for a while loses no address.
    """
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        return filesystem.info(path).get("size") in (size, None)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError, ImportError):
        return True


class BinaryFile(Protocol):
    """What is needed of a file to read it by parts."""

    def read(self, size: int = ..., /) -> bytes:
        """At most *size* bytes; fewer only at the end of the file."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Go to *offset*."""

    def tell(self) -> int:
        """Where the next read begins."""

    def close(self) -> None:
        """Close the file."""


class NotSeekableError(OSError):
    """A file can only be read forward, and what has to be read lies behind."""


class HashingFile:
    """A crawl file that is read forward, and now and then again from a place already passed.

    The SHA-256 digest is that of all bytes, each taken once, whatever is read again.
    """

    def __init__(self, url: str, progress: Callable[[int], None] | None = None) -> None:
        self._file = fsspec.open(url, "rb").open()
        self._digest = hashlib.sha256()
        self._hashed = 0
        self._position = 0
        self._progress = progress

    def read(self, size: int = CHUNK) -> bytes:
        """At most *size* bytes; fewer only at the end of the file."""
        data: bytes = self._file.read(size)
        self._position += len(data)
        new = self._position - self._hashed
        if new > 0:
            self._digest.update(data if new >= len(data) else memoryview(data)[-new:])
            self._hashed = self._position
            if self._progress:
                self._progress(self._hashed)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to *offset*; what lies between is hashed on the way.

        Raises:
            NotSeekableError: the file can only be read forward.
        """
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            raise OSError("a crawl file is read from its beginning")
        while self._hashed < offset and self.read(min(CHUNK, offset - self._position)):
            pass
        if offset != self._position:
            try:
                self._position = self._file.seek(offset)
            except (ValueError, NotImplementedError) as error:
                raise NotSeekableError(f"cannot be read again from {offset}") from error
        return self._position

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def finish(self) -> tuple[int, bytes]:
        """Read what is left; the size of the file in bytes and its SHA-256 digest."""
        if self._position < self._hashed:
            self.seek(self._hashed)
        while self.read():
            pass
        return self._hashed, self._digest.digest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
