"""Robots directives of a page, those for every robot and for ours (Google's robots meta tag).

In: ``<meta>`` elements as (name, content), and the values of ``X-Robots-Tag``.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

ROBOT = "inlinkbot"
_VALUED = ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")
_UNAVAILABLE = re.compile(r"(?:^|,)\s*unavailable_after\s*:\s*((?:[a-z]+,)?[^,]*)", re.IGNORECASE)


class Directives(NamedTuple):
    """What is forbidden, and from when on the page is not to be shown."""

    noindex: bool
    nofollow: bool
    unavailable_after: datetime | None


def directives(metas: list[tuple[str, str]], headers: list[str]) -> Directives:
    """The directives that are for us."""
    addressed = [content for name, content in metas if name in ("robots", ROBOT)]
    for value in headers:
        robot, colon, rest = value.partition(":")
        robot = robot.strip().lower()
        named = colon and "," not in robot and robot not in _VALUED
        if not named or robot in ("robots", ROBOT):
            addressed.append(rest if named else value)
    words = {word.strip().lower() for content in addressed for word in content.split(",")}
    days = [_date(text) for content in addressed for text in _UNAVAILABLE.findall(content)]
    return Directives(
        noindex=bool(words & {"noindex", "none"}),
        nofollow=bool(words & {"nofollow", "none"}),
        unavailable_after=min((day for day in days if day), default=None),
    )


def _date(text: str) -> datetime | None:
    """A date in the form of RFC 822, RFC 850 or ISO 8601; UTC where it names no zone."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            date = parse(text.strip().upper())
        except ValueError:
            continue
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    return None
