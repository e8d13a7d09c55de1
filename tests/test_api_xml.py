"""Answers as XML: independent parsers read back what JSON holds, and the schemas describe it."""

import copy
import datetime as dt
import functools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from xml.etree import ElementTree

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec import UNSET, Meta, Struct, UnsetType

from inlink.api.xml import PIECE, encode_xml
from inlink.api.xsd import schema, schemas
from inlink.contract import answers
from inlink.contract.answers import (
    MetricsAnswer,
    NewLostBacklinksAnswer,
    RawBacklinksAnswer,
    SummaryAnswer,
    TaskAnswer,
)
from inlink.contract.errors import ApiError, ErrorBody
from inlink.contract.rows import Backlink
from tests.serving import Row, Server, make_current, serving, write_generation

SCHEMAS = Path(__file__).parents[1] / "docs" / "xsd"

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

SINGULARS = {
    "anchors": "anchor",
    "backlinks": "backlink",
    "backlinks_count": "day",
    "histogram": "bin",
    "ips": "ip",
    "metrics": "metric",
    "new_lost_backlinks": "new_lost_backlink",
    "new_lost_backlinks_count": "day",
    "new_lost_refdomains": "new_lost_refdomain",
    "new_lost_refdomains_count": "day",
    "occurrences": "occurrence",
    "pages": "page",
    "ranks": "rank",
    "records": "record",
    "refdomains": "refdomain",
    "summary": "target_summary",
    "top_anchors_by_backlinks": "anchor",
    "top_anchors_by_refdomains": "anchor",
    "top_countries": "country",
    "top_pages_by_backlinks": "page",
    "top_pages_by_refdomains": "page",
    "top_tlds": "tld",
}
"""What the documentation calls an item of each list."""


class Inner(Struct):
    """Less than the answers have, and more."""

    date: dt.date | None
    ips: list[str]
    share: float
    tld: str | UnsetType = UNSET


class Outer(Struct, rename={"kind": "type"}):
    """Whatever no answer has yet."""

    kind: Literal["&", "<new>", " lost "] | None
    inner: Inner
    maybe: Inner | None
    anchors: list[Inner]
    pages: list[Inner | None]
    ranks: list[float] | None
    rank: Annotated[int, Meta(ge=-1, le=100)]
    share: Annotated[float, Meta(gt=-1, lt=1)]
    metrics: list[bool] | UnsetType | None = UNSET
    day: Annotated[dt.date, Meta(description="A day.")] | UnsetType = UNSET
    count: Annotated[int | UnsetType, Meta(description="A number.")] = UNSET


ANSWERS: list[type[Struct]] = [
    *(answer for name, answer in vars(answers).items() if name.endswith("Answer")),
    ErrorBody,
    Outer,
]

TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("&<>]\"' \t\r\n\0\x01\x0b\x1f\x7f\x85\xa0\u2028"),
        st.sampled_from("\ud800\udfff\ufeff\ufffd\ufffe\uffff\U0001f600\U0001fffe\U0010ffff"),
    )
)


def parts(hint: Any) -> list[Any]:
    """The types of a union, without what annotates them."""
    if get_origin(hint) is Annotated:
        return parts(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [part for member in get_args(hint) for part in parts(member)]
    return [hint]


def hints(struct: type[Struct]) -> dict[str, Any]:
    """The types of the fields of a struct."""
    return get_type_hints(struct, include_extras=True)


@functools.cache
def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type."""
    if get_origin(hint) is Annotated:
        inner, meta = get_args(hint)
        if inner is int:
            return st.integers(meta.ge, meta.le)
        if inner is float:
            return st.floats(meta.gt, meta.lt, exclude_min=True, exclude_max=True)
        return values(inner)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(*map(values, get_args(hint)))
    if get_origin(hint) is list:
        return st.lists(values(get_args(hint)[0]), max_size=3)
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Struct):
        return st.builds(hint, **{name: values(kind) for name, kind in hints(hint).items()})
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False),
        bool: st.booleans(),
        dt.date: st.dates(),
        NoneType: st.none(),
        UnsetType: st.just(UNSET),
    }
    return simple[hint]


def held(value: Any) -> Any:
    """*value* as XML 1.0 can hold it: the production Char."""
    if isinstance(value, str):
        return "".join(
            character
            if character in "\t\n\r"
            or "\x20" <= character <= "\ud7ff"
            or "\ue000" <= character <= "\ufffd"
            or character >= "\U00010000"
            else "\ufffd"
            for character in value
        )
    if isinstance(value, list):
        return list(map(held, value))
    if isinstance(value, Struct):
        return type(value)(**{name: held(getattr(value, name)) for name in hints(type(value))})
    return value


def read(element: Any, hint: Any) -> Any:
    """The value of a type that an element holds."""
    kinds = parts(hint)
    if element.attrib:
        assert dict(element.attrib) == {NIL: "true"}
        assert NoneType in kinds
        assert element.text is None
        assert len(element) == 0
        return None
    (kind,) = [kind for kind in kinds if kind not in (NoneType, UnsetType)]
    if get_origin(kind) is list:
        assert element.text is None
        singular = SINGULARS[element.tag]
        assert [child.tag for child in element] == [singular] * len(element)
        return [read(child, get_args(kind)[0]) for child in element]
    if isinstance(kind, type) and issubclass(kind, Struct):
        return read_struct(element, kind)
    assert len(element) == 0
    text = element.text or ""
    if get_origin(kind) is Literal:
        assert text in get_args(kind)
        return text
    simple: dict[Any, Callable[[str], Any]] = {
        str: str,
        int: int,
        float: float,
        bool: {"true": True, "false": False}.__getitem__,
        dt.date: dt.date.fromisoformat,
    }
    return simple[kind](text)


def read_struct(element: Any, struct: type[Struct]) -> Struct:
    """The struct that an element holds; its fields have to be in order."""
    assert element.text is None
    children = {child.tag: child for child in element}
    assert len(children) == len(element)
    names = dict(zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True))
    kinds = hints(struct)
    assert list(children) == [tag for tag in names if tag in children]
    for tag, name in names.items():
        assert tag in children or UnsetType in parts(kinds[name])
    return struct(**{names[tag]: read(child, kinds[names[tag]]) for tag, child in children.items()})


@pytest.mark.parametrize("parse", [ElementTree.fromstring, etree.fromstring])
@pytest.mark.parametrize("struct", ANSWERS)
@settings(max_examples=40)
@given(data=st.data())
def test_parsers_read_back_what_was_written(
    struct: type[Struct], parse: Callable[[bytes], Any], data: st.DataObject
) -> None:
    answer = data.draw(values(struct))
    root = parse(encode_xml(answer))
    assert root.tag == "response"
    assert read(root, struct) == held(answer)


@pytest.mark.parametrize("struct", ANSWERS)
@settings(max_examples=40)
@given(data=st.data())
def test_the_schema_takes_every_answer(struct: type[Struct], data: st.DataObject) -> None:
    validator(struct).assertValid(etree.fromstring(encode_xml(data.draw(values(struct)))))


@functools.cache
def validator(struct: type[Struct]) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(schema(struct)))


def stripped(document: str) -> bytes:
    """A document that was written with space between its elements, in one form."""
    return etree.tostring(
        etree.fromstring(document.strip().encode(), etree.XMLParser(remove_blank_text=True)),
        method="c14n",
    )


METRICS = """
{
  "metrics": [
    {
      "target": "seopowersuite.com",
      "backlinks": 20,
      "refdomains": 10,
      "subnets": 4,
      "ips": 8,
      "nofollow_backlinks": 0,
      "dofollow_backlinks": 20,
      "edu_backlinks": 0,
      "gov_backlinks": 2
    }
  ]
}
"""

METRICS_XML = """
<response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <metrics>
    <metric>
      <target>seopowersuite.com</target>
      <backlinks>20</backlinks>
      <refdomains>10</refdomains>
      <subnets>4</subnets>
      <ips>8</ips>
      <nofollow_backlinks>0</nofollow_backlinks>
      <dofollow_backlinks>20</dofollow_backlinks>
      <edu_backlinks>0</edu_backlinks>
      <gov_backlinks>2</gov_backlinks>
    </metric>
  </metrics>
</response>
"""

RAW_BACKLINKS = """
{
  "backlinks": [
    {
      "url_from": "https://www.digitalparc.com/blog/11-killer-seo-tools-will-boost-productivity/",
      "url_to": "https://www.seopowersuite.com/",
      "title": "11 Killer SEO Tools That Will Boost Your Productivity | DigitalParc",
      "anchor": "SEO PowerSuite",
      "alt": null,
      "nofollow": false,
      "image": false,
      "image_source": null,
      "inlink_rank": 0,
      "domain_inlink_rank": 0,
      "first_seen": "2018-12-08",
      "last_visited": "2018-12-08"
    },
    {
      "url_from": "https://www.evemilano.com/guide-seo/strumenti-seo/",
      "url_to": "http://www.seopowersuite.com/",
      "title": "Strumenti SEO gratuiti e premium",
      "anchor": "Seopowersuite",
      "alt": null,
      "nofollow": true,
      "image": false,
      "image_source": null,
      "inlink_rank": 0,
      "domain_inlink_rank": 0,
      "first_seen": "2018-12-10",
      "last_visited": "2018-12-10"
    }
  ],
  "next": "uaputGo_eWXvSEWZCpBxgAWMP0eBq59xNJOke6RwH4is4d7zrh0GUBI__JLSIZl4oBVkgGlrzJEG36aa4iQYwOYl"
}
"""

RAW_BACKLINKS_XML = """
<response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <backlinks>
    <backlink>
      <url_from>https://www.digitalparc.com/blog/11-killer-seo-tools-will-boost-productivity/</url_from>
      <url_to>https://www.seopowersuite.com/</url_to>
      <title>11 Killer SEO Tools That Will Boost Your Productivity | DigitalParc</title>
      <anchor>SEO PowerSuite</anchor>
      <alt xsi:nil="true"/>
      <nofollow>false</nofollow>
      <image>false</image>
      <image_source xsi:nil="true"/>
      <inlink_rank>0</inlink_rank>
      <domain_inlink_rank>0</domain_inlink_rank>
      <first_seen>2018-12-08</first_seen>
      <last_visited>2018-12-08</last_visited>
    </backlink>
    <backlink>
      <url_from>https://www.evemilano.com/guide-seo/strumenti-seo/</url_from>
      <url_to>http://www.seopowersuite.com/</url_to>
      <title>Strumenti SEO gratuiti e premium</title>
      <anchor>Seopowersuite</anchor>
      <alt xsi:nil="true"/>
      <nofollow>true</nofollow>
      <image>false</image>
      <image_source xsi:nil="true"/>
      <inlink_rank>0</inlink_rank>
      <domain_inlink_rank>0</domain_inlink_rank>
      <first_seen>2018-12-10</first_seen>
      <last_visited>2018-12-10</last_visited>
    </backlink>
  </backlinks>
  <next>uaputGo_eWXvSEWZCpBxgAWMP0eBq59xNJOke6RwH4is4d7zrh0GUBI__JLSIZl4oBVkgGlrzJEG36aa4iQYwOYl</next>
</response>
"""

NEW_LOST_BACKLINKS = """
{
  "new_lost_backlinks": [
    {
      "new_lost_date": "2019-01-17",
      "new_lost_type": "lost",
      "url_from": "http://www.seopowersuite.com/",
      "url_to": "https://seopowersuite.com/",
      "title": "",
      "anchor": "",
      "alt": "",
      "link_type": "redirect",
      "nofollow": false,
      "image": false,
      "image_source": "",
      "reason_lost": "broken_redirect",
      "inlink_rank": 0,
      "domain_inlink_rank": 68,
      "first_seen": "2016-10-26"
    }
  ]
}
"""

NEW_LOST_BACKLINKS_XML = """
<response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <new_lost_backlinks>
    <new_lost_backlink>
      <new_lost_date>2019-01-17</new_lost_date>
      <new_lost_type>lost</new_lost_type>
      <url_from>http://www.seopowersuite.com/</url_from>
      <url_to>https://seopowersuite.com/</url_to>
      <title></title>
      <anchor></anchor>
      <alt></alt>
      <link_type>redirect</link_type>
      <nofollow>false</nofollow>
      <image>false</image>
      <image_source></image_source>
      <reason_lost>broken_redirect</reason_lost>
      <inlink_rank>0</inlink_rank>
      <domain_inlink_rank>68</domain_inlink_rank>
      <first_seen>2016-10-26</first_seen>
    </new_lost_backlink>
  </new_lost_backlinks>
</response>
"""

SUMMARY = """
{
  "summary": [
    {
      "target": "a.example", "backlinks": 3, "refdomains": 2, "subnets": 1, "ips": 1,
      "nofollow_backlinks": 0, "dofollow_backlinks": 3, "inlink_rank": 5, "anchors": 1,
      "edu_backlinks": 0, "gov_backlinks": 0, "domain_inlink_rank": -1,
      "from_home_page_backlinks": 0, "dofollow_from_home_page_backlinks": 0, "text_backlinks": 3,
      "dofollow_refdomains": 2, "from_home_page_refdomains": 0, "edu_refdomains": 0,
      "gov_refdomains": 0, "dofollow_anchors": 1, "pages_with_backlinks": 1,
      "top_anchors_by_backlinks": [{"anchor": "R&D", "backlinks": 3}],
      "top_anchors_by_refdomains": [{"anchor": "R&D", "refdomains": 2}],
      "top_pages_by_backlinks": [{"url": "http://a.example/?a=1&b=2", "backlinks": 3}],
      "top_pages_by_refdomains": [{"url": "http://a.example/?a=1&b=2", "refdomains": 2}],
      "top_tlds": [{"tld": "com", "count": 1}, {"tld": "net", "count": 1}],
      "top_countries": []
    }
  ]
}
"""

SUMMARY_XML = """
<response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <summary>
    <target_summary>
      <target>a.example</target> <backlinks>3</backlinks> <refdomains>2</refdomains>
      <subnets>1</subnets> <ips>1</ips> <nofollow_backlinks>0</nofollow_backlinks>
      <dofollow_backlinks>3</dofollow_backlinks> <inlink_rank>5</inlink_rank>
      <anchors>1</anchors> <edu_backlinks>0</edu_backlinks> <gov_backlinks>0</gov_backlinks>
      <domain_inlink_rank>-1</domain_inlink_rank>
      <from_home_page_backlinks>0</from_home_page_backlinks>
      <dofollow_from_home_page_backlinks>0</dofollow_from_home_page_backlinks>
      <text_backlinks>3</text_backlinks> <dofollow_refdomains>2</dofollow_refdomains>
      <from_home_page_refdomains>0</from_home_page_refdomains>
      <edu_refdomains>0</edu_refdomains> <gov_refdomains>0</gov_refdomains>
      <dofollow_anchors>1</dofollow_anchors> <pages_with_backlinks>1</pages_with_backlinks>
      <top_anchors_by_backlinks>
        <anchor><anchor>R&amp;D</anchor><backlinks>3</backlinks></anchor>
      </top_anchors_by_backlinks>
      <top_anchors_by_refdomains>
        <anchor><anchor>R&amp;D</anchor><refdomains>2</refdomains></anchor>
      </top_anchors_by_refdomains>
      <top_pages_by_backlinks>
        <page><url>http://a.example/?a=1&amp;b=2</url><backlinks>3</backlinks></page>
      </top_pages_by_backlinks>
      <top_pages_by_refdomains>
        <page><url>http://a.example/?a=1&amp;b=2</url><refdomains>2</refdomains></page>
      </top_pages_by_refdomains>
      <top_tlds>
        <tld><tld>com</tld><count>1</count></tld>
        <tld><tld>net</tld><count>1</count></tld>
      </top_tlds>
      <top_countries></top_countries>
    </target_summary>
  </summary>
</response>
"""

SAMPLES: list[tuple[type[Struct], str, str]] = [
    (MetricsAnswer, METRICS, METRICS_XML),
    (RawBacklinksAnswer, RAW_BACKLINKS, RAW_BACKLINKS_XML),
    (NewLostBacklinksAnswer, NEW_LOST_BACKLINKS, NEW_LOST_BACKLINKS_XML),
    (SummaryAnswer, SUMMARY, SUMMARY_XML),
]
"""Answers as the specification prints them (the summary: as clients of the service know it)."""


@pytest.mark.parametrize(("struct", "sample", "expected"), SAMPLES)
def test_the_samples_of_the_specification(struct: type[Struct], sample: str, expected: str) -> None:
    encoded = encode_xml(msgspec.json.decode(sample, type=struct))
    assert stripped(encoded.decode()) == stripped(expected)
    validator(struct).assertValid(etree.fromstring(encoded))


def test_an_error_byte_by_byte() -> None:
    """Nothing stands between the elements."""
    error = ApiError(400, 'limit is "<a&b>"; valid is an integer.')
    assert encode_xml(error.body()) == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        b"<error><code>400</code><message>Parameters are invalid.</message>"
        b'<description>limit is "&lt;a&amp;b&gt;"; valid is an integer.</description></error>'
        b"<message>Parameters are invalid.</message></response>"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" \t\r\n\r ", " \t\r\n\r "),
        ("]]><![CDATA[<!--&amp;", "]]><![CDATA[<!--&amp;"),
        ("\x00\x08\x0b\x0c\x0e\x1f", "\ufffd" * 6),
        ("a\ud800b\udfff", "a\ufffdb\ufffd"),
        ("\ufffe\uffff\ufffd", "\ufffd" * 3),
        ("\x7f\x85\x9f\u2028\ufeff", "\x7f\x85\x9f\u2028\ufeff"),
        ("\U0001fffe\U0010ffff", "\U0001fffe\U0010ffff"),
    ],
)
def test_text_that_is_hard_to_hold(text: str, expected: str) -> None:
    root = ElementTree.fromstring(encode_xml(TaskAnswer("rejected", text)))
    assert root.findtext("task_id") == expected


def test_floats_that_are_no_numbers() -> None:
    inner = Inner(None, [], math.nan)
    encoded = encode_xml(inner)
    validator(Inner).assertValid(etree.fromstring(encoded))
    assert b"<share>NaN</share>" in encoded
    assert b"<share>-INF</share>" in encode_xml(msgspec.structs.replace(inner, share=-math.inf))


@pytest.mark.parametrize("count", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7])
@pytest.mark.parametrize("end", ["after", UNSET])
def test_long_lists_are_written_whole(count: int, end: str | UnsetType) -> None:
    day = dt.date(2026, 1, 2)
    rows = [
        Backlink(f"http://{n}.example/", "", "", "", None, True, False, None, n, 0, day, day)
        for n in range(count)
    ]
    root = ElementTree.fromstring(encode_xml(RawBacklinksAnswer(rows, next=end)))
    assert [row.tag for row in root[0]] == ["backlink"] * count
    expected = [(f"http://{number}.example/", str(number)) for number in range(count)]
    assert [(row.findtext("url_from"), row.findtext("inlink_rank")) for row in root[0]] == expected
    assert [child.text for child in root[1:]] == ([] if end is UNSET else [end])


Change = Callable[[Any], object]
"""Makes a document wrong, given its first row."""


def texts(**changed: str) -> Change:
    def change(row: Any) -> None:
        for name, text in changed.items():
            element = row.find(name)
            element.attrib.clear()
            element.text = text

    return change


def without(name: str) -> Change:
    return lambda row: row.remove(row.find(name))


def first(name: str) -> Change:
    return lambda row: row.insert(0, row.find(name))


def twice(name: str) -> Change:
    return lambda row: row.find(name).addnext(copy.copy(row.find(name)))


def nil(name: str) -> Change:
    def change(row: Any) -> None:
        row.find(name).text = None
        row.find(name).set(NIL, "true")

    return change


def added(where: Callable[[Any], Any], name: str) -> Change:
    return lambda row: etree.SubElement(where(row), name)


ROW_FIELDS = Backlink.__struct_fields__

WRONG: dict[str, Change] = {
    **{f"without {name}": without(name) for name in ROW_FIELDS},
    **{f"{name} first": first(name) for name in ROW_FIELDS[1:]},
    **{f"{name} twice": twice(name) for name in ROW_FIELDS},
    **{f"{name} nil": nil(name) for name in ROW_FIELDS if name not in ("alt", "image_source")},
    **{f"nofollow {text!r}": texts(nofollow=text) for text in ("", "True", "yes", "null")},
    **{f"rank {text!r}": texts(inlink_rank=text) for text in ("", "x", "1.5", str(2**63), "1e3")},
    **{
        f"first_seen {text!r}": texts(first_seen=text)
        for text in ("", "2018-12-32", "2018-02-29", "08.12.2018", "2018-12-08T00:00:00")
    },
    "alt empty": texts(alt=""),
    "alt with text": texts(alt="x"),
    "an unknown field": added(lambda row: row, "rank"),
    "another row": added(lambda row: row.getparent(), "refdomain"),
    "an unknown list": added(lambda row: row.getroottree().getroot(), "refdomains"),
    "an attribute": lambda row: row.set("id", "1"),
    "text between": lambda row: setattr(row, "text", "x"),
    "another root": lambda row: setattr(row.getroottree().getroot(), "tag", "answer"),
    "message before next": lambda row: row.getparent().addnext(etree.Element("message")),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_the_schema_refuses_what_is_wrong(change: Change) -> None:
    answer = msgspec.json.decode(RAW_BACKLINKS, type=RawBacklinksAnswer)
    root = etree.fromstring(encode_xml(answer))
    assert validator(RawBacklinksAnswer).validate(root)
    change(root[0][0])
    assert not validator(RawBacklinksAnswer).validate(root)


@pytest.mark.parametrize(
    ("name", "text"),
    [("new_lost_type", "gone"), ("new_lost_type", " lost "), ("reason_lost", "x"), ("alt", "x")],
)
def test_the_schema_refuses_words_that_are_not_in_the_list(name: str, text: str) -> None:
    answer = msgspec.json.decode(NEW_LOST_BACKLINKS, type=NewLostBacklinksAnswer)
    root = etree.fromstring(encode_xml(answer))
    texts(**{name: text})(root[0][0])
    assert not validator(NewLostBacklinksAnswer).validate(root)


@pytest.mark.parametrize(
    ("name", "text"), [("rank", "-2"), ("rank", "101"), ("share", "-1"), ("share", "1")]
)
def test_the_schema_refuses_numbers_out_of_range(name: str, text: str) -> None:
    outer = Outer("&", Inner(None, [], 0), None, [], [None], None, rank=100, share=0.5)
    root = etree.fromstring(encode_xml(outer))
    assert validator(Outer).validate(root)
    texts(**{name: text})(root)
    assert not validator(Outer).validate(root)


def test_the_schema_of_one_command_refuses_the_answer_of_another() -> None:
    documents = {
        struct: etree.fromstring(encode_xml(msgspec.json.decode(sample, type=struct)))
        for struct, sample, _ in SAMPLES
    }
    for struct, document in documents.items():
        taken = [other for other in documents if validator(other).validate(document)]
        assert taken == [struct]


def test_a_list_without_a_name_for_its_items_is_refused() -> None:
    class Links(Struct):
        links: list[int]

    said = r"links is a list, but ITEMS in inlink\.api\.xml"
    with pytest.raises(LookupError, match=said):
        encode_xml(Links([]))
    with pytest.raises(LookupError, match=said):
        schema(Links)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (dict[str, int], "no form for DictType"),
        (dt.datetime, "no form for DateTimeType"),
        (int | str, "values of several types"),
        (Literal["a", 1], "Literal has to be of strings"),
        (list[bytes], "no form for BytesType"),
    ],
)
def test_types_without_a_form_are_refused(kind: Any, said: str) -> None:
    struct = msgspec.defstruct("Odd", [("pages", kind)])
    with pytest.raises(TypeError, match=said):
        encode_xml(struct([]))
    with pytest.raises(TypeError, match=said):
        schema(struct)


def test_the_copies_in_the_documentation_are_the_same() -> None:
    """``python -m inlink.api.xsd docs/xsd`` writes them anew."""
    assert {path.name: path.read_bytes() for path in SCHEMAS.iterdir()} == schemas()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves small.example with 1 backlink, huge.example with 2, which is too many."""
    data = tmp_path_factory.mktemp("xml")
    (data / "settings.json").write_text('{"huge_target": 2}')
    rows = [
        Row("https://blog.example/", "http://small.example/", title=" R&D\r\n", anchor="]]>"),
        *(Row(f"https://blog{number}.example/", "http://huge.example/") for number in range(2)),
    ]
    write_generation(data, 1, rows)
    make_current(data, 1)
    with serving(data) as server:
        yield server


@pytest.mark.parametrize("command", ["get-metrics", "get-backlinks", "get-raw-backlinks"])
def test_over_http_the_values_are_those_of_the_json(server: Server, command: str) -> None:
    root = answered(server.get(command, target="small.example", output="xml"), 200, command)
    ((name, rows),) = server.get(command, target="small.example").json().items()
    assert [child.tag for child in root] == [name]
    assert len(rows) == 1
    expected = {
        key: None if value is None else value if isinstance(value, str) else json.dumps(value)
        for key, value in rows[0].items()
    }
    written = {
        child.tag: None if child.get(NIL) == "true" else child.text or "" for child in root[0][0]
    }
    assert written == expected


def test_over_http_a_huge_target(server: Server) -> None:
    answer = server.get("get-backlinks", target="huge.example", output="xml")
    root = answered(answer, 244, "get-backlinks")
    assert [(child.tag, len(child)) for child in root] == [("backlinks", 0), ("message", 0)]
    assert "huge websites" in root.findtext("message")


def test_over_http_errors(server: Server) -> None:
    asked = {"target": "small.example", "output": "xml"}
    root = answered(server.get("get-backlinks", **asked, apikey="unknown"), 401, "error")
    assert root.findtext("error/code") == "401"
    root = answered(server.get("get-backlinks", **asked, limit="<1>"), 400, "error")
    assert root.findtext("message") == "Parameter limit is invalid."
    assert '"<1>"' in root.findtext("error/description")


def answered(answer: httpx.Response, status: int, described: str) -> Any:
    """The document of an answer, which has to be as the published schema says."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/xml"
    root = etree.fromstring(answer.content)
    etree.XMLSchema(file=SCHEMAS / f"{described}.xsd").assertValid(root)
    return root
