"""Decode the answers of a server into the structs of the API.

Servers differ in details, and the specification itself is not consistent about where a missing
value is ``null`` and where it is ``""``. So unknown names are ignored, numbers may be strings, and
a missing value is read as the one that the struct has for it.
"""

from types import NoneType
from typing import Any, TypeVar, get_args

import httpx
import msgspec
from msgspec import Struct

from inlink.client.errors import unexpected

Answer = TypeVar("Answer", bound=Struct)


def decode(response: httpx.Response, answer: type[Answer]) -> Answer:
    """The body of *response* as an *answer*.

    Raises:
        ClientError: the body is something else.
    """
    content = response.content
    try:
        try:
            return msgspec.json.decode(content, type=answer, strict=False)
        except msgspec.ValidationError:
            return msgspec.convert(
                _mended(msgspec.json.decode(content), answer), answer, strict=False
            )
    except msgspec.ValidationError as error:
        raise unexpected(_command(response), str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        kind = response.headers.get("Content-Type", "a body without a type")
        raise unexpected(_command(response), f"{kind}, which is not JSON", content) from error


def empty_values(row: type[Struct]) -> dict[str, str | None]:
    """The value that each field has when it is missing."""
    return {
        field.name: None if NoneType in (field.type, *get_args(field.type)) else ""
        for field in msgspec.structs.fields(row)
    }


def _mended(body: Any, answer: type[Struct]) -> Any:
    """*body* with missing values in its rows as *answer* has them, and without nulls elsewhere."""
    if not isinstance(body, dict):
        return body
    rows = msgspec.structs.fields(answer)[0]
    mended = {name: value for name, value in body.items() if value is not None}
    if isinstance(listed := body.get(rows.name), list) and get_args(rows.type):
        empty = empty_values(get_args(rows.type)[0])
        mended[rows.name] = [_with_empty(row, empty) for row in listed]
    return mended


def _with_empty(row: Any, empty: dict[str, str | None]) -> Any:
    if not isinstance(row, dict):
        return row
    return {
        name: empty.get(name, value) if value in (None, "") else value
        for name, value in row.items()
    }


def _command(response: httpx.Response) -> str:
    """The command, without its parameters: one of them is the key."""
    return response.url.path.rpartition("/")[2]
