"""The client, over HTTP: against a server that answers as it is told, and against Inlink's own.

Nothing of httpx is replaced. What the told server says is taken from the specification's samples;
only the pauses between attempts are recorded instead of waited for.
"""

import asyncio
import contextlib
import csv
import datetime as dt
import email.utils
import gzip
import http.server
import inspect
import io
import itertools
import json
import pickle
import re
import socket
import subprocess
import sys
import threading
import tracemalloc
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, assert_type, get_args, get_origin
from typing import get_type_hints as hints

import httpx
import msgspec
import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import fields
from packaging.requirements import Requirement

from inlink.api.commands import COMMANDS, Command
from inlink.client import Client, ClientError, ExportError, HugeTargetError, Reply, Rows
from inlink.client.csv_gz import CsvGz
from inlink.client.server import BASE, LONGEST
from inlink.client.wire import Blocking, Waiting
from inlink.contract.answers import TargetMetrics
from inlink.contract.rows import Anchor, Backlink, NewLostBacklink, Refdomain
from inlink.exports.csv_gz import write_csv_gz
from tests.serving import Row, Server, make_current, serving, write_generation

T = TypeVar("T")

KEY = "secret-key"
DOCUMENT = Path(__file__).parents[1] / "docs/client.md"

# What the specification prints under "Sample Response" of its commands.
SAMPLES = {
    "metrics": """{"metrics": [{"target": "seopowersuite.com", "backlinks": 20, "refdomains": 10,
        "subnets": 4, "ips": 8, "nofollow_backlinks": 0, "dofollow_backlinks": 20,
        "edu_backlinks": 0, "gov_backlinks": 2}]}""",
    "inlink_rank": """{"pages": [{"url": "https://www.seopowersuite.com", "inlink_rank": 63,
        "domain_inlink_rank": 68}]}""",
    "backlinks": """{"backlinks": [{
        "url_from": "https://automizy.com/blog/15-saas-marketing-tools-effective/",
        "url_to": "https://www.seopowersuite.com/",
        "title": "15+ Must-Have SaaS Marketing Tools to be more Effective",
        "anchor": "Rank Tracker", "alt": null, "nofollow": false, "image": false,
        "image_source": null, "inlink_rank": 0, "domain_inlink_rank": 67,
        "first_seen": "2019-10-18", "last_visited": "2019-10-18"}]}""",
    "refdomains": """{"refdomains": [
        {"refdomain": "frashmi.net", "backlinks": 1, "dofollow_backlinks": 1,
         "first_seen": "2018-11-05", "domain_inlink_rank": 76},
        {"refdomain": "martech.tools", "backlinks": 12, "dofollow_backlinks": 5,
         "first_seen": "2010-01-09", "domain_inlink_rank": 38}]}""",
    "new_lost_backlinks": """{"new_lost_backlinks": [{
        "new_lost_date": "2019-01-17", "new_lost_type": "lost",
        "url_from": "http://www.seopowersuite.com/", "url_to": "https://seopowersuite.com/",
        "title": "", "anchor": "", "alt": "", "link_type": "redirect", "nofollow": false,
        "image": false, "image_source": "", "reason_lost": "broken_redirect", "inlink_rank": 0,
        "domain_inlink_rank": 68, "first_seen": "2016-10-26"}]}""",
    "new_lost_refdomains": """{"new_lost_refdomains": [{
        "new_lost_date": "2019-07-17", "new_lost_type": "lost", "refdomain": "martech.tools",
        "backlinks": 12, "dofollow_backlinks": 5, "first_seen": "2016-10-26",
        "domain_inlink_rank": 68}]}""",
    "new_lost_backlinks_count": """{"new_lost_backlinks_count": [
        {"date": "2019-01-14", "new": 25, "lost": 14},
        {"date": "2019-01-15", "new": 0, "lost": 126}]}""",
    "new_lost_refdomains_count": """{"new_lost_refdomains_count": [
        {"date": "2019-01-14", "new": 12, "lost": 0}]}""",
}

TASK_ID = "CB8C36874702C69A767AC086AFD01B1B"


@dataclass(frozen=True)
class Told:
    """One answer; of its body, only the first *cut* bytes are sent before the connection ends."""

    body: str | bytes = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass(frozen=True)
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def command(self) -> str:
        return urllib.parse.urlsplit(self.path).path.removeprefix("/backlinks/v1.0/")

    @property
    def parameters(self) -> dict[str, str]:
        query = urllib.parse.urlsplit(self.path).query
        assert "+" not in query  # which some servers read as a plus sign, others as a space
        return dict(urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=True))


class ToldServer:
    """Answers as it is told, one answer after the other, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: list[Told | Callable[[Seen], Told]] = []
        self.seen: list[Seen] = []
        told = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                seen = Seen(self.command, self.path, dict(self.headers), self.rfile.read(length))
                told.seen.append(seen)
                answer = told.answers.pop(0) if told.answers else Told("nothing was told", 418)
                if not isinstance(answer, Told):
                    answer = answer(seen)
                body = answer.body.encode() if isinstance(answer.body, str) else answer.body
                if answer.status == 0:  # no answer at all
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: answer.cut])
                self.close_connection = answer.cut is not None

            do_GET = do_POST = handle_one  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients leave
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"

    def tell(self, *answers: Told | Callable[[Seen], Told] | str | bytes) -> None:
        self.answers += [Told(a) if isinstance(a, str | bytes) else a for a in answers]


@pytest.fixture
def told() -> Iterator[ToldServer]:
    server = ToldServer()
    thread = threading.Thread(target=server.httpd.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.httpd.shutdown()
    thread.join()
    server.httpd.server_close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, in seconds, which are not waited for."""
    made: list[float] = []

    async def pause(_wire: object, seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(Blocking, "pause", pause)
    monkeypatch.setattr(Waiting, "pause", pause)
    return made


@dataclass(frozen=True)
class World:
    """How a client is used: by plain code, or in coroutines."""

    is_async: bool

    def result(self, url: str, question: Callable[[Client], Any], key: str = KEY, **o: Any) -> Any:
        """The result of one question to a new client."""
        if not self.is_async:
            with Client(url, key, **o) as client:
                return question(client).result()

        async def ask() -> Any:
            async with Client(url, key, **o) as client:
                return await question(client)

        return asyncio.run(ask())

    def loop(
        self, url: str, question: Callable[[Client], Any], visit: Callable[[Any], bool]
    ) -> None:
        """Visit row after row, until *visit* says that it is enough."""
        if not self.is_async:
            with Client(url, KEY) as client:
                for row in question(client):
                    if visit(row):
                        break
            return

        async def ask() -> None:
            async with Client(url, KEY) as client:
                async for row in question(client):
                    if visit(row):
                        break

        asyncio.run(ask())


@pytest.fixture(params=["sync", "async"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param == "async")


# The methods


def method_of(command: Command) -> Callable[..., Any]:
    name = command.name.removeprefix("get-").replace("-", "_")
    return getattr(Client, name)  # type: ignore[no-any-return]


def bare(kind: Any) -> Any:
    """A type without descriptions, and without the part that says "absent"."""
    if get_origin(kind) is Annotated:
        return bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        parts = [bare(part) for part in get_args(kind) if part not in (NoneType, UnsetType)]
        return parts[0] if len(parts) == 1 else set(parts)
    return kind


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_a_method_with_its_parameters(command: Command) -> None:
    method = method_of(command)
    assert method.__doc__
    types = hints(method)
    given = {
        name: (bare(types[name]), parameter.default)
        for name, parameter in inspect.signature(method).parameters.items()
        if name != "self"
    }
    expected = {
        f.name: (bare(f.type), None if f.default is UNSET else f.default)
        for f in fields(command.request)
    }
    if "target" in given:
        given["target"] = expected["target"] = (None, None)
    if command.name == "get-raw-backlinks":
        del expected["next"]
        expected["page_size"] = expected.pop("limit")
    if command.name == "download-all-backlinks-status":
        expected["task_id"] = (str, inspect.Parameter.empty)
    assert given == expected


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_method_gives_the_rows_that_its_command_answers_with(command: Command) -> None:
    returned = hints(method_of(command))["return"]
    kinds = [returned] if get_origin(returned) in (Reply, Rows) else list(get_args(returned))
    rows = {get_args(kind)[0] for kind in kinds}
    if command.name.startswith("download-") or command.name == "get-subscription-info":
        (row,) = rows  # read less strictly, under the same names
        assert set(row.__struct_fields__) <= names_in(command.answer)
    else:
        answered = fields(command.answer)[0].type
        assert rows == set(get_args(answered))


def names_in(answer: type[msgspec.Struct]) -> set[str]:
    inner = answer.__struct_fields__
    first = fields(answer)[0].type
    return set(first.__struct_fields__ if inner == ("subscription_info",) else inner)


def questions(client: Client) -> dict[str, Reply[Any] | Rows[Any]]:
    target = "seopowersuite.com"
    return {
        "metrics": client.metrics([target]),
        "inlink_rank": client.inlink_rank([target]),
        "backlinks": client.backlinks(target),
        "refdomains": client.refdomains(target),
        "new_lost_backlinks": client.new_lost_backlinks(target),
        "new_lost_refdomains": client.new_lost_refdomains(target),
        "new_lost_backlinks_count": client.new_lost_backlinks_count(target),
        "new_lost_refdomains_count": client.new_lost_refdomains_count(target),
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_of_the_specification_are_read_whole(
    world: World, told: ToldServer, name: str
) -> None:
    told.tell(SAMPLES[name])
    rows = world.result(told.url, lambda client: questions(client)[name])
    (sample,) = json.loads(SAMPLES[name]).values()
    assert json.loads(msgspec.json.encode(rows)) == sample
    assert told.seen[0].command == f"get-{name.replace('_', '-')}"


def test_one_target_is_answered_with_one_struct(world: World, told: ToldServer) -> None:
    told.tell(SAMPLES["metrics"])
    metrics = world.result(told.url, lambda client: client.metrics("seopowersuite.com", mode="url"))
    assert metrics == TargetMetrics("seopowersuite.com", 20, 10, 4, 8, 0, 20, 0, 2)
    assert told.seen[0].method == "GET"
    assert told.seen[0].parameters == {
        "apikey": KEY,
        "output": "json",
        "target": "seopowersuite.com",
        "mode": "url",
    }


def test_parameters_arrive_as_they_are_meant(told: ToldServer) -> None:
    target = "https://example.com/a b?x=1&y=c++%41#ü"
    told.tell(SAMPLES["new_lost_backlinks"])
    with Client(f"{told.url}/behind/a%20proxy/", "a&b=ü") as client:
        client.new_lost_backlinks(
            target, date_from=dt.date(2019, 1, 14), dofollow="undefined", limit=7
        ).result()
    assert told.seen[0].path.startswith("/behind/a%20proxy/backlinks/v1.0/get-new-lost-backlinks?")
    assert told.seen[0].parameters == {
        "apikey": "a&b=ü",
        "output": "json",
        "target": target,
        "mode": "host",
        "date_from": "2019-01-14",
        "dofollow": "undefined",
        "order_by": "new_lost_date",
        "limit": "7",
    }


def ranks(seen: Seen) -> Told:
    """Ranks of all the targets of a batch: the number that each ends in."""
    assert (seen.method, seen.headers["Content-Type"]) == ("POST", "application/json")
    assert seen.parameters == {"apikey": KEY, "output": "json"}
    targets = json.loads(seen.body)["target"]
    pages = [{"url": url, "inlink_rank": int(url[1:]), "domain_inlink_rank": -1} for url in targets]
    return Told(json.dumps({"pages": pages}))


def test_batches_are_split_in_order(world: World, told: ToldServer) -> None:
    told.tell(ranks, ranks, ranks)
    targets = [f"u{number}" for number in range(250)]
    rows = world.result(told.url, lambda client: client.inlink_rank(iter(targets)))
    assert [row.inlink_rank for row in rows] == list(range(250))
    assert [len(json.loads(seen.body)["target"]) for seen in told.seen] == [100, 100, 50]


def test_batches_are_asked_for_when_the_loop_gets_there(world: World, told: ToldServer) -> None:
    told.tell(ranks, ranks)
    asked = []

    def visit(row: Any) -> bool:
        asked.append(len(told.seen))
        return bool(row.inlink_rank == 100)

    endless = (f"u{number}" for number in itertools.count())
    world.loop(told.url, lambda client: client.inlink_rank(endless), visit)
    assert asked == [1] * 100 + [2]


def test_an_empty_batch_asks_nothing(world: World, told: ToldServer) -> None:
    assert world.result(told.url, lambda client: client.metrics([])) == []
    assert told.seen == []


def raw_page(first_seen: str, cursor: str | None) -> str:
    page = json.loads(SAMPLES["backlinks"])
    page["backlinks"][0]["first_seen"] = first_seen
    return json.dumps(page if cursor is None else {**page, "next": cursor})


CURSOR = "uaputGo_eWXv/apc=+UXF %41&target=x"  # one of letters, as in the sample, and worse


def test_pages_are_followed_to_the_last(world: World, told: ToldServer) -> None:
    told.tell(raw_page("2001-01-01", CURSOR), raw_page("2002-01-01", "b"))
    told.tell(raw_page("2003-01-01", None))
    rows = world.result(
        told.url, lambda client: client.raw_backlinks("example.com", mode="domain", page_size=1)
    )
    assert [row.first_seen.year for row in rows] == [2001, 2002, 2003]
    assert [seen.parameters.get("next") for seen in told.seen] == [None, CURSOR, "b"]
    assert {seen.parameters["limit"] for seen in told.seen} == {"1"}
    assert {seen.parameters["mode"] for seen in told.seen} == {"domain"}


@pytest.mark.parametrize("cursor", ["", None])
def test_an_empty_cursor_ends_the_pages(told: ToldServer, cursor: str | None) -> None:
    page = json.loads(raw_page("2001-01-01", None))
    told.tell(json.dumps({**page, "next": cursor}))
    with Client(told.url, KEY) as client:
        assert len(client.raw_backlinks("example.com").result()) == 1


def test_pages_are_asked_for_when_the_loop_gets_there(world: World, told: ToldServer) -> None:
    told.tell(raw_page("2001-01-01", "a"), raw_page("2002-01-01", "b"))
    asked = []

    def visit(_row: Any) -> bool:
        asked.append(len(told.seen))
        return len(asked) == 2

    world.loop(told.url, lambda client: client.raw_backlinks("example.com"), visit)
    assert asked == [1, 2]


def test_nothing_is_asked_before_it_is_used(told: ToldServer) -> None:
    with Client(told.url, KEY) as client:
        client.metrics("example.com")
        client.export("example.com")
    assert told.seen == []


def test_what_a_server_writes_in_another_way_is_read_the_same(told: ToldServer) -> None:
    body = json.loads(SAMPLES["backlinks"])
    expected = body["backlinks"][0].copy()
    body["backlinks"][0] |= {
        "alt": "",
        "anchor": None,
        "inlink_rank": "0",
        "rel": ["ugc"],
    }
    body |= {"message": None, "took_ms": 3}
    told.tell(json.dumps(body))
    with Client(told.url, KEY) as client:
        (row,) = client.backlinks("example.com").result()
    assert json.loads(msgspec.json.encode(row)) == {**expected, "anchor": ""}


def test_nulls_of_lost_backlinks_are_read_as_the_sample_has_them(told: ToldServer) -> None:
    """The specification's table says that ``alt`` is null, its sample that it is an empty text."""
    sample = json.loads(SAMPLES["new_lost_backlinks"])
    other = SAMPLES["new_lost_backlinks"].replace('""', "null")
    assert json.loads(other) != sample
    told.tell(other)
    with Client(told.url, KEY) as client:
        rows = client.new_lost_backlinks("example.com").result()
    assert json.loads(msgspec.json.encode(rows)) == sample["new_lost_backlinks"]


def test_the_subscription_is_read_as_the_api_spells_it(world: World, told: ToldServer) -> None:
    told.tell(
        json.dumps(
            {
                "subscription_info": {
                    "status": "expired",
                    "start_date": "2019-01-01 00:00:00",
                    "expiraton_date": "2020-01-01 00:00:00",
                    "units_limit": 1000,
                    "units_left": -3,
                }
            }
        )
    )
    info = world.result(told.url, lambda client: client.subscription_info())
    assert (info.expiration_date, info.units_left) == ("2020-01-01 00:00:00", -3)


# Failures


def error(status: int, message: str = "Words.", description: str = "Why.", **headers: str) -> Told:
    body = {"error": {"code": status, "message": message, "description": description}}
    return Told(json.dumps({**body, "message": message}), status, headers)


def failure(world: World, told: ToldServer, **options: Any) -> ClientError:
    with pytest.raises(ClientError) as raised:
        world.result(told.url, lambda client: client.metrics("example.com"), **options)
    assert KEY not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 406, 413])
def test_what_will_not_pass_is_raised_at_once(
    world: World, told: ToldServer, pauses: list[float], status: int
) -> None:
    told.tell(error(status))
    raised = failure(world, told)
    assert (raised.status, raised.message, raised.description) == (status, "Words.", "Why.")
    assert str(raised) == f"{status} Words. Why."
    assert (len(told.seen), pauses) == (1, [])


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(
    world: World, told: ToldServer, pauses: list[float], status: int
) -> None:
    told.tell(error(status), Told("<html>busy</html>", status), SAMPLES["metrics"])
    world.result(told.url, lambda client: client.metrics("example.com"))
    assert [seen.path for seen in told.seen] == [told.seen[0].path] * 3
    assert BASE / 2 <= pauses[0] <= BASE <= pauses[1] <= 2 * BASE


def test_a_batch_is_sent_again_whole(world: World, told: ToldServer, pauses: list[float]) -> None:
    told.tell(error(503), ranks)
    world.result(told.url, lambda client: client.inlink_rank(["u1", "u2"]))
    assert told.seen[0].body == told.seen[1].body != b""
    assert len(pauses) == 1


def test_the_pauses_double_and_the_attempts_end(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    told.tell(*[error(500)] * 12)
    raised = failure(world, told, attempts=12, timeout=10_000)
    assert raised.status == 500
    assert raised.__notes__ == ["Gave up after attempt 12."]
    assert len(told.seen) == 12
    longest = [min(BASE * 2**number, LONGEST) for number in range(11)]
    assert all(most / 2 <= made <= most for made, most in zip(pauses, longest, strict=True))
    assert len(set(pauses)) == len(pauses)  # by chance


def test_retry_after_in_seconds_is_honoured(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    told.tell(error(429, **{"Retry-After": "7"}), SAMPLES["metrics"])
    world.result(told.url, lambda client: client.metrics("example.com"))
    assert pauses == [7.0]


def test_retry_after_as_a_date_is_honoured(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    date = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)
    told.tell(error(503, **{"Retry-After": email.utils.format_datetime(date, usegmt=True)}))
    told.tell(SAMPLES["metrics"])
    world.result(told.url, lambda client: client.metrics("example.com"))
    assert 0 < pauses[0] <= 60


@pytest.mark.parametrize("value", ["soon", "-5", "Thu, 01 Jan 1970 00:00:00 GMT", "nan", ""])
def test_a_retry_after_that_says_nothing_leaves_the_usual_pause(
    told: ToldServer, pauses: list[float], value: str
) -> None:
    told.tell(error(503, **{"Retry-After": value}), SAMPLES["metrics"])
    with Client(told.url, KEY) as client:
        client.metrics("example.com").result()
    assert BASE / 2 <= pauses[0] <= BASE


def test_a_pause_that_would_take_too_long_is_not_begun(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    told.tell(error(429, **{"Retry-After": "3600"}))
    raised = failure(world, told, timeout=60)
    assert (raised.status, raised.retry_after, pauses) == (429, 3600.0, [])


def test_a_broken_connection_is_tried_again(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    told.tell(Told(status=0), Told(SAMPLES["metrics"], cut=30), SAMPLES["metrics"])
    world.result(told.url, lambda client: client.metrics("example.com"))
    assert (len(told.seen), len(pauses)) == (3, 2)


def test_no_server_is_an_error_without_status(world: World, pauses: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ClientError, match="ConnectError") as raised:
            world.result(url, lambda client: client.metrics("example.com"), attempts=3)
    assert raised.value.status is None
    assert isinstance(raised.value.__cause__, httpx.ConnectError)
    assert len(pauses) == 2


def test_a_server_that_keeps_silent_is_given_up(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClientError, match="ReadTimeout") as raised:
            world.result(url, lambda client: client.metrics("example.com"), timeout=1)
    assert isinstance(raised.value.__cause__, httpx.ReadTimeout)
    assert 0 < raised.value.__cause__.request.extensions["timeout"]["read"] <= 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "<html><h1>Sign in</h1>",
            "get-metrics: text/html, which is not JSON; it begins with '<html>",
        ),
        ("", "which is not JSON"),
        (
            '{"metrics": [{"target": "a"}]}',
            "missing required field `backlinks` - at `$.metrics[0]`",
        ),
        ('{"result": []}', "missing required field `metrics`"),
        ("[]", "Expected `object`, got `array`"),
        ('{"metrics": []}', "0 rows for one target"),
        ('{"metrics": 7}', "Expected `array`, got `int`"),
    ],
)
def test_a_body_that_is_not_the_apis_is_told(
    world: World, told: ToldServer, body: str, said: str
) -> None:
    told.tell(Told(body, headers={"Content-Type": "text/html"}))
    raised = failure(world, told)
    assert raised.status == 200
    assert said in raised.description


@pytest.mark.parametrize("body", ["<html>Not found", "{}", '{"error": "no"}', "", "\xff" * 3000])
def test_an_error_in_other_words_is_an_error_all_the_same(told: ToldServer, body: str) -> None:
    told.tell(Told(body, 404))
    raised = failure(World(False), told)
    assert (raised.status, raised.message) == (404, "The requested resource could not be found.")
    assert raised.description.rstrip("…") in body
    assert len(raised.description) < 250


def test_a_redirect_is_not_followed_with_the_key(world: World, told: ToldServer) -> None:
    there = f"https://example.com/backlinks/v1.0/get-metrics?apikey={KEY}"
    told.tell(Told("", 301, {"Location": there}))
    raised = failure(world, told)
    assert raised.status == 301
    assert "redirects to https://example.com/backlinks/v1.0/get-metrics." in raised.description


def test_a_huge_target_is_an_error(world: World, told: ToldServer, pauses: list[float]) -> None:
    told.tell(Told('{"backlinks": [], "message": "Results for huge websites …"}', 244))
    with pytest.raises(HugeTargetError) as raised:
        world.result(told.url, lambda client: client.backlinks("google.com"))
    assert (raised.value.status, raised.value.message) == (244, "Results for huge websites …")
    assert (len(told.seen), pauses) == (1, [])


@pytest.mark.parametrize("url", ["", "example.com", "ftp://example.com", "https://", "/backlinks"])
def test_a_base_url_has_to_be_one(url: str) -> None:
    with pytest.raises(ValueError, match="is not a base URL such as https://"):
        Client(url, KEY)


@pytest.mark.parametrize(
    "raised",
    [
        ClientError("Words.", "Why.", 429, 3.0),
        HugeTargetError("Huge.", status=244),
        ExportError("rejected", TASK_ID),
    ],
)
def test_errors_come_back_from_other_processes(raised: ClientError) -> None:
    copy = pickle.loads(pickle.dumps(raised))
    assert type(copy) is type(raised)
    assert (str(copy), copy.__dict__) == (str(raised), raised.__dict__)


# The export


def backlink(number: int, anchor: str = "", **others: Any) -> Backlink:
    return Backlink(
        **{
            "url_from": f"https://example.com/{number}",
            "url_to": "https://example.org/",
            "title": "",
            "anchor": anchor,
            "alt": None,
            "nofollow": number % 2 == 0,
            "image": False,
            "image_source": None,
            "inlink_rank": -1,
            "domain_inlink_rank": number % 101,
            "first_seen": dt.date(2019, 1, 8),
            "last_visited": dt.date(2020, 2, 29),
            **others,
        }
    )


STRANGE = [
    "=1+1",
    "-",
    "+49",
    "@me",
    "\tx",
    "\uff1d",  # a full-width equals sign
    'a "b", c',
    "two\r\nlines",
    "ü 漢 🎈",
    "'quoted'",
]


def export_file(rows: list[Backlink]) -> bytes:
    """The file as the server writes it."""
    file = io.BytesIO()
    write_csv_gz(file, [rows])
    return file.getvalue()


def task(status: str, file: str | None = None) -> str:
    answer = {"task_status": status, "task_id": TASK_ID}
    return json.dumps(answer if file is None else {**answer, "download_file": file})


COMPLETE = task("complete", "/export/c/seopowersuite.com-1572280448369.csv.gz")


@dataclass
class File:
    """A file that is served with ranges (RFC 9110, 14), and breaks off after *cuts* bytes."""

    content: bytes
    cuts: list[int] = field(default_factory=list)
    tag: str | None = '"one"'
    ranges: bool = True

    def __call__(self, seen: Seen) -> Told:
        wanted = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("Range", ""))
        headers = {"Content-Type": "application/gzip"} | ({"ETag": self.tag} if self.tag else {})
        cut = self.cuts.pop(0) if self.cuts else None
        if not wanted or not self.ranges or seen.headers.get("If-Range", self.tag) != self.tag:
            return Told(self.content, headers=headers, cut=cut)
        first, size = int(wanted[1]), len(self.content)
        headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
        return Told(self.content[first:], 206, headers, cut)


def test_an_export_is_started_awaited_and_read(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    rows = [backlink(number, text) for number, text in enumerate(STRANGE)]
    told.tell(task("queued_for_processing"), task("queued_for_processing"), task("processing"))
    told.tell(task("processing"), COMPLETE, File(export_file(rows)))
    read = world.result(told.url, lambda client: client.export("example.com", mode="domain"))
    assert read == rows
    start, *polls, download = told.seen
    assert (start.command, start.parameters["mode"]) == ("download-all-backlinks", "domain")
    assert {seen.command for seen in polls} == {"download-all-backlinks-status"}
    assert {seen.parameters["task_id"] for seen in polls} == {TASK_ID}
    assert (download.path, KEY in str(download)) == (
        "/export/c/seopowersuite.com-1572280448369.csv.gz",
        False,
    )
    assert len(pauses) == 3
    assert pauses == sorted(set(pauses))  # growing


def test_a_download_that_breaks_off_goes_on_where_it_was(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    rows = [backlink(number, f"{number**7}") for number in range(2000)]
    content = export_file(rows)
    file = File(content, cuts=[10_000, 0, 1, 9_000])
    assert len(content) > 20_000
    told.tell(COMPLETE, file, Told(status=0), file, file, Told(status=503), file, file)
    read = world.result(told.url, lambda client: client.exported(TASK_ID))
    assert read == rows
    asked = [(seen.headers.get("Range"), seen.headers.get("If-Range")) for seen in told.seen[1:]]
    assert asked == [
        (None, None),
        ("bytes=10000-", '"one"'),
        ("bytes=10000-", '"one"'),
        ("bytes=10000-", '"one"'),
        ("bytes=10001-", '"one"'),
        ("bytes=10001-", '"one"'),
        ("bytes=19001-", '"one"'),
    ]
    assert len(pauses) == 6


def test_attempts_are_counted_from_the_last_piece(told: ToldServer, pauses: list[float]) -> None:
    file = File(export_file([backlink(1)]), cuts=[20] * 6)
    told.tell(COMPLETE, *[file] * 7)
    with Client(told.url, KEY, attempts=2) as client:
        assert client.exported(TASK_ID).result() == [backlink(1)]
    assert len(pauses) == 6


def test_a_download_ends_when_nothing_comes_any_more(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    told.tell(COMPLETE, *[File(export_file([backlink(1)]), cuts=[20])], *[Told(status=0)] * 9)
    with pytest.raises(ClientError, match="did not answer"):
        world.result(told.url, lambda client: client.exported(TASK_ID), attempts=4)
    assert len(told.seen) == 1 + 1 + 3


def test_a_server_without_ranges_is_read_from_the_beginning(
    world: World, told: ToldServer, pauses: list[float]
) -> None:
    rows = [backlink(number, f"{number**7}") for number in range(500)]
    file = File(export_file(rows), cuts=[4000, 3000, 4001], ranges=False)
    told.tell(COMPLETE, *[file] * 4)
    assert world.result(told.url, lambda client: client.exported(TASK_ID)) == rows
    assert len(told.seen) == 5


@pytest.mark.parametrize("tag", ['"two"', None])
def test_a_file_that_changed_meanwhile_is_an_error(
    world: World, told: ToldServer, pauses: list[float], tag: str | None
) -> None:
    content = export_file([backlink(1)])
    told.tell(COMPLETE, File(content, cuts=[40], tag=tag and '"one"'), File(content, tag=tag))
    with pytest.raises(ClientError, match="changed during the download"):
        world.result(told.url, lambda client: client.exported(TASK_ID))


def test_a_range_that_was_not_asked_for_is_an_error(told: ToldServer, pauses: list[float]) -> None:
    content = export_file([backlink(1)])
    other = Told(content[50:], 206, {"Content-Range": f"bytes 50-{len(content) - 1}/9999"})
    told.tell(COMPLETE, File(content, cuts=[40]), other)
    with Client(told.url, KEY) as client, pytest.raises(ClientError, match="bytes from 40 were"):
        client.exported(TASK_ID).result()


def test_a_loop_that_ends_early_ends_the_download(world: World, told: ToldServer) -> None:
    rows = [backlink(number, f"{number**7}") for number in range(20_000)]
    told.tell(COMPLETE, File(export_file(rows)))
    visited: list[Backlink] = []

    def visit(row: Backlink) -> bool:
        visited.append(row)
        return len(visited) == 3

    world.loop(told.url, lambda client: client.exported(TASK_ID), visit)
    assert visited == rows[:3]


def test_a_download_may_be_redirected(world: World, told: ToldServer) -> None:
    told.tell(COMPLETE, Told("", 302, {"Location": "/elsewhere"}), File(export_file([backlink(1)])))
    assert world.result(told.url, lambda client: client.exported(TASK_ID)) == [backlink(1)]


def test_a_download_that_is_refused_is_an_error(world: World, told: ToldServer) -> None:
    told.tell(COMPLETE, Told(status=404))
    with pytest.raises(ClientError, match="404") as raised:
        world.result(told.url, lambda client: client.exported(TASK_ID))
    assert raised.value.status == 404


def test_a_rejected_export_names_the_one_under_way(world: World, told: ToldServer) -> None:
    told.tell(task("rejected"))
    with pytest.raises(ExportError) as raised:
        world.result(told.url, lambda client: client.export("example.com"))
    assert (raised.value.task_status, raised.value.task_id) == ("rejected", TASK_ID)


def test_an_unknown_export_is_an_error(world: World, told: ToldServer) -> None:
    told.tell(task("task id is unknown or deleted"))
    with pytest.raises(ExportError, match="unknown or deleted"):
        world.result(told.url, lambda client: client.exported(TASK_ID))


def read_csv_gz(content: bytes, size: int) -> list[Backlink]:
    file = CsvGz()
    read = [
        row
        for start in range(0, len(content), size)
        for rows in file.feed(content[start : start + size])
        for row in rows
    ]
    return read + file.end()


@pytest.mark.parametrize("size", [1, 7, 1000, 10**9])
def test_a_file_is_read_in_pieces_of_any_size(size: int) -> None:
    rows = [
        backlink(number, text, image_source=text or None) for number, text in enumerate(STRANGE)
    ]
    assert read_csv_gz(export_file(rows), size) == rows


def other_csv(columns: list[str], rows: list[Backlink], end: str) -> str:
    """As another server might write it: other columns, line ends and words."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        cells = {**msgspec.to_builtins(row), "extra": "x", "nofollow": str(row.nofollow).upper()}
        writer.writerow([cells[name] for name in columns])
    return text.getvalue().rstrip("\n") + end


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_columns_are_found_by_their_names(end: str, mark: str) -> None:
    rows = [backlink(number, f"text {number}") for number in range(5)]
    columns = [*reversed(Backlink.__struct_fields__), "extra"]
    content = gzip.compress((mark + other_csv(columns, rows, end)).encode())
    assert read_csv_gz(content, 100) == rows


def test_a_file_may_be_compressed_in_several_parts() -> None:
    rows = [backlink(number, f"text {number}") for number in range(50)]
    text = other_csv(list(Backlink.__struct_fields__), rows, "\n").encode()
    parts = [gzip.compress(text[start : start + 999]) for start in range(0, len(text), 999)]
    assert read_csv_gz(b"".join(parts), 64) == rows


HEADER = ",".join(Backlink.__struct_fields__)
LINE = "u,v,t,a,,false,false,,1,2,2019-01-08,2019-01-08"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>", "incorrect header check"),
        (b"", "cut off"),
        (export_file([backlink(1)])[:-9], "cut off"),
        (gzip.compress(b""), "has no header"),
        (gzip.compress(b"<html>\r\n"), "header .* lacks the columns .*'url_from'"),
        (gzip.compress(f"{HEADER}\r\n{LINE[:-11]}\r\n".encode()), "11 cells"),
        (gzip.compress(f"{HEADER}\r\n{LINE[:-10]}soon\r\n".encode()), "last_visited"),
        (gzip.compress(f"{HEADER}\r\n{LINE}\r\n".encode("utf-16")), "utf-8"),
        (gzip.compress(f'{HEADER}\r\n"{LINE * 99_000}'.encode()), "has no end"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_something_else_is_told(content: bytes, said: str) -> None:
    with pytest.raises(ClientError, match=said) as raised:
        read_csv_gz(content, 10**9)
    assert "The export file" in raised.value.description


def test_a_file_takes_the_same_memory_whatever_its_length() -> None:
    block = 4000

    def peak(blocks: int) -> int:
        file = io.BytesIO()
        numbers = iter(range(blocks * block))
        write_csv_gz(
            file, ([backlink(next(numbers), "x") for _ in range(block)] for _ in range(blocks))
        )
        content, read, count = file.getvalue(), CsvGz(), 0
        tracemalloc.start()
        for start in range(0, len(content), 65_536):
            for rows in read.feed(content[start : start + 65_536]):
                count += len(rows)
        assert count + len(read.end()) == blocks * block
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak(8) < 1.3 * peak(2)


# Types, imports, documents


def test_the_types_are_those_that_are_promised(told: ToldServer) -> None:
    """What mypy checks; run too, to see that it is true."""
    told.tell(SAMPLES["metrics"], SAMPLES["metrics"], SAMPLES["refdomains"])
    with Client(told.url, KEY) as client:
        assert_type(client.metrics("a"), Reply[TargetMetrics])
        assert_type(client.metrics(["a"]), Rows[TargetMetrics])
        one = assert_type(client.metrics("a").result(), TargetMetrics)
        assert_type(one.backlinks, int)
        several = assert_type(client.metrics(["a"]).result(), list[TargetMetrics])
        assert several == [one]
        for row in client.refdomains("a"):
            assert_type(row, Refdomain)
            assert type(assert_type(row.first_seen, dt.date)) is dt.date
        assert_type(client.raw_backlinks("a"), Rows[Backlink])
        assert_type(client.export("a"), Rows[Backlink])

    async def typed(client: Client) -> None:
        assert_type(await client.metrics("a"), TargetMetrics)
        assert_type(await client.metrics({"a", "b"}), list[TargetMetrics])
        assert_type(await client.anchors("a"), list[Anchor])
        async for row in client.new_lost_backlinks("a", new_lost_type="lost"):
            assert_type(row, NewLostBacklink)
            assert_type(row.new_lost_type, Literal["new", "lost"])
        client.metrics("a", mode="all")  # type: ignore[call-overload]
        client.backlinks("a", order_by="date")  # type: ignore[arg-type]

    assert inspect.iscoroutinefunction(typed)


def test_plain_calls_may_be_made_while_an_event_loop_runs(told: ToldServer) -> None:
    told.tell(SAMPLES["metrics"], raw_page("2001-01-01", "a"), raw_page("2002-01-01", None))

    async def use() -> tuple[int, int]:
        with Client(told.url, KEY) as client:
            return client.metrics("a").result().backlinks, len(list(client.raw_backlinks("a")))

    assert asyncio.run(use()) == (20, 2)


def test_several_questions_may_be_asked_at_once(told: ToldServer) -> None:
    told.tell(*[SAMPLES["metrics"]] * 8)

    async def use() -> list[TargetMetrics]:
        async with Client(told.url, KEY) as client:
            return await asyncio.gather(*(client.metrics(f"{number}") for number in range(8)))

    assert len(asyncio.run(use())) == 8
    assert {seen.parameters["target"] for seen in told.seen} == set("01234567")


def needed(distribution: str) -> set[str]:
    """The distributions that pip installs for *distribution* without extras, itself included."""
    found = {distribution}
    for text in metadata.requires(distribution) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found |= needed(requirement.name)
    return found


ALONE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from inlink.client import Client
Client("http://127.0.0.1", "KEY").close()
"""


def test_the_client_needs_no_more_than_an_installation_without_extras() -> None:
    installed = needed("inlink")
    assert {"httpx", "msgspec"} < installed
    assert len(installed) < 10
    missing = [
        name
        for name, providers in metadata.packages_distributions().items()
        if installed.isdisjoint(providers)
    ]
    assert {"numpy", "pyarrow", "click", "starlette"} < set(missing)
    subprocess.run([sys.executable, "-c", ALONE, *missing], check=True)


def test_the_command_says_what_to_install_beside_the_client() -> None:
    code = "import sys; sys.modules['click'] = None; from inlink.__main__ import main; main()"
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert run.returncode == 1
    assert "pip install 'inlink[index]'" in run.stderr


def test_every_struct_that_is_returned_can_be_shown() -> None:
    with Client("https://example.com", KEY) as client:
        assert KEY not in repr(client)
        assert KEY not in repr(client._server)


# Against Inlink's own server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("client")
    today = dt.datetime.now(dt.UTC).date().isoformat()
    rows = [
        *(
            Row(
                f"https://blog{number % 5}.example.net/{number}",
                "https://example.com/",
                anchor=text,
                found=today,
            )
            for number, text in enumerate(STRANGE)
        ),
        Row("https://gone.example.org/", "https://example.com/", lost=today),
    ]
    write_generation(data, 1, rows, {"https://example.com/": 40}, {"example.com": 50})
    make_current(data, 1)
    with serving(data) as server:
        yield server


def url_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def test_every_method_agrees_with_what_the_server_sends(world: World, server: Server) -> None:
    def asked(question: Callable[[Client], Any]) -> Any:
        rows = world.result(url_of(server), question, server.key)
        return json.loads(msgspec.json.encode(rows))

    target = "example.com"
    lists: dict[str, Callable[[Client], Any]] = {
        "get-metrics": lambda client: client.metrics([target]),
        "get-summary": lambda client: client.summary([target]),
        "get-backlinks-count": lambda client: client.backlinks_count([target]),
        "get-refdomains-count": lambda client: client.refdomains_count([target]),
        "get-subnets-count": lambda client: client.subnets_count([target]),
        "get-ips-count": lambda client: client.ips_count([target]),
        "get-inlink-rank": lambda client: client.inlink_rank([target]),
        "get-page-inlink-rank": lambda client: client.page_inlink_rank([target]),
        "get-domain-inlink-rank": lambda client: client.domain_inlink_rank([target]),
        "get-backlinks": lambda client: client.backlinks(target),
        "get-refdomains": lambda client: client.refdomains(target),
        "get-raw-backlinks": lambda client: client.raw_backlinks(target, page_size=3),
        "get-new-lost-backlinks": lambda client: client.new_lost_backlinks(target),
        "get-new-lost-refdomains": lambda client: client.new_lost_refdomains(target),
        "get-new-lost-backlinks-count": lambda client: client.new_lost_backlinks_count(target),
        "get-new-lost-refdomains-count": lambda client: client.new_lost_refdomains_count(target),
        "get-anchors": lambda client: client.anchors(target),
        "get-pages": lambda client: client.pages(target),
        "get-ips": lambda client: client.ips(target),
    }
    others = {
        "get-subscription-info",
        "download-all-backlinks",
        "download-all-backlinks-status",
    }
    assert set(lists) | others == {command.name for command in COMMANDS}
    for command, question in lists.items():
        (sent, *_) = server.get(command, target=target).json().values()
        assert sent or command == "get-ips"
        assert asked(question) == sent, command
    info = world.result(url_of(server), lambda client: client.subscription_info(), server.key)
    assert info.status == "active"


def test_an_export_has_the_rows_of_get_raw_backlinks(world: World, server: Server) -> None:
    def ask(question: Callable[[Client], Rows[Backlink]]) -> list[Backlink]:
        rows: list[Backlink] = world.result(url_of(server), question, server.key)
        return sorted(rows, key=lambda row: row.url_from)

    exported = ask(lambda client: client.export("example.com"))
    assert exported == ask(lambda client: client.raw_backlinks("example.com", page_size=4))
    assert sorted(row.anchor for row in exported) == sorted(STRANGE)


def test_a_batch_of_many_is_answered_in_order(world: World, server: Server) -> None:
    targets = [f"{number}.example.com" for number in range(150)]
    rows = world.result(url_of(server), lambda client: client.backlinks_count(targets), server.key)
    assert [row.target for row in rows] == targets


def test_refusals_of_the_server_are_told_in_its_words(world: World, server: Server) -> None:
    with pytest.raises(ClientError, match=r"401 .*There is no such API key\.") as raised:
        world.result(url_of(server), lambda client: client.metrics("example.com"), "wrong")
    assert raised.value.status == 401
    with pytest.raises(ClientError, match=r"400 Parameter limit is invalid\. limit is") as raised:
        world.result(
            url_of(server), lambda client: client.backlinks("example.com", limit=0), server.key
        )
    assert raised.value.status == 400


def test_every_example_of_the_document_runs(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    text = DOCUMENT.read_text()
    examples = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(examples) >= 4
    for example in examples:
        shown = example.replace("http://127.0.0.1:8080", url_of(server)).replace(
            '"KEY"', repr(server.key)
        )
        assert shown != example, "it names neither the server nor the key"
        with contextlib.chdir(server.data):
            exec(compile(shown, DOCUMENT.name, "exec"), {"__name__": "example"})
        assert "example.net" in capsys.readouterr().out or "print" not in example
