"""The versions of the rules by which the contents of a data directory were made.

Each number is raised by hand, by one, in the same change as the rules that it stands for. Whatever
an older number made is made again: `inlink ingest` reads such a crawl file again, `inlink build`
starts from nothing or rewrites the segments. Whatever has no number counts as 1.
"""

EXTRACTOR_RULES = 2
"""How records become observations. Raised when the same crawl file gives different observations."""

FOLD_RULES = 2
"""How observations become a generation. Raised when the same batches give different tables."""

SEGMENT_FORMAT = 4
"""The format of segments. Raised when one of their files or columns changes its meaning."""
