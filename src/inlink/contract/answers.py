"""What each command answers: names, order and types from the specification's "Response Parameters".

``message`` is present only if a target has too many backlinks to be answered (status 244).
"""

import datetime as dt
from typing import Annotated, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import astuple

from inlink.contract.outcomes import ReasonLost
from inlink.contract.proof import Occurrence
from inlink.contract.rows import (
    Anchor,
    AnchorBacklinks,
    AnchorRefdomains,
    Backlink,
    CountryCount,
    DayCount,
    LinkedPage,
    Metrics,
    NewLostBacklink,
    NewLostRefdomain,
    PageBacklinks,
    PageRefdomains,
    Ranks,
    Refdomain,
    ReferringIp,
    Summary,
    TldCount,
)
from inlink.contract.vocabulary import LinkType

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
    """InLink Ranks of one URL and of its domain, 0 to 100; -1 if unknown."""

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
    """Answer of get-raw-backlinks; ``next`` is present unless this is the last page."""

    backlinks: list[Backlink]
    next: str | UnsetType = UNSET
    message: Message | UnsetType = UNSET


class NewLostBacklinksAnswer(Struct, frozen=True):
    """Answer of get-new-lost-backlinks."""

    new_lost_backlinks: list[NewLostBacklink]
    message: Message | UnsetType = UNSET


class NewLostRefdomainsAnswer(Struct, frozen=True):
    """Answer of get-new-lost-refdomains."""

    new_lost_refdomains: list[NewLostRefdomain]
    message: Message | UnsetType = UNSET


class NewLostBacklinksCountAnswer(Struct, frozen=True):
    """Answer of get-new-lost-backlinks-count: every day of the range."""

    new_lost_backlinks_count: list[DayCount]
    message: Message | UnsetType = UNSET


class NewLostRefdomainsCountAnswer(Struct, frozen=True):
    """Answer of get-new-lost-refdomains-count: every day of the range."""

    new_lost_refdomains_count: list[DayCount]
    message: Message | UnsetType = UNSET


class AnchorsAnswer(Struct, frozen=True):
    """Answer of get-anchors."""

    anchors: list[Anchor]
    message: Message | UnsetType = UNSET


class PagesAnswer(Struct, frozen=True):
    """Answer of get-pages."""

    pages: list[LinkedPage]
    message: Message | UnsetType = UNSET


class IpsAnswer(Struct, frozen=True):
    """Answer of get-ips."""

    ips: list[ReferringIp]
    message: Message | UnsetType = UNSET


class TargetSummary(Struct, frozen=True):
    """All counts and top lists of one target's live backlinks."""

    target: str
    backlinks: int
    refdomains: int
    subnets: int
    ips: int
    nofollow_backlinks: int
    dofollow_backlinks: int
    inlink_rank: int
    anchors: int
    edu_backlinks: int
    gov_backlinks: int
    domain_inlink_rank: int
    from_home_page_backlinks: int
    dofollow_from_home_page_backlinks: int
    text_backlinks: int
    dofollow_refdomains: int
    from_home_page_refdomains: int
    edu_refdomains: int
    gov_refdomains: int
    dofollow_anchors: int
    pages_with_backlinks: int
    top_anchors_by_backlinks: list[AnchorBacklinks]
    top_anchors_by_refdomains: list[AnchorRefdomains]
    top_pages_by_backlinks: list[PageBacklinks]
    top_pages_by_refdomains: list[PageRefdomains]
    top_tlds: list[TldCount]
    top_countries: list[CountryCount]

    @classmethod
    def of(cls, target: str, summary: Summary) -> Self:
        """*summary* of *target*, which is echoed as it was sent."""
        return cls(target, *astuple(summary))


class SummaryAnswer(Struct, frozen=True):
    """Answer of get-summary, in the order of the targets asked for."""

    summary: list[TargetSummary]
    message: Message | UnsetType = UNSET


class TargetBacklinks(Struct, frozen=True):
    """Live backlinks of one target."""

    target: str
    backlinks: int


class TargetRefdomains(Struct, frozen=True):
    """Referring domains of one target."""

    target: str
    refdomains: int


class TargetSubnets(Struct, frozen=True):
    """Subnets that link to one target."""

    target: str
    subnets: int


class TargetIps(Struct, frozen=True):
    """IP addresses that link to one target."""

    target: str
    ips: int


class BacklinksCountAnswer(Struct, frozen=True):
    """Answer of get-backlinks-count, in the order of the targets asked for."""

    metrics: list[TargetBacklinks]


class RefdomainsCountAnswer(Struct, frozen=True):
    """Answer of get-refdomains-count, in the order of the targets asked for."""

    metrics: list[TargetRefdomains]


class SubnetsCountAnswer(Struct, frozen=True):
    """Answer of get-subnets-count, in the order of the targets asked for."""

    metrics: list[TargetSubnets]


class IpsCountAnswer(Struct, frozen=True):
    """Answer of get-ips-count, in the order of the targets asked for."""

    metrics: list[TargetIps]


class PageRank(Struct, frozen=True):
    """InLink Rank of one URL, 0 to 100; -1 if unknown."""

    url: str
    inlink_rank: int


class DomainRank(Struct, frozen=True):
    """InLink Rank of the domain of one URL, 0 to 100; -1 if unknown."""

    url: str
    domain_inlink_rank: int


class PageRanksAnswer(Struct, frozen=True):
    """Answer of get-page-inlink-rank, in the order of the targets asked for."""

    pages: list[PageRank]


class DomainRanksAnswer(Struct, frozen=True):
    """Answer of get-domain-inlink-rank, in the order of the targets asked for."""

    pages: list[DomainRank]


class Subscription(Struct, frozen=True):
    """What the key may still use; ``expiraton_date`` is how the live service spells it."""

    status: Literal["active"]
    start_date: str
    expiraton_date: str
    expiration_date: str
    units_limit: int
    units_left: int


class SubscriptionAnswer(Struct, frozen=True):
    """Answer of get-subscription-info."""

    subscription_info: Subscription


TaskStatus = Literal[
    "queued_for_processing",
    "processing",
    "complete",
    "rejected",
    "task id is unknown or deleted",
]


class TaskAnswer(Struct, frozen=True):
    """Answer of download-all-backlinks and of its status command."""

    task_status: TaskStatus
    task_id: str
    download_file: Annotated[str, Meta(description="Only if the task is complete.")] | UnsetType = (
        UNSET
    )


class DayBacklinks(Struct, frozen=True):
    """Backlinks that were live at the end of a day."""

    date: dt.date
    backlinks: int


class CumulativeAnswer(Struct, frozen=True):
    """Answer of history/cumulative: every day of the range."""

    backlinks_count: list[DayBacklinks]
    message: Message | UnsetType = UNSET


class DayPageRank(Struct, frozen=True):
    """InLink Rank of a URL on a day, or -1."""

    date: dt.date
    inlink_rank: int


class DayDomainRank(Struct, frozen=True):
    """Domain InLink Rank on a day, or -1."""

    date: dt.date
    domain_inlink_rank: int


class PageRankHistoryAnswer(Struct, frozen=True):
    """Answer of authority/page/history."""

    ranks: list[DayPageRank]


class DomainRankHistoryAnswer(Struct, frozen=True):
    """Answer of authority/domain/history."""

    ranks: list[DayDomainRank]


class EvidenceRecord(Struct, frozen=True):
    """A record of a crawl file; ``digest`` is the payload digest that the record states."""

    file: str
    offset: int
    type: str
    id: str | None
    url: str
    date: str
    status: int | None
    digest: str | None


class EvidenceAnswer(Struct, frozen=True):
    """Answer of evidence; ``records``: that of the page; for a chain, also of the other hops."""

    url_from: str
    url_to: str
    link_type: LinkType
    live: bool
    first_seen: dt.date
    lost: dt.date | None
    reason_lost: ReasonLost
    outcome: str
    page_text: bool
    occurrences: list[Occurrence]
    records: list[EvidenceRecord]
    last_visit: EvidenceRecord | None


class RecordFile(Struct, frozen=True):
    """Answer of evidence/record: sent as a file, not as a struct."""

    content: bytes
    media_type: str
    name: str


class RankRefdomains(Struct, frozen=True):
    """How many referring domains have this Domain InLink Rank; -1 means unknown."""

    domain_inlink_rank: int
    refdomains: int


class DistributionAnswer(Struct, frozen=True):
    """Answer of authority/domain/distribution."""

    histogram: list[RankRefdomains]
    message: Message | UnsetType = UNSET
