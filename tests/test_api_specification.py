"""Every request that the specification shows, sent as it stands there.

The requests and the names of the rows are read from the text of the specification, which lies
beside a checkout. tests/test_api_samples*.py compare the values of the samples.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Row, Server, make_current, serving, write_generation

TASK = "CB8C36874702C69A767AC086AFD01B1B"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("specification")
    hosts = ("seopowersuite.com", "www.seopowersuite.com", "www.seopowersite.com")
    rows = [
        Row(f"https://blog.example/{scheme}-{host}-{day}", f"{scheme}://{host}/", day, lost=lost)
        for scheme in ("http", "https")
        for host in hosts
        for day, lost in (("2019-01-14", None), ("2019-01-15", "2019-01-16"))
    ]
    write_generation(data, 1, rows)
    make_current(data, 1)
    with serving(data) as server:
        yield server


@pytest.fixture(scope="module")
def text(shared: Path) -> str:
    text = (shared.parent / "spec" / "backlinks-api-v1.0.txt").read_text()
    return re.sub(r"seopowersui\nte\.com|seopower\nsuite\.com", "seopowersuite.com", text)


def sample_names(text: str, command: str) -> list[str]:
    """The names of the first row of a command's first sample answer that is whole."""
    section = re.split(r"\n\d+(?:\.\d)?\) (?=[a-z-]+\n)", text)
    (own,) = (part for part in section if part.startswith(f"{command}\n"))
    rows = re.search(r'\[\s*\{(?:\s*"\w+":\s*(?:"[^"]*"|[\w-]+),?)+\s*\}', own)
    assert rows, command
    return re.findall(r'"(\w+)":', rows[0])


def check(text: str, command: str, answer: Any) -> None:
    if command.startswith("download"):
        assert list(answer)[:2] == ["task_status", "task_id"]
        return
    rows = next(iter(answer.values()))
    assert rows, f"{command} answers without a row"
    names = sample_names(text, command)
    for row in rows:
        assert list(row) == names


def test_the_get_requests(text: str, server: Server) -> None:
    requests = re.findall(r"/backlinks/v1\.0/([a-z-]+)\?(ap[^\s`<]*target=[^\s`<]*)", text)
    assert len(requests) >= 18
    for command, query in requests:
        query = query.replace("XXX", "KEY").replace("&next=YYY", "")
        query = re.sub("&next=uaput.*", "", query)
        for order in ("&order_by=inlink_rank", ""):
            status, body = server.raw(query + order * ("order_by" not in query), command)
            if status == 200:
                break
        assert status == 200, (command, query, body)
        check(text, command, json.loads(body))


def test_the_post_requests(text: str, server: Server) -> None:
    pattern = r"/([a-z-]+)\?apikey=XXX&output=json>?\n(?:```\n|Post Data:\n|\s)*(\{[^}]*\})"
    requests = re.findall(pattern, text)
    assert len(requests) == 8
    for command, body in requests:
        answer = server.post(command, body.encode(), output="json")
        assert answer.status_code == 200, answer.text
        check(text, command, answer.json())


def test_the_status_request(text: str, server: Server) -> None:
    (query,) = re.findall(r"download-all-backlinks-status\?(\S+)", text)
    assert TASK in query
    status, body = server.raw(query.replace("XXX", "KEY"), "download-all-backlinks-status")
    assert status == 200
    expected = {"task_status": "task id is unknown or deleted", "task_id": TASK}
    assert json.loads(body) == expected
