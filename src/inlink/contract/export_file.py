"""The form of an exported file, for its writer and its readers: CSV, compressed by gzip.

The columns are the fields of `inlink.contract.rows.Backlink`.
"""

import zlib

GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""Makes zlib write and read the header of gzip, with time 0."""

FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001
"""Characters with which a text begins that a spreadsheet would run as a formula."""
