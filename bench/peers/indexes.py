"""The indexes of the row stores: one for each question, those about live links partial.

Each begins with the target, by the column of its mode, and goes on with what is ordered by or asked
for, so that the first rows of an answer are the first rows of an index.
"""

from bench.peers.sql import COLUMNS, MODES


def _of_links(key: str) -> list[str]:
    """Those for targets of one mode."""
    return [
        *(
            f"create index live_{key}_{column} on links ({key}, {column} desc) where lost is null"
            for column in COLUMNS.values()
        ),
        f"create index live_{key}_id on links ({key}, id) where lost is null",
        f"create index found_{key} on links ({key}, found desc)",
        f"create index lost_{key} on links ({key}, lost desc) where lost is not null",
    ]


INDEXES = [
    *(index for key in MODES.values() for index in _of_links(key)),
    "create unique index ranks_url on ranks (url_id)",
    "create unique index metrics_key on metrics (mode, key)",
    "create index refdomains_first_seen on refdomains (mode, key, first_seen desc)",
    "create index refdomains_rank on refdomains (mode, key, domain_inlink_rank desc)",
    "create index events_day on events (mode, key, day desc)",
]
