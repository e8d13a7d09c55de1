"""What each command takes: one struct for a command, one field for a parameter.

Names, defaults, limits and enumerations are those of the Backlinks API v1.0 specification
("Request Parameters" of each command). ``apikey`` and ``output`` belong to every command and are
not here.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from inlink.index.rows import BacklinkOrder
from inlink.urls.targets import Mode as ModeName

MAX_TARGETS = 100

OneTarget = Annotated[str, Meta(description="Domain, host or URL, with or without a scheme.")]

Targets = Annotated[
    str | Annotated[list[str], Meta(min_length=1, max_length=MAX_TARGETS)],
    Meta(
        description="Domain, host or URL, with or without a scheme; or a list of them, as a JSON "
        "list, as a string that holds one, or by repeating the parameter."
    ),
]

Mode = Annotated[
    ModeName,
    Meta(
        description="domain: all URLs of the domain and of every name beneath it. "
        "host: all URLs of exactly this host. url: this one URL."
    ),
]

Order = Annotated[
    BacklinkOrder,
    Meta(
        description="date_found: most recent first. domain_inlink_rank, inlink_rank: highest first."
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
    str, Meta(description="The cursor that the page before answered with; absent for the first.")
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


def takes_batch(request: type[Struct]) -> bool:
    """Whether a command takes several targets."""
    return request.__annotations__["target"] is Targets
