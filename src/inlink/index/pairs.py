"""One page and one URL: the backlinks from the page to the URL, and the visits of the page.

In: partitions, and the rows of a target and of a page in them. Out: backlinks, and the places in
batches that say where to read the evidence for them.
"""

import datetime as dt
from typing import NamedTuple

import numpy as np

from inlink.contract.outcomes import ReasonLost
from inlink.contract.vocabulary import LinkType
from inlink.index.days import dates
from inlink.index.partition import Links, Lost, Partition
from inlink.index.segments import REASONS, REDIRECT
from inlink.urls.canonical import url_of_key


class PairLink(NamedTuple):
    """A backlink, as it is now or as it was when it was lost."""

    url_from: str
    url_to: str
    link_type: LinkType
    first_seen: dt.date
    lost: dt.date | None
    """None: it is live."""
    reason_lost: ReasonLost


class Place(NamedTuple):
    """Where a visit is recorded: a row of the visits of a batch."""

    batch: str
    row: int


class PagePlaces(NamedTuple):
    """The visits of a page: those that had its last content, and the last one if it is not of them.

    A visit has several places if several batches have it. The visit that the links were read from
    comes first, then the latest.
    """

    content: tuple[Place, ...]
    last: tuple[Place, ...]


def links_between(partition: Partition, targets: slice, pages: slice) -> list[PairLink]:
    """The backlinks from *pages* to *targets*: live ones, then lost ones, the last lost first."""
    live = _from(partition.links, partition.link_rows(targets), pages)
    lost = _from(partition.lost, partition.lost_rows(targets), pages)
    found = [_link(partition, partition.links, row) for row in live]
    found += sorted(
        (_link(partition, partition.lost, row) for row in reversed(lost)),
        key=lambda link: link.lost or dt.date.max,
        reverse=True,
    )
    return found


def _from(links: Links | Lost, rows: slice, pages: slice) -> list[int]:
    source = links.source[rows]
    within = np.flatnonzero((source >= pages.start) & (source < pages.stop))
    return [rows.start + place for place in within.tolist()]


def _link(partition: Partition, links: Links | Lost, row: int) -> PairLink:
    target = int(partition.target_of(np.array([row]), links)[0])
    return PairLink(
        url_of_key(partition.page_texts.get(int(links.source[row]))),
        url_of_key(partition.target_keys.get(target)),
        "redirect" if links.flags[row] & REDIRECT else "href",
        dates(links.first_seen[row : row + 1])[0],
        dates(links.lost[row : row + 1])[0] if isinstance(links, Lost) else None,
        REASONS[int(links.reason[row])] if isinstance(links, Lost) else "",
    )


def page_places(partition: Partition, page: slice) -> PagePlaces | None:
    """Where the visits of a page, one of the targets, are recorded; None: it never had content."""
    places = partition.places
    start, stop = np.searchsorted(places.target, [page.start, page.stop]).tolist()
    found = tuple(
        Place(partition.batch_names.get(int(places.batch[place])), int(places.row[place]))
        for place in range(start, stop)
    )
    contents = int(np.count_nonzero(places.is_content[start:stop]))
    return PagePlaces(found[:contents], found[contents:]) if found else None
