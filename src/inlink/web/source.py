"""Finding and opening crawl files: local or remote, also in ZIP archives.

In: paths and fsspec URLs, with globs. Out: a file object that counts and hashes what it reads.

A WACZ file (https://specs.webrecorder.net/wacz/1.1.1/) is a ZIP archive with WARC files in its
folder ``archive``. Each of them has an address of its own, an fsspec URL chain:
``zip://archive/data.warc.gz::file:///crawls/site.wacz``.
"""

import hashlib
import os
import re
import zipfile
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

import fsspec
import msgspec
from fsspec.implementations.zip import ZipFileSystem

CHUNK = 1 << 20

_CRAWL_FILE = re.compile(r"\.(?:(?:w?arc|wat)(?:\.(?:gz|zst|zstd|lz4))?|wacz)\Z", re.I)


class Source(msgspec.Struct, frozen=True):
    """A crawl file that is to be read.

    *stamp* identifies the version of the file (modification time, ETag, …), as far as its file
    system reports one without reading the file; else it is empty.
    """

    url: str
    name: str
    size: int | None
    stamp: str


def find(pattern: str) -> list[Source]:
    """The files that a path or an fsspec URL names, sorted by name; globs are expanded.

    A directory, or a glob that ends in ``**``, names the crawl files in it and in its
    subdirectories, recognized by their extensions.

    Raises:
        OSError: there is no such file, or it cannot be looked up.
        ValueError: no file system for such a URL, or its package is not installed.
    """
    filesystem, path = located(pattern)
    if filesystem.exists(path) or not fsspec.core.has_magic(path):
        found = {path: filesystem.info(path)}
    else:
        found = filesystem.glob(path, detail=True)
    files: dict[str, Any] = {}
    for name, info in found.items():
        if info["type"] == "directory":
            beneath = filesystem.find(name, detail=True)
            files.update((file, beneath[file]) for file in beneath if _CRAWL_FILE.search(file))
        elif not path.endswith("**") or _CRAWL_FILE.search(name):
            files[name] = info
    if not files:
        raise FileNotFoundError(f"{pattern}: no crawl file found")
    return [_source(_address(filesystem, name, pattern), files[name]) for name in sorted(files)]


def crawl_files(source: Source) -> list[Source]:
    """The crawl files in a WACZ file; any other file as it is.

    Raises:
        OSError, ValueError: it is named like a WACZ file but is not one.
    """
    if not source.name.partition("?")[0].lower().endswith(".wacz"):
        return [source]
    return find(f"zip://archive::{source.url}")


def located(url: str) -> tuple[Any, str]:
    """The file system of a path or an fsspec URL, and the path in it.

    Raises:
        OSError: the archive that it is in cannot be read.
        ValueError: no file system for such a URL, or its package is not installed.
    """
    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except ImportError as error:
        raise ValueError(str(error)) from error
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise OSError(f"{url.rpartition('::')[2]}: not a readable ZIP archive: {error}") from error


def _address(filesystem: Any, path: str, pattern: str) -> str:
    """The URL of a file; *pattern* has the chain of file systems that it is reached by."""
    address = str(filesystem.unstrip_protocol(path))
    first, chained, rest = pattern.partition("::")
    if not chained:
        return address
    if "://" not in first:  # a cache, which has the path of the file that it keeps
        return f"{first}::{address}"
    if "::" not in rest:
        outer, place = located(rest)
        rest = outer.unstrip_protocol(place)
    return f"{address}::{rest}"


def _source(url: str, info: dict[str, Any]) -> Source:
    versions = ("mtime", "ETag", "etag", "LastModified", "md5", "md5Hash", "generation", "ino")
    stamp = " ".join(f"{key}={info[key]}" for key in (*versions, "CRC") if info.get(key))
    inner, *outer = (part.rstrip("/").rpartition("/")[2] for part in url.split("::") if "/" in part)
    return Source(url, "/".join([*reversed(outer), inner]), info.get("size"), stamp)


def opened(url: str) -> "BinaryFile":
    """The file at *url*, to be read in parts.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    filesystem, path = located(url)
    if isinstance(filesystem, ZipFileSystem):
        return _member(filesystem, path)
    return filesystem.open(path, "rb")  # type: ignore[no-any-return]


def _member(archive: ZipFileSystem, path: str) -> "BinaryFile":
    """A file in an archive; if it is stored uncompressed, it can be read directly at any offset."""
    info = archive.zip.getinfo(path)
    archive.fo.seek(info.header_offset)
    header = archive.fo.read(30)  # APPNOTE.TXT, 4.3.7
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or header[:2] != b"PK":
        return _Member(archive, archive.open(path, "rb"), 0, info.file_size)
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    start = info.header_offset + 30 + name + extra
    return _Member(archive, archive.fo, start, info.file_size)


def is_there(url: str, size: int) -> bool:
    """Whether a file of *size* bytes is at *url*; if that cannot be determined, it counts as there.

    So no address is lost while a store is out of reach.
    """
    try:
        filesystem, path = located(url)
        return filesystem.info(path).get("size") in (size, None)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except Exception:  # each file system has errors of its own
        return True


class BinaryFile(Protocol):
    """What a file needs so that it can be read in parts."""

    def read(self, size: int = ..., /) -> bytes:
        """At most *size* bytes; fewer only at the end of the file."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Go to *offset*."""

    def tell(self) -> int:
        """Where the next read begins."""

    def close(self) -> None:
        """Close the file."""


class _Member:
    """The *size* bytes from *start* on of *file*, as a file; *archive* must be kept open for it."""

    def __init__(self, archive: ZipFileSystem, file: BinaryFile, start: int, size: int) -> None:
        self._archive = archive
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def read(self, size: int = CHUNK, /) -> bytes:
        self._file.seek(self._start + self._position)
        data = self._file.read(max(min(size, self._size - self._position), 0))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(begin + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._file.close()


class NotSeekableError(OSError):
    """A file can only be read forward, and the wanted bytes are behind."""


class HashingFile:
    """A crawl file that is read forward, and sometimes again from a place already passed.

    The SHA-256 digest is over all bytes, each counted once, even if some are read again.
    """

    def __init__(self, url: str, progress: Callable[[int], None] | None = None) -> None:
        self._file = opened(url)
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
        """Go to *offset*; the bytes in between are hashed on the way.

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
        """Read the rest; returns the size of the file in bytes and its SHA-256 digest."""
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
