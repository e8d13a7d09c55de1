"""Reads many crawl files into batches, on all cores of the machine.

In: paths and fsspec URLs. Out: a `Summary`. Whatever happens to one file, the others continue. If
you run the same call again, it does what is left.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import msgspec

from inlink.extract.batch import Batch, fingerprint, read_batch, replace_older
from inlink.extract.extraction import Extraction, clean_up, extract
from inlink.extract.pool import Pool, Progress
from inlink.store.configuration import Settings
from inlink.store.layout import BusyError, Layout, locked
from inlink.store.versions import EXTRACTOR_RULES
from inlink.web.source import Source, crawl_files, find

Report = Callable[[Source, int], None]


class Failure(msgspec.Struct, frozen=True):
    """A file that could not be read, or a pattern that names no file, and why."""

    name: str
    reason: str


class Summary(msgspec.Struct):
    """What an ingest did."""

    new: list[Batch] = []
    reread: int = 0
    """Files among them that older rules had read; the new batches replace the old ones."""
    known: int = 0
    """Files whose batch existed before and names their address."""
    moved: int = 0
    """The same, but the file has moved: its batch now names the new address."""
    failures: list[Failure] = []

    @property
    def records(self) -> Counter[str]:
        """Records of the new batches, by type."""
        return _total(batch.records for batch in self.new)

    @property
    def problems(self) -> Counter[str]:
        """Problems of the new batches, by kind."""
        return _total(batch.problems for batch in self.new)


def _total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


def sources_of(patterns: Iterable[str], summary: Summary) -> list[Source]:
    """The files that *patterns* name, each once, the largest first; failures go to *summary*."""
    found: dict[str, Source] = {}
    for pattern in patterns:
        for named in _looked_up(pattern, partial(find, pattern), summary):
            files = _looked_up(named.url, partial(crawl_files, named), summary)
            found.update((source.url, source) for source in files)
    return sorted(found.values(), key=lambda source: (-(source.size or 0), source.url))


def _looked_up(name: str, look_up: Callable[[], list[Source]], summary: Summary) -> list[Source]:
    """What *look_up* finds; any error (file systems have their own) goes to *summary*."""
    try:
        return look_up()
    except Exception as error:
        summary.failures.append(Failure(name, str(error) or type(error).__name__))
        return []


def ingest(
    sources: list[Source],
    layout: Layout,
    settings: Settings,
    processes: int,
    summary: Summary,
    report: Report,
) -> None:
    """Read *sources* into batches of *layout*, in several *processes* at once.

    Files that these rules have read before, and that have not changed since, are not read again. A
    file that older rules had read is, and its new batch replaces the old one. *report* gets each
    file with the number of its bytes that are done; at the end, all of them.
    """
    layout.batches.mkdir(parents=True, exist_ok=True)
    with _sharing(layout), _replacing(layout, summary):
        known = known_sources(layout, settings)
        fresh = [source for source in sources if not (source.stamp and source in known)]
        summary.known += len(sources) - len(fresh)
        for source in sources:
            if source.stamp and source in known:
                report(source, source.size or 0)
        if not fresh:
            return
        work = partial(_extract, layout=layout, settings=settings)
        with Pool[Source, Extraction](min(processes, len(fresh)), work) as pool:
            for source, result in pool.run(fresh, report):
                report(source, source.size or 0)
                _note(source, result, summary)


def _extract(source: Source, progress: Progress, layout: Layout, settings: Settings) -> Extraction:
    return extract(source, layout, settings, progress)


def _note(source: Source, result: Extraction | Exception, summary: Summary) -> None:
    if isinstance(result, Exception):
        reason = str(result) or type(result).__name__
        summary.failures.append(Failure(source.url, reason.removeprefix(f"{source.url}: ")))
    elif result.came == "new":
        summary.new.append(result.batch)
    elif result.came == "moved":
        summary.moved += 1
    else:
        summary.known += 1


def known_sources(layout: Layout, settings: Settings) -> set[Source]:
    """The files that the batches of *layout* were read from by the same rules and settings."""
    decisive = fingerprint(settings)
    batches = map(read_batch, layout.batch_directories())
    return {
        batch.source
        for batch in batches
        if batch.settings == decisive and batch.rules >= EXTRACTOR_RULES
    }


@contextmanager
def _replacing(layout: Layout, summary: Summary) -> Iterator[None]:
    """At the end, even after an error, let new batches replace those of older rules."""
    try:
        yield
    finally:
        summary.reread += replace_older(layout)


@contextmanager
def _sharing(layout: Layout) -> Iterator[None]:
    """Share the lock on the batches with other ingests; one that is alone cleans up first."""
    lock = layout.batches / ".lock"
    with suppress(BusyError), locked(lock):
        clean_up(layout)
    with locked(lock, shared=True, wait=True):  # while another one cleans up
        yield
