"""The format of an exported file, for its writer and its readers: CSV, compressed by gzip.

The columns are the fields of `inlink.contract.rows.Backlink`.
"""

import zlib

GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""Makes zlib write and read a gzip header, with time 0."""

FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001
"""If a text begins with one of these, a spreadsheet runs it as a formula."""
