"""What was wrong with a crawl file, counted by kind.

A kind is a short name, such as ``gzip_damaged``. `KINDS` has them all, with the words in which they
are reported.
"""

from collections import Counter

Problems = Counter[str]

KINDS = {
    "gzip_damaged": "damaged gzip data, skipped",
    "compression_damaged": "damaged zstd or lz4 data; the rest of the file is lost",
    "not_seekable": "damage in a stream that cannot be read again; the rest of the file is lost",
    "garbage": "stretches of bytes that are not a record",
    "record_truncated": "records cut off",
    "record_length": "records with a wrong or missing length",
    "record_header": "records with an unusable header",
    "record_date": "records with an unusable date",
    "record_failed": "records that could not be read",
    "segment_missing": "segmented records with a part missing from the file",
    "visit_in_future": "visits dated in the future, refused",
    "visit_clamped": "visits dated before 1880, shown as of 1880",
    "http_header": "responses without a usable HTTP header",
    "transfer_encoding": "bodies with a Transfer-Encoding that is damaged or ends early",
    "content_encoding": "bodies with a Content-Encoding that is damaged or ends early",
    "unknown_coding": "bodies in an unknown coding, left out",
    "body_short": "bodies shorter than their Content-Length",
    "charset": "pages with bytes invalid in their encoding",
    "body_truncated": "bodies longer than the limit, cut off",
    "links_truncated": "pages with more links than the limit, cut off",
    "text_truncated": "titles and anchors longer than the limit, cut off",
    "page_too_deep": "pages nested too deeply, cut off there",
    "page_unreadable": "pages that the HTML parser gave up on",
    "page_failed": "pages that could not be read",
    "wat_invalid": "WAT records that could not be read",
}
