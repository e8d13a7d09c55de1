"""robots.txt, by RFC 9309 (https://www.rfc-editor.org/rfc/rfc9309).

In: the answer to the request for it. Out: rules: which URLs may be fetched, how long to wait
between two, and which sitemaps there are. Protego reads the file.
"""

import re
from urllib.parse import urlsplit

import msgspec
from protego import Protego
from scrapy.utils.sitemap import sitemap_urls_from_robots

from inlink.crawl.errors import FetchError
from inlink.crawl.fetch import Fetched
from inlink.extract.http import Response, decoded_body
from inlink.extract.problems import Problems

KEPT_SECONDS = 24 * 3600.0
"""How long an answer holds (section 2.4)."""
UNREACHABLE_SECONDS = 3600.0
"""After how long a host is asked again that gave none."""
MAX_BYTES = 500 * 1024
"""How much of the file counts (section 2.5)."""
MAX_REDIRECTS = 5
"""How many are followed (section 2.3.1.2)."""

_RULE_LINE = re.compile(r"^[ \t]*(?:user|allow|dis|dias).*$", re.I | re.M)
"""Other lines must not come between rules (section 2.2.4), but for Protego they end a group."""


class RobotsAnswer(msgspec.Struct, frozen=True):
    """What is known of the rules of one origin; kept by the frontier.

    Attributes:
        text: the file; empty allows everything.
        failure: where nothing is known, and so nothing is allowed: cause and words of the failure.
    """

    text: str = ""
    failure: tuple[str, str] | None = None


class Rules:
    """The rules of one origin for one robot."""

    def __init__(self, text: str, robot_name: str) -> None:
        self._parsed = Protego.parse("\n".join(_RULE_LINE.findall(text)))
        self._delay = float(Protego.parse(text).crawl_delay(robot_name) or 0)
        self._robot = robot_name

    def allow(self, url: str) -> bool:
        """Whether *url* may be fetched; robots.txt itself always may."""
        return urlsplit(url).path == "/robots.txt" or bool(self._parsed.can_fetch(url, self._robot))

    @property
    def delay(self) -> float:
        """Seconds of ``Crawl-delay``; 0 where there is none."""
        return self._delay


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
    if result.status == 429 or result.status >= 500:
        return RobotsAnswer(failure=("robots_unreachable", f"robots.txt answered {result.status}"))
    if not 200 <= result.status < 300:
        return RobotsAnswer()
    body, _ = decoded_body(Response(result.status, result.fields, result.body), Problems())
    return RobotsAnswer(text=_whole_lines(body).decode("utf-8-sig", "replace"))


def _whole_lines(body: bytes) -> bytes:
    if len(body) <= MAX_BYTES:
        return body
    return body[: body.rfind(b"\n", 0, MAX_BYTES) + 1]


def sitemaps_of(text: str, origin: str) -> list[str]:
    """The sitemaps that a robots.txt names, else the usual one."""
    return list(sitemap_urls_from_robots(text.encode(), origin)) or [f"{origin}/sitemap.xml"]
