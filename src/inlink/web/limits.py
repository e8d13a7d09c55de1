"""How much of one record, one body and one page is read, so that absurd ones cost no more.

Also the range of times that a visit may have.
"""

MAX_BLOCK_BYTES = 16 << 20
"""Bytes of a record's block (HTTP header and body as sent) that are kept; the rest is skipped."""

MAX_HEADER_BYTES = 64 << 10
"""Maximum size of the header of a record, or of an HTTP header, in bytes."""

MAX_BODY_BYTES = 10 << 20
"""Bytes of a body that are read, after its Content-Encoding is undone."""

MAX_LINKS = 50_000
"""Maximum number of links of one page."""

MAX_ANCHOR = 2048
"""Maximum length of an anchor text, an ``alt`` or a ``rel``, in characters."""

MAX_TITLE = 1024
"""Maximum length of a title, in characters."""

MAX_ROBOTS = 1024
"""Maximum length of the robots directives of a page, in characters."""

AHEAD = 24 * 60 * 60 * 1_000_000
"""Microseconds by which a visit may be dated after the ingest, because clocks differ."""

EARLIEST = -(1 << 15) * 24 * 60 * 60 * 1_000_000
"""The earliest time, in microseconds since 1970, that a segment can hold: its days have 16 bits."""
