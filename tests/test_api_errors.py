"""The contract of errors: status, words and shape, and which of several is told.

{"error": {"code": 400, "message": "...", "description": "..."}, "message": "..."}
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import PREFIX, Row, Server, make_current, serving, stored_keys, write_generation

COMMANDS = (
    "get-metrics",
    "get-inlink-rank",
    "get-backlinks",
    "get-refdomains",
    "get-raw-backlinks",
)

WORDS = {
    400: "Parameters are invalid.",
    401: "Authentication failed. Please make sure your API key is valid and active.",
    403: "Authentication failed. Please ensure you have a valid, enabled API key.",
    404: "The requested resource could not be found.",
    405: "Method Not Allowed.",
    406: 'Unsupported output format. Supported output formats are "json" (default) and "xml".',
    500: "Unexpected error. Please try again later.",
    503: "System is busy. Please try again later.",
}
"""The table "Error Handling" of the specification."""

HUGE = "Results for huge websites like google.com or twitter.com are unavailable via API so far."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves small.example with 2 backlinks, huge.example with 3, which is too many."""
    data = tmp_path_factory.mktemp("errors")
    (data / "settings.json").write_text('{"huge_target": 3}')
    rows = [
        *(Row(f"https://blog{number}.example/", "http://small.example/") for number in range(2)),
        *(Row(f"https://blog{number}.example/", "http://huge.example/") for number in range(3)),
    ]
    write_generation(data, 1, rows)
    make_current(data, 1)
    with serving(data) as server:
        yield server


def check(answer: httpx.Response, status: int, message: str | None = None) -> str:
    """The answer is that error, in the one shape; its description."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    message = message or WORDS[status]
    assert list(body) == ["error", "message"]
    assert list(body["error"]) == ["code", "message", "description"]
    assert body["error"]["code"] == status
    assert body["error"]["message"] == body["message"] == message
    description = body["error"]["description"]
    assert isinstance(description, str)
    assert description
    return description


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_good_key_nothing_is_answered(server: Server, command: str) -> None:
    for key in ("", "unknown", server.key[:-1], server.key.upper(), f" {server.key}", "%00", "ü"):
        check(server.get(command, target="small.example", apikey=key), 401)
    check(server.client.get(f"{PREFIX}/{command}", params={"target": "small.example"}), 401)


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
    """The first answer with that status, which has to come within two seconds."""
    deadline = time.monotonic() + 2
    while (answer := server.get("get-metrics", **asked)).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer


@pytest.mark.parametrize(
    "path",
    ["/", "/backlinks", PREFIX, f"{PREFIX}/get-everything", f"{PREFIX}/get-metrics/x", "/%00"],
)
def test_there_is_nothing_elsewhere(server: Server, path: str) -> None:
    check(server.client.get(path), 404)
    check(server.client.post(path), 404)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods_are_refused(server: Server, command: str, method: str) -> None:
    answer = server.client.request(method, f"{PREFIX}/{command}")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    if method != "HEAD":
        assert "GET" in check(answer, 405)


def test_raw_backlinks_cannot_be_posted(server: Server) -> None:
    answer = server.post("get-raw-backlinks", {"target": "small.example"})
    check(answer, 405)
    assert "POST" not in answer.headers["allow"]


@pytest.mark.parametrize("command", COMMANDS)
def test_only_json_is_served(server: Server, command: str) -> None:
    description = check(server.get(command, target="small.example", output="xml"), 406)
    assert "output=json" in description
    for output in ("csv", "JSON", "json ", "%"):
        check(server.get(command, target="small.example", output=output), 406)


def test_of_several_errors_the_first_check_tells_its_own(server: Server) -> None:
    """Path, method, output, key, parameters."""
    wrong = {"apikey": "unknown", "output": "csv", "limit": "none"}
    check(server.client.put(f"{PREFIX}/nothing", params=wrong), 404)
    check(server.client.put(f"{PREFIX}/get-backlinks", params=wrong), 405)
    check(server.get("get-backlinks", **wrong), 406)
    check(server.get("get-backlinks", **wrong | {"output": "json"}), 401)
    wrong = {"limit": "none", "target": ""}
    check(server.get("get-backlinks", **wrong), 400, "Parameter target is missing.")


def test_a_body_that_is_too_long_is_refused(server: Server) -> None:
    check(server.post("get-metrics", b'{"target": "' + b"a" * 3_000_000 + b'"}'), 400)


@pytest.mark.parametrize("command", ["get-backlinks", "get-refdomains", "get-raw-backlinks"])
def test_huge_targets_are_not_listed(server: Server, command: str) -> None:
    answer = server.get(command, target="huge.example")
    name = "refdomains" if command == "get-refdomains" else "backlinks"
    assert answer.status_code == 244
    assert json.dumps(answer.json()) == json.dumps({name: [], "message": HUGE})
    small = server.get(command, target="small.example")
    assert small.status_code == 200
    assert list(small.json()) == [name]
    assert len(small.json()[name]) == 2


def test_huge_targets_are_counted(server: Server) -> None:
    (metrics,) = server.get("get-metrics", target="huge.example").json()["metrics"]
    assert metrics["backlinks"] == 3


def test_nothing_found_is_no_error(server: Server) -> None:
    """ "Returned value for a parameter is zero", "is a negative digit": 200."""
    (metrics,) = server.get("get-metrics", target="nobody.example").json()["metrics"]
    assert metrics["backlinks"] == 0
    (page,) = server.get("get-inlink-rank", target="nobody.example").json()["pages"]
    assert (page["inlink_rank"], page["domain_inlink_rank"]) == (-1, -1)
    assert server.get("get-backlinks", target="nobody.example").json() == {"backlinks": []}


def test_before_the_first_build_the_system_is_busy(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        answer = server.get("get-metrics", target="small.example")
        assert "inlink build" in check(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        check(server.get("get-metrics", target="small.example", apikey="unknown"), 401)
        check(server.get("get-metrics"), 400, "Parameter target is missing.")
        write_generation(tmp_path, 1, [Row("https://blog.example/", "http://small.example/")])
        make_current(tmp_path, 1)
        deadline = time.monotonic() + 5
        while (answer := server.get("get-metrics", target="small.example")).status_code == 503:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert answer.json()["metrics"][0]["backlinks"] == 1


def test_a_failure_is_logged_and_not_shown(tmp_path: Path) -> None:
    """The accounts database is destroyed under a running server."""
    write_generation(tmp_path, 1, [Row("https://blog.example/", "http://small.example/")])
    make_current(tmp_path, 1)
    with serving(tmp_path) as server:
        for database in tmp_path.glob("accounts.sqlite*"):
            database.write_bytes(b"no database at all" * 1000)
        answer = server.get("get-metrics", target="small.example")
        description = check(answer, 500)
        assert "sqlite" not in description.lower()
        assert "Traceback" not in answer.text
        log = server.log.read_text()
    assert "Traceback" in log
    assert "GET get-metrics failed" in log
    assert server.key not in log
