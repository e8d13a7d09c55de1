"""How much of one record, one body and one page is read: absurd ones cost no more than this.

Also the times that a visit may have.
"""

MAX_BLOCK_BYTES = 16 << 20
"""Bytes of a record's block (HTTP header and body as sent) that are kept; the rest is skipped."""

MAX_HEADER_BYTES = 64 << 10
"""Bytes that the header of a record, or an HTTP header, may have."""

MAX_BODY_BYTES = 10 << 20
"""Bytes of a body that are read, after its Content-Encoding is undone."""

MAX_LINKS = 50_000
"""Links that one page may have."""

MAX_ANCHOR = 2048
"""Characters that an anchor text, an ``alt`` or a ``rel`` may have."""

MAX_TITLE = 1024
"""Characters that a title may have."""

MAX_ROBOTS = 1024
"""Characters that the robots directives of a page may have."""

AHEAD = 24 * 60 * 60 * 1_000_000
"""Microseconds that a visit may be dated later than the time of the ingest: clocks differ."""

EARLIEST = -(1 << 15) * 24 * 60 * 60 * 1_000_000
"""The first microsecond since 1970 that a segment can hold: its days are numbers of 16 bits."""
