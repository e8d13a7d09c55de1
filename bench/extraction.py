"""Extraction: how fast crawl files are read, beside other ways to read them.

Reads the crawls of ``../shared/data``; left out where they are absent. Pages a second of processor
time, all in one process, but for the last case: what two processes gain, by the clock on the wall.
Ways that take minutes read only the first pages of one file.

- **limit**: FastWARC, and the bare parse of each page (WARC: Lexbor; WAT: msgspec).
- **FastWARC, selectolax**: the script that one would write: title, and of each link its URL (by
  ``urljoin``), anchor and ``rel``, into a Parquet file. It has no encodings, canonical URLs, hosts,
  domains, ids and sort keys, robots, ``<base>``, canonicals, redirects, images, revisits, dates,
  digests, limits, or damaged files; Inlink has.
- **warcio, lxml** (``iterlinks``) and **warcio, Beautiful Soup** (on lxml): the same script.
- **cc-pyspark**: Common Crawl's link job, without Spark around it: pairs of URLs, not written.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import lxml.etree
import lxml.html
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType
from selectolax.lexbor import LexborHTMLParser
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from bench.harness import INLINK, SHARED, Goal, Kind, Measurement, Run, Skipped, in_turns
from inlink.extract.extraction import extract
from inlink.extract.ingest import Summary, ingest
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.web.source import find

TITLE = "Extraction: from crawl files to observations"
GOALS = [
    Goal("WARC: ahead of every peer", "WARC, ", "best peer", at_least=1),
    Goal("WARC: at least half of the limit", "WARC, ", "limit", at_least=0.5),
    Goal("WARC: 1.9 times as fast on two cores", "two processes", "value", at_least=1.9),
    Goal("WAT: 4 times the peer", "WAT, ", "best peer", at_least=4),
    Goal("WAT: at least half of the limit", "WAT, ", "limit", at_least=0.5),
]
LIMIT = "read and parse, nothing else"
SAMPLE, SAMPLE_QUICK = 100, 30
"""Pages for the ways that are slow."""

Link = tuple[str, str, str, str]
"""URL of the page, URL of the target, anchor, ``rel``."""
Way = Callable[[list[Path]], int]
"""Reads files; how many pages of HTML (WAT: entries of responses) there were."""


def inlink(files: list[Path]) -> int:
    """Inlink, one batch for each file."""
    with tempfile.TemporaryDirectory() as directory:
        layout = Layout(Path(directory))
        sources = [find(str(file))[0] for file in files]
        return sum(extract(source, layout, Settings()).batch.pages for source in sources)


def html_records(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    """URL and body of each page, by FastWARC."""
    for file in files:
        with file.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
                if "html" in (record.http_content_type or ""):
                    yield record.headers["WARC-Target-URI"], record.reader.read()


def warcio_records(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    """URL and body of each page, by warcio."""
    for file in files:
        with file.open("rb") as stream:
            for record in WarcioIterator(stream):
                headers = record.http_headers if record.rec_type == "response" else None
                if headers and "html" in (headers.get_header("Content-Type") or ""):
                    url = record.rec_headers.get_header("WARC-Target-URI")
                    yield url, record.content_stream().read()


def limit(files: list[Path]) -> int:
    """Reads and parses, and looks at nothing."""
    pages = 0
    for _, body in html_records(files):
        LexborHTMLParser(body)
        pages += 1
    return pages


def written(pages: Iterable[tuple[str, list[Link]]]) -> int:
    """Write titles and links, as a script would; how many pages there were."""
    titles: list[str] = []
    links: list[Link] = []
    for title, found in pages:
        titles.append(title)
        links += found
    with tempfile.TemporaryDirectory() as directory:
        names = ["source", "target", "anchor", "rel"]
        columns = [pa.array(column, pa.string()) for column in zip(*links, strict=True)]
        table = pa.Table.from_arrays(columns, names)
        pq.write_table(table, Path(directory) / "links.parquet", compression="zstd")
        pq.write_table(pa.table({"title": titles}), Path(directory) / "titles.parquet")
    return len(titles)


def joined(base: str, href: str) -> str:
    """The URL of a link; "" if it is not valid."""
    try:
        return urljoin(base, href)
    except ValueError:
        return ""


def selectolax_links(url: str, body: bytes) -> tuple[str, list[Link]]:
    """Title and links of a page."""
    tree = LexborHTMLParser(body)
    title = tree.css_first("title")
    links = []
    for node in tree.css("a[href]"):
        attributes = node.attributes
        target = joined(url, attributes.get("href") or "")
        links.append((url, target, node.text(strip=True), attributes.get("rel") or ""))
    return title.text(strip=True) if title else "", links


def lxml_links(url: str, body: bytes) -> tuple[str, list[Link]]:
    """Title and links of a page."""
    try:
        tree = lxml.html.document_fromstring(body)
    except lxml.etree.ParserError:
        return "", []
    links = []
    for element, attribute, href, _ in tree.iterlinks():  # type: ignore[attr-defined]
        if element.tag == "a" and attribute == "href":
            anchor = element.text_content().strip()
            links.append((url, joined(url, href), anchor, element.get("rel") or ""))
    return tree.findtext(".//title") or "", links


def soup_links(url: str, body: bytes) -> tuple[str, list[Link]]:
    """Title and links of a page."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "lxml")
    links = [
        (url, joined(url, a["href"]), a.get_text(strip=True), " ".join(a.get("rel") or []))
        for a in soup.find_all("a", href=True)
    ]
    return soup.title.get_text(strip=True) if soup.title else "", links


def wat_limit(files: list[Path]) -> int:
    """Reads and decodes, and looks at nothing."""
    entries = 0
    for file in files:
        with file.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.metadata):
                msgspec.json.decode(record.reader.read())
                entries += 1
    return entries


class _Accumulator:
    """Spark's, as far as the job needs it."""

    value = 0

    def add(self, amount: int) -> None:
        self.value += amount


def spark_job() -> Callable[[list[Path]], int]:
    """Common Crawl's job.

    Raises:
        ImportError: it is not installed.
    """
    import cc_pyspark

    # version 0.1.0.dev0 imports itself by the path that it has in its repository
    sys.modules.setdefault("src", cc_pyspark)
    sys.modules.setdefault("src.cc_pyspark", cc_pyspark)
    from cc_pyspark.jobs.wat_extract_links import (
        ExtractLinksJob,
    )

    def read(files: list[Path]) -> int:
        job: Any = ExtractLinksJob()
        for name in dir(job):
            if not name.startswith("_") and getattr(job, name) is None:
                setattr(job, name, _Accumulator())
        for file in files:
            with file.open("rb") as stream:
                for _ in job.process_warc(str(file), stream):
                    pass
        return int(job.records_response_wat.value)

    return read


def sample(file: Path, pages: int, directory: Path) -> Path:
    """The beginning of *file*, up to that many pages."""
    with file.open("rb") as stream:
        count = 0
        for record in ArchiveIterator(stream):
            if count == pages:
                break
            count += record.record_type == WarcRecordType.response
        end = record.stream_pos
    cut = directory / f"sample-{file.name}"
    with file.open("rb") as stream:
        cut.write_bytes(stream.read(end))
    return cut


def measure(run: Run) -> Iterator[Measurement | Skipped]:
    """Measure WARC, WAT, the slow ways, and two processes."""
    crawls = sorted((SHARED / "warc").glob("*.warc.gz"))
    if not crawls:
        yield Skipped("all", "there are no crawls beside the checkout")
        return
    rounds = run.either(3, 1)
    ways: dict[tuple[str, Kind], Way] = {
        (INLINK, "inlink"): inlink,
        (LIMIT, "limit"): limit,
        ("FastWARC, selectolax", "peer"): lambda files: written(
            selectolax_links(*page) for page in html_records(files)
        ),
    }
    files = crawls[-2:-1] if run.quick else crawls
    run.say("WARC")
    yield from _measured(f"WARC, {len(files)} crawls", ways, files, rounds)
    run.say("WAT")
    wats = sorted((SHARED / "wat").glob("derived-*"))
    ways = {(INLINK, "inlink"): inlink, (LIMIT, "limit"): wat_limit}
    try:
        ways["cc-pyspark, without Spark", "peer"] = spark_job()
    except ImportError as error:
        yield Skipped("cc-pyspark", str(error))
    yield from _measured(f"WAT, {len(wats)} crawls", ways, wats, rounds)
    run.say("the slow ways")
    pages = SAMPLE_QUICK if run.quick else SAMPLE
    first = sample(SHARED / "warc" / "recipe-pages-first.warc.gz", pages, run.directory)
    yield from _measured(f"WARC, {pages} pages", _slow_ways(), [first], rounds)
    run.say("two processes")
    yield _two_processes(crawls[-2], run.directory, run.either(3, 1))


def _measured(
    case: str, ways: dict[tuple[str, Kind], Way], files: list[Path], rounds: int
) -> Iterator[Measurement]:
    work = {name: partial(way, files) for name, way in ways.items()}
    yield from in_turns(case, work, rounds, "pages/s")


def _slow_ways() -> dict[tuple[str, Kind], Way]:
    return {
        (INLINK, "inlink"): inlink,
        ("warcio, lxml", "peer"): lambda files: written(
            lxml_links(*page) for page in warcio_records(files)
        ),
        ("warcio, Beautiful Soup", "peer"): lambda files: written(
            soup_links(*page) for page in warcio_records(files)
        ),
    }


def _two_processes(file: Path, directory: Path, rounds: int) -> Measurement:
    """How many times as fast two processes are with four copies of a file."""
    copies = [directory / f"{number}-{file.name}" for number in range(4)]
    for number, copy in enumerate(copies):  # each with another ending, so that each is a batch
        copy.write_bytes(file.read_bytes() + b"\0" * (number + 1))
    samples = []
    for _ in range(rounds):
        one, two = (_seconds(copies, directory, processes) for processes in (1, 2))
        samples.append(one / two)
    return Measurement("two processes", INLINK, "inlink", "times", samples)


def _seconds(copies: list[Path], directory: Path, processes: int) -> float:
    sources = [find(str(copy))[0] for copy in copies]
    data, summary = directory / "data", Summary()
    start = time.perf_counter()
    ingest(sources, Layout(data), Settings(), processes, summary, lambda *_: None)
    seconds = time.perf_counter() - start
    assert len(summary.new) == len(copies), summary.failures
    shutil.rmtree(data)
    return seconds
