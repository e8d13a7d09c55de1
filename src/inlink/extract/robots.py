"""Robots directives of a page: ``meta`` elements and ``X-Robots-Tag`` fields.

In: the contents of metas and fields. Out: one normalised text, and what it says to our bot.

The grammar is that of
https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag: directives separated
by commas; in a field, the name of a bot and a colon come before those that are only for that bot.
``unavailable_after`` takes a date that may contain commas: RFC 822, RFC 850, ISO 8601, or something
close to them. A date without a time means its first instant; one without a zone is in UTC.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from email.utils import parsedate_tz
from functools import lru_cache
from typing import NamedTuple

from inlink.web.limits import MAX_ROBOTS

EVERYBODY = "robots"

_DIRECTIVES = frozenset(
    """all index follow noindex nofollow none archive noarchive nocache nosnippet noimageindex
    noimageclick notranslate indexifembedded noodp noydir noai noimageai nositelinkssearchbox
    """.split()  # noqa: SIM905
)
_WITH_VALUE = frozenset(
    ("max-snippet", "max-image-preview", "max-video-preview", "unavailable_after", "revisit-after")
)
_BOT = re.compile(r"([a-z0-9_.*+-]+)\s*:(.*)", re.S)
_LAST_DAY = re.compile(r"(?:[a-z0-9_.*+-]+\s*:\s*)?unavailable_after\s*:")
_BOT_NAME = re.compile(r"robots|\S*bot(?:-\S+)?|\S*(?:spider|crawler)\S*|slurp|teoma|yandex", re.I)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Directives(NamedTuple):
    """What robots directives say to one bot."""

    noindex: bool
    nofollow: bool
    unavailable_after: int | None = None
    """The time from which it is also ``noindex``, in microseconds since 1970."""


@lru_cache(4096)
def is_robots_name(name: str, robot_name: str) -> bool:
    """Whether a ``meta`` called *name* (lower case) has directives for bots."""
    return name == robot_name or _BOT_NAME.fullmatch(name) is not None


def normalised(metas: Iterable[tuple[str, str]], fields: Iterable[str]) -> str:
    """All directives: *metas* by name and content, then the values of X-Robots-Tag *fields*.

    In lower case, each once, joined by ``, ``; those for one bot are ``name: directive``.
    """
    found: dict[str, None] = {}
    for name, content in metas:
        bot = name.lower()
        found.update(dict.fromkeys(_addressed(bot, each) for each in _split(content.lower())))
    for value in fields:
        bot = EVERYBODY
        for directive in _split(value.lower()):
            bot, own = _bot_of(directive, bot)
            found.update(dict.fromkeys(_addressed(bot, each) for each in _split(own)))
    text = ", ".join(found)
    return text if len(text) <= MAX_ROBOTS else text[:MAX_ROBOTS].rpartition(", ")[0]


def _addressed(bot: str, directive: str) -> str:
    return directive if bot in (EVERYBODY, "*") else f"{bot}: {directive}"


def _bot_of(directive: str, bot: str) -> tuple[str, str]:
    match = _BOT.match(directive)
    if match and match[1] not in _WITH_VALUE:
        return match[1], match[2].strip()
    return bot, directive


def _split(text: str) -> Iterator[str]:
    """The directives in a list; dates stay whole, words that lack their commas are separated."""
    date = ""
    for item in text.split(","):
        words = item.split()
        directive = " ".join(words)
        name = directive.partition(":")[0].rstrip()
        is_date = _LAST_DAY.match(directive) is not None
        if date and words and not (is_date or set(words) & _DIRECTIVES or name in _WITH_VALUE):
            date = f"{date}, {directive}"
            continue
        if date:
            yield date
        date = directive if is_date else ""
        if len(words) > 1 and _DIRECTIVES.issuperset(words):
            yield from words
        elif directive and not date:
            yield directive
    if date:
        yield date


def directives_for(robots: str, robot_name: str) -> Directives:
    """What *robots* (normalised) says to the bot *robot_name*: the strictest that it reads."""
    own = f"{robot_name.lower()}: "
    said = {each.removeprefix(own) for each in _split(robots)}
    return Directives(
        not said.isdisjoint(("noindex", "none")),
        not said.isdisjoint(("nofollow", "none")),
        min((day for each in said if (day := _last_day(each)) is not None), default=None),
    )


def _last_day(directive: str) -> int | None:
    """The instant that an ``unavailable_after`` names, if it names one."""
    name, _, date = directive.partition(":")
    if name.rstrip() != "unavailable_after":
        return None
    try:
        time = _time(date.strip().upper())
        time = time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        return None
    return (time - _EPOCH) // dt.timedelta(microseconds=1)


def _time(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        parsed = parsedate_tz(text) or parsedate_tz(f"{text} 00:00:00")
        if parsed is None:
            raise
    zone = dt.timezone(dt.timedelta(seconds=parsed[9] or 0))
    year, month, day, hour, minute, second = parsed[:6]
    return dt.datetime(year, month, day, hour, minute, second, tzinfo=zone)
