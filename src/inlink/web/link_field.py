"""The ``Link`` field of HTTP (RFC 8288): where a response names its canonical URL."""

import re
from collections.abc import Iterable, Iterator

_LINK = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER = re.compile(
    r"\s*;\s*([^\s=;,\"<>]+)\s*(?:=\s*(?:\"([^\"\\]*(?:\\.[^\"\\]*)*)\"?|([^\s;,\"]*)))?", re.S
)
_ESCAPE = re.compile(r"\\(.)", re.S)


def canonical_link(values: Iterable[str]) -> str | None:
    """The first target with ``rel=canonical`` about the page itself; None if there is none."""
    for value in values:
        for target, parameters in _links(value):
            relations = parameters.get("rel", "").lower().split()
            if "canonical" in relations and "anchor" not in parameters:
                return target
    return None


def _links(value: str) -> Iterator[tuple[str, dict[str, str]]]:
    position = 0
    while match := _LINK.match(value, position):
        position = match.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(value, position):
            position = parameter.end()
            text = parameter[3] if parameter[2] is None else _ESCAPE.sub(r"\1", parameter[2])
            parameters.setdefault(parameter[1].lower(), text or "")
        yield match[1], parameters
        position = _next_comma(value, position)


def _next_comma(value: str, position: int) -> int:
    """Where the next link begins, whatever a broken one leaves before it."""
    comma = value.find(",", position)
    return len(value) if comma < 0 else comma
