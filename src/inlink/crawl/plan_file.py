"""Plans: which URLs to fetch, best first.

A plan is a file of JSON Lines in UTF-8 (``.jsonl``, or ``.jsonl.gz``), one object for each URL, of
which only ``url`` is required. It is read and written as a stream, at a path or any fsspec URL.
Plans that are to be crawled by several machines are split by `part_of`, so that each host is in one
of them only.
"""

import contextlib
import datetime as dt
import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import urlsplit

import fsspec
import msgspec
import xxhash
from fsspec.implementations.local import LocalFileSystem

Why = Literal["due", "hub", "new", "retry", "seed"]


class PlanError(ValueError):
    """A plan cannot be read; the message says which line, and what would be right."""


class PlanEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One URL to fetch, and what is known of it."""

    url: str
    priority: float = 0.0
    """The more, the earlier."""
    why: Why = "seed"
    etag: str | None = None
    """With *last_modified*, from the last answer that had content: 304 says that it still holds."""
    last_modified: str | None = None
    digest: str | None = None
    """Payload digest of that answer (``sha1:…``), which was given at *visited_at*. Only for a page
    that was ``ok`` and without robots directives: those may stand in the header, which has none."""
    visited_at: dt.datetime | None = None


def read_plan(address: str) -> Iterator[PlanEntry]:
    """The entries of the plan at *address*, a path or an fsspec URL.

    Raises:
        OSError: there is no such file.
        PlanError: a line is not an entry.
    """
    decoder = msgspec.json.Decoder(PlanEntry)
    with fsspec.open(address, "rb") as file:
        lines: Any = gzip.GzipFile(fileobj=file) if address.endswith(".gz") else file
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise PlanError(
                    f"{address}, line {number}: {error}. Each line is an object with at least "
                    '"url", such as {"url": "https://example.com/"}.'
                ) from error


def write_plan(address: str, entries: Iterable[PlanEntry]) -> int:
    """Write *entries* to *address*, where they appear all or not at all; how many they are."""
    count = 0
    encoder = msgspec.json.Encoder()
    with _written_whole(address) as file:
        for entry in entries:
            file.write(encoder.encode(entry) + b"\n")
            count += 1
    return count


def part_of(url: str, parts: int) -> int:
    """Which of *parts* plans has the URL: that of its host, from 0."""
    return xxhash.xxh3_64_intdigest((urlsplit(url).hostname or "").encode()) % parts


@contextlib.contextmanager
def _written_whole(address: str) -> Iterator[IO[bytes]]:
    filesystem, path = fsspec.core.url_to_fs(address)
    local = isinstance(filesystem, LocalFileSystem)
    if local:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    target = Path(path).with_name(f".{Path(path).name}.{os.getpid()}") if local else path
    with filesystem.open(str(target), "wb") as raw, _compressed(raw, address) as file:
        yield file
    if isinstance(target, Path):
        target.replace(path)


def _compressed(raw: Any, address: str) -> Any:
    """Without name and time in the header of gzip: the same plan is the same file."""
    if not address.endswith(".gz"):
        return contextlib.nullcontext(raw)
    return gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0)
