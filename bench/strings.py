"""Which storage the strings of the index should have, measured on real URLs, titles and anchors.

    python bench/strings.py

Reads ../shared/data. For each set of strings and each way to store them: bytes a row, microseconds
a row for 100 random rows at once, warm (in the page cache; the fastest of 40) and cold (dropped
from it; the median of 40), and the time to write. The ways: plain Arrow (memory-mapped), and
`inlink.index.strings` with several sizes of block, with and without a trained dictionary.
docs/segments.md has the results that the choice rests on.
"""

import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecordType
from selectolax.lexbor import LexborHTMLParser

from inlink.index.files import map_batch, write_batch
from inlink.index.strings import Strings, write_strings
from inlink.urls.canonical import canonical_url, sort_key

SHARED = Path(__file__).parents[2] / "shared" / "data"
LOOKUPS = 100
REPEATS = 40


def pages() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """URL, title, and links with their anchors, of every HTML page of the crawls."""
    for file in sorted((SHARED / "warc").glob("*.warc.gz")):
        with file.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
                url = canonical_url((record.headers.get("WARC-Target-URI") or "").strip("<>"))
                if url and "html" in (record.http_content_type or ""):
                    tree = LexborHTMLParser(record.reader.read(2_000_000))
                    title = tree.css_first("title")
                    links = [
                        (node.attributes.get("href") or "", " ".join(node.text().split()))
                        for node in tree.css("a[href]")
                    ]
                    yield url, " ".join(title.text().split()) if title else "", links


def string_sets() -> dict[str, pa.RecordBatch]:
    """The sets to measure, each without repeats and in the order it has in a segment."""
    titles: dict[str, str] = {}
    linked: dict[str, str] = {}
    for url, title, links in pages():
        titles[sort_key(url)] = title
        for href, anchor in links:
            if target := canonical_url(href, url):
                linked.setdefault(sort_key(target), anchor)
    with gzip.open(SHARED / "url" / "ada-top100-urls.txt.gz", "rt", encoding="utf-8") as file:
        texts = file.read().splitlines()
    top = {sort_key(found) for text in texts if (found := canonical_url(text))}
    both = sorted((linked | titles).items())
    return {
        "keys of 100,000 URLs (ada)": columns(sorted(top)),
        "keys of crawled and linked URLs": columns([key for key, _ in both]),
        "the same with title or anchor": columns(*map(list, zip(*both, strict=True))),
        "titles in key order": columns([title for _, title in sorted(titles.items())]),
        "anchors, sorted": columns(sorted({anchor for _, anchor in linked.items()})),
    }


def columns(*values: list[str]) -> pa.RecordBatch:
    """A batch of text columns."""
    arrays = [pa.array(column, pa.large_string()) for column in values]
    return pa.record_batch(arrays, names=[f"text{n}" for n in range(len(arrays))])


def plain(path: Path, batch: pa.RecordBatch) -> Callable[[], Callable[[np.ndarray], object]]:
    """Arrow's own strings, memory-mapped."""
    write_batch(path, dict(zip(batch.schema.names, batch.columns, strict=True)))

    def opened() -> Callable[[np.ndarray], object]:
        mapped = map_batch(path)
        return lambda rows: mapped.take(pa.array(rows)).to_pydict()

    return opened


def blocks(
    size: int, level: int, trained: bool
) -> Callable[[Path, pa.RecordBatch], Callable[[], Callable[[np.ndarray], object]]]:
    """Blocks of *size* rows under zstd; no row is remembered."""

    def write(path: Path, batch: pa.RecordBatch) -> Callable[[], Callable[[np.ndarray], object]]:
        sample = batch if trained else None
        rows = pa.RecordBatchReader.from_batches(batch.schema, [batch])
        write_strings(path, rows, sample, sorted_by_key=False, block_rows=size, level=level)

        def opened() -> Callable[[np.ndarray], object]:
            strings = Strings(path)
            return lambda rows: list(map(strings.read_row, rows.tolist()))

        return opened

    return write


def drop_from_cache(path: Path) -> None:
    """Have the kernel forget the file's pages."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def microseconds(
    path: Path, opened: Callable[[], Callable[[np.ndarray], object]], count: int, cold: bool
) -> float:
    """Time a row, for `LOOKUPS` random rows at once."""
    random = np.random.default_rng(1)
    lookup = opened()
    taken = []
    for _ in range(REPEATS):
        rows = random.integers(0, count, LOOKUPS)
        if cold:
            del lookup
            drop_from_cache(path)
            lookup = opened()
        start = time.perf_counter()
        lookup(rows)
        taken.append(time.perf_counter() - start)
    return (statistics.median(taken) if cold else min(taken)) / LOOKUPS * 1e6


def main() -> None:
    """Print one table for each set of strings."""
    ways = {"plain Arrow": plain} | {
        f"zstd -{level}, {size} rows{', dictionary' * trained}": blocks(size, level, trained)
        for size, level, trained in [
            *[(size, 9, True) for size in (8, 16, 32, 64, 128)],
            (16, 9, False),
            (64, 9, False),
            (16, 3, True),
            (16, 15, True),
        ]
    }
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        for title, batch in string_sets().items():
            print(f"\n{title}: {batch.num_rows:,} rows\n")
            print("| storage | bytes/row | us/row warm | us/row cold | s to write 1 M rows |")
            print("|---|---|---|---|---|")
            for name, write in ways.items():
                path = Path(directory) / "strings.arrow"
                start = time.perf_counter()
                opened = write(path, batch)
                writing = (time.perf_counter() - start) / batch.num_rows * 1e6
                size = path.stat().st_size / batch.num_rows
                warm = microseconds(path, opened, batch.num_rows, cold=False)
                cold = microseconds(path, opened, batch.num_rows, cold=True)
                print(
                    f"| {name} | {size:.1f} | {warm:.2f} | {cold:.1f} | {writing:.1f} |", flush=True
                )


if __name__ == "__main__":
    main()
