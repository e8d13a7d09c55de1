"""How much of its targets an answer reads, and how much of that is read in some milliseconds.

In: nothing. Out: the kinds of reading, by which `inlink.index.reader.Reader.is_quick` decides.
"""

from enum import Enum, auto

QUICK_ROWS = 100
"""Rows of an answer, or targets of a batch, that are made in some milliseconds."""


class Reads(Enum):
    """What an answer reads of each of its targets."""

    COUNTS = auto()
    """Counts and ranks: of targets with many links, they are made when segments are written."""
    KEPT = auto()
    """First rows or calendars, which are kept of targets with many links; else all links."""
    LINKS = auto()
    """Columns of all links."""
    TEXTS = auto()
    """Texts of all links."""
    MUCH = auto()
    """Whatever may take a second, or waits for something other than the segments."""


QUICK_LINKS = {Reads.KEPT: 20_000, Reads.LINKS: 20_000, Reads.TEXTS: 1000}
"""Up to how many links, live and lost, of all targets that takes some milliseconds."""
