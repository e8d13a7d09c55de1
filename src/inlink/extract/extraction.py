"""One crawl file in, one batch out.

The batch is written into a directory of its own, which moves to its place when it is whole. The
name there follows from the bytes of the file and the settings, so reading the same file again
changes nothing.
"""

import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from inlink.extract.batch import (
    Batch,
    batch_name,
    fingerprint,
    read_batch,
    write_description,
    writing,
)
from inlink.extract.captures import Capture, Request
from inlink.extract.methods import asked_by_get
from inlink.extract.observe import Observer
from inlink.extract.urlbook import UrlBook
from inlink.extract.wat import told_by
from inlink.store.configuration import Settings
from inlink.store.layout import Layout, publish_directory
from inlink.store.versions import EXTRACTOR_RULES
from inlink.web.framing import Record
from inlink.web.limits import AHEAD, EARLIEST
from inlink.web.media_types import HTML_TYPES
from inlink.web.problems import Problems
from inlink.web.records import read_records
from inlink.web.segments import joined
from inlink.web.source import HashingFile, Source, is_there

TEMPORARY = ".ingest-"
"""The prefix of directories that are being written."""


class NotACrawlError(ValueError):
    """The file has no record of a crawl."""


class Extraction(msgspec.Struct, frozen=True):
    """The result of reading a crawl file."""

    batch: Batch
    came: Literal["new", "known", "moved"]
    """``known``: a batch of these bytes exists. ``moved``: likewise, but the crawl file that it
    named is gone; now it names the place where the bytes were found."""


def extract(
    source: Source,
    layout: Layout,
    settings: Settings,
    progress: Callable[[int], None] | None = None,
) -> Extraction:
    """Read *source* into a batch; *progress* gets the number of bytes read so far.

    Raises:
        NotACrawlError: the file has no record of a crawl.
        OSError: the file cannot be read, or the batch cannot be written.
    """
    layout.batches.mkdir(parents=True, exist_ok=True)
    temporary = layout.batches / f"{TEMPORARY}{secrets.token_hex(8)}"
    temporary.mkdir()
    try:
        with HashingFile(source.url, progress) as file:
            batch, name = _write(source, file, temporary, settings)
        write_description(temporary, batch)
        place = layout.batches / name
        if publish_directory(temporary, place):
            return Extraction(batch, "new")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _found_again(place, source)


def _found_again(directory: Path, source: Source) -> Extraction:
    """The result for a crawl file whose bytes are those of an existing batch."""
    batch = read_batch(directory)
    if is_there(batch.source.url, batch.size):
        return Extraction(batch, "known")
    batch = msgspec.structs.replace(batch, source=source)
    write_description(directory, batch)
    return Extraction(batch, "moved")


def _write(
    source: Source, file: HashingFile, directory: Path, settings: Settings
) -> tuple[Batch, str]:
    problems: Problems = Counter()
    records: Counter[str] = Counter()
    book = UrlBook(settings.drop_parameters)
    observer = Observer(source.name, settings.robot_name, book, problems)
    pages = 0
    latest = time.time_ns() // 1000 + AHEAD
    with writing(directory) as writer:
        for capture in _visits(read_records(file, problems), problems, records, latest):
            try:
                observation = observer.observe(capture)
            except Exception:  # whatever is wrong with a page, reading continues
                problems["page_failed"] += 1
                continue
            if observation is not None:
                pages += observation.visit.content_type in HTML_TYPES
                writer.add(observation)
                writer.add_urls(book.new)
    size, digest = file.finish()
    if not records:
        raise NotACrawlError(
            f"{source.url}: {'is empty' if not size else 'has no record of a crawl'};"
            " expected a WARC, ARC or WAT file, plain or compressed with gzip, zstd or lz4"
        )
    visits, links, urls = writer.counts
    decisive = fingerprint(settings)
    batch = Batch(
        source=source,
        size=size,
        sha256=digest.hex(),
        settings=decisive,
        records=dict(sorted(records.items())),
        visits=visits,
        pages=pages,
        links=links,
        urls=urls,
        problems=dict(sorted(problems.items())),
        rules=EXTRACTOR_RULES,
    )
    return batch, batch_name(digest, decisive)


def _visits(
    records: Iterator[Record], problems: Problems, types: Counter[str], latest: int
) -> Iterator[Capture]:
    """The visits that *records* report, without those later than *latest*."""
    counted = _counted(records, types)
    for capture in asked_by_get(_captures(joined(counted, problems), problems)):
        if capture.time > latest:
            problems["visit_in_future"] += 1
            continue
        if capture.time < EARLIEST:
            problems["visit_clamped"] += 1
        yield capture


def _counted(records: Iterator[Record], types: Counter[str]) -> Iterator[Record]:
    for record in records:
        types[record.type] += 1
        yield record


def _captures(records: Iterator[Record], problems: Problems) -> Iterator[Capture | Request]:
    info: Record | None = None
    for record in records:
        if record.type == "warcinfo":
            info = record
        try:
            found = told_by(record, info, problems)
        except Exception:  # whatever is wrong with a record, reading continues
            problems["record_failed"] += 1
            continue
        if found is not None:
            yield found


def clean_up(layout: Layout) -> None:
    """Remove what killed extractions left behind; no extraction may be running."""
    for path in layout.batches.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path, ignore_errors=True)
