"""HTTP responses as crawl files keep them."""

import gzip
import zlib
from collections import Counter
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from inlink.extract.http import Response, decoded_body, parse_response
from inlink.extract.limits import MAX_BODY_BYTES

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
        (b"HTTP/1.1 301 X", Response(301, (), b"")),
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
        found = Response(found.status, stripped, found.body)
    assert found == expected
