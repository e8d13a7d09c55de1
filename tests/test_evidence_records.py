"""Records read again on demand, against warcio, zlib and the digests that the records carry."""

import base64
import gzip
import hashlib
import io
import zlib
from pathlib import Path

import fsspec
import msgspec
import pyarrow.parquet as pq
import pytest
import zstandard
from fastwarc import Lz4Writer
from fsspec.implementations.local import LocalFileSystem
from warcio.archiveiterator import ArchiveIterator

from inlink.evidence.finding import find_link
from inlink.evidence.records import (
    Evidence,
    RecordGoneError,
    read_record,
    recorded,
    records_at,
)
from inlink.extract.captures import microseconds, written_time
from inlink.extract.extraction import extract
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.web.source import find, is_there
from tests.crawl_files import CrawlFile

REAL = [
    "warc/dolma-sample-0001.warc.gz",
    "warc/resiliparse-warcfile.warc.gz",
    "warc/pywb-iana.warc.gz",
    "warc-edge/pywb-example-extra.warc",
    "warc-edge/aut-issue-493.warc",
]


def ingest(data: Path, address: str) -> Path:
    """Ingest a crawl file; the directory of its batch."""
    (source,) = find(address)
    extract(source, Layout(data), Settings())
    (batch,) = Layout(data).batch_directories()
    return batch


def read_all(data: Path, batch: Path) -> list[Evidence]:
    """Every record of a batch, one look-up each."""
    rows = range(pq.read_metadata(batch / "visits.parquet").num_rows)
    return [read_record(recorded(Layout(data), batch.name, row)) for row in rows]


def by_warcio(path: Path) -> dict[int, tuple[str, str, str, bytes]]:
    """URI, date, id and payload of each record, by offset."""
    found = {}
    with path.open("rb") as stream:
        records = ArchiveIterator(stream, no_record_parse=True)
        for record in records:
            block = record.content_stream().read()
            headers = record.rec_headers
            uri = (headers.get_header("WARC-Target-URI") or "").strip("<>")
            said = (headers.get_header("WARC-Date"), headers.get_header("WARC-Record-ID"))
            found[records.get_record_offset()] = (uri, *said, block)
    return found


@pytest.mark.parametrize("name", REAL)
def test_the_record_at_an_offset_is_the_one_that_warcio_reads_there(
    shared: Path, tmp_path: Path, name: str
) -> None:
    path = shared / name
    if not path.exists():
        pytest.skip(f"{name} is not in the test data")
    known = by_warcio(path)
    found = read_all(tmp_path, ingest(tmp_path, str(path)))
    assert found
    for evidence in found:
        uri, date, record_id, block = known[evidence.recorded.offset]
        assert evidence.capture.uri == uri
        assert evidence.capture.time == microseconds(date)
        assert evidence.record.headers["warc-record-id"] == record_id
        assert evidence.record.block == block


@pytest.mark.parametrize("name", REAL[:2])
def test_the_bytes_are_those_of_the_file_and_the_digests_are_right(
    shared: Path, tmp_path: Path, name: str
) -> None:
    content = (shared / name).read_bytes()
    checked = 0
    for evidence in read_all(tmp_path, ingest(tmp_path, str(shared / name))):
        member = zlib.decompressobj(31).decompress(content[evidence.recorded.offset :])
        assert evidence.content == member
        algorithm, _, digest = (evidence.capture.digest or "").partition(":")
        _, _, payload = evidence.record.block.partition(b"\r\n\r\n")
        chunked = b"transfer-encoding: chunked" in evidence.record.block[:4096].lower()
        if algorithm == "sha1" and not evidence.record.truncated and not chunked:
            assert base64.b32encode(hashlib.sha1(payload).digest()).decode() == digest
            checked += 1
    assert checked > 5


def test_a_record_of_an_arc_file_is_read(shared: Path, tmp_path: Path) -> None:
    found = read_all(tmp_path, ingest(tmp_path, str(shared / "warc-edge/pywb-example.arc.gz")))
    assert found
    for evidence in found:
        line, _, rest = evidence.content.partition(b"\n")
        uri, _, date, _, length = line.decode().split()
        assert (evidence.capture.uri, len(evidence.record.block)) == (uri, int(length))
        assert evidence.capture.time == microseconds(date)
        assert rest.startswith(evidence.record.block)


def pages(count: int, *, gzip: bool = True) -> CrawlFile:
    """A crawl of so many pages that link to one URL, one longer than the other."""
    crawl = CrawlFile(gzip=gzip)
    for number in range(count):
        body = f"<p>{'words ' * 10**number}<a href=https://shop.example/>number {number}</a>"
        date = {"WARC-Date": f"2026-01-02T03:04:{number:02}Z"}
        crawl.response(f"https://page.example/{number}", body, warc=date)
    return crawl


def check_pages(found: list[Evidence]) -> None:
    assert [evidence.capture.uri for evidence in found] == [
        f"https://page.example/{number}" for number in range(len(found))
    ]
    for number, evidence in enumerate(found):
        finding = find_link(
            evidence.capture, evidence.capture.uri, "https://shop.example/", Settings()
        )
        assert finding is not None
        assert [one.anchor for one in finding.occurrences] == [f"number {number}"]
        assert evidence.content.startswith(b"WARC/1.0\r\n")
        assert b"https://page.example/" + str(number).encode() in evidence.content
        assert evidence.content.count(b"WARC-Record-ID") == 1


def test_long_records_of_a_plain_file_are_read_whole(tmp_path: Path) -> None:
    path = pages(7, gzip=False).write(tmp_path / "plain.warc")
    found = read_all(tmp_path, ingest(tmp_path, str(path)))
    assert len(found[-1].record.block) > 6_000_000
    check_pages(found)


def test_one_gzip_member_for_many_records_has_each_of_them(tmp_path: Path) -> None:
    path = tmp_path / "one.warc.gz"
    path.write_bytes(gzip.compress(pages(4, gzip=False).content()))
    check_pages(read_all(tmp_path, ingest(tmp_path, str(path))))
    with path.open("rb") as file:
        found = list(records_at(file, 0))
    assert b"".join(content for _, content in found) == gzip.decompress(path.read_bytes())


@pytest.mark.parametrize("dictionary", [False, True])
def test_records_under_zstd_are_read_with_and_without_a_dictionary(
    tmp_path: Path, dictionary: bool
) -> None:
    plain = pages(4, gzip=False)
    content, ends = plain.content(), [*plain.offsets[1:], len(plain.content())]
    records = [content[begin:end] for begin, end in zip(plain.offsets, ends, strict=True)]
    samples: list[bytes | bytearray | memoryview] = [
        content[place : place + 200] for place in range(0, len(content) - 200, 7)
    ]
    trained = zstandard.train_dictionary(2000, samples)
    compressor = zstandard.ZstdCompressor(dict_data=trained if dictionary else None)
    frames = [compressor.compress(record) for record in records]
    if dictionary:
        data = trained.as_bytes()
        head = b"\x5d\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data
        frames.insert(0, head)
    path = tmp_path / "crawl.warc.zst"
    path.write_bytes(b"".join(frames))
    check_pages(read_all(tmp_path, ingest(tmp_path, str(path))))


def test_records_under_lz4_are_read(tmp_path: Path) -> None:
    plain = pages(4, gzip=False)
    content, ends = plain.content(), [*plain.offsets[1:], len(plain.content())]
    frames = b""
    for begin, end in zip(plain.offsets, ends, strict=True):
        frame = io.BytesIO()
        writer = Lz4Writer(frame)
        writer.write(content[begin:end])
        writer.close()
        frames += frame.getvalue()
    path = tmp_path / "crawl.warc.lz4"
    path.write_bytes(frames)
    check_pages(read_all(tmp_path, ingest(tmp_path, str(path))))


def test_a_crawl_file_on_another_file_system_is_read(tmp_path: Path) -> None:
    address = "memory://crawls/far.warc.gz"
    with fsspec.open(address, "wb") as file:
        file.write(pages(3).content())
    check_pages(read_all(tmp_path, ingest(tmp_path, address)))


# what is not the same any more


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    return pages(3).write(tmp_path / "crawl.warc.gz")


def test_a_crawl_file_that_is_gone_is_told(tmp_path: Path, crawl: Path) -> None:
    batch = ingest(tmp_path, str(crawl))
    crawl.unlink()
    with pytest.raises(RecordGoneError, match=r"crawl\.warc\.gz cannot be read"):
        read_all(tmp_path, batch)


def test_a_crawl_file_of_another_size_is_not_believed(tmp_path: Path, crawl: Path) -> None:
    batch = ingest(tmp_path, str(crawl))
    crawl.write_bytes(crawl.read_bytes() + b"\0")
    with pytest.raises(RecordGoneError, match="not the one that was ingested"):
        read_all(tmp_path, batch)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"page.example/1", b"page.example/9"), (b"03:04:01Z", b"03:04:59Z")],
    ids=["another URL", "another time"],
)
def test_another_record_at_the_offset_is_not_evidence(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    content = pages(3, gzip=False).content()
    path = tmp_path / "crawl.warc"
    path.write_bytes(content)
    batch = ingest(tmp_path, str(path))
    path.write_bytes(content.replace(old, new))
    place = recorded(Layout(tmp_path), batch.name, 1)
    with pytest.raises(RecordGoneError, match=f"at offset {place.offset} it no longer has"):
        read_record(place)


def test_garbage_in_the_place_of_a_record_is_told(tmp_path: Path, crawl: Path) -> None:
    batch = ingest(tmp_path, str(crawl))
    crawl.write_bytes(b"\xff" * len(crawl.read_bytes()))
    with pytest.raises(RecordGoneError, match="not the one that was ingested"):
        read_all(tmp_path, batch)


def test_a_store_with_errors_of_its_own_is_told(tmp_path: Path, crawl: Path) -> None:
    """As the libraries of object stores have them, for want of credentials or of an answer."""

    class ClientError(Exception):
        pass

    class Store(LocalFileSystem):  # type: ignore[misc]
        protocol = "refusing"

        def info(self, path: str, **_: object) -> dict[str, object]:
            raise ClientError("no credentials")

    fsspec.register_implementation("refusing", Store, clobber=True)
    batch = ingest(tmp_path, str(crawl))
    place = recorded(Layout(tmp_path), batch.name, 0)
    far = msgspec.structs.replace(place, file=f"refusing://{crawl}")
    with pytest.raises(RecordGoneError, match="cannot be read: no credentials"):
        read_record(far)
    assert is_there(far.file, far.file_size)
    assert not is_there(str(tmp_path / "absent.warc.gz"), 1)
    assert not is_there(str(crawl / "beneath"), 1)


def test_a_batch_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordGoneError, match="no longer in the data directory"):
        recorded(Layout(tmp_path), "0" * 32, 0)


def test_times_are_written_as_warc_has_them() -> None:
    for date in ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456Z", "1969-12-31T23:59:59Z"):
        assert written_time(microseconds(date) or 0) == date


def test_content_that_another_url_lent_is_read_at_the_page(tmp_path: Path) -> None:
    """Relative URLs resolve against the page (RFC 3986, 5.1.3), not where the bytes lie."""
    body = (
        "<link rel=canonical href=https://mirror.example/><a href=//shop.example/><img src=i.png>"
    )
    crawl = CrawlFile().response("https://lender.example/a/", body).write(tmp_path / "1.warc.gz")
    (evidence,) = read_all(tmp_path / "data", ingest(tmp_path / "data", str(crawl)))
    asked = "https://mirror.example/", "https://shop.example/"
    finding = find_link(evidence.capture, *asked, Settings())
    assert finding is not None
    assert (finding.outcome, finding.counts) == ("ok", True)
    assert finding.occurrences[0].image_source == "https://mirror.example/i.png"


def test_only_what_is_needed_of_a_long_file_is_read(tmp_path: Path) -> None:
    """A record at the beginning of a plain file costs a look of 256 KiB, wherever the file ends."""
    content = pages(7, gzip=False)

    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    file = Counting(content.content())
    (record, _), *_ = records_at(file, content.offsets[1])
    assert record.headers["warc-target-uri"] == "https://page.example/1"
    assert file.taken < 300_000
