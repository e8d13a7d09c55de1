"""How fast crawl files are read, beside other ways to read them and the limit of the libraries.

    python bench/extraction.py [--rounds 5] [--sample 100]

Reads ../shared/data. All ways take their turns in one process, round after round. The figures are
pages a second of processor time (the fastest round, and the slowest), and how many times as fast
Inlink is (the median of the rounds, and their range). Ways that take minutes read only the first
pages of a file, and Inlink is measured on the same.

- **limit**: FastWARC, and the bare parse of each page (WARC: Lexbor; WAT: msgspec).
- **FastWARC, selectolax**: the script that one would write: title, and of each link its URL (by
  ``urljoin``), anchor and ``rel``, into a Parquet file. It has no encodings, canonical URLs, hosts,
  domains, ids and sort keys, robots, ``<base>``, canonicals, redirects, images, revisits, dates,
  digests, limits, or damaged files; Inlink has.
- **warcio, lxml** (``iterlinks``) and **warcio, Beautiful Soup** (on lxml): the same script.
- **cc-pyspark**: Common Crawl's link job, without Spark around it: pairs of URLs, not written.

Beautiful Soup and cc-pyspark (with pyspark, boto3) are no requirements of Inlink; a way whose
packages are missing is left out, and named.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
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

from inlink.extract.extraction import extract
from inlink.extract.ingest import Summary, ingest
from inlink.extract.source import find
from inlink.store.layout import Layout
from inlink.store.settings import Settings

SHARED = Path(__file__).parents[2] / "shared" / "data"
PACKAGES = "fastwarc selectolax ada-url pyarrow msgspec warcio lxml beautifulsoup4 cc-pyspark"

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


def measure(title: str, files: list[Path], ways: dict[str, Way], rounds: int) -> None:
    """Print a table of *ways*, of which Inlink is the first."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            pages = way(files)
            if number:  # the first round warms up
                rates[name].append(pages / (time.process_time() - start))
    print(
        f"\n{title}\n\n| way | pages/s | slowest | Inlink is | in one round |"
        "\n|---|---|---|---|---|"
    )
    own = rates["Inlink"]
    for name, found in rates.items():
        ratios = sorted(ours / theirs for ours, theirs in zip(own, found, strict=True))
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(
            f"| {name} | {max(found):,.0f} | {min(found):,.0f} |"
            f" {statistics.median(ratios):.2f} | {spread} |",
            flush=True,
        )


def cores(files: list[Path], directory: Path) -> None:
    """Print how much faster two processes are, by the clock, and what they cost."""
    print("\nFour copies of each file, in as many processes\n")
    print("| processes | s | processor s |\n|---|---|---|")
    copies = [directory / f"{number}-{file.name}" for file in files for number in range(4)]
    for copy in copies:  # each with another ending, so that each is another batch
        name = copy.name.partition("-")[2]
        original = next(file for file in files if file.name == name)
        shutil.copy(original, copy)
        copy.chmod(0o600)
        with copy.open("ab") as stream:
            stream.write(b"\0" * (1 + int(copy.name[0])))
    sources = [find(str(copy))[0] for copy in copies]
    for processes in (1, 2):
        with tempfile.TemporaryDirectory() as data:
            before, start = sum(os.times()[:4]), time.perf_counter()
            summary = Summary()
            ingest(sources, Layout(Path(data)), Settings(), processes, summary, lambda *_: None)
            assert len(summary.new) == len(copies), summary.failures
            seconds = time.perf_counter() - start
            print(
                f"| {processes} | {seconds:.1f} | {sum(os.times()[:4]) - before:.1f} |", flush=True
            )


def versions() -> str:
    """Of Python and the packages that are there."""
    found = [f"Python {sys.version.split()[0]}"]
    for name in PACKAGES.split():
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def main() -> None:
    """Print a table for WARC, one for the slow ways, one for WAT, one for two processes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sample", type=int, default=100, help="pages for the ways that are slow")
    options = parser.parse_args()
    print(versions())
    crawls = sorted((SHARED / "warc").glob("*.warc.gz"))
    ways: dict[str, Way] = {
        "Inlink": inlink,
        "limit": limit,
        "FastWARC, selectolax": lambda files: written(
            selectolax_links(*page) for page in html_records(files)
        ),
    }
    measure(f"WARC: {len(crawls)} crawls", crawls, ways, options.rounds)
    wats = sorted((SHARED / "wat").glob("derived-*"))
    ways = {"Inlink": inlink, "limit": wat_limit}
    try:
        ways["cc-pyspark"] = spark_job()
    except ImportError as error:
        print(f"\ncc-pyspark is left out: {error}")
    measure(f"WAT: {len(wats)} crawls", wats, ways, options.rounds)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        first = sample(SHARED / "warc" / "recipe-pages-first.warc.gz", options.sample, directory)
        ways = {
            "Inlink": inlink,
            "warcio, lxml": lambda files: written(
                lxml_links(*page) for page in warcio_records(files)
            ),
            "warcio, Beautiful Soup": lambda files: written(
                soup_links(*page) for page in warcio_records(files)
            ),
        }
        if importlib.util.find_spec("bs4") is None:
            print("\nBeautiful Soup is left out: no package beautifulsoup4")
            del ways["warcio, Beautiful Soup"]
        measure(f"WARC: {options.sample} pages", [first], ways, options.rounds)
        cores([SHARED / "warc" / "recipe-pages-recrawl.warc.gz"], directory)


if __name__ == "__main__":
    main()
