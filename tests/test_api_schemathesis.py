"""The server keeps to its OpenAPI description, whatever schemathesis sends.

Requests that fit the description, and requests that do not: to every operation random ones, and to
those of v1.0 also every kind of boundary in turn. Answers are checked by schemathesis (`CHECKS`).
Beyond that, a request has to be answered if, and only if, it is valid by the description, with the
leniency that docs/api.md tells of; for this, texts that only the server can judge (as targets) are
replaced by good ones.
"""

import datetime as dt
import functools
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema_rs
import msgspec
import pytest
import requests
import schemathesis
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import (
    CoveragePhaseConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.core.transport import Response
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from inlink.api.openapi import document
from tests.serving import PREFIX, Row, Server, make_current, serving, write_generation

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]

EXAMPLES = 10
"""Random requests to each operation, of each kind."""

NUMBERS = ("limit", "per_domain", "rank_from", "rank_to")
"""How the names of parameters that are numbers end."""

SHOP = "https://shop.example/"
TARGETS = itertools.cycle([SHOP, "shop.example", "www.shop.example/a", "nobody.example"])

ROWS = [
    Row("https://alpha.example/1", SHOP, title="\x01 & <b>", ip="192.0.2.1"),
    Row("https://alpha.example/2", "https://www.shop.example/a", anchor="café", nofollow=True),
    Row("https://beta.example/", SHOP, link_type="redirect"),
    Row("https://beta.example/x", SHOP, found="2020-01-20", lost="2020-01-30"),
    Row("https://gamma.example/", SHOP, image=True, image_source="https://i.example/"),
]


def api(path_regex: str, *, boundaries: bool) -> BaseSchema:
    """The description, less the paths that do not match."""
    phases = PhasesConfig(coverage=CoveragePhaseConfig(enabled=boundaries))
    generation = GenerationConfig(
        max_examples=EXAMPLES, deterministic=True, with_security_parameters=False
    )
    project = ProjectConfig(phases=phases, generation=generation)
    config = SchemathesisConfig(seed=1, projects=ProjectsConfig(default=project))
    content = msgspec.json.decode(document(), type=dict[str, Any])
    return schemathesis.openapi.from_dict(content, config=config).include(path_regex=path_regex)


v1 = api("^/backlinks/v1.0/", boundaries=True)
others = api("^/(?!backlinks/v1.0/)", boundaries=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("schemathesis")
    ranks = {SHOP: 50}, {"shop.example": 40}
    write_generation(data, 1, ROWS, *ranks, rank_days=["2020-03-02"])
    make_current(data, 1)
    with serving(data) as server:
        assert server.client.get(f"{PREFIX}/openapi.json").content == document()
        yield server


Send = Callable[[Case[Any]], Response]


@pytest.fixture(scope="module")
def send(server: Server) -> Iterator[Send]:
    """Sends a request, with the key in one place or the other, and checks the answer."""
    url = f"http://127.0.0.1:{server.port}"
    keys = itertools.cycle(
        [{"params": {"apikey": server.key}}, {"headers": {"Authorization": f"Token {server.key}"}}]
    )
    with requests.Session() as session:

        def sent(case: Case[Any]) -> Response:
            response = case.call(url, session=session, **next(keys))
            case.validate_response(response, checks=CHECKS)
            return response

        yield sent


@v1.parametrize()
def test_v1(case: Case[Any], send: Send) -> None:
    check(case, send)


@others.parametrize()
def test_the_later_api_and_files(case: Case[Any], send: Send) -> None:
    check(case, send)


def check(case: Case[Any], send: Send) -> None:
    """A request is answered if, and only if, it is valid."""
    if case.meta and case.meta.phase.name == "fuzzing":  # first with whatever target it has
        response = send(case)
        assert response.status_code != 200 or is_valid(case, response) in (True, None)
    make_sensible(case.body if case.method == "POST" else case.query)
    response = send(case)
    assert is_valid(case, response) in (response.status_code == 200, None), given(response)


def is_valid(case: Case[Any], response: Response) -> bool | None:
    """Whether a request was, by the description; None if the description is not about it."""
    described = validator(case.operation.path, str(response.request.method).lower())
    return None if described is None else described.is_valid(lenient(given(response)))


@functools.cache
def validator(path: str, method: str) -> jsonschema_rs.Validator | None:
    """What the description says of the parameters of a command, as one schema."""
    content = msgspec.json.decode(document(), type=dict[str, Any])
    operation = content["paths"][path].get(method)
    if operation is None or not path.startswith((PREFIX, "/v1/")):
        return None
    parameters = operation["parameters"]
    schema = {
        "properties": {parameter["name"]: parameter["schema"] for parameter in parameters},
        "required": [parameter["name"] for parameter in parameters if parameter.get("required")],
    }
    if method == "post":
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        schema |= {"type": "object", "allOf": [body], "components": content["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def given(response: Response) -> Any:
    """The parameters that were sent: those of the query string and those of the body."""
    values: dict[str, list[str]] = {}
    for pair in urlsplit(str(response.request.url)).query.split("&"):
        name, _, value = pair.partition("=")
        values.setdefault(unquote(name), []).append(unquote(value))
    query = {name: one[0] if len(set(one)) == 1 else one for name, one in values.items()}
    if response.request.method != "POST":
        return query
    try:
        body = json.loads(response.request.body or b"")
    except ValueError:
        return None
    return body | {"output": query.get("output")} if isinstance(body, dict) else body


def lenient(values: Any) -> Any:
    """*values* as docs/api.md lets them be: empty ones absent, numbers as strings of digits."""
    if not isinstance(values, dict):
        return values
    return {
        name: int(value) if name.endswith(NUMBERS) and str(value).isdecimal() else value
        for name, value in values.items()
        if value not in (None, "")
    }


def make_sensible(values: Any) -> None:
    """Give what is well-formed a value that no rule beyond the description refuses."""
    if not isinstance(values, dict):
        return
    better = {"url_from": "https://alpha.example/x", "next": ""}
    if is_day(values.get("date_from")):
        better |= {"date_from": "2020-01-15", "date_to": "2020-02-01"}
    else:
        better |= {"date_to": "2050-01-01"}
    if not is_day(values.get("date_to")):
        del better["date_to"]
    for name in values.keys() & better:
        if isinstance(values[name], str):
            values[name] = better[name]
    match values.get("target"):
        case str():
            values["target"] = next(TARGETS)
        case list(several):
            values["target"] = [next(TARGETS) if isinstance(one, str) else one for one in several]


def is_day(value: Any) -> bool:
    """Whether that is a day as the API writes it."""
    try:
        return bool(value == str(dt.date.fromisoformat(value)))
    except (TypeError, ValueError):
        return False
