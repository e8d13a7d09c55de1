"""A cursor over a stretch of decompressed bytes that knows where in the file they come from."""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator

from inlink.web.compression import Piece

_KEPT = 1 << 20
_MANY_MEMBERS = 1 << 16


class Window:
    """Lines and blocks, one after the other; memory is that of the longest one asked for.

    A line ends where a gzip member begins with a record: what was before it was cut off.
    *plain*: the bytes are those of the file, so that each has an offset of its own.
    """

    def __init__(self, pieces: Iterator[Piece], *, plain: bool) -> None:
        self._pieces = pieces
        self._plain = plain
        self._data = bytearray()
        self._at = 0  # the cursor, in _data
        self._base = 0  # of _data[0], in the stretch
        self._positions: list[int] = []  # where in the stretch each member begins
        self._offsets: list[int] = []  # where in the file it does
        self._breaks: deque[int] = deque()  # the positions at which a record begins

    @property
    def position(self) -> int:
        """The cursor: bytes from the beginning of the stretch."""
        return self._base + self._at

    def locate(self, position: int) -> tuple[int, int]:
        """The offset in the file for *position*, and how many bytes *position* is after it."""
        index = max(bisect_right(self._positions, position) - 1, 0)
        behind = position - self._positions[index]
        if self._plain:
            return self._offsets[index] + behind, 0
        return self._offsets[index], behind

    def offset(self) -> int:
        """The offset in the file of the next byte."""
        self._fill(1)
        return self.locate(self.position)[0] if self._offsets else 0

    def line(self, limit: int) -> bytes:
        """The next line with its line end; at most *limit* bytes, none at the end."""
        found = -1
        searched = self._at
        while (found := self._data.find(b"\n", searched, self._at + limit)) < 0:
            available = len(self._data) - self._at
            if available >= limit or not self._fill(available + 1):
                break
            searched = self._at + available
        end = found + 1 if found >= 0 else min(len(self._data), self._at + limit)
        ahead = self.next_break()
        if ahead is not None:
            end = min(end, self._at + ahead)
        line = bytes(self._data[self._at : end])
        self._at = end
        return line

    def back(self, size: int) -> None:
        """Go back before the *size* bytes of the line read last."""
        self._at -= size

    def take(self, size: int) -> bytes:
        """The next *size* bytes, fewer at the end."""
        self._fill(size)
        block = bytes(memoryview(self._data)[self._at : self._at + size])
        self._at += len(block)
        return block

    def skip(self, size: int) -> int:
        """Skip *size* bytes; returns how many there were."""
        left = size
        while left:
            step = min(left, len(self._data) - self._at)
            self._at += step
            left -= step
            if left and not self._fill(1):
                break
        return size - left

    def ahead(self, size: int) -> int:
        """How many bytes follow the cursor, at most *size*; they are in memory then."""
        self._fill(size)
        return min(size, len(self._data) - self._at)

    def peek(self, size: int, behind: int = 0) -> bytes:
        """The *size* bytes that begin *behind* bytes after the cursor, fewer at the end."""
        self._fill(behind + size)
        start = self._at + behind
        return bytes(self._data[start : start + size])

    def matches(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether *pattern* matches at the cursor, as far as bytes are in memory."""
        return pattern.match(self._data, self._at) is not None

    def search(self, pattern: re.Pattern[bytes], size: int) -> int | None:
        """How far from the cursor the first match of *pattern* ends, within the next *size* bytes.

        Only bytes in memory are searched.
        """
        match = pattern.search(self._data, self._at, self._at + size)
        return match.end() - self._at if match else None

    def next_break(self) -> int | None:
        """How far after the cursor a member begins with a record, as far as bytes are in memory."""
        while self._breaks and self._breaks[0] <= self.position:
            self._breaks.popleft()
        return self._breaks[0] - self.position if self._breaks else None

    def _fill(self, size: int) -> bool:
        """Load *size* bytes after the cursor; False if there are fewer."""
        while len(self._data) - self._at < size:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._append(*piece)
        return True

    def _append(self, offset: int, data: bytes) -> None:
        if self._at > _KEPT or self._at == len(self._data):
            del self._data[: self._at]
            self._base += self._at
            self._at = 0
        if not self._offsets or (not self._plain and offset != self._offsets[-1]):
            position = self._base + len(self._data)
            self._positions.append(position)
            self._offsets.append(offset)
            if data.startswith(b"WARC/"):
                self._breaks.append(position)
        if len(self._offsets) > _MANY_MEMBERS:
            passed = max(bisect_right(self._positions, self.position) - 1, 0)
            del self._positions[:passed], self._offsets[:passed]
        self._data += data
