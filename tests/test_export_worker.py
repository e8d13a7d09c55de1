"""Export workers on real segments and a real database: exact files, crashes, stops, and cleaning.

The workers that are killed are processes of their own, made slow batch by batch.
"""

import csv
import gzip
import io
import itertools
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, update

from inlink.accounts.database import EXPORTS, connect
from inlink.accounts.keys import Keys
from inlink.contract.rows import Backlink
from inlink.contract.vocabulary import Mode
from inlink.exports.queue import Exports, Task
from inlink.exports.worker import ABANDONED, FILE_NAME, ExportWorker, file_host, run
from inlink.index.reader import Reader
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.urls.targets import Target, parse_target
from tests.patience import PATIENCE, wait_until
from tests.serving import Row, make_current, write_generation

ROWS = 60
LEASE = 1.5  # seconds
PAUSE = 1.0  # far longer in all than it takes to stop a worker
SPAWN = multiprocessing.get_context("spawn")


def links(count: int, host: str = "shop.example") -> list[Row]:
    return [
        Row(
            f"https://blog{n % 7}.example/{n}",
            f"https://{host}/{n % 3}",
            first_seen=f"2026-01-{n % 28 + 1:02}",
            title=f'Title "{n}", of\nmany',
            anchor=["=1+1", "plain", "", "ünïcode"][n % 4],
            nofollow=n % 2 == 0,
            image=n % 5 == 0,
            image_source="https://img.example/a.png" if n % 5 == 0 else None,
        )
        for n in range(count)
    ]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data directory with ROWS backlinks to shop.example, ten to each of t0 to t9.example."""
    rows = links(ROWS)
    rows += [row for number in range(10) for row in links(10, f"t{number}.example")]
    write_generation(tmp_path, 1, rows, {"https://blog1.example/1": 40}, {"blog1.example": 50})
    make_current(tmp_path, 1)
    return Layout(tmp_path)


@pytest.fixture
def engine(layout: Layout) -> Iterator[Engine]:
    made = connect(layout.accounts)
    yield made
    made.dispose()


@pytest.fixture
def exports(engine: Engine) -> Exports:
    return Exports(engine, LEASE)


@pytest.fixture
def worker(layout: Layout, exports: Exports) -> Iterator[ExportWorker]:
    made = ExportWorker(layout, exports, Settings(), lambda: False)
    yield made
    made.close()


def queue(engine: Engine, target: str, mode: str = "domain", units: int = ROWS) -> Task:
    keys = Keys(engine)
    keys.create(f"key {len(keys.all())}", units=1000)
    return Exports(engine).submit(keys.all()[-1].id, target, mode, units)


def units_left(engine: Engine, task: Task) -> int | None:
    return next(key.units_left for key in Keys(engine).all() if key.id == task.key_id)


def find(engine: Engine, task: Task) -> Task:
    found = Exports(engine).find(task.key_id, task.id)
    assert found is not None
    return found


def records(path: Path) -> list[dict[str, str]]:
    text = gzip.decompress(path.read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def expected(layout: Layout, target: str, mode: Mode, generation: int = 1) -> list[dict[str, str]]:
    """The rows of get-raw-backlinks in JSON, as cells."""
    reader = Reader(layout.generation(generation))
    rows, more = reader.raw_backlinks(parse_target(target, mode), 100_000)
    assert more is None
    return [
        {name: as_cell(value) for name, value in row.items()}
        for row in msgspec.json.decode(msgspec.json.encode(rows))
    ]


def as_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if str(value).startswith("=") else str(value)


def check(layout: Layout, engine: Engine, task: Task) -> Task:
    """The task is complete, and its file has just the rows of its target."""
    done = find(engine, task)
    assert done.status == "complete"
    assert done.file is not None
    found = records(layout.exports / done.file)
    assert found == expected(layout, task.target, task.mode)  # type: ignore[arg-type]
    assert done.rows == done.units == len(found)
    return done


def temporary_files(layout: Layout) -> list[Path]:
    return list(layout.exports.glob(".*"))


def work(data: Path, pause: float, lease: float) -> None:
    """A worker that waits *pause* seconds before each row, in a process of its own."""
    batches = Reader.backlink_batches

    def slowly(self: Reader, target: Target, rows: int = 5000) -> Iterator[list[Backlink]]:
        for batch in batches(self, target, 1 if pause else rows):
            time.sleep(pause)
            yield batch

    Reader.backlink_batches = slowly  # type: ignore[method-assign]
    logging.basicConfig(level=logging.INFO, filename=data / "worker.log")
    run(Layout(data), lease)


@contextmanager
def working(layout: Layout, pause: float = 0.0, lease: float = LEASE) -> Iterator[BaseProcess]:
    process = SPAWN.Process(target=work, args=(layout.root, pause, lease))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def test_a_file_has_the_rows_of_its_target(
    layout: Layout, engine: Engine, worker: ExportWorker
) -> None:
    asked: list[tuple[str, Mode, int]] = [
        ("shop.example", "domain", ROWS),
        ("https://shop.example/2", "url", ROWS // 3),
        ("T3.example", "host", 10),
        ("nobody.example", "host", 0),
    ]
    tasks = [queue(engine, target, mode, rows) for target, mode, rows in asked]
    for task, (target, mode, rows) in zip(tasks, asked, strict=True):
        assert worker.work()
        done = check(layout, engine, task)
        assert done.rows == rows == len(expected(layout, target, mode))
        assert done.attempts == 1
        assert units_left(engine, task) == 1000 - rows
    assert not worker.work()
    assert temporary_files(layout) == []


def test_names_are_of_the_host_and_cannot_be_guessed(
    layout: Layout, engine: Engine, worker: ExportWorker
) -> None:
    names = []
    for _ in range(2):
        task = queue(engine, "https://www.T1.example/x?y", "url", 0)
        assert worker.work()
        names.append(str(find(engine, task).file))
    assert names[0] != names[1]
    for name in names:
        assert FILE_NAME.fullmatch(name)
        assert name.startswith("www.t1.example-")
        assert len(name.removesuffix(".csv.gz").rpartition("-")[2]) == 32


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("example.com", "example.com"),
        ("https://user@WWW.Example.com:8443/path", "www.example.com"),
        ("http://пример.рф/", "xn--e1afmkfd.xn--p1ai"),
        ("http://192.0.2.7/", "192.0.2.7"),
        ("http://[2001:db8::1]/", "2001-db8-1"),
        ("http://my_shop.example.com/", "my_shop.example.com"),
        ("http://-x.example.com/", "x.example.com"),
        ("http://example.com./", "example.com"),
        ("http://" + "a" * 60 + "." + "b" * 60 + ".example/", "a" * 60 + "." + "b" * 39),
    ],
)
def test_the_host_in_a_name_is_safe(target: str, host: str) -> None:
    assert file_host(parse_target(target, "url")) == host
    assert FILE_NAME.fullmatch(f"{host}-{'0' * 32}.csv.gz")


def test_a_worker_that_is_killed_leaves_its_task_to_another(layout: Layout, engine: Engine) -> None:
    task = queue(engine, "shop.example")
    with working(layout, PAUSE) as first:
        wait_until(lambda: temporary_files(layout))
        os.kill(first.pid or 0, signal.SIGKILL)
        first.join()
    assert find(engine, task).status == "processing"
    (left,) = temporary_files(layout)
    with working(layout):
        wait_until(lambda: find(engine, task).status == "complete")
        done = check(layout, engine, task)
        assert done.attempts == 2
        assert units_left(engine, task) == 1000 - ROWS
        assert left.exists()  # it may be another worker's, for what this one knows
    assert set(layout.exports.iterdir()) == {left, layout.exports / str(done.file)}


def test_what_dead_workers_left_is_swept(
    layout: Layout, engine: Engine, worker: ExportWorker
) -> None:
    task = queue(engine, "shop.example")
    assert worker.work()
    kept = layout.exports / str(find(engine, task).file)
    token = "0" * 32
    fresh = [layout.exports / f"{dot}fresh.example-{token}.csv.gz" for dot in ("", ".")]
    old = [layout.exports / f"{dot}old.example-{token}.csv.gz" for dot in ("", ".")]
    foreign = layout.exports / "README"
    for path in (*fresh, *old, foreign):
        path.write_bytes(b"x")
    for path in (*old, foreign, kept):
        then = time.time() - ABANDONED - 1
        os.utime(path, (then, then))
    again = ExportWorker(layout, Exports(engine), Settings(), lambda: False)
    assert not again.work()
    again.close()
    assert set(layout.exports.iterdir()) == {kept, *fresh, foreign}


def test_a_worker_that_was_asleep_drops_its_file(layout: Layout, engine: Engine) -> None:
    task = queue(engine, "shop.example")
    with working(layout, PAUSE) as first:
        wait_until(lambda: temporary_files(layout))
        os.kill(first.pid or 0, signal.SIGSTOP)
        with working(layout):
            wait_until(lambda: find(engine, task).status == "complete")
        os.kill(first.pid or 0, signal.SIGCONT)
        wait_until(lambda: not temporary_files(layout))
        done = check(layout, engine, task)
        assert [path.name for path in layout.exports.iterdir()] == [done.file]
        assert units_left(engine, task) == 1000 - ROWS
        # And it goes on with the next task.
        other = queue(engine, "nobody.example", units=0)
        wait_until(lambda: find(engine, other).status == "complete")
    assert "another worker has it" in (layout.root / "worker.log").read_text()


def test_a_long_export_keeps_its_lease(
    layout: Layout, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = queue(engine, "shop.example")
    exports = Exports(engine, lease=30)
    batches = Reader.backlink_batches
    leases = []

    def slowly(reader: Reader, target: Target, _: int) -> Iterator[list[Backlink]]:
        for batch in batches(reader, target, 10):
            yield batch
            leases.append((find(engine, task).lease_until or 0) - time.time())
            with engine.begin() as connection:  # as if most of the lease had passed
                connection.execute(update(EXPORTS).values(lease_until=time.time() + 5))

    clock = itertools.count(step=11)  # seconds between two looks: more than a third of the lease
    monkeypatch.setattr(Reader, "backlink_batches", slowly)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    worker = ExportWorker(layout, exports, Settings(), lambda: False)
    assert worker.work()
    monkeypatch.undo()
    worker.close()
    assert len(leases) == ROWS // 10
    assert min(leases) > 15
    check(layout, engine, task)


@pytest.mark.parametrize("how", ["taken over", "key deleted"])
def test_a_file_that_is_finished_too_late_is_dropped(
    layout: Layout,
    engine: Engine,
    worker: ExportWorker,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    task = queue(engine, "shop.example")
    batches = Reader.backlink_batches

    def losing(reader: Reader, target: Target, rows: int) -> Iterator[list[Backlink]]:
        yield from batches(reader, target, rows)
        if how == "key deleted":
            Keys(engine).delete(str(task.key_id))
            return
        with engine.begin() as connection:
            connection.execute(update(EXPORTS).values(lease_until=0.0))
        assert Exports(engine).claim("another") is not None

    monkeypatch.setattr(Reader, "backlink_batches", losing)
    assert worker.work()
    assert list(layout.exports.iterdir()) == []
    if how == "taken over":
        now = find(engine, task)
        assert (now.status, now.worker, now.attempts) == ("processing", "another", 2)
    else:
        assert Exports(engine).find(task.key_id, task.id) is None


def test_a_worker_that_is_stopped_puts_its_task_back_at_once(
    layout: Layout, engine: Engine
) -> None:
    task = queue(engine, "shop.example")
    with working(layout, PAUSE) as first:
        wait_until(lambda: temporary_files(layout))
        first.terminate()
        first.join(PATIENCE)
        assert first.exitcode == 0
    assert find(engine, task) == task
    assert list(layout.exports.iterdir()) == []
    assert units_left(engine, task) == 1000 - ROWS
    with working(layout):
        wait_until(lambda: find(engine, task).status == "complete")
    assert check(layout, engine, task).attempts == 1


def test_two_workers_and_ten_keys(layout: Layout, engine: Engine) -> None:
    tasks = [queue(engine, f"t{number}.example", units=10) for number in range(10)]
    with working(layout, lease=60), working(layout, lease=60):
        wait_until(lambda: all(find(engine, task).status == "complete" for task in tasks))
    files = set()
    for task in tasks:
        done = check(layout, engine, task)
        assert (done.attempts, done.rows) == (1, 10)
        assert units_left(engine, task) == 990
        files.add(done.file)
    assert {path.name for path in layout.exports.iterdir()} == files
    assert len(files) == 10


def test_a_task_that_three_workers_died_of_is_given_up(
    layout: Layout, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    task = queue(engine, "shop.example")
    hasty = Exports(engine, lease=-1)
    for _ in range(3):
        assert hasty.claim("dies") is not None
    worker = ExportWorker(layout, hasty, Settings(), lambda: False)
    assert worker.work()
    worker.close()
    assert hasty.find(task.key_id, task.id) is None
    assert units_left(engine, task) == 1000
    assert list(layout.exports.iterdir()) == []
    assert task.id in caplog.text
    assert "died" in caplog.text


def test_an_error_that_comes_again_ends_in_giving_up(
    layout: Layout,
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = queue(engine, "shop.example")
    batches = Reader.backlink_batches

    def broken(reader: Reader, target: Target, _: int) -> Iterator[list[Backlink]]:
        yield from list(batches(reader, target, 20))[:2]
        raise OSError("the disk is on fire")

    monkeypatch.setattr(Reader, "backlink_batches", broken)
    hasty = Exports(engine, lease=-1)
    worker = ExportWorker(layout, hasty, Settings(), lambda: False)
    for attempt in range(3):
        assert find(engine, task).attempts == attempt
        assert worker.work()
        assert list(layout.exports.iterdir()) == []
    assert not worker.work()
    worker.close()
    assert hasty.find(task.key_id, task.id) is None
    assert units_left(engine, task) == 1000
    assert "the disk is on fire" in caplog.text


def test_after_an_error_it_is_tried_again(
    layout: Layout, engine: Engine, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = queue(engine, "shop.example")
    worker = ExportWorker(layout, exports, Settings(), lambda: False)
    with monkeypatch.context() as broken:
        broken.delattr(Reader, "backlink_batches")
        assert worker.work()
    assert not worker.work()  # not at once: what is wrong may pass
    wait_until(worker.work)
    worker.close()
    assert check(layout, engine, task).attempts == 2


def test_files_whose_time_is_over_are_removed_with_their_tasks(
    layout: Layout, engine: Engine, worker: ExportWorker
) -> None:
    tasks = [queue(engine, "shop.example"), queue(engine, "t1.example", units=10)]
    for _ in tasks:
        assert worker.work()
    old, young = (find(engine, task) for task in tasks)
    with engine.begin() as connection:
        then = time.time() - 2 * 3600 - 1
        long_ago = update(EXPORTS).where(EXPORTS.c.id == old.id).values(finished_at=then)
        connection.execute(long_ago)
    for hours, remain in ((3, {old.file, young.file}), (2, {young.file})):
        sweeping = ExportWorker(
            layout, Exports(engine), Settings(keep_exports_hours=hours), lambda: False
        )
        assert not sweeping.work()
        sweeping.close()
        assert {path.name for path in layout.exports.iterdir()} == remain
    assert Exports(engine).find(old.key_id, old.id) is None
    assert find(engine, young) == young
    assert units_left(engine, old) == 1000 - ROWS  # it was had


def test_a_file_that_somebody_deleted_does_not_stop_the_sweep(
    layout: Layout, engine: Engine, worker: ExportWorker
) -> None:
    task = queue(engine, "shop.example")
    assert worker.work()
    (layout.exports / str(find(engine, task).file)).unlink()
    with engine.begin() as connection:
        connection.execute(update(EXPORTS).values(finished_at=0.0))
    sweeping = ExportWorker(layout, Exports(engine), Settings(), lambda: False)
    assert not sweeping.work()
    sweeping.close()
    assert Exports(engine).find(task.key_id, task.id) is None


def test_what_is_charged_is_what_is_in_the_file(
    layout: Layout, engine: Engine, worker: ExportWorker
) -> None:
    task = queue(engine, "shop.example", units=10 * ROWS)
    write_generation(layout.root, 2, links(7))
    make_current(layout.root, 2)
    assert worker.work()
    done = find(engine, task)
    assert (done.rows, done.units) == (7, 7)
    found = records(layout.exports / str(done.file))
    assert found == expected(layout, "shop.example", "domain", generation=2)
    assert units_left(engine, task) == 993


def test_a_price_that_was_set_is_charged(layout: Layout, engine: Engine, exports: Exports) -> None:
    task = queue(engine, "shop.example", units=5 * ROWS)
    costs = {"download-all-backlinks": 3}
    worker = ExportWorker(layout, exports, Settings(costs=costs), lambda: False)
    assert worker.work()
    worker.close()
    assert units_left(engine, task) == 1000 - 3 * ROWS


def test_the_generation_stays_for_the_whole_export(
    layout: Layout, engine: Engine, worker: ExportWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inlink.fold.publish import remove_old_generations

    task = queue(engine, "shop.example")
    batches = Reader.backlink_batches

    def changing(reader: Reader, target: Target, _: int) -> Iterator[list[Backlink]]:
        write_generation(layout.root, 2, links(7))
        make_current(layout.root, 2)
        remove_old_generations(layout, keep=1)
        assert layout.generation(1).exists()
        yield from batches(reader, target, 20)

    monkeypatch.setattr(Reader, "backlink_batches", changing)
    assert worker.work()
    monkeypatch.undo()
    check(layout, engine, task)
    # Before the next task it goes over, and lets the old one be removed.
    assert not worker.work()
    remove_old_generations(layout, keep=1)
    assert not layout.generation(1).exists()


def test_before_the_first_build_a_task_waits(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    engine = connect(layout.accounts)
    task = queue(engine, "shop.example")
    worker = ExportWorker(layout, Exports(engine), Settings(), lambda: False)
    assert not worker.work()
    assert find(engine, task) == task
    write_generation(tmp_path, 1, links(3))
    make_current(tmp_path, 1)
    assert worker.work()
    check(layout, engine, task)
    worker.close()
    engine.dispose()


def test_dropped_parameters_are_dropped_as_in_a_request(
    layout: Layout, engine: Engine, exports: Exports
) -> None:
    task = queue(engine, "https://shop.example/1?utm_source=x", "url")
    worker = ExportWorker(layout, exports, Settings(drop_parameters=("utm_*",)), lambda: False)
    assert worker.work()
    worker.close()
    assert find(engine, task).rows == ROWS // 3
