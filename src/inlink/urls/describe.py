"""What the tables store about a URL.

In: a canonical URL. Out: a row of the table ``urls`` (see ``store/tables.py``). This runs for every
link of a crawl, so everything that depends only on the host is computed once per host.
"""

from functools import lru_cache
from typing import NamedTuple

from inlink.urls.canonical import path_start, split_origin, text_id
from inlink.urls.domains import HOSTS_CACHED, registrable_domain


class UrlRow(NamedTuple):
    """A row of the table ``urls``; the fields are its columns, in their order."""

    url_id: int
    url: str
    sort_key: str
    host: str
    domain: str
    domain_id: int


@lru_cache(HOSTS_CACHED)
def _of_origin(origin: str) -> tuple[str, str, str, str, int]:
    host, head, tail = split_origin(origin)
    domain = registrable_domain(host)
    return head, tail, host, domain, text_id(domain)


def describe(url: str) -> UrlRow:
    """The row of the canonical URL *url*."""
    start = path_start(url)
    head, tail, host, domain, domain_id = _of_origin(url[:start])
    row = (text_id(url), url, head + url[start:] + tail, host, domain, domain_id)
    return tuple.__new__(UrlRow, row)  # half the time of UrlRow(...)
