"""Decompressed bytes of a crawl file, in stretches free of damage.

In: a crawl file and where to begin. Out: stretches. Each is an iterator of pieces: an offset in the
file, and bytes. The offset is that of the gzip member that the bytes are from; in a file that is
not compressed, it is their own. A stretch ends at the end of the file or at damaged data; the next
one begins at the next gzip member (RFC 1952) that can be read.
"""

import zlib
from collections.abc import Callable, Iterator

from fastwarc import Lz4Reader, ZstdReader

from inlink.web.problems import Problems
from inlink.web.source import BinaryFile

Piece = tuple[int, bytes]

PIECE = 1 << 18
_INPUT = 1 << 16
_SMALL = 1 << 10  # at most this much is lost before damage
_GZIP = b"\x1f\x8b"
_MEMBER = b"\x1f\x8b\x08"  # with deflate, the only compression method
_MAGIC = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}


def compression_of(file: BinaryFile) -> str:
    """gzip, zstd, lz4 or none, by the first bytes; leaves *file* at its beginning."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    if start.startswith(_GZIP):
        return "gzip"
    if start[1:] == b"\x2a\x4d\x18" and 0x50 <= start[0] <= 0x5F:
        return "zstd"  # a skippable frame: the dictionary of the WARC files of Archive Team
    return _MAGIC.get(start, "none")


def stretches(
    file: BinaryFile, compression: str, start: int, problems: Problems
) -> Iterator[Iterator[Piece]]:
    """The stretches of *file* from *start* on; each must be read to its end before the next."""
    if compression == "gzip":
        return _gzip_stretches(file, start, problems)
    file.seek(start)
    if compression == "none":
        return iter([_plain(file)])
    reader = ZstdReader(file) if compression == "zstd" else Lz4Reader(file)
    return iter([_frames(reader, problems)])


def _plain(file: BinaryFile) -> Iterator[Piece]:
    while True:
        offset = file.tell()
        data = file.read(PIECE)
        if not data:
            return
        yield offset, data


def _frames(reader: ZstdReader | Lz4Reader, problems: Problems) -> Iterator[Piece]:
    while True:
        try:
            data = reader.read(_SMALL)
        except (OSError, ValueError):
            problems["compression_damaged"] += 1
            return
        if not data:
            return
        yield reader.frame_start_position() or 0, data


def _gzip_stretches(file: BinaryFile, start: int, problems: Problems) -> Iterator[Iterator[Piece]]:
    position: int | None = start
    damage: list[int] = []
    while position is not None:
        damage.clear()
        before = position
        file.seek(position)
        yield _gzip_members(file, damage.append)
        position = _next_member(file, damage[0] + 1) if damage else None
        if damage and (damage[0] > before or before == start or position is None):
            problems["gzip_damaged"] += 1


def _gzip_members(file: BinaryFile, damaged: Callable[[int], None]) -> Iterator[Piece]:
    """Pieces up to the end or to damage; *damaged* gets the offset of the damaged member."""
    member = file.tell()
    data = b""
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    started = False
    while data := data or file.read(_INPUT):
        if not started and not (data := data.lstrip(b"\0")):
            continue  # tapes and disks pad with zeros
        if not started:
            member = file.tell() - len(data)
            started = True
        try:
            piece = inflate.decompress(data, PIECE)
        except zlib.error:
            damaged(member)
            return
        if piece:
            yield member, piece
        data = inflate.unconsumed_tail
        if inflate.eof:
            data = inflate.unused_data
            inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            started = False
    if started:
        if rest := inflate.flush():
            yield member, rest
        damaged(member)


def _next_member(file: BinaryFile, position: int) -> int | None:
    """The next offset from *position* on where a gzip member seems to begin."""
    file.seek(position)
    window = b""
    while data := file.read(_INPUT):
        window += data
        found = window.find(_MEMBER)
        if found >= 0:
            return file.tell() - len(window) + found
        window = window[-2:]
    return None
