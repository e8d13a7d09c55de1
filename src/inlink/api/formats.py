"""The output formats: from an answer to the bytes that are sent.

`SERVED` holds what a request may ask for with ``output``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from inlink.api.xml import encode_xml
from inlink.contract.errors import ApiError

PIECE = 5000  # rows; about 3 ms of encoding


@dataclass(frozen=True, slots=True)
class Format:
    """One output format."""

    media_type: str
    encode: Callable[[msgspec.Struct], bytes]


def encode_json(answer: msgspec.Struct) -> bytes:
    """*answer* as JSON; a long list (the first field) in pieces.

    The encoder does not let other threads run: a page of 100,000 rows would stall them for 60 ms.
    """
    name = answer.__struct_fields__[0]
    rows = getattr(answer, name)
    if not isinstance(rows, list) or len(rows) <= PIECE:
        return msgspec.json.encode(answer)
    starts = range(0, len(rows), PIECE)
    pieces = (msgspec.json.encode(rows[start : start + PIECE])[1:-1] for start in starts)
    encoded = msgspec.Raw(b"[" + b",".join(pieces) + b"]")
    return msgspec.json.encode(msgspec.structs.replace(answer, **{name: encoded}))


JSON = Format("application/json", encode_json)

SERVED = {"json": JSON, "xml": Format("application/xml", encode_xml)}


def format_named(output: str) -> Format:
    """The format that the parameter ``output`` names.

    Raises:
        ApiError: 406, it is unknown.
    """
    try:
        return SERVED[output]
    except KeyError:
        valid = ", ".join(f'"{name}"' for name in SERVED)
        raise ApiError(406, f'output is "{output}"; valid is one of {valid}.') from None
