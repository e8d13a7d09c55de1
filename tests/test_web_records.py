"""Records: against warcio on real files, and on files that are damaged on purpose."""

import gzip
import io
import random
import re
import zlib
from collections import Counter
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from inlink.web.compression import compression_of
from inlink.web.framing import MAX_REWINDS, Record, framed_records
from inlink.web.limits import MAX_BLOCK_BYTES
from inlink.web.records import read_records
from inlink.web.source import HashingFile
from tests.crawl_files import CrawlFile, Observed, raw_record, records_of

# warcio refuses these two (many records in one gzip member), or takes a bad length for 0.
_BROKEN = {"aut-badexample.arc.gz", "pywb-bad.arc", "sparkwarc-sample.warc.gz"}
_BROKEN |= {"vu-wdps-sample.warc.gz", "sparkwarc-sample.wat.gz"}
# Content-Length is too small in these: warcio reads what it says, we read on to the end.
_SHORT = {"priyanlc-CC-MAIN-sample.warc.wat.gz", "priyanlc-CC-MAIN-sample3.warc.wat.gz"}

Summary = tuple[str, int, str | None, int]


def _by_warcio(path: Path) -> list[Summary]:
    found: list[Summary] = []
    with path.open("rb") as file:
        records = ArchiveIterator(file, arc2warc=False)
        for record in records:
            headers = record.rec_headers
            uri = headers.get_header("WARC-Target-URI") or headers.get_header("uri")
            is_arc = record.format == "arc"
            size = 0 if is_arc else int(headers.get_header("Content-Length"))
            record.raw_stream.read()
            kind = "warcinfo" if record.rec_type == "arc_header" else record.rec_type
            uri = None if kind == "warcinfo" else uri and uri.strip("<>")
            found.append((kind, records.get_record_offset(), uri, size))
    return found


def _summary(record: Record, *, with_size: bool) -> Summary:
    uri = record.headers.get("warc-target-uri", "").strip("<>") or None
    size = len(record.block) if with_size else 0
    return record.type, record.offset, uri, size


def _read(path: Path) -> tuple[list[Record], Counter[str]]:
    problems: Counter[str] = Counter()
    with HashingFile(str(path)) as file:
        return list(read_records(file, problems)), problems


def _frame(path: Path) -> list[Record]:
    with HashingFile(str(path)) as file:
        return list(framed_records(file, compression_of(file), 0, Counter()))


def _files(shared: Path) -> list[Path]:
    """All but the two big ones, which are like each other and checked as a whole elsewhere."""
    folders = ("warc", "warc-edge", "wat")
    found = [path for folder in folders for path in sorted((shared / folder).iterdir())]
    return [path for path in found if "recipe" not in path.name]


def test_the_same_records_as_warcio_at_the_same_offsets(shared: Path) -> None:
    compared = 0
    for path in _files(shared):
        if path.name in _BROKEN | _SHORT:
            continue
        records, problems = _read(path)
        with_size = ".arc" not in path.name
        ours = [_summary(record, with_size=with_size) for record in records]
        assert ours == _by_warcio(path), path.name
        assert not problems, path.name
        compared += len(ours)
    assert compared > 1700


def test_fastwarc_and_our_own_framing_read_the_same(shared: Path) -> None:
    for path in _files(shared):
        assert _read(path)[0] == _frame(path), path.name


@pytest.mark.parametrize(
    ("name", "types", "problems"),
    [
        # 4 URL records by the text: one is dated "null", two claim more bytes than they have.
        ("aut-badexample.arc.gz", {"warcinfo": 1, "response": 5},
         {"record_length", "record_truncated"}),
        # Lengths -1, -1, 1 and "abc".
        ("pywb-bad.arc", {"response": 1}, {"record_length"}),
        # The CRs were stripped, so lengths are too big.
        ("vu-wdps-sample.warc.gz", {"warcinfo": 1, "request": 4, "response": 4, "metadata": 3},
         {"record_length", "record_truncated"}),
    ],
)  # fmt: skip
def test_broken_files_are_read_as_far_as_they_go(
    shared: Path, name: str, types: dict[str, int], problems: set[str]
) -> None:
    records, counted = _read(shared / "warc-edge" / name)
    assert Counter(record.type for record in records) == types
    assert set(counted) == problems


def test_every_record_that_a_broken_file_begins_is_found(shared: Path) -> None:
    for path in (shared / "warc-edge" / "sparkwarc-sample.warc.gz",
                 shared / "warc-edge" / "vu-wdps-sample.warc.gz",
                 shared / "wat" / "sparkwarc-sample.wat.gz"):  # fmt: skip
        content = b"".join(_members(path.read_bytes()))
        assert len(_read(path)[0]) == content.count(b"WARC/1.0\n") + content.count(b"WARC/1.0\r\n")


def _members(data: bytes) -> list[bytes]:
    found = []
    while data:
        inflate = zlib.decompressobj(31)
        found.append(inflate.decompress(data))
        data = inflate.unused_data
    return found


def test_json_behind_too_small_a_length_is_whole(shared: Path) -> None:
    for name in _SHORT:
        (record,), problems = _read(shared / "wat" / name)
        assert record.block.strip().endswith(b"}}}")
        assert record.truncated
        assert problems == {"record_length": 1}


def _numbered(*, compress: bool = True, count: int = 20) -> CrawlFile:
    file = CrawlFile(gzip=compress)
    for number in range(count):
        file.response(f"http://site.example/{number}", f"<p>{number}</p>" * 100)
    return file


def _numbers(records: list[Record]) -> list[int]:
    return [int(record.headers["warc-target-uri"].rpartition("/")[2]) for record in records]


@pytest.mark.parametrize("compress", [True, False])
def test_cut_anywhere_a_file_gives_all_records_before_the_cut(
    tmp_path: Path, compress: bool
) -> None:
    file = _numbered(compress=compress)
    content, chance = file.content(), random.Random(1)
    for cut in [chance.randrange(1, len(content)) for _ in range(40)]:
        records, problems = records_of(tmp_path / "cut", content[:cut])
        whole = sum(1 for end in file.offsets[1:] if end <= cut)
        assert _numbers(records)[:whole] == list(range(whole))
        assert len(records) in (whole, whole + 1)
        assert all(not record.truncated for record in records[:whole])
        ends_there = cut - max(offset for offset in file.offsets if offset <= cut) <= 4
        assert problems or ends_there or len(records) == whole + 1


def test_a_damaged_gzip_member_costs_its_own_record_only(tmp_path: Path) -> None:
    file = _numbered()
    chance = random.Random(2)
    for _ in range(40):
        content = bytearray(file.content())
        place = chance.randrange(len(content))
        content[place] ^= chance.randrange(1, 256)
        records, _ = records_of(tmp_path / "flipped", bytes(content))
        hit = max(i for i, offset in enumerate(file.offsets) if offset <= place)
        missing = set(range(20)) - set(_numbers_if_sound(records))
        assert missing <= {hit}


def _numbers_if_sound(records: list[Record]) -> list[int]:
    uris = [record.headers.get("warc-target-uri", "") for record in records]
    return [int(n) for _, _, n in (uri.rpartition("/") for uri in uris) if n.isdigit()]


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("rubbish", [b"garbage" * 50, b"\0" * 512, b"<html>\r\n\r\n" * 9])
def test_garbage_between_records_costs_nothing(
    tmp_path: Path, compress: bool, rubbish: bytes
) -> None:
    file = _numbered(compress=compress)
    place = file.offsets[5]
    content = file.content()
    mixed = content[:place] + rubbish + content[place:]
    records, _ = records_of(tmp_path / "mixed", mixed)
    assert _numbers(records) == list(range(20))
    assert not any(record.truncated for record in records)
    expected = [o if o < place else o + len(rubbish) for o in file.offsets]
    assert [record.offset for record in records[:5]] == expected[:5]
    assert [record.offset for record in records[6:]] == expected[6:]


@pytest.mark.parametrize("length", ["10", "999999", "99999999999", "-5", "abc", "", "1" * 30])
def test_a_wrong_length_costs_no_other_record(tmp_path: Path, length: str) -> None:
    file = _numbered(compress=False)
    content, place = file.content(), file.offsets[5]
    begin = content.index(b"Content-Length:", place)
    end = content.index(b"\r\n", begin)
    broken = content[:begin] + f"Content-Length: {length}".encode() + content[end:]
    records, problems = records_of(tmp_path / "broken", broken)
    assert set(range(20)) - set(_numbers(records)) <= {5}
    assert problems == {"record_length": 1}


def _wrong_lengths(count: int, length: int) -> list[bytes]:
    block = b"HTTP/1.1 200 OK\r\n\r\n<p>%d</p>"
    right = [raw_record("response", f"http://a.example/{n}", block % n) for n in range(count)]
    wrong = b"Content-Length: %d\r\n" % length
    return [re.sub(rb"Content-Length: \d+\r\n", wrong, record, count=1) for record in right]


@pytest.mark.parametrize("length", [3, MAX_BLOCK_BYTES - 1, MAX_BLOCK_BYTES + 1, 10**15])
@pytest.mark.parametrize("compression", ["none", "one member", "each"])
def test_however_many_lengths_are_wrong_no_record_is_lost(
    tmp_path: Path, length: int, compression: str
) -> None:
    count = 1500
    records = _wrong_lengths(count, length)
    records.append(raw_record("response", f"http://a.example/{count}", b"HTTP/1.1 200 OK\r\n\r\nx"))
    content = b"".join(
        gzip.compress(each, 1) if compression == "each" else each for each in records
    )
    if compression == "one member":
        content = gzip.compress(content, 1)
    found, problems = records_of(tmp_path / "wrong", content)
    assert _numbers(found) == list(range(count + 1))
    assert problems == {"record_length": count}
    assert [record.truncated for record in found] == [True] * count + [False]


def test_what_wrong_lengths_make_a_reader_read_is_linear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: a file is read a bounded number of times, however many are wrong."""
    read = 0
    original = HashingFile.read

    def counting(self: HashingFile, size: int = 1 << 20) -> bytes:
        nonlocal read
        data = original(self, size)
        read += len(data)
        return data

    monkeypatch.setattr(HashingFile, "read", counting)
    for length in (3, 10**5, 10**6, 10**15):
        content = b"".join(_wrong_lengths(6000, length))
        read = 0
        found, _ = records_of(tmp_path / "wrong", content)
        assert len(found) > 5000
        assert read < (MAX_REWINDS + 4) * len(content)


def test_a_long_page_that_quotes_a_record_adds_none(tmp_path: Path) -> None:
    quoted = CrawlFile(gzip=False).response("http://forged.example/", "x").content()
    file = CrawlFile().response("http://a.example/", quoted + b" " * MAX_BLOCK_BYTES + quoted)
    records, _ = records_of(tmp_path / "long", file.response("http://b.example/", b"y").content())
    uris = [record.headers["warc-target-uri"] for record in records]
    assert uris == ["http://a.example/", "http://b.example/"]


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("compress", [True, False])
def test_a_record_cut_anywhere_takes_nothing_of_the_next(
    tmp_path: Path, compress: bool, before: int
) -> None:
    """As where a writer crashed, and the next one went on in the same file."""
    one = raw_record("response", "http://a.example/1", b"HTTP/1.1 200 OK\r\n\r\nfirst")
    two = raw_record("response", "http://a.example/2", b"HTTP/1.1 200 OK\r\n\r\nsecond")
    for cut in range(1, len(one)):
        end = b"" if compress or one[:cut].endswith(b"\n") else b"\n"
        parts = [*[one] * before, one[:cut] + end, two, two]
        content = b"".join(gzip.compress(part, 1) if compress else part for part in parts)
        records, _ = records_of(tmp_path / "cut", content)
        assert _numbers(records)[-2:] == [2, 2], cut
        assert all(b"second" not in record.block for record in records[:-2]), cut
        assert [record.block[-6:] for record in records[-2:]] == [b"second"] * 2


ARC = b"filedesc://x.arc 0.0.0.0 19970616061332 text/plain 76\n%b 0 InternetArchive\n" + b"-" * 56
PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<a href=http://b.example/>x</a>"


@pytest.mark.parametrize(
    "line",
    [
        # https://archive.org/web/researcher/ArcFileFormat.php: version 1, then version 2.
        b"http://a.example/%d 192.0.2.1 20010926085547 text/html",
        b"http://a.example/%d 192.0.2.1 20010926085547 text/html; charset=x y",
        b"http://a.example/%d 192.0.2.1 20010926085547 ",
        b"http://a.example/a b/%d 192.0.2.1 20010926085547 no-type",
        b"http://a.example/%d 192.0.2.1 20010926085547 text/html 200 abc - 99 x.arc",
        b"http://a.example/%d 192.0.2.1 20010926085547 text/html; charset=x 200 - - 99 x.arc",
        b"http://a.example/%d 192.0.2.1 20010926085547 text/html - - - - -",
    ],
)
@pytest.mark.parametrize("page", [PAGE, b"<html><a href=http://b.example/>x</a></html>"])
def test_arc_files(tmp_path: Path, line: bytes, page: bytes) -> None:
    path = tmp_path / "x.arc"
    lines = (b"\n%b %d\n%b" % (line % number, len(page), page) for number in range(3))
    path.write_bytes(ARC % b"1" + b"".join(lines))
    seen = Observed(path, tmp_path / "data")
    assert seen.batch.problems == {}
    assert [visit["outcome"] for visit in seen.visits] == ["ok"] * 3
    assert [seen.urls[link["target_id"]] for link in seen.links] == ["http://b.example/"] * 3


def test_an_empty_arc_record_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "x.arc").write_bytes(
        ARC % b"1" + b"\nhttp://a.example/ 1.2.3.4 20010926085547 x 0\n"
    )
    seen = Observed(tmp_path / "x.arc", tmp_path / "data")
    assert (seen.visits, seen.batch.problems) == ([], {"http_header": 1})


def test_a_page_that_quotes_a_record_adds_none(tmp_path: Path) -> None:
    quoted = CrawlFile(gzip=False).response("http://forged.example/", "x").content()
    for compress in (True, False):
        file = CrawlFile(gzip=compress)
        file.response("http://a.example/", b"\r\n\r\n" + quoted + b"\r\n\r\n" + quoted)
        file.response("http://b.example/", b"y")
        records, problems = records_of(tmp_path / "quoting", file.content())
        uris = [record.headers["warc-target-uri"] for record in records]
        assert uris == ["http://a.example/", "http://b.example/"]
        assert not problems


def test_many_records_in_one_gzip_member(tmp_path: Path) -> None:
    plain = _numbered(compress=False).content()
    records, problems = records_of(tmp_path / "one", gzip.compress(plain))
    assert _numbers(records) == list(range(20))
    assert {record.offset for record in records} == {0}
    assert not problems


def test_zstandard(tmp_path: Path) -> None:
    plain = _numbered(compress=False)
    ends = [*plain.offsets[1:], None]
    parts = [plain.content()[b:e] for b, e in zip(plain.offsets, ends, strict=True)]
    frames = [zstandard.compress(part) for part in parts]
    records, _ = records_of(tmp_path / "frames", b"".join(frames))
    assert _numbers(records) == list(range(20))
    assert [record.offset for record in records[:3]] == [
        0,
        len(frames[0]),
        len(frames[0] + frames[1]),
    ]
    cut = b"".join(frames[:10]) + frames[10][: len(frames[10]) // 2]
    records, _ = records_of(tmp_path / "cut", cut)
    assert _numbers(records)[:10] == list(range(10))


def test_line_feeds_alone_end_header_lines(tmp_path: Path) -> None:
    head = b"WARC/1.0\nWARC-Type: resource\nWARC-Target-URI:\n http://a.example/\n"
    record = head + b"Content-Length: 2\n\nhi"
    records, problems = records_of(tmp_path / "lf", (record + b"\n\n") * 3)
    assert [r.headers["warc-target-uri"] for r in records] == ["http://a.example/"] * 3
    assert [r.block for r in records] == [b"hi"] * 3
    assert not problems


def test_a_huge_block_is_bounded(tmp_path: Path) -> None:
    file = CrawlFile().response("http://a.example/0", b"x" * (MAX_BLOCK_BYTES + 5_000_000))
    file.response("http://a.example/1", b"y")
    records, _ = records_of(tmp_path / "huge", file.content())
    assert [len(record.block) == MAX_BLOCK_BYTES for record in records] == [True, False]
    assert records[0].truncated
    assert _numbers(records) == [0, 1]


def test_the_digest_is_that_of_all_bytes_whatever_is_read(tmp_path: Path) -> None:
    import hashlib

    content = _numbered().content()[:-3] + b"\0garbage" * 30
    path = tmp_path / "file"
    path.write_bytes(content)
    for take in (0, 1, 5, 100):
        with HashingFile(str(path)) as file:
            for _ in zip(range(take), read_records(file, Counter()), strict=False):
                pass
            assert file.finish() == (len(content), hashlib.sha256(content).digest())


@settings(max_examples=150)
@given(
    st.binary(max_size=400),
    st.sampled_from(
        [b"", b"WARC/1.0\r\n", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"]
    ),
    st.integers(0, 2000),
)
def test_no_bytes_raise(noise: bytes, begin: bytes, place: int) -> None:
    import tempfile

    content = _numbered(count=3).content()
    for data in (begin + noise, content[:place] + begin + noise + content[place:]):
        with tempfile.NamedTemporaryFile() as file:
            records_of(Path(file.name), data)


def test_warcio_can_read_what_these_tests_write() -> None:
    assert len(list(ArchiveIterator(io.BytesIO(_numbered().content())))) == 20
