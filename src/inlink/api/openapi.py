"""The OpenAPI 3.1 description, made from `COMMANDS` and the structs that requests are checked with.

``python -m inlink.api.openapi > docs/openapi.json`` writes the copy in the documentation.
"""

import sys
from typing import Any

import msgspec
from msgspec.structs import FieldInfo, fields

from inlink import __version__
from inlink.api import PREFIX
from inlink.api.commands import COMMANDS, Command
from inlink.api.errors import HUGE_TARGET, MESSAGES, ErrorBody

STATUSES = (400, 401, 403, 406, 500, 503)
"""The errors that a command may be answered with."""

Json = dict[str, Any]


def document() -> bytes:
    """The description, as JSON."""
    requests: list[type] = [command.request for command in COMMANDS]
    answers: list[type] = [command.answer for command in COMMANDS]
    _, schemas = msgspec.json.schema_components(
        [*requests, *answers, ErrorBody], ref_template="#/components/schemas/{name}"
    )
    description = {
        "openapi": "3.1.0",
        "info": {
            "title": "Inlink",
            "version": __version__,
            "description": "An open backlink index with the Backlinks API v1.0.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {f"{PREFIX}/{command.name}": _path(command) for command in COMMANDS},
        "components": {
            "schemas": schemas,
            "responses": {
                str(status): {"description": MESSAGES[status], "content": _json(ErrorBody)}
                for status in STATUSES
            },
            "securitySchemes": {"apikey": {"type": "apiKey", "in": "query", "name": "apikey"}},
        },
        "security": [{"apikey": []}],
    }
    return msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n"


def _path(command: Command[Any]) -> Json:
    operations: Json = {}
    for method in command.methods:
        operation: Json = {
            "operationId": f"{command.name}-{method.lower()}",
            "summary": command.summary,
            "parameters": [_output()],
            "responses": _responses(command),
        }
        if method == "GET":
            operation["parameters"] += [_parameter(field) for field in fields(command.request)]
        else:
            operation["requestBody"] = {"required": True, "content": _json(command.request)}
        operations[method.lower()] = operation
    return operations


def _output() -> Json:
    return {
        "name": "output",
        "in": "query",
        "description": "Output format.",
        "schema": {"enum": ["json"], "default": "json"},
    }


def _parameter(field: FieldInfo) -> Json:
    schema = msgspec.json.schema(field.type)
    parameter = {
        "name": field.name,
        "in": "query",
        "required": field.required,
        "description": schema.pop("description", ""),
        "schema": schema,
    }
    if not field.required and field.default is not msgspec.UNSET:
        schema["default"] = field.default
    return parameter


def _responses(command: Command[Any]) -> Json:
    responses: Json = {"200": {"description": "OK", "content": _json(command.answer)}}
    if command.can_be_huge:
        responses["244"] = {"description": HUGE_TARGET, "content": _json(command.answer)}
    for status in STATUSES:
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return responses


def _json(kind: type) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


if __name__ == "__main__":
    sys.stdout.write(document().decode())
