"""The samples of the specification's commands about exports and about new and lost links.

Each is asked of a served index that holds what the sample shows; the expected rows are those that
the specification prints: names, order of names, types, empty strings and values.
"""

import csv
import gzip
import io
import json
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest

from inlink.store.layout import Layout
from tests.patience import PATIENCE, wait_until
from tests.serving import Row, Server, make_current, serving, write_generation

WWW = "https://www.seopowersuite.com/"

NEW_LOST_BACKLINKS = """
[
  {
    "new_lost_date": "2019-01-16",
    "new_lost_type": "new",
    "url_from": "http://seo.jouwlinkhier.nl/",
    "url_to": "https://www.seopowersuite.com/rank-tracker/",
    "title": "informatie over seo",
    "anchor": "Rank Tracker",
    "alt": "",
    "link_type": "href",
    "nofollow": false,
    "image": false,
    "image_source": "",
    "reason_lost": "",
    "inlink_rank": 21,
    "domain_inlink_rank": 24,
    "first_seen": "2019-01-16"
  },
  {
    "new_lost_date": "2019-01-17",
    "new_lost_type": "lost",
    "url_from": "http://www.seopowersuite.com/",
    "url_to": "https://seopowersuite.com/",
    "title": "",
    "anchor": "",
    "alt": "",
    "link_type": "redirect",
    "nofollow": false,
    "image": false,
    "image_source": "",
    "reason_lost": "broken_redirect",
    "inlink_rank": 0,
    "domain_inlink_rank": 68,
    "first_seen": "2016-10-26"
  }
]
"""

NEW_LOST_REFDOMAINS = """
{
  "new_lost_refdomains": [
    {
      "new_lost_date": "2019-07-17",
      "new_lost_type": "new",
      "refdomain": "seo.jouwlinkhier.nl",
      "backlinks": 1,
      "dofollow_backlinks": 1,
      "first_seen": "2016-10-26",
      "domain_inlink_rank": 24
    },
    {
      "new_lost_date": "2019-07-17",
      "new_lost_type": "lost",
      "refdomain": "martech.tools",
      "backlinks": 12,
      "dofollow_backlinks": 5,
      "first_seen": "2016-10-26",
      "domain_inlink_rank": 68
    }
  ]
}
"""

NEW_LOST_BACKLINKS_COUNT = """
{
  "new_lost_backlinks_count": [
    {"date": "2019-01-14", "new": 25, "lost": 14},
    {"date": "2019-01-15", "new": 0, "lost": 126},
    {"date": "2019-01-16", "new": 24, "lost": 1}
  ]
}
"""

NEW_LOST_REFDOMAINS_COUNT = """
{
  "new_lost_refdomains_count": [
    {"date": "2019-01-14", "new": 12, "lost": 0},
    {"date": "2019-01-15", "new": 120, "lost": 0},
    {"date": "2019-01-16", "new": 0, "lost": 0}
  ]
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("samples")) as server:
        yield server


def index(
    server: Server,
    rows: Iterable[Row],
    ranks: dict[str, int] | None = None,
    domain_ranks: dict[str, int] | None = None,
) -> None:
    """Have the server serve these rows, and no others."""
    number = len(Layout(server.data).generation_numbers()) + 1
    write_generation(server.data, number, rows, ranks, domain_ranks)
    make_current(server.data, number)
    wait_until(lambda: f"Serving generation {number}\n" in server.log.read_text())


def same(answered: bytes, expected: Any) -> bool:
    """Equal, the order of names included."""
    return json.dumps(json.loads(answered)) == json.dumps(expected)


def get(server: Server, command: str, query: str) -> bytes:
    status, body = server.raw(f"apikey=KEY&{query}", command)
    assert status == 200, body
    return body


def test_get_new_lost_backlinks(server: Server) -> None:
    new, lost = json.loads(NEW_LOST_BACKLINKS)
    rows = [
        Row(
            new["url_from"],
            new["url_to"],
            new["first_seen"],
            title=new["title"],
            anchor=new["anchor"],
        ),
        Row(
            lost["url_from"],
            lost["url_to"],
            lost["first_seen"],
            link_type="redirect",
            lost="2019-01-17",
            reason_lost="broken_redirect",
        ),
    ]
    ranks = {new["url_from"]: 21, lost["url_from"]: 0}
    index(server, rows, ranks, {"jouwlinkhier.nl": 24, "seopowersuite.com": 68})
    days = "date_from=2019-01-14&date_to=2019-01-16"
    target = "target=https://www.seopowersuite.com&mode=domain"
    command = "get-new-lost-backlinks"
    answer = get(server, command, f"{target}&{days}&&output=json")
    assert same(answer, {"new_lost_backlinks": [new]})
    body = {
        "target": "https://www.seopowersuite.com",
        "mode": "domain",
        "date_from": "2019-01-14",
        "date_to": "2019-01-16",
    }
    assert server.post(command, body, output="json").content == answer
    later = "date_from=2019-01-14&date_to=2019-08-28"
    both = get(server, command, f"{target}&{later}&output=json")
    assert same(both, {"new_lost_backlinks": [lost, new]})  # most recent first
    filters = "new_lost_type=new&link_type=href&anchor_type=text&dofollow=dofollow"
    answer = get(server, command, f"{target}&{filters}&{later}&output=json")
    assert same(answer, {"new_lost_backlinks": [new]})
    answer = get(server, command, f"{target}&{later}&url_from=http://seo.jouwlinkhier.nl/path")
    assert same(answer, {"new_lost_backlinks": [new]})


def test_get_new_lost_refdomains(server: Server) -> None:
    came = "2019-07-17"
    rows = [
        Row("http://seo.jouwlinkhier.nl/", WWW, "2016-10-26", found=came),
        *(
            Row(
                f"http://martech.tools/{page}",
                WWW,
                f"2016-10-{26 + page % 3}",
                found="2016-11-01",
                lost=came if page == 0 else f"2019-06-{page:02}",
                nofollow=page >= 5,
            )
            for page in range(12)
        ),
    ]
    index(server, rows, None, {"jouwlinkhier.nl": 24, "martech.tools": 68})
    expected = json.loads(NEW_LOST_REFDOMAINS)
    command = "get-new-lost-refdomains"
    query = (
        "target=https://www.seopowersuite.com&mode=domain"
        "&date_from=2019-01-14&date_to=2019-08-28&output=json"
    )
    assert same(get(server, command, query), expected)
    new = {"new_lost_refdomains": expected["new_lost_refdomains"][:1]}
    assert same(get(server, command, f"{query}&new_lost_type=new"), new)
    body = {
        "target": "https://www.seopowersuite.com",
        "mode": "domain",
        "new_lost_type": "new",
        "date_from": "2019-01-04",
        "date_to": "2019-08-28",
    }
    assert same(server.post(command, body, output="json").content, new)


def test_get_new_lost_backlinks_count(server: Server) -> None:
    days = json.loads(NEW_LOST_BACKLINKS_COUNT)["new_lost_backlinks_count"]
    rows = [
        Row(f"https://blog.example/{day['date']}/{kind}/{number}", WWW, "2018-01-01", **when)
        for day in days
        for kind, when in (("new", {"found": day["date"]}), ("lost", {"lost": day["date"]}))
        for number in range(day[kind])
    ]
    index(server, rows)
    command = "get-new-lost-backlinks-count"
    answer = get(
        server,
        command,
        "target=https://www.seopowersuite.com&mode=domain"
        "&date_from=2019-01-14&date_to=2019-01-16&output=json",
    )
    assert same(answer, json.loads(NEW_LOST_BACKLINKS_COUNT))
    body = {
        "target": "https://www.seopowersuite.com",
        "mode": "domain",
        "date_from": "2019-01-14",
        "date_to": "2019-01-16",
    }
    assert server.post(command, body, output="json").content == answer


def test_get_new_lost_refdomains_count(server: Server) -> None:
    days = json.loads(NEW_LOST_REFDOMAINS_COUNT)["new_lost_refdomains_count"]
    rows = [
        Row(f"https://blog{number}.of-{day['date']}.example/", WWW, day["date"])
        for day in days
        for number in range(day["new"])
    ]
    rows += [Row("https://gone.example/", WWW, "2018-01-01", lost="2019-01-15")]
    index(server, rows)
    command = "get-new-lost-refdomains-count"
    answer = get(
        server,
        command,
        "target=https://www.seopowersuite.com/&mode=url&new_lost_type=new"
        "&date_from=2019-01-14&date_to=2019-01-16&&output=json",
    )
    assert same(answer, json.loads(NEW_LOST_REFDOMAINS_COUNT))
    body = {
        "target": WWW,
        "mode": "url",
        "new_lost_type": "new",
        "date_from": "2019-01-14",
        "date_to": "2019-01-16",
    }
    assert server.post(command, body, output="json").content == answer


def test_download_all_backlinks(server: Server) -> None:
    rows = [
        Row("https://blog.example/", "http://seopowersuite.com/", title="Blog", anchor='a, "b"'),
        Row("https://other.example/", "http://www.seopowersuite.com/x", ip="192.0.2.1"),
    ]
    index(server, rows)
    body = get(
        server,
        "download-all-backlinks",
        "target=http://seopowersuite.com&mode=domain&output=json",
    )
    queued = json.loads(body)
    assert list(queued) == ["task_status", "task_id"]
    assert queued["task_status"] == "queued_for_processing"
    assert re.fullmatch("[0-9A-F]{32}", queued["task_id"])  # as in the sample
    done = finished(server, queued["task_id"])
    assert list(done) == ["task_status", "task_id", "download_file"]
    assert done["task_id"] == queued["task_id"]
    pattern = rf"http://127\.0\.0\.1:{server.port}/export/seopowersuite\.com-\w+\.csv\.gz"
    assert re.fullmatch(pattern, done["download_file"])
    file = httpx.get(done["download_file"])  # without a key
    assert file.status_code == 200
    exported = list(csv.DictReader(io.StringIO(gzip.decompress(file.content).decode())))
    shown = json.loads(get(server, "get-raw-backlinks", "target=seopowersuite.com&mode=domain"))
    assert [row["url_from"] for row in exported] == [row["url_from"] for row in shown["backlinks"]]
    assert list(exported[0]) == list(shown["backlinks"][0])
    assert exported[0]["anchor"] == 'a, "b"'


def finished(server: Server, task: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        query = f"task_id={task}&output=json"
        answer: dict[str, Any] = json.loads(get(server, "download-all-backlinks-status", query))
        if answer["task_status"] == "complete":
            return answer
        assert answer["task_status"] in ("queued_for_processing", "processing")
        assert list(answer) == ["task_status", "task_id"]
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
