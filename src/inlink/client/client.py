"""The client: one method for each command of the API, and the export as a whole.

In: a server's base URL and a key. Out: `Reply` and `Rows`, which send requests when they are used.
"""

# mypy: disable-error-code="overload-overlap"
# A str is also an iterable of str; the first overload that fits is the one that counts.

import datetime as dt
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import httpx

from inlink.client import export
from inlink.client.answers import Subscription, SubscriptionAnswer, Task
from inlink.client.decode import Answer
from inlink.client.errors import unexpected
from inlink.client.lazy import Reply, Rows, Wires
from inlink.client.server import Server
from inlink.client.wire import Blocking, Waiting, Wire
from inlink.contract.answers import (
    AnchorsAnswer,
    BacklinksAnswer,
    BacklinksCountAnswer,
    DomainRank,
    DomainRanksAnswer,
    EvidenceAnswer,
    IpsAnswer,
    IpsCountAnswer,
    MetricsAnswer,
    NewLostBacklinksAnswer,
    NewLostBacklinksCountAnswer,
    NewLostRefdomainsAnswer,
    NewLostRefdomainsCountAnswer,
    PageRank,
    PageRanks,
    PageRanksAnswer,
    PagesAnswer,
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
from inlink.contract.proof import Check
from inlink.contract.requests import MAX_TARGETS
from inlink.contract.rows import (
    Anchor,
    Backlink,
    DayCount,
    LinkedPage,
    NewLostBacklink,
    NewLostRefdomain,
    Refdomain,
    ReferringIp,
)
from inlink.contract.vocabulary import (
    AnchorType,
    BacklinkOrder,
    CountOrder,
    Follow,
    LinkType,
    Mode,
    NewLostDomainOrder,
    NewLostOrder,
    NewLostType,
)

T = TypeVar("T")


class Client:
    """A client of a server of the Backlinks API v1.0; for plain code and for coroutines.

    *base_url* is the part of the URL before ``/backlinks/v1.0/``. A request is sent at most
    *attempts* times, and takes about *timeout* seconds at most, including the pauses. Several
    threads may use a client, but coroutines only on one event loop.

    The methods are named after the commands. They raise nothing themselves; using what they return
    raises a `ClientError` if the request fails. A target is a domain, host or URL, with or without
    a scheme; *mode* says how to read it: "domain" (with every name below it), "host" (exactly this
    one) or "url". Methods that take several targets return one struct for one string. For an
    iterable of any length they return one struct for each target, in order, and send a hundred
    targets per request.

    Raises:
        ValueError: *base_url* is not an http or https URL.
    """

    def __init__(
        self, base_url: str, apikey: str, *, attempts: int = 5, timeout: float = 120.0
    ) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"{base_url!r} is not a base URL such as https://api.example.com:8080")
        self._server = Server(url, apikey, attempts, timeout)
        context = httpx.create_ssl_context()
        self._wires = Wires(
            Blocking(httpx.Client(verify=context)), Waiting(httpx.AsyncClient(verify=context))
        )

    def close(self) -> None:
        """Close the connections of plain code; the end of a ``with`` block does this for you."""
        self._wires.blocking.client.close()

    async def aclose(self) -> None:
        """Close all connections; the end of an ``async with`` block does this for you."""
        self.close()
        await self._wires.waiting.client.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @overload
    def metrics(self, target: str, *, mode: Mode = "host") -> Reply[TargetMetrics]: ...
    @overload
    def metrics(self, target: Iterable[str], *, mode: Mode = "host") -> Rows[TargetMetrics]: ...
    def metrics(
        self, target: str | Iterable[str], *, mode: Mode = "host"
    ) -> Reply[TargetMetrics] | Rows[TargetMetrics]:
        """Counts of live backlinks, referring domains, IPs and others (get-metrics)."""
        return self._each("get-metrics", MetricsAnswer, lambda a: a.metrics, target, mode=mode)

    @overload
    def summary(self, target: str, *, mode: Mode = "host") -> Reply[TargetSummary]: ...
    @overload
    def summary(self, target: Iterable[str], *, mode: Mode = "host") -> Rows[TargetSummary]: ...
    def summary(
        self, target: str | Iterable[str], *, mode: Mode = "host"
    ) -> Reply[TargetSummary] | Rows[TargetSummary]:
        """All counts, with the first entries of each list (get-summary)."""
        return self._each("get-summary", SummaryAnswer, lambda a: a.summary, target, mode=mode)

    @overload
    def backlinks_count(self, target: str, *, mode: Mode = "host") -> Reply[TargetBacklinks]: ...
    @overload
    def backlinks_count(
        self, target: Iterable[str], *, mode: Mode = "host"
    ) -> Rows[TargetBacklinks]: ...
    def backlinks_count(
        self, target: str | Iterable[str], *, mode: Mode = "host"
    ) -> Reply[TargetBacklinks] | Rows[TargetBacklinks]:
        """Number of live backlinks (get-backlinks-count)."""
        return self._each(
            "get-backlinks-count", BacklinksCountAnswer, lambda a: a.metrics, target, mode=mode
        )

    @overload
    def refdomains_count(self, target: str, *, mode: Mode = "host") -> Reply[TargetRefdomains]: ...
    @overload
    def refdomains_count(
        self, target: Iterable[str], *, mode: Mode = "host"
    ) -> Rows[TargetRefdomains]: ...
    def refdomains_count(
        self, target: str | Iterable[str], *, mode: Mode = "host"
    ) -> Reply[TargetRefdomains] | Rows[TargetRefdomains]:
        """Number of referring domains (get-refdomains-count)."""
        return self._each(
            "get-refdomains-count", RefdomainsCountAnswer, lambda a: a.metrics, target, mode=mode
        )

    @overload
    def subnets_count(self, target: str, *, mode: Mode = "host") -> Reply[TargetSubnets]: ...
    @overload
    def subnets_count(
        self, target: Iterable[str], *, mode: Mode = "host"
    ) -> Rows[TargetSubnets]: ...
    def subnets_count(
        self, target: str | Iterable[str], *, mode: Mode = "host"
    ) -> Reply[TargetSubnets] | Rows[TargetSubnets]:
        """Number of subnets that backlinks come from (get-subnets-count)."""
        return self._each(
            "get-subnets-count", SubnetsCountAnswer, lambda a: a.metrics, target, mode=mode
        )

    @overload
    def ips_count(self, target: str, *, mode: Mode = "host") -> Reply[TargetIps]: ...
    @overload
    def ips_count(self, target: Iterable[str], *, mode: Mode = "host") -> Rows[TargetIps]: ...
    def ips_count(
        self, target: str | Iterable[str], *, mode: Mode = "host"
    ) -> Reply[TargetIps] | Rows[TargetIps]:
        """Number of IP addresses that backlinks come from (get-ips-count)."""
        return self._each("get-ips-count", IpsCountAnswer, lambda a: a.metrics, target, mode=mode)

    @overload
    def inlink_rank(self, target: str) -> Reply[PageRanks]: ...
    @overload
    def inlink_rank(self, target: Iterable[str]) -> Rows[PageRanks]: ...
    def inlink_rank(self, target: str | Iterable[str]) -> Reply[PageRanks] | Rows[PageRanks]:
        """InLink Rank of a URL and of its domain, 0 to 100, or -1 (get-inlink-rank)."""
        return self._each("get-inlink-rank", RanksAnswer, lambda a: a.pages, target)

    @overload
    def page_inlink_rank(self, target: str) -> Reply[PageRank]: ...
    @overload
    def page_inlink_rank(self, target: Iterable[str]) -> Rows[PageRank]: ...
    def page_inlink_rank(self, target: str | Iterable[str]) -> Reply[PageRank] | Rows[PageRank]:
        """InLink Rank of a URL, 0 to 100, or -1 (get-page-inlink-rank)."""
        return self._each("get-page-inlink-rank", PageRanksAnswer, lambda a: a.pages, target)

    @overload
    def domain_inlink_rank(self, target: str) -> Reply[DomainRank]: ...
    @overload
    def domain_inlink_rank(self, target: Iterable[str]) -> Rows[DomainRank]: ...
    def domain_inlink_rank(
        self, target: str | Iterable[str]
    ) -> Reply[DomainRank] | Rows[DomainRank]:
        """InLink Rank of the domain of a URL, 0 to 100, or -1 (get-domain-inlink-rank)."""
        return self._each("get-domain-inlink-rank", DomainRanksAnswer, lambda a: a.pages, target)

    def backlinks(
        self,
        target: str,
        *,
        mode: Mode = "host",
        limit: int = 100,
        order_by: BacklinkOrder = "date_found",
        per_domain: int | None = None,
    ) -> Rows[Backlink]:
        """The first *limit* (to 10,000) live backlinks, in order (get-backlinks).

        *per_domain* (to 100) is how many are listed of each referring domain; None lists all.
        """
        return self._rows(
            "get-backlinks",
            BacklinksAnswer,
            lambda a: a.backlinks,
            target=target,
            mode=mode,
            limit=limit,
            order_by=order_by,
            per_domain=per_domain,
        )

    def refdomains(
        self,
        target: str,
        *,
        mode: Mode = "host",
        limit: int = 100,
        order_by: BacklinkOrder = "date_found",
    ) -> Rows[Refdomain]:
        """The first *limit* (to 10,000) referring domains, in order (get-refdomains)."""
        return self._rows(
            "get-refdomains",
            RefdomainsAnswer,
            lambda a: a.refdomains,
            target=target,
            mode=mode,
            limit=limit,
            order_by=order_by,
        )

    def raw_backlinks(
        self, target: str, *, mode: Mode = "host", page_size: int = 10_000
    ) -> Rows[Backlink]:
        """All live backlinks, in no special order (get-raw-backlinks).

        *page_size* (to 100,000) is how many one request returns; the next page is requested when
        the loop gets there.
        """

        async def pages(wire: Wire) -> AsyncGenerator[list[Backlink], None]:
            following: str | None = None
            while True:
                parameters = {"target": target, "mode": mode, "limit": page_size, "next": following}
                page = await self._server.get(
                    wire, "get-raw-backlinks", RawBacklinksAnswer, parameters
                )
                yield page.backlinks
                if not page.next:
                    return
                following = page.next

        return Rows(self._wires, pages)

    def new_lost_backlinks(
        self,
        target: str,
        *,
        mode: Mode = "host",
        new_lost_type: NewLostType | None = None,
        date_from: dt.date | None = None,
        date_to: dt.date | None = None,
        link_type: LinkType | None = None,
        anchor_type: AnchorType | None = None,
        dofollow: Follow | None = None,
        url_from: str | None = None,
        order_by: NewLostOrder = "new_lost_date",
        limit: int = 1000,
    ) -> Rows[NewLostBacklink]:
        """The first *limit* (to 10,000) backlinks found or lost (get-new-lost-backlinks).

        Days are inclusive and in UTC; by default, from yesterday to today. *url_from* keeps only
        links from that domain. Any other filter that is None keeps all.
        """
        return self._rows(
            "get-new-lost-backlinks",
            NewLostBacklinksAnswer,
            lambda a: a.new_lost_backlinks,
            target=target,
            mode=mode,
            new_lost_type=new_lost_type,
            date_from=date_from,
            date_to=date_to,
            link_type=link_type,
            anchor_type=anchor_type,
            dofollow=dofollow,
            url_from=url_from,
            order_by=order_by,
            limit=limit,
        )

    def new_lost_refdomains(
        self,
        target: str,
        *,
        mode: Mode = "host",
        new_lost_type: NewLostType | None = None,
        date_from: dt.date | None = None,
        date_to: dt.date | None = None,
        order_by: NewLostDomainOrder = "new_lost_date",
        limit: int = 1000,
    ) -> Rows[NewLostRefdomain]:
        """The first *limit* (to 10,000) domains that came or went (get-new-lost-refdomains).

        Days are as in `new_lost_backlinks`.
        """
        return self._rows(
            "get-new-lost-refdomains",
            NewLostRefdomainsAnswer,
            lambda a: a.new_lost_refdomains,
            target=target,
            mode=mode,
            new_lost_type=new_lost_type,
            date_from=date_from,
            date_to=date_to,
            order_by=order_by,
            limit=limit,
        )

    def new_lost_backlinks_count(
        self,
        target: str,
        *,
        mode: Mode = "host",
        new_lost_type: NewLostType | None = None,
        date_from: dt.date | None = None,
        date_to: dt.date | None = None,
        link_type: LinkType | None = None,
        anchor_type: AnchorType | None = None,
        dofollow: Follow | None = None,
        url_from: str | None = None,
    ) -> Rows[DayCount]:
        """Backlinks found and lost on each day (get-new-lost-backlinks-count).

        Days and filters are as in `new_lost_backlinks`.
        """
        return self._rows(
            "get-new-lost-backlinks-count",
            NewLostBacklinksCountAnswer,
            lambda a: a.new_lost_backlinks_count,
            target=target,
            mode=mode,
            new_lost_type=new_lost_type,
            date_from=date_from,
            date_to=date_to,
            link_type=link_type,
            anchor_type=anchor_type,
            dofollow=dofollow,
            url_from=url_from,
        )

    def new_lost_refdomains_count(
        self,
        target: str,
        *,
        mode: Mode = "host",
        new_lost_type: NewLostType | None = None,
        date_from: dt.date | None = None,
        date_to: dt.date | None = None,
    ) -> Rows[DayCount]:
        """Referring domains that came and went on each day (get-new-lost-refdomains-count).

        Days are as in `new_lost_backlinks`.
        """
        return self._rows(
            "get-new-lost-refdomains-count",
            NewLostRefdomainsCountAnswer,
            lambda a: a.new_lost_refdomains_count,
            target=target,
            mode=mode,
            new_lost_type=new_lost_type,
            date_from=date_from,
            date_to=date_to,
        )

    def anchors(
        self,
        target: str,
        *,
        mode: Mode = "host",
        limit: int = 100,
        order_by: CountOrder = "backlinks",
    ) -> Rows[Anchor]:
        """The first *limit* (to 10,000) anchor texts, the most frequent first (get-anchors)."""
        return self._rows(
            "get-anchors",
            AnchorsAnswer,
            lambda a: a.anchors,
            target=target,
            mode=mode,
            limit=limit,
            order_by=order_by,
        )

    def pages(
        self,
        target: str,
        *,
        mode: Mode = "host",
        limit: int = 100,
        order_by: CountOrder = "backlinks",
    ) -> Rows[LinkedPage]:
        """The first *limit* (to 10,000) URLs of the target, the most linked first (get-pages)."""
        return self._rows(
            "get-pages",
            PagesAnswer,
            lambda a: a.pages,
            target=target,
            mode=mode,
            limit=limit,
            order_by=order_by,
        )

    def ips(
        self,
        target: str,
        *,
        mode: Mode = "host",
        limit: int = 100,
        order_by: CountOrder = "backlinks",
    ) -> Rows[ReferringIp]:
        """The first *limit* (to 10,000) IP addresses that link, most links first (get-ips)."""
        return self._rows(
            "get-ips",
            IpsAnswer,
            lambda a: a.ips,
            target=target,
            mode=mode,
            limit=limit,
            order_by=order_by,
        )

    def evidence(self, url_from: str, url_to: str) -> Reply[EvidenceAnswer]:
        """The proof of a backlink: the record, and the link's place in the page (/v2/evidence).

        Only Inlink servers have this and the other requests about one link. A URL without a scheme
        stands for http and https.
        """
        return self._proof("evidence", EvidenceAnswer, url_from, url_to)

    def evidence_record(self, url_from: str, url_to: str) -> Reply[bytes]:
        """That record itself, as uncompressed WARC (/v2/evidence/record)."""

        async def ask(wire: Wire) -> bytes:
            return await self._server.record(wire, {"url_from": url_from, "url_to": url_to})

        return Reply(self._wires, ask)

    def verify(self, url_from: str, url_to: str) -> Reply[Check]:
        """Whether a backlink is there now, checked by fetching its page (/v2/verify).

        The key must be allowed to do this. A check may take a minute.
        """
        return self._proof("verify", Check, url_from, url_to)

    def subscription_info(self) -> Reply[Subscription]:
        """What the key may still request (get-subscription-info)."""
        return self._reply(
            "get-subscription-info", SubscriptionAnswer, lambda a: a.subscription_info
        )

    def download_all_backlinks(self, target: str, *, mode: Mode = "host") -> Reply[Task]:
        """Start an export (download-all-backlinks); `export` does this and everything after it."""
        return self._reply(
            "download-all-backlinks", Task, lambda task: task, target=target, mode=mode
        )

    def download_all_backlinks_status(self, task_id: str) -> Reply[Task]:
        """The status of an export (download-all-backlinks-status)."""
        return self._reply(
            "download-all-backlinks-status", Task, lambda task: task, task_id=task_id
        )

    def export(self, target: str, *, mode: Mode = "host") -> Rows[Backlink]:
        """All live backlinks, from a file that the server writes.

        Each loop starts an export, waits for it, and reads the file as it arrives. An interrupted
        download continues where it stopped.

        Raises:
            ExportError: in the loop: the key has another running export.
        """

        async def pages(wire: Wire) -> AsyncGenerator[list[Backlink], None]:
            task_id = await export.start(self._server, wire, target, mode)
            async with aclosing(export.read(self._server, wire, task_id)) as read:
                async for rows in read:
                    yield rows

        return Rows(self._wires, pages)

    def exported(self, task_id: str) -> Rows[Backlink]:
        """The rows of an export that was started earlier; reading them again costs no units.

        Raises:
            ExportError: in the loop: there is no such export, or no longer.
        """
        return Rows(self._wires, lambda wire: export.read(self._server, wire, task_id))

    def _reply(
        self, command: str, answer: type[Answer], pick: Callable[[Answer], T], **parameters: Any
    ) -> Reply[T]:
        async def ask(wire: Wire) -> T:
            return pick(await self._server.get(wire, command, answer, parameters))

        return Reply(self._wires, ask)

    def _proof(self, path: str, answer: type[Answer], url_from: str, url_to: str) -> Reply[Answer]:
        async def ask(wire: Wire) -> Answer:
            parameters = {"url_from": url_from, "url_to": url_to}
            return await self._server.proof(wire, path, answer, parameters)

        return Reply(self._wires, ask)

    def _rows(
        self,
        command: str,
        answer: type[Answer],
        pick: Callable[[Answer], list[T]],
        **parameters: Any,
    ) -> Rows[T]:
        async def pages(wire: Wire) -> AsyncGenerator[list[T], None]:
            yield pick(await self._server.get(wire, command, answer, parameters))

        return Rows(self._wires, pages)

    def _each(
        self,
        command: str,
        answer: type[Answer],
        pick: Callable[[Answer], list[T]],
        target: str | Iterable[str],
        **parameters: Any,
    ) -> Reply[T] | Rows[T]:
        def only(answered: Answer) -> T:
            rows = pick(answered)
            if len(rows) != 1:
                raise unexpected(command, f"{len(rows)} rows for one target")
            return rows[0]

        if isinstance(target, str):
            return self._reply(command, answer, only, target=target, **parameters)

        async def pages(wire: Wire) -> AsyncGenerator[list[T], None]:
            for batch in _batches(target):
                sent = {"target": batch, **parameters}
                yield pick(await self._server.post(wire, command, answer, sent))

        return Rows(self._wires, pages)


def _batches(targets: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(targets)
    while batch := list(islice(rest, MAX_TARGETS)):
        yield batch
