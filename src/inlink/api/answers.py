"""What each command gives: names, order and types of the specification's "Response Parameters".

``message`` is there only where a target is too huge to be answered (status 244).
"""

from typing import Annotated, Self

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import astuple

from inlink.index.rows import Backlink, Metrics, Ranks, Refdomain

Message = Annotated[str, Meta(description="Why the list is empty; only with status 244.")]


class TargetMetrics(Struct, frozen=True):
    """Live backlinks of one target, counted."""

    target: str
    backlinks: int
    refdomains: int
    subnets: int
    ips: int
    nofollow_backlinks: int
    dofollow_backlinks: int
    edu_backlinks: int
    gov_backlinks: int

    @classmethod
    def of(cls, target: str, metrics: Metrics) -> Self:
        """*metrics* of *target*, which is echoed as it was sent."""
        return cls(target, *astuple(metrics))


class MetricsAnswer(Struct, frozen=True):
    """Answer of get-metrics, in the order of the targets asked for."""

    metrics: list[TargetMetrics]


class PageRanks(Struct, frozen=True):
    """InLink Ranks of one URL and of its domain, 0 to 100; -1 where unknown."""

    url: str
    inlink_rank: int
    domain_inlink_rank: int

    @classmethod
    def of(cls, url: str, ranks: Ranks) -> Self:
        """*ranks* of *url*, which is echoed as it was sent."""
        return cls(url, *astuple(ranks))


class RanksAnswer(Struct, frozen=True):
    """Answer of get-inlink-rank, in the order of the targets asked for."""

    pages: list[PageRanks]


class BacklinksAnswer(Struct, frozen=True):
    """Answer of get-backlinks."""

    backlinks: list[Backlink]
    message: Message | UnsetType = UNSET


class RefdomainsAnswer(Struct, frozen=True):
    """Answer of get-refdomains."""

    refdomains: list[Refdomain]
    message: Message | UnsetType = UNSET


class RawBacklinksAnswer(Struct, frozen=True):
    """Answer of get-raw-backlinks; ``next`` is there unless this is the last page."""

    backlinks: list[Backlink]
    next: str | UnsetType = UNSET
    message: Message | UnsetType = UNSET
