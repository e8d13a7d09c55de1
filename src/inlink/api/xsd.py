"""XML Schema 1.0 of the answers: a schema for each command, and one for errors.

Every answer begins with ``<response>``, and XML Schema gives one element one type, so a schema of
all answers could tell little about any. Each of these says exactly what one command answers; which
answers are errors is told by the HTTP status. Made from the same structs as the answers are.

``python -m inlink.api.xsd docs/xsd`` writes the copies in the documentation.
"""

import sys
from inspect import getdoc
from pathlib import Path
from xml.etree import ElementTree

from msgspec import Struct, inspect

from inlink.api.commands import ROUTES
from inlink.api.xml import Element, elements, item
from inlink.contract.answers import RecordFile
from inlink.contract.errors import ErrorBody

_BOUNDS = {"ge": "minInclusive", "gt": "minExclusive", "le": "maxInclusive", "lt": "maxExclusive"}


def schemas() -> dict[str, bytes]:
    """Each schema by its file name."""
    answers = {
        command.name: command.answer for command in ROUTES if command.answer is not RecordFile
    }
    answers["error"] = ErrorBody
    return {f"{name}.xsd": schema(answer) for name, answer in answers.items()}


def schema(answer: type[Struct]) -> bytes:
    """The schema of the documents that `encode_xml` makes of an *answer*.

    Raises:
        TypeError, LookupError: `encode_xml` does not take it.
    """
    root = ElementTree.Element("xs:schema", {"xmlns:xs": "http://www.w3.org/2001/XMLSchema"})
    annotation = ElementTree.SubElement(root, "xs:annotation")
    ElementTree.SubElement(annotation, "xs:documentation").text = getdoc(answer)
    _declare(root, Element("response", inspect.type_info(answer)))
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def _declare(parent: ElementTree.Element, element: Element, **occurs: str) -> None:
    declared = ElementTree.SubElement(parent, "xs:element", {"name": element.name})
    if isinstance(element.kind, inspect.StructType):
        content = _sequence(declared)
        for field in elements(element.kind.cls):
            if field.optional:
                _declare(content, field, minOccurs="0")
            else:
                _declare(content, field)
    elif isinstance(element.kind, inspect.ListType):
        _declare(_sequence(declared), item(element), minOccurs="0", maxOccurs="unbounded")
    else:
        _give_type(declared, element.kind)
    if element.nillable:
        declared.set("nillable", "true")
    declared.attrib.update(occurs)


def _sequence(declared: ElementTree.Element) -> ElementTree.Element:
    complex_type = ElementTree.SubElement(declared, "xs:complexType")
    return ElementTree.SubElement(complex_type, "xs:sequence")


def _give_type(declared: ElementTree.Element, kind: inspect.Type) -> None:
    base, facets = _simple_type(kind)
    if not facets:
        declared.set("type", base)
        return
    simple_type = ElementTree.SubElement(declared, "xs:simpleType")
    restriction = ElementTree.SubElement(simple_type, "xs:restriction", {"base": base})
    for name, value in facets:
        ElementTree.SubElement(restriction, f"xs:{name}", {"value": value})


def _simple_type(kind: inspect.Type) -> tuple[str, list[tuple[str, str]]]:
    """The built-in type, and the facets that narrow it."""
    match kind:
        case inspect.IntType():
            return "xs:long", _bounds(kind)
        case inspect.FloatType():
            return "xs:double", _bounds(kind)
        case inspect.BoolType():
            return "xs:boolean", []
        case inspect.DateType():
            return "xs:date", []
        case inspect.LiteralType():
            return "xs:string", [("enumeration", str(value)) for value in kind.values]
        case inspect.NoneType():
            return "xs:NCName", [("length", "0")]  # no text is such a name: it has to be nil
        case _:
            return "xs:string", []


def _bounds(kind: inspect.IntType | inspect.FloatType) -> list[tuple[str, str]]:
    bounds = [(facet, getattr(kind, bound)) for bound, facet in _BOUNDS.items()]
    return [(facet, str(value)) for facet, value in bounds if value is not None]


if __name__ == "__main__":
    for name, document in schemas().items():
        Path(sys.argv[1], name).write_bytes(document)
