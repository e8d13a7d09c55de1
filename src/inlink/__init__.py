"""Inlink: an open backlink index.

Web crawls go in, the history of every link is kept, pages and domains are ranked, and the
SEO PowerSuite Backlinks API v1.0 comes out. The packages are the stages, in the order data flows::

    crawl/     the web            -> WARC
    extract/   WARC, ARC, WAT     -> observations (Parquet batches)
    fold/      observations       -> a generation (Parquet tables), with ranks
    index/     a generation       -> segments (Arrow, memory-mapped)
    api/       segments           -> HTTP

ARCHITECTURE.md has the packages beside them.
"""

__version__ = "0.3.0.dev0"
