"""Answers that no server should give: malformed, slow, endless, oversized, at each stage.

Each has what becomes of a page that answers so: the cause of its failure, or the class of its
status. Where the two columns come from is said at each part. Nothing here knows Inlink.
"""

import asyncio
import gzip
from asyncio import StreamWriter

from tests.crawl_web import answers
from tests.crawl_web.answers import HTML, Answer, head, markup, send

OUTSIDE = "http://outside.example/"
PAGE = markup(OUTSIDE)
CHUNKED = head(200, {**HTML, "Transfer-Encoding": "chunked"})

Hostile = dict[str, tuple[Answer, str]]


def with_fields(*fields: bytes, status: bytes = b"200 OK", body: bytes = PAGE) -> Answer:
    """An answer with these fields as they are, and nothing else but its type."""
    lines = b"".join(field + b"\r\n" for field in (b"Content-Type: text/html", *fields))
    return send(b"HTTP/1.1 " + status + b"\r\n" + lines + b"\r\n" + body)


def for_ever(beginning: bytes, piece: bytes, pause: float = 0) -> Answer:
    async def answer(writer: StreamWriter) -> None:
        writer.write(beginning)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def one_chunk(size: bytes, data: bytes = PAGE) -> Answer:
    return send(CHUNKED + size + b"\r\n" + data + b"\r\n0\r\n\r\n")


def chunk_sizes() -> Hostile:
    """https://www.rfc-editor.org/rfc/rfc9112#section-7.1: 1*HEXDIG, and no overflow; Chromium's
    decoder also takes spaces behind it, and lines that end in LF."""
    size = b"%x" % len(PAGE)
    bad = {
        "minus": b"-5",
        "plus": b"+" + size,
        "0x": b"0x" + size,
        "underscore": size[:1] + b"_" + size[1:],
        "space-before": b" " + size,
        "other-digits": "\u0665".encode(),
        "no-digit": b"g",
        "empty": b"",
        "only-extension": b";" + size,
        "17-digits": b"f" * 17,
        "5000-digits": b"f" * 5000,
        "nul": size + b"\0",
        "two": size + b" " + size,
    }
    good = {
        "upper-case": size.upper(),
        "extension": size + b';name="a;b"',
        "zeros": b"0" * 30 + size,
        "space-behind": size + b"  ",
    }
    hostile: Hostile = {f"chunk-{name}": (one_chunk(size), "http") for name, size in bad.items()}
    hostile |= {f"chunk-{name}": (one_chunk(size), "2xx") for name, size in good.items()}
    bare = CHUNKED + size + b"\n" + PAGE + b"\n0\n\n"
    return hostile | {
        "chunk-lf": (send(bare), "2xx"),
        "chunk-longer": (one_chunk(size, PAGE + b"more"), "http"),
        "chunk-15-digits": (send(CHUNKED + b"f" * 15 + b"\r\n" + PAGE), "reset"),
        "chunk-long-line": (send(CHUNKED + b"5;" + b"x" * 100_000 + b"\r\n"), "http"),
        "chunk-no-end": (answers.chunked(PAGE, ending=b""), "reset"),
        "chunk-endless-trailer": (
            for_ever(CHUNKED + size + b"\r\n" + PAGE + b"\r\n0\r\n", b"X: y\r\n" * 1000),
            "http",
        ),
        "chunk-not-last": (
            with_fields(b"Transfer-Encoding: chunked, gzip", body=gzip.compress(PAGE)),
            "2xx",  # RFC 9112 6.3: read until the connection is closed
        ),
        "chunk-and-length": (
            send(
                head(200, {**HTML, "Transfer-Encoding": "chunked", "Content-Length": "3"})
                + size + b"\r\n" + PAGE + b"\r\n0\r\n\r\n"
            ),
            "2xx",  # RFC 9112 6.3: the coding overrides the length
        ),
    }  # fmt: skip


def lengths() -> Hostile:
    """https://www.rfc-editor.org/rfc/rfc9112#section-6.3: a number, or a list of equal ones."""
    size = b"%d" % len(PAGE)
    bad = {
        "different": b"5, 6",
        "plus": b"+" + size,
        "minus": b"-5",
        "hex": b"0x5",
        "underscore": size[:1] + b"_" + size[1:],
        "exponent": b"1e1",
        "fraction": size + b".0",
        "two-words": size + b" " + size,
        "other-digits": "\u0665".encode(),
        "empty": b"",
        "5000-digits": b"9" * 5000,
        "19-digits": b"9" * 19,
        "word": b"long",
    }
    good = {"list": size + b", " + size, "zeros": b"000" + size}
    hostile: Hostile = {
        f"length-{name}": (with_fields(b"Content-Length: " + value), "http")
        for name, value in bad.items()
    }
    hostile |= {
        f"length-{name}": (with_fields(b"Content-Length: " + value), "2xx")
        for name, value in good.items()
    }
    one, other = b"Content-Length: " + size, b"Content-Length: 3"
    return hostile | {
        "length-twice": (with_fields(one, one), "2xx"),
        "length-twice-different": (with_fields(one, other), "http"),
        "length-too-long": (answers.wrong_length(PAGE, 100_000), "reset"),
        "length-enormous": (answers.wrong_length(PAGE, 10**14), "reset"),
    }


def heads() -> Hostile:
    """What is no header of an answer, or none that ends."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    return {
        "head-ssh": (send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "http"),
        "head-tls": (send(b"\x15\x03\x01\x00\x02\x02\x50\n\r\n"), "http"),
        "head-nul": (send(b"\0" * 1000 + b"\r\n\r\n"), "http"),
        "head-empty-line": (send(b"\r\n\r\n"), "http"),
        "head-none": (send(b""), "reset"),
        "head-half": (send(start), "reset"),
        "head-half-status": (send(b"HTTP/1.1 2"), "reset"),
        "head-reset": (answers.reset, "reset"),
        "head-long-line": (send(start + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n"), "http"),
        "head-flood": (for_ever(start, b"X: y\r\n" * 1000), "http"),
        "head-line-flood": (for_ever(start, b"x" * 10_000), "http"),
        "hints-flood": (for_ever(hints, hints * 100), "http"),
        "hints-only": (send(hints), "reset"),
        "other-protocol": (send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), "http"),
        "head-nul-field": (with_fields(b"X\0Y: a\0b", b"\xff\xfe: \x80", b"no colon"), "2xx"),
    }


def bodies() -> Hostile:
    """Bodies that break off, or are not what they are said to be."""
    said_gzip = {**HTML, "Content-Encoding": "gzip"}
    zipped = gzip.compress(PAGE)
    return {
        "body-reset": (answers.reset_within(PAGE * 100), "reset"),
        "body-nul": (answers.reply(200, HTML, b"\0" * 100_000), "2xx"),
        "body-bomb": (answers.zipped(b" " * 30_000_000), "2xx"),
        "body-no-gzip": (answers.reply(200, said_gzip, b"\x1f\x8b" + PAGE), "2xx"),
        "body-half-gzip": (answers.reply(200, said_gzip, zipped[:-10]), "2xx"),
        "body-gzip-rubbish": (answers.reply(200, said_gzip, zipped + b"rubbish"), "2xx"),
        "body-five-codings": (
            answers.reply(200, {**HTML, "Content-Encoding": "br, gzip, x, , zstd"}, zipped),
            "2xx",
        ),
        "body-deep": (answers.reply(200, HTML, b"<div>" * 100_000 + PAGE), "2xx"),
        "body-links": (answers.reply(200, HTML, b"<a href='//['>" * 10_000 + PAGE), "2xx"),
        "body-endless": (answers.endless(PAGE, in_chunks=False), "2xx"),
        "body-endless-chunks": (answers.endless(PAGE, in_chunks=True), "2xx"),
        "body-tiny-chunks": (for_ever(CHUNKED, b"1\r\n \r\n" * 10_000), "2xx"),
    }


RETRY_AFTER = {
    "year": b"Wed, 21 Oct 99999999999 07:28:00 GMT",
    "day": b"Wed, 99 Oct 2015 07:28:00 GMT",
    "hour": b"Wed, 21 Oct 2015 99:28:00 GMT",
    "zone": b"Wed, 21 Oct 2015 07:28:00 +9999",
    "minus": b"-1",
    "plus": b"+1",
    "other-digits": "\u0661".encode(),
    "exponent": b"1e9999",
    "empty": b"",
    "word": b"soon",
    "nul": b"\0",
    "inf": b"inf",
}
"""None is a delay or a date (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)."""

LOCATIONS = {
    "bracket": b"http://[",
    "bracket-path": b"//]/",
    "port": b"http://a.example:99999/",
    "port-word": b"http://a.example:port/",
    "nul": b"http://a\0b.example/",
    "escape": b"http://%00/",
    "idn": b"http://xn--\xc3\xa9/",
    "scheme": b"javascript:void(0)",
    "mail": b"mailto:a@b.example",
    "slashes": b"http://",
    "long": b"http://a.example/" + b"x" * 20_000,
    "address": b"http://999.1.1.1/",
}
"""None is a URL to go to (https://url.spec.whatwg.org/), or one that is too long."""


def fields() -> Hostile:
    """Fields whose values are nothing; the page is one nevertheless."""
    hostile: Hostile = {
        f"retry-{name}": (
            with_fields(b"Retry-After: " + value, status=b"503 Busy", body=b""),
            "5xx",
        )
        for name, value in RETRY_AFTER.items()
    }
    hostile |= {
        f"location-{name}": (with_fields(b"Location: " + value, status=b"301 Moved"), "3xx")
        for name, value in LOCATIONS.items()
    }
    values = {
        "etag-unicode": 'ETag: "\u65e5\u672c"'.encode(),
        "etag-bytes": b"ETag: \xff\xfe",
        "etag-cr": b'ETag: "a"\rX-Injected: yes',
        "etag-nul": b'ETag: "\0"',
        "modified": b"Last-Modified: Wed, 99 \xc3\xa9 99999999999",
        "type": b"Content-Type: ;;;=/\0",
        "link": b"Link: <http://[>; rel=canonical, <, \xff",
        "robots": b"X-Robots-Tag: unavailable_after: 99 Foo 99999999, :,,\xff",
        "refresh": b"Refresh: 99999999999999999999; url=http://[",
        "date": b"Date: never",
    }
    hostile |= {f"field-{name}": (with_fields(field), "2xx") for name, field in values.items()}
    return hostile


def ready() -> Hostile:
    """All that are answered at once."""
    return chunk_sizes() | lengths() | heads() | bodies() | fields()


def no_robots() -> Hostile:
    """For a robots.txt: as a rule it is read like a page; large ones need not come that often."""
    large = ("body-bomb", "body-endless-chunks", "body-tiny-chunks")
    read = {name: hostile for name, hostile in ready().items() if name not in large}
    return read | {"body-five-codings": (read["body-five-codings"][0], "robots_unreachable")}


def no_sitemap() -> Hostile:
    """For a sitemap, some of each kind."""
    names = (
        *("chunk-minus", "chunk-no-end", "length-5000-digits", "head-flood", "head-none"),
        *("location-bracket", "retry-year"),
    )
    large = ("body-endless-chunks", "body-tiny-chunks")
    some = {name: hostile for name, hostile in bodies().items() if name not in large}
    return some | {name: ready()[name] for name in names}


def slow() -> Hostile:
    """Those for which only the time is too short."""
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    return {
        "slow-never": (answers.hang, "timeout"),
        "slow-status": (for_ever(b"HTTP/1.1 ", b" ", 0.2), "timeout"),
        "slow-head": (for_ever(start, b"X: y\r\n", 0.2), "timeout"),
        "slow-hints": (for_ever(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 2), "timeout"),
        "slow-body": (answers.slow(PAGE), "timeout"),
        "slow-chunks": (for_ever(CHUNKED, b"1\r\n \r\n", 0.2), "timeout"),
    }
