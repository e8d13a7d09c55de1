"""The commands: what each is called, takes, gives, and how it is answered.

`COMMANDS` is the table that routing, validation and the OpenAPI description are made from. Adding a
command is a request struct, an answer struct, a function here and a row in the table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from msgspec import UNSET, Struct

from inlink.api.answers import (
    BacklinksAnswer,
    MetricsAnswer,
    PageRanks,
    RanksAnswer,
    RawBacklinksAnswer,
    RefdomainsAnswer,
    TargetMetrics,
)
from inlink.api.cursor import CursorError, Cursors
from inlink.api.errors import HUGE_TARGET, ApiError
from inlink.api.requests import (
    BacklinksRequest,
    MetricsRequest,
    RanksRequest,
    RawBacklinksRequest,
    RefdomainsRequest,
)
from inlink.index.reader import Reader
from inlink.urls.targets import Target

Request = TypeVar("Request", bound=Struct)

Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True)
class Call(Generic[Request]):
    """One valid request, and what is needed to answer it."""

    request: Request
    texts: list[str]
    """The targets as they were sent."""
    targets: list[Target]
    reader: Reader
    cursors: Cursors
    huge_target: int | None
    """Backlinks from which a target is not answered."""

    @property
    def target(self) -> Target:
        """The target of a command that takes one."""
        return self.targets[0]

    def is_huge(self) -> bool:
        """Whether the target has too many backlinks to be listed."""
        if self.huge_target is None:
            return False
        return self.reader.metrics(self.target).backlinks >= self.huge_target


@dataclass(frozen=True, slots=True)
class Command(Generic[Request]):
    """One command of the API."""

    name: str
    summary: str
    request: type[Request]
    answer: type[Struct]
    run: Callable[[Call[Request]], Struct]
    methods: tuple[Method, ...] = ("GET", "POST")
    bulk: bool = False
    """Whether one answer may take a second: such requests wait for each other."""

    @property
    def has_mode(self) -> bool:
        """Whether the target is read in a mode that the request gives; as a URL if not."""
        return "mode" in self.request.__struct_fields__

    @property
    def can_be_huge(self) -> bool:
        """Whether it may be answered with status 244."""
        return "message" in self.answer.__struct_fields__


def get_metrics(call: Call[MetricsRequest]) -> MetricsAnswer:
    """Counts of live backlinks of each target."""
    metrics = [call.reader.metrics(target) for target in call.targets]
    return MetricsAnswer(list(map(TargetMetrics.of, call.texts, metrics)))


def get_inlink_rank(call: Call[RanksRequest]) -> RanksAnswer:
    """InLink Rank and Domain InLink Rank of each URL."""
    ranks = [call.reader.ranks(target) for target in call.targets]
    return RanksAnswer(list(map(PageRanks.of, call.texts, ranks)))


def get_backlinks(call: Call[BacklinksRequest]) -> BacklinksAnswer:
    """The first live backlinks of a target in the order asked for."""
    if call.is_huge():
        return BacklinksAnswer([], message=HUGE_TARGET)
    request = call.request
    per_domain = None if request.per_domain is UNSET else request.per_domain
    return BacklinksAnswer(
        call.reader.backlinks(call.target, request.order_by, request.limit, per_domain)
    )


def get_refdomains(call: Call[RefdomainsRequest]) -> RefdomainsAnswer:
    """The first referring domains of a target in the order asked for."""
    if call.is_huge():
        return RefdomainsAnswer([], message=HUGE_TARGET)
    request = call.request
    return RefdomainsAnswer(call.reader.refdomains(call.target, request.order_by, request.limit))


def get_raw_backlinks(call: Call[RawBacklinksRequest]) -> RawBacklinksAnswer:
    """One page of all live backlinks of a target."""
    after = None
    if call.request.next is not UNSET:
        try:
            after = call.cursors.read(call.target, call.request.next)
        except CursorError as error:
            raise ApiError.invalid(
                "next",
                "next is not a cursor that was answered for this target and mode. Leave it out for"
                " the first page, then send the cursor of the page before, as it is.",
            ) from error
    if call.is_huge():
        return RawBacklinksAnswer([], message=HUGE_TARGET)
    rows, position = call.reader.raw_backlinks(call.target, call.request.limit, after)
    cursor = UNSET if position is None else call.cursors.make(call.target, position)
    return RawBacklinksAnswer(rows, next=cursor)


COMMANDS: tuple[Command[Any], ...] = (
    Command(
        "get-metrics",
        "Key statistics of targets: numbers of live backlinks, referring domains, and others.",
        MetricsRequest,
        MetricsAnswer,
        get_metrics,
    ),
    Command(
        "get-inlink-rank",
        "InLink Rank and Domain InLink Rank of URLs.",
        RanksRequest,
        RanksAnswer,
        get_inlink_rank,
    ),
    Command(
        "get-backlinks",
        "Live backlinks pointing to a target, in order.",
        BacklinksRequest,
        BacklinksAnswer,
        get_backlinks,
    ),
    Command(
        "get-refdomains",
        "Referring domains pointing to a target, in order.",
        RefdomainsRequest,
        RefdomainsAnswer,
        get_refdomains,
    ),
    Command(
        "get-raw-backlinks",
        "All live backlinks pointing to a target, page by page.",
        RawBacklinksRequest,
        RawBacklinksAnswer,
        get_raw_backlinks,
        methods=("GET",),
        bulk=True,
    ),
)
