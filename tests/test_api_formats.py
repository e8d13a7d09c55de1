"""Answers as JSON: long lists, encoded in pieces, are the same as in one."""

import datetime as dt
import json

import pytest
from msgspec import UNSET, UnsetType

from inlink.api.answers import RefdomainsAnswer
from inlink.api.formats import PIECE, encode_json
from inlink.index.rows import Refdomain


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
