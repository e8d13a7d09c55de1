"""Keys that pay, over HTTP and several server processes, on SQLite and on a real PostgreSQL."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import databases
from tests.serving import INLINK, Row, Server, make_current, serving, stored_keys, write_generation
from tests.test_api_samples_history import finished

ROWS = 7
COMMANDS = {"get-backlinks": ROWS, "get-metrics": 30, "get-new-lost-refdomains-count": 30}
"""What one request of each costs, by the table of docs/api.md."""


@pytest.fixture(params=databases.DATABASES, scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("accounts")
    if request.param == "postgresql":
        url = request.getfixturevalue("new_database")()
        (data / "settings.json").write_text(json.dumps({"accounts_url": url}))
    rows = [Row(f"https://blog.example/{n}", "https://shop.example/") for n in range(ROWS)]
    write_generation(data, 1, rows)
    make_current(data, 1)
    with serving(data, "--workers", "2") as server:
        yield server
    assert (data / "accounts.sqlite").exists() == (request.param == "sqlite")


def usage(data: Path, name: str) -> dict[str, Any]:
    command = [str(INLINK), "keys", "usage", "--data", str(data), name, "--json"]
    used: dict[str, Any] = json.loads(subprocess.check_output(command))
    return used


def left(data: Path, name: str) -> int:
    with stored_keys(data) as keys:
        (units,) = (key.units_left for key in keys.all() if key.name == name)
    assert units is not None
    return units


def test_a_balance_is_spent_to_the_last_answer_that_it_covers(server: Server) -> None:
    """Many clients at once: what was answered is what was taken, and no more than there was."""
    with stored_keys(server.data) as keys:
        key = keys.create("spender", units=1000)

    def ask(number: int) -> tuple[str, int]:
        command = list(COMMANDS)[number % len(COMMANDS)]
        return command, server.get(command, target="shop.example", apikey=key).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(120)))
    assert {status for _, status in answers} == {200, 402}
    spent = sum(COMMANDS[command] for command, status in answers if status == 200)
    assert 1000 - min(COMMANDS.values()) < spent <= 1000
    assert left(server.data, "spender") == 1000 - spent
    used = usage(server.data, "spender")
    assert used["units"] == spent
    assert used["requests"] == sum(status == 200 for _, status in answers)
    for row in used["usage"]:
        granted = answers.count((row["command"], 200))
        assert (row["requests"], row["units"]) == (granted, granted * COMMANDS[row["command"]])


def test_the_balance_shown_is_that_after_the_last_answer(server: Server) -> None:
    with stored_keys(server.data) as keys:
        key = keys.create("reader", units=1000)
    for asked in range(1, 6):
        assert server.get("get-metrics", target="shop.example", apikey=key).status_code == 200
        shown = server.get("get-subscription-info", apikey=key).json()["subscription_info"]
        assert shown["units_left"] == 1000 - asked * COMMANDS["get-metrics"]


def test_a_rate_holds_over_all_workers(server: Server) -> None:
    with stored_keys(server.data) as keys:
        key = keys.create("hasty", rate=1 / 3600, burst=5)

    def ask(_: int) -> httpx.Response:
        return server.get("get-metrics", target="shop.example", apikey=key)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 19
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["error"]["message"] == "Call rate limit reached."
            assert 0 < int(answer.headers["retry-after"]) <= 3601  # in whole seconds
    assert usage(server.data, "hasty")["requests"] == 5


def test_an_export_is_paid_for_once(server: Server) -> None:
    with stored_keys(server.data) as keys:
        key = keys.create("exporter", units=ROWS)
        poor = keys.create("poor", units=ROWS - 1)
    refused = server.get("download-all-backlinks", target="shop.example", apikey=poor)
    assert refused.status_code == 402
    assert left(server.data, "poor") == ROWS - 1
    queued = server.get("download-all-backlinks", target="shop.example", apikey=key).json()
    assert left(server.data, "exporter") == 0
    own = Server(server.process, server.data, server.port, key, server.client, server.log)
    assert finished(own, queued["task_id"])["download_file"]
    paid = {row["command"]: row["units"] for row in usage(server.data, "exporter")["usage"]}
    assert paid == {"download-all-backlinks": ROWS, "download-all-backlinks-status": 0}
    # somebody else's task is unknown
    other = server.get("download-all-backlinks-status", task_id=queued["task_id"])
    assert other.json()["task_status"] == "task id is unknown or deleted"


def test_what_fails_costs_nothing(server: Server) -> None:
    with stored_keys(server.data) as keys:
        key = keys.create("careful", units=100)
    for command in COMMANDS:
        for parameters in ({"target": "a b"}, {}, {"target": "shop.example", "output": "csv"}):
            answer = server.get(command, **{"apikey": key} | parameters)
            assert answer.status_code in (400, 406)
    assert server.get("get-backlinks", apikey=key, target="nobody.example").json() == {
        "backlinks": []
    }
    assert left(server.data, "careful") == 100
