"""Every rule of every parameter, over HTTP.

The ranges and enumerations are asked of every command at both faces; what each parameter does is
told by one or two commands that have it.
"""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serving import Row, Server, make_current, serving, write_generation
from tests.test_api_openapi import PATHS, SUCCESSOR

COMMANDS = ("get-metrics", "get-inlink-rank", "get-backlinks", "get-refdomains")
LISTS = ("get-backlinks", "get-refdomains", "get-raw-backlinks")
KEYS = {"get-refdomains": "refdomains"}

SHOP = "https://shop.example/"
ROWS = [
    # host, page, destination, found, rank of the page, rank of the domain
    ("alpha.example", "/1", SHOP, "2026-01-05", 10, 50),
    ("alpha.example", "/2", SHOP, "2026-01-03", 30, 50),
    ("alpha.example", "/3", "https://shop.example/sale?a=b+c", "2026-01-01", 20, 50),
    ("beta.example", "/", SHOP, "2026-01-04", 40, 20),
    ("gamma.example", "/", "https://www.shop.example/", "2026-01-02", 50, 80),
    ("delta.example", "/", "https://xn--bcher-kva.example/", "2026-01-02", 0, 0),
    ("delta.example", "/", "http://latin.example/caf%E9", "2026-01-02", 0, 0),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("parameters")
    rows = [Row(f"https://{host}{path}", target, found) for host, path, target, found, *_ in ROWS]
    pages = {f"https://{host}{path}": rank for host, path, _, _, rank, _ in ROWS}
    domains = {host: rank for host, *_, rank in ROWS}
    ranks = pages | {SHOP: 77}, domains | {"shop.example": 88}
    write_generation(data, 1, rows, *ranks, rank_days=["2026-01-05"])
    make_current(data, 1)
    with serving(data) as server:
        yield server


def rows(answer: httpx.Response) -> list[dict[str, Any]]:
    """The rows of a list command's answer."""
    assert answer.status_code == 200, answer.text
    (listed,) = (value for name, value in answer.json().items() if name != "next")
    assert isinstance(listed, list)
    return listed


def sources(answer: httpx.Response) -> list[str]:
    """What links, in short: the name and page of each row."""
    return [
        row["url_from"].removeprefix("https://").replace(".example/", "") for row in rows(answer)
    ]


def refused(answer: httpx.Response, parameter: str, what: str = "invalid") -> str:
    """The description of a 400 that names *parameter*."""
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["message"] == f"Parameter {parameter} is {what}."
    assert error["description"]
    return str(error["description"])


def backlinks(server: Server, query: str) -> int:
    """The count that get-metrics gives for a query string sent as it is."""
    status, body = server.raw(query)
    assert status == 200, body
    (metrics,) = json.loads(body)["metrics"]
    return int(metrics["backlinks"])


# target and mode


@pytest.mark.parametrize(
    ("mode", "count"), [("url", 3), ("host", 4), ("domain", 5), ("", 4), (None, 4)]
)
def test_mode_is_host_unless_given(server: Server, mode: str | None, count: int) -> None:
    given = {} if mode is None else {"mode": mode}
    answer = server.get("get-metrics", target=SHOP, **given)
    assert answer.json()["metrics"][0]["backlinks"] == count
    for command in ("get-backlinks", "get-raw-backlinks"):
        assert len(rows(server.get(command, target=SHOP, **given))) == count


@pytest.mark.parametrize("command", ["get-metrics", *LISTS])
@pytest.mark.parametrize("mode", ["Domain", "subdomain", "host ", "1"])
def test_an_unknown_mode_is_refused(server: Server, command: str, mode: str) -> None:
    description = refused(server.get(command, target=SHOP, mode=mode), "mode")
    assert all(f'"{valid}"' in description for valid in ("domain", "host", "url"))


@pytest.mark.parametrize("command", [*COMMANDS, "get-raw-backlinks"])
@pytest.mark.parametrize("given", [{}, {"target": ""}])
def test_the_target_has_to_be_given(server: Server, command: str, given: dict[str, str]) -> None:
    refused(server.get(command, **given), "target", "missing")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("body", [{}, {"target": ""}, {"target": None}])
def test_the_target_has_to_be_posted(server: Server, command: str, body: dict[str, Any]) -> None:
    refused(server.post(command, body), "target", "missing")
    refused(server.post(command, body, target=SHOP), "target", "missing")


@pytest.mark.parametrize("command", [*COMMANDS, "get-raw-backlinks"])
@pytest.mark.parametrize("target", ["ftp://shop.example/", "no-dot", "a b", "http://", "[", "/"])
def test_what_cannot_be_a_target_is_refused(server: Server, command: str, target: str) -> None:
    refused(server.get(command, target=target), "target")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("target", [7, True, {"url": SHOP}, [SHOP, 7], [[SHOP]]])
def test_a_target_is_text(server: Server, command: str, target: Any) -> None:
    refused(server.post(command, {"target": target}), "target")


# how the query string is written


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("apikey=KEY&target=https://shop.example/&mode=url&output=json", 3),
        ("apiKey=KEY&target=shop.example", 4),
        ("apikey=KEY&apiKey=KEY&target=shop.example", 4),
        ("&&apikey=KEY&&&target=shop.example&&output=json&", 4),
        ("target=shop.example&mode=&output=&apikey=KEY", 4),
        ("target=shop.example&mode&apikey=KEY", 4),
        ("apikey=KEY&target=https%3A%2F%2Fshop.example%2F&mode=%75rl", 3),
        ("apikey=KEY&target=shop.example&colour=red&limit=none&next=x", 4),
        ("apikey=KEY&target=shop.example&target=shop.example".replace("&target", "&Target", 1), 4),
        ("apikey=KEY&target=https://shop.example/sale?a=b+c&mode=url", 1),
        ("apikey=KEY&target=https://shop.example/sale?a=b%2Bc&mode=url", 1),
        ("apikey=KEY&target=https://xn--bcher-kva.example", 1),
        ("apikey=KEY&target=https://b%C3%BCcher.example", 1),
        ("apikey=KEY&target=http://latin.example/caf%E9&mode=url", 1),
        ("apikey=KEY&target=http://latin.example/caf%25E9&mode=url", 1),
        ("apikey=KEY&target=HTTPS://SHOP.EXAMPLE:443", 4),
    ],
)
def test_query_strings_as_clients_write_them(server: Server, query: str, count: int) -> None:
    assert backlinks(server, query) == count


@pytest.mark.parametrize(
    ("name", "values"),
    [("mode", ["host", "url"]), ("apikey", ["a", "b"]), ("output", ["json", "xml"])],
)
def test_a_parameter_has_one_value(server: Server, name: str, values: list[str]) -> None:
    for command in ("get-metrics", "get-backlinks"):
        refused(server.get(command, **{"target": SHOP, name: values}), name)
        same = server.key if name == "apikey" else values[0]
        assert server.get(command, **{"target": SHOP, name: [same, same]}).status_code == 200


@pytest.mark.parametrize("command", LISTS)
def test_lists_take_one_target(server: Server, command: str) -> None:
    refused(server.get(command, target=[SHOP, "beta.example"]), "target")
    refused(server.get(command, target=json.dumps([SHOP, "beta.example"])), "target")
    if command != "get-raw-backlinks":
        refused(server.post(command, {"target": [SHOP, "beta.example"]}), "target")


# batches


@pytest.mark.parametrize(
    ("command", "echo"), [("get-metrics", "target"), ("get-inlink-rank", "url")]
)
def test_batches_answer_in_order_and_echo_what_was_sent(
    server: Server, command: str, echo: str
) -> None:
    targets = ["HTTPS://Shop.example", "beta.example/x", "shop.example", "beta.example/x"]
    single = [server.get(command, target=target).json() for target in targets]
    answers = [
        server.get(command, target=targets),
        server.get(command, target=json.dumps(targets)),
        server.post(command, {"target": targets}),
        server.post(command, {"target": json.dumps(targets)}),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        ((name, items),) = answer.json().items()
        assert [item[echo] for item in items] == targets
        assert items == [one[name][0] for one in single]


@pytest.mark.parametrize("command", ["get-metrics", "get-inlink-rank"])
def test_a_batch_has_at_most_a_hundred_targets(server: Server, command: str) -> None:
    targets = [f"site{number}.example" for number in range(101)]
    for body in ({"target": targets[:100]}, {"target": json.dumps(targets[:100])}):
        ((_, items),) = server.post(command, body).json().items()
        assert len(items) == 100
    refused(server.post(command, {"target": targets}), "target")
    refused(server.post(command, {"target": json.dumps(targets)}), "target")
    refused(server.get(command, target=targets), "target")
    assert server.get(command, target=targets[:100]).status_code == 200
    refused(server.post(command, {"target": []}), "target")


def test_one_bad_target_refuses_the_batch_and_is_named(server: Server) -> None:
    assert "ftp" in refused(server.post("get-metrics", {"target": [SHOP, "ftp://x.y"]}), "target")
    refused(server.post("get-metrics", {"target": [SHOP, ""]}), "target")


def test_a_single_target_may_be_an_ipv6_address(server: Server) -> None:
    answer = server.get("get-metrics", target="[2001:db8::1]")
    assert answer.json()["metrics"][0]["target"] == "[2001:db8::1]"


def test_ranks_are_those_of_the_url_and_of_its_domain(server: Server) -> None:
    targets = [SHOP, "shop.example", "http://shop.example/", "https://www.shop.example/new"]
    pages = server.get("get-inlink-rank", target=targets, mode="nonsense").json()["pages"]
    assert [(page["inlink_rank"], page["domain_inlink_rank"]) for page in pages] == [
        (77, 88),
        (77, 88),
        (-1, 88),
        (-1, 88),
    ]
    (unknown,) = server.get("get-inlink-rank", target="unknown.example").json()["pages"]
    assert list(unknown.values()) == ["unknown.example", -1, -1]


# limit, order_by, per_domain


@pytest.mark.parametrize(
    ("command", "most"),
    [("get-backlinks", 10_000), ("get-refdomains", 10_000), ("get-raw-backlinks", 100_000)],
)
def test_limit_has_its_range(server: Server, command: str, most: int) -> None:
    for limit in (0, -1, most + 1, 10**30, "ten", "1.5", "0x10", "1,000", "1 000", "null", "true"):
        description = refused(server.get(command, target=SHOP, limit=limit), "limit")
        assert f"from 1 to {most:,}" in description
    for limit in (1, most, ""):
        assert server.get(command, target=SHOP, limit=limit).status_code == 200
    assert len(rows(server.get(command, target=SHOP, limit=1))) == 1


@pytest.mark.parametrize("command", ["get-backlinks", "get-refdomains"])
def test_posted_numbers_are_numbers_or_their_digits(server: Server, command: str) -> None:
    for limit in (1, "1"):
        assert len(rows(server.post(command, {"target": SHOP, "limit": limit}))) == 1
    for absent in (None, ""):
        assert len(rows(server.post(command, {"target": SHOP, "limit": absent}))) > 1
    wrong: Any
    for wrong in (0, 10_001, True, False, 1.5, [1], {}, "x"):
        refused(server.post(command, {"target": SHOP, "limit": wrong}), "limit")


# every parameter of every command

FIRST = {"target": SHOP, "task_id": "0"}
TAKEN = [
    (path, name, schema)
    for path, (_, taken) in PATHS.items()
    for name, schema in taken.items()
    if name not in ("target", "task_id", "next")
]
by_path = pytest.mark.parametrize("path", PATHS)
each = pytest.mark.parametrize(
    ("path", "name", "schema"), TAKEN, ids=lambda value: value if isinstance(value, str) else ""
)


def asked(server: Server, path: str, **given: Any) -> list[httpx.Response]:
    """What GET, and POST if it is there, answer to *given* and to what has to be given."""
    values = {name: one for name, one in FIRST.items() if name in PATHS[path][1]} | given
    answers = [server.client.get(path, params={"apikey": server.key} | values)]
    posted = server.client.post(path, params={"apikey": server.key}, json=values)
    return answers if posted.status_code == 405 else [*answers, posted]


def good_and_wrong(name: str, schema: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Values at the edges of what a parameter takes, and just beyond."""
    if "enum" in schema:
        words = schema["enum"]
        return words, ["nonsense", "1", *(f"{word} " for word in words), *map(str.upper, words)]
    if schema["type"] == "integer":
        low, high = schema["minimum"], schema["maximum"]
        return [low, high], [low - 1, high + 1, 10**30, "ten", "1.5", "0x10", "1,0", "true", "null"]
    if schema.get("format") == "date":
        given = ["2019-02-28", "2020-02-29"]
        if name == "date_to":  # without date_from it begins yesterday
            given = ["9998-12-31"]
        wrong = ["2026-02-30", "2025-02-29", "26-02-28", "20260228", "2026-2-8", "today"]
        return given, [*wrong, "0000-01-01", "10000-01-01", "2026-02-28T00:00:00", "2026-02-28 "]
    if name == "url_from":
        return ["shop.example", "https://a.b.shop.example/x?y#z"], ["no-dot", "co.uk", "ftp://a.b"]
    return ["x", "x" * schema["maxLength"]], ["x" * (schema["maxLength"] + 1)]


@each
def test_a_value_is_taken_or_refused(
    server: Server, path: str, name: str, schema: dict[str, Any]
) -> None:
    good, wrong = good_and_wrong(name, schema)
    if name == "date_to" and path in COUNTS:
        good = []  # so many days are not counted: see below
    for value in [*good, ""]:
        for answer in asked(server, path, **{name: value}):
            assert answer.status_code == 200, (value, answer.text)
    for value in wrong:
        for answer in asked(server, path, **{name: value}):
            description = refused(answer, name)
            for word in schema.get("enum", []):
                assert f'"{word}"' in description


@each
def test_a_posted_value_has_its_type(
    server: Server, path: str, name: str, schema: dict[str, Any]
) -> None:
    number = schema.get("type") == "integer"
    wrong = [True, False, 1.5, [], {}, ["x"], {"x": 1}] + ([] if number else [1])
    for value in wrong:
        for answer in asked(server, path, **{name: value})[1:]:
            refused(answer, name)
    for absent in (None, ""):
        for answer in asked(server, path, **{name: absent})[1:]:
            assert answer.status_code == 200
    if number:
        for one in asked(server, path, **{name: "1"})[1:]:
            assert one.content == asked(server, path, **{name: 1})[1].content


@each
def test_a_value_is_given_once(
    server: Server, path: str, name: str, schema: dict[str, Any]
) -> None:
    good, wrong = good_and_wrong(name, schema)
    refused(asked(server, path, **{name: [good[0], wrong[0]]})[0], name)
    if name != "date_to":
        assert asked(server, path, **{name: [good[0], good[0]]})[0].status_code == 200


@by_path
def test_other_parameters_are_ignored(server: Server, path: str) -> None:
    """Also those that other commands have."""
    names = {"colour", "Mode", "LIMIT"} | {name for _, name, _ in TAKEN} - PATHS[path][1].keys()
    asked(server, path)  # an export is queued; every further one is answered with that
    plain = asked(server, path)
    for name in names:
        for answer, expected in zip(asked(server, path, **{name: "\\"}), plain, strict=True):
            assert answer.status_code == 200
            assert answer.json() == expected.json() or "export" in path or "download" in path


@pytest.mark.parametrize("command", ["get-metrics", "get-summary", "get-page-inlink-rank"])
def test_the_limits_of_a_batch_hold_at_both_faces(server: Server, command: str) -> None:
    later = {"get-metrics": "metrics", "get-summary": "summary"}.get(command, "authority/page")
    for path in (f"/backlinks/v1.0/{command}", f"{SUCCESSOR}/{later}"):
        for answer in asked(server, path, target=["nobody.example"] * 100):
            assert len(next(iter(answer.json().values()))) == 100
        for answer in asked(server, path, target=["nobody.example"] * 101):
            assert "1 to 100" in refused(answer, "target")


def test_a_list_is_as_long_as_its_default_limit(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each command that has a limit, at both faces, over a target with more than all of them."""
    data = tmp_path_factory.mktemp("limits")
    rows = [
        Row(
            f"https://h{number}.blog{number}.example/",
            f"https://many.example/{number}",
            anchor=f"anchor {number}",
            ip=f"10.0.{number // 250}.{number % 250}",
        )
        for number in range(1200)
    ]
    write_generation(data, 1, rows)
    make_current(data, 1)
    days = {"date_from": "2026-01-01", "date_to": "2026-01-01"}
    with serving(data) as many:
        for path, (name, taken) in PATHS.items():
            if "limit" in taken:
                expected = min(taken["limit"]["default"], len(rows))
                given = {name: day for name, day in days.items() if name in taken}
                for answer in asked(many, path, target="many.example", **given):
                    assert len(next(iter(answer.json().values()))) == expected, (path, name)


# days

DAYS = [path for path, (_, taken) in PATHS.items() if "date_from" in taken]
COUNTS = [path for path in DAYS if "count" in path or path.endswith("cumulative")]
RANKS = [path for path in DAYS if "authority" in path]


def listed(answer: httpx.Response) -> list[dict[str, Any]]:
    """The rows of any list."""
    assert answer.status_code == 200, answer.text
    (found,) = answer.json().values()
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("path", DAYS)
def test_the_first_day_is_not_after_the_last(server: Server, path: str) -> None:
    for answer in asked(server, path, date_from="2026-01-02", date_to="2026-01-01"):
        assert "2026-01-02" in refused(answer, "date_from")
    for answer in asked(server, path, date_from="9999-12-31"):
        assert "9999-12-31" in refused(answer, "date_from")
    if path not in RANKS:
        for answer in asked(server, path, date_to="2026-01-01"):
            assert "yesterday" in refused(answer, "date_from")
    for answer in asked(server, path, date_from="2026-01-03", date_to="2026-01-03"):
        assert answer.status_code == 200


@pytest.mark.parametrize("path", COUNTS)
def test_a_hundred_years_may_be_counted(server: Server, path: str) -> None:
    for first, last in (("1926-01-02", "2026-01-01"), ("0001-01-01", "0100-12-31")):
        for answer in asked(server, path, date_from=first, date_to=last):
            rows = listed(answer)
            assert (rows[0]["date"], rows[-1]["date"]) == (first, last)
            days = dt.date.fromisoformat(last) - dt.date.fromisoformat(first)
            assert len(rows) == days.days + 1
    for answer in asked(server, path, date_from="9999-12-30", date_to="9999-12-31"):
        assert [row["date"] for row in listed(answer)] == ["9999-12-30", "9999-12-31"]
    for answer in asked(server, path, date_from="1926-01-01", date_to="2026-01-01"):
        assert "36,526 days; valid are at most 36,525" in refused(answer, "date_from")


@pytest.mark.parametrize("path", [path for path in DAYS if path not in COUNTS])
def test_all_days_may_be_listed(server: Server, path: str) -> None:
    for answer in asked(server, path, date_from="0001-01-01", date_to="9999-12-31"):
        assert listed(answer)


@pytest.mark.parametrize("path", COUNTS)
def test_without_days_it_is_yesterday_and_today(server: Server, path: str) -> None:
    for answer in asked(server, path):
        days = [dt.date.fromisoformat(row["date"]) for row in listed(answer)]
        today = dt.datetime.now(dt.UTC).date()
        assert days[0] + dt.timedelta(days=1) == days[1]
        assert days[1] in (today, today - dt.timedelta(days=1))  # midnight may have come between
        assert len(days) == 2


BY_DATE = ["alpha1", "beta", "alpha2", "gamma", "alpha3"]
BY_PAGE = ["gamma", "beta", "alpha2", "alpha3", "alpha1"]
BY_DOMAIN = ["gamma", "alpha1", "alpha2", "alpha3", "beta"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", BY_DATE),
        ("date_found", BY_DATE),
        ("inlink_rank", BY_PAGE),
        ("domain_inlink_rank", BY_DOMAIN),
    ],
)
def test_backlinks_come_in_the_order_asked_for(
    server: Server, order: str, expected: list[str]
) -> None:
    asked = {"target": SHOP, "mode": "domain", "order_by": order}
    for answer in (server.get("get-backlinks", **asked), server.post("get-backlinks", asked)):
        assert sources(answer) == expected
    assert sources(server.get("get-backlinks", **asked, limit=2)) == expected[:2]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # first_seen of a domain is that of its oldest link: beta 4th, gamma 2nd, alpha 1st
        ("", ["beta", "gamma", "alpha"]),
        ("date_found", ["beta", "gamma", "alpha"]),
        ("inlink_rank", ["gamma", "beta", "alpha"]),
        ("domain_inlink_rank", ["gamma", "alpha", "beta"]),
    ],
)
def test_refdomains_come_in_the_order_asked_for(
    server: Server, order: str, expected: list[str]
) -> None:
    asked = {"target": SHOP, "mode": "domain", "order_by": order}
    for answer in (server.get("get-refdomains", **asked), server.post("get-refdomains", asked)):
        names = [row["refdomain"].removesuffix(".example") for row in rows(answer)]
        assert names == expected


@pytest.mark.parametrize("command", ["get-backlinks", "get-refdomains"])
@pytest.mark.parametrize("order", ["Date_found", "rank", "date_found,inlink_rank"])
def test_an_unknown_order_is_refused(server: Server, command: str, order: str) -> None:
    description = refused(server.get(command, target=SHOP, order_by=order), "order_by")
    for valid in ("date_found", "domain_inlink_rank", "inlink_rank"):
        assert f'"{valid}"' in description


def test_per_domain_caps_each_referring_domain(server: Server) -> None:
    asked = {"target": SHOP, "mode": "domain"}
    for cap, expected in ((1, ["alpha1", "beta", "gamma"]), (2, BY_DATE[:4]), ("", BY_DATE)):
        assert sources(server.get("get-backlinks", **asked, per_domain=cap)) == expected
        assert sources(server.post("get-backlinks", asked | {"per_domain": cap})) == expected
    for wrong in (0, 101, -1, "all"):
        description = refused(server.get("get-backlinks", **asked, per_domain=wrong), "per_domain")
        assert "from 1 to 100" in description
    refused(server.post("get-backlinks", asked | {"per_domain": True}), "per_domain")
    assert len(rows(server.get("get-refdomains", **asked, per_domain=0))) == 3  # not its parameter


# next


def test_pages_follow_each_other_without_gap_or_double(server: Server) -> None:
    whole = sources(server.get("get-raw-backlinks", target=SHOP, mode="domain"))
    assert sorted(whole) == sorted(BY_DATE)
    for limit in (1, 2, 4):
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            answer = server.get(
                "get-raw-backlinks", target=SHOP, mode="domain", limit=limit, **more
            )
            found += sources(answer)
            if "next" not in answer.json():
                break
            more = {"next": answer.json()["next"]}
        assert found == whole


def test_a_page_that_ends_with_the_last_row_is_the_last(server: Server) -> None:
    assert list(server.get("get-raw-backlinks", target=SHOP, limit=4).json()) == ["backlinks"]


def test_a_cursor_is_good_for_its_target_and_mode_only(server: Server) -> None:
    cursor = server.get("get-raw-backlinks", target=SHOP, limit=1).json()["next"]
    assert server.get("get-raw-backlinks", target="shop.example", next=cursor).status_code == 200
    for asked in (
        {"target": SHOP, "mode": "domain"},
        {"target": SHOP, "mode": "url"},
        {"target": "beta.example"},
    ):
        refused(server.get("get-raw-backlinks", **asked, next=cursor), "next")
    for wrong in ("x", "1", cursor[:-8], cursor.swapcase(), "../../etc/passwd", "ü"):
        refused(server.get("get-raw-backlinks", target=SHOP, next=wrong), "next")


# filters, new and lost, ranks over time


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Links of every kind to shop.example: live, lost, and ranked."""
    data = tmp_path_factory.mktemp("links")
    text, image, nofollow, redirect, gone, back = (
        f"https://{name}.example/" for name in ("text", "image", "no.text", "hop", "gone", "back")
    )
    rows = [
        Row(text, SHOP, anchor="Green Tea", found="2026-01-01"),
        Row(image, SHOP, image=True, anchor="Green+Tea", found="2026-01-02"),
        Row(nofollow, f"{SHOP}Sale", nofollow=True, found="2026-01-02"),
        Row(redirect, SHOP, link_type="redirect", found="2026-01-03"),
        Row(gone, SHOP, found="2026-01-01", lost="2026-01-03"),
        Row(back, SHOP, found="2026-01-01", lost="2026-01-02"),
        Row(back, SHOP, found="2026-01-04"),
    ]
    write_generation(
        data,
        1,
        rows,
        {text: 0, image: 50, nofollow: 100, SHOP: 9},
        {"text.example": 10, "image.example": 20, "shop.example": 6},
        past_ranks={SHOP: [("2026-01-05", 3), ("2026-02-03", 4)]},
        past_domain_ranks={"shop.example": [("2026-02-03", 5)]},
        rank_days=["2026-01-01", "2026-01-04", "2026-01-05", "2026-01-31", "2026-02-03"],
    )
    make_current(data, 1)
    with serving(data) as server:
        yield server


def names(answers: list[httpx.Response]) -> str:
    """What the rows come from, in one word each; the same by GET and POST."""
    (found,) = {
        " ".join(
            row["url_from"].removeprefix("https://").split(".example")[0] for row in listed(one)
        )
        for one in answers
    }
    return found


LINKS = {
    "url_from_filter=TEXT": "no.text text",
    "url_from_filter=TEXT&url_from_filter_mode=does_not_contain": "back hop image",
    "url_to_filter=/sale": "no.text",
    "anchor_filter=green tea": "text",
    "anchor_filter=tea&anchor_filter_mode=does_not_contain": "back hop no.text",
    "nofollow_filter=nofollow_only": "no.text",
    "nofollow_filter=dofollow_only": "back hop image text",
    "inlink_rank_from=1": "image no.text",
    "inlink_rank_from=0": "back hop image no.text text",
    "inlink_rank_to=50": "back hop image text",
    "inlink_rank_from=50&inlink_rank_to=50": "image",
    "inlink_rank_from=51&inlink_rank_to=50": "",
    "domain_inlink_rank_from=20": "image",
    "domain_inlink_rank_to=10&inlink_rank_from=1": "no.text",
    "domain_inlink_rank_to=9": "back hop",
}
"""Which of the live links each filter of the later API keeps."""


@pytest.mark.parametrize(("given", "expected"), LINKS.items())
def test_the_filters_of_the_later_api(links: Server, given: str, expected: str) -> None:
    parameters = dict(pair.split("=") for pair in given.split("&"))
    found = names(asked(links, f"{SUCCESSOR}/all", **parameters))
    assert sorted(found.split()) == expected.split()
    whole = names(asked(links, "/backlinks/v1.0/get-backlinks", **parameters))
    assert len(whole.split()) == 5  # not its parameters


def test_a_plus_is_a_space_in_the_text_of_an_anchor(links: Server) -> None:
    url = f"{SUCCESSOR}/all?apikey={links.key}&target=shop.example&anchor_filter="
    for text, expected in (
        ("green+tea", "text"),
        ("green%20tea", "text"),
        ("green%2Btea", "image"),
    ):
        assert names([links.client.get(url + text)]) == expected


EVENTS = {
    "": "back back back gone gone hop image no.text text",
    "new_lost_type=lost": "back gone",
    "link_type=redirect": "hop",
    "link_type=href&new_lost_type=new": "back back gone image no.text text",
    "anchor_type=image": "image",
    "anchor_type=undefined": "hop",
    "anchor_type=text&new_lost_type=new": "back back gone no.text text",
    "dofollow=nofollow": "no.text",
    "dofollow=undefined": "hop",
    "dofollow=dofollow&new_lost_type=new": "back back gone image text",
    "url_from=text.example": "no.text text",
    "url_from=https://no.text.example/x": "no.text",
    "date_from=2026-01-04": "back",
    "date_to=2026-01-01": "back gone text",
    "date_from=2026-01-03&date_to=2026-01-03": "gone hop",
}
"""What happened from the 1st to the 4th, by filter."""


@pytest.mark.parametrize(("given", "expected"), EVENTS.items())
def test_the_filters_of_new_and_lost(links: Server, given: str, expected: str) -> None:
    parameters = {"date_from": "2026-01-01", "date_to": "2026-01-04"}
    parameters |= dict(pair.split("=") for pair in given.split("&") if pair)
    events = expected.split()
    for path in ("/backlinks/v1.0/get-new-lost-backlinks", f"{SUCCESSOR}/history"):
        assert sorted(names(asked(links, path, **parameters)).split()) == events
        for answer in asked(links, f"{path}-count".replace("history-", "history/"), **parameters):
            assert sum(row["new"] + row["lost"] for row in listed(answer)) == len(events)


@pytest.mark.parametrize("order", ["new_lost_date", "domain_inlink_rank", "inlink_rank"])
def test_new_and_lost_come_in_the_order_asked_for(links: Server, order: str) -> None:
    path = "/backlinks/v1.0/get-new-lost-backlinks"
    days = {"date_from": "2026-01-01", "date_to": "2026-01-04"}
    for answer in asked(links, path, **days, order_by=order):
        values = [row[order] for row in listed(answer)]
        assert values == sorted(values, reverse=True)
        assert len(values) == 9
        assert len(set(values)) >= 3


@pytest.mark.parametrize("order", ["inlink_rank", "domain_inlink_rank", "date_found"])
def test_orders_may_be_written_as_the_later_apis_tools_do(links: Server, order: str) -> None:
    path = f"{SUCCESSOR}/all"
    for first, second in zip(
        asked(links, path, order_by=order),
        asked(links, path, order_by=f"first.{order}"),
        strict=True,
    ):
        assert listed(first) == listed(second)


def test_what_was_live_at_the_end_of_each_day(links: Server) -> None:
    path = f"{SUCCESSOR}/history/cumulative"
    for answer in asked(links, path, date_from="2025-12-31", date_to="2026-01-05"):
        assert [row["backlinks"] for row in listed(answer)] == [0, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(
    ("granularity", "expected"),
    [
        ("by_day", "01-01 3 01-04 3 01-05 4 01-31 4 02-03 9"),
        ("by_week", "12-29 3 01-05 4 01-26 4 02-02 9"),  # the 1st is a Thursday
        ("by_month", "01-01 4 02-01 9"),
    ],
)
def test_ranks_over_time(links: Server, granularity: str, expected: str) -> None:
    given = {"granularity": granularity, "date_to": "2026-12-31"}
    (answer,) = asked(links, f"{SUCCESSOR}/authority/page/history", **given)
    assert " ".join(f"{row['date'][5:]} {row['inlink_rank']}" for row in listed(answer)) == expected
    (answer,) = asked(links, f"{SUCCESSOR}/authority/domain/history", **given)
    assert [row["domain_inlink_rank"] for row in listed(answer)][-2:] == [5, 6]


@pytest.mark.parametrize(
    ("histogram", "expected"), [("host", {20: 1, 10: 2, -1: 2}), ("domain", {20: 1, 10: 1, -1: 2})]
)
def test_the_histogram_counts_hosts_or_domains(
    links: Server, histogram: str, expected: dict[int, int]
) -> None:
    path = f"{SUCCESSOR}/authority/domain/distribution"
    (answer,) = asked(links, path, histogramMode=histogram)
    assert {row["domain_inlink_rank"]: row["refdomains"] for row in listed(answer)} == expected


@pytest.mark.parametrize("command", ["get-anchors", "get-pages", "get-ips"])
def test_counted_lists_come_in_the_order_asked_for(server: Server, command: str) -> None:
    path = f"/backlinks/v1.0/{command}"
    for order in ("backlinks", "refdomains"):
        for answer in asked(server, path, mode="domain", order_by=order):
            counts = [row[order] for row in listed(answer)]
            assert counts == sorted(counts, reverse=True)
            assert counts or command == "get-ips"


# POST


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"7", b"null", b"{", b"target=x", b"\xff{}"])
def test_a_posted_body_is_a_json_object(server: Server, command: str, body: bytes) -> None:
    answer = server.post(command, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Parameters are invalid."
    assert "JSON object" in answer.json()["error"]["description"]


def test_the_key_and_the_format_do_not_come_from_the_body(server: Server) -> None:
    body = {"target": SHOP, "apikey": server.key, "output": "json"}
    assert server.post("get-metrics", body, apikey="").status_code == 401
    assert server.post("get-metrics", body | {"apikey": "x", "output": "x"}).status_code == 200


def test_what_a_body_has_too_much_is_ignored(server: Server) -> None:
    body = {"target": SHOP, "colour": {"deep": [1]}, "mode": "url"}
    assert server.post("get-metrics", body).json()["metrics"][0]["backlinks"] == 3
