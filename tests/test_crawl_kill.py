"""A crawl that is killed again and again, and goes on each time."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from demo.server import Server, serving

from tests.crawl_web.answers import Answer, page
from tests.patience import PATIENCE
from tests.test_crawl_web import inlink, records

HOSTS = 25
PAGES = 8
BUDGET = 12
KILLS = 5
ENDLESS = "endless.example"


def web(url: str, headers: dict[str, str]) -> Answer | None:
    """Hosts of some pages that lead to each other, and one that has no end."""
    _, _, host, path = url.split("/", 3)
    if path == "robots.txt":
        return None
    number = int(path or 0)
    return page(f"/{number + 1}") if host == ENDLESS or number + 1 < PAGES else page("/")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(Server(web, trustme.CA())) as running:
        yield running


def prepare(data: Path, server: Server) -> list[str]:
    data.mkdir()
    settings = {
        "user_agent_contact": "mailto:crawl@operator.example",
        "crawl_proxy": server.address,
        "crawl_delay_seconds": 0.02,
        "host_pages": BUDGET,
    }
    (data / "settings.json").write_text(json.dumps(settings))
    hosts = [*(f"h{number}.example" for number in range(HOSTS)), ENDLESS]
    (data / "seeds").write_text("".join(f"http://{host}/\n" for host in hosts))
    server.log.clear()
    return ["--seeds", str(data / "seeds")]


def start(data: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "inlink", "crawl", "--data", str(data), *arguments]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def wait_for_requests(server: Server, count: int, process: "subprocess.Popen[bytes]") -> None:
    target = len(server.log) + count
    while len(server.log) < target and process.poll() is None:
        time.sleep(0.001)


def kill_after(server: Server, requests: int, process: "subprocess.Popen[bytes]") -> None:
    wait_for_requests(server, requests, process)
    process.kill()
    process.wait()


def assert_complete(data: Path) -> None:
    """Every page once, of the endless host as many as it may give."""
    responses = [url for kind, url in recorded(data) if kind == "response"]
    assert len(responses) == len(set(responses)) == HOSTS * PAGES + BUDGET
    assert sum(ENDLESS in url for url in responses) == BUDGET
    files = [str(path) for path in data.glob("crawls/*/*.warc.gz")]
    subprocess.run([sys.executable, "-m", "warcio.cli", "check", *files], check=True)


def recorded(data: Path) -> list[tuple[str, str]]:
    """Kind and URL of the records in all files, the open one included."""
    files = sorted(data.glob("crawls/*/*.warc.gz*"))
    return [
        (kind, warc["WARC-Target-URI"])
        for file in files
        for kind, warc, _, _, _ in records(file)
        if kind != "warcinfo"
    ]


def whole_records(data: Path) -> set[str]:
    """URLs of the responses in files that a kill may have left with a broken tail."""
    try:
        return {url for kind, url in recorded(data) if kind == "response"}
    except Exception:  # what warcio makes of the tail does not matter here
        return set()


def test_a_crawl_killed_many_times_fetches_everything_once(tmp_path: Path, server: Server) -> None:
    data = tmp_path / "data"
    asked = prepare(data, server)
    before: set[str] = set()
    for _ in range(KILLS):
        kill_after(server, random.randint(1, 40), start(data, *asked))
        before |= whole_records(data)
    inlink(data, dict(os.environ), "crawl", *asked)
    assert len(list((data / "crawls").iterdir())) == 1
    assert_complete(data)
    assert {url for kind, url in recorded(data) if kind == "response"} >= before
    asked_for = Counter(request.url for request in server.log if not request.is_robots)
    assert max(asked_for.values()) <= 1 + KILLS
    assert sum(asked_for.values()) <= HOSTS * PAGES + BUDGET + KILLS * (HOSTS + 1)


def test_a_crawl_that_is_interrupted_ends_and_goes_on(tmp_path: Path, server: Server) -> None:
    data = tmp_path / "data"
    asked = prepare(data, server)
    for number, arguments in ((signal.SIGINT, asked), (signal.SIGTERM, ["--resume"])):
        process = start(data, *arguments)
        wait_for_requests(server, 60, process)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 130
    inlink(data, dict(os.environ), "crawl", *asked)
    assert_complete(data)
    asked_for = Counter(request.url for request in server.log if not request.is_robots)
    assert max(asked_for.values()) == 1


def test_records_that_the_state_does_not_know_of_are_taken_for_fetched(
    tmp_path: Path, server: Server
) -> None:
    data = tmp_path / "data"
    asked = prepare(data, server)
    kill_after(server, 50, start(data, *asked))
    (state,) = data.glob("crawls/*/state")
    shutil.copytree(state, tmp_path / "before")
    kill_after(server, 40, start(data, *asked))
    shutil.rmtree(state)
    shutil.copytree(tmp_path / "before", state)
    (file,) = data.glob("crawls/*/*.open")
    with file.open("ab") as opened:  # as if the kill had come within a record
        opened.write(file.read_bytes()[:200])
    inlink(data, dict(os.environ), "crawl", *asked)
    assert_complete(data)
