"""The HTTP server of a peer: Starlette and uvicorn, as Inlink's is, and msgspec.

    python -m bench.peers.server (sqlite|postgresql|duck|clickhouse|constant) [PLACE]

Prints its address and a key when it takes connections. Paths and parameters are Inlink's. Answers
in the event loop, which takes the least time, and before it has answered finds the key and commits
the charge by Inlink's own code: what differs is where the rows are. ``constant`` answers every
request with the same short document, for anybody: what the framework takes for itself.
"""

import datetime as dt
import functools
import importlib
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

import msgspec
import uvicorn
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.peers.database import Database, Values
from bench.peers.sql import Order
from inlink.accounts.cache import KeyCache
from inlink.accounts.database import connect
from inlink.accounts.keys import Keys
from inlink.accounts.ledger import Charge, Ledger
from inlink.accounts.turns import Turns
from inlink.api.commands import GET
from inlink.api.routing import Endpoint, Endpoints
from inlink.contract import answers
from inlink.contract.paths import PREFIX
from inlink.contract.vocabulary import Mode
from inlink.index.days import Span
from inlink.urls.canonical import text_id
from inlink.urls.describe import describe

Query = dict[str, str]
Answer = Callable[[Database, Query], msgspec.Struct]

CONSTANT = msgspec.json.encode(
    answers.MetricsAnswer([answers.TargetMetrics("example.com", 1, 2, 3, 4, 5, 6, 7, 8)])
)


@functools.lru_cache(4096)
def numbers(target: str, mode: Mode) -> Values:
    """The numbers that a target is kept by."""
    url = describe(target if mode == "url" else f"https://{target}/")
    return {
        "domain": text_id(target) if mode == "domain" else url.domain_id,
        "host": text_id(url.host),
        "url": url.url_id,
    }


def _asked(query: Query) -> tuple[Mode, Values]:
    mode = cast("Mode", query.get("mode", "url"))
    return mode, numbers(query["target"], mode)


def _span(query: Query) -> Span:
    return Span(*(dt.date.fromisoformat(query[name]) for name in ("date_from", "date_to")))


def _order(query: Query) -> Order:
    return cast("Order", query["order_by"])


def _metrics(database: Database, query: Query) -> msgspec.Struct:
    metrics = database.metrics(*_asked(query))
    return answers.MetricsAnswer([answers.TargetMetrics.of(query["target"], metrics)])


def _ranks(database: Database, query: Query) -> msgspec.Struct:
    ranks = database.ranks(_asked(query)[1])
    return answers.RanksAnswer([answers.PageRanks.of(query["target"], ranks)])


def _backlinks(database: Database, query: Query) -> msgspec.Struct:
    per_host = int(query["per_domain"]) if "per_domain" in query else None
    rows = database.backlinks(*_asked(query), _order(query), int(query["limit"]), per_host)
    return answers.BacklinksAnswer(rows)


def _refdomains(database: Database, query: Query) -> msgspec.Struct:
    rows = database.refdomains(*_asked(query), _order(query), int(query["limit"]))
    return answers.RefdomainsAnswer(rows)


def _new_lost_backlinks(database: Database, query: Query) -> msgspec.Struct:
    rows = database.new_lost_backlinks(*_asked(query), _span(query), int(query["limit"]))
    return answers.NewLostBacklinksAnswer(rows)


def _new_lost_refdomains(database: Database, query: Query) -> msgspec.Struct:
    rows = database.new_lost_refdomains(*_asked(query), _span(query), int(query["limit"]))
    return answers.NewLostRefdomainsAnswer(rows)


def _backlinks_by_day(database: Database, query: Query) -> msgspec.Struct:
    rows = database.new_lost_backlinks_count(*_asked(query), _span(query))
    return answers.NewLostBacklinksCountAnswer(rows)


def _refdomains_by_day(database: Database, query: Query) -> msgspec.Struct:
    rows = database.new_lost_refdomains_count(*_asked(query), _span(query))
    return answers.NewLostRefdomainsCountAnswer(rows)


def _page(database: Database, query: Query) -> msgspec.Struct:
    after = int(query.get("next", "-1"))
    rows, following = database.page(*_asked(query), after, int(query["limit"]))
    cursor = msgspec.UNSET if following is None else str(following)
    return answers.RawBacklinksAnswer(rows, next=cursor)


COMMANDS: dict[str, Answer] = {
    "get-metrics": _metrics,
    "get-inlink-rank": _ranks,
    "get-backlinks": _backlinks,
    "get-refdomains": _refdomains,
    "get-new-lost-backlinks": _new_lost_backlinks,
    "get-new-lost-refdomains": _new_lost_refdomains,
    "get-new-lost-backlinks-count": _backlinks_by_day,
    "get-new-lost-refdomains-count": _refdomains_by_day,
    "get-raw-backlinks": _page,
}


def endpoint(command: str, answer: Callable[[Query], Awaitable[bytes]]) -> Endpoint:
    """The endpoint of a command, of the same kind as Inlink's."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        body = await answer(dict(parse_qsl(scope["query_string"].decode())))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return Endpoint(f"{PREFIX}/{command}", GET, respond)


def application(endpoints: Iterable[Endpoint]) -> ASGIApp:
    """The application that answers at *endpoints*, in the same layers as Inlink's."""
    return ExceptionMiddleware(Router([Endpoints(endpoints)]))


@dataclass
class Peer:
    """A database and accounts to charge."""

    database: Database
    keys: KeyCache
    turns: Turns

    async def answer(self, command: str, made: Answer, query: Query) -> bytes:
        """Answer, and charge the key for it."""
        key = self.keys.remembered(query["apikey"]) or self.keys.find(query["apikey"])
        assert key is not None, "there is no such key"
        body = msgspec.json.encode(made(self.database, query))
        assert await self.turns.charge(Charge(key.id, command, 1))
        return body


def peer(kind: str, place: str, accounts: Path) -> tuple[ASGIApp, str]:
    """The application of the peer whose module is called *kind*, and a key for it."""
    engine = connect(accounts)
    keys = Keys(engine)
    database: Database = importlib.import_module(f"bench.peers.{kind}").PEER(place)
    own = Peer(database, KeyCache(keys), Turns(Ledger(engine)))
    endpoints = (
        endpoint(command, functools.partial(own.answer, command, made))
        for command, made in COMMANDS.items()
    )
    return application(endpoints), keys.create("bench")


def constant() -> ASGIApp:
    """The application that always answers the same."""

    async def answer(_: Query) -> bytes:
        return CONSTANT

    return application(endpoint(command, answer) for command in COMMANDS)


def main() -> None:
    """Serve until SIGTERM."""
    kind, *place = sys.argv[1:]
    with (
        tempfile.TemporaryDirectory(prefix="bench-accounts-") as directory,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        app, key = constant(), "none"
        if kind != "constant":
            app, key = peer(kind, place[0], Path(directory) / "accounts.sqlite")
        print(f"Serving at http://127.0.0.1:{listener.getsockname()[1]} {key}", flush=True)
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
