"""The Arrow schema of every table on disk.

``docs/data-model.md`` explains each column; ``tests/test_docs.py`` keeps the two in step.
Parquet files of a batch and of a generation are written and read with exactly these schemas.
"""

from typing import Any

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")


def _required(*fields: tuple[str, pa.DataType]) -> "list[pa.Field[Any]]":
    return [pa.field(name, kind, nullable=False) for name, kind in fields]


URLS = pa.schema(
    _required(
        ("url_id", pa.int64()),
        ("url", pa.string()),
        ("sort_key", pa.string()),
        ("host", pa.string()),
        ("domain", pa.string()),
        ("domain_id", pa.int64()),
    )
)

BORROWED_URLS = pa.schema([pa.field("page_id", pa.int64(), nullable=False), *URLS])

VISITS = pa.schema(
    [
        *_required(
            ("visit_id", pa.int64()),
            ("url_id", pa.int64()),
            ("domain_id", pa.int64()),
            ("visited_at", TIME),
            ("outcome", pa.string()),
        ),
        pa.field("status", pa.int16()),
        pa.field("failure", pa.string()),
        pa.field("ip", pa.string()),
        pa.field("content_type", pa.string()),
        *_required(("title", pa.string()), ("robots", pa.string())),
        pa.field("canonical_url", pa.string()),
        pa.field("base_url", pa.string()),
        pa.field("base_reference", pa.string()),
        pa.field("redirect_url", pa.string()),
        pa.field("original_url", pa.string()),
        pa.field("payload_digest", pa.string()),
        pa.field("etag", pa.string()),
        pa.field("last_modified", pa.string()),
        pa.field("refers_to_id", pa.int64()),
        pa.field("unavailable_after", TIME),
        *_required(("complete", pa.bool_()), ("file", pa.string()), ("offset", pa.int64())),
    ]
)

LINKS = pa.schema(
    [
        *_required(
            ("visit_id", pa.int64()),
            ("position", pa.int32()),
            ("element", pa.string()),
            ("target_id", pa.int64()),
            ("target_domain_id", pa.int64()),
            ("anchor", pa.string()),
            ("rel", pa.string()),
            ("nofollow", pa.bool_()),
            ("image", pa.bool_()),
        ),
        pa.field("image_source", pa.string()),
        pa.field("alt", pa.string()),
        pa.field("reference", pa.string()),
        pa.field("image_reference", pa.string()),
    ]
)

PAGES = pa.schema(
    [
        *_required(
            ("url_id", pa.int64()),
            ("domain_id", pa.int64()),
            ("visited_at", TIME),
            ("visit_id", pa.int64()),
            ("outcome", pa.string()),
            ("failures", pa.int32()),
        ),
        pa.field("content_visit_id", pa.int64()),
        pa.field("partial_visit_id", pa.int64()),
        pa.field("proof_visit_id", pa.int64()),
        pa.field("payload_digest", pa.string()),
        pa.field("unavailable_after", TIME),
        pa.field("expired_at", TIME),
        *_required(("title", pa.string())),
        pa.field("ip", pa.string()),
    ]
)

BACKLINKS = pa.schema(
    [
        *_required(
            ("source_id", pa.int64()),
            ("target_id", pa.int64()),
            ("link_type", pa.string()),
            ("found_at", TIME),
        ),
        pa.field("lost_at", TIME),
        pa.field("reason_lost", pa.string()),
        *_required(
            ("first_seen", TIME),
            ("element", pa.string()),
            ("anchor", pa.string()),
            ("nofollow", pa.bool_()),
            ("image", pa.bool_()),
        ),
        pa.field("image_source", pa.string()),
    ]
)

REDIRECTS = pa.schema(
    [
        *_required(("source_id", pa.int64()), ("target_id", pa.int64()), ("found_at", TIME)),
        pa.field("lost_at", TIME),
        pa.field("reason_lost", pa.string()),
    ]
)

GRAPH = pa.schema(
    _required(("source_id", pa.int64()), ("target_id", pa.int64()), ("followed", pa.bool_()))
)

REFERRALS = pa.schema(_required(("url_id", pa.int64()), ("refers_to_id", pa.int64())))

PLACES = pa.schema(
    [
        *_required(
            ("url_id", pa.int64()),
            ("visit_id", pa.int64()),
            ("is_content", pa.bool_()),
            ("nth", pa.int32()),
            ("visited_url_id", pa.int64()),
            ("visited_at", TIME),
        ),
        pa.field("payload_digest", pa.string()),
        *_required(("batch", pa.string()), ("row", pa.int32())),
    ]
)

RANKS = pa.schema(
    _required(("url_id", pa.int64()), ("pagerank", pa.float64()), ("inlink_rank", pa.int16()))
)

DOMAIN_RANKS = pa.schema(
    _required(
        ("domain_id", pa.int64()), ("pagerank", pa.float64()), ("domain_inlink_rank", pa.int16())
    )
)

PAST_RANKS = pa.schema(
    _required(("url_id", pa.int64()), ("until", pa.date32()), ("inlink_rank", pa.int16()))
)

PAST_DOMAIN_RANKS = pa.schema(
    _required(("domain_id", pa.int64()), ("until", pa.date32()), ("domain_inlink_rank", pa.int16()))
)

RANK_DAYS = pa.schema(_required(("day", pa.date32())))
