"""Cursors of get-raw-backlinks: opaque, signed, of letters, digits, ``-`` and ``_`` only.

A cursor is base64url, without padding, of

    MAC (16 bytes) | form (1 byte: 0 plain, 1 zlib) | MessagePack of the RawPosition

The MAC is HMAC-SHA256, cut to its first 16 bytes, over the mode, the key range of the target, the
form and the position. So a cursor cannot be made up, and one given for a target or mode is no good
for another. It holds a place in key order, not a row number: it lives on when the index changes.
"""

import binascii
import hashlib
import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from inlink.contract.rows import RawPosition
from inlink.urls.targets import Target

MAC_BYTES = 16


class CursorError(ValueError):
    """Not a cursor that was given out for this target and mode."""


class Cursors:
    """Makes and reads cursors signed with one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, target: Target, position: RawPosition) -> str:
        """The cursor that goes on after *position*."""
        plain = msgspec.msgpack.encode(position)
        packed = zlib.compress(plain, 9)
        content = b"\x01" + packed if len(packed) < len(plain) else b"\x00" + plain
        return urlsafe_b64encode(self._mac(target, content) + content).rstrip(b"=").decode()

    def read(self, target: Target, cursor: str) -> RawPosition:
        """The position that *cursor* marks.

        Raises:
            CursorError: it is not one that `make` made for this target and mode.
        """
        try:
            signed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError) as error:
            raise CursorError(cursor) from error
        mac, content = signed[:MAC_BYTES], signed[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(target, content)):
            raise CursorError(cursor)
        plain = zlib.decompress(content[1:]) if content[:1] == b"\x01" else content[1:]
        return msgspec.msgpack.decode(plain, type=RawPosition)

    def _mac(self, target: Target, content: bytes) -> bytes:
        signed = msgspec.msgpack.encode((target.mode, target.low, target.high, content))
        return hmac.digest(self._secret, signed, hashlib.sha256)[:MAC_BYTES]
