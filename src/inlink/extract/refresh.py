"""Where a page redirects its visitors by ``<meta http-equiv=refresh>`` or the field ``Refresh``.

In: the value, such as ``5; url=/new``. Out: after how many seconds, and to which URL.
"""

import re
from typing import NamedTuple

MAX_REFRESH_SECONDS = 10
"""A page that sends its visitors elsewhere within this time is a redirect."""

_SPACE = r"[\t\n\f\r ]*"
_REFRESH = re.compile(
    rf"{_SPACE}(?=[0-9.])([0-9]*)(?:\.[0-9.]*)?"
    rf"(?:\Z|(?=[;,\t\n\f\r ]){_SPACE}[;,]?{_SPACE}(.*))",
    re.S,
)
_URL = re.compile(rf"(?:url{_SPACE}={_SPACE})?(?:\"([^\"]*)|'([^']*)|(.*))", re.S | re.I)


class Refresh(NamedTuple):
    """What a value says: *url* may be relative, and is None if the page reloads itself."""

    seconds: int
    url: str | None


def refresh_of(value: str) -> Refresh | None:
    """What *value* says; None if it is not a refresh.

    https://html.spec.whatwg.org/#shared-declarative-refresh-steps
    """
    match = _REFRESH.match(value)
    if match is None:
        return None
    digits, rest = match[1].lstrip("0"), match[2]
    seconds = int(digits or "0") if len(digits) < 10 else MAX_REFRESH_SECONDS + 1
    url = _URL.match(rest) if rest else None
    return Refresh(seconds, url[url.lastindex or 0] if url else None)
