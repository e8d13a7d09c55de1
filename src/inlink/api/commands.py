"""The commands: what each is called, takes, gives, costs, and where it is answered.

`COMMANDS` are those of the Backlinks API v1.0, `SUCCESSOR` the paths of the same vendor's later API
upon the same functions, `PROOF` Inlink's own. Routing, validation, prices and the OpenAPI
description are made from these tables. Adding a command is a request struct, an answer struct, a
function and a row.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from msgspec import Struct

from inlink.api import days, live, proof, tasks
from inlink.contract import answers, requests
from inlink.contract.paths import PREFIX, PROOF_PREFIX, SUCCESSOR_PREFIX
from inlink.contract.proof import Check
from inlink.exports import queue
from inlink.index.effort import Reads

Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command at one path."""

    name: str
    """Under which it is priced and counted; the same on both faces."""
    summary: str
    request: type[Struct]
    answer: type[Struct]
    run: Callable[[Any], Struct]
    """Takes a `Call` if the command has a target, else an `AccountCall`."""
    units: int
    """Price of a row of the answer, or of a request."""
    per_request: bool = False
    methods: tuple[Method, ...] = ("GET", "POST")
    bulk: bool = False
    """Whether one answer may take a second: such requests wait for each other."""
    reads: Callable[[Any], Reads] = lambda _: Reads.MUCH
    """What a request makes the index read; the index decides whether that is quick."""
    successor_path: str | None = None
    """Path beneath the successor's prefix; None for v1.0, where the name is the path."""
    proof_path: str | None = None
    """Path beneath the prefix of the commands about one link."""
    fetches: bool = False
    """Whether an answer waits for a page of the web: such requests wait for each other."""
    refusals: tuple[int, ...] = ()
    """Errors that only this command may be answered with."""

    @property
    def path(self) -> str:
        """Where it is answered."""
        if self.proof_path is not None:
            return f"{PROOF_PREFIX}/{self.proof_path}"
        if self.successor_path is not None:
            return f"{SUCCESSOR_PREFIX}/{self.successor_path}"
        return f"{PREFIX}/{self.name}"

    @property
    def has_target(self) -> bool:
        """Whether it asks the index."""
        return self.has_link or "target" in self.request.__struct_fields__

    @property
    def has_link(self) -> bool:
        """Whether it asks about one link, from a page to a URL."""
        return self.proof_path is not None

    @property
    def has_mode(self) -> bool:
        """Whether the target is read in a mode that the request gives; as a URL if not."""
        return "mode" in self.request.__struct_fields__

    @property
    def can_be_huge(self) -> bool:
        """Whether it may be answered with status 244."""
        return "message" in self.answer.__struct_fields__

    def rows(self, answer: Struct) -> int:
        """How many rows an answer of this command has."""
        listed = getattr(answer, self.answer.__struct_fields__[0])
        return len(listed) if isinstance(listed, list) else 0


GET: tuple[Method, ...] = ("GET",)


def _counts(_: Struct) -> Reads:
    return Reads.COUNTS


def _links(_: Struct) -> Reads:
    return Reads.LINKS


def _texts(_: Struct) -> Reads:
    return Reads.TEXTS


METRICS = Command(
    "get-metrics",
    "Key statistics of targets: numbers of live backlinks, referring domains, and others.",
    requests.MetricsRequest,
    answers.MetricsAnswer,
    live.get_metrics,
    units=30,
    reads=_counts,
)
INLINK_RANK = Command(
    "get-inlink-rank",
    "InLink Rank and Domain InLink Rank of URLs.",
    requests.RanksRequest,
    answers.RanksAnswer,
    live.get_inlink_rank,
    units=30,
    reads=_counts,
)
BACKLINKS = Command(
    "get-backlinks",
    "Live backlinks pointing to a target, in order.",
    requests.BacklinksRequest,
    answers.BacklinksAnswer,
    live.get_backlinks,
    units=1,
    reads=live.backlinks_read,
)
REFDOMAINS = Command(
    "get-refdomains",
    "Referring domains pointing to a target, in order.",
    requests.RefdomainsRequest,
    answers.RefdomainsAnswer,
    live.get_refdomains,
    units=1,
    reads=lambda _: Reads.KEPT,
)
EXPORT = Command(
    queue.COMMAND,
    "Start an export of all live backlinks pointing to a target.",
    requests.ExportRequest,
    answers.TaskAnswer,
    tasks.download_all_backlinks,
    units=queue.UNITS,  # taken by the task, not by the request
    methods=GET,
)
EXPORT_STATUS = Command(
    "download-all-backlinks-status",
    "Status of a task of download-all-backlinks, and the URL of its file.",
    requests.ExportStatusRequest,
    answers.TaskAnswer,
    tasks.download_all_backlinks_status,
    units=0,
    methods=GET,
)
RAW_BACKLINKS = Command(
    "get-raw-backlinks",
    "All live backlinks pointing to a target, page by page.",
    requests.RawBacklinksRequest,
    answers.RawBacklinksAnswer,
    live.get_raw_backlinks,
    units=1,
    methods=GET,
    bulk=True,
)
NEW_LOST_BACKLINKS = Command(
    "get-new-lost-backlinks",
    "Backlinks that were found or lost in a span of days.",
    requests.NewLostBacklinksRequest,
    answers.NewLostBacklinksAnswer,
    days.get_new_lost_backlinks,
    units=1,
    reads=days.rows_read,
)
NEW_LOST_REFDOMAINS = Command(
    "get-new-lost-refdomains",
    "Referring domains that were found or lost in a span of days.",
    requests.NewLostRefdomainsRequest,
    answers.NewLostRefdomainsAnswer,
    days.get_new_lost_refdomains,
    units=1,
    reads=days.rows_read,
)
NEW_LOST_BACKLINKS_COUNT = Command(
    "get-new-lost-backlinks-count",
    "Numbers of backlinks that were found and lost on each day.",
    requests.LinkDaysRequest,
    answers.NewLostBacklinksCountAnswer,
    days.get_new_lost_backlinks_count,
    units=30,
    per_request=True,
    reads=days.counts_read,
)
NEW_LOST_REFDOMAINS_COUNT = Command(
    "get-new-lost-refdomains-count",
    "Numbers of referring domains that were found and lost on each day.",
    requests.DaysRequest,
    answers.NewLostRefdomainsCountAnswer,
    days.get_new_lost_refdomains_count,
    units=30,
    per_request=True,
    reads=days.counts_read,
)
SUMMARY = Command(
    "get-summary",
    "All counts of targets, with the first entries of each list.",
    requests.MetricsRequest,
    answers.SummaryAnswer,
    live.get_summary,
    units=60,
)
ANCHORS = Command(
    "get-anchors",
    "Anchor texts of the backlinks pointing to a target.",
    requests.CountedListRequest,
    answers.AnchorsAnswer,
    live.get_anchors,
    units=1,
    reads=_links,
)
PAGES = Command(
    "get-pages",
    "URLs of a target that backlinks point to.",
    requests.CountedListRequest,
    answers.PagesAnswer,
    live.get_pages,
    units=1,
    reads=_links,
)
IPS = Command(
    "get-ips",
    "IP addresses that backlinks to a target come from.",
    requests.CountedListRequest,
    answers.IpsAnswer,
    live.get_ips,
    units=1,
    reads=_links,
)
BACKLINKS_COUNT = Command(
    "get-backlinks-count",
    "Numbers of live backlinks of targets.",
    requests.MetricsRequest,
    answers.BacklinksCountAnswer,
    live.get_backlinks_count,
    units=10,
    reads=_counts,
)
REFDOMAINS_COUNT = Command(
    "get-refdomains-count",
    "Numbers of referring domains of targets.",
    requests.MetricsRequest,
    answers.RefdomainsCountAnswer,
    live.get_refdomains_count,
    units=10,
    reads=_counts,
)
SUBNETS_COUNT = Command(
    "get-subnets-count",
    "Numbers of subnets that link to targets.",
    requests.MetricsRequest,
    answers.SubnetsCountAnswer,
    live.get_subnets_count,
    units=10,
    reads=_counts,
)
IPS_COUNT = Command(
    "get-ips-count",
    "Numbers of IP addresses that link to targets.",
    requests.MetricsRequest,
    answers.IpsCountAnswer,
    live.get_ips_count,
    units=10,
    reads=_counts,
)
PAGE_INLINK_RANK = Command(
    "get-page-inlink-rank",
    "InLink Rank of URLs.",
    requests.RanksRequest,
    answers.PageRanksAnswer,
    live.get_page_inlink_rank,
    units=10,
    reads=_counts,
)
DOMAIN_INLINK_RANK = Command(
    "get-domain-inlink-rank",
    "Domain InLink Rank of URLs.",
    requests.RanksRequest,
    answers.DomainRanksAnswer,
    live.get_domain_inlink_rank,
    units=10,
    reads=_counts,
)
SUBSCRIPTION_INFO = Command(
    "get-subscription-info",
    "Status, units and expiry date of the key.",
    requests.SubscriptionRequest,
    answers.SubscriptionAnswer,
    tasks.get_subscription_info,
    units=0,
    methods=GET,
)

COMMANDS = (
    METRICS,
    INLINK_RANK,
    BACKLINKS,
    REFDOMAINS,
    EXPORT,
    EXPORT_STATUS,
    RAW_BACKLINKS,
    NEW_LOST_BACKLINKS,
    NEW_LOST_REFDOMAINS,
    NEW_LOST_BACKLINKS_COUNT,
    NEW_LOST_REFDOMAINS_COUNT,
    SUMMARY,
    ANCHORS,
    PAGES,
    IPS,
    BACKLINKS_COUNT,
    REFDOMAINS_COUNT,
    SUBNETS_COUNT,
    IPS_COUNT,
    PAGE_INLINK_RANK,
    DOMAIN_INLINK_RANK,
    SUBSCRIPTION_INFO,
)


def _also_at(path: str, command: Command, request: type[Struct] | None = None) -> Command:
    """*command* at a path of the successor, where *request* may have filters."""
    if request is None:
        return replace(command, successor_path=path)
    return replace(
        command,
        successor_path=path,
        request=request,
        reads=_texts,
    )


SUCCESSOR = (
    _also_at("summary", SUMMARY),
    _also_at("metrics", METRICS),
    _also_at("all", BACKLINKS, requests.FilteredBacklinksRequest),
    _also_at("raw", RAW_BACKLINKS),
    _also_at("count", BACKLINKS_COUNT),
    _also_at("anchors", ANCHORS),
    _also_at("indexed-pages", PAGES),
    _also_at("refdomains", REFDOMAINS),
    _also_at("refdomains/count", REFDOMAINS_COUNT),
    _also_at("refdomains/history", NEW_LOST_REFDOMAINS, requests.RefdomainsHistoryRequest),
    _also_at("refdomains/history/count", NEW_LOST_REFDOMAINS_COUNT),
    _also_at("referring-ips", IPS),
    _also_at("referring-ips/count", IPS_COUNT),
    _also_at("referring-subnets/count", SUBNETS_COUNT),
    _also_at("history", NEW_LOST_BACKLINKS, requests.HistoryRequest),
    _also_at("history/count", NEW_LOST_BACKLINKS_COUNT),
    Command(
        "history-cumulative",
        "Numbers of backlinks that were live at the end of each day.",
        requests.CumulativeRequest,
        answers.CumulativeAnswer,
        days.get_cumulative,
        units=30,
        per_request=True,
        successor_path="history/cumulative",
    ),
    _also_at("export", EXPORT),
    _also_at("export/status", EXPORT_STATUS),
    _also_at("authority", INLINK_RANK),
    _also_at("authority/page", PAGE_INLINK_RANK),
    Command(
        "authority-page-history",
        "InLink Rank of a URL over time.",
        requests.RankHistoryRequest,
        answers.PageRankHistoryAnswer,
        days.get_page_rank_history,
        units=10,
        per_request=True,
        methods=GET,
        successor_path="authority/page/history",
    ),
    _also_at("authority/domain", DOMAIN_INLINK_RANK),
    Command(
        "authority-domain-history",
        "Domain InLink Rank of a URL's domain over time.",
        requests.RankHistoryRequest,
        answers.DomainRankHistoryAnswer,
        days.get_domain_rank_history,
        units=10,
        per_request=True,
        methods=GET,
        successor_path="authority/domain/history",
    ),
    Command(
        "authority-domain-distribution",
        "Numbers of referring domains of a target, by Domain InLink Rank.",
        requests.DistributionRequest,
        answers.DistributionAnswer,
        live.get_distribution,
        units=1,
        methods=GET,
        successor_path="authority/domain/distribution",
    ),
)

PROOF = (
    Command(
        "evidence",
        "The record that a backlink was read from, and the place of the link in the page.",
        requests.ProofRequest,
        answers.EvidenceAnswer,
        proof.get_evidence,
        units=1,
        per_request=True,
        methods=GET,
        proof_path="evidence",
        refusals=(404, 410),
    ),
    Command(
        "evidence-record",
        "The record itself: WARC, as it is in the crawl file, but decompressed.",
        requests.ProofRequest,
        answers.RecordFile,
        proof.get_record,
        units=1,
        per_request=True,
        methods=GET,
        proof_path="evidence/record",
        refusals=(404, 410),
    ),
    Command(
        "verify",
        "Fetch the page of a backlink now, and check whether the link is there.",
        requests.ProofRequest,
        Check,
        proof.verify,
        units=30,
        per_request=True,
        methods=GET,
        proof_path="verify",
        fetches=True,
        refusals=(404, 504),
    ),
)

ROUTES = COMMANDS + SUCCESSOR + PROOF
