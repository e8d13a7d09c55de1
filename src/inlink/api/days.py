"""The commands about what was: new and lost links by day, and the ranks of earlier days.

In: a `Call`. Out: the answer of its command.
"""

import datetime as dt
from collections.abc import Callable

from msgspec import UNSET, UnsetType

from inlink.api.call import Call, today
from inlink.contract.answers import (
    CumulativeAnswer,
    DayBacklinks,
    DayDomainRank,
    DayPageRank,
    DomainRankHistoryAnswer,
    NewLostBacklinksAnswer,
    NewLostBacklinksCountAnswer,
    NewLostRefdomainsAnswer,
    NewLostRefdomainsCountAnswer,
    PageRankHistoryAnswer,
)
from inlink.contract.errors import HUGE_TARGET, ApiError
from inlink.contract.requests import (
    CumulativeRequest,
    DaysRequest,
    LinkDaysRequest,
    NewLostBacklinksRequest,
    NewLostRefdomainsRequest,
    RankHistoryRequest,
)
from inlink.contract.vocabulary import NewLostType
from inlink.index.days import Span
from inlink.index.effort import Reads
from inlink.index.filters import LinkFilter
from inlink.urls.targets import TargetError, parse_subtree

MAX_DAYS = 36_525
"""How many days may be counted one by one: a hundred years."""

SHORT_DAYS = 1000
"""How many of them are counted in a millisecond or so."""


def rows_read(request: DaysRequest) -> Reads:
    """What a list of days reads: calendars have the most recent of what passes no filter."""
    if isinstance(request, LinkDaysRequest):
        filters = (request.link_type, request.anchor_type, request.dofollow, request.url_from)
        if any(given is not UNSET for given in filters):
            return Reads.LINKS
    recent = getattr(request, "order_by", "new_lost_date") == "new_lost_date"
    return Reads.KEPT if recent else Reads.LINKS


def counts_read(request: DaysRequest) -> Reads:
    """What counts by day read: likewise, of no more than `SHORT_DAYS` days."""
    if request.date_from is not UNSET:
        last = today() if request.date_to is UNSET else request.date_to
        if (last - request.date_from).days >= SHORT_DAYS:
            return Reads.MUCH
    return rows_read(request)


def get_new_lost_backlinks(call: Call[NewLostBacklinksRequest]) -> NewLostBacklinksAnswer:
    """The first backlinks that were found or lost within the days."""
    request = call.request
    span, keep = _span(request.date_from, request.date_to), _filter(call)
    if call.is_huge():
        return NewLostBacklinksAnswer([], message=HUGE_TARGET)
    rows = call.reader.new_lost_backlinks(
        call.target, span, _type(request), request.order_by, request.limit, keep
    )
    return NewLostBacklinksAnswer(rows)


def get_new_lost_backlinks_count(call: Call[LinkDaysRequest]) -> NewLostBacklinksCountAnswer:
    """How many backlinks were found and lost on each of the days."""
    request = call.request
    span, keep = _countable_span(request.date_from, request.date_to), _filter(call)
    if call.is_huge():
        return NewLostBacklinksCountAnswer([], message=HUGE_TARGET)
    rows = call.reader.new_lost_backlinks_count(call.target, span, _type(request), keep)
    return NewLostBacklinksCountAnswer(rows)


def get_new_lost_refdomains(call: Call[NewLostRefdomainsRequest]) -> NewLostRefdomainsAnswer:
    """The first referring domains that came or went within the days."""
    request = call.request
    span = _span(request.date_from, request.date_to)
    if call.is_huge():
        return NewLostRefdomainsAnswer([], message=HUGE_TARGET)
    rows = call.reader.new_lost_refdomains(
        call.target, span, _type(request), request.order_by, request.limit
    )
    return NewLostRefdomainsAnswer(rows)


def get_new_lost_refdomains_count(call: Call[DaysRequest]) -> NewLostRefdomainsCountAnswer:
    """How many referring domains came and went on each of the days."""
    request = call.request
    span = _countable_span(request.date_from, request.date_to)
    if call.is_huge():
        return NewLostRefdomainsCountAnswer([], message=HUGE_TARGET)
    rows = call.reader.new_lost_refdomains_count(call.target, span, _type(request))
    return NewLostRefdomainsCountAnswer(rows)


def get_cumulative(call: Call[CumulativeRequest]) -> CumulativeAnswer:
    """How many backlinks were live at the end of each of the days."""
    span = _countable_span(call.request.date_from, call.request.date_to)
    if call.is_huge():
        return CumulativeAnswer([], message=HUGE_TARGET)
    days = call.reader.live_backlinks(call.target, span)
    return CumulativeAnswer([DayBacklinks(day, count) for day, count in days])


def get_page_rank_history(call: Call[RankHistoryRequest]) -> PageRankHistoryAnswer:
    """InLink Rank of a URL over time."""
    span = _rank_span(call.request)
    days = _by_period(call.request, call.reader.inlink_rank_history(call.target, span))
    return PageRankHistoryAnswer([DayPageRank(day, rank) for day, rank in days])


def get_domain_rank_history(call: Call[RankHistoryRequest]) -> DomainRankHistoryAnswer:
    """Domain InLink Rank of a URL's domain over time."""
    span = _rank_span(call.request)
    days = _by_period(call.request, call.reader.domain_inlink_rank_history(call.target, span))
    return DomainRankHistoryAnswer([DayDomainRank(day, rank) for day, rank in days])


def _type(request: DaysRequest) -> NewLostType | None:
    return None if request.new_lost_type is UNSET else request.new_lost_type


def _filter(call: Call[LinkDaysRequest] | Call[NewLostBacklinksRequest]) -> LinkFilter:
    request = call.request
    source = None
    if request.url_from is not UNSET:
        drop = call.resources.settings.drop_parameters
        try:
            source = parse_subtree(request.url_from, drop)
        except TargetError as error:
            raise ApiError.invalid("url_from", str(error)) from error
    return LinkFilter(
        link_type=None if request.link_type is UNSET else request.link_type,
        anchor_type=None if request.anchor_type is UNSET else request.anchor_type,
        follow=None if request.dofollow is UNSET else request.dofollow,
        source=source,
    )


def _span(first: dt.date | UnsetType, last: dt.date | UnsetType) -> Span:
    """The days asked for; yesterday and today where nothing is said."""
    now = today()
    span = Span(
        now - dt.timedelta(days=1) if first is UNSET else first, now if last is UNSET else last
    )
    if span.first > span.last:
        said = " (yesterday, the default)" if first is UNSET else ""
        raise ApiError.invalid(
            "date_from",
            f"date_from is {span.first}{said} and date_to is {span.last}; valid is a date_from that"
            " is not after date_to.",
        )
    return span


def _countable_span(first: dt.date | UnsetType, last: dt.date | UnsetType) -> Span:
    span = _span(first, last)
    days = (span.last - span.first).days + 1
    if days > MAX_DAYS:
        raise ApiError.invalid(
            "date_from",
            f"From {span.first} to {span.last} is {days:,} days; valid are at most {MAX_DAYS:,}.",
        )
    return span


def _rank_span(request: RankHistoryRequest) -> Span:
    first = dt.date.min if request.date_from is UNSET else request.date_from
    return _span(first, request.date_to)


_PERIOD: dict[str, Callable[[dt.date], dt.date]] = {
    "by_day": lambda day: day,
    "by_week": lambda day: day - dt.timedelta(days=day.weekday()),
    "by_month": lambda day: day.replace(day=1),
}


def _by_period(
    request: RankHistoryRequest, days: list[tuple[dt.date, int]]
) -> list[tuple[dt.date, int]]:
    """The last rank of each period, under the period's first day."""
    start = _PERIOD[request.granularity]
    return list({start(day): (start(day), rank) for day, rank in days}.values())
