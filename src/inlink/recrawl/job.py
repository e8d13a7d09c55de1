"""Makes one plan: the current generation in, its entries out.

The engine of the build reads the tables within ``memory_limit``, and spills to disk if they do not
fit. Only the chosen URLs come into Python. The same generation and time give the same plan.
"""

import contextlib
import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq
from ibis import _

from inlink.contract.outcomes import CONTENT
from inlink.crawl.plan_file import PlanEntry, Why
from inlink.fold.recipe import read_generation
from inlink.fold.workspace import StepProgress, Workspace
from inlink.recrawl.intervals import histories
from inlink.recrawl.worth import Known, best_first, choose, known_pages, new_urls, stakes
from inlink.store import tables
from inlink.store.configuration import Settings
from inlink.store.layout import Layout, locked

Entries = Callable[[], Iterator[PlanEntry]]
"""Returns the entries of a plan, best first; may be called again."""


class NoGenerationError(ValueError):
    """There is no generation to plan from."""


@contextlib.contextmanager
def planned(
    layout: Layout, settings: Settings, budget: int, at: dt.datetime, progress: StepProgress
) -> Iterator[Entries]:
    """The *budget* URLs that are most worth fetching at the time *at*.

    Raises:
        NoGenerationError: nothing has been built yet.
        BusyError: another plan for this data directory is being made.
    """
    number = layout.current_number()
    if number is None:
        raise NoGenerationError(
            f"{layout.root} has no generation yet: crawl some seeds (`inlink crawl`), ingest the"
            " crawl files (`inlink ingest`), and build (`inlink build`)"
        )
    layout.plans.mkdir(parents=True, exist_ok=True)
    with locked(layout.plans / ".lock"):
        working = layout.plans / "working"
        shutil.rmtree(working, ignore_errors=True)  # left by one that was killed
        work = Workspace(working, settings.memory_limit, progress)
        try:
            _choose(work, layout, settings, number, budget, at)
            yield lambda: _entries(work.steps / "entries.parquet")
        finally:
            work.close()
            shutil.rmtree(working)


def _choose(
    work: Workspace,
    layout: Layout,
    settings: Settings,
    number: int,
    budget: int,
    at: dt.datetime,
) -> None:
    """Make the step ``entries``."""
    batches = read_generation(layout, number).recipe.batches
    files = [layout.batches / batch / "visits.parquet" for batch in batches]
    visits = work.read(files, tables.VISITS)
    folder = layout.generation(number) / "tables"
    known = Known(
        pages=work.read([folder / "pages.parquet"], tables.PAGES),
        links=work.read([folder / "links.parquet"], tables.BACKLINKS),
        urls=work.read([folder / "urls.parquet"], tables.URLS),
        ranks=work.read([folder / "ranks.parquet"], tables.RANKS),
        histories=work.step("histories", histories(visits, at)),
    )
    weighed = work.step("stakes", stakes(known.links, known.urls))
    again = work.step("known-pages", known_pages(known, weighed, at))
    new = work.step("new-urls", new_urls(known, settings.blocked_hosts))
    candidates = ibis.union(again, new)
    chosen = work.step("chosen", choose(candidates, budget, settings.host_pages))
    work.step("entries", _with_validators(chosen, visits, known.urls))


def _with_validators(chosen: ir.Table, visits: ir.Table, urls: ir.Table) -> ir.Table:
    """Rows of the plan, with what a conditional request needs of the page's last content.

    Content that was cut off is fetched anew, because "not modified" would say too little about it.
    The digest is left out if a header field may have said more than the body (``noindex``, a
    canonical): the same body without that field is another page.
    """
    plain = (_.outcome == "ok") & ~_.robots.re_search("nofollow|none")
    whole = visits.filter(_.status == 200, _.outcome.isin(CONTENT), _.complete).select(
        "url_id",
        "etag",
        "last_modified",
        "visited_at",
        digest=plain.ifelse(_.payload_digest, ibis.null("string")),
        content_visit_id="visit_id",
    )
    content = whole.semi_join(chosen, ["url_id", "content_visit_id"]).distinct()
    return (
        chosen.left_join(content, ["url_id", "content_visit_id"])
        .inner_join(urls.select("url_id", "url"), "url_id")
        .order_by(best_first())
        .select(
            "url",
            "why",
            "etag",
            "last_modified",
            "visited_at",
            "digest",
            priority=_.priority.round(3),
        )
    )


def _entries(path: Path) -> Iterator[PlanEntry]:
    for batch in pq.ParquetFile(path).iter_batches():
        for row in batch.to_pylist():
            yield PlanEntry(**{**row, "why": cast(Why, row["why"])})
