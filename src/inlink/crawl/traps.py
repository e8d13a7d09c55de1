"""Spider traps: URLs without end that lead nowhere new.

In: canonical URLs that were found in pages. Out: which of them not to follow, and what makes two of
them the same or alike. Seeds and plans are not judged: they were asked for.
"""

import re
from urllib.parse import urlsplit, urlunsplit

MAX_LENGTH = 2000
MAX_SEGMENTS = 20
MAX_SAME_SEGMENTS = 3
"""How often a segment of the path may stand in it: relative links that were meant to be absolute
make ``/a/b/a/b/a/b/``."""
MAX_PARAMETERS = 16
QUERY_PATTERN_PAGES = 500
"""How many URLs of a host are followed that differ only in the values of their query."""
NUMBER_PATTERN_PAGES = 2000
"""The same, for those that differ only in the numbers of their path, such as days of a calendar."""

_SESSION_PATH = re.compile(r";(?:jsessionid|phpsessid|sid|sessionid)=[^/?;]*", re.I)
_SESSION_QUERY = re.compile(
    r"(?:^|&)(?:jsessionid|phpsessid|aspsessionid\w*|sid|sessid|sessionid|session_id|cfid|cftoken)"
    r"=[^&]*",
    re.I,
)
_NUMBERS = re.compile(r"\d+")
_VALUES = re.compile(r"=[^&]*")


def is_trap(url: str) -> bool:
    """Whether *url* has the look of one that was made by following itself, or of a login."""
    if len(url) > MAX_LENGTH:
        return True
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return True
    segments = [segment for segment in parts.path.split("/") if segment]
    if len(segments) > MAX_SEGMENTS or parts.query.count("&") >= MAX_PARAMETERS:
        return True
    return any(segments.count(segment) > MAX_SAME_SEGMENTS for segment in set(segments))


def without_session(url: str) -> str:
    """*url* less the id of a session, which is another at each visit to the same page."""
    if "id=" not in url.lower() and "cftoken=" not in url.lower():
        return url
    parts = urlsplit(url)
    path = _SESSION_PATH.sub("", parts.path)
    query = _SESSION_QUERY.sub("", parts.query).removeprefix("&")
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def in_order(url: str) -> str:
    """*url* with its parameters sorted: permutations of them are one page."""
    address, mark, query = url.partition("?")
    return f"{address}{mark}{'&'.join(sorted(query.split('&')))}"


def pattern_of(url: str) -> tuple[str, int] | None:
    """What URLs like this one have in common, and how many of them are followed; None: no limit."""
    address, mark, query = url.partition("?")
    origin, _, path = address.partition("//")[2].partition("/")
    numbers = _NUMBERS.sub("0", path)
    if mark:
        return f"{origin}/{numbers}?{_VALUES.sub('', query)}", QUERY_PATTERN_PAGES
    return (f"{origin}/{numbers}", NUMBER_PATTERN_PAGES) if numbers != path else None
