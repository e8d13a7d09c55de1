"""Whatever is asked: both methods, formats, faces and pages give the same.

Random requests about a random web of a few hundred links in several domains, many of them lost and
some found again. Most are answered in this process, some over HTTP.
"""

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

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
from inlink.api.commands import COMMANDS, SUCCESSOR, Command
from inlink.api.cursor import Cursors
from inlink.api.service import Received, Rendered, Service
from inlink.exports.queue import Exports
from inlink.index.generations import Generations
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from tests.serving import Row, Server, make_current, serving, write_generation
from tests.test_api_openapi import ROWS

SCHEMAS = Path(__file__).parents[1] / "docs" / "xsd"
XS = "{http://www.w3.org/2001/XMLSchema}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

Parameters = dict[str, Any]

# the web

SITES = ["shop.example", "www.shop.example", "a.b.shop.example", "other.co.uk", "bücher.example"]
SOURCES = [
    *(f"blog{number}.{domain}" for number in range(4) for domain in ("pages.example", "more.com")),
    "mit.edu",
    "www.mit.edu",
    "nasa.gov",
    "xn--e1afmkfd.xn--p1ai",
    "192.0.2.7",
]
PATHS = ["/", "/a", "/a/b", "/a?b=c&d=%26+x", "/caf%C3%A9", "/z;p=1"]
TEXTS = ["", "shop", "Shop", "tea & <b>cake</b>", "\x00\x0b\x1f", "\ufffe]]>", " a\r\n\tb ", "😀 é"]
ADDRESSES = ["192.0.2.1", "192.0.2.9", "198.51.100.1", "2001:db8::1", None]
DAYS = [f"2026-{month:02}-{day:02}" for month in (1, 2, 3) for day in range(1, 29)]
REASONS = ["page_not_found", "crawl_error", "redirect", "noindex", "other"]


def random_web(chance: random.Random) -> list[Row]:
    """Stretches of links: each link has up to three, one after the other, the last perhaps live."""
    pages = {f"https://{host}{path}" for host in SOURCES for path in PATHS}
    titles = {page: chance.choice(TEXTS) for page in sorted(pages)}
    addresses = {host: chance.choice(ADDRESSES) for host in SOURCES}
    targets = [f"https://{site}{path}" for site in SITES for path in PATHS]
    link_types = ["href"] * 4 + ["redirect"]
    links = {
        (chance.choice(sorted(pages)), chance.choice(targets), chance.choice(link_types))
        for _ in range(350)
    }
    rows = []
    for source, target, link_type in sorted(links):
        days = sorted(chance.sample(DAYS, chance.choice([1, 1, 1, 2, 3, 4, 5])))
        for found, lost in itertools.zip_longest(days[::2], days[1::2]):
            image = link_type == "href" and chance.random() < 0.2
            rows.append(
                Row(
                    source,
                    target.replace("bücher", "xn--bcher-kva"),
                    first_seen=days[0],
                    last_visited=DAYS[-1],
                    title=titles[source],
                    anchor="" if link_type == "redirect" else chance.choice(TEXTS),
                    nofollow=chance.random() < 0.3,
                    image=image,
                    image_source="https://img.example/x.png" if image else None,
                    link_type=link_type,
                    ip=addresses[source.split("/")[2]],
                    found=found,
                    lost=lost,
                    reason_lost=chance.choice(REASONS),
                )
            )
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a random web."""
    data = tmp_path_factory.mktemp("properties")
    chance = random.Random(20260324)
    rows = random_web(chance)
    assert len(rows) > 400
    assert sum(row.lost is None for row in rows) > 150
    urls = sorted({row.source for row in rows} | {row.target for row in rows})
    domains = ["shop.example", "pages.example", "more.com", "mit.edu", "nasa.gov"]
    write_generation(
        data,
        1,
        rows,
        {url: chance.randint(0, 100) for url in urls if chance.random() < 0.7},
        {domain: chance.randint(0, 100) for domain in domains[:4]},
        past_ranks={url: [("2026-02-01", 5), ("2026-03-01", -1)] for url in urls[::3]},
        past_domain_ranks={domain: [("2026-02-10", 7)] for domain in domains[1:]},
        rank_days=["2026-01-15", "2026-02-01", "2026-02-10", "2026-03-01", "2026-03-20"],
    )
    make_current(data, 1)
    return data


@dataclass(frozen=True)
class Asked:
    """A service, and a key for it."""

    service: Service
    key: str

    def get(self, command: Command, parameters: Parameters, output: str = "json") -> Rendered:
        """GET, with the key in the query."""
        query = f"apikey={self.key}&output={output}&{encoded(parameters)}"
        return self.service.respond(command, Received("GET", query.encode()))

    def post(self, command: Command, parameters: Parameters, output: str = "json") -> Rendered:
        """POST, likewise."""
        query = f"apikey={self.key}&output={output}".encode()
        return self.service.respond(
            command, Received("POST", query, json.dumps(parameters).encode())
        )

    def rows(self, command: Command, parameters: Parameters) -> list[Any]:
        """The rows of an answer, which must be one."""
        answer = self.get(command, parameters)
        assert answer.status == 200, answer.body
        listed = json.loads(answer.body)[next(iter(shape(command)))]
        assert isinstance(listed, list)
        return listed


def shape(command: Command) -> dict[str, str]:
    """The lists that a command answers with, and the fields of their rows."""
    return ROWS.get(command.name) or ROWS[str(command.successor_path)]


def encoded(parameters: Parameters) -> str:
    """A query string; a list is its parameter repeated."""
    return "&".join(
        f"{name}={quote(str(one), safe='')}"
        for name, value in parameters.items()
        for one in (value if isinstance(value, list) else [value])
    )


@pytest.fixture(scope="module")
def asked(data: Path) -> Iterator[Asked]:
    layout = Layout(data)
    generations = Generations(layout)
    generations.refresh()
    engine = connect(layout.accounts)
    keys, ledger, exports = Keys(engine), Ledger(engine), Exports(engine)
    key = keys.create("properties")
    # The key has an export under way: so every further one is answered alike.
    exports.submit(keys.all()[0].id, "shop.example", "host", 0)
    limits, checks = RateLimits(engine), Checks(layout, Settings())
    resources = Resources(
        Cursors(layout.secret()), keys, exports, Settings(), layout, limits, checks
    )
    yield Asked(Service(generations, KeyCache(keys), limits, ledger, resources), key)
    ledger.close()
    generations.close()
    engine.dispose()


# requests

TARGET = st.one_of(
    st.sampled_from([*SITES, "shop.example", "SHOP.example", "unknown.example"]),
    st.builds("https://{}{}".format, st.sampled_from(SITES), st.sampled_from(PATHS)),
)
DAY = st.sampled_from(["2025-12-31", *DAYS, "2026-04-02"])
WORD = st.sampled_from(["a", "A/B", "shop", "é", "+", "&", "blog1", "zzz"])
HOLDS = st.sampled_from(["contains", "does_not_contain"])
RANK = st.integers(0, 100)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "mode": st.sampled_from(["domain", "host", "url"]),
    "limit": st.integers(1, 60) | st.just(10_000),
    "per_domain": st.integers(1, 5),
    "new_lost_type": st.sampled_from(["new", "lost"]),
    "date_from": DAY,
    "date_to": DAY,
    "link_type": st.sampled_from(["href", "redirect"]),
    "anchor_type": st.sampled_from(["text", "image", "undefined"]),
    "dofollow": st.sampled_from(["dofollow", "nofollow", "undefined"]),
    "url_from": st.sampled_from(["mit.edu", "https://blog1.pages.example/x", "pages.example"]),
    "task_id": st.just("unknown") | WORD,
    "granularity": st.sampled_from(["by_day", "by_week", "by_month"]),
    "histogramMode": st.sampled_from(["host", "domain"]),
    "nofollow_filter": st.sampled_from(["nofollow_only", "dofollow_only"]),
    **{f"{name}_filter": WORD for name in ("url_from", "url_to", "anchor")},
    **{f"{name}_filter_mode": HOLDS for name in ("url_from", "url_to", "anchor")},
    **{f"{name}inlink_rank_{end}": RANK for name in ("", "domain_") for end in ("from", "to")},
}
ORDERS = {
    "get-backlinks": ["date_found", "domain_inlink_rank", "inlink_rank"],
    "get-refdomains": ["date_found", "domain_inlink_rank", "inlink_rank"],
    "get-new-lost-backlinks": ["new_lost_date", "domain_inlink_rank", "inlink_rank"],
    "get-new-lost-refdomains": ["new_lost_date", "domain_inlink_rank"],
    "get-anchors": ["backlinks", "refdomains"],
    "get-pages": ["backlinks", "refdomains"],
    "get-ips": ["backlinks", "refdomains"],
}


def takes(command: Command) -> set[str]:
    """The names of a command's parameters."""
    return {field.encode_name for field in fields(command.request)}


ROUTES = COMMANDS + SUCCESSOR
"""The commands that are asked about targets; `tests.test_evidence` has those about one link."""

RAW = tuple(command for command in ROUTES if command.name == "get-raw-backlinks")
LIMITED = tuple(command for command in ROUTES if "limit" in takes(command))
HISTORY = tuple(command for command in ROUTES if "new_lost_type" in takes(command))


@st.composite
def parameters_of(draw: st.DrawFn, command: Command) -> Parameters:
    """What a client may send; days may be in the wrong order."""
    chosen: Parameters = {}
    if "target" in takes(command):
        one = draw(TARGET)
        batch = command.request.__name__ in ("MetricsRequest", "RanksRequest") and draw(
            st.booleans()
        )
        chosen["target"] = [one, *draw(st.lists(TARGET, min_size=1, max_size=3))] if batch else one
    values = VALUES | {"order_by": st.sampled_from(ORDERS.get(command.name, ["x"]))}
    for name in sorted(takes(command) - {"target", "next"}):
        # the two faces have other default limits, and without days there is nothing to see
        if name in ("limit", "task_id", "date_from", "date_to") or draw(st.booleans()):
            chosen[name] = draw(values[name])
    return chosen


def requests_to(commands: tuple[Command, ...]) -> st.SearchStrategy[tuple[Command, Parameters]]:
    """A command, and parameters for it."""
    return st.sampled_from(commands).flatmap(
        lambda command: st.tuples(st.just(command), parameters_of(command))
    )


def same(first: Rendered, second: Rendered) -> None:
    """The two answers are the same, byte by byte."""
    assert (first.status, first.media_type) == (second.status, second.media_type)
    assert first.body == second.body


def test_there_is_something_to_be_asked_about(asked: Asked) -> None:
    """Else all that follows would hold of nothing."""
    parameters = {"target": "shop.example", "mode": "domain", "limit": 10_000}
    days = {"date_from": DAYS[0], "date_to": DAYS[-1]}
    for command in ROUTES:
        if "target" in takes(command) and command.name != "download-all-backlinks":
            assert asked.rows(command, parameters | days), command.path
    rows = {command.name: asked.rows(command, parameters | days) for command in LIMITED}
    assert min(map(len, rows.values())) >= 4
    assert len(rows["get-backlinks"]) > 80
    assert {row["new_lost_type"] for row in rows["get-new-lost-refdomains"]} == {"new", "lost"}


# GET and POST, keys, faces


@settings(max_examples=400, derandomize=True)
@given(requests_to(tuple(command for command in ROUTES if "POST" in command.methods)))
def test_get_and_post_are_the_same(asked: Asked, request: tuple[Command, Parameters]) -> None:
    command, parameters = request
    answer = asked.get(command, parameters)
    assert answer.status in (200, 400)
    same(answer, asked.post(command, parameters))
    same(answer, asked.post(command, {name: as_text(one) for name, one in parameters.items()}))


def as_text(value: Any) -> str:
    """As a string; a list becomes one that holds it."""
    return json.dumps(value) if isinstance(value, list) else str(value)


@settings(max_examples=200, derandomize=True)
@given(requests_to(ROUTES), st.sampled_from(["Token {}", "token {}", "TOKEN  {}"]))
def test_the_key_may_come_in_a_header(
    asked: Asked, request: tuple[Command, Parameters], header: str
) -> None:
    command, parameters = request
    query = encoded(parameters).encode()
    received = Received("GET", query, authorization=header.format(asked.key))
    same(asked.get(command, parameters), asked.service.respond(command, received))


FACES = [(one, other) for one in COMMANDS for other in SUCCESSOR if one.name == other.name]


def test_every_command_but_the_subscription_has_two_faces() -> None:
    assert len(FACES) == len(COMMANDS) - 1


@pytest.mark.parametrize(("one", "other"), FACES, ids=lambda command: command.path)
@settings(max_examples=30, derandomize=True)
@given(st.data())
def test_both_faces_are_the_same(
    asked: Asked, one: Command, other: Command, data: st.DataObject
) -> None:
    parameters = data.draw(parameters_of(one))
    same(asked.get(one, parameters), asked.get(other, parameters))


# JSON and XML


@settings(max_examples=400, derandomize=True)
@given(requests_to(ROUTES))
def test_json_and_xml_are_the_same(asked: Asked, request: tuple[Command, Parameters]) -> None:
    """And the XML is valid by the command's schema, and has its types by it."""
    command, parameters = request
    found, written = asked.get(command, parameters), asked.get(command, parameters, "xml")
    assert found.status == written.status
    schema = etree.parse(SCHEMAS / f"{command.name if found.status == 200 else 'error'}.xsd")
    document = etree.fromstring(written.body)
    etree.XMLSchema(schema).assertValid(document)
    declared = schema.find(f"{XS}element")
    assert declared is not None
    # as text: so that the order of the names counts
    assert json.dumps(read(document, declared)) == json.dumps(held(json.loads(found.body)))


def read(element: Any, declared: Any) -> Any:
    """The value of an element, of the type that an XML Schema declares."""
    if element.get(NIL) == "true":
        return None
    inner = declared.findall(f"{XS}complexType/{XS}sequence/{XS}element")
    if inner and inner[0].get("maxOccurs") == "unbounded":
        return [read(child, inner[0]) for child in element]
    if inner:
        by_name = {one.get("name"): one for one in inner}
        return {child.tag: read(child, by_name[child.tag]) for child in element}
    restriction = declared.find(f"{XS}simpleType/{XS}restriction")
    kind = declared.get("type") if restriction is None else restriction.get("base")
    text = element.text or ""
    if kind == "xs:boolean":
        return {"true": True, "false": False}[text]
    assert kind in ("xs:long", "xs:string", "xs:date")
    return int(text) if kind == "xs:long" else text


def held(value: Any) -> Any:
    """*value* with what XML cannot hold replaced."""
    if isinstance(value, dict):
        return {name: held(one) for name, one in value.items()}
    if isinstance(value, list):
        return [held(one) for one in value]
    if isinstance(value, str):
        return "".join("\ufffd" if one in NOT_XML else one for one in value)
    return value


NOT_XML = {*map(chr, range(32)), "\ufffe", "\uffff"} - set("\t\r\n")


@settings(max_examples=300, derandomize=True)
@given(requests_to(ROUTES))
def test_names_stand_in_the_order_of_the_specification(
    asked: Asked, request: tuple[Command, Parameters]
) -> None:
    command, parameters = request
    answer = json.loads(asked.get(command, parameters).body)
    if "error" in answer:
        assert list(answer) == ["error", "message"]
        assert list(answer["error"]) == ["code", "message", "description"]
        return
    assert "message" not in answer
    for listed, names in shape(command).items():
        order = [name.partition(":")[0] for name in names.split()]
        rows = answer.pop(listed) if listed else [answer]
        for row in rows if isinstance(rows, list) else [rows]:
            optional = {"next", "download_file"} - row.keys()
            assert list(row) == [name for name in order if name not in optional]
    assert not answer or "" in shape(command)


# pages and limits


@settings(max_examples=100, derandomize=True)
@given(
    st.sampled_from(RAW), TARGET, VALUES["mode"], st.lists(st.integers(1, 40), min_size=1)
)  # fmt: skip
def test_pages_of_any_size_make_the_whole(
    asked: Asked, command: Command, target: str, mode: str, sizes: list[int]
) -> None:
    parameters: Parameters = {"target": target, "mode": mode}
    whole = asked.rows(command, parameters)
    pages: list[Any] = []
    for limit in itertools.cycle(sizes):
        page = json.loads(asked.get(command, parameters | {"limit": limit}).body)
        assert len(page["backlinks"]) <= limit
        pages += page["backlinks"]
        if "next" not in page:
            break
        assert len(page["backlinks"]) == limit
        parameters["next"] = page["next"]
    assert pages == whole


@settings(max_examples=300, derandomize=True)
@given(requests_to(LIMITED), st.integers(1, 60))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(
    asked: Asked, request: tuple[Command, Parameters], limit: int
) -> None:
    command, parameters = request
    in_order = parameters.get("date_from", "") <= parameters.get("date_to", "")
    if not in_order:
        assert asked.get(command, parameters).status == 400
        return
    longer = asked.rows(command, parameters)
    assert len(longer) <= parameters["limit"]
    limit = min(limit, parameters["limit"])
    assert asked.rows(command, parameters | {"limit": limit}) == longer[:limit]


# new and lost


@settings(max_examples=300, derandomize=True)
@given(requests_to(HISTORY))
def test_new_and_lost_together_are_both(asked: Asked, request: tuple[Command, Parameters]) -> None:
    """Lists are those of each type, merged; of counts, each type fills its own column."""
    command, parameters = request
    days = sorted((parameters["date_from"], parameters["date_to"]))
    parameters |= {"limit": 10_000, "date_from": days[0], "date_to": days[1], "new_lost_type": ""}
    both = asked.rows(command, parameters)
    for kind, other in (("new", "lost"), ("lost", "new")):
        only = asked.rows(command, parameters | {"new_lost_type": kind})
        if command.name.endswith("count"):
            assert only == [day | {other: 0} for day in both]
        else:
            assert only == [row for row in both if row["new_lost_type"] == kind]
    if not command.name.endswith("count"):
        assert {row["new_lost_type"] for row in both} <= {"new", "lost"}
        assert all(days[0] <= row["new_lost_date"] <= days[1] for row in both)


@settings(max_examples=150, derandomize=True)
@given(st.sampled_from(["backlinks", "refdomains"]), st.data())
def test_counts_by_day_are_those_of_the_list(asked: Asked, what: str, data: st.DataObject) -> None:
    by_name = {command.name: command for command in COMMANDS}
    count = by_name[f"get-new-lost-{what}-count"]
    parameters = data.draw(parameters_of(count))
    parameters["date_from"], parameters["date_to"] = sorted(
        (parameters["date_from"], parameters["date_to"])
    )
    listed = asked.rows(by_name[f"get-new-lost-{what}"], parameters | {"limit": 10_000})
    for day in asked.rows(count, parameters):
        for kind in ("new", "lost"):
            assert day[kind] == sum(
                (row["new_lost_date"], row["new_lost_type"]) == (day["date"], kind)
                for row in listed
            )


# over HTTP


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[Server]:
    with serving(data) as server:
        yield server


@settings(max_examples=50, derandomize=True)
@given(requests_to(tuple(c for c in ROUTES if not c.name.startswith("download"))))
def test_over_http_it_is_the_same(
    asked: Asked, server: Server, request: tuple[Command, Parameters]
) -> None:
    command, parameters = request
    header = {"Authorization": f"Token {asked.key}"}
    url = f"{command.path}?apikey={asked.key}"
    for output in ("json", "xml"):
        expected = asked.get(command, parameters, output)
        answers = [
            server.client.get(f"{url}&output={output}&{encoded(parameters)}"),
            server.client.get(
                f"{command.path}?{encoded(parameters)}&output={output}", headers=header
            ),
        ]
        if "POST" in command.methods:
            answers.append(server.client.post(f"{url}&output={output}", json=parameters))
        for answer in answers:
            assert (answer.status_code, answer.content) == (expected.status, expected.body)
            assert answer.headers["content-type"] == expected.media_type
