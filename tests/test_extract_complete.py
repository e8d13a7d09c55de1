"""Which visits are complete: what they do not show is not there (``docs/data-model.md``)."""

import datetime as dt
import gzip
import random
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from inlink.web.http import Fields, Response, decoded_body
from inlink.web.limits import MAX_BLOCK_BYTES, MAX_BODY_BYTES, MAX_HEADER_BYTES
from tests.crawl_files import HTML, CrawlFile, Observed, observe, observe_page, raw_record

PAGE = "https://page.example/"
LINK = b"<p>word</p><a href=http://other.example/>there</a>"
BODY = LINK * 300


def _raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


def _chunked(data: bytes) -> bytes:
    chunks = [data[at : at + 100] for at in range(0, len(data), 100)]
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate, bare": _raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def _decoded(body: bytes, *fields: tuple[str, str], status: int = 200) -> tuple[bytes, bool, Any]:
    problems: Counter[str] = Counter()
    return *decoded_body(Response(status, fields, body), problems), dict(problems)


@pytest.mark.parametrize("name", CODINGS)
def test_a_coding_that_ends_early_anywhere_is_counted(name: str) -> None:
    packed = CODINGS[name](BODY)
    for cut in [*range(1, 40), *range(40, len(packed), 29), *range(len(packed) - 12, len(packed))]:
        body, whole, problems = _decoded(packed[:cut], ("content-encoding", name.split(",")[0]))
        assert not whole, cut
        assert problems == {"content_encoding": 1}
        assert BODY.startswith(body)


@pytest.mark.parametrize("name", CODINGS)
def test_a_coding_with_a_wrong_byte_is_read_up_to_there_or_believed(name: str) -> None:
    packed = bytearray(CODINGS[name](BODY))
    packed[-3] ^= 0x55
    body, whole, problems = _decoded(bytes(packed), ("content-encoding", name.split(",")[0]))
    assert whole or problems == {"content_encoding": 1}
    assert not whole or body != b""


def test_what_follows_a_coding_is_no_part_of_it() -> None:
    # Chromium's GzipSourceStream ignores extra bytes; RFC 1952, 2.2 has several members.
    rubbish = b"\0rubbish\n" * 9
    for name in ("gzip", "deflate", "zstd"):
        packed = CODINGS[name](BODY)
        assert _decoded(packed + rubbish, ("content-encoding", name)) == (BODY, True, {})
    for name in ("gzip", "zstd"):
        two = CODINGS[name](BODY[:99]) + CODINGS[name](BODY[99:])
        assert _decoded(two, ("content-encoding", name)) == (BODY, True, {})
        assert not _decoded(two[:-9], ("content-encoding", name))[1]


def test_chunks_that_end_early_anywhere_are_counted() -> None:
    # RFC 9112, 8: incomplete if the zero-sized chunk has not been received.
    sent = _chunked(BODY)
    last = len(sent) - len(b"0\r\n\r\n")
    for cut in [*range(0, last, 11), last, last + 1]:
        _, whole, problems = _decoded(sent[:cut], ("transfer-encoding", "chunked"))
        assert (whole, problems) == (False, {"transfer_encoding": 1})
    for cut in (last + 3, last + 5):
        assert _decoded(sent[:cut], ("transfer-encoding", "chunked")) == (BODY, True, {})


@pytest.mark.parametrize("size", [b"-5", b"xyz", b"0x5", b"5 5"])
def test_chunks_of_no_size_are_counted(size: bytes) -> None:
    sent = b"5\r\n<p>he\r\n" + size + b"\r\nllo\r\n0\r\n\r\n"
    body, whole, problems = _decoded(sent, ("transfer-encoding", "chunked"))
    assert body.startswith(b"<p>he")
    assert (whole, problems) == (False, {"transfer_encoding": 1})


def test_transfer_codings_are_undone_in_turn() -> None:
    # RFC 9112, 7: listed in the order in which they were applied.
    for name in ("gzip, chunked", "x-gzip,Chunked", "GZIP , chunked"):
        sent = _chunked(gzip.compress(BODY))
        assert _decoded(sent, ("transfer-encoding", name)) == (BODY, True, {})
    both = (("transfer-encoding", "gzip"), ("transfer-encoding", "chunked"))
    assert _decoded(_chunked(gzip.compress(BODY)), *both) == (BODY, True, {})
    fields = (("content-encoding", "br"), ("transfer-encoding", "gzip, chunked"))
    sent = _chunked(gzip.compress(brotli.compress(BODY)))
    assert _decoded(sent, *fields) == (BODY, True, {})
    assert _decoded(gzip.compress(BODY), ("transfer-encoding", "gzip")) == (BODY, True, {})


@pytest.mark.parametrize("name", ["dcz", "dcb", "compress", "x-compress", "exi", "bzip2", "foo"])
@pytest.mark.parametrize("field", ["content-encoding", "transfer-encoding"])
def test_an_unknown_coding_has_no_content(tmp_path: Path, name: str, field: str) -> None:
    assert _decoded(BODY, (field, f"gzip, {name}")) == (b"", False, {"unknown_coding": 1})
    visit = observe_page(BODY, tmp_path, PAGE, headers=[*HTML, (field, name)]).visit
    assert (visit["outcome"], visit["complete"], visit["title"]) == ("other", False, "")


@pytest.mark.parametrize(
    "name",
    ["identity", "none", "utf-8", "UTF8", "iso-8859-1", "windows-1251", "8bit", "binary", "",
     "text/html; charset=utf-8", "identity, gzip"],
)  # fmt: skip
def test_what_names_no_coding_is_passed_over(name: str) -> None:
    # Chromium shows such pages: URLRequestHttpJob::SetUpSourceStream takes what is no coding as is.
    body = gzip.compress(BODY) if "gzip" in name else BODY
    assert _decoded(body, ("content-encoding", name)) == (BODY, True, {})


@pytest.mark.parametrize(
    ("lengths", "whole"),
    [
        ([0], True), ([1], False), ([-1], True), (["5, 5"], True),
        ([0, 0], True), ([0, 9], False), ([9, 0], False), (["abc"], True), ([""], True),
        (["+99999999"], True), (["9" * 5000], False), (["-5"], True),
    ],
)  # fmt: skip
def test_a_body_shorter_than_its_content_length_is_not_whole(
    lengths: list[Any], whole: bool
) -> None:
    # RFC 9112, 6.3 and 8. An int is the difference to the length of the body.
    fields = [
        ("content-length", each if isinstance(each, str) else str(len(BODY) + each))
        for each in lengths
    ]
    expected: dict[str, int] = {} if whole else {"body_short": 1}
    assert _decoded(BODY, *fields) == (BODY, whole, expected)


def test_a_content_length_is_that_of_the_encoded_body() -> None:
    packed = gzip.compress(BODY)
    encoding = ("content-encoding", "gzip")
    assert _decoded(packed, encoding, ("content-length", str(len(packed))))[1]
    assert not _decoded(packed, encoding, ("content-length", str(len(packed) + 1)))[1]
    # Kept decoded, the body has another length, smaller or larger.
    assert _decoded(BODY, encoding, ("content-length", str(len(packed))))[1]
    assert _decoded(b"<p>", encoding, ("content-length", "23")) == (b"<p>", True, {})
    # RFC 9112, 6.3: Transfer-Encoding overrides Content-Length.
    chunked = ("transfer-encoding", "chunked")
    assert _decoded(_chunked(BODY), chunked, ("content-length", "99999999"))[1]
    assert _decoded(BODY, chunked, ("content-length", "99999999")) == (BODY, True, {})


@pytest.mark.parametrize(
    ("status", "whole"), [(200, False), (404, False), (204, True), (304, True)]
)
def test_some_answers_never_have_the_body_whose_length_they_name(status: int, whole: bool) -> None:
    assert _decoded(b"", ("content-length", "500"), status=status)[1] is whole  # RFC 9110, 8.6


def test_an_empty_page_was_cut_before_its_first_byte() -> None:
    for fields in (
        (("transfer-encoding", "chunked"),),
        (("content-encoding", "gzip"), ("content-length", "500")),
    ):
        assert not _decoded(b"", *fields)[1]
        assert _decoded(b"", *fields, status=301)[1]  # 20 bytes of gzip, kept decoded


@pytest.mark.parametrize(
    ("options", "complete"),
    [
        ({}, True),
        ({"warc": {"WARC-Truncated": "length"}}, False),
        ({"warc": {"WARC-Truncated": "time"}}, False),
        ({"warc": {"WARC-Truncated": "disconnect"}}, False),
        ({"warc": {"WARC-Truncated": "unspecified"}}, False),
        ({"warc": {"WARC-Truncated": "whatever"}}, False),
        ({"warc": {"WARC-Segment-Number": "1"}}, False),
        ({"status": "206 Partial Content"}, False),
        ({"status": "206 Partial Content", "headers": [*HTML, ("Content-Range", "bytes 0-9/10")]},
         False),
        ({"status": "103 Early Hints"}, False),
        ({"status": "404 Not Found"}, True),
        ({"status": "404 Not Found", "headers": [("Content-Length", "99999")]}, False),
        ({"status": "304 Not Modified", "headers": [("Content-Length", "99999")]}, True),
        ({"body": b" " * (MAX_BODY_BYTES + 1)}, False),
        ({"body": b"<a href=x>x</a>" * 50_001}, False),
        ({"body": b"<div>" * 30_000}, False),
        ({"body": b"<title>" + b"x" * 5000 + b"</title>"}, True),
        ({"body": b"<a href=x>" + b"x" * 5000 + b"</a>"}, True),
        ({"headers": [*HTML, ("X", "y" * MAX_HEADER_BYTES)]}, False),
    ],
)  # fmt: skip
def test_pages(tmp_path: Path, options: dict[str, Any], complete: bool) -> None:
    seen = observe_page(options.pop("body", BODY), tmp_path, PAGE, **options)
    assert seen.visit["complete"] is complete


def test_a_body_over_the_limit_of_a_record_is_not_complete(tmp_path: Path) -> None:
    seen = observe_page(LINK + b" " * MAX_BLOCK_BYTES, tmp_path, PAGE)
    assert not seen.visit["complete"]
    assert len(seen.links) == 1


def test_a_resource_is_complete_unless_it_is_cut(tmp_path: Path) -> None:
    for number, (warc, complete) in enumerate([({}, True), ({"WARC-Truncated": "time"}, False)]):
        (directory := tmp_path / str(number)).mkdir()
        file = CrawlFile().record("resource", PAGE, BODY, content_type="text/html", warc=warc)
        assert observe(file, directory).visit["complete"] is complete


def test_what_has_no_page_is_complete_whatever_its_writer_says(tmp_path: Path) -> None:
    file = CrawlFile()
    cut = {"WARC-Truncated": "length"}
    file.record("revisit", f"{PAGE}1", warc=cut)
    file.record("revisit", f"{PAGE}2", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
                content_type="application/http", warc=cut)  # fmt: skip
    file.failure(f"{PAGE}3", "fetchError: dns\r\n")
    file.response(f"{PAGE}4", b"", status="304 Not Modified")
    assert [visit["complete"] for visit in observe(file, tmp_path).visits] == [True] * 4


@pytest.mark.parametrize("compress", [True, False])
def test_a_record_at_the_end_of_a_growing_file_is_not_complete(
    tmp_path: Path, compress: bool
) -> None:
    body = random.Random(1).randbytes(4000)
    file = CrawlFile(gzip=compress).response(PAGE, body).response(f"{PAGE}2", body)
    size = len(file.content()) - file.offsets[1]
    for number, part in enumerate((0.6, 0.75, 0.9)):
        path = tmp_path / f"{number}.warc"
        path.write_bytes(file.content()[: file.offsets[1] + int(part * size)])
        seen = Observed(path, tmp_path / f"data{number}")
        assert [visit["complete"] for visit in seen.visits] == [True, False]


def test_a_header_without_end_is_not_complete(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    path = tmp_path / "crawl.warc"
    blocks = (head, head + b"\r\n")
    path.write_bytes(b"".join(raw_record("response", f"{PAGE}{len(b)}", b) for b in blocks))
    assert [visit["complete"] for visit in Observed(path, tmp_path).visits] == [False, True]


def test_visits_of_real_crawls_are_complete(shared: Path, tmp_path: Path) -> None:
    """Of the sound crawls all are, whatever their writers do to bodies and headers."""
    for name in ("warc/pywb-iana.warc.gz", "warc/dolma-sample-0001.warc.gz",
                 "warc-edge/resiliparse-clueweb-quirk.warc.gz", "warc-edge/aut-issue-493.warc",
                 "warc-edge/pywb-example.arc.gz"):  # fmt: skip
        seen = Observed(shared / name, tmp_path / name.replace("/", "-"))
        assert seen.visits
        assert all(visit["complete"] for visit in seen.visits), name
        assert "body_short" not in seen.batch.problems


# Segments (WARC 1.1, 8)


def _segments(count: int = 3, uri: str = PAGE, name: str = "1") -> list[tuple[str, bytes, Any]]:
    """Kind, block and WARC fields of the segments of a page with one link, at its end."""
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>" + b"y" * 900 + LINK
    size = -(-len(block) // count)
    parts = [block[at : at + size] for at in range(0, len(block), size)]
    found: list[tuple[str, bytes, Any]] = []
    for number, part in enumerate(parts, 1):
        fields = {"WARC-Segment-Number": str(number), "WARC-Target-URI": uri}
        if number == 1:
            fields["WARC-Record-ID"] = f"<urn:uuid:{name}>"
        else:
            fields["WARC-Segment-Origin-ID"] = f"<urn:uuid:{name}>"
        if number == count:
            fields["WARC-Segment-Total-Length"] = str(len(block))
        found.append(("response" if number == 1 else "continuation", part, fields))
    return found


def _written(segments: list[tuple[str, bytes, Any]]) -> CrawlFile:
    file = CrawlFile()
    for kind, block, fields in segments:
        uri = fields["WARC-Target-URI"]
        file.record(kind, uri, block, content_type="application/http", warc=fields)
    return file


def _seen(segments: list[tuple[str, bytes, Any]], directory: Path) -> list[tuple[int, bool]]:
    """Of each visit, how many links it has, and whether it is complete."""
    directory.mkdir()
    seen = observe(_written(segments), directory)
    return [(len(seen.links_of(visit)), visit["complete"]) for visit in seen.visits]


def test_segments_are_joined_wherever_they_are_in_the_file(tmp_path: Path) -> None:
    first, second, third = _segments()
    other = ("response", b"HTTP/1.1 200 OK\r\n\r\nother", {"WARC-Target-URI": "http://x.example/"})
    assert _seen([first, second, third], tmp_path / "a") == [(1, True)]
    assert _seen([first, other, third, other, second], tmp_path / "b")[-1] == (1, True)
    assert _seen([third, second, first], tmp_path / "c") == [(1, True)]
    two = _segments(uri="http://two.example/")  # of the same id
    mixed = [each for pair in zip(_segments(), two, strict=True) for each in pair]
    assert _seen(mixed, tmp_path / "d") == [(1, True), (1, True)]


def test_a_segment_that_is_missing_leaves_what_is_before_it(tmp_path: Path) -> None:
    first, second, third = _segments()
    for number, parts in enumerate(([first], [first, second], [first, third])):
        assert _seen(parts, tmp_path / str(number)) == [(0, False)]
    assert _seen([second, third], tmp_path / "none") == []
    cut = (second[0], second[1], second[2] | {"WARC-Truncated": "length"})
    assert _seen([first, cut, third], tmp_path / "cut") == [(1, False)]


def test_more_segments_than_memory_is_for_are_given_up(tmp_path: Path) -> None:
    filler = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MAX_BLOCK_BYTES - 100)
    segments = [
        (
            "response",
            filler,
            {"WARC-Target-URI": f"http://{n}.example/", "WARC-Segment-Number": "1"},
        )
        for n in range(3)
    ]
    first, second, third = _segments()
    found = _seen([first, *segments, second, third], tmp_path / "a")
    assert found == [(0, False)] * 4


# Methods (RFC 9110, 9.3)


Item = tuple[str, str, str, tuple[str, ...]]
"""Kind, method or body, id, and ids in WARC-Concurrent-To."""


def _exchange(items: list[Item], directory: Path, uri: str = PAGE) -> list[str]:
    """The bodies of the visits that such records tell of, by their titles."""
    directory.mkdir(exist_ok=True)
    content = b""
    for kind, said, name, others in items:
        if kind == "request":
            block = f"{said} / HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        else:
            block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>{said}".encode()
        more = [("WARC-Concurrent-To", f"<urn:{other}>") for other in others]
        content += raw_record(kind, uri, block, ("WARC-Record-ID", f"<urn:{name}>"), *more)
    path = directory / "crawl.warc"
    path.write_bytes(content)
    return [visit["title"] for visit in Observed(path, directory / "data").visits]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "CONNECT", "PATCH", "head"])
def test_answers_to_other_methods_are_no_visits(tmp_path: Path, method: str) -> None:
    request: Item = ("request", method, "q", ())
    answer: Item = ("response", "a", "a", ())
    orders: tuple[list[Item], ...] = (
        [request, answer],
        [answer, request],
        [("request", method, "q", ("a",)), answer],
        [answer, ("request", method, "q", ("a",))],
        [request, ("response", "a", "a", ("q",))],
        [("response", "a", "a", ("q",)), request],
        [answer, ("request", method, "q", ("z", "a"))],
        [("request", method, "q", ("z",)), answer],
        [("revisit", "a", "a", ()), request],
    )
    for number, items in enumerate(orders):
        assert _exchange(items, tmp_path / str(number)) == []
    get: Item = ("request", "GET", "q", ())
    assert _exchange([get, answer], tmp_path / "get") == ["a"]
    assert _exchange([get, answer], tmp_path / "other", "http://x.example/") == ["a"]


def test_each_answer_has_its_own_request(tmp_path: Path) -> None:
    head: Item = ("request", "HEAD", "h", ())
    get: Item = ("request", "GET", "g", ())
    one: Item = ("response", "of head", "1", ())
    two: Item = ("response", "of get", "2", ())
    orders = ([head, one, get, two], [one, head, two, get], [get, two, head, one])
    for number, items in enumerate(orders):
        assert _exchange(items, tmp_path / str(number)) == ["of get"]
    bound_head: Item = ("request", "HEAD", "h", ("1",))
    bound_get: Item = ("request", "GET", "g", ("2",))
    bound = (
        [bound_head, two, one, bound_get],
        [two, bound_head, bound_get, one],
        [two, one, bound_head, bound_get],
        [bound_head, two, one],
    )
    for number, items in enumerate(bound):
        assert _exchange(items, tmp_path / f"bound{number}") == ["of get"]


def test_an_answer_far_from_its_request(tmp_path: Path) -> None:
    file = CrawlFile()
    requests = [(f"{PAGE}{n}", b"HEAD / HTTP/1.1\r\n\r\n" if n % 2 else b"GET / HTTP/1.1\r\n\r\n")
                for n in range(300)]  # fmt: skip
    for uri, _ in requests:
        file.response(uri, b"<title>x</title>")
    for uri, block in requests:
        file.record("request", uri, block, content_type="application/http")
    assert len(observe(file, tmp_path).visits) == 150


def test_the_method_field_of_http_2(tmp_path: Path) -> None:
    path = tmp_path / "crawl.warc"
    for method, count in ((b"HEAD", 0), (b"GET", 1)):
        block = b":authority: page.example\r\n:method: %b\r\n:path: /\r\n\r\n" % method
        answer = raw_record("response", PAGE, b"HTTP/2 200\r\n\r\n")
        path.write_bytes(raw_record("request", PAGE, block) + answer)
        assert len(Observed(path, tmp_path / method.decode()).visits) == count


# Times


@pytest.mark.parametrize("date", ["2999-01-01T00:00:00Z", "9999", "29990101000000"])
def test_visits_of_the_future_are_refused(tmp_path: Path, date: str) -> None:
    warc = {"WARC-Date": date}
    file = CrawlFile().response(PAGE, BODY, warc=warc)
    file.record("revisit", PAGE, warc=warc)
    file.record("metadata", PAGE, b"fetchError: dns\r\n", content_type="application/warc-fields",
                warc=warc)  # fmt: skip
    file.response(f"{PAGE}now", BODY)
    seen = observe(file, tmp_path)
    assert len(seen.visits) == 1
    assert seen.batch.problems == {"visit_in_future": 3}


def test_a_visit_may_be_a_day_ahead(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    file = CrawlFile()
    for hours in (23, 25):
        date = (now + dt.timedelta(hours=hours)).isoformat()
        file.response(f"{PAGE}{hours}", BODY, warc={"WARC-Date": date})
    seen = observe(file, tmp_path)
    assert [visit["original_url"] or seen.urls[visit["url_id"]] for visit in seen.visits] == [
        f"{PAGE}23"
    ]
    assert seen.batch.problems == {"visit_in_future": 1}


def test_visits_before_what_a_segment_can_hold_are_counted(tmp_path: Path) -> None:
    # -32768 days before 1970 is 1880-04-14.
    file = CrawlFile()
    for day in ("1880-04-13", "1880-04-14", "1970-01-01"):
        file.response(f"{PAGE}{day}", BODY, warc={"WARC-Date": f"{day}T00:00:00Z"})
    seen = observe(file, tmp_path)
    assert len(seen.visits) == 3
    assert seen.batch.problems == {"visit_clamped": 1}


# The digest of a 304


EMPTY = "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"
EMPTY_HEX = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
OTHER = "sha1:CZZZBSAS7EERE3J3XDTXEBOE5TMMDSH2"
NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"


@pytest.mark.parametrize(
    ("kind", "status", "digest", "warc", "kept"),
    [
        ("response", "304 Not Modified", EMPTY, {}, False),
        ("response", "304 Not Modified", OTHER, {}, False),
        ("response", "200 OK", EMPTY, {}, True),
        ("revisit", "304 Not Modified", EMPTY, {}, False),
        ("revisit", "304 Not Modified", EMPTY_HEX, {}, False),
        ("revisit", "304 Not Modified", OTHER, {}, True),
        ("revisit", "200 OK", EMPTY, {"WARC-Profile": NOT_MODIFIED}, False),
        ("revisit", "200 OK", EMPTY, {}, True),
    ],
)
def test_a_304_has_no_digest_of_its_own(
    tmp_path: Path, kind: str, status: str, digest: str, warc: dict[str, str], kept: bool
) -> None:
    block = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n\r\n".encode()
    file = CrawlFile().record(kind, PAGE, block, content_type="application/http",
                              warc={"WARC-Payload-Digest": digest, **warc})  # fmt: skip
    assert observe(file, tmp_path).visit["payload_digest"] == (digest if kept else None)


def test_a_coding_that_is_named_twice_is_undone_once() -> None:
    fields: Fields = (("content-encoding", "gzip"), ("content-encoding", "gzip"))
    assert decoded_body(Response(200, fields, gzip.compress(BODY)), Counter()) == (BODY, True)
