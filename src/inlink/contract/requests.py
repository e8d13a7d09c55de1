"""What each command takes: one struct per command, one field per parameter.

Names, defaults, limits and enumerations are those of the Backlinks API v1.0 specification
("Request Parameters" of each command). ``apikey`` and ``output`` belong to every command and are
not here.
"""

import datetime as dt
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from inlink.contract.vocabulary import (
    AnchorType,
    BacklinkOrder,
    CountOrder,
    Follow,
    LinkType,
    NewLostDomainOrder,
    NewLostOrder,
    NewLostType,
)
from inlink.contract.vocabulary import Mode as ModeName

MAX_TARGETS = 100

OneTarget = Annotated[str, Meta(description="Domain, host or URL, with or without a scheme.")]

Targets = Annotated[
    str | Annotated[list[str], Meta(min_length=1, max_length=MAX_TARGETS)],
    Meta(
        description="Domain, host or URL, with or without a scheme. To ask for several, send a JSON"
        " list or a string that holds one, or repeat the parameter."
    ),
]

Mode = Annotated[
    ModeName,
    Meta(
        description="domain: all URLs of the domain and of all its subdomains. "
        "host: all URLs of exactly this host. url: this one URL."
    ),
]

Order = Annotated[
    BacklinkOrder,
    Meta(
        description="date_found: most recent first; a backlink that was lost and came back is"
        " placed by when it came back. domain_inlink_rank, inlink_rank: highest first."
    ),
]

ListLimit = Annotated[
    int, Meta(ge=1, le=10_000, description="Maximum number of results to return.")
]

RawLimit = Annotated[
    int, Meta(ge=1, le=100_000, description="Maximum number of results to return on one page.")
]

PerDomain = Annotated[
    int, Meta(ge=1, le=100, description="Number of backlinks per referring domain; all if absent.")
]

Next = Annotated[
    str, Meta(description="The cursor from the previous page; absent for the first page.")
]


class MetricsRequest(Struct, frozen=True, kw_only=True):
    """Parameters of get-metrics."""

    target: Targets
    mode: Mode = "host"


class RanksRequest(Struct, frozen=True, kw_only=True):
    """Parameters of get-inlink-rank."""

    target: Targets


class BacklinksRequest(Struct, frozen=True, kw_only=True):
    """Parameters of get-backlinks."""

    target: OneTarget
    mode: Mode = "host"
    limit: ListLimit = 100
    order_by: Order = "date_found"
    per_domain: PerDomain | UnsetType = UNSET


class RefdomainsRequest(Struct, frozen=True, kw_only=True):
    """Parameters of get-refdomains."""

    target: OneTarget
    mode: Mode = "host"
    limit: ListLimit = 100
    order_by: Order = "date_found"


class RawBacklinksRequest(Struct, frozen=True, kw_only=True):
    """Parameters of get-raw-backlinks."""

    target: OneTarget
    mode: Mode = "host"
    limit: RawLimit = 10_000
    next: Next | UnsetType = UNSET


NewOrLost = Annotated[
    NewLostType, Meta(description="new: only those found. lost: only those lost. Both if absent.")
]

DateFrom = Annotated[dt.date, Meta(description="First day, YYYY-MM-DD; yesterday (UTC) if absent.")]
DateTo = Annotated[dt.date, Meta(description="Last day, YYYY-MM-DD; today (UTC) if absent.")]

ByLinkType = Annotated[LinkType, Meta(description="Only backlinks of this type.")]

ByAnchorType = Annotated[
    AnchorType,
    Meta(
        description="text: only text links. image: only image links, including those with text."
        " undefined: only those without an anchor element (redirects and canonicals)."
    ),
]

ByFollow = Annotated[
    Follow,
    Meta(
        description="dofollow: only links that are not nofollow. nofollow: only those that are."
        " undefined: only those without an anchor element (redirects and canonicals)."
    ),
]

UrlFrom = Annotated[
    str,
    Meta(
        description="Only backlinks from pages of exactly this host and of its subdomains;"
        " if this is a URL, its host counts."
    ),
]

NewLostOrderBy = Annotated[
    NewLostOrder,
    Meta(
        description="new_lost_date: most recent first. domain_inlink_rank, inlink_rank:"
        " highest first."
    ),
]

NewLostDomainOrderBy = Annotated[
    NewLostDomainOrder,
    Meta(description="new_lost_date: most recent first. domain_inlink_rank: highest first."),
]

CountOrderBy = Annotated[CountOrder, Meta(description="What to sort by; the highest count first.")]

TaskId = Annotated[str, Meta(description="The task_id from the answer of download-all-backlinks.")]


class DaysRequest(Struct, frozen=True, kw_only=True):
    """A target and a range of days."""

    target: OneTarget
    mode: Mode = "host"
    new_lost_type: NewOrLost | UnsetType = UNSET
    date_from: DateFrom | UnsetType = UNSET
    date_to: DateTo | UnsetType = UNSET


class LinkDaysRequest(DaysRequest, frozen=True, kw_only=True):
    """Parameters of get-new-lost-backlinks-count."""

    link_type: ByLinkType | UnsetType = UNSET
    anchor_type: ByAnchorType | UnsetType = UNSET
    dofollow: ByFollow | UnsetType = UNSET
    url_from: UrlFrom | UnsetType = UNSET


class NewLostBacklinksRequest(LinkDaysRequest, frozen=True, kw_only=True):
    """Parameters of get-new-lost-backlinks."""

    order_by: NewLostOrderBy = "new_lost_date"
    limit: ListLimit = 1000


class NewLostRefdomainsRequest(DaysRequest, frozen=True, kw_only=True):
    """Parameters of get-new-lost-refdomains."""

    order_by: NewLostDomainOrderBy = "new_lost_date"
    limit: ListLimit = 1000


class CountedListRequest(Struct, frozen=True, kw_only=True):
    """Parameters of get-anchors, get-pages and get-ips."""

    target: OneTarget
    mode: Mode = "host"
    limit: ListLimit = 100
    order_by: CountOrderBy = "backlinks"


class ExportRequest(Struct, frozen=True, kw_only=True):
    """Parameters of download-all-backlinks."""

    target: OneTarget
    mode: Mode = "host"


class ExportStatusRequest(Struct, frozen=True, kw_only=True):
    """Parameters of download-all-backlinks-status."""

    task_id: TaskId


class SubscriptionRequest(Struct, frozen=True, kw_only=True):
    """Parameters of get-subscription-info: none."""


Contained = Annotated[
    str, Meta(max_length=2063, description="Text to look for; case does not matter.")
]
ContainedMode = Annotated[
    Literal["contains", "does_not_contain"],
    Meta(description="Whether the text must be present or absent."),
]
NofollowFilter = Annotated[
    Literal["nofollow_only", "dofollow_only"],
    Meta(description="Only links that are nofollow, or only those that are not."),
]
RankFrom = Annotated[int, Meta(ge=0, le=100, description="The lowest rank to return.")]
RankTo = Annotated[int, Meta(ge=0, le=100, description="The highest rank to return.")]

HistogramMode = Annotated[
    Literal["domain", "host"],
    Meta(description="Count registrable domains once each, or hosts once each."),
]
Granularity = Annotated[
    Literal["by_day", "by_week", "by_month"],
    Meta(
        description="by_day: every day with new ranks. by_week, by_month: the last of each week or"
        " month, under its first day."
    ),
]
RankDateFrom = Annotated[
    dt.date, Meta(description="First day, YYYY-MM-DD; the first day with ranks if absent.")
]


class FilteredBacklinksRequest(BacklinksRequest, frozen=True, kw_only=True):
    """Parameters of /v1/backlinks/all."""

    inlink_rank_from: RankFrom | UnsetType = UNSET
    inlink_rank_to: RankTo | UnsetType = UNSET
    domain_inlink_rank_from: RankFrom | UnsetType = UNSET
    domain_inlink_rank_to: RankTo | UnsetType = UNSET
    url_from_filter: Contained | UnsetType = UNSET
    url_from_filter_mode: ContainedMode = "contains"
    url_to_filter: Contained | UnsetType = UNSET
    url_to_filter_mode: ContainedMode = "contains"
    anchor_filter: Contained | UnsetType = UNSET
    anchor_filter_mode: ContainedMode = "contains"
    nofollow_filter: NofollowFilter | UnsetType = UNSET


class HistoryRequest(NewLostBacklinksRequest, frozen=True, kw_only=True):
    """Parameters of /v1/backlinks/history."""

    limit: ListLimit = 100


class RefdomainsHistoryRequest(NewLostRefdomainsRequest, frozen=True, kw_only=True):
    """Parameters of /v1/backlinks/refdomains/history."""

    limit: ListLimit = 100


class CumulativeRequest(Struct, frozen=True, kw_only=True):
    """Parameters of /v1/backlinks/history/cumulative."""

    target: OneTarget
    mode: Mode = "host"
    date_from: DateFrom | UnsetType = UNSET
    date_to: DateTo | UnsetType = UNSET


class RankHistoryRequest(Struct, frozen=True, kw_only=True):
    """Parameters of /v1/backlinks/authority/page/history and authority/domain/history."""

    target: OneTarget
    date_from: RankDateFrom | UnsetType = UNSET
    date_to: DateTo | UnsetType = UNSET
    granularity: Granularity = "by_day"


class DistributionRequest(
    Struct, frozen=True, kw_only=True, rename={"histogram_mode": "histogramMode"}
):
    """Parameters of /v1/backlinks/authority/domain/distribution."""

    target: OneTarget
    mode: Mode = "host"
    histogram_mode: HistogramMode = "host"


ProvenFrom = Annotated[
    str,
    Meta(description="The page that links; if it has no scheme, either scheme matches."),
]
ProvenTo = Annotated[
    str,
    Meta(description="The URL that it links to; if it has no scheme, either scheme matches."),
]


class ProofRequest(Struct, frozen=True, kw_only=True):
    """Parameters of /v2/evidence, /v2/evidence/record and /v2/verify."""

    url_from: ProvenFrom
    url_to: ProvenTo


def takes_batch(request: type[Struct]) -> bool:
    """Whether a command takes several targets."""
    return request.__annotations__.get("target") is Targets
