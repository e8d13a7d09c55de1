"""What a page leads to: its links, and the target of a redirect.

The extractor reads pages, so that what is followed is what is indexed. What a page or a link says
is not to be followed (``nofollow``) is not; nor are the links of error pages.
"""

from typing import NamedTuple

from inlink.contract.outcomes import REDIRECTING
from inlink.crawl.fetch import Fetched
from inlink.extract.captures import Capture
from inlink.extract.observe import Observer
from inlink.extract.urlbook import UrlBook
from inlink.store.configuration import Settings
from inlink.web.problems import Problems


class Found(NamedTuple):
    """A URL that a page leads to."""

    url: str
    is_redirect: bool


def links_of(fetched: Fetched, settings: Settings) -> list[Found]:
    """What to follow from *fetched*, each URL once, in the order of the page."""
    book = UrlBook(settings.drop_parameters)
    problems = Problems()
    capture = Capture(
        kind="response",
        uri=fetched.url,
        time=0,
        offset=0,
        status=fetched.status,
        fields=fetched.fields,
        body=fetched.body,
    )
    observation = Observer("", settings.robot_name, book, problems).observe(capture)
    if observation is None:
        return []
    urls = {row.url_id: row.url for row in book.new}
    found = (
        Found(urls[link.target_id], link.element in REDIRECTING)
        for link in observation.links
        if link.element in REDIRECTING or (fetched.status == 200 and not link.nofollow)
    )
    return list(dict.fromkeys(found))
