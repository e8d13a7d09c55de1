"""The demo web: thirty-odd sites on hosts that cannot be real (RFC 2606, RFC 6761).

``make_web`` gives what its URLs answer over time, and the backlinks that are then true; `Served` is
what a server of it answers now.
"""

from urllib.parse import urlsplit

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
    """Every host that a visit or a backlink names."""
    urls = [visit.url for visits in web.visits for visit in visits]
    urls += [url for backlink in web.backlinks for url in (backlink.source, backlink.target)]
    return sorted({urlsplit(url).hostname or "" for url in urls})


def seeds_of(web: Web) -> list[str]:
    """The pages of the first crawl that no page of it leads to."""
    led_to = {backlink.target for backlink in web.backlinks}
    return [visit.url for visit in web.visits[0] if visit.url not in led_to]


class Served:
    """What the web answers in the ``stage`` that it is in; nothing is there before its time."""

    def __init__(self, web: Web) -> None:
        self.stage = 1
        self._web = web

    def __call__(self, url: str) -> Answer | None:
        """The answer of *url*; None where its server gives none."""
        if urlsplit(url).path == "/robots.txt":
            return self._robots(url)
        answer = self._web.answer(url, self.stage)
        if answer is None:
            return error(404, "Nothing here")
        return None if isinstance(answer, str) else answer

    def _robots(self, url: str) -> Answer:
        shut = (urlsplit(shut) for shut in self._web.excluded("robots", self.stage))
        paths = [parts.path for parts in shut if parts.netloc == urlsplit(url).netloc]
        lines = ["User-agent: *", *(f"Disallow: {path}" for path in paths), ""]
        return Answer(200, (("Content-Type", "text/plain"),), "\n".join(lines).encode())
