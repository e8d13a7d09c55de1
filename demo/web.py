"""The demo web: thirty-odd sites on hosts that cannot be real (RFC 2606, RFC 6761).

``make_web`` returns the answers of its URLs over time, and the backlinks that are then true.
`Served` answers as the web does now.
"""

import hashlib
import http
from asyncio import StreamWriter
from urllib.parse import urlsplit

from demo import server
from demo.model import Answer, Web
from demo.pages import error
from demo.sites import add_quiet_sites
from demo.stories import STORIES


def make_web() -> Web:
    """The whole demo web."""
    web = Web()
    add_quiet_sites(web)
    for tell in STORIES:
        tell(web)
    return web


def hosts_of(web: Web) -> list[str]:
    """Every host of a visit or a backlink."""
    urls = [visit.url for visits in web.visits for visit in visits]
    urls += [url for backlink in web.backlinks for url in (backlink.source, backlink.target)]
    return sorted({urlsplit(url).hostname or "" for url in urls})


def seeds_of(web: Web) -> list[str]:
    """The pages of the first crawl that no other page of it links to."""
    led_to = {backlink.target for backlink in web.backlinks}
    return [visit.url for visit in web.visits[0] if visit.url not in led_to]


class Served:
    """The answers of the web in its current ``stage``; a page does not exist before its time."""

    def __init__(self, web: Web) -> None:
        self.stage = 1
        self._web = web

    def __call__(self, url: str, headers: dict[str, str]) -> server.Answer:
        """What the server does with a request; it resets the connection if the URL fails."""
        if urlsplit(url).path == "/robots.txt":
            return sent(self._robots(url), headers)
        answer = self._web.answer(url, self.stage) or error(404, "Nothing here")
        return broken_off if isinstance(answer, str) else sent(answer, headers)

    def _robots(self, url: str) -> Answer:
        shut = (urlsplit(shut) for shut in self._web.excluded("robots", self.stage))
        paths = [parts.path for parts in shut if parts.netloc == urlsplit(url).netloc]
        lines = ["User-agent: *", *(f"Disallow: {path}" for path in paths), ""]
        return Answer(200, (("Content-Type", "text/plain"),), "\n".join(lines).encode())


def sent(answer: Answer, headers: dict[str, str]) -> server.Answer:
    """*answer* over HTTP/1.1, with an ETag; a request with this ETag gets a 304."""
    tag = f'"{hashlib.sha256(repr(answer).encode()).hexdigest()[:16]}"'
    if answer.status == 200 and headers.get("if-none-match") == tag:
        answer = Answer(304, ())
    fields = [*answer.headers, ("Content-Length", str(len(answer.body)))]
    fields += [("ETag", tag)] if answer.status in (200, 304) else []
    status = http.HTTPStatus(answer.status)
    lines = [f"HTTP/1.1 {status} {status.phrase}", *(f"{name}: {value}" for name, value in fields)]

    async def send(writer: StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        await writer.drain()

    return send


async def broken_off(writer: StreamWriter) -> None:
    """Reset the connection."""
    writer.transport.abort()
