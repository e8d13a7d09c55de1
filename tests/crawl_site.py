"""A site on loopback that a test crawls: the fixture ``site``."""

from pathlib import Path
from urllib.parse import urlsplit

from demo.server import Server

from inlink.crawl.job import CrawlSpec, CrawlSummary, crawl
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from tests.crawl_web.answers import Answer
from tests.test_crawl_web import records

SETTINGS = Settings(allow_private_addresses=True, crawl_delay_seconds=0)


class Site:
    """A server, its pages by path, and a data directory to crawl it into."""

    def __init__(self, server: Server, data: Path) -> None:
        self.server = server
        self.origin = server.address
        self.pages: dict[str, Answer] = {}
        self.layout = Layout(data)
        server.web = lambda url, headers: self.pages.get(url.removeprefix(self.origin))
        server.log.clear()

    def crawl(self, settings: Settings = SETTINGS, **asked: object) -> CrawlSummary:
        spec = {"name": "test", "seeds": (f"{self.origin}/",), **asked}
        return crawl(CrawlSpec(**spec), self.layout, settings)  # type: ignore[arg-type]

    def asked(self) -> list[str]:
        """Paths of what was asked for, in order, but for robots.txt."""
        return [r.url.removeprefix(self.origin) for r in self.server.log if not r.is_robots]

    def recorded(self) -> list[tuple[str, str]]:
        return [
            (kind, urlsplit(warc["WARC-Target-URI"]).path)
            for file in sorted(self.layout.crawls.glob("*/*.warc.gz"))
            for kind, warc, _, _, _ in records(file)
            if kind in ("response", "revisit", "metadata")
        ]
