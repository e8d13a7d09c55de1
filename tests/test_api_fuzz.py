"""Nothing that can be sent makes the service fail: it answers, or says what is wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import fields

from inlink.accounts.cache import KeyCache
from inlink.accounts.database import connect
from inlink.accounts.exports import Exports
from inlink.accounts.keys import Keys
from inlink.accounts.ledger import Ledger
from inlink.accounts.limits import RateLimits
from inlink.api.call import Resources
from inlink.api.commands import ROUTES, Command
from inlink.api.cursor import Cursors
from inlink.api.generations import Generations
from inlink.api.service import Received, Rendered, Service
from inlink.store.layout import Layout
from inlink.store.settings import Settings
from tests.serving import Row, make_current, write_generation

PARAMETERS = {field.encode_name for command in ROUTES for field in fields(command.request)}
NAMES = ["apikey", "apiKey", "output", *sorted(PARAMETERS)]
COMMAND = st.sampled_from(ROUTES)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service over one backlink, and a key for it."""
    data: Path = tmp_path_factory.mktemp("fuzz")
    write_generation(data, 1, [Row("https://blog.example/", "https://shop.example/")])
    make_current(data, 1)
    layout = Layout(data)
    generations = Generations(layout)
    generations.refresh()
    engine = connect(layout.accounts)
    keys = Keys(engine)
    key = keys.create("fuzz")
    ledger = Ledger(engine)
    resources = Resources(
        Cursors(layout.secret()), Exports(engine), Settings(drop_parameters=("utm_*",))
    )
    yield Service(generations, KeyCache(keys), RateLimits(engine), ledger, resources), key
    ledger.close()
    generations.close()
    engine.dispose()


def check(rendered: Rendered) -> None:
    assert rendered.status in (200, 400, 406), rendered
    if rendered.media_type == "application/xml":
        found = etree.fromstring(rendered.body).find("error")
        assert (found is not None) == (rendered.status != 200)
        return
    body = msgspec.json.decode(rendered.body, type=dict[str, Any])
    assert ("error" in body) == (rendered.status != 200)


values = st.one_of(
    st.binary(max_size=30).map(quote_from_bytes).map(str.encode),
    st.binary(max_size=30),
    st.sampled_from([b"shop.example", b"host", b"10", b"json", b"[]", b'["a.b", "c.d"]', b"[1]"]),
    st.sampled_from([b"xml", b"2026-01-01", b"9999-12-31", b"0001-01-01", b"new", b"undefined"]),
)


@settings(max_examples=300, deadline=None)
@given(COMMAND, st.lists(st.tuples(st.sampled_from(NAMES[2:]), values), max_size=6))
def test_any_query_string(
    asked: tuple[Service, str], command: Command, pairs: list[tuple[str, bytes]]
) -> None:
    service, key = asked
    query = b"&".join([f"apikey={key}".encode(), *(f"{n}=".encode() + v for n, v in pairs)])
    check(service.respond(command, Received("GET", query)))


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(["shop.example", "url", "1", "[::1]", '["\\ud800.example"]']),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(COMMAND, st.dictionaries(st.sampled_from(NAMES), json_values, max_size=5))
def test_any_json_body(asked: tuple[Service, str], command: Command, body: dict[str, Any]) -> None:
    service, key = asked
    sent = msgspec.json.encode(body)
    check(service.respond(command, Received("POST", f"apikey={key}".encode(), sent)))


@settings(max_examples=200, deadline=None)
@given(COMMAND, st.binary(max_size=60))
def test_any_body(asked: tuple[Service, str], command: Command, body: bytes) -> None:
    service, key = asked
    check(service.respond(command, Received("POST", f"apikey={key}".encode(), body)))


@pytest.mark.parametrize(
    "body",
    [b'{"target": "\\ud800.example"}', b"[" * 100_000, b'{"a":' * 100_000, b"\xef\xbb\xbf{}"],
)
def test_bodies_that_break_parsers(asked: tuple[Service, str], body: bytes) -> None:
    service, key = asked
    for command in ROUTES:
        rendered = service.respond(command, Received("POST", f"apikey={key}".encode(), body))
        check(rendered)
        assert rendered.status == 400
