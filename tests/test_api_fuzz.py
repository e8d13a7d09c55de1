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
from inlink.accounts.keys import Keys
from inlink.accounts.ledger import Ledger
from inlink.accounts.limits import RateLimits
from inlink.api.call import Resources
from inlink.api.checks import Checks
from inlink.api.commands import ROUTES, Command
from inlink.api.cursor import Cursors
from inlink.api.service import Received, Rendered, Service
from inlink.exports.queue import Exports
from inlink.index.generations import Generations
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from tests.serving import Row, make_current, write_generation

PARAMETERS = {field.encode_name for command in ROUTES for field in fields(command.request)}
NAMES = ["apikey", "apiKey", "output", *sorted(PARAMETERS)]
COMMAND = st.sampled_from(ROUTES)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service over two backlinks, one of them lost, and a key for it."""
    data: Path = tmp_path_factory.mktemp("fuzz")
    rows = [
        Row("https://blog.example/", "https://shop.example/", anchor="café", ip="192.0.2.1"),
        Row("https://news.example/", "https://shop.example/", lost="2026-02-01"),
    ]
    write_generation(data, 1, rows, {"https://shop.example/": 7}, rank_days=["2026-01-01"])
    make_current(data, 1)
    layout = Layout(data)
    generations = Generations(layout)
    generations.refresh()
    engine = connect(layout.accounts)
    keys = Keys(engine)
    key = keys.create("fuzz")
    ledger = Ledger(engine)
    rules = Settings(drop_parameters=("utm_*",))
    limits, checks = RateLimits(engine), Checks(layout, rules)
    resources = Resources(
        Cursors(layout.secret()), keys, Exports(engine), rules, layout, limits, checks
    )
    yield Service(generations, KeyCache(keys), limits, ledger, resources), key
    ledger.close()
    generations.close()
    engine.dispose()


def check(rendered: Rendered) -> None:
    assert rendered.status in (200, 400, 403, 404, 406), rendered
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
)
days = st.sampled_from([b"0001-01-01", b"1926-11-25", b"2026-01-01", b"9999-12-31", b"2026-02-30"])

GOOD = {"target": b"shop.example", "task_id": b"0", "url_to": b"https://shop.example/"}
"""What has to be given, so that the rest is looked at."""


def own(command: Command) -> list[str]:
    """The names that mean something to a command."""
    return ["output", *(field.encode_name for field in fields(command.request))]


@st.composite
def queries(draw: st.DrawFn) -> tuple[Command, bytes]:
    """A command, and a query string: what has to be given, in places replaced or repeated."""
    command = draw(COMMAND)
    names = st.sampled_from(own(command)) | st.sampled_from(NAMES[2:])
    pairs = [(name, value) for name, value in GOOD.items() if draw(st.integers(0, 9))]
    for name in draw(st.lists(names, max_size=3)):
        value = draw(days if name.startswith("date") and draw(st.booleans()) else values)
        if name in GOOD and draw(st.booleans()):
            pairs = [pair for pair in pairs if pair[0] != name]
        pairs.append((name, value))
    return command, b"&".join(name.encode() + b"=" + value for name, value in pairs)


@settings(max_examples=500)
@given(queries())
def test_any_query_string(asked: tuple[Service, str], sent: tuple[Command, bytes]) -> None:
    service, key = asked
    command, query = sent
    check(service.respond(command, Received("GET", f"apikey={key}&".encode() + query)))


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(["shop.example", "url", "1", "[::1]", '["\\ud800.example"]']),
        st.sampled_from(["0001-01-01", "9999-12-31", "2026-01-01", "xml", "new", "undefined"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Command, dict[str, Any]]:
    """A command, and a body: what has to be given, in places replaced."""
    command = draw(COMMAND)
    names = st.sampled_from(own(command)) | st.sampled_from(NAMES)
    good = {name: value.decode() for name, value in GOOD.items() if draw(st.integers(0, 9))}
    return command, good | draw(st.dictionaries(names, json_values, max_size=3))


@settings(max_examples=500)
@given(bodies())
def test_any_json_body(asked: tuple[Service, str], sent: tuple[Command, dict[str, Any]]) -> None:
    service, key = asked
    command, body = sent
    content = msgspec.json.encode(body)
    check(service.respond(command, Received("POST", f"apikey={key}".encode(), content)))


@settings(max_examples=200)
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
