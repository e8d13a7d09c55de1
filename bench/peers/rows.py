"""The rows that the peers serve, as Parquet files: a generation denormalised, and added up.

In: the tables of a generation (docs/data-model.md). Out: in a directory, in the order of ``id``,

- ``links``: one row for each stretch of a backlink, with all that an answer says of it; sorted by
  domain, host and URL of the target;
- ``ranks``: the ranks of every URL that has any;
- for the targets of more than `LARGE` live links, ``metrics`` (their counts), ``refdomains`` (what
  links to them, added up by host) and ``events`` (when hosts came and went), as somebody would keep
  them beside the links whose targets are too large to be counted when asked for.
"""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from bench.peers.sql import EVENTS, LARGE, METRICS, MODES, OPEN, REFDOMAINS
from inlink.index import addresses
from inlink.urls.canonical import text_id

TABLES = ("links", "ranks", "metrics", "refdomains", "events")
BATCH_ROWS = 1 << 16
ROWS_AT_ONCE = 2_000_000

_ADDRESSES = """
create table addresses as
select
    url_id, url, host, host_id, domain_id,
    row_number() over (order by domain_id, host, sort_key) as place_as_target,
    row_number() over (order by sort_key) as place_as_source
from urls left join host_ids using (host)
"""

_STRETCHES = """
create table stretches as
select links.*
from links_table as links
join addresses as target on target.url_id = target_id
join addresses as source on source.url_id = source_id
order by target.place_as_target, source.place_as_source, link_type, found_at, lost_at
"""
# Sorted before the texts are joined to them: wider rows take longer to sort.

_LINKS = """
select
    links.rowid::integer as id, target.domain_id, target.host_id, target.url_id,
    make_timestamp(epoch_us(first_seen))::date as first_seen,
    make_timestamp(epoch_us(found_at))::date as found,
    make_timestamp(epoch_us(lost_at))::date as lost,
    make_timestamp(epoch_us(visited_at))::date as last_visited,
    ips.ip_id as ip, ips.subnet_id as subnet,
    coalesce(ranks.inlink_rank, -1)::smallint as inlink_rank,
    coalesce(domain_ranks.domain_inlink_rank, -1)::smallint as domain_inlink_rank,
    nofollow, image, source.host like '%.edu' as edu, source.host like '%.gov' as gov,
    source.host as refdomain, source.url as url_from, target.url as url_to, title, anchor,
    image_source, link_type, coalesce(reason_lost, '') as reason_lost
from stretches as links
join addresses as target on target.url_id = target_id
join addresses as source on source.url_id = source_id
join pages on pages.url_id = source_id
left join ips using (ip)
left join ranks_table as ranks on ranks.url_id = source_id
left join domain_ranks on domain_ranks.domain_id = source.domain_id
where links.rowid >= {start} and links.rowid < {end}
order by id
"""

_RANKS = """
create table ranks as
select
    url_id, inlink_rank, coalesce(domain_inlink_rank, -1)::smallint as domain_inlink_rank
from ranks_table join urls using (url_id) left join domain_ranks using (domain_id)
order by url_id
"""

_LARGE = """
create or replace temp table large as
select {key} from links where lost is null group by all having count(*) > {least}
"""


def write(tables: Path, directory: Path, memory_limit: str) -> None:
    """Write the Parquet files into *directory*, from the *tables* of a generation."""
    directory.mkdir(parents=True)
    config = {"memory_limit": memory_limit, "temp_directory": str(directory / "spill")}
    with duckdb.connect(str(directory / "rows.duckdb"), config=dict[str, Any](config)) as database:
        database.execute("set enable_progress_bar = false")
        for name in ("urls", "pages", "domain_ranks", "links", "ranks"):
            view = f"{name}_table" if name in TABLES else name
            database.read_parquet(str(tables / f"{name}.parquet")).create_view(view)
        _number_texts(database)
        database.execute(_ADDRESSES)
        database.execute(_STRETCHES)
        _join_texts(database)
        database.execute(_RANKS)
        _add_up(database)
        for name in TABLES:
            database.execute(
                f"copy {name} to '{directory / name}.parquet'"
                " (compression zstd, compression_level 3)"
            )
    (directory / "rows.duckdb").unlink()


def _number_texts(database: duckdb.DuckDBPyConnection) -> None:
    """Make ``host_ids``, the number that a target's host is asked for by, and ``ips``."""
    found = database.execute(
        "select distinct host from urls where url_id in (select target_id from links_table)"
    ).fetchall()
    hosts = [host for (host,) in found]
    table = pa.table({"host": hosts, "host_id": pa.array(map(text_id, hosts), pa.int64())})
    database.from_arrow(table).create("host_ids")
    ips = database.execute("select distinct ip from pages where ip is not null").fetchall()
    database.from_arrow(addresses.number([ip for (ip,) in ips]).numbers).create("ips")


def _join_texts(database: duckdb.DuckDBPyConnection) -> None:
    """Make ``links``, in the order of ``stretches``: a join of so many rows would not keep it."""
    for start in range(0, len(database.table("stretches")), ROWS_AT_ONCE):
        what = "insert into links" if start else "create table links as"
        database.execute(f"{what} {_LINKS.format(start=start, end=start + ROWS_AT_ONCE)}")


def _add_up(database: duckdb.DuckDBPyConnection) -> None:
    """Make the tables about large targets, by the statements that answer for the others."""
    parts: dict[str, list[str]] = {"metrics": [], "refdomains": [], "events": []}
    for mode, key in enumerate(MODES.values()):
        database.execute(_LARGE.format(key=key, least=LARGE))
        where = f"{key} in (select {key} from large)"
        group = f"group by {key}"
        for name, query in (("metrics", METRICS), ("refdomains", REFDOMAINS), ("events", EVENTS)):
            made = query.format(key=f"{key},", where=where, group=group, open=OPEN)
            part = f"{name}_{mode}"
            database.execute(f"create table {part} as {made}")
            parts[name].append(
                f"select {mode} as mode, {key} as key, * exclude ({key}) from {part}"
            )
    for name, selects in parts.items():
        database.execute(
            f"create table {name} as select * from ({' union all '.join(selects)}) order by all"
        )
