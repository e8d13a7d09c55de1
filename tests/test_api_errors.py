"""The contract of errors: status, words and shape, and which of several is told.

{"error": {"code": 400, "message": "...", "description": "..."}, "message": "..."}

Every row of the specification's table "Error Handling", from every command, in both formats. And
what is paid: nothing for what fails, and for the rest what docs/api.md says.
"""

import datetime as dt
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from lxml import etree

from inlink.accounts.database import connect
from inlink.accounts.keys import Key
from inlink.accounts.usage import usage
from inlink.store.layout import Layout
from tests.patience import PATIENCE
from tests.serving import PREFIX, Row, Server, make_current, serving, stored_keys, write_generation
from tests.test_api_openapi import COMMANDS, NONE, PATHS, ROWS, SUCCESSOR

SCHEMAS = Path(__file__).parents[1] / "docs" / "xsd"
ERRORS = etree.XMLSchema(etree.parse(SCHEMAS / "error.xsd"))

WORDS = {
    400: "Parameters are invalid.",
    401: "Authentication failed. Please make sure your API key is valid and active.",
    402: "Insufficient funds, API key is temporarily disabled. Please make a payment to enable"
    " your API key.",
    403: "Authentication failed. Please ensure you have a valid, enabled API key.",
    404: "The requested resource could not be found.",
    405: "Method Not Allowed.",
    406: 'Unsupported output format. Supported output formats are "json" (default) and "xml".',
    429: "Call rate limit reached.",
    500: "Unexpected error. Please try again later.",
    503: "System is busy. Please try again later.",
}
"""The table "Error Handling" of the specification, less the addresses to write to."""

HUGE = "Results for huge websites like google.com or twitter.com are unavailable via API so far."


class Asked(NamedTuple):
    """One command at one path, by one method."""

    method: str
    path: str

    @property
    def name(self) -> str:
        """What the command is called; the later API's own ones by their path."""
        return PATHS[self.path][0]

    @property
    def counted_as(self) -> str:
        """The name under which it is priced, counted and described."""
        return self.name.replace("/", "-")

    @property
    def takes(self) -> dict[str, Any]:
        """Its parameters."""
        return PATHS[self.path][1]

    def valid(self, **changes: Any) -> dict[str, Any]:
        """Parameters that are answered with a few rows."""
        values = {"target": "small.example", "date_from": "2026-01-01", "date_to": "2026-01-05"}
        values |= {"task_id": "0" * 32}
        return {name: value for name, value in values.items() if name in self.takes} | changes

    def send(
        self, server: Server, key: str | None = None, output: str = "", **given: Any
    ) -> httpx.Response:
        """Send *given*, or valid parameters."""
        query = {"apikey": server.key if key is None else key, "output": output}
        values = given or self.valid()
        if self.method == "GET":
            return server.client.get(self.path, params=query | values)
        return server.client.post(self.path, params=query, json=values)


def _every() -> Iterator[Asked]:
    for (v1, later), (methods, *_) in COMMANDS.items():
        for prefix, name in ((PREFIX, v1), (SUCCESSOR, later)):
            if name:
                yield from (Asked(method, f"{prefix}/{name}") for method in methods.split(", "))


EVERY = list(_every())
PRICES = {
    f"{prefix}/{name}": units
    for names, (_, _, units) in COMMANDS.items()
    for prefix, name in zip((PREFIX, SUCCESSOR), names, strict=True)
    if name
}
"""The column "units" of docs/api.md."""

PRICED = [asked for asked in EVERY if PRICES[asked.path] != NONE]
EXPORTS = "download-all-backlinks"

every = pytest.mark.parametrize("asked", EVERY, ids=" ".join)
every_path = pytest.mark.parametrize("path", PATHS)
in_both_formats = pytest.mark.parametrize("output", ["json", "xml"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves small.example with 2 backlinks, huge.example with 3, which is too many."""
    data = tmp_path_factory.mktemp("errors")
    (data / "settings.json").write_text('{"huge_target": 3}')
    write_rows(data)
    with serving(data) as server:
        yield server


def write_rows(data: Path) -> None:
    """A generation that `server` serves."""
    rows = [
        Row(f"https://blog{number}.example/", f"http://{target}.example/", ip="192.0.2.1")
        for target, count in (("small", 2), ("huge", 3))
        for number in range(count)
    ]
    write_generation(data, 1, rows, rank_days=["2026-01-01", "2026-01-03"])
    make_current(data, 1)


def check(answer: httpx.Response, status: int, message: str | None = None) -> str:
    """The answer is that error, in the one shape, in either format; its description."""
    assert answer.status_code == status, answer.text
    if answer.headers["content-type"] == "application/xml":
        document = etree.fromstring(answer.content)
        ERRORS.assertValid(document)
        body: dict[str, Any] = {
            "error": {child.tag: child.text for child in document[0]},
            "message": document[1].text,
        }
        body["error"]["code"] = int(body["error"]["code"])
    else:
        assert answer.headers["content-type"] == "application/json"
        body = answer.json()
    message = message or WORDS[status]
    assert list(body) == ["error", "message"]
    assert list(body["error"]) == ["code", "message", "description"]
    assert body["error"]["code"] == status
    assert body["error"]["message"] == body["message"] == message
    description = body["error"]["description"]
    assert isinstance(description, str)
    assert description
    return description


def is_in(answer: httpx.Response, output: str) -> bool:
    """Whether that is the format of an answer."""
    return answer.headers["content-type"] == f"application/{output}"


def keys_of(server: Server) -> dict[str, Key]:
    """Every key by its name."""
    with stored_keys(server.data) as keys:
        return {key.name: key for key in keys.all()}


def make_key(server: Server, name: str, **limits: Any) -> str:
    with stored_keys(server.data) as keys:
        return keys.create(name, **limits)


def used(server: Server, name: str) -> dict[str, tuple[int, int]]:
    """Requests and units that a key has used, by command."""
    engine = connect(Layout(server.data).accounts)
    try:
        return {row.command: (row.requests, row.units) for row in usage(engine, name)}
    finally:
        engine.dispose()


# 400


@in_both_formats
@every
def test_a_parameter_is_missing(server: Server, asked: Asked, output: str) -> None:
    for name in asked.takes.keys() & {"target", "task_id"}:
        others = {other: one for other, one in asked.valid().items() if other != name}
        for given in (others | {"colour": "red"}, others | {name: ""}):
            answer = asked.send(server, output=output, **given)
            assert check(answer, 400, f"Parameter {name} is missing.").startswith(name)
            assert is_in(answer, output)


@in_both_formats
@every
def test_a_parameter_is_invalid(server: Server, asked: Asked, output: str) -> None:
    """What each parameter takes is told by test_api_parameters.py."""
    for name in asked.takes.keys() - {"task_id"}:
        wrong = "x" * 3000 if name.endswith("_filter") else "\\"
        answer = asked.send(server, output=output, **asked.valid(**{name: wrong}))
        assert check(answer, 400, f"Parameter {name} is invalid.")
        assert is_in(answer, output)


BODIES = [
    b"",
    b"[]",
    b'"x"',
    b"7",
    b"null",
    b"{",
    b"{}{}",
    b"{'a':1}",
    b"target=small.example",
    b"\xff{}",
    b"\xef\xbb\xbf{}",
    b'{"target": "\xff.example"}',
    b'{"target": "\\ud800.example"}',
    b'{"limit": NaN}',
    b"[" * 100_000,
    b'{"target": "' + b"a" * 3_000_000 + b'"}',
]


@pytest.mark.parametrize("asked", [one for one in EVERY if one.method == "POST"], ids=" ".join)
def test_a_body_is_no_json_object_or_too_long(server: Server, asked: Asked) -> None:
    for body in BODIES:
        for output in ("json", "xml"):
            query = {"apikey": server.key, "output": output}
            answer = server.client.post(asked.path, params=query, content=body)
            assert check(answer, 400)
            assert is_in(answer, output)


def test_a_body_in_chunks_may_be_as_long(server: Server) -> None:
    query = {"apikey": server.key, "target": "small.example"}
    pieces = (b" " * 100_000 for _ in range(30))
    answer = server.client.post(f"{PREFIX}/get-metrics", params=query, content=pieces)
    assert "2,097,152" in check(answer, 400)
    body = b" " * 2_000_000 + b'{"target": "small.example"}'
    answer = server.client.post(f"{PREFIX}/get-metrics", params=query, content=body)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host", ["x:y", "x:99999999", "x:1:2", "a b", "///", "", pytest.param("[::1", id="open"), "ü"]
)
def test_a_header_host_that_is_none_is_no_fault_of_the_server(server: Server, host: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    query = f"apikey={server.key}&task_id=x"
    headers = {"Host": host.encode("latin-1")}
    connection.request("GET", f"{PREFIX}/{EXPORTS}-status?{query}", headers=headers)
    response = connection.getresponse()
    assert response.status in (200, 400), response.read()
    connection.close()


# 401, 403


@in_both_formats
@every
def test_without_a_good_key_nothing_is_answered(server: Server, asked: Asked, output: str) -> None:
    for key in ("", "unknown", server.key[:-1], server.key.upper(), f" {server.key}", "\0", "ü"):
        answer = asked.send(server, key, output)
        check(answer, 401)
        assert is_in(answer, output)


@every_path
def test_a_header_without_a_good_key_is_as_good_as_none(server: Server, path: str) -> None:
    asked = Asked("GET", path)
    for header in (server.key, f"Bearer {server.key}", "Token", f"Token {server.key}x"):
        headers = {"Authorization": header}
        check(server.client.get(path, params=asked.valid(), headers=headers), 401)
    # the parameter counts where there are both
    both = asked.valid(apikey="unknown")
    headers = {"Authorization": f"Token {server.key}"}
    check(server.client.get(path, params=both, headers=headers), 401)


@pytest.fixture(scope="module")
def refused(server: Server) -> dict[str, str]:
    """Keys that are not active, by what their refusal says."""
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    disabled = make_key(server, "disabled")
    with stored_keys(server.data) as keys:
        keys.set_enabled("disabled", False)
    expired = make_key(server, "expired", expires_on=yesterday.isoformat())
    return {"disabled": disabled, yesterday.isoformat(): expired}


@in_both_formats
@every
def test_a_key_that_is_not_active_is_refused(
    server: Server, refused: dict[str, str], asked: Asked, output: str
) -> None:
    for reason, key in refused.items():
        answer = asked.send(server, key, output)
        assert reason in check(answer, 403)
        assert is_in(answer, output)


def test_a_key_works_on_its_last_day(server: Server) -> None:
    days = [dt.datetime.now(dt.UTC).date() + dt.timedelta(days=number) for number in (0, 1)]
    for day in days:  # tomorrow too, in case that this one ends now
        key = make_key(server, f"until {day}", expires_on=day.isoformat())
        answer = Asked("GET", f"{PREFIX}/get-metrics").send(server, key)
        assert answer.status_code == 200 or dt.datetime.now(dt.UTC).date() > day


def test_a_key_is_disabled_enabled_and_deleted_while_the_server_runs(server: Server) -> None:
    with stored_keys(server.data) as keys:
        asked = {"target": "small.example", "apikey": keys.create("other")}
        assert server.get("get-metrics", **asked).status_code == 200
        keys.set_enabled("other", False)
        check(soon(server, asked, 403), 403)
        keys.set_enabled("other", True)
        soon(server, asked, 200)
        keys.delete("other")
        check(soon(server, asked, 401), 401)


def soon(server: Server, asked: dict[str, str], status: int) -> httpx.Response:
    """The first answer with that status, which has to come within some seconds."""
    deadline = time.monotonic() + PATIENCE
    while (answer := server.get("get-metrics", **asked)).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer


# 404, 405, 406


@in_both_formats
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/backlinks",
        PREFIX,
        SUCCESSOR,
        f"{PREFIX}/get-everything",
        f"{PREFIX}/Get-Metrics",
        f"{PREFIX}/metrics",
        f"{SUCCESSOR}/get-metrics",
        f"{PREFIX}/get-metrics/x",
        "/backlinks/v2.0/get-metrics",
        "/%00",
        f"{PREFIX}/%ff",
    ],
)
def test_there_is_nothing_elsewhere(server: Server, path: str, output: str) -> None:
    for method in ("GET", "POST", "PUT"):
        answer = server.client.request(method, path, params={"output": output})
        check(answer, 404)
        assert is_in(answer, output)


@pytest.mark.parametrize("file", ["x", "x.csv.gz", "..%2faccounts.sqlite", "0" * 32 + ".csv.gz"])
def test_there_is_no_such_file(server: Server, file: str) -> None:
    check(server.client.get(f"/export/{file}"), 404)


@in_both_formats
@every_path
def test_other_methods_are_refused(server: Server, path: str, output: str) -> None:
    taken = {asked.method for asked in EVERY if asked.path == path}
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "QUERY"} - taken:
        answer = server.client.request(method, path, params={"output": output})
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == taken | {"OPTIONS"}
        assert is_in(answer, output)
        if method != "HEAD":
            assert all(one in check(answer, 405) for one in taken)


@every
def test_other_formats_are_refused(server: Server, asked: Asked) -> None:
    for output in ("csv", "JSON", "json ", "%", "json,xml"):
        answer = asked.send(server, output=output)
        description = check(answer, 406)
        assert '"json"' in description
        assert '"xml"' in description
    for output in ("json", "xml"):
        assert is_in(asked.send(server, output=output), output)


# 429, 500, 503


@every
def test_a_key_that_asks_too_often_has_to_wait(server: Server, asked: Asked) -> None:
    name = f"slow {' '.join(asked)}"
    key = make_key(server, name, rate=1 / 3600, burst=1)
    assert asked.send(server, key).status_code == 200
    for output in ("json", "xml"):
        answer = asked.send(server, key, output)
        check(answer, 429)
        assert is_in(answer, output)
        assert 3500 < int(answer.headers["retry-after"]) <= 3600
    assert sum(requests for requests, _ in used(server, name).values()) == 1


def test_before_the_first_build_the_system_is_busy(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for asked in EVERY:
            for output in ("json", "xml"):
                answer = asked.send(server, output=output)
                if "target" not in asked.takes:
                    assert answer.status_code == 200
                    continue
                assert "inlink build" in check(answer, 503)
                assert is_in(answer, output)
                assert int(answer.headers["retry-after"]) > 0
        check(server.get("get-metrics", target="small.example", apikey="unknown"), 401)
        check(server.get("get-metrics"), 400, "Parameter target is missing.")
        assert not used(server, "test").keys() - {f"{EXPORTS}-status", "get-subscription-info"}
        write_rows(tmp_path)
        deadline = time.monotonic() + PATIENCE
        while (answer := server.get("get-metrics", target="small.example")).status_code == 503:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert answer.json()["metrics"][0]["backlinks"] == 2


def test_a_failure_is_logged_and_not_shown(tmp_path: Path) -> None:
    """The accounts database is destroyed under a running server."""
    write_rows(tmp_path)
    with serving(tmp_path) as server:
        for database in tmp_path.glob("accounts.sqlite*"):
            database.write_bytes(b"no database at all" * 1000)
        for asked in EVERY:
            for output in ("json", "xml"):
                answer = asked.send(server, output=output)
                description = check(answer, 500)
                assert is_in(answer, output)
                assert "sqlite" not in description.lower()
                assert "Traceback" not in answer.text
        log = server.log.read_text()
    assert "Traceback" in log
    for asked in EVERY:
        assert log.count(f"{asked.method} {asked.path} failed") == 2
    assert server.key not in log


# 244, and 200


@in_both_formats
@every
def test_huge_targets_are_not_listed(server: Server, asked: Asked, output: str) -> None:
    """But counted, ranked and exported."""
    if "target" not in asked.takes or asked.name == EXPORTS:
        return
    (listed, *_) = ROWS[asked.name]
    answer = asked.send(server, output=output, **asked.valid(target="huge.example"))
    assert is_in(answer, output)
    counted = ("metrics", "ranks") if asked.name == "get-pages" else ("metrics", "ranks", "pages")
    if listed in counted:
        assert answer.status_code == 200
        return
    assert answer.status_code == 244
    if output == "json":
        assert json.dumps(answer.json()) == json.dumps({listed: [], "message": HUGE})
    else:
        document = etree.fromstring(answer.content)
        schema = etree.XMLSchema(etree.parse(SCHEMAS / f"{asked.counted_as}.xsd"))
        schema.assertValid(document)
        assert [(child.tag, child.text) for child in document] == [
            (listed, None),
            ("message", HUGE),
        ]
    small = asked.send(server)
    assert small.status_code == 200
    assert "message" not in small.json()
    assert small.json()[listed]


def test_one_huge_target_of_several_is_enough(server: Server) -> None:
    answer = server.get("get-summary", target=["small.example", "huge.example"])
    assert answer.status_code == 244
    answer = server.get("get-metrics", target=["small.example", "huge.example"])
    assert [row["backlinks"] for row in answer.json()["metrics"]] == [2, 3]


@every
def test_nothing_found_is_no_error(server: Server, asked: Asked) -> None:
    """ "Returned value for a parameter is zero", "is a negative digit": 200."""
    if "target" not in asked.takes:
        return
    answer = asked.send(server, **asked.valid(target="nobody.example"))
    assert answer.status_code == 200
    for row in next(iter(answer.json().values())):
        if isinstance(row, dict):
            numbers = {name: one for name, one in row.items() if isinstance(one, int)}
            assert numbers == {name: -1 if "rank" in name else 0 for name in numbers}


# which error is told


def test_of_several_errors_the_first_check_tells_its_own(server: Server) -> None:
    """Path, method, output, key, rate, parameters, balance."""
    key = make_key(server, "poor and slow", units=0, rate=1 / 3600, burst=2)
    wrong = {"apikey": "unknown", "output": "csv", "limit": "none"}
    check(server.client.put(f"{PREFIX}/nothing", params=wrong), 404)
    check(server.client.put(f"{PREFIX}/get-backlinks", params=wrong), 405)
    check(server.get("get-backlinks", **wrong), 406)
    wrong |= {"output": "json"}
    check(server.get("get-backlinks", **wrong), 401)
    wrong |= {"apikey": key}
    check(server.get("get-backlinks", **wrong), 400, "Parameter target is missing.")
    check(
        server.get("get-backlinks", apikey=key, target="no-dot"),
        400,
        "Parameter target is invalid.",
    )
    check(server.get("get-backlinks", **wrong), 429)
    key = make_key(server, "poor", units=0)
    check(server.get("get-backlinks", apikey=key, target="small.example"), 402)


def test_output_and_key_are_given_once(server: Server) -> None:
    both = server.get("get-metrics", target="small.example", output=["json", "xml"])
    check(both, 400, "Parameter output is invalid.")
    two = server.get("get-metrics", target="small.example", apikey=[server.key, "x"])
    check(two, 400, "Parameter apikey is invalid.")


# what is paid


def price(asked: Asked, rows: int) -> int:
    """What docs/api.md says that an answer of so many rows costs."""
    units = PRICES[asked.path]
    if units == NONE:
        return 0
    number, per = units.split(" a ")
    return int(number) * (1 if per == "request" else rows)


def rows_of(asked: Asked, answer: httpx.Response) -> int:
    """How many rows an answer has; an export has those of its file."""
    if asked.name == EXPORTS:
        return 2
    listed = answer.json().get(next(iter(ROWS[asked.name])), [])
    return len(listed) if isinstance(listed, list) else 0


@pytest.mark.parametrize("asked", PRICED, ids=" ".join)
def test_a_key_pays_what_is_documented_to_the_last_unit(server: Server, asked: Asked) -> None:
    cost = price(asked, rows_of(asked, asked.send(server)))
    assert cost > 0
    rich, poor = (f"{wealth} {' '.join(asked)}" for wealth in ("rich", "poor"))
    for output in ("json", "xml"):
        name = f"{rich} {output}"
        key = make_key(server, name, units=cost)
        assert asked.send(server, key, output).status_code == 200
        assert keys_of(server)[name].units_left == 0
        assert used(server, name) == {asked.counted_as: (1, cost)}
        name = f"{poor} {output}"
        answer = asked.send(server, make_key(server, name, units=cost - 1), output)
        check(answer, 402)
        assert is_in(answer, output)
        assert keys_of(server)[name].units_left == cost - 1
        assert used(server, name) == {}


@pytest.mark.parametrize("asked", [one for one in EVERY if one not in PRICED], ids=" ".join)
def test_some_commands_cost_nothing(server: Server, asked: Asked) -> None:
    name = f"nothing for {asked.path}"
    key = make_key(server, name, units=0)
    for _ in range(2):
        assert asked.send(server, key).status_code == 200
    assert used(server, name) == {asked.name: (2, 0)}


@pytest.mark.parametrize("asked", PRICED, ids=" ".join)
def test_each_target_of_several_is_paid(server: Server, asked: Asked) -> None:
    if "anyOf" not in asked.takes["target"]:
        return
    name = f"several {' '.join(asked)}"
    key = make_key(server, name, units=1000)
    targets = ["small.example", "nobody.example", "small.example"]
    assert asked.send(server, key, **asked.valid(target=targets)).status_code == 200
    assert keys_of(server)[name].units_left == 1000 - price(asked, 3)


@every
def test_nothing_is_paid_for_what_fails(server: Server, asked: Asked) -> None:
    """Nor counted; a target that is too huge costs nothing either."""
    name = f"failing {' '.join(asked)}"
    key = make_key(server, name, units=1000)
    failing = [
        asked.send(server, key, "csv"),
        *(
            asked.send(server, key, **asked.valid(**{one: "\0"}))
            for one in {"mode", "target"} & asked.takes.keys()
        ),
        server.client.put(asked.path, params={"apikey": key}),
        server.client.post(asked.path, params={"apikey": key}, content=b"{"),
    ]
    assert {answer.status_code for answer in failing} <= {400, 405, 406}
    assert used(server, name) == {}
    if "target" in asked.takes:
        answer = asked.send(server, key, **asked.valid(target="huge.example"))
        if answer.status_code == 244:
            assert used(server, name) == {asked.counted_as: (1, 0)}
            assert keys_of(server)[name].units_left == 1000


def test_the_setting_costs_says_other_prices(tmp_path: Path) -> None:
    """For every command its own; the same on both faces."""
    names = sorted({asked.counted_as for asked in PRICED})
    costs = {name: 100 + number for number, name in enumerate(names)} | {"get-ips": 0}
    (tmp_path / "settings.json").write_text(json.dumps({"costs": costs}))
    write_rows(tmp_path)
    with serving(tmp_path) as server:
        for number, asked in enumerate(PRICED):
            key = make_key(server, f"key {number}", units=10_000)
            answer = asked.send(server, key)
            per_request = PRICES[asked.path].endswith("request")
            rows = 1 if per_request else rows_of(asked, answer)
            assert rows > 0
            cost = rows * costs[asked.counted_as]
            assert used(server, f"key {number}") == {asked.counted_as: (1, cost)}
        key = make_key(server, "nothing", units=0)
        assert server.get("get-ips", target="small.example", apikey=key).status_code == 200
