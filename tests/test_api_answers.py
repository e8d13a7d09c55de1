"""What single answers say, where the specification's words and samples decide it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import Row, Server, make_current, serving, write_generation

TARGET = "https://www.seopowersuite.com/"

# The sample of get-new-lost-refdomains: found on 2019-07-17, first seen on 2016-10-26.
BACK, OTHER_PAGE = "http://seo.jouwlinkhier.nl/", "http://martech.tools/"
ROWS = [
    Row(BACK, TARGET, "2016-10-26", lost="2017-03-01"),
    Row(BACK, TARGET, "2016-10-26", found="2019-07-17"),
    Row(f"{OTHER_PAGE}old", TARGET, "2016-10-26", lost="2018-01-01"),
    Row(f"{OTHER_PAGE}new", TARGET, "2019-05-01", lost="2019-07-17"),
    Row("https://steady.example/", TARGET, "2018-06-01"),
    Row("https://www.steady.example/", TARGET, "2019-07-16"),
    Row("https://a.www.steady.example/", TARGET, "2019-07-15"),
]
RANKS = {TARGET: 30, f"{TARGET}deep": 70, "https://seopowersuite.com/": 20, BACK: 1}
DOMAIN_RANKS = {"seopowersuite.com": 68}
DAYS = {"date_from": "2016-01-01", "date_to": "2019-12-31"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("answers")
    write_generation(data, 1, ROWS, RANKS, DOMAIN_RANKS)
    make_current(data, 1)
    with serving(data) as running:
        yield running


def get(server: Server, command: str, **parameters: Any) -> dict[str, Any]:
    answer = server.get(command, **{"target": TARGET, "mode": "domain"} | parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_referring_domain_is_first_seen_when_any_of_its_links_ever_was(server: Server) -> None:
    rows = get(server, "get-new-lost-refdomains", **DAYS)["new_lost_refdomains"]
    told = [
        (row["new_lost_date"], row["new_lost_type"], row["refdomain"], row["first_seen"])
        for row in rows
    ]
    assert ("2019-07-17", "new", "seo.jouwlinkhier.nl", "2016-10-26") in told
    assert ("2019-07-17", "lost", "martech.tools", "2016-10-26") in told
    assert ("2019-05-01", "new", "martech.tools", "2016-10-26") in told
    assert ("2017-03-01", "lost", "seo.jouwlinkhier.nl", "2016-10-26") in told
    assert all(first_seen <= day for day, _, _, first_seen in told)


def test_what_came_back_is_found_when_it_came_back(server: Server) -> None:
    links = get(server, "get-backlinks", order_by="date_found")["backlinks"]
    assert [(row["url_from"], row["first_seen"]) for row in links] == [
        (BACK, "2016-10-26"),
        ("https://www.steady.example/", "2019-07-16"),
        ("https://a.www.steady.example/", "2019-07-15"),
        ("https://steady.example/", "2018-06-01"),
    ]
    hosts = get(server, "get-refdomains", order_by="date_found")["refdomains"]
    assert [row["refdomain"] for row in hosts] == [
        "seo.jouwlinkhier.nl",
        "www.steady.example",
        "a.www.steady.example",
        "steady.example",
    ]
    assert hosts[0]["first_seen"] == "2016-10-26"


@pytest.mark.parametrize("mode", ["domain", "host", "url"])
@pytest.mark.parametrize(
    "target",
    [TARGET, "seopowersuite.com", "www.seopowersuite.com", f"{TARGET}deep", "seopowersuite.com/x"],
)
def test_a_summary_has_the_ranks_of_its_target(server: Server, target: str, mode: str) -> None:
    (summary,) = get(server, "get-summary", target=target, mode=mode)["summary"]
    (ranks,) = get(server, "get-inlink-rank", target=target)["pages"]
    for name in ("inlink_rank", "domain_inlink_rank"):
        assert summary[name] == ranks[name]


def test_the_ranks_of_the_made_index_differ(server: Server) -> None:
    """Else the test before could not fail."""
    targets = [TARGET, "seopowersuite.com", f"{TARGET}deep", "seopowersuite.com/x"]
    pages = get(server, "get-inlink-rank", target=targets)["pages"]
    assert [page["inlink_rank"] for page in pages] == [30, 20, 70, -1]


@pytest.mark.parametrize("target", ["*.seopowersuite.com", "*.seopowersuite.com/*"])
def test_a_wildcard_is_a_domain(server: Server, target: str) -> None:
    for command, name in (("get-metrics", "metrics"), ("get-summary", "summary")):
        (wild,) = get(server, command, target=target)[name]
        (domain,) = get(server, command, target="seopowersuite.com")[name]
        assert wild == domain | {"target": target}
        assert wild["backlinks"] == 4
    for command, mode in (("get-metrics", "host"), ("get-metrics", "url"), ("get-inlink-rank", "")):
        answer = server.get(command, target=target, mode=mode)
        assert answer.status_code == 400
        assert "in mode domain" in answer.json()["error"]["description"]


@pytest.mark.parametrize("target", ["a.com,b.com", "a..com", '"a.com"', "a.com;b.com", "*a.com"])
def test_no_host_name_is_refused_by_every_command_that_has_a_target(
    server: Server, target: str
) -> None:
    for command in ("get-metrics", "get-backlinks", "get-inlink-rank", "get-new-lost-refdomains"):
        for mode in ("domain", "host", "url"):
            answer = server.get(command, target=target, mode=mode)
            assert answer.status_code == 400
            assert "is not a host name" in answer.json()["error"]["description"]


@pytest.mark.parametrize(
    ("url_from", "hosts"),
    [
        ("steady.example", ["steady.example", "www.steady.example", "a.www.steady.example"]),
        ("www.steady.example", ["www.steady.example", "a.www.steady.example"]),
        ("https://www.steady.example/path", ["www.steady.example", "a.www.steady.example"]),
        ("a.www.steady.example", ["a.www.steady.example"]),
        ("http://seo.jouwlinkhier.nl/path", ["seo.jouwlinkhier.nl"]),  # the specification's sample
        ("jouwlinkhier.nl", ["seo.jouwlinkhier.nl"]),
        ("www.jouwlinkhier.nl", []),
    ],
)
def test_url_from_is_exactly_a_host_and_what_is_beneath(
    server: Server, url_from: str, hosts: list[str]
) -> None:
    asked = {"url_from": url_from, "new_lost_type": "new", **DAYS}
    rows = get(server, "get-new-lost-backlinks", **asked)["new_lost_backlinks"]
    assert {row["url_from"].split("/")[2] for row in rows} == set(hosts)
    days = get(server, "get-new-lost-backlinks-count", **asked)["new_lost_backlinks_count"]
    assert sum(day["new"] for day in days) == len(rows)


def test_url_from_that_is_no_host_name_is_refused(server: Server) -> None:
    answer = server.get("get-new-lost-backlinks", target=TARGET, url_from="a.com,b.com")
    assert answer.status_code == 400
    assert "'a.com,b.com' is not a host name" in answer.json()["error"]["description"]
