"""Every rule of every parameter, over HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serving import Row, Server, make_current, serving, write_generation

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
    write_generation(data, 1, rows, pages | {SHOP: 77}, domains | {"shop.example": 88})
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


def test_the_default_limits(server: Server) -> None:
    """What the specification's defaults are is told by the OpenAPI description (its own test)."""
    description = server.client.get("/backlinks/v1.0/openapi.json").json()["paths"]
    defaults = {}
    for command in LISTS:
        parameters = description[f"/backlinks/v1.0/{command}"]["get"]["parameters"]
        (limit,) = (given for given in parameters if given["name"] == "limit")
        defaults[command] = limit["schema"]["default"]
    assert defaults == {"get-backlinks": 100, "get-refdomains": 100, "get-raw-backlinks": 10_000}


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
