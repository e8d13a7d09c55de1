"""The queue of export tasks on each kind of database: nothing lost, done twice or paid twice."""

import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError

from inlink.accounts.database import EXPORTS
from inlink.accounts.keys import Keys
from inlink.accounts.usage import usage
from inlink.exports.queue import COMMAND, BalanceError, BusyError, Exports, Task, worker_name
from tests import databases

location = databases.location
engine = databases.engine

TARGET = "https://Shop.example/a?b=ü"


@pytest.fixture
def exports(engine: Engine) -> Exports:
    return Exports(engine)


def make_key(engine: Engine, units: int | None = None) -> int:
    keys = Keys(engine)
    keys.create(f"key {len(keys.all())}", units=units)
    return keys.all()[-1].id


def units_left(engine: Engine, key_id: int) -> int | None:
    return next(key.units_left for key in Keys(engine).all() if key.id == key_id)


def used(engine: Engine) -> dict[int, tuple[int, int]]:
    """Requests and units by key, all of them under the one command."""
    rows = usage(engine)
    assert {row.command for row in rows} <= {COMMAND}
    return {row.key_id: (row.requests, row.units) for row in rows}


def claimed(exports: Exports, worker: str = "worker") -> Task:
    task = exports.claim(worker)
    assert task is not None
    return task


def let_the_lease_run_out(engine: Engine, task: Task) -> None:
    with engine.begin() as connection:
        past = update(EXPORTS).where(EXPORTS.c.id == task.id).values(lease_until=time.time() - 0.1)
        connection.execute(past)


def test_a_task_waits_with_what_was_asked(engine: Engine, exports: Exports) -> None:
    key = make_key(engine, units=100)
    task = exports.submit(key, TARGET, "url", 70)
    assert re.fullmatch("[0-9A-F]{32}", task.id)
    assert exports.find(key, task.id) == task
    assert (task.status, task.target, task.mode, task.attempts) == ("queued", TARGET, "url", 0)
    assert units_left(engine, key) == 30
    assert used(engine) == {key: (1, 70)}


def test_a_key_sees_only_its_own_tasks(engine: Engine, exports: Exports) -> None:
    task = exports.submit(make_key(engine), TARGET, "host", 1)
    assert exports.find(make_key(engine), task.id) is None
    assert exports.find(task.key_id, "0" * 32) is None


def test_one_task_at_a_time_for_a_key(engine: Engine, exports: Exports) -> None:
    key, other = make_key(engine, units=100), make_key(engine)
    first = exports.submit(key, TARGET, "url", 10)
    with pytest.raises(BusyError) as waiting:
        exports.submit(key, "other.example", "host", 10)
    assert waiting.value.task == first
    task = claimed(exports)
    with pytest.raises(BusyError) as running:
        exports.submit(key, "other.example", "host", 10)
    assert running.value.task == task
    exports.submit(other, TARGET, "url", 10)
    assert exports.complete(task, "file", 10, 10)
    assert exports.submit(key, "other.example", "host", 10).id != first.id
    assert units_left(engine, key) == 80


def test_of_many_that_ask_at_once_with_one_key_one_is_served(engine: Engine) -> None:
    key = make_key(engine, units=100)
    start = threading.Barrier(8)

    def ask(_: int) -> str:
        start.wait()
        try:
            return Exports(engine).submit(key, TARGET, "url", 10).id
        except BusyError as error:
            return error.task.id

    with ThreadPoolExecutor(8) as pool:
        answered = set(pool.map(ask, range(8)))
    assert len(answered) == 1
    assert units_left(engine, key) == 90
    assert used(engine) == {key: (1, 10)}


def test_what_cannot_be_paid_is_not_queued(engine: Engine, exports: Exports) -> None:
    key = make_key(engine, units=9)
    with pytest.raises(BalanceError):
        exports.submit(key, TARGET, "url", 10)
    assert exports.claim("worker") is None
    assert units_left(engine, key) == 9
    assert used(engine) == {}
    assert exports.submit(key, TARGET, "url", 9).units == 9


def test_a_key_that_is_gone_queues_nothing(engine: Engine, exports: Exports) -> None:
    with pytest.raises(IntegrityError):
        exports.submit(make_key(engine) + 1, TARGET, "url", 1)
    assert exports.claim("worker") is None


def test_the_oldest_task_comes_first(engine: Engine, exports: Exports) -> None:
    tasks = [exports.submit(make_key(engine), f"t{n}.example", "host", 1) for n in range(5)]
    assert [claimed(exports).id for _ in tasks] == [task.id for task in tasks]
    assert exports.claim("worker") is None


def test_workers_at_once_take_every_task_once(engine: Engine) -> None:
    keys = Keys(engine)
    for number in range(40):
        keys.create(f"key {number}")
    for key in keys.all():
        Exports(engine).submit(key.id, TARGET, "host", 1)
    start = threading.Barrier(6)

    def work(_: int) -> list[str]:
        exports, name, done = Exports(engine), worker_name(), []
        start.wait()
        while task := exports.claim(name):
            assert exports.renew(task)
            assert exports.complete(task, f"{task.id}.csv.gz", 1, 1)
            done.append(task.id)
        return done

    with ThreadPoolExecutor(6) as pool:
        done = Counter(task for tasks in pool.map(work, range(6)) for task in tasks)
    assert len(done) == 40
    assert set(done.values()) == {1}


def test_a_task_is_taken_over_when_its_lease_has_run_out(engine: Engine, exports: Exports) -> None:
    key = make_key(engine, units=100)
    exports.submit(key, TARGET, "host", 50)
    first = claimed(exports, "first")
    assert exports.claim("second") is None
    let_the_lease_run_out(engine, first)
    second = claimed(exports, "second")
    assert (second.id, second.attempts) == (first.id, 2)
    # The first, which was only slow, can do nothing to it any more.
    assert not exports.renew(first)
    assert not exports.release(first)
    assert not exports.complete(first, "first", 1, 1)
    assert not exports.give_up(first)
    assert exports.find(key, second.id) == second
    assert units_left(engine, key) == 50
    assert exports.complete(second, "second", 50, 50)
    assert not exports.renew(second)


def test_a_lease_that_is_renewed_does_not_run_out(engine: Engine) -> None:
    exports = Exports(engine, lease=60)
    exports.submit(make_key(engine), TARGET, "host", 1)
    task = claimed(exports)
    let_the_lease_run_out(engine, task)
    assert exports.renew(task)  # nobody has taken it meanwhile
    assert exports.claim("other") is None


def test_the_same_worker_may_lose_a_task_to_itself(engine: Engine, exports: Exports) -> None:
    exports.submit(make_key(engine), TARGET, "host", 1)
    first = claimed(exports, "worker")
    let_the_lease_run_out(engine, first)
    second = claimed(exports, "worker")
    assert not exports.complete(first, "file", 1, 1)
    assert exports.complete(second, "file", 1, 1)


def test_a_task_that_is_put_back_waits_as_before(engine: Engine, exports: Exports) -> None:
    task = exports.submit(make_key(engine), TARGET, "host", 1)
    assert exports.release(claimed(exports))
    assert exports.find(task.key_id, task.id) == task
    assert claimed(exports).attempts == 1


@pytest.mark.parametrize(
    ("units", "taken", "left"),
    [
        (40, 40, 60),  # fewer rows than counted: the rest is given back
        (50, 50, 50),
        (90, 90, 10),  # more rows
        (101, 50, 50),  # more than the key has: what came since is not taken
        (0, 0, 100),
    ],
)
def test_what_was_counted_is_settled(
    engine: Engine, exports: Exports, units: int, taken: int, left: int
) -> None:
    key = make_key(engine, units=100)
    exports.submit(key, TARGET, "host", 50)
    assert exports.complete(claimed(exports), "file.csv.gz", 123, units)
    assert units_left(engine, key) == left
    assert used(engine) == {key: (1, taken)}
    (done,) = exports.expired(time.time() + 1)
    assert (done.status, done.rows, done.file, done.units) == (
        "complete",
        123,
        "file.csv.gz",
        taken,
    )
    assert exports.files() == {"file.csv.gz"}


def test_a_task_that_is_given_up_costs_nothing(engine: Engine, exports: Exports) -> None:
    key = make_key(engine, units=100)
    task = exports.submit(key, TARGET, "host", 50)
    assert exports.give_up(claimed(exports))
    assert exports.find(key, task.id) is None
    assert units_left(engine, key) == 100
    assert used(engine) == {key: (1, 0)}
    exports.submit(key, TARGET, "host", 50)


def test_a_key_that_is_deleted_takes_its_tasks_along(engine: Engine, exports: Exports) -> None:
    key, other = make_key(engine), make_key(engine)
    exports.submit(key, TARGET, "host", 1)
    kept = exports.submit(other, TARGET, "host", 1)
    task = claimed(exports)
    Keys(engine).delete(str(key))
    assert not exports.renew(task)
    assert not exports.complete(task, "file", 1, 5)
    assert claimed(exports).id == kept.id
    assert other in used(engine)


def test_only_what_was_complete_before_expires(engine: Engine, exports: Exports) -> None:
    tasks = [exports.submit(make_key(engine), TARGET, "host", 1) for _ in range(3)]
    start = time.time()
    assert exports.complete(claimed(exports), "file", 1, 1)
    claimed(exports)
    assert exports.expired(start) == []
    (expired,) = exports.expired(time.time() + 1)
    assert expired.id == tasks[0].id
    exports.remove(expired)
    assert exports.find(expired.key_id, expired.id) is None
    assert exports.expired(time.time() + 1) == []


@pytest.mark.parametrize("target", ["shop.example/\0", "shop.example/'); --", "пример.example/😀"])
def test_a_target_is_kept_whatever_it_has_in_it(
    engine: Engine, exports: Exports, target: str
) -> None:
    key = make_key(engine)
    exports.submit(key, target, "url", 1)
    assert claimed(exports).target == target.replace("\0", "%00")


def test_names_of_workers_differ_and_fit(engine: Engine, exports: Exports) -> None:
    names: set[str] = {worker_name() for _ in range(20)}
    assert len(names) == 20
    exports.submit(make_key(engine), TARGET, "host", 1)
    limit = EXPORTS.c.worker.type
    assert max(map(len, names)) <= getattr(limit, "length", 0)
    assert claimed(exports, max(names, key=len)).worker in names
