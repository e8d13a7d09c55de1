"""``inlink ingest``: many files, again, interrupted, damaged; always the same batches."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from inlink.cli import main
from inlink.extract import extraction
from inlink.extract.batch import read_batch
from inlink.extract.extraction import TEMPORARY, NotACrawlError, extract
from inlink.store.configuration import Settings
from inlink.store.layout import Layout, locked
from inlink.store.tables import LINKS, URLS, VISITS
from inlink.web.problems import KINDS
from inlink.web.source import find
from tests.crawl_files import CrawlFile, Observed
from tests.patience import PATIENCE, wait_until

INLINK = (sys.executable, "-c", "from inlink.cli import main; main()")


def _ingest(data: Path, *files: Path | str) -> Result:
    return CliRunner().invoke(main, ["ingest", *map(str, files), "--data", str(data)])


def _site(name: str, pages: int = 3) -> CrawlFile:
    file = CrawlFile()
    for page in range(pages):
        links = "".join(f"<a href='http://other{page}.example/{n}'>word {n}</a>" for n in range(40))
        file.response(f"http://{name}.example/{page}", f"<title>{page}</title>{links}")
    return file


def _content(data: Path) -> dict[str, str]:
    """The digest of every file of every batch."""
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((data / "batches").rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def _extract(path: Path, data: Path) -> Observed:
    return Observed(path, data)


def test_a_batch_has_the_tables_of_the_data_model(tmp_path: Path) -> None:
    _extract(_site("a").write(tmp_path / "a.warc.gz"), tmp_path / "data")
    (batch,) = Layout(tmp_path / "data").batch_directories()
    for name, schema in (("visits", VISITS), ("links", LINKS), ("urls", URLS)):
        assert pq.read_schema(batch / f"{name}.parquet").equals(schema)
    description = read_batch(batch)
    assert (description.visits, description.pages, description.links) == (3, 3, 120)
    digest = hashlib.sha256((tmp_path / "a.warc.gz").read_bytes()).hexdigest()
    assert description.sha256 == digest
    assert description.size == (tmp_path / "a.warc.gz").stat().st_size


def test_many_files_and_a_summary(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        _site(name).write(tmp_path / f"{name}.warc.gz")
    result = _ingest(tmp_path / "data", tmp_path / "*.warc.gz")
    assert result.exit_code == 0, result.output
    rows = {line[:-6].strip(): line[-6:].strip() for line in result.stdout.splitlines()}
    assert rows["files read"] == "3"
    assert rows["pages"] == "9"
    assert rows["links"] == "360"
    assert len(Layout(tmp_path / "data").batch_directories()) == 3


def test_ingesting_again_changes_nothing(tmp_path: Path) -> None:
    data, path = tmp_path / "data", _site("a").write(tmp_path / "a.warc.gz")
    assert _ingest(data, path).exit_code == 0
    before = _content(data)
    assert len(before) == 4
    copy = tmp_path / "copy.warc.gz"
    copy.write_bytes(path.read_bytes())
    os.utime(path, (1, 1))  # as if it had changed: it has to be read to know
    for files in ((path,), (copy,), (path, copy)):
        result = _ingest(data, *files)
        assert result.exit_code == 0, result.output
        assert _content(data) == before


def test_a_file_known_already_is_not_read_again(tmp_path: Path) -> None:
    data, path = tmp_path / "data", _site("a").write(tmp_path / "a.warc.gz")
    assert _ingest(data, path).exit_code == 0
    before = path.stat()
    with path.open("r+b") as file:  # would be an error if it were read
        file.write(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    result = _ingest(data, path)
    assert result.exit_code == 0, result.output
    assert len(Layout(data).batch_directories()) == 1


def test_other_settings_make_another_batch(tmp_path: Path) -> None:
    data, path = tmp_path / "data", _site("a").write(tmp_path / "a.warc.gz")
    assert _ingest(data, path).exit_code == 0
    (data / "settings.json").write_text('{"robot_name": "otherbot"}')
    assert _ingest(data, path).exit_code == 0
    assert len(Layout(data).batch_directories()) == 2


def test_wrong_settings_are_told(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"robots": 1}')
    result = _ingest(tmp_path, _site("a").write(tmp_path / "a.warc.gz"))
    assert result.exit_code == 1
    assert "robot_name" in result.output


@pytest.mark.parametrize("content", [b"", b"hello\n" * 100, b"\x1f\x8b\x08garbage", b"\0" * 99])
def test_what_is_no_crawl_file_fails_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.warc.gz").write_bytes(content)
    good = _site("a").write(tmp_path / "good.warc.gz")
    result = _ingest(tmp_path / "data", tmp_path / "bad.warc.gz", tmp_path / "absent", good)
    assert result.exit_code == 1
    (error,) = [line for line in result.output.splitlines() if "bad.warc.gz" in line]
    assert "expected a WARC, ARC or WAT file" in error
    assert any("absent" in line for line in result.output.splitlines())
    assert len(Layout(tmp_path / "data").batch_directories()) == 1
    assert not list((tmp_path / "data" / "batches").glob(f"{TEMPORARY}*"))


def test_fsspec_urls(tmp_path: Path) -> None:
    path = _site("a").write(tmp_path / "a.warc.gz")
    assert _ingest(tmp_path / "data", f"file://{path}").exit_code == 0
    result = _ingest(tmp_path / "data", "nosuchscheme://x/y", f"{tmp_path}/none*.gz")
    assert result.exit_code == 1
    assert result.output.count("Error: ") == 2


def test_damage_is_reported_by_kind(tmp_path: Path) -> None:
    content = bytearray(_site("a", pages=9).content())
    content[len(content) // 2] ^= 255
    (tmp_path / "a.warc.gz").write_bytes(content)
    result = _ingest(tmp_path / "data", tmp_path / "a.warc.gz")
    assert result.exit_code == 0
    assert KINDS["gzip_damaged"] in result.stdout


def test_every_kind_of_problem_has_words() -> None:
    package = Path(extraction.__file__).parents[1]
    code = "".join(path.read_text() for path in package.glob("*/*.py"))
    counted = re.findall(r"problems\[(.+?)\] \+=", code)
    assert {name for each in counted for name in re.findall(r'"(\w+)"', each)} == set(KINDS)


def _big(directory: Path, number: int) -> Path:
    file = CrawlFile()
    body = "<p>" + "".join(f"<a href='http://x{n}.example/{number}'>w</a>" for n in range(300))
    for page in range(300):
        file.response(f"http://big{number}.example/{page}", body)
    return file.write(directory / f"big{number}.warc.gz")


def test_killed_in_the_middle_it_goes_on_to_the_same_batches(tmp_path: Path) -> None:
    files = [str(_big(tmp_path, number)) for number in range(3)]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert _ingest(whole, *files).exit_code == 0
    process = subprocess.Popen([*INLINK, "ingest", *files, "--data", str(killed)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    wait_until(
        lambda: any(_size(path) > 4 for path in (killed / "batches").glob(f"{TEMPORARY}*/*"))
    )
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = list((killed / "batches").glob(f"{TEMPORARY}*"))
    assert left
    result = _ingest(killed, *files)
    assert result.exit_code == 0, result.output
    assert _content(killed) == _content(whole)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_ctrl_c_leaves_finished_batches_only(tmp_path: Path) -> None:
    files = [str(_big(tmp_path, number)) for number in range(3)]
    data = tmp_path / "data"
    process = subprocess.Popen([*INLINK, "ingest", *files, "--data", str(data)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               start_new_session=True)  # fmt: skip
    wait_until(lambda: list((data / "batches").glob(f"{TEMPORARY}*")))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert _ingest(data, *files).exit_code == 0
    assert len(Layout(data).batch_directories()) == 3
    assert not list((data / "batches").glob(f"{TEMPORARY}*"))


def test_a_worker_that_is_killed_costs_its_file_only(tmp_path: Path) -> None:
    files = [str(_big(tmp_path, number)) for number in range(3)]
    data = tmp_path / "data"
    process = subprocess.Popen([*INLINK, "ingest", *files, "--data", str(data)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
    wait_until(lambda: list((data / "batches").glob(f"{TEMPORARY}*")))
    os.kill(_workers(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert b"was killed (SIGKILL" in errors
    assert len(Layout(data).batch_directories()) == 2
    assert _ingest(data, *files).exit_code == 0
    assert len(Layout(data).batch_directories()) == 3


def _workers(parent: int) -> list[int]:
    """Its children that read files; spawning starts a resource tracker too."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_two_at_once_on_the_same_file(tmp_path: Path) -> None:
    path, data = str(_big(tmp_path, 0)), tmp_path / "data"
    command = [*INLINK, "ingest", path, "--data", str(data)]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=PATIENCE) for process in both] == [0, 0]
    assert len(Layout(data).batch_directories()) == 1
    assert not list((data / "batches").glob(f"{TEMPORARY}*"))


def test_one_waits_while_another_clears_up(tmp_path: Path) -> None:
    """``/proc/locks`` says who waits: ``->`` stands before the lock that is waited for."""
    path, data = str(_big(tmp_path, 0)), tmp_path / "data"
    lock = data / "batches" / ".lock"
    lock.parent.mkdir(parents=True)
    with locked(lock):
        process = subprocess.Popen([*INLINK, "ingest", path, "--data", str(data)],
                                   stdout=subprocess.DEVNULL)  # fmt: skip
        inode = f":{lock.stat().st_ino} "
        wait_until(lambda: process.poll() is not None or any(
            "->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()
        ))  # fmt: skip
    assert process.wait(timeout=PATIENCE) == 0
    assert len(Layout(data).batch_directories()) == 1


MEMORY = """
import json, resource, sys
from pathlib import Path
from inlink.extract.extraction import extract
from inlink.store.configuration import Settings
from inlink.store.layout import Layout, locked
from inlink.web.source import find

(source,) = find(sys.argv[1])
links = extract(source, Layout(Path(sys.argv[2])), Settings()).batch.links
print(json.dumps([links, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def _memory(path: Path, data: Path) -> tuple[int, int]:
    """Links of a file, and the most memory (MiB) that reading it took."""
    command = [sys.executable, "-c", MEMORY, str(path), str(data)]
    links, peak = json.loads(subprocess.check_output(command))
    return links, peak


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    body = "<p>" + "text " * 20_000 + "<a href=/x>anchor of some words</a>" * 1000
    peaks = []
    for pages in (150, 600):
        file = CrawlFile()
        for page in range(pages):
            file.response(f"http://site.example/{page}", body)
        path = file.write(tmp_path / f"{pages}.warc.gz")
        links, peak = _memory(path, tmp_path / f"data{pages}")
        assert links == pages * 1000
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 40


@hypothesis_settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.binary(max_size=300),
    header=st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60),
    name=st.sampled_from(["Content-Type", "Location", "Link", "X-Robots-Tag", "Content-Encoding",
                          "Transfer-Encoding"]),
    status=st.sampled_from(["200 OK", "301 Moved", "404 No", "0", "abc", ""]),
    uri=st.text(max_size=30).map(lambda text: f"http://{text}"),
)  # fmt: skip
def test_nothing_in_a_record_raises(
    tmp_path: Path, body: bytes, header: str, name: str, status: str, uri: str
) -> None:
    block = f"HTTP/1.1 {status}\r\n{name}: {header}\r\n\r\n".encode("latin-1") + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {uri}\r\n".encode(
        "utf-8", "replace"
    )
    date = b"WARC-Date: 2026-01-01T00:00:00Z\r\n"
    record = head + date + b"Content-Length: %d\r\n\r\n" % len(block) + block + b"\r\n\r\n"
    path = tmp_path / "fuzz.warc"
    path.write_bytes(record * 2)
    (source,) = find(str(path))
    extract(source, Layout(tmp_path / "data"), Settings())


@pytest.mark.parametrize("error", [RecursionError, MemoryError, ValueError, KeyError, RuntimeError])
@pytest.mark.parametrize(
    ("broken", "kind"), [("told_by", "record_failed"), ("Observer.observe", "page_failed")]
)
def test_whatever_goes_wrong_with_a_record_costs_that_record(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    broken: str,
    kind: str,
) -> None:
    owner, _, name = broken.rpartition(".")
    place = getattr(extraction, owner) if owner else extraction
    original = getattr(place, name)

    def failing(*arguments: Any) -> Any:
        if "/page1" in str(arguments):
            raise error("in one record")
        return original(*arguments)

    monkeypatch.setattr(place, name, failing)
    file = CrawlFile()
    for page in range(3):
        file.response(f"http://a.example/page{page}", "<a href=http://b.example/>x</a>")
    seen = Observed(file.write(tmp_path / "a.warc.gz"), tmp_path / "data")
    urls = [seen.urls[visit["url_id"]] for visit in seen.visits]
    assert urls == ["http://a.example/page0", "http://a.example/page2"]
    assert seen.batch.problems == {kind: 1}


CASES = {
    "d1-truncated.warc": ([("ok", True), ("ok", False)], {}),
    "d3-damaged-gzip.warc": ([("ok", True), ("ok", False)], {"content_encoding": 1}),
    "d4-unknown-coding-dcz.warc": ([("ok", True), ("other", False)], {"unknown_coding": 1}),
    "d6-segmented.warc": ([("ok", True), ("ok", True)], {}),
    "d8-head.warc": ([("ok", True)], {}),
    "g1-status-line-ncsa.warc": ([("ok", True)], {}),
    "g4-arc-headerless.arc": ([("ok", True)], {}),
    "g5-wat-entities-2018.wat": ([("ok", True)], {}),
    "damage/wat-nested-1100.warc": ([("ok", True)] * 2, {"wat_invalid": 1}),
    "damage/wrong-lengths-5000.warc.gz": (
        [("ok", False)] * 5000 + [("ok", True)],
        {"record_length": 5000},
    ),
    "damage/future-1.warc": ([], {"visit_in_future": 1}),
}
"""What ../shared/cases/README.md says of each: outcomes, what is complete, problems."""


@pytest.mark.parametrize("name", CASES)
def test_cases(shared: Path, tmp_path: Path, name: str) -> None:
    seen = Observed(shared.parent / "cases" / name, tmp_path)
    visits, problems = CASES[name]
    assert [(visit["outcome"], visit["complete"]) for visit in seen.visits] == visits
    assert seen.batch.problems == problems
    if name.startswith("g5"):
        assert seen.links_of(seen.visit) == [("a", "http://t.example/?a=1&b=2", "A & B")]
        assert seen.visit["title"] == "T & U"
    elif name.startswith(("d", "g")) and "/" not in name:
        links = {link for visit in seen.visits for link in seen.links_of(visit)}
        assert links == {("a", "http://t.example/x", "t")}


def test_the_message_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    (source,) = find(str(tmp_path / "x"))
    with pytest.raises(NotACrawlError, match=r"/x: is empty; expected a WARC"):
        extract(source, Layout(tmp_path / "data"), Settings())
