"""Which crawl files a path or a URL names, and reading them where they lie, in archives too."""

import os
import zipfile
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner

from inlink.cli import main
from inlink.evidence.records import RecordGoneError, read_record, recorded
from inlink.extract.extraction import extract
from inlink.extract.ingest import Summary, sources_of
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.web.source import Source, crawl_files, find, opened
from tests.crawl_files import CrawlFile, Observed

PAGE = "<title>{0}</title><a href=http://other.example/{0}>there</a>"


def _crawl(name: str, pages: int = 3, *, gzip: bool = True) -> bytes:
    file = CrawlFile(gzip=gzip)
    for page in range(pages):
        file.response(f"http://{name}.example/{page}", PAGE.format(page))
    return file.content()


def _wacz(path: Path, name: str = "a", method: int = zipfile.ZIP_STORED) -> Path:
    """As https://specs.webrecorder.net/wacz/1.1.1/ has it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("datapackage.json", "{}")
        archive.writestr("pages/pages.jsonl", "{}\n")
        archive.writestr("indexes/index.cdx.gz", b"no crawl file")
        archive.writestr("archive/data.warc.gz", _crawl(f"{name}1"), method)
        archive.writestr("archive/more/rec-2.warc", _crawl(f"{name}2", gzip=False), method)
    return path


def _names(*patterns: Path | str) -> tuple[list[str], list[str]]:
    """The names of the files found, and of the failures."""
    summary = Summary()
    found = sources_of(map(str, patterns), summary)
    return sorted(source.name for source in found), [f.name for f in summary.failures]


CRAWL_FILES = ("a.warc", "b.warc.gz", "c.ARC.GZ", "d.arc", "e.warc.wat.gz", "f.wat", "g.warc.zst",
               "h.warc.lz4", "deep/er/i.warc.gz", "deep/j.warc")  # fmt: skip
OTHERS = ("README.md", "k.cdx.gz", "l.warc.gz.open", "m.warc.wet.gz", "deep/n.zip", "o.gz", "warc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in CRAWL_FILES + OTHERS:
        path = tmp_path / "crawls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "crawls"


def test_a_directory_names_the_crawl_files_beneath_it(folder: Path) -> None:
    expected = sorted(name.rpartition("/")[2] for name in CRAWL_FILES)
    for pattern in (f"{folder}", f"{folder}/", f"{folder}/**", f"file://{folder}",
                    f"file://{folder}/**"):  # fmt: skip
        assert _names(pattern) == (expected, [])
    assert _names(folder, folder / "deep") == (expected, [])
    assert _names(folder / "deep") == (["i.warc.gz", "j.warc"], [])


def test_a_glob_names_files_of_any_name_and_directories(folder: Path) -> None:
    of_one_letter = ["a.warc", "b.warc.gz", "e.warc.wat.gz", "g.warc.zst", "h.warc.lz4",
                     "l.warc.gz.open", "m.warc.wet.gz"]  # fmt: skip
    assert _names(f"{folder}/?.warc*") == (of_one_letter, [])
    assert _names(f"{folder}/d*") == (["d.arc", "i.warc.gz", "j.warc"], [])
    assert _names(f"{folder}/README.md") == (["README.md"], [])


def test_what_names_no_crawl_file_fails(folder: Path) -> None:
    (folder / "empty").mkdir()
    patterns = [f"{folder}/empty", f"{folder}/none*", f"{folder}/absent", "nosuch://x",
                f"zip://archive::{folder}/README.md"]  # fmt: skip
    assert _names(*patterns) == ([], patterns)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wacz_file_has_the_crawl_files_of_its_archive(tmp_path: Path, method: int) -> None:
    path = _wacz(tmp_path / "site.wacz", method=method)
    expected = ["site.wacz/data.warc.gz", "site.wacz/rec-2.warc"]
    for pattern in (path, tmp_path, f"{tmp_path}/*.wacz", f"zip://archive::{path}",
                    f"zip://**::{path}", f"simplecache::file://{path}"):  # fmt: skip
        assert _names(pattern) == (expected, [])
    assert _names(f"zip://archive/*.gz::{path}") == (expected[:1], [])
    result = CliRunner().invoke(main, ["ingest", str(path), "--data", str(tmp_path / "data")])
    assert result.exit_code == 0, result.output
    layout = Layout(tmp_path / "data")
    assert len(layout.batch_directories()) == 2
    for directory in layout.batch_directories():
        for row in range(3):
            place = recorded(layout, directory.name, row)
            assert place.file.endswith(f"::file://{path}")
            evidence = read_record(place)
            assert evidence.capture.uri.endswith(f".example/{row}")
            assert b"<title>%d</title>" % row in evidence.content
    again = CliRunner().invoke(main, ["ingest", str(path), "--data", str(tmp_path / "data")])
    assert "files already known" in again.output
    path.write_bytes(b"something else")
    with pytest.raises(RecordGoneError):
        read_record(place)


def test_a_wacz_file_somewhere_else(tmp_path: Path) -> None:
    content = _wacz(tmp_path / "site.wacz").read_bytes()
    with fsspec.open("memory://crawls/site.wacz", "wb") as file:
        file.write(content)
    layout = Layout(tmp_path / "data")
    (found,) = find("memory://crawls/*.wacz")
    for source in crawl_files(found):
        assert source.url.endswith("::memory:///crawls/site.wacz")
        assert extract(source, layout, Settings()).batch.visits == 3
    batch = layout.batch_directories()[0].name
    assert read_record(recorded(layout, batch, 2)).capture.uri.endswith("/2")


def test_a_relative_address_is_kept_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _wacz(tmp_path / "site.wacz")
    monkeypatch.chdir(tmp_path)
    for pattern in ("site.wacz", "zip://archive::site.wacz"):
        sources = sources_of([pattern], Summary())
        assert {source.url.partition("::")[2] for source in sources} == {f"file://{path}"}


def test_a_file_in_an_archive_is_read_at_any_place(tmp_path: Path) -> None:
    path = _wacz(tmp_path / "site.wacz")
    with zipfile.ZipFile(path) as archive:
        content = archive.read("archive/data.warc.gz")
    file = opened(f"zip://archive/data.warc.gz::{path}")
    assert file.read(1 << 20) == content
    assert file.read(10) == b""
    assert (file.seek(100), file.tell(), file.read(7)) == (100, 100, content[100:107])
    assert file.seek(-5, os.SEEK_END) == len(content) - 5
    assert file.read(100) == content[-5:]
    file.close()


def test_one_bad_archive_costs_no_other(tmp_path: Path) -> None:
    _wacz(tmp_path / "good.wacz")
    content = _wacz(tmp_path / "cut.wacz").read_bytes()
    (tmp_path / "cut.wacz").write_bytes(content[: len(content) // 2])
    (tmp_path / "bad.wacz").write_bytes(b"no ZIP")
    with zipfile.ZipFile(tmp_path / "empty.wacz", "w") as archive:
        archive.writestr("datapackage.json", "{}")
    found, failures = _names(tmp_path)
    assert found == ["good.wacz/data.warc.gz", "good.wacz/rec-2.warc"]
    assert [Path(name).name for name in failures] == ["bad.wacz", "cut.wacz", "empty.wacz"]


def test_evidence_of_a_segmented_record_has_all_segments(tmp_path: Path) -> None:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>y</p>" + PAGE.encode()
    file = CrawlFile()
    first = {"WARC-Record-ID": "<urn:1>", "WARC-Segment-Number": "1"}
    file.record("response", "http://a.example/", block[:60], content_type="application/http",
                warc=first)  # fmt: skip
    rest = {"WARC-Segment-Origin-ID": "<urn:1>", "WARC-Segment-Number": "2",
            "WARC-Segment-Total-Length": str(len(block))}  # fmt: skip
    file.record("continuation", "http://a.example/", block[60:], warc=rest)
    Observed(file.write(tmp_path / "crawl.warc.gz"), tmp_path)
    layout = Layout(tmp_path)
    evidence = read_record(recorded(layout, layout.batch_directories()[0].name, 0))
    assert not evidence.capture.truncated
    assert evidence.capture.body.endswith(PAGE.encode())


def test_what_is_known_of_a_file_in_an_archive(tmp_path: Path) -> None:
    """Enough to see that another took its place, without reading it."""
    before = crawl_files(find(str(_wacz(tmp_path / "site.wacz")))[0])
    after = crawl_files(find(str(_wacz(tmp_path / "site.wacz", name="b")))[0])
    assert [source.url for source in before] == [source.url for source in after]
    assert isinstance(before[0], Source)
    assert not {source.stamp for source in before} & {source.stamp for source in after}
