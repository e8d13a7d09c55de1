"""Why a fetch failed, or a crawl cannot be made."""

import logging
import sqlite3

BROKEN_DISK = (OSError, sqlite3.DatabaseError)
"""What goes wrong in writing: it ends the crawl, as it would hit every further URL, too."""

_MAX_WORDS = 200
_log = logging.getLogger(__name__)


class FetchError(Exception):
    """A fetch that got no whole answer.

    *cause* is one of those that ``inlink.extract.captures`` names, *words* say more; a WARC
    ``metadata`` record has both.
    """

    def __init__(self, cause: str, words: str) -> None:
        super().__init__(f"{cause} {words}")
        self.cause = cause
        self.words = words


def internal_error(url: str, error: Exception) -> FetchError:
    """The failure of *url* by an error of ours, which is logged."""
    _log.error("%s failed because of an error in the crawler", url, exc_info=error)
    cause = error.__cause__ or error
    return FetchError("internal", f"{type(cause).__name__}: {cause}"[:_MAX_WORDS])


class UnreadableError(Exception):
    """An answer could not be read; whatever the cause was, it was not the disk."""


class CrawlError(ValueError):
    """A crawl cannot be made as it was asked for; the message says why and what would be right."""


class ProxyError(CrawlError):
    """The proxy is not there; that says nothing of the pages, so the crawl ends."""
