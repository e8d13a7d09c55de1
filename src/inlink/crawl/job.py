"""A crawl from end to end.

In: what to fetch (`CrawlSpec`), the data directory, its settings. Out: WARC files, and a summary.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from inlink.store.layout import Layout
from inlink.store.settings import Settings

Count = Annotated[int, Meta(ge=1)]
Scope = Literal["web", "domain", "host"]


class CrawlError(ValueError):
    """A crawl cannot be made as it was asked for; the message says why and what would be right."""


class CrawlSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a crawl is asked to do; kept in its ``crawl.json``."""

    name: str
    """Its directory is ``crawls/<name>/``; one that was interrupted goes on under its name."""
    seeds: tuple[str, ...] = ()
    plan: str | None = None
    """Path or fsspec URL of a plan (see `plan_file`), besides or in place of *seeds*."""
    max_pages: Count | None = None
    """How many URLs to fetch, whatever they answer; robots.txt and sitemaps are not counted."""
    depth: Annotated[int, Meta(ge=0)] | None = None
    """How many links away from seeds and plan; None: however many. Redirects are no step."""
    scope: Scope = "domain"
    """Which links are followed: any; those to the registrable domains, or the hosts, asked for."""
    sitemaps: bool = False
    """Whether to fetch what the sitemaps of the hosts name."""
    out: str | None = None
    """Directory or fsspec URL for the finished WARC files; None: the directory of the crawl."""


class Progress(msgspec.Struct, frozen=True):
    """How far a crawl is."""

    fetched: int
    queued: int
    bytes: int
    hosts: int
    """Hosts with something in the queue."""


class CrawlSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a crawl did, over all its runs."""

    outcomes: dict[str, int]
    """How many URLs ended how: ``2xx`` to ``5xx``, ``unchanged``, or the cause of a failure."""
    files: tuple[str, ...]
    """The WARC files, by path or URL, ready for ``inlink ingest``."""
    bytes: int
    finished: bool
    """False: it was interrupted, and goes on when called with the same spec."""


def crawl(
    spec: CrawlSpec,
    layout: Layout,
    settings: Settings,
    progress: Callable[[Progress], None] | None = None,
) -> CrawlSummary:
    """Fetch what *spec* says, or go on with it, until nothing is left to fetch; then its summary.

    It runs in a child process, so it can be called any number of times. A crawl that is finished
    already is not done again: its summary is returned. SIGINT and SIGTERM to this process end the
    crawl when what is in flight is written; it is then unfinished.

    Raises:
        CrawlError: a seed is no http or https URL, the plan cannot be read, the contact is missing,
            or the crawl of that name was asked to do something else.
        BusyError: another process is at this crawl.
    """
    raise NotImplementedError
