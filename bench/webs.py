"""Made-up webs, crawled twice: what the benchmarks of build and serving read.

Hosts have numbers of pages, and pages numbers of links that lead to them, by power laws. URLs,
titles and anchors are made of words with the frequencies of a language (Zipf), so that they
compress as real ones do; ids, sort keys and registrable domains are the real ones of the URLs.
Between the two crawls, 30 days apart, a tenth of the links change, one page in a hundred goes, and
others begin to redirect. One domain, ``huge-example.com``, has half a million of the backlinks in
every web of two million or more, so that targets of the same size are found in webs of any size.
"""

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.harness import Run
from inlink.contract.vocabulary import Mode
from inlink.fold.job import build
from inlink.fold.workspace import StepProgress
from inlink.index.writer import write_segments
from inlink.store import tables
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.urls.canonical import sort_key, text_id

LINKS_A_PAGE = 20  # to pages anywhere; a sixth as many lead to pages nearby, mostly of the domain
HUGE_LINKS = 500_000
HUGE_PAGES = 1000
FIRST_CRAWL = dt.date(2026, 1, 5)
DAYS_BETWEEN = 30
WORDS = 4096
PHRASES = 1 << 18
URLS_AT_ONCE = 100_000

Size = Literal["small", "middling", "huge"]
SIZES: dict[Size, tuple[int, int]] = {
    "small": (60, 200),
    "middling": (5_000, 20_000),
    "huge": (50_000, 600_000),
}
"""Live backlinks of a target."""


@dataclass(frozen=True)
class BenchTarget:
    """A target to ask about."""

    size: Size
    mode: Mode
    text: str
    live: int
    """Its live backlinks."""


def generation(run: Run, links: int) -> Layout:
    """The data directory of a web with about *links* backlinks, both crawls built and published."""
    layout = place(run, links)
    if layout.current_number() is None:
        shutil.rmtree(layout.root, ignore_errors=True)
        run.say(f"making a web of {links:,} links")
        write_crawls(layout, links)
        run.say(f"building the web of {links:,} links")
        build(layout, Settings(), segments, lambda *_: None)
    return layout


def place(run: Run, links: int) -> Layout:
    """Where the generation of a web lies, once it is made."""
    return Layout(run.shared / f"web-{links}")


def segments(source: Path, target: Path, settings: Settings, _: StepProgress) -> None:
    """Write segments, as a build does."""
    write_segments(source, target, settings)


def write_crawls(layout: Layout, links: int) -> None:
    """Write two batches, of about *links* links between domains each."""
    for crawl in (0, 1):
        write_crawl(layout, links, crawl)


def write_crawl(layout: Layout, links: int, crawl: int) -> None:
    """Write the batch of the first crawl (0), or after it that of the second (1)."""
    batch = layout.batches / f"crawl-{crawl}"
    batch.mkdir(parents=True)
    pages = max(links // LINKS_A_PAGE, 100)
    if crawl:
        shutil.copy(layout.batches / "crawl-0" / "urls.parquet", batch)
    else:
        _write_urls(batch / "urls.parquet", pages)
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    database.execute(f"SET temp_directory = '{batch / 'spill'}'")
    database.execute(
        f"""CREATE TABLE page AS
        SELECT row_number() OVER () - 1 AS n, url_id, domain_id
        FROM read_parquet('{batch}/urls.parquet')"""
    )
    _words_table(database)
    database.execute(_VISITS.format(crawl=crawl, pages=pages, batch=batch, begin=FIRST_CRAWL))
    huge = min(HUGE_LINKS, links // 4)
    database.execute(
        _LINKS.format(
            crawl=crawl,
            pages=pages,
            batch=batch,
            elements=links + links // 6,
            between=links,
            huge=huge,
            huge_pages=HUGE_PAGES,
            phrases=PHRASES,
        )
    )
    database.close()
    shutil.rmtree(batch / "spill", ignore_errors=True)
    (batch / "batch.json").write_text("{}")


def targets(layout: Layout) -> list[BenchTarget]:
    """Targets of every size and mode: two of each where there are, by their numbers of links."""
    number = layout.current_number()
    assert number is not None, "nothing was built"
    directory = layout.generation(number) / "tables"
    names: dict[Mode, str] = {"url": "url", "host": "host", "domain": "domain"}
    database = duckdb.connect()
    database.execute(
        f"""CREATE TABLE live AS SELECT target_id, count(*) AS live
        FROM read_parquet('{directory}/links.parquet') WHERE lost_at IS NULL GROUP BY ALL"""
    )
    found: list[BenchTarget] = []
    for mode, name in names.items():
        for size, (least, most) in SIZES.items():
            rows = database.execute(
                f"""SELECT {name}, sum(live)::BIGINT AS live
                FROM live JOIN read_parquet('{directory}/urls.parquet') ON url_id = target_id
                GROUP BY ALL HAVING sum(live) BETWEEN {least} AND {most}
                ORDER BY live DESC, {name} LIMIT 2"""
            ).fetchall()
            found += [BenchTarget(size, mode, text, live) for text, live in rows]
    return found


def _vocabulary() -> list[str]:
    """Words of one to four syllables, the frequent ones short."""
    consonants, vowels = "bcdfghklmnprstvw", "aeiou"
    syllables = [c + v for c in consonants for v in vowels]
    syllables += [c + v + end for c in consonants for v in vowels for end in "nrst"]
    random = np.random.default_rng(1)
    words: dict[str, None] = {}
    while len(words) < WORDS:
        length = 1 + min(int(random.exponential(1 + len(words) / WORDS)), 3)
        words["".join(random.choice(syllables, length + 1))] = None
    return list(words)


def _words_table(database: duckdb.DuckDBPyConnection) -> None:
    """Give the engine a macro that draws a word by Zipf's law, and phrases of one to three."""
    database.execute("SET VARIABLE words = ?", [_vocabulary()])
    database.execute(
        f"""CREATE MACRO word(seed, nth) AS getvariable('words')[
        1 + (pow({WORDS}, (hash(concat(nth, ' ', seed)) / 18446744073709551616.0)) - 1)::INTEGER]"""
    )
    database.execute(
        f"""CREATE TABLE phrase AS SELECT k, word(k, 1) AS one, one || ' ' || word(k, 2) AS two,
            two || ' ' || word(k, 3) AS three FROM range({PHRASES}) made(k)"""
    )


def _write_urls(path: Path, pages: int) -> None:
    """Write all URLs: those of the pages, then those of the huge domain."""
    with pq.ParquetWriter(path, tables.URLS, compression="zstd") as writer:
        for texts in _addresses(pages):
            hosts = [url.split("/", 3)[2] for url in texts]
            domains = [host.split(".", 1)[1] for host in hosts]
            columns: dict[str, list[Any]] = {
                "url_id": [text_id(url) for url in texts],
                "url": texts,
                "sort_key": [sort_key(url) for url in texts],
                "host": hosts,
                "domain": domains,
                "domain_id": [text_id(domain) for domain in domains],
            }
            writer.write_table(pa.table(columns, tables.URLS))


def _addresses(pages: int) -> Iterator[list[str]]:
    """The URLs, some at a time; every host is one label beneath its domain."""
    random = np.random.default_rng(2)
    words = np.array(_vocabulary())
    hosts_of_pages = np.sort(random.random(pages) ** 2.5 * max(pages // 30, 10)).astype(int)
    endings = np.array(["com", "com", "com", "org", "net", "de", "io", "co.uk"])
    for start in range(0, pages, URLS_AT_ONCE):
        host = hosts_of_pages[start : start + URLS_AT_ONCE]
        domain = host // 3 * 2 + (host % 3 > 0)  # of three hosts, two share a domain
        label = np.where(host % 3 == 2, "blog", "www")
        drawn = np.power(WORDS, random.random((len(host), 4))).astype(int) - 1
        yield [
            f"https://{label_}.{words[d % 3989]}{words[d * 7 % 4093]}-{d}.{endings[d % 8]}"
            f"/{words[a]}/{words[b]}-{words[c]}-{words[e]}-{n}.html"
            for n, d, label_, (a, b, c, e) in zip(
                range(start, start + len(host)),
                domain.tolist(),
                label.tolist(),
                drawn.tolist(),
                strict=True,
            )
        ]
    yield [
        f"https://{('www', 'www', 'www', 'shop')[n % 4]}.huge-example.com/{words[n % 50]}/{n}"
        for n in range(HUGE_PAGES)
    ]


_OUTCOME = """CASE
    WHEN {crawl} = 1 AND hash(n, 'gone') % 100 = 0 THEN 'page_not_found'
    WHEN hash(n, 'moved', {crawl}) % 200 = 0 THEN 'redirect'
    WHEN hash(n, 'noindex') % 200 = 0 THEN 'noindex'
    ELSE 'ok' END"""

_VISITS = (
    """COPY (
SELECT (hash(n, {crawl}, 'visit') >> 1)::BIGINT AS visit_id, url_id, domain_id,
    '{begin}'::TIMESTAMPTZ + to_days({crawl} * 30 + (hash(n) % 5)::INTEGER)
        + to_seconds((hash(n, 's') % 86400)::BIGINT) AS visited_at,
    outcome, CASE outcome WHEN 'page_not_found' THEN 404 WHEN 'redirect' THEN 301 ELSE 200
    END::SMALLINT AS status, NULL::VARCHAR AS failure,
    '198.' || domain_id % 50 + 50 || '.' || domain_id // 64 % 100 + 100 || '.'
        || domain_id // 8192 % 100 + 100 AS ip,
    'text/html' AS content_type,
    CASE WHEN outcome IN ('ok', 'noindex') THEN word(n, 1) || ' ' || word(n, 2) || ' '
        || word(n, 3) || ' ' || word(n, 4) || ' | ' || word(domain_id, 0) ELSE '' END AS title,
    '' AS robots, NULL::VARCHAR AS canonical_url, NULL::VARCHAR AS base_url,
    NULL::VARCHAR AS base_reference,
    NULL::VARCHAR AS redirect_url, NULL::VARCHAR AS original_url,
    NULL::VARCHAR AS payload_digest, NULL::VARCHAR AS etag, NULL::VARCHAR AS last_modified,
    NULL::BIGINT AS refers_to_id, NULL::TIMESTAMPTZ AS unavailable_after, true AS complete,
    'made-{crawl}.warc.gz' AS file, n::BIGINT * 10000 AS "offset"
FROM (SELECT *, """
    + _OUTCOME
    + """ AS outcome FROM page WHERE n < {pages})
) TO '{batch}/visits.parquet' (COMPRESSION zstd)"""
)

# Pages are numbered host by host. Element e is a link to a page drawn by a power law (the prime
# spreads the popular ones over the hosts), or, after all of these, to a page nearby.
_LINKS = (
    """COPY (
WITH visit AS (SELECT *, (hash(n, {crawl}, 'visit') >> 1)::BIGINT AS visit_id, """
    + _OUTCOME
    + """ AS outcome FROM page WHERE n < {pages}),
chance AS (
    SELECT e, CASE WHEN hash(e, 'changes') % 10 = 0 THEN {crawl} ELSE 0 END AS version
    FROM range({elements}) made(e)
),
element AS (
    SELECT e, version, (pow(hash(e, 'source') / 18446744073709551616.0, 1.6) * {pages})::BIGINT
        % {pages} AS source,
        CASE WHEN e < {huge} THEN {pages} + (pow(hash(e, version, 'h')
            / 18446744073709551616.0, 3) * {huge_pages})::BIGINT % {huge_pages}
        WHEN e < {between} THEN (pow(hash(e, version, 't') / 18446744073709551616.0, 3)
            * {pages})::BIGINT * 7919 % {pages}
        ELSE (source + 1 + hash(e, version, 'n') % 20)::BIGINT % {pages}
        END AS target, hash(e, version) AS seed
    FROM chance
)
SELECT visit.visit_id, e::INTEGER AS position,
    CASE WHEN visit.outcome = 'redirect' THEN 'location' ELSE 'a' END AS element,
    target.url_id AS target_id, target.domain_id AS target_domain_id,
    CASE WHEN visit.outcome = 'redirect' OR seed % 16 = 1 THEN ''
        WHEN seed % 16 < 6 THEN one WHEN seed % 16 < 12 THEN two ELSE three END AS anchor,
    CASE WHEN seed % 11 = 0 THEN 'nofollow' ELSE '' END AS rel, seed % 11 = 0 AS nofollow,
    seed % 16 = 1 AS image,
    CASE WHEN seed % 16 = 1 THEN 'https://cdn' || visit.domain_id % 500 + 500 || '.example/'
        || replace(two, ' ', '/') || '.png' END AS image_source,
    CASE WHEN seed % 16 = 1 THEN three END AS alt,
    NULL::VARCHAR AS reference, NULL::VARCHAR AS image_reference
FROM element
JOIN visit ON visit.n = element.source
JOIN page AS target ON target.n = element.target
JOIN phrase ON phrase.k = CASE WHEN seed % 16 < 12 THEN hash(element.target, seed % 16 // 2)
    ELSE seed // 16 END % {phrases}
WHERE visit.outcome IN ('ok', 'noindex')
    OR (visit.outcome = 'redirect' AND seed % 20 = 0)
) TO '{batch}/links.parquet' (COMPRESSION zstd)"""
)
