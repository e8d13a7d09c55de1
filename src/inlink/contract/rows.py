"""The rows that the reader answers with, named and ordered as in the Backlinks API v1.0.

Rows hold texts, numbers and dates, so they cannot form cycles: the garbage collector need not track
them.
"""

import datetime as dt
from typing import Literal

import msgspec

from inlink.contract.outcomes import ReasonLost
from inlink.contract.vocabulary import LinkType, NewLostType

UNKNOWN_RANK = -1


class Metrics(msgspec.Struct, frozen=True, gc=False):
    """Live backlinks of a target, counted."""

    backlinks: int
    refdomains: int
    subnets: int
    ips: int
    nofollow_backlinks: int
    dofollow_backlinks: int
    edu_backlinks: int
    gov_backlinks: int


class Ranks(msgspec.Struct, frozen=True, gc=False):
    """InLink Rank of a URL and of its domain, 0 to 100, or -1 if it is unknown."""

    inlink_rank: int
    domain_inlink_rank: int


class Backlink(msgspec.Struct, frozen=True, gc=False):
    """One live backlink."""

    url_from: str
    url_to: str
    title: str
    anchor: str
    alt: None
    nofollow: bool
    image: bool
    image_source: str | None
    inlink_rank: int
    domain_inlink_rank: int
    first_seen: dt.date
    last_visited: dt.date


class Refdomain(msgspec.Struct, frozen=True, gc=False):
    """One referring domain: a host with live backlinks to the target."""

    refdomain: str
    backlinks: int
    dofollow_backlinks: int
    first_seen: dt.date
    domain_inlink_rank: int


class NewLostBacklink(msgspec.Struct, frozen=True, gc=False):
    """A backlink that was found, or lost, on a day."""

    new_lost_date: dt.date
    new_lost_type: NewLostType
    url_from: str
    url_to: str
    title: str
    anchor: str
    alt: Literal[""]
    link_type: LinkType
    nofollow: bool
    image: bool
    image_source: str
    reason_lost: ReasonLost
    inlink_rank: int
    domain_inlink_rank: int
    first_seen: dt.date


class NewLostRefdomain(msgspec.Struct, frozen=True, gc=False):
    """A referring domain whose first live backlink was found, or last one was lost, on a day."""

    new_lost_date: dt.date
    new_lost_type: NewLostType
    refdomain: str
    backlinks: int
    dofollow_backlinks: int
    first_seen: dt.date
    domain_inlink_rank: int


class DayCount(msgspec.Struct, frozen=True, gc=False):
    """How many were found and how many were lost on a day."""

    date: dt.date
    new: int
    lost: int


class Anchor(msgspec.Struct, frozen=True, gc=False):
    """One anchor text of live backlinks; ``""`` stands for all without one."""

    anchor: str
    backlinks: int
    refdomains: int
    dofollow_backlinks: int
    nofollow_backlinks: int
    first_seen: dt.date


class LinkedPage(msgspec.Struct, frozen=True, gc=False):
    """One URL of the target that live backlinks lead to."""

    url: str
    backlinks: int
    refdomains: int
    dofollow_backlinks: int
    nofollow_backlinks: int
    first_seen: dt.date


class ReferringIp(msgspec.Struct, frozen=True, gc=False):
    """One IP address that live backlinks come from."""

    ip: str
    backlinks: int
    refdomains: int
    dofollow_backlinks: int
    nofollow_backlinks: int
    first_seen: dt.date


class AnchorBacklinks(msgspec.Struct, frozen=True, gc=False):
    """Backlinks of one anchor text."""

    anchor: str
    backlinks: int


class AnchorRefdomains(msgspec.Struct, frozen=True, gc=False):
    """Referring domains of one anchor text."""

    anchor: str
    refdomains: int


class PageBacklinks(msgspec.Struct, frozen=True, gc=False):
    """Backlinks of one URL of the target."""

    url: str
    backlinks: int


class PageRefdomains(msgspec.Struct, frozen=True, gc=False):
    """Referring domains of one URL of the target."""

    url: str
    refdomains: int


class TldCount(msgspec.Struct, frozen=True, gc=False):
    """Referring domains of one top-level domain."""

    tld: str
    count: int


class CountryCount(msgspec.Struct, frozen=True, gc=False):
    """Referring domains of one country: two letters, lower case (ISO 3166-1)."""

    country: str
    count: int


class Summary(msgspec.Struct, frozen=True):
    """All counts of a target's live backlinks, with the top of each list."""

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


class RawPosition(msgspec.Struct, frozen=True, array_like=True):
    """A position in key order: the last row sent (sort keys of target and source, link type)."""

    target_key: str
    source_key: str
    link_type: str
