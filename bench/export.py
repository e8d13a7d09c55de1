"""How fast an export is written, in how much memory, and what the compression costs.

    python bench/export.py [ROWS]

Writes ROWS (10,000,000) rows through `write_csv_gz`, the way the worker does. The index is a
stand-in that gives the same batches again and again, so what is measured is CSV, gzip and disk;
`bench/segments.py` has the reading. Prints rows a second and bytes a row, for some levels of
compression too, and how far the process grew on the way.
"""

import datetime as dt
import itertools
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import inlink.api.csv_gz
from inlink.api.csv_gz import LEVEL, write_csv_gz
from inlink.index.rows import Backlink

BATCH = 1000
BATCHES = 100  # different ones; far more than the window of gzip
SAMPLE = 200_000  # rows for each level
WORDS = ["guide", "review", "kitchen", "garden", "travel", "notes", "archive", "summer", "market"]


def made_up(number: int, chance: random.Random) -> Backlink:
    """A backlink with texts as long as they are on average in crawls."""
    words = chance.choices(WORDS, k=9)
    image = chance.random() < 0.1
    return Backlink(
        url_from=f"https://www.source{number // 50}.com/{words[0]}/{words[1]}-{number}.html",
        url_to=f"https://www.shop.example/{words[2]}/{words[3]}/{number % 40}",
        title=" ".join(words[4:]).title() + f" {chance.randint(0, 10**6)}",
        anchor=" ".join(words[:3]),
        alt=None,
        nofollow=chance.random() < 0.3,
        image=image,
        image_source=f"https://img.example/{words[4]}/{number}.png" if image else None,
        inlink_rank=chance.randint(0, 60),
        domain_inlink_rank=chance.randint(0, 60),
        first_seen=dt.date(2024, 1, 1) + dt.timedelta(chance.randint(0, 700)),
        last_visited=dt.date(2026, 1, 1),
    )


def peak() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def measure(name: str, path: Path, batches: Iterator[list[Backlink]]) -> None:
    """Write one file, and a line about it."""
    start, busy = time.perf_counter(), time.process_time()
    with path.open("wb") as file:
        rows = write_csv_gz(file, batches)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    print(
        f"{name:>10}: {rows / seconds:9,.0f} rows/s ({rows / busy:,.0f} for each second of CPU), "
        f"{path.stat().st_size / rows:.1f} bytes a row, {seconds:.0f} s"
    )


def main() -> None:
    """Run it."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    chance = random.Random(0)
    batches = [
        [made_up(batch * BATCH + number, chance) for number in range(BATCH)]
        for batch in range(BATCHES)
    ]

    def stand_in(count: int) -> Iterator[list[Backlink]]:
        return itertools.islice(itertools.cycle(batches), count // BATCH)

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "export.csv.gz"
        for level in (1, 4, 6):
            inlink.api.csv_gz.LEVEL = level
            measure(f"level {level}", path, stand_in(SAMPLE))
        inlink.api.csv_gz.LEVEL = LEVEL
        before = peak()
        measure(f"{rows:,}", path, stand_in(rows))
        print(f"memory: {before:.1f} MB before, {peak() - before:.1f} MB more after {rows:,} rows")


if __name__ == "__main__":
    main()
