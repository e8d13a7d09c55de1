"""The rows that the reader answers with, named and ordered as the Backlinks API v1.0 has them."""

import datetime as dt
from typing import Literal

import msgspec

BacklinkOrder = Literal["date_found", "domain_inlink_rank", "inlink_rank"]

UNKNOWN_RANK = -1


class Metrics(msgspec.Struct, frozen=True):
    """Live backlinks of a target, counted."""

    backlinks: int
    refdomains: int
    subnets: int
    ips: int
    nofollow_backlinks: int
    dofollow_backlinks: int
    edu_backlinks: int
    gov_backlinks: int


class Ranks(msgspec.Struct, frozen=True):
    """InLink Rank of a URL and of its domain, 0 to 100, or -1 where it is unknown."""

    inlink_rank: int
    domain_inlink_rank: int


class Backlink(msgspec.Struct, frozen=True):
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


class Refdomain(msgspec.Struct, frozen=True):
    """One referring domain: a host with live backlinks to the target."""

    refdomain: str
    backlinks: int
    dofollow_backlinks: int
    first_seen: dt.date
    domain_inlink_rank: int


class RawPosition(msgspec.Struct, frozen=True, array_like=True):
    """A place in key order: the row last given out (sort keys of target and source, link type)."""

    target_key: str
    source_key: str
    link_type: str
