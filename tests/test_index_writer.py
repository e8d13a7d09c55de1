"""The segments as files: the same bytes for the same rows, whole counts, nothing left behind."""

from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from inlink.index.segments import load
from inlink.index.writer import write_segments
from inlink.store.configuration import Settings
from inlink.urls.domains import registrable_domain
from tests.index_tables import Link, Page, Web, host_of, places_of, write_tables
from tests.test_index_reader import random_web


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


@pytest.mark.parametrize("partition_links", [1000, 20_000_000])
def test_the_order_and_split_of_rows_leave_no_trace(tmp_path: Path, partition_links: int) -> None:
    web = random_web(seed=5, links=1600)
    settings = Settings(partition_links=partition_links)
    written = []
    for seed in range(3):
        directory = tmp_path / str(seed)
        tables = write_tables(web, directory, Random(seed))
        write_segments(tables, directory / "segments", settings, summary_links=20)
        written.append(contents(directory / "segments"))
    assert written[0] == written[1] == written[2]
    assert any(name.endswith("summaries.arrow") for name in written[0])


def test_counts_are_those_of_the_tables(tmp_path: Path) -> None:
    web = random_web(seed=6, links=300)
    tables = write_tables(web, tmp_path)
    counts = write_segments(tables, tmp_path / "segments", Settings())
    (partition,) = counts.partitions
    assert load(tmp_path / "segments") == counts
    assert partition.links == len(web.live)
    assert partition.lost == len(web.links) - len(web.live) > 0
    sources = {link.source for link in web.links}
    hosts = {host_of(source) for source in sources}
    assert partition.pages == len(sources)
    assert partition.hosts == len(hosts)
    assert partition.domain_names == len(set(map(registrable_domain, hosts)))
    assert partition.anchors == len({link.anchor for link in web.links})
    assert partition.domains == len(
        {*web.domain_ranks, *(name for name, past in web.past_domain_ranks.items() if past)}
    )
    ranked = {*web.ranks, *(url for url, past in web.past_ranks.items() if past)}
    placed = {url: places for url in web.pages if (places := places_of(url))}
    assert partition.targets == len({*ranked, *placed} | {link.target for link in web.links})
    assert partition.places == sum(len(places) for both in placed.values() for places in both)
    named = {batch for both in placed.values() for places in both for batch, _ in places}
    assert partition.batch_names == len(named)
    assert partition.past_ranks == sum(map(len, web.past_ranks.values()))
    assert partition.past_domain_ranks == sum(map(len, web.past_domain_ranks.values()))
    assert counts.rank_days == tuple(web.rank_days)


def test_every_file_is_one_record_batch_without_compression(tmp_path: Path) -> None:
    tables = write_tables(random_web(seed=7, links=100), tmp_path)
    write_segments(tables, tmp_path / "segments", Settings())
    files = list((tmp_path / "segments").rglob("*.arrow"))
    assert files
    for path in files:
        with pa.memory_map(str(path)) as source:
            before = pa.total_allocated_bytes()
            reader = pa.ipc.open_file(source)
            assert reader.num_record_batches == 1
            reader.get_batch(0).validate(full=True)
            assert pa.total_allocated_bytes() - before < 1024  # mapped, not read


def test_an_attempt_that_died_leaves_nothing(tmp_path: Path) -> None:
    tables = write_tables(random_web(seed=8, links=100), tmp_path)
    write_segments(tables, tmp_path / "segments", Settings())
    whole = contents(tmp_path / "segments")
    (tmp_path / "segments" / "segments.json").unlink()
    (tmp_path / "segments" / "p0007").mkdir()
    (tmp_path / "segments.spill").mkdir()
    write_segments(tables, tmp_path / "segments", Settings())
    assert contents(tmp_path / "segments") == whole
    assert {path.name for path in tmp_path.iterdir()} == {"tables", "segments"}


def test_progress_counts_up_to_its_total(tmp_path: Path) -> None:
    tables = write_tables(random_web(seed=9, links=2000), tmp_path)
    steps: list[tuple[int, int]] = []
    settings = Settings(partition_links=1000)
    write_segments(tables, tmp_path / "segments", settings, lambda *step: steps.append(step))
    total = steps[0][1]
    assert steps == [(number, total) for number in range(1, total + 1)]


def test_a_source_without_a_page_is_an_error(tmp_path: Path) -> None:
    web = Web([Link("https://a.org/", "https://b.org/")], {"https://b.org/": Page()})
    tables = write_tables(web, tmp_path)
    with pytest.raises(ValueError, match="source"):
        write_segments(tables, tmp_path / "segments", Settings())
    assert not (tmp_path / "segments.spill").exists()
