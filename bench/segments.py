"""How fast segments are written and answer, and how large they are.

    python bench/segments.py [LINKS]

Makes a generation of LINKS (2,000,000) live links out of nothing: half of them to one domain, most
of those from one host, the others to 20,000 domains by a power law; and a quarter as many stretches
of links that ended. Prints bytes a backlink by file, and the milliseconds of each of the reader's
methods on a small and on the huge target.
"""

import datetime as dt
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from inlink.index.filters import LinkFilter, TextFilter
from inlink.index.history import Span
from inlink.index.reader import Reader
from inlink.index.segments import partition_directory
from inlink.index.writer import write_segments
from inlink.store import tables
from inlink.store.settings import Settings
from inlink.urls.canonical import sort_key, text_id, url_id
from inlink.urls.targets import Target, parse_target

DAY = 86_400_000_000
DAYS = Span(dt.date(2021, 6, 1), dt.date(2021, 6, 2))
YEAR = Span(dt.date(2021, 1, 1), dt.date(2021, 12, 31))
RANKED = dt.date(2021, 5, 1)
WORDS = ["guide", "review", "kitchen", "garden", "travel", "notes"]
WORDS += ["archive", "summer", "market", "recipe", "music", "studio"]


def addresses(count: int, hosts: int, name: str) -> list[str]:
    """*count* URLs, the number of a host's URLs by a power law."""
    random = np.random.default_rng(len(name))
    host = np.minimum(random.pareto(1.0, count) * 20, hosts - 1).astype(int)
    word = random.integers(0, len(WORDS), (count, 3))
    return [
        f"https://www.{name}{h}.com/{WORDS[a]}/{WORDS[b]}-{WORDS[c]}-{n}.html"
        for n, (h, (a, b, c)) in enumerate(zip(host.tolist(), word.tolist(), strict=True))
    ]


def write_tables(directory: Path, count: int) -> None:
    """The tables of a generation with about *count* live links."""
    random = np.random.default_rng(0)
    sources = [
        *addresses(count // 8, 50_000, "source"),
        *(f"https://big.example.org/{WORDS[n % 12]}/{n}" for n in range(count // 4)),
    ]
    huge = [f"https://www.huge.com/{WORDS[n % 12]}/{n}" for n in range(1000)]
    targets = [*huge, *addresses(count // 5, 20_000, "target")]
    half = count // 2
    source = np.concatenate(
        [
            random.integers(len(sources) - count // 4, len(sources), half * 4 // 5),
            random.integers(0, len(sources), count - half * 4 // 5),
        ]
    )
    target = np.concatenate(
        [
            (random.pareto(0.8, half) * 3).astype(int) % 1000,
            random.integers(1000, len(targets), count - half),
        ]
    )
    pair = np.unique(source * len(targets) + target)
    _write_urls(directory, sources + targets)
    _write_pages(directory, sources, random)
    _write_links(directory, sources, targets, pair, random)


def _write_urls(directory: Path, urls: list[str]) -> None:
    hosts = [url.split("/")[2] for url in urls]
    domains = [host.split(".", 1)[1] for host in hosts]
    domain_ids = [text_id(domain) for domain in domains]
    ids = [url_id(url) for url in urls]
    keys = [sort_key(url) for url in urls]
    columns: list[Any] = [ids, urls, keys, hosts, domains, domain_ids]
    _write(directory / "urls.parquet", tables.URLS, columns)
    rank = np.minimum(np.random.default_rng(1).pareto(1.0, len(urls)) * 5, 100)
    _write(directory / "ranks.parquet", tables.RANKS, [ids, rank / 100, rank.astype(np.int16)])
    named = sorted(set(domain_ids))
    past: list[Any] = [ids, [RANKED] * len(ids), (rank / 2).astype(np.int16)]
    _write(directory / "past_ranks.parquet", tables.PAST_RANKS, past)
    _write(directory / "past_domain_ranks.parquet", tables.PAST_DOMAIN_RANKS, [[], [], []])
    _write(directory / "rank_days.parquet", tables.RANK_DAYS, [[YEAR.first, RANKED]])
    rank = rank[: len(named)]
    _write(
        directory / "domain_ranks.parquet",
        tables.DOMAIN_RANKS,
        [named, rank / 100, rank.astype(np.int16)],
    )


def _write_pages(directory: Path, sources: list[str], random: np.random.Generator) -> None:
    count = len(sources)
    domains = [text_id(url.split("/")[2].split(".", 1)[1]) for url in sources]
    titles = [" ".join(url.split("/")[-1].split("-")).title() for url in sources]
    server = [domain % 20_000 for domain in domains]
    columns: list[Any] = [
        [url_id(url) for url in sources],
        domains,
        random.integers(19_000, 20_000, count) * DAY,
        range(count),
        ["ok"] * count,
        [0] * count,
        range(count),
        [None] * count,
        titles,
        [f"10.{n % 50}.{n // 250}.{n % 250}" for n in server],
    ]
    _write(directory / "pages.parquet", tables.PAGES, columns)
    batches = [f"{number // 40_000:032x}" for number in range(count)]
    places: list[Any] = [columns[0], range(count), [True] * count, batches, range(count)]
    _write(directory / "places.parquet", tables.PLACES, places)


def _write_links(
    directory: Path,
    sources: list[str],
    targets: list[str],
    pair: npt.NDArray[np.int64],
    random: np.random.Generator,
) -> None:
    earlier = pair[random.random(len(pair)) < 0.25]
    live, count = len(pair), len(pair) + len(earlier)
    pair = np.concatenate([pair, earlier])
    source_ids = np.array([url_id(url) for url in sources])
    target_ids = np.array([url_id(url) for url in targets])
    found_at = random.integers(18_000, 19_000, count) * DAY
    is_lost = np.arange(count) >= live
    lost_at = np.where(is_lost, found_at + random.integers(1, 90, count) * DAY, 0)
    word = random.integers(0, len(WORDS), (count, 2)).tolist()
    image = random.random(count) < 0.1
    columns: list[Any] = [
        source_ids[pair // len(targets)],
        target_ids[pair % len(targets)],
        ["href"] * count,
        found_at,
        pa.array(lost_at, mask=~is_lost).cast(tables.TIME),
        ["link_removed" if lost else None for lost in is_lost.tolist()],
        found_at,
        ["a"] * count,
        [f"{WORDS[a]} {WORDS[b]}" for a, b in word],
        random.random(count) < 0.2,
        image,
        [f"https://img.example/{n % 5000}.png" if has else None for n, has in enumerate(image)],
    ]
    _write(directory / "links.parquet", tables.BACKLINKS, columns)


def _write(path: Path, schema: pa.Schema, columns: list[Any]) -> None:
    arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
    pq.write_table(pa.table(arrays, schema=schema), path)


def milliseconds(answer: Callable[[], object]) -> float:
    """The fastest of nine, warm."""
    taken: list[float] = []
    while len(taken) < 9:
        start = time.perf_counter()
        answer()
        taken.append((time.perf_counter() - start) * 1000)
    return min(taken)


def methods(reader: Reader, target: Target) -> dict[str, Callable[[], object]]:
    """What is timed."""
    return {
        "metrics": lambda: reader.metrics(target),
        "ranks": lambda: reader.ranks(target),
        "backlinks, 100 by date": lambda: reader.backlinks(target, "date_found", 100),
        "backlinks, 100 by rank": lambda: reader.backlinks(target, "inlink_rank", 100),
        "backlinks, 100 by domain rank, 1 per domain": lambda: reader.backlinks(
            target, "domain_inlink_rank", 100, 1
        ),
        "backlinks, 10,000 by date, 1 per domain": lambda: reader.backlinks(
            target, "date_found", 10_000, 1
        ),
        "backlinks, 10,000 by rank": lambda: reader.backlinks(target, "inlink_rank", 10_000),
        "refdomains, 100 by rank": lambda: reader.refdomains(target, "inlink_rank", 100),
        "raw backlinks, 100": lambda: reader.raw_backlinks(target, 100),
        "raw backlinks, 100,000": lambda: reader.raw_backlinks(target, 100_000),
        "backlinks, 100 by date, nofollow": lambda: reader.backlinks(
            target, "date_found", 100, None, LinkFilter(nofollow=True)
        ),
        "backlinks, 100 by date, anchor": lambda: reader.backlinks(
            target, "date_found", 100, None, LinkFilter(anchor=TextFilter("kitchen", True))
        ),
        "backlinks, 100 by date, url_from": lambda: reader.backlinks(
            target, "date_found", 100, None, LinkFilter(url_from=TextFilter("kitchen", True))
        ),
        "new and lost backlinks, 1,000 of 2 days": lambda: reader.new_lost_backlinks(
            target, DAYS, None, "new_lost_date", 1000
        ),
        "new and lost backlinks, 1,000 of a year": lambda: reader.new_lost_backlinks(
            target, YEAR, None, "new_lost_date", 1000
        ),
        "new and lost backlinks, 1,000 of a year by rank": lambda: reader.new_lost_backlinks(
            target, YEAR, None, "inlink_rank", 1000
        ),
        "new and lost backlinks, a year, counted": lambda: reader.new_lost_backlinks_count(
            target, YEAR, None
        ),
        "new and lost refdomains, 1,000 of a year": lambda: reader.new_lost_refdomains(
            target, YEAR, None, "new_lost_date", 1000
        ),
        "new and lost refdomains, a year, counted": lambda: reader.new_lost_refdomains_count(
            target, YEAR, None
        ),
        "live backlinks, a year": lambda: reader.live_backlinks(target, YEAR),
        "live refdomains, a year": lambda: reader.live_refdomains(target, YEAR),
        "rank history": lambda: reader.domain_inlink_rank_history(target, YEAR),
    }


def main() -> None:
    """Write, then ask."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    with tempfile.TemporaryDirectory() as temporary:
        generation = Path(temporary)
        (generation / "tables").mkdir()
        write_tables(generation / "tables", count)
        start = time.perf_counter()
        counts = write_segments(generation / "tables", generation / "segments", Settings())
        print(f"written in {time.perf_counter() - start:.1f} s")
        print(counts.partitions[0])
        links = counts.partitions[0].links
        files = sorted(partition_directory(generation / "segments", 0).iterdir())
        for file in files:
            print(f"{file.name:24}{file.stat().st_size / links:8.2f} bytes/backlink")
        print(f"{'all':24}{sum(file.stat().st_size for file in files) / links:8.2f}")
        start = time.perf_counter()
        reader = Reader(generation)
        print(f"opened in {(time.perf_counter() - start) * 1000:.1f} ms")
        for name in ("target300.com", "huge.com"):
            target = parse_target(name, "domain")
            print(f"\n{name}: {reader.metrics(target).backlinks:,} backlinks")
            for method, answer in methods(reader, target).items():
                print(f"{method:46}{milliseconds(answer):10.2f} ms")


if __name__ == "__main__":
    main()
