"""Why a fetch failed, or a crawl cannot be made."""


class FetchError(Exception):
    """A fetch that got no whole answer.

    *cause* is one of those that ``inlink.extract.captures`` names, *words* say more; a WARC
    ``metadata`` record has both.
    """

    def __init__(self, cause: str, words: str) -> None:
        super().__init__(f"{cause} {words}")
        self.cause = cause
        self.words = words


class CrawlError(ValueError):
    """A crawl cannot be made as it was asked for; the message says why and what would be right."""


class ProxyError(CrawlError):
    """The proxy is not there; that says nothing of the pages, so the crawl ends."""
