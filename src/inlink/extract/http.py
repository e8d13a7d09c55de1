"""HTTP responses as crawl files keep them: a status line, header fields, a body as it was sent.

In: the block of a record. Out: the parts of a response (RFC 9112), and its body with
Transfer-Encoding and Content-Encoding undone (RFC 9110), never more of it than a limit.
"""

import io
import re
import zlib
from collections.abc import Callable

import msgspec
from fastwarc import GzipReader, ZstdReader
from fastwarc.stream_io import BrotliReader, WarcReader

from inlink.extract.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES
from inlink.extract.problems import Problems

Fields = tuple[tuple[str, str], ...]
Reader = WarcReader | io.BytesIO

_STATUS_LINE = re.compile(rb"\s*(?:HTTP/\d+(?:\.\d+)?|ICY)\s+(\d{3})(?!\d)[^\n]*(?:\n|\Z)", re.I)
_LOCATION = re.compile(rb"^location[ \t]*:[^\n]*", re.I | re.M)
_NO_ASCII = re.compile(rb"[\x80-\xff]")
_HEADER_END = re.compile(rb"\n\r*\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
_STEP = 1 << 16


class Response(msgspec.Struct, frozen=True):
    """A response: *fields* are its header fields, names in lower case, as often as they stand."""

    status: int
    fields: Fields
    body: bytes


def parse_response(block: bytes) -> Response | None:
    """The response in the block of a record; None if it does not begin with a status line."""
    line = _STATUS_LINE.match(block)
    if line is None:
        return None
    start = line.end()
    end = _HEADER_END.search(block, start - 1, start + MAX_HEADER_BYTES)
    head, body_start = (
        (block[start : end.start()], end.end()) if end else (block[start:], len(block))
    )
    return Response(int(line[1]), _fields(head[:MAX_HEADER_BYTES]), block[body_start:])


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
    """Header text: UTF-8 where it is, else ISO 8859-1 as of old.

    A Location keeps its bytes, whatever they mean: those beyond ASCII are percent-encoded, as by
    Chromium.
    """
    if not head.isascii():
        head = _LOCATION.sub(_percent_encoded, head)
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _percent_encoded(line: re.Match[bytes]) -> bytes:
    return _NO_ASCII.sub(lambda byte: b"%%%02X" % ord(byte[0]), line[0])


def field(fields: Fields, name: str) -> str | None:
    """The value of the first field called *name* (lower case); None if there is none."""
    return next((value for own, value in fields if own == name), None)


def decoded_body(response: Response, problems: Problems) -> tuple[bytes, bool]:
    """The body with its encodings undone, and whether it was cut off at `MAX_BODY_BYTES`.

    Many crawlers keep a body decoded under the header of the encoded one, so a body that is not in
    the encoding that its header names is taken as it is. One that is damaged is read as far as it
    goes, and counted.
    """
    body = response.body
    if "chunked" in (field(response.fields, "transfer-encoding") or "").lower():
        body = _unchunked(body, problems)
    encodings = (field(response.fields, "content-encoding") or "").lower().split(",")
    for encoding in reversed([encoding.strip() for encoding in encodings]):
        reader = _READERS.get(encoding)
        if reader is not None and body:
            body = _decoded(reader, body, problems)
    if len(body) > MAX_BODY_BYTES:
        problems["body_truncated"] += 1
        return body[:MAX_BODY_BYTES], True
    return body, False


def _unchunked(body: bytes, problems: Problems) -> bytes:
    chunks: list[bytes] = []
    position = 0
    while match := _CHUNK_SIZE.match(body, position):
        size = int(match[1], 16)
        chunks.append(body[match.end() : match.end() + size])
        position = match.end() + size
        if size == 0 or position >= len(body):
            return b"".join(chunks)
        position += 2 if body[position : position + 2] == b"\r\n" else 1
    if not chunks:
        return body
    problems["transfer_encoding"] += 1
    return b"".join(chunks) + body[position:]


def _deflate(file: io.BytesIO) -> Reader:
    """``deflate`` is the zlib format (RFC 1950); some servers send bare deflate data (RFC 1951)."""
    data = file.getvalue()
    try:
        zlib.decompressobj().decompress(data[:_STEP], 1)
    except zlib.error:
        return io.BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, MAX_BODY_BYTES + 1))
    return GzipReader(file, zlib=True)


_READERS: dict[str, Callable[[io.BytesIO], Reader]] = {
    "gzip": GzipReader,
    "x-gzip": GzipReader,
    "deflate": _deflate,
    "br": BrotliReader,
    "zstd": ZstdReader,
}


def _decoded(open_reader: Callable[[io.BytesIO], Reader], body: bytes, problems: Problems) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        reader = open_reader(io.BytesIO(body))
        while size <= MAX_BODY_BYTES and (piece := reader.read(_STEP)):
            pieces.append(piece)
            size += len(piece)
    except (OSError, ValueError, zlib.error):
        if pieces or b"<" not in body[:1024]:
            problems["content_encoding"] += 1
    return b"".join(pieces) or body
