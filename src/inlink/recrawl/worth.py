"""What a fetch is worth, and which fetches are made if not all can be.

In: the tables of a generation, and `intervals.histories`. Out: candidates, and a choice of them.

The worth of a fetch, its ``priority``, is a product:

- *trust*: 1 + InLink Rank of the URL (0 to 100). A URL never visited has the rank it inherits.
- *stake*: the root of 1 + the sum, over the domains that the page's live links go to, of
  log2(1 + live backlinks of that domain). So a page counts by how many sites its links lead to, and
  by how much those are asked for. What users ask is not recorded, so the number of backlinks stands
  in for it. The root keeps lists of thousands of links from taking the whole budget.
- *news*: the chance that the fetch shows something new. For a page that is due, this is
  1 - 2^(-age / interval); for a URL never visited, 1; for a page whose last visits failed, 1 while
  it has live links that one more failure may end, else 2^(-failures).
"""

import datetime as dt
from dataclasses import dataclass
from functools import reduce

import ibis
import ibis.expr.types as ir
from ibis import _

from inlink.recrawl.intervals import DAY, LONGEST, SHORTEST, interval

HUB_DOMAINS = 10
"""A page that links to at least this many domains is a hub, where links come and go."""

HUB_HASTE = 2.0
"""Hubs are visited this many times as often as other pages that change as much."""

RETRY = 1.0
"""Days from a first failed visit to the next; it doubles with each failure, up to `LONGEST`."""

NEW_SHARE = 0.5
"""Share of the budget for URLs never visited, if pages to visit again need the rest."""

HOST_SHARE, DOMAIN_SHARE = 0.05, 0.1
"""Shares of the budget for one host and one registrable domain, if others need the rest."""

LEAST_SHARE = 10
"""Fetches that a host gets at least, however small the budget."""

_MICRO = 1_000_000
"""Sums are of whole numbers, so that their order makes no difference."""

NOT_PAGES = (
    "7z aac apk avi avif bin bmp bz2 css csv dmg doc docx eot epub exe flac gif gz ico iso jar jpeg"
    " jpg js json m4a m4v mkv mov mp3 mp4 mpeg mpg msi ogg ogv otf pdf png ppt pptx rar rpm svg swf"
    " tar tgz tif tiff ttf wav webm webp wmv woff woff2 xls xlsx xz zip zst"
)
"""Extensions of paths that are not HTML; such a URL is not fetched to check."""

_CANDIDATE = ("url_id", "host_id", "domain_id", "why", "priority", "pagerank", "content_visit_id")


@dataclass(frozen=True, slots=True)
class Known:
    """The tables of a generation about URLs, and how pages have changed."""

    pages: ir.Table
    links: ir.Table
    urls: ir.Table
    ranks: ir.Table
    histories: ir.Table


def stakes(links: ir.Table, urls: ir.Table) -> ir.Table:
    """Of each page with live links: how many ``domains`` they reach, and the ``stake`` (a sum)."""
    domains = urls.select(target_id=_.url_id, target_domain=_.domain_id)
    live = links.filter(_.lost_at.isnull()).inner_join(domains, "target_id")
    pairs = live.select("source_id", "target_domain").distinct()
    asked = pairs.group_by("target_domain").agg(
        weight=((_.count() + 1).log2() * _MICRO).round().cast("int64")
    )
    weighed = pairs.inner_join(asked, "target_domain")
    return weighed.group_by("source_id").agg(domains=_.count(), stake=_.weight.sum() / _MICRO)


def known_pages(known: Known, stakes: ir.Table, at: dt.datetime) -> ir.Table:
    """Visited pages that should be visited again: ``due``, ``hub`` or ``retry``."""
    is_hub = (_.domains >= HUB_DOMAINS).fill_null(False)
    pages = _with_all_that_is_known(known, stakes).mutate(
        age=(int(at.timestamp()) - _.visited_at.epoch_seconds()) / DAY,
        why=(_.failures > 0).ifelse("retry", is_hub.ifelse("hub", "due")),
        usual=interval(_.checks, _.changes, _.days),
    )
    retry = ibis.least(RETRY * 2.0 ** ibis.least(_.failures - 1, 16), LONGEST)
    hub = ibis.greatest(_.usual / HUB_HASTE, SHORTEST)
    waiting = pages.mutate(wait=_.why.cases(("retry", retry), ("hub", hub), else_=_.usual))
    hope = _.domains.notnull().ifelse(1.0, 2.0**-_.failures)
    news = (_.why == "retry").ifelse(hope, 1 - 2.0 ** (-_.age / _.wait))
    stake = (1 + _.stake.fill_null(0)).sqrt()
    return (
        waiting.filter(_.age >= _.wait)
        .mutate(priority=_trust(_.inlink_rank) * stake * news, pagerank=_.pagerank.fill_null(0))
        .inner_join(known.urls.select("url_id", host_id=_.host.hash()), "url_id")
        .select(_CANDIDATE)
    )


def _with_all_that_is_known(known: Known, stakes: ir.Table) -> ir.Table:
    """Every page with its history, stake and rank; missing values are null."""
    pages = known.pages.left_join(known.histories, "url_id").drop("url_id_right")
    pages = pages.left_join(stakes, pages.url_id == stakes.source_id)
    return pages.left_join(known.ranks, "url_id").drop("url_id_right")


def new_urls(known: Known, blocked_hosts: tuple[str, ...]) -> ir.Table:
    """URLs that live links lead to but that were never visited (``new``)."""
    unvisited = known.ranks.anti_join(known.pages, "url_id").inner_join(known.urls, "url_id")
    path = _.url.split("?")[0].lower()
    end = path.re_extract(r"[^/]/[^?]*\.([a-z0-9]{2,5})$", 1)
    return (
        unvisited.filter(~end.isin(NOT_PAGES.split()), ~_is_blocked(_.host, blocked_hosts))
        .mutate(
            why=ibis.literal("new"),
            priority=_trust(_.inlink_rank),
            host_id=_.host.hash(),
            content_visit_id=ibis.null("int64"),
        )
        .select(_CANDIDATE)
    )


def _trust(rank: ir.Value) -> ir.Value:
    return 1 + ibis.greatest(rank.fill_null(0), 0).cast("float64")


def _is_blocked(host: ir.Value, blocked_hosts: tuple[str, ...]) -> ir.Value:
    """A blocked page that was visited is still planned: the crawler then records the block."""
    blocked = [(host == name) | host.endswith(f".{name}") for name in blocked_hosts]
    return reduce(lambda one, other: one | other, blocked, ibis.literal(False))


def choose(candidates: ir.Table, budget: int, host_pages: int) -> ir.Table:
    """The *budget* best of *candidates*, no more than *host_pages* of a host.

    Candidates within the shares of their host, their domain and their kind come first, then the
    others: shares decide only if there is more to fetch than the budget.
    """
    host_share = max(int(budget * HOST_SHARE), LEAST_SHARE)
    domain_share = max(int(budget * DOMAIN_SHARE), LEAST_SHARE)
    placed = (
        candidates.mutate(nth_of_host=_nth("host_id"))
        .filter(_.nth_of_host < host_pages)
        .mutate(nth_of_domain=_nth("domain_id"))
        .mutate(fair=(_.nth_of_host < host_share) & (_.nth_of_domain < domain_share))
        .mutate(is_new=_.why == "new")
        .mutate(nth_of_kind=_nth("fair", "is_new"))
        .mutate(in_share=~_.is_new | (_.nth_of_kind < budget * NEW_SHARE))
    )
    order = [ibis.desc("fair"), ibis.desc("in_share"), *best_first()]
    return placed.order_by(order).limit(budget).select(_CANDIDATE)


def best_first() -> list[ir.Value]:
    """The order of a plan. It is total: ties are broken by PageRank, then by the URL's id."""
    return [ibis.desc("priority"), ibis.desc("pagerank"), ibis.asc("url_id")]


def _nth(*group: str) -> ir.Value:
    return ibis.row_number().over(ibis.window(group_by=group, order_by=best_first()))
