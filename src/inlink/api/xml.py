"""Answers as XML 1.0: the names and the order of the JSON, under ``<response>``.

    {"backlinks": [{"title": "", "alt": null, "image": false}], "next": "uaputGo"}

    <response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
      <backlinks>
        <backlink><title></title><alt xsi:nil="true"/><image>false</image></backlink>
      </backlinks>
      <next>uaputGo</next>
    </response>

(without the spaces between elements). A list is one element that holds an element for each item,
named by `ITEMS`. null is ``xsi:nil``, a field that is UNSET is not there, dates are ISO 8601.

Text is read back as it was, line ends and outer spaces included, but for what XML 1.0 cannot hold
even as a reference: control characters below U+0020 other than tab, line feed and carriage return,
lone surrogates, U+FFFE and U+FFFF. Each of them becomes U+FFFD. (JSON keeps them all but the
surrogates, which it cannot encode.)

In: a struct of strings, integers, floats, booleans, dates, nulls, structs and lists of these; the
types are read from its annotations, and a writer is made of them once. Out: UTF-8. Rows are written
column by column, some at a time: that is four times as fast as lxml's incremental writer.
"""

import datetime as dt
import functools
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Annotated, Any, get_args, get_origin
from xml.sax.saxutils import escape

from msgspec import UNSET, Struct, UnsetType, inspect
from msgspec.structs import FieldInfo, astuple, fields

PIECE = 1000  # rows of a list of the answer; about 0.5 MB of XML

ITEMS = {
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
"""What an item is called, for each list."""

Write = Callable[[Sequence[Any]], Iterable[object]]
"""From values of one type to what stands in the element of each: markup, or what ``str`` makes."""

_START = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)
_END = "</response>"

_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Element:
    """How a field of a struct, or an item of a list, stands in XML."""

    name: str
    kind: inspect.Type
    """Its type, null left out; NoneType if it is always null."""
    nillable: bool = False
    optional: bool = False
    """Whether it may be left out."""


def encode_xml(answer: Struct) -> bytes:
    """*answer* as an XML document.

    Raises:
        TypeError: a field has a type that XML has no form for.
        LookupError: `ITEMS` lacks a list.
    """
    document = io.BytesIO()
    document.writelines(map(str.encode, _pieces(answer)))
    return document.getvalue()


@functools.cache
def elements(struct: type[Struct]) -> tuple[Element, ...]:
    """The elements that the fields of *struct* make, in order.

    Raises:
        TypeError: a field has a type that XML has no form for.
    """
    return tuple(_element(struct, field) for field in fields(struct))


def item(of: Element) -> Element:
    """The element of each item of a list.

    Raises:
        LookupError: `ITEMS` lacks the list.
        TypeError: its items have a type that XML has no form for.
    """
    assert isinstance(of.kind, inspect.ListType)
    if of.name not in ITEMS:
        raise LookupError(
            f"{of.name} is a list, but ITEMS in inlink.api.xml has no name for its items."
        )
    return _described(ITEMS[of.name], of.kind.item_type)


def _element(struct: type[Struct], field: FieldInfo) -> Element:
    kind = field.type
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    optional = UnsetType in get_args(kind)
    try:
        return _described(field.encode_name, inspect.type_info(field.type), optional)
    except TypeError as error:
        raise TypeError(f"{struct.__name__}.{field.name}: {error}") from None


def _described(name: str, kind: inspect.Type, optional: bool = False) -> Element:
    parts = _parts(kind)
    values = [part for part in parts if not isinstance(part, inspect.NoneType)]
    nillable = len(values) < len(parts)
    if not values:
        return Element(name, inspect.NoneType(), nillable, optional)
    if len(values) > 1:
        raise TypeError("XML cannot tell values of several types apart.")
    (only,) = values
    if not isinstance(only, _KINDS):
        raise TypeError(f"XML has no form for {type(only).__name__}.")
    if isinstance(only, inspect.LiteralType) and not all(isinstance(v, str) for v in only.values):
        raise TypeError("A Literal has to be of strings.")
    return Element(name, only, nillable, optional)


def _parts(kind: inspect.Type) -> list[inspect.Type]:
    """The types of a union, or the only one; without their descriptions."""
    if isinstance(kind, inspect.Metadata):
        return _parts(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [part for member in kind.types for part in _parts(member)]
    return [kind]


def _pieces(answer: Struct) -> Iterator[str]:
    yield _START
    for value, (name, write) in zip(astuple(answer), _writers(type(answer)), strict=True):
        if isinstance(value, list):
            yield f"<{name}>"
            for start in range(0, len(value), PIECE):
                yield from map(str, write([value[start : start + PIECE]]))
            yield f"</{name}>"
        else:
            yield from _whole(name, write, [value])
    yield _END


@functools.cache
def _writers(struct: type[Struct]) -> tuple[tuple[str, Write], ...]:
    return tuple((element.name, _content(element)) for element in elements(struct))


def _content(element: Element) -> Write:
    if isinstance(element.kind, inspect.StructType):
        return _struct(element.kind.cls)
    if isinstance(element.kind, inspect.ListType):
        return _list(item(element))
    return _SCALARS[type(element.kind)]


def _placed(element: Element) -> tuple[str, Write]:
    """A template for the element, and what writes into it."""
    write = _content(element)
    if element.nillable or element.optional:
        return "%s", functools.partial(_whole, element.name, write)
    return f"<{element.name}>%s</{element.name}>", write


def _whole(name: str, write: Write, values: Sequence[Any]) -> list[str]:
    """Elements, where values may be null or UNSET."""
    nil = f'<{name} xsi:nil="true"/>'
    there = iter(write([value for value in values if value is not None and value is not UNSET]))
    return [
        nil if value is None else "" if value is UNSET else f"<{name}>{next(there)}</{name}>"
        for value in values
    ]


def _struct(struct: type[Struct]) -> Write:
    placed = [_placed(element) for element in elements(struct)]
    template = "".join(part for part, _ in placed)

    def write_rows(rows: Sequence[Struct]) -> Iterable[str]:
        columns = zip(*map(astuple, rows), strict=True)  # none, if there are no rows
        written = [write(column) for (_, write), column in zip(placed, columns, strict=False)]
        return map(template.__mod__, zip(*written, strict=True))

    return write_rows


def _list(of: Element) -> Write:
    template, write_items = _placed(of)

    def write_lists(lists: Sequence[Sequence[Any]]) -> Iterable[str]:
        items = list(chain.from_iterable(lists))
        written = map(template.__mod__, write_items(items))
        return ["".join(islice(written, len(items))) for items in lists]

    return write_lists


def _text(text: str) -> str:
    """*text* with markup escaped, as a parser gives it back."""
    if text.isprintable() and "&" not in text and "<" not in text and ">" not in text:
        return text  # several times as fast as what follows
    return _NOT_XML.sub("\ufffd", escape(text, {"\r": "&#13;"}))


def _number(number: float) -> str:
    """As XML Schema writes it."""
    return str(number).replace("inf", "INF").replace("nan", "NaN")


_day = functools.lru_cache(maxsize=10_000)(dt.date.isoformat)
"""The days of a page are few."""


_SCALARS: dict[type[inspect.Type], Write] = {
    inspect.BoolType: functools.partial(map, {False: "false", True: "true"}.__getitem__),
    inspect.DateType: functools.partial(map, _day),
    inspect.FloatType: functools.partial(map, _number),
    inspect.IntType: iter,
    inspect.LiteralType: functools.partial(map, _text),
    inspect.NoneType: iter,
    inspect.StrType: functools.partial(map, _text),
}

_KINDS: tuple[type[inspect.Type], ...] = (*_SCALARS, inspect.ListType, inspect.StructType)
"""What XML has a form for."""
