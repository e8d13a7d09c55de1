"""robots.txt, by RFC 9309 (https://www.rfc-editor.org/rfc/rfc9309).

In: the answer to the request for it. Out: rules: which URLs may be fetched, how long to wait
between two, and which sitemaps there are.

Lines, groups and product tokens are read here, as Google's parser reads them
(https://github.com/google/robotstxt); Protego, which has other rules for these, matches URLs with
the rules of the one group that is for us.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes, urlsplit

import msgspec
from protego import Protego

from inlink.crawl.errors import FetchError
from inlink.crawl.fetch import Fetched
from inlink.urls.canonical import canonical_url
from inlink.web.http import Response, decoded_body, has_unknown_coding
from inlink.web.problems import Problems

KEPT_SECONDS = 24 * 3600.0
"""How long an answer holds (section 2.4)."""
UNREACHABLE_SECONDS = 3600.0
"""After how long a host is asked again that gave none."""
MAX_BYTES = 500 * 1024
"""How much of the file counts (section 2.5)."""
MAX_SENT_BYTES = 8 * MAX_BYTES
"""How much of the body is fetched: chunks of one byte take six."""
MAX_REDIRECTS = 5
"""How many are followed (section 2.3.1.2)."""

_LINE_END = re.compile(r"\r\n?|\n")
_WHITE = " \t\v\f"
_KEY = re.compile(  # with the frequent misspellings that Google's parser takes, and what may follow
    r"(?P<agent>user[- ]?agent)|(?P<disallow>diss?all?ow|diasllow|disallaw)|(?P<allow>allow)"
    r"|(?P<sitemap>site-?map)|(?P<delay>crawl[- ]delay\Z)",
    re.I | re.ASCII,
)
_DELAY = re.compile(r"\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}", re.ASCII)
_NOT_ASCII = re.compile(rb"[\x80-\xff]+")
_KEPT_IN_RULES = "".join(map(chr, range(0x21, 0x7F)))
_RULES = ("allow", "disallow")


class RobotsAnswer(msgspec.Struct, frozen=True):
    """What is known of the rules of one origin; kept by the frontier.

    Attributes:
        text: the file; empty allows everything. Bytes that are not ASCII are percent-encoded, as
            they are in the URLs that rules are for.
        failure: where nothing is known, and so nothing is allowed: cause and words of the failure.
    """

    text: str = ""
    failure: tuple[str, str] | None = None


class _Line(NamedTuple):
    """A line that means something; *kind* is the name of a group of `_KEY`."""

    kind: str
    value: str


class Rules:
    """The rules of one origin for one robot."""

    def __init__(self, text: str, robot_name: str) -> None:
        lines = list(_lines(text))
        rules = (
            f"{line.kind}: {quote(line.value, safe=_KEPT_IN_RULES)}"
            for line in _group(lines, robot_name, _RULES)
        )
        self._parsed = Protego.parse("\n".join(["user-agent: *", *rules]))
        # Not in the standard, for which such a line does not end the agents of a group.
        delays = _group(lines, robot_name, (*_RULES, "delay"))
        self._delay = max((_seconds(line) for line in delays if line.kind == "delay"), default=0.0)

    def allow(self, url: str) -> bool:
        """Whether *url* may be fetched; robots.txt itself always may."""
        return urlsplit(url).path == "/robots.txt" or bool(self._parsed.can_fetch(url, "*"))

    @property
    def delay(self) -> float:
        """Seconds of ``Crawl-delay``; 0 where there is none."""
        return self._delay


def _lines(text: str) -> Iterator[_Line]:
    """The lines that mean something; lines end in CR, LF or both (section 2.2)."""
    for line in _LINE_END.split(text):
        content = line.partition("#")[0].strip(_WHITE)
        key, colon, value = content.partition(":")
        if not colon:  # some forget it
            words = content.split()
            if len(words) != 2:
                continue
            key, value = words
        if match := _KEY.match(key.strip(_WHITE)):
            yield _Line(match.lastgroup or "", value.strip(_WHITE))


def _group(lines: Iterable[_Line], robot_name: str, rules: tuple[str, ...]) -> list[_Line]:
    """The lines of the kinds *rules* in all groups for the robot, else in those for every robot.

    A group begins with the agents it is for, and ends where another agent follows on a rule
    (section 2.2.1). A product token ends before the first character that none may have; what
    follows, such as a version, does not count.
    """
    is_us = re.compile(rf"{re.escape(robot_name)}(?![a-z_-])", re.I | re.ASCII).match
    ours: list[_Line] = []
    everybodys: list[_Line] = []
    is_named = for_us = for_all = ended = False
    for line in lines:
        if line.kind == "agent":
            if ended:
                for_us = for_all = ended = False
            if line.value[:1] == "*" and not line.value[1:2].strip():
                for_all = True
            elif is_us(line.value):
                for_us = is_named = True
        elif line.kind in rules:
            ended = True
            if for_us:
                ours.append(line)
            elif for_all:
                everybodys.append(line)
    return ours if is_named else everybodys


def _seconds(line: _Line) -> float:
    return float(line.value) if _DELAY.fullmatch(line.value) else 0.0


def origin_of(url: str) -> str:
    """Scheme, host and port: what one robots.txt holds for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def answer_of(result: Fetched | FetchError, *, redirected: bool = False) -> RobotsAnswer:
    """What an answer other than a redirect says: rules, all allowed (4xx), or nothing allowed.

    429 says that the host is overloaded, not that it has no rules. Where the host itself did not
    answer, its pages fail as its robots.txt did.
    """
    if isinstance(result, FetchError):
        if redirected:
            return RobotsAnswer(failure=("robots_unreachable", f"{result.cause} {result.words}"))
        return RobotsAnswer(failure=(result.cause, f"robots.txt: {result.words}"))
    if result.status == 429 or not 200 <= result.status < 500:
        return RobotsAnswer(failure=("robots_unreachable", f"robots.txt answered {result.status}"))
    if not 200 <= result.status < 300:
        return RobotsAnswer()
    if has_unknown_coding(result.fields):
        return RobotsAnswer(failure=("robots_unreachable", "robots.txt is in an unknown coding"))
    body, _ = decoded_body(Response(result.status, result.fields, result.body), Problems())
    return RobotsAnswer(text=_text(_whole_lines(body)))


def _whole_lines(body: bytes) -> bytes:
    if len(body) <= MAX_BYTES:
        return body
    return body[: max(body.rfind(end, 0, MAX_BYTES) for end in (b"\r", b"\n")) + 1]


def _text(body: bytes) -> str:
    ascii_only = _NOT_ASCII.sub(
        lambda match: quote_from_bytes(match[0]).encode(), body.removeprefix(b"\xef\xbb\xbf")
    )
    return ascii_only.decode()


def sitemaps_of(text: str, origin: str) -> list[str]:
    """The sitemaps that a robots.txt names, as canonical URLs, else the usual one."""
    named = (
        canonical_url(line.value, f"{origin}/") for line in _lines(text) if line.kind == "sitemap"
    )
    return list(dict.fromkeys(url for url in named if url)) or [f"{origin}/sitemap.xml"]
