"""How long a build takes for each link, next to sorting and writing the same rows once.

Makes observations of N links on N / 25 pages, visited twice, a tenth of the links changed between
the visits; folds the first visits, then the second; and prints links a second for both, and the
ratio to DuckDB sorting the links of the first by target and writing them as Parquet.

    python -m bench.build --links 1000000
"""

import argparse
import tempfile
import time
from pathlib import Path

import duckdb

from inlink.build.job import build
from inlink.store.layout import Layout
from inlink.store.settings import Settings

LINKS_A_PAGE = 25

_URL = "'https://www.site' || ({n} // 50) || '.example/articles/' || ({n} % 50) || '-some-title'"
_KEY = "'example,site' || ({n} // 50) || ',www)/articles/' || ({n} % 50) || '-some-title https'"
_HOST = "'www.site' || ({n} // 50) || '.example'"
_DOMAIN = "'site' || ({n} // 50) || '.example'"


def _id(number: str) -> str:
    return f"(hash({number}) >> 1)::bigint"


def write_batch(directory: Path, links: int, visit: int) -> None:
    """Write one visit to every page; the second finds a tenth of the links changed."""
    directory.mkdir(parents=True)
    pages = links // LINKS_A_PAGE
    page = f"i // {LINKS_A_PAGE}"
    # Targets by a power law: most links lead to few pages.
    draw = (
        f"hash(i, case when hash(i, 7) % 10 = 0 then {visit} else 0 end) / 18446744073709551616.0"
    )
    target = f"(power({draw}, 3) * {pages})::bigint"
    visit_id = _id(f"{{n}} * 2 + {visit}")
    database = duckdb.connect()
    database.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false")
    database.execute(f"""copy (
        select {visit_id.format(n="i")} as visit_id, {_id("i")} as url_id,
            {_id("'d' || (i // 50)")} as domain_id,
            timestamptz '2026-01-01' + to_days({visit} * 30) as visited_at, 'ok' as outcome,
            200::smallint as status, null::varchar as failure, '192.0.2.' || i % 200 as ip,
            'text/html' as content_type, 'Article ' || i || ' about something' as title,
            '' as robots, null::varchar as canonical_url, null::varchar as base_url,
            null::varchar as redirect_url, null::varchar as original_url,
            null::varchar as payload_digest, null::bigint as refers_to_id, false as truncated,
            'made.warc' as file, i as "offset"
        from range({pages}) made(i)) to '{directory}/visits.parquet' (compression zstd)""")
    database.execute(f"""copy (
        select {visit_id.format(n=page)} as visit_id, (i % {LINKS_A_PAGE})::integer as position,
            'a' as element, {_id("target")} as target_id,
            {_id("'d' || (target // 50)")} as target_domain_id,
            'anchor text ' || target % 1000 as anchor, '' as rel, i % 7 = 0 as nofollow,
            false as image, null::varchar as image_source, null::varchar as alt
        from (select i, {target} as target from range({links}) made(i)))
        to '{directory}/links.parquet' (compression zstd)""")
    database.execute(f"""copy (
        select {_id("i")} as url_id, {_URL.format(n="i")} as url, {_KEY.format(n="i")} as sort_key,
            {_HOST.format(n="i")} as host, {_DOMAIN.format(n="i")} as domain,
            {_id("'d' || (i // 50)")} as domain_id
        from range({pages}) made(i)) to '{directory}/urls.parquet' (compression zstd)""")
    (directory / "batch.json").write_text("{}")


def sort_once(links: Path, directory: Path) -> float:
    """Seconds that DuckDB takes to sort the links by target and write them."""
    database = duckdb.connect()
    database.execute("set preserve_insertion_order = false")
    start = time.perf_counter()
    database.execute(
        f"copy (from '{links}' order by target_id, visit_id) "
        f"to '{directory}/sorted.parquet' (compression zstd)"
    )
    return time.perf_counter() - start


def fold(directory: Path, segments: bool, memory_limit: str) -> float:
    """Seconds that one build takes, with or without the segments."""
    from inlink.index.writer import write_segments

    def write(source: Path, target: Path, settings: Settings, _: object) -> None:
        if segments:
            write_segments(source, target, settings)

    start = time.perf_counter()
    build(Layout(directory), Settings(memory_limit=memory_limit), write, lambda *_: None)
    return time.perf_counter() - start


def main() -> None:
    """Print a line a build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=1_000_000)
    parser.add_argument("--segments", action="store_true", help="write the segments too")
    parser.add_argument("--memory-limit", default=Settings().memory_limit)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for visit in (0, 1):
            batch = directory / "batches" / f"batch-{visit}"
            write_batch(batch, options.links, visit)
            once = sort_once(batch / "links.parquet", directory)
            took = fold(directory, options.segments, options.memory_limit)
            rate = options.links / took
            print(f"visit {visit + 1}: {rate:,.0f} links/s; {took / once:.1f} times sorting once")


if __name__ == "__main__":
    main()
