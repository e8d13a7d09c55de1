"""The output formats: which there are, and that JSON in pieces is the same as in one."""

import datetime as dt
import json

import pytest
from msgspec import UNSET, UnsetType

from inlink.api.formats import PIECE, encode_json, format_named
from inlink.contract.answers import RefdomainsAnswer
from inlink.contract.errors import ApiError
from inlink.contract.rows import Refdomain


@pytest.mark.parametrize("count", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7])
@pytest.mark.parametrize("message", ["why", UNSET])
def test_long_lists_are_encoded_whole(count: int, message: str | UnsetType) -> None:
    rows = [
        Refdomain(f"blog{number}.example", number, 1, dt.date(2026, 1, 2), -1)
        for number in range(count)
    ]
    expected: dict[str, object] = {
        "refdomains": [
            {
                "refdomain": f"blog{number}.example",
                "backlinks": number,
                "dofollow_backlinks": 1,
                "first_seen": "2026-01-02",
                "domain_inlink_rank": -1,
            }
            for number in range(count)
        ]
    }
    if message is not UNSET:
        expected["message"] = message
    encoded = encode_json(RefdomainsAnswer(rows, message=message))
    assert encoded.decode() == json.dumps(expected, separators=(",", ":"))


@pytest.mark.parametrize(
    ("output", "media_type", "start"),
    [("json", "application/json", b'{"refdomains":'), ("xml", "application/xml", b"<?xml ")],
)
def test_the_formats_of_the_specification_are_served(
    output: str, media_type: str, start: bytes
) -> None:
    served = format_named(output)
    assert served.media_type == media_type
    assert served.encode(RefdomainsAnswer([])).startswith(start)


@pytest.mark.parametrize("output", ["csv", "JSON", "xml ", "html", "\0", ""])
def test_other_formats_are_not_acceptable(output: str) -> None:
    with pytest.raises(ApiError) as refused:
        format_named(output)
    assert refused.value.status == 406
    assert refused.value.message == (
        'Unsupported output format. Supported output formats are "json" (default) and "xml".'
    )
    assert refused.value.description == f'output is "{output}"; valid is one of "json", "xml".'
