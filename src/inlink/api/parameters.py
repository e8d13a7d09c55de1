"""Parameters: from a raw query string or JSON body to a validated request struct.

The query string is read as clients of this API write it: empty parameters are absent, ``&&`` is
``&``, a target may stand there unencoded, and parameters that the command does not have are
ignored. ``+`` is a plus sign, not a space: targets often have the one and never the other (but
see `PROSE`).
"""

import codecs
import contextlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import NODEFAULT, Struct, inspect
from msgspec.structs import FieldInfo

from inlink.contract.errors import ApiError
from inlink.contract.requests import MAX_TARGETS, takes_batch

Request = TypeVar("Request", bound=Struct)

Query = dict[str, list[str]]
"""Each parameter with the values it was given, never empty."""

ALIASES = {"apiKey": "apikey"}

PROSE = {"anchor_filter"}
"""Parameters in which ``+`` is a space, as HTML forms and most libraries encode it."""

_PLUS_BETWEEN = re.compile(r'("(?:[^"\\]|\\.)*")|\+')
"""A JSON string, or a plus sign outside of any: a space, as forms encode it."""


def read_query(query: bytes) -> Query:
    """The parameters of a raw query string."""
    parameters: Query = {}
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name and value:
            text = _decoded(name)
            value = value.replace(b"+", b" ") if text in PROSE else value
            parameters.setdefault(ALIASES.get(text, text), []).append(_decoded(value))
    return parameters


def read_body(body: bytes) -> dict[str, Any]:
    """The parameters of a JSON body.

    Raises:
        ApiError: 400, the body is not a JSON object.
    """
    try:
        parameters = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        description = f"The body of a POST request must be one JSON object; it is not: {error}."
        raise ApiError(400, description) from error
    return {name: value for name, value in parameters.items() if value is not None and value != ""}


def only_value(query: Query, name: str) -> str | None:
    """The one value of a parameter that may be repeated only with the same value; None if absent.

    Raises:
        ApiError: 400, it has several values.
    """
    values = query.get(name, [])
    if len(values) > 1 and len(set(values)) > 1:
        raise ApiError.invalid(name, f"{name} is given {len(values)} times; give it once.")
    return values[0] if values else None


def from_query(query: Query, request_type: type[Request]) -> Request:
    """The request that a query string makes.

    Raises:
        ApiError: 400, a parameter is missing or invalid.
    """
    values: dict[str, Any] = {}
    for field in _fields(request_type):
        name = field.encode_name
        given = query.get(name, [])
        if len(given) > 1 and name == "target" and takes_batch(request_type):
            values[name] = given
        elif (value := only_value(query, name)) is not None:
            values[name] = value
    return from_values(values, request_type)


def from_values(values: Mapping[str, Any], request_type: type[Request]) -> Request:
    """The request that parameters by name make; numbers may be given as strings.

    Raises:
        ApiError: 400, a parameter is missing or invalid.
    """
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert(values, request_type, strict=False)
    converted: dict[str, Any] = {}
    for field in _fields(request_type):  # one by one: what is wrong is to be told
        if field.encode_name in values:
            converted[field.name] = _converted(field, values[field.encode_name])
        elif field.default is NODEFAULT:
            raise ApiError.missing(field.encode_name, valid(field))
    return request_type(**converted)


def targets(value: str | list[str]) -> list[str]:
    """The targets of a batch: one, a list, or a string that holds a JSON list.

    Raises:
        ApiError: 400, there are too many, or one is empty.
    """
    given = value if isinstance(value, list) else _list_in(value)
    if not 1 <= len(given) <= MAX_TARGETS:
        raise ApiError.invalid(
            "target", f"There are {len(given)} targets; valid are 1 to {MAX_TARGETS}."
        )
    for number, text in enumerate(given, 1):
        if not text:
            raise ApiError.invalid("target", f"Target number {number} of the list is empty.")
    return given


def valid(field: FieldInfo) -> str:
    """In words, what a parameter takes."""
    for kind in _kinds(field):
        if isinstance(kind, inspect.ListType):
            return f"a domain, host or URL, or a list of 1 to {MAX_TARGETS} of them"
        if isinstance(kind, inspect.IntType):
            return f"an integer from {kind.ge:,} to {kind.le:,}"
        if isinstance(kind, inspect.LiteralType):
            return "one of " + ", ".join(f'"{value}"' for value in kind.values)
        if isinstance(kind, inspect.DateType):
            return "a day as YYYY-MM-DD"
        if isinstance(kind, inspect.StrType) and kind.max_length is not None:
            return f"a text of at most {kind.max_length:,} characters"
    if field.name == "url_to":
        return "a URL"
    return "a domain, host or URL" if field.name in ("target", "url_from") else "a string"


@cache
def _fields(request_type: type[Struct]) -> tuple[FieldInfo, ...]:
    """Remembered, as finding them out takes longer than checking a request."""
    return msgspec.structs.fields(request_type)


def _converted(field: FieldInfo, value: Any) -> Any:
    if field.name == "order_by" and isinstance(value, str):
        value = value.removeprefix("first.")  # so the successor's own tools write it
    try:
        return msgspec.convert(value, field.type, strict=False)
    except msgspec.ValidationError as error:
        shown = msgspec.json.encode(value).decode()
        shown = shown if len(shown) <= 100 else f"{shown[:100]}…"
        raise ApiError.invalid(
            field.encode_name, f"{field.encode_name} is {shown}; valid is {valid(field)}."
        ) from error


def _kinds(field: FieldInfo) -> list[inspect.Type]:
    """The types that a field takes, without their descriptions."""
    kind = inspect.type_info(field.type)
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        return [part.type if isinstance(part, inspect.Metadata) else part for part in kind.types]
    return [kind]


def _list_in(text: str) -> list[str]:
    if text.startswith("["):  # so does an IPv6 address
        spaced = _PLUS_BETWEEN.sub(lambda found: found[1] or " ", text)
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(spaced, type=list[str])
    return [text]


def _keep_percent(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(f"%{byte:02X}" for byte in wrong), error.end


codecs.register_error("inlink.keep_percent", _keep_percent)


def _decoded(text: bytes) -> str:
    """Percent-decoded; bytes that are not UTF-8 stay percent-encoded, as a URL may have them."""
    if b"%" not in text and text.isascii():
        return text.decode()
    return unquote_to_bytes(text).decode("utf-8", "inlink.keep_percent")
