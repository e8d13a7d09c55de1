"""The OpenAPI description says what the specification says, and so does docs/api.md.

`SPECIFIED` and `ROWS` are the specification's tables "Request Parameters" and "Response Parameters"
and, for the commands that it leaves out, those of docs/api.md. That the server keeps to the
description is held by test_api_schemathesis.py.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis

from inlink.api.openapi import document
from tests.patience import PATIENCE
from tests.serving import PREFIX, Row, Server, make_current, serving, write_generation
from tests.test_docs import section, table_rows

ROOT = Path(__file__).parents[1]
SUCCESSOR = "/v1/backlinks"

MODE = {"enum": ["domain", "host", "url"], "default": "host"}
ORDER = {"enum": ["date_found", "domain_inlink_rank", "inlink_rank"], "default": "date_found"}
BY_COUNT = {"enum": ["backlinks", "refdomains"], "default": "backlinks"}
LIMIT = {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100}
LONG_LIMIT = LIMIT | {"default": 1000}
RAW_LIMIT = {"type": "integer", "minimum": 1, "maximum": 100_000, "default": 10_000}
PER_DOMAIN = {"type": "integer", "minimum": 1, "maximum": 100}
TEXT = {"type": "string"}
DAY = {"type": "string", "format": "date"}
BATCH = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 100},
    ]
}
DAYS = {
    "target": TEXT,
    "mode": MODE,
    "new_lost_type": {"enum": ["new", "lost"]},
    "date_from": DAY,
    "date_to": DAY,
}
LINK_DAYS = DAYS | {
    "link_type": {"enum": ["href", "redirect"]},
    "anchor_type": {"enum": ["text", "image", "undefined"]},
    "dofollow": {"enum": ["dofollow", "nofollow", "undefined"]},
    "url_from": TEXT,
}
LINK_ORDER = {
    "enum": ["new_lost_date", "domain_inlink_rank", "inlink_rank"],
    "default": "new_lost_date",
}
DOMAIN_ORDER = {"enum": ["new_lost_date", "domain_inlink_rank"], "default": "new_lost_date"}
LIST = {"target": TEXT, "mode": MODE, "limit": LIMIT, "order_by": ORDER}
COUNTED_LIST = {"target": TEXT, "mode": MODE, "limit": LIMIT, "order_by": BY_COUNT}

SPECIFIED: dict[str, dict[str, Any]] = {
    "get-metrics": {"target": BATCH, "mode": MODE},
    "get-inlink-rank": {"target": BATCH},
    "get-backlinks": LIST | {"per_domain": PER_DOMAIN},
    "get-refdomains": LIST,
    "download-all-backlinks": {"target": TEXT, "mode": MODE},
    "download-all-backlinks-status": {"task_id": TEXT},
    "get-raw-backlinks": {"target": TEXT, "mode": MODE, "limit": RAW_LIMIT, "next": TEXT},
    "get-new-lost-backlinks": LINK_DAYS | {"order_by": LINK_ORDER, "limit": LONG_LIMIT},
    "get-new-lost-refdomains": DAYS | {"order_by": DOMAIN_ORDER, "limit": LONG_LIMIT},
    "get-new-lost-backlinks-count": LINK_DAYS,
    "get-new-lost-refdomains-count": DAYS,
    # these stand in docs/api.md only
    "get-summary": {"target": BATCH, "mode": MODE},
    "get-anchors": COUNTED_LIST,
    "get-pages": COUNTED_LIST,
    "get-ips": COUNTED_LIST,
    "get-backlinks-count": {"target": BATCH, "mode": MODE},
    "get-refdomains-count": {"target": BATCH, "mode": MODE},
    "get-subnets-count": {"target": BATCH, "mode": MODE},
    "get-ips-count": {"target": BATCH, "mode": MODE},
    "get-page-inlink-rank": {"target": BATCH},
    "get-domain-inlink-rank": {"target": BATCH},
    "get-subscription-info": {},
}
"""What each command takes, less apikey and output."""

SUBSTRING = {"type": "string", "maxLength": 2063}
HOLDS = {"enum": ["contains", "does_not_contain"], "default": "contains"}
RANK = {"type": "integer", "minimum": 0, "maximum": 100}
RANK_DAYS = {
    "target": TEXT,
    "date_from": DAY,
    "date_to": DAY,
    "granularity": {"enum": ["by_day", "by_week", "by_month"], "default": "by_day"},
}

ONLY_LATER: dict[str, dict[str, Any]] = {
    "all": SPECIFIED["get-backlinks"]
    | {f"{name}_filter": SUBSTRING for name in ("url_from", "url_to", "anchor")}
    | {f"{name}_filter_mode": HOLDS for name in ("url_from", "url_to", "anchor")}
    | {f"{name}_{end}": RANK for name in ("inlink_rank", "domain_inlink_rank")
       for end in ("from", "to")}
    | {"nofollow_filter": {"enum": ["nofollow_only", "dofollow_only"]}},
    "history": SPECIFIED["get-new-lost-backlinks"] | {"limit": LIMIT},
    "refdomains/history": SPECIFIED["get-new-lost-refdomains"] | {"limit": LIMIT},
    "history/cumulative": {"target": TEXT, "mode": MODE, "date_from": DAY, "date_to": DAY},
    "authority/page/history": RANK_DAYS,
    "authority/domain/history": RANK_DAYS,
    "authority/domain/distribution": {
        "target": TEXT,
        "mode": MODE,
        "histogramMode": {"enum": ["host", "domain"], "default": "host"},
    },
}  # fmt: skip
"""What the paths of the later API take where they have no v1.0 command, or take other things."""

COUNTS = "backlinks refdomains dofollow_backlinks nofollow_backlinks first_seen:date"
BACKLINK = (
    "url_from:str url_to:str title:str anchor:str alt:null nofollow:bool image:bool"
    " image_source:str/null inlink_rank domain_inlink_rank first_seen:date last_visited:date"
)
METRICS = (
    "target:str backlinks refdomains subnets ips nofollow_backlinks dofollow_backlinks"
    " edu_backlinks gov_backlinks"
)
TASK = {"": "task_status:str task_id:str download_file:str"}
DAY_COUNTS = "date:date new lost"

ROWS: dict[str, dict[str, str]] = {
    "get-metrics": {"metrics": METRICS},
    "get-inlink-rank": {"pages": "url:str inlink_rank domain_inlink_rank"},
    "get-backlinks": {"backlinks": BACKLINK},
    "get-refdomains": {
        "refdomains": "refdomain:str backlinks dofollow_backlinks first_seen:date"
        " domain_inlink_rank"
    },
    "download-all-backlinks": TASK,
    "download-all-backlinks-status": TASK,
    "get-raw-backlinks": {"backlinks": BACKLINK, "": "next:str"},
    "get-new-lost-backlinks": {
        "new_lost_backlinks": "new_lost_date:date new_lost_type:str url_from:str url_to:str"
        " title:str anchor:str alt:str link_type:str nofollow:bool image:bool image_source:str"
        " reason_lost:str inlink_rank domain_inlink_rank first_seen:date"
    },
    "get-new-lost-refdomains": {
        "new_lost_refdomains": "new_lost_date:date new_lost_type:str refdomain:str backlinks"
        " dofollow_backlinks first_seen:date domain_inlink_rank"
    },
    "get-new-lost-backlinks-count": {"new_lost_backlinks_count": DAY_COUNTS},
    "get-new-lost-refdomains-count": {"new_lost_refdomains_count": DAY_COUNTS},
    # of these, clients of the live service show the shapes
    "get-summary": {
        "summary": "target:str backlinks refdomains subnets ips nofollow_backlinks"
        " dofollow_backlinks inlink_rank anchors edu_backlinks gov_backlinks domain_inlink_rank"
        " from_home_page_backlinks dofollow_from_home_page_backlinks text_backlinks"
        " dofollow_refdomains from_home_page_refdomains edu_refdomains gov_refdomains"
        " dofollow_anchors pages_with_backlinks top_anchors_by_backlinks:list"
        " top_anchors_by_refdomains:list top_pages_by_backlinks:list top_pages_by_refdomains:list"
        " top_tlds:list top_countries:list"
    },
    "get-anchors": {"anchors": f"anchor:str {COUNTS}"},
    "get-pages": {"pages": f"url:str {COUNTS}"},
    "get-ips": {"ips": f"ip:str {COUNTS}"},
    "get-backlinks-count": {"metrics": "target:str backlinks"},
    "get-refdomains-count": {"metrics": "target:str refdomains"},
    "get-subnets-count": {"metrics": "target:str subnets"},
    "get-ips-count": {"metrics": "target:str ips"},
    "get-page-inlink-rank": {"pages": "url:str inlink_rank"},
    "get-domain-inlink-rank": {"pages": "url:str domain_inlink_rank"},
    "get-subscription-info": {
        "subscription_info": "status:str start_date:str expiraton_date:str expiration_date:str"
        " units_limit units_left"
    },
    "history/cumulative": {"backlinks_count": "date:date backlinks"},
    "authority/page/history": {"ranks": "date:date inlink_rank"},
    "authority/domain/history": {"ranks": "date:date domain_inlink_rank"},
    "authority/domain/distribution": {"histogram": "domain_inlink_rank refdomains"},
}
"""The fields of each list's rows, in order, with types (int where none is said)."""

NEVER_HUGE = ("metrics", "pages", "ranks", "subscription_info", "")
"""Lists that are given for any target; but the summary's, and the pages of get-pages, are not."""

API = (ROOT / "docs/api.md").read_text()
NONE = "\N{EN DASH}"
COMMANDS = {
    (v1.strip("`"), later.strip("`")): (methods, targets, units)
    for v1, later, methods, targets, _, units in table_rows(API, "v1.0")
}
"""The first table of docs/api.md: methods, targets and units, by both names."""


def documented() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each path of the first table of docs/api.md, with the name and the parameters it has."""
    for v1, later in COMMANDS:
        if v1:
            yield f"{PREFIX}/{v1}", v1, SPECIFIED[v1]
        if later:
            yield f"{SUCCESSOR}/{later}", v1 or later, ONLY_LATER.get(later) or SPECIFIED[v1]


PROOF = {
    f"/v2/{name.strip('`')}": (methods, price, {"404", "504" if name == "`verify`" else "410"})
    for name, methods, _, price in table_rows(API, "`/v2/…`")
}
"""Methods, price and errors of the commands about one link, by docs/api.md."""

PATHS = {path: (name, parameters) for path, name, parameters in documented()}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return msgspec.json.decode(document(), type=dict[str, Any])


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """*schema* without its words, its enumeration in the order of the alphabet."""
    told = {name: value for name, value in schema.items() if name != "description"}
    return told | ({"enum": sorted(told["enum"])} if "enum" in told else {})


def resolved(description: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference leads to."""
    while "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def answer(description: dict[str, Any], path: str, status: str = "200") -> dict[str, Any]:
    """The schema of the JSON that GET answers with."""
    response = description["paths"][path]["get"]["responses"][status]
    return resolved(description, response["content"]["application/json"]["schema"])


# the document


def test_the_document_is_openapi_3_1(description: dict[str, Any]) -> None:
    """By the schema of the OpenAPI Initiative, which schemathesis holds."""
    assert description["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(description).validate()
    with pytest.raises(ValueError):
        schemathesis.openapi.from_dict(description | {"paths": []}).validate()


def test_every_schema_is_json_schema(description: dict[str, Any]) -> None:
    """Of the draft that OpenAPI 3.1 takes: 2020-12."""
    schemas = list(description["components"]["schemas"].values())
    for operations in description["paths"].values():
        for operation in operations.values():
            schemas += [parameter["schema"] for parameter in operation["parameters"]]
    assert len(schemas) > 200
    for schema in schemas:
        jsonschema_rs.Draft202012Validator(schema | {"components": description["components"]})
        assert jsonschema_rs.meta.is_valid(
            schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        )


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    found = set(references(description))
    assert found
    for reference in found:
        place: Any = description
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]


def test_operations_have_names_of_their_own(description: dict[str, Any]) -> None:
    names = [
        operation["operationId"]
        for operations in description["paths"].values()
        for operation in operations.values()
    ]
    assert len(set(names)) == len(names)


def test_the_copy_in_the_documentation_is_the_same() -> None:
    """``python -m inlink.api.openapi > docs/openapi.json`` writes it anew."""
    assert (ROOT / "docs/openapi.json").read_bytes() == document()


# commands and parameters


def test_every_command_of_the_documentation_is_there(description: dict[str, Any]) -> None:
    assert set(description["paths"]) == {*PATHS, *PROOF, "/export/{file}"}
    assert {v1 for v1, _ in COMMANDS if v1} == set(SPECIFIED)


@pytest.mark.parametrize("path", PROOF)
def test_commands_about_one_link_are_as_documented(description: dict[str, Any], path: str) -> None:
    methods, price, statuses = PROOF[path]
    operations = description["paths"][path]
    assert [method.upper() for method in operations] == methods.split(", ")
    operation = operations["get"]
    price = price.replace("1 a", "1 unit a").replace("30 a", "30 units a")
    assert operation["description"].startswith(f"Costs {price}")
    taken = {one["name"]: one.get("required", False) for one in operation["parameters"]}
    assert taken == {"output": False, "url_from": True, "url_to": True}
    every = {row[0] for row in table_rows(section(API, "Errors"), "status")} - {"244", "404"}
    assert set(operation["responses"]) - {"200"} == every | statuses
    content = operation["responses"]["200"]["content"]
    is_file = path.endswith("/record")
    assert set(content) == (
        {"application/warc", "application/x-arc"}
        if is_file
        else {"application/json", "application/xml"}
    )


@pytest.mark.parametrize("names", COMMANDS, ids=lambda names: names[0] or names[1])
def test_methods_and_prices_are_those_of_the_documentation(
    description: dict[str, Any], names: tuple[str, str]
) -> None:
    methods, targets, units = COMMANDS[names]
    price = "nothing" if units == NONE else units.replace("1 a", "1 unit a")
    price = re.sub(r"^(\d\d) a", r"\1 units a", price)
    for prefix, name in zip((PREFIX, SUCCESSOR), names, strict=True):
        if not name:
            continue
        operations = description["paths"][f"{prefix}/{name}"]
        assert [method.upper() for method in operations] == methods.split(", ")
        for operation in operations.values():
            assert re.split(r"[.,]", operation["description"])[0] == f"Costs {price}"
        parameters = PATHS[f"{prefix}/{name}"][1]
        target = parameters.get("target")
        assert targets == (NONE if target is None else "1" if target == TEXT else "1 to 100")


@pytest.mark.parametrize("path", PATHS)
def test_get_has_the_parameters_of_the_specification(
    description: dict[str, Any], path: str
) -> None:
    given = description["paths"][path]["get"]["parameters"]
    schemas = {parameter["name"]: plain(parameter["schema"]) for parameter in given}
    assert schemas.pop("output") == {"enum": ["json", "xml"], "default": "json"}
    assert schemas == {name: plain(schema) for name, schema in PATHS[path][1].items()}
    assert len(given) == len(schemas) + 1
    assert all(parameter["in"] == "query" and parameter["description"] for parameter in given)
    required = {parameter["name"] for parameter in given if parameter.get("required")}
    assert required == schemas.keys() & {"target", "task_id"}


@pytest.mark.parametrize("path", PATHS)
def test_post_has_them_in_the_body(description: dict[str, Any], path: str) -> None:
    operations = description["paths"][path]
    if "post" not in operations:
        return
    assert [parameter["name"] for parameter in operations["post"]["parameters"]] == ["output"]
    assert operations["post"]["requestBody"]["required"]
    ((kind, content),) = operations["post"]["requestBody"]["content"].items()
    assert kind == "application/json"
    schema = resolved(description, content["schema"])
    assert schema["required"] == ["target"]
    assert {name: plain(given) for name, given in schema["properties"].items()} == {
        name: plain(given) for name, given in PATHS[path][1].items()
    }


def test_every_parameter_of_the_documentation_is_there() -> None:
    """The two tables "Parameters" name what the commands take, and nothing else."""
    text = section(API, "Parameters")
    rows = table_rows(text, "parameter") + table_rows(
        text.split("Of the later API only")[1], "parameter"
    )
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert told == {name for _, taken in PATHS.values() for name in taken} | {"output"}
    assert told >= {"histogramMode", "url_to_filter", "per_domain"}


# answers and errors

TYPES = {
    "int": {"type": "integer"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "null": {"type": "null"},
    "date": {"type": "string", "format": "date"},
}


def kind(schema: dict[str, Any]) -> str:
    """The type of a field in one word."""
    if "anyOf" in schema:
        return "/".join(kind(part) for part in schema["anyOf"])
    if "enum" in schema:
        assert all(isinstance(value, str) for value in schema["enum"])
        return "str"
    if schema["type"] == "array":
        return "list"
    (word,) = (word for word, told in TYPES.items() if told == plain(schema))
    return word


def shape(properties: dict[str, Any]) -> str:
    """The fields of a struct as `ROWS` writes them."""
    kinds = {name: kind(schema) for name, schema in properties.items()}
    return " ".join(f"{name}:{word}".removesuffix(":int") for name, word in kinds.items())


@pytest.mark.parametrize("path", PATHS)
def test_answers_have_the_fields_of_the_specification(
    description: dict[str, Any], path: str
) -> None:
    name, _ = PATHS[path]
    properties = dict(answer(description, path)["properties"])
    operation = description["paths"][path]["get"]
    if properties.pop("message", None):
        assert answer(description, path, "244") == answer(description, path)
        assert "huge websites" in operation["responses"]["244"]["description"]
    else:
        assert "244" not in operation["responses"]
    for listed, fields in ROWS[name].items():
        if listed:
            schema = properties.pop(listed)
            row = resolved(description, schema.get("items", schema))
            assert shape(row["properties"]) == fields
            assert set(row["required"]) == set(row["properties"])
        else:
            assert shape(properties) == fields
            properties.clear()
    assert not properties


def test_which_commands_may_say_that_a_target_is_huge(description: dict[str, Any]) -> None:
    """docs/api.md: counts of get-metrics and its like, ranks and exports are for any target."""
    for path, (name, _) in PATHS.items():
        huge = "244" in description["paths"][path]["get"]["responses"]
        assert huge == (name in ("get-summary", "get-pages") or
                        next(iter(ROWS[name])) not in NEVER_HUGE), name  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_error_of_the_documentation_is_described(
    description: dict[str, Any], path: str
) -> None:
    told = {row[0] for row in table_rows(section(API, "Errors"), "status")}
    for operation in description["paths"][path].values():
        assert set(operation["responses"]) - {"200", "244"} == told - {"244", "404"}
        for status in told - {"244", "404"}:
            reference = operation["responses"][status]["$ref"]
            assert reference == f"#/components/responses/{status}"
            response = description["components"]["responses"][status]
            assert set(response["content"]) == {"application/json", "application/xml"}
            assert ("headers" in response) == (status in ("429", "503"))
    body = description["components"]["schemas"]["ErrorBody"]
    assert list(body["properties"]) == ["error", "message"]
    detail = resolved(description, body["properties"]["error"])
    assert list(detail["properties"]) == ["code", "message", "description"]


# the interactive page


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("openapi")
    write_generation(data, 1, [Row("https://blog.example/", "https://shop.example/")])
    make_current(data, 1)
    with serving(data) as server:
        yield server


def test_the_description_is_served_without_a_key(server: Server) -> None:
    answered = server.client.get(f"{PREFIX}/openapi.json")
    assert answered.headers["content-type"] == "application/json"
    assert answered.content == document()


def test_the_page_loads_nothing_from_elsewhere(server: Server) -> None:
    page = server.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    loaded = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']*)""", page.text)
    assert {f"{PREFIX}/openapi.json", "/docs/swagger-ui.css"} < set(loaded)
    for address in loaded:
        if address != "data:,":
            assert re.match(r"/[^/]", address), address
            assert server.client.get(address).status_code == 200
    css = server.client.get("/docs/swagger-ui.css").text
    assert not re.findall(r"""url\((?!["']?data:)""", css)


def test_a_browser_shows_every_operation(
    server: Server, browser: str, description: dict[str, Any], tmp_path: Path
) -> None:
    """And reaches no other address meanwhile: none can be resolved."""
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={tmp_path}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--virtual-time-budget=30000",
        "--dump-dom",
        f"{server.client.base_url}/docs",
    ]
    shown = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout
    # the page writes zero-width spaces into paths, so that they can be broken
    paths = [path.replace("\u200b", "") for path in re.findall(r'data-path="([^"]*)"', shown)]
    operations = [
        path for path, methods in description["paths"].items() for _ in methods
    ]  # fmt: skip
    assert sorted(paths) == sorted(operations)
    assert "Inlink" in shown
    assert "Failed to load" not in shown
