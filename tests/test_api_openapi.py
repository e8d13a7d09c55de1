"""The OpenAPI description says what the specification's tables of request parameters say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inlink.api.openapi import document
from tests.serving import PREFIX

MODE = {"enum": ["domain", "host", "url"], "default": "host"}
ORDER = {"enum": ["date_found", "domain_inlink_rank", "inlink_rank"], "default": "date_found"}
LIMIT = {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100}
RAW_LIMIT = {"type": "integer", "minimum": 1, "maximum": 100_000, "default": 10_000}
PER_DOMAIN = {"type": "integer", "minimum": 1, "maximum": 100}
TEXT = {"type": "string"}
BATCH = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 100},
    ]
}

SPECIFIED: dict[str, dict[str, Any]] = {
    "get-metrics": {"target": BATCH, "mode": MODE},
    "get-inlink-rank": {"target": BATCH},
    "get-backlinks": {
        "target": TEXT,
        "mode": MODE,
        "limit": LIMIT,
        "order_by": ORDER,
        "per_domain": PER_DOMAIN,
    },
    "get-refdomains": {"target": TEXT, "mode": MODE, "limit": LIMIT, "order_by": ORDER},
    "get-raw-backlinks": {"target": TEXT, "mode": MODE, "limit": RAW_LIMIT, "next": TEXT},
}
"""The tables "Request Parameters" of the specification, less apikey and output."""


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return msgspec.json.decode(document(), type=dict[str, Any])


def test_the_commands_are_there(description: dict[str, Any]) -> None:
    assert list(description["paths"]) == [f"{PREFIX}/{command}" for command in SPECIFIED]


@pytest.mark.parametrize("command", SPECIFIED)
def test_get_has_the_parameters_of_the_specification(
    description: dict[str, Any], command: str
) -> None:
    given = description["paths"][f"{PREFIX}/{command}"]["get"]["parameters"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in given}
    assert schemas.pop("output")["default"] == "json"
    assert schemas == SPECIFIED[command]
    assert [parameter["name"] for parameter in given if parameter.get("required")] == ["target"]


@pytest.mark.parametrize("command", SPECIFIED)
def test_post_has_them_in_the_body(description: dict[str, Any], command: str) -> None:
    operations = description["paths"][f"{PREFIX}/{command}"]
    if command == "get-raw-backlinks":
        assert list(operations) == ["get"]
        return
    assert [parameter["name"] for parameter in operations["post"]["parameters"]] == ["output"]
    reference = operations["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = description["components"]["schemas"][reference["$ref"].rsplit("/", 1)[1]]
    assert schema["required"] == ["target"]
    for given in schema["properties"].values():
        given.pop("description")
    assert schema["properties"] == SPECIFIED[command]


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


def test_the_copy_in_the_documentation_is_the_same() -> None:
    """``python -m inlink.api.openapi > docs/openapi.json`` writes it anew."""
    copy = Path(__file__).parents[1] / "docs" / "openapi.json"
    assert copy.read_bytes() == document()
