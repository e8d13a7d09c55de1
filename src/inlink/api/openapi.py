"""The OpenAPI 3.1 description, made from `ROUTES` and the structs that requests are checked with.

``python -m inlink.api.openapi > docs/openapi.json`` writes the copy in the documentation.
"""

import sys
from typing import Any

import msgspec
from msgspec.structs import FieldInfo, fields

from inlink import __version__
from inlink.api.commands import EXPORT, ROUTES, Command
from inlink.api.formats import SERVED
from inlink.api.proof import ARC, WARC
from inlink.contract.answers import RecordFile
from inlink.contract.errors import HUGE_TARGET, MESSAGES, ErrorBody
from inlink.contract.paths import EXPORT_PREFIX
from inlink.contract.requests import takes_batch

STATUSES = (400, 401, 402, 403, 405, 406, 429, 500, 503)
"""The errors that a command may be answered with."""

REFUSALS = (404, 410, 504)
"""The errors that only some commands may be answered with."""

RETRIED = (429, 503)

Json = dict[str, Any]

RETRY_AFTER = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}


def document() -> bytes:
    """The description, as JSON."""
    structs: dict[type, None] = {}
    for command in ROUTES:
        structs |= {command.request: None, command.answer: None}
    structs.pop(RecordFile)
    _, schemas = msgspec.json.schema_components(
        [*structs, ErrorBody], ref_template="#/components/schemas/{name}"
    )
    description = {
        "openapi": "3.1.0",
        "info": {
            "title": "Inlink",
            "version": __version__,
            "description": "An open backlink index with the Backlinks API v1.0.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "v1.0", "description": "The Backlinks API v1.0."},
            {"name": "v1", "description": "Commands at the paths of the later API."},
            {"name": "proof", "description": "The proof of a link; an extension of Inlink."},
            {"name": "files", "description": "Files of exports."},
        ],
        "paths": {
            **{command.path: _path(command) for command in ROUTES},
            f"{EXPORT_PREFIX}/{{file}}": {"get": _download()},
        },
        "components": {
            "schemas": schemas,
            "responses": {str(status): _error(status) for status in (*STATUSES, *REFUSALS)},
            "securitySchemes": {
                "apikey": {"type": "apiKey", "in": "query", "name": "apikey"},
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "Token KEY",
                },
            },
        },
        "security": [{"apikey": []}, {"token": []}],
    }
    return msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n"


def _path(command: Command) -> Json:
    operations: Json = {}
    for method in command.methods:
        operation: Json = {
            "operationId": f"{command.path.strip('/').replace('/', '-')}-{method.lower()}",
            "tags": [_face(command)],
            "summary": command.summary,
            "description": _price(command),
            "parameters": [_output()],
            "responses": _responses(command),
        }
        if method == "GET":
            batch = takes_batch(command.request)
            given = [_parameter(field, batch) for field in fields(command.request)]
            operation["parameters"] += given
        else:
            operation["requestBody"] = {"required": True, "content": _json(command.request)}
        operations[method.lower()] = operation
    return operations


def _face(command: Command) -> str:
    if command.has_link:
        return "proof"
    return "v1.0" if command.successor_path is None else "v1"


def _price(command: Command) -> str:
    if command.units == 0:
        return "Costs nothing."
    units = "1 unit" if command.units == 1 else f"{command.units} units"
    per = "request" if command.per_request else "row"
    if command.name == EXPORT.name:
        per = "row of the file"
    return f"Costs {units} a {per}, unless the server's settings say otherwise."


def _output() -> Json:
    return {
        "name": "output",
        "in": "query",
        "description": "Output format.",
        "schema": {"enum": list(SERVED), "default": "json"},
    }


def _parameter(field: FieldInfo, batch: bool) -> Json:
    schema = msgspec.json.schema(field.type)
    parameter = {
        "name": field.encode_name,
        "in": "query",
        "required": field.required,
        "description": schema.pop("description", ""),
        "schema": schema,
    }
    if batch and field.name == "target":
        parameter |= {"style": "form", "explode": True}
    if not field.required and field.default is not msgspec.UNSET:
        schema["default"] = field.default
    return parameter


def _responses(command: Command) -> Json:
    content = _record_file() if command.answer is RecordFile else _content(command.answer)
    responses: Json = {"200": {"description": "OK", "content": content}}
    if command.can_be_huge:
        responses["244"] = {"description": HUGE_TARGET, "content": _content(command.answer)}
    for status in (*STATUSES, *command.refusals):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return responses


def _error(status: int) -> Json:
    response: Json = {"description": MESSAGES[status], "content": _content(ErrorBody)}
    if status in RETRIED:
        response["headers"] = {"Retry-After": RETRY_AFTER}
    return response


def _content(kind: type) -> Json:
    """An answer in every format; what XML looks like is said by the schemas in docs/xsd."""
    return {**_json(kind), SERVED["xml"].media_type: {"schema": {"type": "string"}}}


def _json(kind: type) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def _record_file() -> Json:
    file = {"schema": {"type": "string", "format": "binary"}}
    return {WARC: file, ARC: file}


def _download() -> Json:
    file = {"application/gzip": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "operationId": "export-file",
        "tags": ["files"],
        "summary": "The file of an export: gzipped CSV. It needs no key and can be resumed.",
        "security": [],
        "parameters": [
            {"name": "file", "in": "path", "required": True, "schema": {"type": "string"}},
            {"name": "Range", "in": "header", "schema": {"type": "string"}},
            {"name": "If-Range", "in": "header", "schema": {"type": "string"}},
            {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
        ],
        "responses": {
            "200": {"description": "The whole file.", "content": file},
            "206": {"description": "The requested bytes.", "content": file},
            "304": {"description": "The file has not changed."},
            "400": {"description": "The header Range cannot be read."},
            "404": {"$ref": "#/components/responses/404"},
            "416": {"description": "The requested range begins after the end of the file."},
        },
    }


if __name__ == "__main__":
    sys.stdout.write(document().decode())
