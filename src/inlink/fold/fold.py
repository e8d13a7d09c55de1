"""The fold: the previous generation and the batches in, the tables of the next generation out.

The main flow of a build. Every line of `fold` is one table, made by an Ibis expression from the
tables before it; what each means is in the module that makes it.
"""

from collections.abc import Callable
from pathlib import Path

import ibis.expr.types as ir
from ibis import _

from inlink.fold import chains, graph, history, places, rank, rank_history, visits
from inlink.fold.borrowed import Borrowed, Extraction, read_borrowed
from inlink.fold.recipe import Counts, Recipe
from inlink.fold.workspace import StepProgress, Workspace, count
from inlink.store import tables
from inlink.store.layout import Layout


def fold(layout: Layout, recipe: Recipe, work: Workspace, progress: StepProgress) -> Counts:
    """Make every table of the generation *recipe* describes, in ``work.tables``."""
    read = _Inputs(layout, recipe, work)
    columns = tables.BACKLINKS.names

    sources = visits.Sources(
        pages=read.before("pages"),
        referrals=read.before("referrals"),
        redirects=read.before("redirects"),
        new=work.step("new-visits", visits.distinct_visits(read.new("visits"))),
        every=read.every("visits"),
    )
    expiry = visits.Expiry(sources.newest(), recipe.stale_days)
    reopened = work.step("reopened-pages", visits.reopened_pages(sources, expiry))
    folded = work.step("visits", visits.visits_to_fold(sources, reopened, expiry))
    lent: Borrowed | None = None
    if not _is_empty(visits.revisits(folded)):
        named = work.step("named-revisits", visits.resolve_named(folded, sources.every))
        if not _is_empty(visits.borrowing(named)):
            lent = _read_borrowed(work, read, visits.borrowing(named), recipe)
            named = visits.on_own_pages(named, lent.outcomes)
        folded = work.step("resolved-visits", visits.resolve_unnamed(named))
    urls = _fold_urls(work, read, lent, reopened)
    folded = visits.state_visits(folded, recipe.failed_visits)
    steps = work.step("visit-steps", visits.number_steps(folded, visits.expiries(folded, expiry)))
    pages = work.table("pages", visits.fold_pages(sources.pages, folded, steps), tables.PAGES)
    work.table("referrals", visits.fold_referrals(sources), tables.REFERRALS)

    look_up = read.new if _is_empty(reopened) else read.every
    recorded = read.recorded(every=look_up == read.every)
    work.table("places", places.fold_places(pages, recorded, read.before("places")), tables.PLACES)
    links = history.distinct_links(look_up("links"), look_up("visits"))
    if lent is not None:
        links = links.anti_join(lent.outcomes, "visit_id").union(lent.links)
    present = work.step(  # separate: joins and sums in one query would not fit into memory
        "presence", history.presence(steps, links, read.before("links"), read.before("redirects"))
    )
    added_up = work.step("link-steps", history.add_up(present))
    broken = work.step("broken-links", history.broken_links(added_up, steps))
    parts = work.step("broken-parts", history.parts(broken, present, steps))
    found = work.step(  # separate for the same reason; four of the tables read it
        "stretches", history.stretches(added_up, broken, parts, steps)
    )
    lost = found.filter(_.lost_at.notnull())
    elements = history.fold_elements(found, lost, steps, links, read.before("links"), reopened)
    redirects = work.table(
        "redirects",
        history.fold_redirects(found, steps, read.before("redirects"), reopened),
        tables.REDIRECTS,
    )
    chained = chains.fold_chains(work, redirects, urls, recipe.redirect_hops)
    backlinks = work.table(
        "links", elements.select(columns).union(chained.select(columns)), tables.BACKLINKS
    )

    live = work.table(
        "graph", graph.fold_graph(found, steps, read.before("graph"), reopened), tables.GRAPH
    )
    ranks = work.write(
        "ranks",
        rank.rank_pages(work, live, pages, urls, _iterations("rank-pages", progress)),
        tables.RANKS,
    )
    domain_ranks = work.write(
        "domain_ranks",
        rank.rank_domains(work, live, pages, urls, _iterations("rank-domains", progress)),
        tables.DOMAIN_RANKS,
    )
    _keep_ranks(read, work, pages, ranks, domain_ranks)
    return _count(pages, urls, backlinks)


def _read_borrowed(
    work: Workspace, read: "_Inputs", borrowing: ir.Table, recipe: Recipe
) -> Borrowed:
    known = read.before("urls").union(read.new("urls"))
    pages = known.semi_join(borrowing, "url_id").distinct()
    settings = Extraction(recipe.drop_parameters, recipe.robot_name)
    return read_borrowed(
        work, borrowing, read.every("visits"), read.every("links"), pages, settings
    )


def _fold_urls(
    work: Workspace, read: "_Inputs", lent: Borrowed | None, reopened: ir.Table
) -> ir.Table:
    """Make the tables of the URLs that batches name, and of those that only borrowed links name."""
    before = read.before("borrowed_urls")
    borrowed = before.anti_join(reopened, before.page_id == reopened.url_id)
    if lent is not None:
        borrowed = borrowed.union(lent.urls)
    named = _all_urls(read.before("urls").anti_join(before, "url_id"), read.new("urls"))
    if not _is_empty(borrowed):
        borrowed = borrowed.anti_join(named, "url_id")
    borrowed = work.table("borrowed_urls", borrowed, tables.BORROWED_URLS)
    unnamed = borrowed.select(tables.URLS.names).distinct()
    return work.table("urls", named.union(unnamed), tables.URLS)


def _keep_ranks(
    read: "_Inputs", work: Workspace, pages: ir.Table, ranks: ir.Table, domain_ranks: ir.Table
) -> None:
    """Make the tables of the rank history."""
    days = work.table(
        "rank_days",
        rank_history.rank_days(read.published("rank_days"), read.published("pages"), pages),
        tables.RANK_DAYS,
    )
    work.table(
        "past_ranks",
        rank_history.past_ranks(
            read.published("past_ranks"),
            read.published("ranks"),
            ranks,
            days,
            ("url_id", "inlink_rank"),
        ),
        tables.PAST_RANKS,
    )
    work.table(
        "past_domain_ranks",
        rank_history.past_ranks(
            read.published("past_domain_ranks"),
            read.published("domain_ranks"),
            domain_ranks,
            days,
            ("domain_id", "domain_inlink_rank"),
        ),
        tables.PAST_DOMAIN_RANKS,
    )


_BATCH = {"visits": tables.VISITS, "urls": tables.URLS, "links": tables.LINKS}
_GENERATION = {
    "urls": tables.URLS,
    "pages": tables.PAGES,
    "referrals": tables.REFERRALS,
    "borrowed_urls": tables.BORROWED_URLS,
    "places": tables.PLACES,
    "links": tables.BACKLINKS,
    "redirects": tables.REDIRECTS,
    "graph": tables.GRAPH,
    "ranks": tables.RANKS,
    "domain_ranks": tables.DOMAIN_RANKS,
    "past_ranks": tables.PAST_RANKS,
    "past_domain_ranks": tables.PAST_DOMAIN_RANKS,
    "rank_days": tables.RANK_DAYS,
}


class _Inputs:
    """The tables that a fold reads, from earlier generations and from the batches."""

    def __init__(self, layout: Layout, recipe: Recipe, work: Workspace) -> None:
        self._layout = layout
        self._recipe = recipe
        self._work = work

    def before(self, name: str) -> ir.Table:
        """A table of the previous generation; empty if the fold starts from nothing."""
        return self._work.read(self._tables(name, self._recipe.previous), _GENERATION[name])

    def published(self, name: str) -> ir.Table:
        """A table of the generation published before; empty if there is none.

        Generations made by earlier versions have ranks but no rank history.
        """
        files = self._tables(name, self._recipe.ranked_before)
        return self._work.read([file for file in files if file.exists()], _GENERATION[name])

    def new(self, name: str) -> ir.Table:
        """A table of the batches that are folded for the first time."""
        return self._work.read(self._files(name, self._recipe.new_batches), _BATCH[name])

    def every(self, name: str) -> ir.Table:
        """A table of all batches."""
        return self._work.read(self._files(name, self._recipe.batches), _BATCH[name])

    def recorded(self, *, every: bool) -> ir.Table:
        """The visits of all or of new batches, each with its ``batch`` and its ``row`` in it."""
        batches = self._recipe.batches if every else self._recipe.new_batches
        return self._work.read_placed(self._files("visits", batches), tables.VISITS)

    def _tables(self, name: str, generation: int | None) -> list[Path]:
        if generation is None:
            return []
        return [self._layout.generation(generation) / "tables" / f"{name}.parquet"]

    def _files(self, name: str, batches: tuple[str, ...]) -> list[Path]:
        return [self._layout.batches / batch / f"{name}.parquet" for batch in batches]


def _all_urls(known: ir.Table, new: ir.Table) -> ir.Table:
    unknown = new.anti_join(known, "url_id")
    columns = [name for name in tables.URLS.names if name != "url_id"]
    distinct = unknown.group_by("url_id").agg(**{name: _[name].min() for name in columns})
    return known.select(tables.URLS.names).union(distinct.select(tables.URLS.names))


def _is_empty(table: ir.Table) -> bool:
    return count(table) == 0


def _iterations(name: str, progress: StepProgress) -> Callable[[int, float], None]:
    return lambda iteration, residual: progress(f"{name}: iteration {iteration}", None)


def _count(pages: ir.Table, urls: ir.Table, backlinks: ir.Table) -> Counts:
    names = urls.agg(urls=_.count(), hosts=_.host.nunique(), domains=_.domain_id.nunique())
    links = backlinks.agg(live=_.lost_at.isnull().sum(), every=_.count())
    name_row = names.to_pyarrow().to_pylist()[0]
    link_row = links.to_pyarrow().to_pylist()[0]
    live = link_row["live"] or 0
    return Counts(
        pages=count(pages),
        live_links=live,
        lost_links=link_row["every"] - live,
        **name_row,
    )
