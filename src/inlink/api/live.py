"""The commands about what is live now: counts, lists and ranks.

In: a `Call`. Out: the answer of its command.
"""

from msgspec import UNSET, UnsetType

from inlink.api.call import Call
from inlink.api.cursor import CursorError
from inlink.contract.answers import (
    AnchorsAnswer,
    BacklinksAnswer,
    BacklinksCountAnswer,
    DistributionAnswer,
    DomainRank,
    DomainRanksAnswer,
    IpsAnswer,
    IpsCountAnswer,
    MetricsAnswer,
    PageRank,
    PageRanks,
    PageRanksAnswer,
    PagesAnswer,
    RankRefdomains,
    RanksAnswer,
    RawBacklinksAnswer,
    RefdomainsAnswer,
    RefdomainsCountAnswer,
    SubnetsCountAnswer,
    SummaryAnswer,
    TargetBacklinks,
    TargetIps,
    TargetMetrics,
    TargetRefdomains,
    TargetSubnets,
    TargetSummary,
)
from inlink.contract.errors import HUGE_TARGET, ApiError
from inlink.contract.requests import (
    BacklinksRequest,
    CountedListRequest,
    DistributionRequest,
    FilteredBacklinksRequest,
    MetricsRequest,
    RanksRequest,
    RawBacklinksRequest,
    RefdomainsRequest,
)
from inlink.index.effort import Reads
from inlink.index.filters import LinkFilter, TextFilter
from inlink.urls.targets import parse_ranked


def get_metrics(call: Call[MetricsRequest]) -> MetricsAnswer:
    """Counts of live backlinks of each target."""
    metrics = map(call.reader.metrics, call.targets)
    return MetricsAnswer(list(map(TargetMetrics.of, call.texts, metrics)))


def get_summary(call: Call[MetricsRequest]) -> SummaryAnswer:
    """Everything that is counted of each target."""
    if call.is_huge():
        return SummaryAnswer([], message=HUGE_TARGET)
    drop = call.resources.settings.drop_parameters
    ranked = [parse_ranked(text, drop) for text in call.texts]  # as get-inlink-rank reads them
    summaries = map(call.reader.summary, call.targets, ranked)
    return SummaryAnswer(list(map(TargetSummary.of, call.texts, summaries)))


def get_backlinks_count(call: Call[MetricsRequest]) -> BacklinksCountAnswer:
    """Live backlinks of each target."""
    counts = (call.reader.metrics(target).backlinks for target in call.targets)
    return BacklinksCountAnswer(list(map(TargetBacklinks, call.texts, counts)))


def get_refdomains_count(call: Call[MetricsRequest]) -> RefdomainsCountAnswer:
    """Referring domains of each target."""
    counts = (call.reader.metrics(target).refdomains for target in call.targets)
    return RefdomainsCountAnswer(list(map(TargetRefdomains, call.texts, counts)))


def get_subnets_count(call: Call[MetricsRequest]) -> SubnetsCountAnswer:
    """Subnets that link to each target."""
    counts = (call.reader.metrics(target).subnets for target in call.targets)
    return SubnetsCountAnswer(list(map(TargetSubnets, call.texts, counts)))


def get_ips_count(call: Call[MetricsRequest]) -> IpsCountAnswer:
    """IP addresses that link to each target."""
    counts = (call.reader.metrics(target).ips for target in call.targets)
    return IpsCountAnswer(list(map(TargetIps, call.texts, counts)))


def get_inlink_rank(call: Call[RanksRequest]) -> RanksAnswer:
    """InLink Rank and Domain InLink Rank of each URL."""
    ranks = map(call.reader.ranks, call.targets)
    return RanksAnswer(list(map(PageRanks.of, call.texts, ranks)))


def get_page_inlink_rank(call: Call[RanksRequest]) -> PageRanksAnswer:
    """InLink Rank of each URL."""
    ranks = (call.reader.ranks(target).inlink_rank for target in call.targets)
    return PageRanksAnswer(list(map(PageRank, call.texts, ranks)))


def get_domain_inlink_rank(call: Call[RanksRequest]) -> DomainRanksAnswer:
    """Domain InLink Rank of each URL."""
    ranks = (call.reader.ranks(target).domain_inlink_rank for target in call.targets)
    return DomainRanksAnswer(list(map(DomainRank, call.texts, ranks)))


def backlinks_read(request: BacklinksRequest) -> Reads:
    """What a list of backlinks reads: the first of all, or one of each host, are kept."""
    return Reads.KEPT if request.per_domain in (UNSET, 1) else Reads.LINKS


def get_backlinks(call: Call[BacklinksRequest]) -> BacklinksAnswer:
    """The first live backlinks of a target in the order asked for."""
    if call.is_huge():
        return BacklinksAnswer([], message=HUGE_TARGET)
    request = call.request
    per_domain = None if request.per_domain is UNSET else request.per_domain
    keep = _filter(request) if isinstance(request, FilteredBacklinksRequest) else LinkFilter()
    return BacklinksAnswer(
        call.reader.backlinks(call.target, request.order_by, request.limit, per_domain, keep)
    )


def _filter(request: FilteredBacklinksRequest) -> LinkFilter:
    nofollow = request.nofollow_filter
    return LinkFilter(
        nofollow=None if nofollow is UNSET else nofollow == "nofollow_only",
        url_from=_text(request.url_from_filter, request.url_from_filter_mode),
        url_to=_text(request.url_to_filter, request.url_to_filter_mode),
        anchor=_text(request.anchor_filter, request.anchor_filter_mode),
        inlink_rank=_range(request.inlink_rank_from, request.inlink_rank_to),
        domain_inlink_rank=_range(request.domain_inlink_rank_from, request.domain_inlink_rank_to),
    )


def _text(text: str | UnsetType, mode: str) -> TextFilter | None:
    return None if text is UNSET else TextFilter(text, mode == "contains")


def _range(low: int | UnsetType, high: int | UnsetType) -> tuple[int, int] | None:
    """Unknown ranks, -1, are kept only where no lowest rank above 0 is asked for."""
    if low is UNSET and high is UNSET:
        return None
    return (-1 if low is UNSET or low == 0 else low), (100 if high is UNSET else high)


def get_refdomains(call: Call[RefdomainsRequest]) -> RefdomainsAnswer:
    """The first referring domains of a target in the order asked for."""
    if call.is_huge():
        return RefdomainsAnswer([], message=HUGE_TARGET)
    request = call.request
    return RefdomainsAnswer(call.reader.refdomains(call.target, request.order_by, request.limit))


def get_raw_backlinks(call: Call[RawBacklinksRequest]) -> RawBacklinksAnswer:
    """One page of all live backlinks of a target."""
    cursors = call.resources.cursors
    after = None
    if call.request.next is not UNSET:
        try:
            after = cursors.read(call.target, call.request.next)
        except CursorError as error:
            raise ApiError.invalid(
                "next",
                "next is not a cursor that was returned for this target and mode. Leave it out for"
                " the first page, then send the cursor of the previous page unchanged.",
            ) from error
    if call.is_huge():
        return RawBacklinksAnswer([], message=HUGE_TARGET)
    rows, position = call.reader.raw_backlinks(call.target, call.request.limit, after)
    cursor = UNSET if position is None else cursors.make(call.target, position)
    return RawBacklinksAnswer(rows, next=cursor)


def get_anchors(call: Call[CountedListRequest]) -> AnchorsAnswer:
    """The first anchor texts of a target's backlinks."""
    if call.is_huge():
        return AnchorsAnswer([], message=HUGE_TARGET)
    request = call.request
    return AnchorsAnswer(call.reader.anchors(call.target, request.order_by, request.limit))


def get_pages(call: Call[CountedListRequest]) -> PagesAnswer:
    """The first URLs of a target by what links to them."""
    if call.is_huge():
        return PagesAnswer([], message=HUGE_TARGET)
    request = call.request
    return PagesAnswer(call.reader.pages(call.target, request.order_by, request.limit))


def get_ips(call: Call[CountedListRequest]) -> IpsAnswer:
    """The first IP addresses that link to a target."""
    if call.is_huge():
        return IpsAnswer([], message=HUGE_TARGET)
    request = call.request
    return IpsAnswer(call.reader.ips(call.target, request.order_by, request.limit))


def get_distribution(call: Call[DistributionRequest]) -> DistributionAnswer:
    """How many referring domains of a target have which rank."""
    if call.is_huge():
        return DistributionAnswer([], message=HUGE_TARGET)
    counts = call.reader.rank_distribution(call.target, call.request.histogram_mode)
    return DistributionAnswer([RankRefdomains(rank, count) for rank, count in counts])
