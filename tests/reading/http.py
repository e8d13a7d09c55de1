"""The block of a record to an HTTP answer, its body decoded as far as it goes (RFC 9112, RFC 9110).

An answer is complete if the whole body came and was decoded. A body that was stored decoded, as
some archivers do although they keep the header, is taken as it is.
"""

import re
import zlib
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import zstandard

_STATUS_LINE = re.compile(r"HTTP(?:/[0-9.]+)?(?:[ \t]+([0-9]+))?(?![0-9A-Za-z.])", re.IGNORECASE)
_BODILESS = (204, 304)
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `known` says that its codings are ones that can be decoded."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    complete: bool = True
    known: bool = True

    def all(self, name: str) -> list[str]:
        """The values of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]

    def get(self, name: str) -> str | None:
        """The first value of a header."""
        return next(iter(self.all(name)), None)


def parse(block: bytes) -> Answer | None:
    """The answer in a block; None where it does not begin with a status line."""
    end = re.search(rb"\r?\n\r?\n", block)
    head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    lines = re.split(r"\r?\n", head.decode("latin-1"))
    status = _STATUS_LINE.match(lines[0])
    if not status:
        return None
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and headers:
            headers[-1] = headers[-1][0], f"{headers[-1][1]} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip(), value.strip()))
    answer = Answer(int(status[1] or 200), headers, body)
    return _decoded(answer, complete=end is not None and answer.status > 0)


def _decoded(answer: Answer, *, complete: bool) -> Answer:
    transfer = _codings(answer, "transfer-encoding")
    body, stated = answer.body, _length(answer)
    if answer.status in _BODILESS:
        return Answer(answer.status, answer.headers, b"", complete)
    if stated is not None and not transfer:
        complete = complete and len(body) >= stated
    codings = _codings(answer, "content-encoding") + transfer
    for coding in reversed(codings):
        if coding not in _DECODERS:
            return Answer(answer.status, answer.headers, b"", complete=False, known=False)
        body, ended = _DECODERS[coding](body) if body else (body, coding != "chunked")
        complete = complete and ended
    return Answer(answer.status, answer.headers, body, complete)


def _length(answer: Answer) -> int | None:
    """The length that an answer states (RFC 9110, 8.6); the longest, where it states several."""
    stated = [value.strip() for value in ",".join(answer.all("content-length")).split(",")]
    return max((int(value) for value in stated if value.isdecimal()), default=None)


def _codings(answer: Answer, name: str) -> list[str]:
    """The codings of a body, in order; ``none`` and ``utf-8`` are seen where there is none."""
    named = [coding.strip() for coding in ",".join(answer.all(name)).lower().split(",")]
    return [coding for coding in named if coding not in ("", "identity", "none", "utf-8")]


def _chunks(body: bytes) -> tuple[bytes, bool]:
    out: list[bytes] = []
    at = 0
    while True:
        size = re.compile(rb"[ \t]*([0-9a-fA-F]+)[ \t]*(?:;[^\r\n]*)?\r?\n").match(body, at)
        if not size:
            begun = at or re.fullmatch(rb"[0-9a-fA-F]+\r?", body)
            return (b"".join(out), False) if begun else (body, True)
        length = int(size[1], 16)
        if not length:
            return b"".join(out), True
        out.append(body[size.end() : size.end() + length])
        if size.end() + length > len(body):
            return b"".join(out), False
        at = size.end() + length
        at += 2 if body[at : at + 2] == b"\r\n" else 1


def _gzip(body: bytes) -> tuple[bytes, bool]:
    if not body.startswith(b"\x1f\x8b"):
        return _undecodable(body)
    out = b""
    while body.startswith(b"\x1f\x8b"):
        member, body, ended = _inflate(body, zlib.MAX_WBITS | 16)
        out += member
        if not ended:
            return out, False
    return out, True


def _deflate(body: bytes) -> tuple[bytes, bool]:
    for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        out, _, ended = _inflate(body, bits)
        if out or ended:
            return out, ended
    return _undecodable(body)


def _inflate(body: bytes, bits: int) -> tuple[bytes, bytes, bool]:
    """What is decoded up to the damage, if any; the rest; whether it came to an end."""
    inflate, out = zlib.decompressobj(bits), []
    try:
        for at in range(0, len(body), 64):
            out.append(inflate.decompress(body[at : at + 64]))
            if inflate.eof:
                return b"".join(out), inflate.unused_data + body[at + 64 :], True
        out.append(inflate.flush())
    except zlib.error:
        pass
    return b"".join(out), b"", False


def _brotli(body: bytes) -> tuple[bytes, bool]:
    decoder, out = brotli.Decompressor(), b""
    try:
        for at in range(0, len(body), 64):
            out += decoder.process(body[at : at + 64])
    except brotli.error:
        return (out, decoder.is_finished()) if out else _undecodable(body)
    return out, decoder.is_finished()


def _zstd(body: bytes) -> tuple[bytes, bool]:
    if not body.startswith(b"\x28\xb5\x2f\xfd"):
        return _undecodable(body)
    out = b""
    while body.startswith(b"\x28\xb5\x2f\xfd"):
        decoder = zstandard.ZstdDecompressor().decompressobj()
        try:
            out += decoder.decompress(body)
        except zstandard.ZstdError:
            return out, False
        if not decoder.eof:
            return out, False
        body = decoder.unused_data
    return out, True


def _undecodable(body: bytes) -> tuple[bytes, bool]:
    """Text that was stored decoded; or nothing, of a body that is damaged from the start.

    Text has none of the bytes that MIME Sniffing (7.2, "binary data byte") calls binary.
    """
    is_text = not re.search(rb"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]", body[:1445])
    marked = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    return (body, True) if is_text or marked else (b"", False)


_DECODERS = {
    "chunked": _chunks,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}


def media_type(values: list[str]) -> tuple[str, str | None]:
    """Essence and charset of Content-Type values: Fetch, "extract a MIME type"; "" for none."""
    essence, charset = "", None
    for value in _split(", ".join(values)):
        found = _mime_type(value)
        if found is None or found[0] == "*/*":
            continue
        if found[0] != essence:
            essence, charset = found
        elif found[1] is not None:
            charset = found[1]
    return essence, charset


def _split(text: str) -> list[str]:
    """At commas, but not at those in quoted strings (Fetch, "get, decode, and split")."""
    return [part.strip() for part in re.findall(r'(?:"(?:\\.|[^"\\])*"?|[^",])+', text)]


def _mime_type(text: str) -> tuple[str, str | None] | None:
    """Essence and charset (MIME Sniffing, "parse a MIME type")."""
    match = re.match(rf"({_TOKEN}/{_TOKEN})[ \t\r\n]*(?:;|$)", text)
    if not match:
        return None
    parameters = re.findall(
        rf';[ \t\r\n]*({_TOKEN})=(?:"((?:\\.|[^"\\])*)"?[^;]*|([^;]*))', text[match.end() - 1 :]
    )
    for name, quoted, plain in parameters:
        value = re.sub(r"\\(.)", r"\1", quoted) or plain.rstrip(" \t\r\n")
        if name.lower() == "charset" and value:
            return match[1].lower(), value
    return match[1].lower(), None
