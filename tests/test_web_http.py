"""HTTP responses as crawl files keep them."""

import gzip
import zlib
from collections import Counter
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from inlink.web.http import Response, decoded_body, parse_response
from inlink.web.limits import MAX_BODY_BYTES

BODY = b"<p>hello</p>" * 10_000


def _raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


def _decoded(body: bytes, **fields: str) -> tuple[bytes, bool, Counter[str]]:
    problems: Counter[str] = Counter()
    names = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return *decoded_body(Response(200, names, body), problems), problems


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("identity", bytes),
        ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    ],
)
def test_content_encodings(name: str, encode: Callable[[bytes], bytes]) -> None:
    assert _decoded(encode(BODY), content_encoding=name) == (BODY, True, {})


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_kept_decoded_is_taken_as_it_is(name: str) -> None:
    assert _decoded(BODY, content_encoding=name) == (BODY, True, {})


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("gzip", lambda data: gzip.compress(data, 1)),
        ("deflate", lambda data: zlib.compress(data, 1)),
        ("br", lambda data: brotli.compress(data, quality=1)),
        ("zstd", zstandard.compress),
    ],
)
def test_a_bomb_is_bounded(name: str, encode: Callable[[bytes], bytes]) -> None:
    body, cut, problems = _decoded(encode(bytes(8 * MAX_BODY_BYTES)), content_encoding=name)
    assert (len(body), cut, problems) == (MAX_BODY_BYTES, False, {"body_truncated": 1})


def test_chunks() -> None:
    chunked = b"5;name=value\r\n<p>he\r\n00006\r\nllo</p\r\n1\r\n>\r\n0\r\nTrailer: x\r\n\r\n"
    assert _decoded(chunked, transfer_encoding="chunked") == (b"<p>hello</p>", True, {})
    assert _decoded(BODY, transfer_encoding="chunked") == (BODY, True, {})
    cut = _decoded(b"5\r\n<p>he\r\nffff\r\nll", transfer_encoding="Chunked")
    assert cut[0] == b"<p>hell"
    broken = _decoded(b"5\r\n<p>he\r\nllo", transfer_encoding="chunked")
    assert (broken[0], broken[2]) == (b"<p>hello", {"transfer_encoding": 1})


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", Response(200, (("a", "b"),), b"body")),
        (b"HTTP/1.0 302 \r\nLocation: x\r\n\r\n", Response(302, (("location", "x"),), b"")),
        (b"HTTP/2 404\n\nbody", Response(404, (), b"body")),
        (b"HTTP/1.1 200 OK\r\n\r\n\r\nbody", Response(200, (), b"\r\nbody")),
        (b"ICY 200 OK\r\n\r\n", Response(200, (), b"")),
        (b"HTTP/1.1 301 X", Response(301, (), b"", header_ended=False)),
        # As Chromium: HttpUtil::LocateStartOfStatusLine, HttpResponseHeaders::ParseStatusLine.
        (b"HTTP 200 Document follows\r\nA: b\r\n\r\nx", Response(200, (("a", "b"),), b"x")),
        (b"http/1.0 200\n\nx", Response(200, (), b"x")),
        (b"HTTP/1.0    404   Not Found\n\nx", Response(404, (), b"x")),
        (b"HTTP/1.1\t200 OK\n\nx", Response(200, (), b"x")),
        (b"HTTP/1.1 200OK\n\nx", Response(200, (), b"x")),
        (b"HTTP/1.x 200 OK\n\nx", Response(200, (), b"x")),
        (b"HTTP/1.1 OK\r\n\r\nx", Response(200, (), b"x")),
        (b"HTTP/1.1\r\n\r\nx", Response(200, (), b"x")),
        (b"HTTP\r\n\r\nx", Response(200, (), b"x")),
        (b"\r\n\r\n  HTTP/1.1 200 OK\r\n\r\nx", Response(200, (), b"x")),
        (b"\0\1\2xHTTP/1.1 200 OK\r\n\r\nx", Response(200, (), b"x")),
        # RFC 9110, 15: what is no status is treated as a server error; the visit is kept.
        (b"HTTP/1.1 0 \r\n\r\nx", Response(0, (), b"x")),
        (b"HTTP/1.1 000\r\n\r\nx", Response(0, (), b"x")),
        (b"HTTP/1.1 99 x\r\n\r\nx", Response(99, (), b"x")),
        # RFC 9110, 15.2: interim responses come before the final one.
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nx",
         Response(200, (("a", "b"),), b"x")),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 2 + b"HTTP/2 404\r\n\r\nx",
         Response(404, (), b"x")),
        (b"HTTP/1.1 100 Continue\r\n\r\n", Response(100, (), b"")),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 Gone\r\n\r\n",
         Response(200, (), b"HTTP/1.1 404 Gone\r\n\r\n")),
        (b"<!--HTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTPS is safe", None),
        (b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nF:\r\n old\r\nno colon\r\n\r\n",
         Response(200, (("a", "1"), ("a", "2"), ("f", "old")), b"")),
        (b"HTTP/1.1 200 OK\r\nX: \xe9\r\n\r\n", Response(200, (("x", "é"),), b"")),
        (b"<html>", None),
        (b"HTTPX/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 2000 OK\r\n\r\n", None),
        (b"", None),
    ],
)  # fmt: skip
def test_responses(block: bytes, expected: Response | None) -> None:
    found = parse_response(block)
    if found is not None and expected is not None:
        stripped = tuple((name, value.strip()) for name, value in found.fields)
        found = Response(found.status, stripped, found.body, found.header_ended)
    assert found == expected
