"""HTTP responses as crawl files keep them: a status line, header fields, a body as it was sent.

In: the block of a record. Out: the parts of a response (RFC 9112), and its body with
Transfer-Encoding and Content-Encoding undone (RFC 9110), up to a limit.
"""

import io
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec
import webencodings
import zstandard
from fastwarc.stream_io import BrotliReader

from inlink.web.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES
from inlink.web.problems import Problems

Fields = tuple[tuple[str, str], ...]

_STATUS_LINE = re.compile(  # old servers send no version, no number, or a few bytes before it
    rb"\s*[^\n<]{0,4}?(?:HTTP(?:/\S*)?|ICY)(?:[ \t]+(\d*)[^\n]*|\r*)(?:\n|\Z)", re.I
)
_LOCATION = re.compile(rb"^location[ \t]*:[^\n]*", re.I | re.M)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_HEADER_END = re.compile(rb"\n\r*\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,64})[ \t]*(?:;[^\n]*)?\r?\n")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+\Z")
_NO_CODING = frozenset(("identity", "none", "7bit", "8bit", "binary"))
_NO_BODY = frozenset((204, 304))
_GZIP = b"\x1f\x8b"
_GZIP_MEMBER = re.compile(rb"\x1f\x8b\x08")
_ZSTD = re.compile(rb"\x28(?:\xb5|\Z)(?:\x2f|\Z)(?:\xfd|\Z)|[\x50-\x5f]\x2a\x4d\x18")
"""The beginning of a frame, which may be cut off, or of a skippable frame."""
_MAX_ZSTD_WINDOW = 8 << 20  # RFC 9659
_STEP = 1 << 10  # bytes; of damaged data, up to this much of the input is lost
_SIGHT = 1445  # https://mimesniff.spec.whatwg.org/#reading-the-resource-header
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_BYTE_ORDER_MARKS = (b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf")
_SHORT_TEXT = 512  # bytes; shorter compressed data may by chance have no binary byte


class Response(msgspec.Struct, frozen=True):
    """A response: *fields* are all its header fields, repeated ones too, names in lower case."""

    status: int
    fields: Fields
    body: bytes
    header_ended: bool = True
    """Whether an empty line ends the header within `MAX_HEADER_BYTES`."""


class _Head(NamedTuple):
    status: int
    start: int
    end: int
    body: int | None
    """Where the body begins; None if the header does not end."""


def parse_response(block: bytes) -> Response | None:
    """The response in the block of a record; None if it does not begin with a status line.

    Chromium's reading of status lines: https://chromium.googlesource.com/chromium/src/+/main/net/
    http/http_response_headers.cc (``ParseStatusLine``). A missing number means 200. One
    of more than three digits is not a status. An interim response (1xx) is skipped if another
    response follows.
    """
    head = _head(block, 0)
    while head and head.body is not None and 100 <= head.status < 200 and head.status != 101:
        following = _head(block, head.body)
        if following is None:
            break
        head = following
    if head is None:
        return None
    fields = _fields(block[head.start : head.end])
    body = b"" if head.body is None else block[head.body :]
    return Response(head.status, fields, body, head.body is not None)


def _head(block: bytes, position: int) -> _Head | None:
    line = _STATUS_LINE.match(block, position)
    if line is None or len(line[1] or b"") > 3:
        return None
    start = line.end()
    limit = start + MAX_HEADER_BYTES
    end = _HEADER_END.search(block, start - 1, limit)
    status = int(line[1] or 200)
    if end is None:
        return _Head(status, start, min(limit, len(block)), None)
    return _Head(status, start, end.start(), end.end())


def _fields(head: bytes) -> Fields:
    fields: list[tuple[str, str]] = []
    for line in _text(head).split("\n"):
        if line[:1] in (" ", "\t") and fields:  # folded, as RFC 822 allowed
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon:
            fields.append((name.strip().lower(), value.strip()))
    return tuple(fields)


def _text(head: bytes) -> str:
    """Header text: UTF-8 if it is valid, else ISO 8859-1, the old default.

    A Location keeps its bytes, whatever they mean: those beyond ASCII are percent-encoded, as in
    Chromium.
    """
    if not head.isascii():
        head = _LOCATION.sub(_percent_encoded, head)
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _percent_encoded(line: re.Match[bytes]) -> bytes:
    return _NOT_ASCII.sub(lambda byte: b"%%%02X" % ord(byte[0]), line[0])


def field(fields: Fields, name: str) -> str | None:
    """The value of the first field called *name* (lower case); None if there is none."""
    return next((value for own, value in fields if own == name), None)


def decoded_body(
    response: Response, problems: Problems, limit: int = MAX_BODY_BYTES
) -> tuple[bytes, bool]:
    """The body with its codings undone, and whether it is everything that was sent.

    Many crawlers store a decoded body under the header of the encoded one, so a body that is not in
    the coding that its header names is taken as it is. One that is damaged, ends early or is longer
    than *limit* bytes is read as far as possible, and counted. One in an unknown coding has no
    content.
    """
    if has_unknown_coding(response.fields):
        problems["unknown_coding"] += 1
        return b"", False
    transfer = _codings(response.fields, "transfer-encoding")
    body, whole = response.body, True
    # Stored decoded, a redirect or an error may be empty; a page was cut off before its first byte.
    is_empty_page = not body and response.status == 200
    if transfer and is_empty_page:
        problems["transfer_encoding"] += 1
        whole = False
    for coding in reversed(transfer):
        body, is_sound = _undone(coding, body, limit)
        if not is_sound:
            problems["transfer_encoding"] += 1
            whole = False
    is_as_sent = not transfer
    for coding in reversed(_codings(response.fields, "content-encoding")):
        encoded = body
        body, is_sound = _undone(coding, encoded, limit)
        if not is_sound:
            problems["content_encoding"] += 1
            whole = False
        is_as_sent &= body is not encoded or is_empty_page
    if whole and is_as_sent and len(response.body) < said_length(response.status, response.fields):
        problems["body_short"] += 1
        whole = False
    if len(body) > limit:
        problems["body_truncated"] += 1
        return body[:limit], False
    return body, whole


def has_unknown_coding(fields: Fields) -> bool:
    """Whether the body is in a coding that cannot be undone here."""
    return not _DECODERS.keys() >= set(_all_codings(fields))


def is_coded(fields: Fields) -> bool:
    """Whether the body is in any coding, by its header."""
    return bool(_all_codings(fields))


def _all_codings(fields: Fields) -> list[str]:
    return _codings(fields, "transfer-encoding") + _codings(fields, "content-encoding")


def _codings(fields: Fields, name: str) -> list[str]:
    """The codings that fields called *name* list, in the order in which they were applied.

    Some servers name something else there, which browsers ignore: that there is no coding, a
    character encoding, or text that is not a token.
    """
    named = ",".join(value for own, value in fields if own == name).lower().split(",")
    tokens = (each.partition(";")[0].strip() for each in named)
    return [token for token in tokens if _TOKEN.match(token) and not _is_no_coding(token)]


def _is_no_coding(token: str) -> bool:
    return token in _NO_CODING or webencodings.lookup(token) is not None


def said_length(status: int, fields: Fields) -> int:
    """Bytes that a body should have by its Content-Length: the largest of several, 0 if none."""
    if status in _NO_BODY or 100 <= status < 200:
        return 0
    lengths = ",".join(value for name, value in fields if name == "content-length")
    numbers = (each.strip().lstrip("0") for each in lengths.split(","))
    valid = (number[:19] for number in numbers if number.isascii() and number.isdigit())
    return max(map(int, valid), default=0)


class _Decoded(NamedTuple):
    data: bytes
    whole: bool
    """The encoded data neither ends early nor is damaged."""


def _undone(coding: str, body: bytes, limit: int) -> tuple[bytes, bool]:
    """*body* with one coding undone, and whether that is sound; *body* itself if not encoded."""
    decoded = _DECODERS[coding](body, limit) if body else None
    if decoded and (decoded.whole or len(decoded.data) > limit):
        return decoded.data, True
    if not body or (coding == "chunked" and not decoded):
        return body, True
    if coding != "chunked" and _is_text(body):
        return body, True
    return (decoded.data if decoded else body), False


def _is_text(body: bytes) -> bool:
    """Whether *body* begins like text; compressed data does not."""
    begin = body[:_SIGHT]
    if begin.startswith(_BYTE_ORDER_MARKS):
        return True
    return not _BINARY.search(begin) and (b"<" in begin or len(body) >= _SHORT_TEXT)


def _unchunked(body: bytes, limit: int) -> _Decoded | None:
    """RFC 9112, 7.1 and 8: the body is whole if the chunk of size 0 was received."""
    chunks: list[bytes] = []
    position = 0
    while match := _CHUNK_SIZE.match(body, position):
        size = int(match[1], 16)
        position = min(match.end() + size, len(body))
        if size == 0:
            return _Decoded(b"".join(chunks), True)
        chunks.append(body[match.end() : position])
        if body.startswith(b"\r\n", position):
            position += 2
        elif body.startswith(b"\n", position):
            position += 1
    return _Decoded(b"".join(chunks) + body[position:], False) if chunks else None


class _Decompressor(Protocol):
    """A decompressor of zlib or of zstandard."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _decompressed(
    new: Callable[[], _Decompressor],
    data: bytes,
    limit: int,
    again: re.Pattern[bytes] | None = None,
) -> _Decoded:
    """What *data* holds, up to a little more than *limit* bytes.

    Another member or frame may follow the first if it matches *again*. Anything else that follows
    is not part of the body, as in browsers.
    """
    pieces: list[bytes] = []
    size = position = 0
    decompressor = new()
    while position < len(data) and size <= limit:
        try:
            piece = decompressor.decompress(data[position : position + _STEP])
        except (zlib.error, zstandard.ZstdError):
            break
        pieces.append(piece)
        size += len(piece)
        position = min(position + _STEP, len(data))
        if decompressor.eof:
            position -= len(decompressor.unused_data)
            if again is None or not again.match(data, position):
                return _Decoded(b"".join(pieces), True)
            decompressor = new()
    return _Decoded(b"".join(pieces), False)


def _gunzip(data: bytes, limit: int) -> _Decoded | None:
    if not data.startswith(_GZIP[: len(data)]):
        return None
    return _decompressed(lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), data, limit, _GZIP_MEMBER)


def _inflate(data: bytes, limit: int) -> _Decoded:
    """``deflate`` is the zlib format (RFC 1950); some servers send bare deflate data (RFC 1951)."""
    is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
    wbits = zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
    return _decompressed(lambda: zlib.decompressobj(wbits), data, limit)


def _unbrotli(data: bytes, limit: int) -> _Decoded:
    pieces: list[bytes] = []
    size = 0
    reader = BrotliReader(io.BytesIO(data))
    try:
        while size <= limit and (piece := reader.read(_STEP)):
            pieces.append(piece)
            size += len(piece)
    except OSError:
        return _Decoded(b"".join(pieces), False)
    return _Decoded(b"".join(pieces), size <= limit)


def _unzstd(data: bytes, limit: int) -> _Decoded | None:
    if not _ZSTD.match(data):
        return None
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
    return _decompressed(lambda: decompressor.decompressobj(), data, limit, _ZSTD)


_DECODERS: dict[str, Callable[[bytes, int], _Decoded | None]] = {
    "chunked": _unchunked,
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "x-deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
