"""The patterns of all code: right on every Python from 3.11 on, and linear on hostile text."""

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inlink.extract.depth import cut_position
from inlink.urls.canonical import canonical_url
from inlink.web.link_field import canonical_link

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "tests", "demo", "bench")

# Python 3.11.2, that of Debian 12, matches wrongly with both of these
# (https://github.com/python/cpython/issues/100061, https://github.com/python/cpython/issues/106052).
GIVES_NOTHING_BACK = re.compile(r"[*+?}]" r"\+|\(\?" r">")
ESCAPED_OR_IN_CLASS = re.compile(r"\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]", re.S)

NO_PATTERNS = {
    "https://example.com/a b?x=1&y=c++%41#ü",
    "ab09-_!\"$&'()*+,;=`{}~",
    "!$%&()*+,/:;=?@[\\]^`{|}",
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
}
"""Texts of the code that only look like one."""

EXAMPLES = {
    "a*" "+b": True,
    "a+" "+": True,
    "(?:a|b)?" "+": True,
    "[a*]{1,2}" "+": True,
    "(?" ">a|b)": True,
    r"\[*" "+": True,
    r"[^]]*" "+": True,
    "[]*+]": False,
    r"[\]*+]": False,
    r"a\*+": False,
    r"\{a\}+": False,
    "a+b*c?": False,
    "(?:a+)+": False,
    "(?<=a)b": False,
}  # fmt: skip


def is_possessive(pattern: str) -> bool:
    return GIVES_NOTHING_BACK.search(ESCAPED_OR_IN_CLASS.sub("x", pattern)) is not None


def texts(code: str) -> Iterator[tuple[int, str]]:
    """All texts and bytes that *code* has, with their lines."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            yield node.lineno, value if isinstance(value, str) else value.decode("latin-1")


@pytest.mark.parametrize(("pattern", "possessive"), EXAMPLES.items())
def test_possessive_patterns_are_known(pattern: str, possessive: bool) -> None:
    parser = re._parser  # the judge
    operations = repr(parser.parse(pattern))
    assert ("POSSESSIVE_REPEAT" in operations or "ATOMIC_GROUP" in operations) is possessive
    assert is_possessive(pattern) is possessive


def test_no_pattern_is_possessive() -> None:
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for line, text in texts(path.read_text(encoding="utf-8")):
            examples = path == Path(__file__) and text in EXAMPLES
            if is_possessive(text) and text not in NO_PATTERNS and not examples:
                found.append(f"{path.relative_to(ROOT)}:{line}")
    assert found == []


MANY = 300_000
HOSTILE = [
    *("a.", "a", "/", "a/", "?", "%", "#", " ", "//.", "xn--", ";", ";a", ";a=", ';a="', "\\", '"'),
    *("<", "<a ", "</", "<!--", "--", "=", "='", "<script>", "</script", "<a b=c>", ",<>", "&"),
]


@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_text_takes_time_in_proportion_to_its_length(part: str) -> None:
    text = part * (MANY // len(part))
    begin = time.process_time()
    for start in ("", "http://", "http://a.example/", "http://a.example/?"):
        canonical_url(start + text)
        canonical_url(start + text + " ")
    for start in ("", "<a>;", '<a>;b="'):
        canonical_link([start + text])
        canonical_link([start + text + "<"])
    for start in ("", "<a ", '<a b="', "<!--", "<script>", "<script "):
        cut_position((start + text).encode())
    assert time.process_time() - begin < 60  # a pattern that tries all again takes days
