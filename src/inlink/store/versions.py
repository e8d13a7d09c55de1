"""The versions of the rules that what lies in a data directory was made by.

Each number is raised by hand, by one, in the same change as the rules that it stands for. What was
made by an older number is made again: `inlink ingest` reads such a crawl file again, `inlink build`
starts from nothing or writes the segments anew. What has no number counts as 1.
"""

EXTRACTOR_RULES = 2
"""How records become observations. Raised when the same crawl file gives other observations."""

FOLD_RULES = 2
"""How observations become a generation. Raised when the same batches give other tables."""

SEGMENT_FORMAT = 4
"""What segments are. Raised when a file or column of them changes its meaning."""
