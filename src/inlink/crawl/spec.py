"""What a crawl is asked for, and what it reports."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Scope = Literal["web", "domain", "host"]


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
    """How many links away from seeds and plan; None: however many. Redirects do not count."""
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
    """Hosts with something in the queue, but for those that are being asked just now."""


class CrawlSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a crawl did, over all its runs."""

    outcomes: dict[str, int]
    """How many URLs ended how: ``2xx`` to ``5xx``, ``unchanged``, the cause of a failure, or
    ``over budget``: not fetched, because its host had used up what one crawl fetches from it."""
    files: tuple[str, ...]
    """The WARC files, by path or URL, ready for ``inlink ingest``."""
    fetched: int
    bytes: int
    finished: bool
    """False: it was interrupted, and goes on when called with the same spec."""
