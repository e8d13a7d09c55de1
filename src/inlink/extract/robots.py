"""Robots directives of a page: ``meta`` elements and ``X-Robots-Tag`` fields.

In: the content of metas and fields. Out: one normalised text, and what it says to our bot.

The grammar is that of
https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag: directives with commas
between them; in a field, the name of a bot and a colon before those that are for it alone.
``unavailable_after`` takes a date that may have commas in it.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from inlink.extract.limits import MAX_ROBOTS

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
_BOT_NAME = re.compile(r"robots|\S*bot(?:-\S+)?|\S*(?:spider|crawler)\S*|slurp|teoma|yandex", re.I)


class Directives(NamedTuple):
    """What robots directives say to one bot."""

    noindex: bool
    nofollow: bool


@lru_cache(4096)
def is_robots_name(name: str, robot_name: str) -> bool:
    """Whether a ``meta`` called *name* (lower case) has directives for bots."""
    return name == robot_name or _BOT_NAME.fullmatch(name) is not None


def normalised(metas: Iterable[tuple[str, str]], fields: Iterable[str]) -> str:
    """All directives: *metas* by name and content, then the values of X-Robots-Tag *fields*.

    Lower case, each once, joined by ``, ``; those for one bot as ``name: directive``.
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
    """The directives in a list; dates stay whole, words that lack their commas are taken apart."""
    date = ""
    for item in text.split(","):
        words = item.split()
        directive = " ".join(words)
        name = directive.partition(":")[0].rstrip()
        if date and words and not (set(words) & _DIRECTIVES or name in _WITH_VALUE):
            date = f"{date}, {directive}"
            continue
        if date:
            yield date
        date = directive if name == "unavailable_after" else ""
        if len(words) > 1 and _DIRECTIVES.issuperset(words):
            yield from words
        elif directive and not date:
            yield directive
    if date:
        yield date


def directives_for(robots: str, robot_name: str) -> Directives:
    """What *robots* (normalised) says to the bot *robot_name*: the strictest that it reads."""
    own = f"{robot_name.lower()}: "
    said = {each.removeprefix(own) for each in robots.split(", ")}
    return Directives(
        not said.isdisjoint(("noindex", "none")), not said.isdisjoint(("nofollow", "none"))
    )
