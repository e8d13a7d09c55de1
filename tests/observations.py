"""Made-up observations: describe visits in a line each, write them as batches."""

import datetime as dt
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from inlink.store import tables
from inlink.urls.canonical import url_id
from inlink.urls.describe import describe

STATUS = {
    "redirect": 301,
    "broken_redirect": 301,
    "page_not_found": 404,
    "failed": None,
    "page_dropped": None,
    "unchanged": 304,
}
"""The HTTP status of a visit, where its outcome means another than 200."""

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Link:
    """An element of a page; the references as the columns of ``links`` have them."""

    target: str
    anchor: str = ""
    nofollow: bool = False
    element: str = "a"
    image: bool = False
    alt: str | None = None
    image_source: str | None = None
    reference: str | None = None
    image_reference: str | None = None


@dataclass(frozen=True)
class Visit:
    """A visit on a day (fractions of a day allowed) after START.

    `redirect` is where a ``Location`` leads, or a refresh of a page that `refreshes`. From the day
    `unavailable_after` on, the page is not to be indexed.
    """

    url: str
    day: float
    outcome: str = "ok"
    links: tuple[Link, ...] = ()
    title: str = ""
    digest: str | None = None
    refers_to: str | None = None
    canonical: str | None = None
    ip: str | None = None
    redirect: str | None = field(default=None)
    etag: str | None = None
    last_modified: str | None = None
    complete: bool = True
    refreshes: bool = False
    unavailable_after: float | None = None
    base_reference: str | None = None
    canonical_reference: str | None = None
    refresh_reference: str | None = None

    @property
    def at(self) -> dt.datetime:
        return START + dt.timedelta(days=self.day)

    @property
    def unavailable_at(self) -> dt.datetime | None:
        day = self.unavailable_after
        return None if day is None else START + dt.timedelta(days=day)

    @property
    def visit_id(self) -> int:
        return xxhash.xxh3_64_intdigest(repr(self).encode()) - 2**63

    def all_links(self) -> tuple[Link, ...]:
        extra = []
        if self.redirect:
            element = "refresh" if self.refreshes else "location"
            extra.append(Link(self.redirect, element=element, reference=self.refresh_reference))
        if self.canonical:
            reference = self.canonical_reference
            extra.append(Link(self.canonical, element="canonical", reference=reference))
        return (*extra, *self.links)


def visit_row(visit: Visit) -> dict[str, object]:
    page = describe(visit.url)
    refers_to = visit.refers_to or visit.url
    return {
        "visit_id": visit.visit_id,
        "url_id": page.url_id,
        "domain_id": page.domain_id,
        "visited_at": visit.at,
        "outcome": visit.outcome,
        "status": 200 if visit.refreshes else STATUS.get(visit.outcome, 200),
        "ip": visit.ip,
        "title": visit.title,
        "robots": "",
        "canonical_url": visit.canonical,
        "base_reference": visit.base_reference,
        "redirect_url": visit.redirect,
        "payload_digest": visit.digest,
        "etag": visit.etag,
        "last_modified": visit.last_modified,
        "refers_to_id": url_id(refers_to) if visit.outcome == "unchanged" else None,
        "unavailable_after": visit.unavailable_at,
        "complete": visit.complete,
        "file": "made.warc",
        "offset": 0,
    }


def link_rows(visit: Visit) -> list[dict[str, object]]:
    rows = []
    for position, link in enumerate(visit.all_links()):
        target = describe(link.target)
        rows.append(
            {
                "visit_id": visit.visit_id,
                "position": position if link.element in ("a", "area") else -1,
                "element": link.element,
                "target_id": target.url_id,
                "target_domain_id": target.domain_id,
                "anchor": link.anchor,
                "rel": "nofollow" if link.nofollow else "",
                "nofollow": link.nofollow,
                "image": link.image,
                "image_source": link.image_source,
                "alt": link.alt,
                "reference": link.reference,
                "image_reference": link.image_reference,
            }
        )
    return rows


def write_batch(directory: Path, name: str, visits: Iterable[Visit]) -> None:
    """Write *visits* as finished batch *name* of the data directory."""
    visits = list(visits)
    batch = directory / "batches" / name
    batch.mkdir(parents=True)
    links = list(itertools.chain.from_iterable(link_rows(visit) for visit in visits))
    named = {visit.url for visit in visits} | {
        link.target for visit in visits for link in visit.all_links()
    }
    named |= {visit.refers_to for visit in visits if visit.refers_to}
    urls = [describe(url)._asdict() for url in sorted(named)]
    _write(batch / "visits.parquet", [visit_row(visit) for visit in visits], tables.VISITS)
    _write(batch / "links.parquet", links, tables.LINKS)
    _write(batch / "urls.parquet", urls, tables.URLS)
    (batch / "batch.json").write_text("{}")


def _write(path: Path, rows: list[dict[str, object]], schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
