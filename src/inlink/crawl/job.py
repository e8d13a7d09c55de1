"""A crawl from end to end.

In: what to fetch (`CrawlSpec`), the data directory, its settings. Out: WARC files, and a summary.

    crawls/<name>/
      crawl.json                    what was asked, and in the end the summary
      <name>-00000.warc.gz          finished files, unless they go elsewhere
      <name>-00001.warc.gz.open     the one that is being written
      state/                        the frontier, while the crawl is not finished
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import fsspec
import msgspec
from fsspec.implementations.local import LocalFileSystem

from inlink import __version__
from inlink.crawl import engine
from inlink.crawl.addresses import is_loopback
from inlink.crawl.course import Course
from inlink.crawl.errors import CrawlError
from inlink.crawl.fetch import Fetcher, user_agent
from inlink.crawl.frontier import Frontier, Task, host_of
from inlink.crawl.plan_file import read_plan
from inlink.crawl.reach import Reach
from inlink.crawl.spec import CrawlSpec, CrawlSummary, Progress
from inlink.crawl.warc import WarcFiles
from inlink.store.configuration import Settings
from inlink.store.layout import Layout, locked, write_atomically
from inlink.urls.canonical import canonical_url

__all__ = ["CrawlError", "CrawlSpec", "CrawlSummary", "Progress", "crawl", "unfinished"]

_SOWN_AT_ONCE = 10_000


class _Kept(msgspec.Struct, frozen=True):
    """``crawl.json``."""

    spec: CrawlSpec
    summary: CrawlSummary | None = None


def unfinished(layout: Layout) -> list[CrawlSpec]:
    """The crawls that were begun and not finished, in order of their names."""
    kept = (_read(path.parent) for path in sorted(layout.crawls.glob("*/crawl.json")))
    return [crawl.spec for crawl in kept if crawl and crawl.summary is None]


def crawl(
    spec: CrawlSpec,
    layout: Layout,
    settings: Settings,
    progress: Callable[[Progress], None] | None = None,
) -> CrawlSummary:
    """Fetch what *spec* says, or go on with it, until nothing is left to fetch; then its summary.

    A crawl that is finished already is not done again: its summary is returned. SIGINT and SIGTERM
    end it when running fetches are written, within some seconds; it is then unfinished. *progress*
    is told about once a second.

    Raises:
        CrawlError: a seed or a URL of the plan is none, the contact is missing, the crawl of that
            name was asked to do something else, or the proxy cannot be reached.
        PlanError: the plan has a line that is not an entry.
        OSError: the plan cannot be opened, or a file cannot be written: the disk is full or broken.
            What a single URL gives ends no crawl.
        BusyError: another process is at this crawl.
    """
    _check(spec)
    loopback_only = settings.user_agent_contact is None
    if loopback_only:
        _check_loopback(spec, settings)
    directory = layout.crawl(spec.name)
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory / ".lock"):
        kept = _read(directory)
        if kept is None:
            write_atomically(directory / "crawl.json", msgspec.json.encode(_Kept(spec)))
        elif kept.spec != spec:
            raise CrawlError(
                f"the crawl {spec.name} was started with other options; use another name, or the "
                "same options"
            )
        elif kept.summary:
            return kept.summary
        try:
            return _Run(spec, directory, settings, loopback_only=loopback_only).go_on(progress)
        except sqlite3.DatabaseError as error:
            raise OSError(f"{directory / 'state'} cannot be used: {error}") from error


def _check(spec: CrawlSpec) -> None:
    if not spec.seeds and spec.plan is None:
        raise CrawlError("nothing to fetch: give seeds, such as https://example.com/, or a plan")
    for seed in spec.seeds:
        if canonical_url(seed) is None:
            raise CrawlError(f"the seed {seed!r} is not a URL such as https://example.com/")


def _check_loopback(spec: CrawlSpec, settings: Settings) -> None:
    stays = all(is_loopback(host_of(canonical_url(seed) or "")) for seed in spec.seeds)
    if spec.plan or settings.crawl_proxy or not stays:
        raise CrawlError(
            "a crawler must name a contact: set user_agent_contact in settings.json to a URL or "
            'an e-mail address, such as "https://example.com/bot"'
        )


def _read(directory: Path) -> _Kept | None:
    try:
        return msgspec.json.decode((directory / "crawl.json").read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None


class _Run:
    """One run of a crawl, the first or one that goes on."""

    def __init__(
        self, spec: CrawlSpec, directory: Path, settings: Settings, *, loopback_only: bool
    ) -> None:
        self._spec = spec
        self._directory = directory
        (directory / "state").mkdir(exist_ok=True)
        self._frontier = Frontier(directory / "state" / "frontier.sqlite")
        self._files = WarcFiles(
            directory, spec.name, _info(spec, settings), begun=self._frontier.marked("files")
        )
        self._reach = Reach(spec, settings, self._frontier, loopback_only=loopback_only)
        self._course = Course(spec, settings, self._frontier, self._files, self._reach)
        self._settings = settings
        self._loopback_only = loopback_only

    def go_on(self, progress: Callable[[Progress], None] | None) -> CrawlSummary:
        """Run until the end or a signal."""
        try:
            self._sow(progress)
            self._course.catch_up()
            finished = asyncio.run(self._fetch(progress))
            return self._finish() if finished else self._summary(finished=False)
        finally:
            self._files.leave_open()
            self._frontier.close()
            if not self._is_unfinished():
                shutil.rmtree(self._directory / "state")

    async def _fetch(self, progress: Callable[[Progress], None] | None) -> bool:
        fetcher = Fetcher(self._settings, loopback_only=self._loopback_only)

        async def tick() -> None:
            if progress:
                progress(self._progress())
            await asyncio.to_thread(self._ship)

        return await engine.run(self._course, self._frontier, fetcher, tick)

    def _progress(self) -> Progress:
        frontier = self._frontier
        return Progress(
            self._course.pages, frontier.queued, frontier.bytes, frontier.waiting_hosts()
        )

    def _sow(self, progress: Callable[[Progress], None] | None) -> None:
        """Take seeds and plan into the frontier, from where an earlier run came to."""
        sown = self._frontier.marked("sown")
        tasks = islice(_tasks(self._spec, self._settings), sown, None)
        while batch := list(islice(tasks, _SOWN_AT_ONCE)):
            sown += len(batch)
            with self._frontier.committed():
                for task in batch:
                    self._reach.sow(task)
                self._frontier.mark("sown", sown)
            if progress:
                progress(self._progress())

    def _finish(self) -> CrawlSummary:
        self._files.close()
        self._ship()
        summary = self._summary(finished=True)
        kept = msgspec.json.encode(_Kept(self._spec, summary))
        write_atomically(self._directory / "crawl.json", kept)
        return summary

    def _is_unfinished(self) -> bool:
        kept = _read(self._directory)
        return kept is None or kept.summary is None

    def _summary(self, *, finished: bool) -> CrawlSummary:
        names = [self._files.filename(number) for number in range(self._files.begun)]
        if not finished and self._files.open_file():
            names.pop()
        return CrawlSummary(
            outcomes=self._frontier.outcomes(),
            files=tuple(f"{self._spec.out or self._directory}/{name}" for name in names),
            fetched=self._course.pages,
            bytes=self._frontier.bytes,
            finished=finished,
        )

    def _ship(self) -> None:
        """Move finished files to where they were asked for; they appear there whole."""
        if self._spec.out is None:
            return
        for path in self._files.finished():
            filesystem, target = fsspec.core.url_to_fs(f"{self._spec.out}/{path.name}")
            if isinstance(filesystem, LocalFileSystem):
                _move(path, Path(target))
            else:
                filesystem.put_file(str(path), target)
                path.unlink()


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(path, part)
    part.replace(target)
    path.unlink()


def _info(spec: CrawlSpec, settings: Settings) -> dict[str, str]:
    info = {
        "software": f"inlink/{__version__}",
        "format": "WARC file version 1.1",
        "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "isPartOf": spec.name,
        "robots": "obey (RFC 9309)",
        "http-header-user-agent": user_agent(settings),
    }
    if settings.user_agent_contact:
        info["operator"] = settings.user_agent_contact
    return info


def _tasks(spec: CrawlSpec, settings: Settings) -> Iterator[Task]:
    for seed in spec.seeds:
        yield Task(url=canonical_url(seed, drop_parameters=settings.drop_parameters) or seed)
    for entry in read_plan(spec.plan) if spec.plan else ():
        url = canonical_url(entry.url)
        if url is None:
            raise CrawlError(
                f"{spec.plan}: {entry.url!r} is not a URL such as https://example.com/"
            )
        known = entry if entry.etag or entry.last_modified or entry.digest else None
        yield Task(url=url, priority=entry.priority, known=known)
