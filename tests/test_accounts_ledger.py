"""Balances, rates and usage: exact for threads, for processes, and when one of them is killed."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from inlink.accounts.database import KEYS, PACES, USAGE, AccountsError, connect
from inlink.accounts.keys import Key, Keys
from inlink.accounts.ledger import Ledger, post
from inlink.accounts.limits import RateLimits
from inlink.accounts.usage import usage
from tests import databases
from tests.patience import PATIENCE

location = databases.location
engine = databases.engine
ledger = databases.ledger


def made_key(engine: Engine, **limits: Any) -> Key:
    keys = Keys(engine)
    keys.create(f"key {len(keys.all())}", **limits)
    return keys.all()[-1]


def units_left(engine: Engine, key: Key) -> int | None:
    (found,) = [one for one in Keys(engine).all() if one.id == key.id]
    return found.units_left


def used(engine: Engine) -> dict[tuple[int, str], tuple[int, int]]:
    return {(row.key_id, row.command): (row.requests, row.units) for row in usage(engine)}


def posted(engine: Engine, key: Key, units: int) -> bool:
    with engine.begin() as connection:
        return post(connection, key.id, "get-metrics", 1, units)


def test_a_balance_is_spent_to_the_last_unit(engine: Engine) -> None:
    key = made_key(engine, units=70)
    assert [posted(engine, key, 30) for _ in range(3)] == [True, True, False]
    assert posted(engine, key, 11) is False
    assert posted(engine, key, 10) is True
    assert posted(engine, key, 1) is False
    assert posted(engine, key, 0) is True
    assert units_left(engine, key) == 0
    assert used(engine) == {(key.id, "get-metrics"): (4, 70)}


def test_an_unlimited_key_is_never_refused_and_its_usage_is_kept(engine: Engine) -> None:
    key = made_key(engine)
    assert all(posted(engine, key, 10**9) for _ in range(3))
    assert units_left(engine, key) is None
    assert used(engine) == {(key.id, "get-metrics"): (3, 3 * 10**9)}


def test_units_are_given_back(engine: Engine) -> None:
    key = made_key(engine, units=10)
    with engine.begin() as connection:
        assert post(connection, key.id, "download-all-backlinks", 1, 10)
    with engine.begin() as connection:
        assert post(connection, key.id, "download-all-backlinks", 0, -10)
    assert units_left(engine, key) == 10
    assert used(engine) == {(key.id, "download-all-backlinks"): (1, 0)}


def test_a_key_that_is_gone_is_not_charged(engine: Engine) -> None:
    key = made_key(engine)
    Keys(engine).delete(str(key.id))
    assert posted(engine, key, 1) is False
    assert used(engine) == {}


def test_what_is_rolled_back_was_never_taken(engine: Engine) -> None:
    key = made_key(engine, units=10)
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:
        assert post(connection, key.id, "get-metrics", 1, 10)
        raise ZeroDivisionError
    assert units_left(engine, key) == 10
    assert used(engine) == {}


@pytest.mark.parametrize("seed", range(3))
def test_any_course_of_business_agrees_with_sums_in_memory(
    engine: Engine, ledger: Ledger, seed: int
) -> None:
    chance = random.Random(seed)
    keys = Keys(engine)
    accounts = [made_key(engine, units=200), made_key(engine, units=0), made_key(engine)]
    left: dict[int, int | None] = {key.id: key.units_left for key in accounts}
    requests: Counter[tuple[int, str]] = Counter()
    units: Counter[tuple[int, str]] = Counter()
    for _ in range(200):
        key = chance.choice(accounts)
        balance = left[key.id]
        if chance.random() < 0.1:
            if balance is not None:
                keys.top_up(str(key.id), 50)
                left[key.id] = balance + 50
            continue
        command = chance.choice(["get-metrics", "get-backlinks"])
        cost = chance.randrange(40)
        granted = balance is None or balance >= cost
        assert ledger.charge(key.id, command, cost) is granted
        if granted:
            left[key.id] = None if balance is None else balance - cost
            requests[key.id, command] += 1
            units[key.id, command] += cost
    assert {key.id: key.units_left for key in keys.all()} == left
    assert used(engine) == {at: (requests[at], units[at]) for at in requests}


def test_threads_take_no_more_than_there_is(engine: Engine, ledger: Ledger) -> None:
    keys = [made_key(engine, units=200), made_key(engine, units=333)]

    def hammer(number: int) -> Counter[int]:
        chance = random.Random(number)
        taken: Counter[int] = Counter()
        for _ in range(60):
            key, units = chance.choice(keys), chance.randrange(1, 8)
            if ledger.charge(key.id, chance.choice(["get-metrics", "get-anchors"]), units):
                taken[key.id] += units
        return taken

    with ThreadPoolExecutor(16) as pool:
        taken = sum(pool.map(hammer, range(16)), Counter())
    for key in keys:
        assert key.units_left is not None
        left = units_left(engine, key)
        # 480 charges of 4 units on average: each balance is all but spent.
        assert left is not None and 0 <= left < 7
        assert taken[key.id] == key.units_left - left
        assert taken[key.id] == sum(row.units for row in usage(engine, str(key.id)))


def test_a_charge_is_answered_after_its_commit_and_those_that_wait_share_one(
    engine: Engine, ledger: Ledger
) -> None:
    key = made_key(engine, units=8)
    begun, go_on = threading.Event(), threading.Event()
    commits = []

    @event.listens_for(engine, "commit")
    def committing(_connection: Any) -> None:
        commits.append(1)
        begun.set()
        assert go_on.wait(PATIENCE)

    with ThreadPoolExecutor(11) as pool:
        first = pool.submit(ledger.charge, key.id, "get-metrics", 1)
        assert begun.wait(PATIENCE)
        others = [pool.submit(ledger.charge, key.id, "get-metrics", 1) for _ in range(10)]
        while ledger._waiting.qsize() < 10:
            time.sleep(0.001)
        assert not first.done()
        go_on.set()
        answers = [future.result(PATIENCE) for future in (first, *others)]
    assert len(commits) == 2
    assert sorted(answers) == [False] * 3 + [True] * 8
    event.remove(engine, "commit", committing)


def test_a_charge_that_cannot_be_committed_fails_and_takes_nothing(
    engine: Engine, ledger: Ledger
) -> None:
    key = made_key(engine, units=10)
    USAGE.drop(engine)
    for _ in range(2):
        with pytest.raises(SQLAlchemyError):
            ledger.charge(key.id, "get-metrics", 1)
    assert units_left(engine, key) == 10
    USAGE.create(engine)
    assert ledger.charge(key.id, "get-metrics", 1)
    assert used(engine) == {(key.id, "get-metrics"): (1, 1)}


def test_closing_answers_what_waits_and_takes_no_more(engine: Engine) -> None:
    key = made_key(engine)
    ledger = Ledger(engine)
    entered, go_on = threading.Event(), threading.Event()

    @event.listens_for(engine, "commit")
    def committing(_connection: Any) -> None:
        entered.set()
        assert go_on.wait(PATIENCE)

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(ledger.charge, key.id, "get-metrics", 1)
        assert entered.wait(PATIENCE)
        waiting = [pool.submit(ledger.charge, key.id, "get-metrics", 1) for _ in range(5)]
        while ledger._waiting.qsize() < 5:
            time.sleep(0.001)
        closing = pool.submit(ledger.close)
        time.sleep(0.05)
        assert not closing.done()
        go_on.set()
        closing.result(PATIENCE)
        assert used(engine) == {(key.id, "get-metrics"): (6, 6)}
        assert all(future.result(PATIENCE) for future in (first, *waiting))
    event.remove(engine, "commit", committing)
    with pytest.raises(RuntimeError, match="closed"):
        ledger.charge(key.id, "get-metrics", 1)


def test_servers_that_charge_the_same_keys_do_not_block_each_other(
    engine: Engine, location: Path | str
) -> None:
    keys = [made_key(engine) for _ in range(8)]
    engines = [connect(location) for _ in range(2)]
    ledgers = [Ledger(engine) for engine in engines]

    def hammer(number: int) -> None:
        chance = random.Random(number)
        for _ in range(40):
            assert ledgers[number % 2].charge(chance.choice(keys).id, "get-metrics", 1)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(hammer, range(16)))  # PostgreSQL would end a deadlock with an error
    for ledger, one in zip(ledgers, engines, strict=True):
        ledger.close()
        one.dispose()
    assert sum(row.units for row in usage(engine)) == 16 * 40


OPEN = """
import itertools, os, signal, sys, threading, time
from pathlib import Path
from inlink.accounts.database import connect
from inlink.accounts.keys import Keys
from inlink.accounts.ledger import Ledger
from inlink.accounts.limits import RateLimits
engine = connect(sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1]))
"""
THREADS = 4
CHARGE = f"""
ledger = Ledger(engine)
confirmed = itertools.count(1)
def is_first():
    try:
        return open(sys.argv[3], "x")
    except FileExistsError:
        return False
def hammer():
    while ledger.charge(int(sys.argv[2]), "get-metrics", 7):
        os.write(1, b"+")
        if next(confirmed) == 100 and is_first():
            os.kill(os.getpid(), signal.SIGKILL)
for _ in range({THREADS}):
    threading.Thread(target=hammer).start()
"""


def started(script: str, location: Path | str, key: Key, output: Path) -> "subprocess.Popen[bytes]":
    with output.open("wb") as stdout:
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                OPEN + script,
                str(location),
                str(key.id),
                f"{output.parent}/first",
            ],
            stdout=stdout,
        )


def test_processes_spend_a_balance_exactly_though_one_is_killed(
    engine: Engine, location: Path | str, tmp_path: Path
) -> None:
    charges = 1500
    key = made_key(engine, units=7 * charges + 3)
    outputs = [tmp_path / f"confirmed-{number}" for number in range(3)]
    processes = [started(CHARGE, location, key, output) for output in outputs]
    codes = [process.wait(PATIENCE) for process in processes]
    assert sorted(codes) == [-signal.SIGKILL, 0, 0]
    confirmed = [output.stat().st_size for output in outputs]
    ((requests, units),) = used(engine).values()
    assert (requests, units) == (charges, 7 * charges)
    assert units_left(engine, key) == 3
    # What was confirmed was charged. What the killed one may have been charged without a word is
    # at most what its threads were waiting for.
    assert sum(confirmed) <= charges <= sum(confirmed) + THREADS
    assert confirmed[codes.index(-signal.SIGKILL)] < charges / 2  # it was killed in the middle


REQUEST = """
limits = RateLimits(engine)
(key,) = Keys(engine).all()
print(time.time_ns())
for _ in range(15):
    while wait := limits.take(key):
        time.sleep(wait)
print(time.time_ns())
"""


def test_a_rate_holds_over_processes(engine: Engine, location: Path | str, tmp_path: Path) -> None:
    key = made_key(engine, rate=100, burst=20)
    outputs = [tmp_path / f"times-{number}" for number in range(4)]
    processes = [started(REQUEST, location, key, output) for output in outputs]
    assert [process.wait(PATIENCE) for process in processes] == [0] * 4
    times = [int(line) for output in outputs for line in output.read_text().split()]
    seconds = (max(times) - min(times)) / 1e9
    assert 20 + 100 * seconds >= 4 * 15


@pytest.mark.parametrize(
    ("rate", "burst"), [(5, 1), (10, 10), (0.5, 3), (1000, 7)], ids=lambda value: str(value)
)
def test_the_rate_is_that_of_a_token_bucket(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, rate: float, burst: int
) -> None:
    """A bucket of *burst* tokens, a token for each request, filled with *rate* tokens a second."""
    key = made_key(engine, rate=rate, burst=burst)
    limits = RateLimits(engine)
    chance = random.Random(burst)
    now = 1_790_000_000_123_456_789
    monkeypatch.setattr(time, "time_ns", lambda: now)
    tokens, filled_at = Fraction(burst), now
    outcomes = set()
    for _ in range(150):
        tokens = min(Fraction(burst), tokens + Fraction(rate) * (now - filled_at) / 10**9)
        filled_at = now
        wait = limits.take(key)
        outcomes.add(wait == 0)
        if tokens >= 1:
            tokens -= 1
            assert wait == 0
            step = chance.choice([0, 0, 0, int(3e9 / rate)])
        else:
            missing = (1 - tokens) / Fraction(rate) * 10**9
            assert round(wait * 10**9) == missing
            # A nanosecond less than it says is too little; just that is enough.
            step = int(missing) - chance.randrange(2)
        now += step
    assert outcomes == {True, False}


def test_a_key_without_a_rate_does_not_ask_the_database(engine: Engine) -> None:
    key = made_key(engine)
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert RateLimits(engine).take(key) == 0
    assert statements == []


def test_paces_of_things_hold_apart_and_are_forgotten(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits, other = RateLimits(engine), RateLimits(engine)
    now = 1_790_000_000_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: now)
    assert limits.take_pace("host a", 30) == 0
    now += 10**9
    assert other.take_pace("host a", 30) == 29
    assert limits.take_pace("host b", 30) == 0
    waits = [limits.take_pace("key", 30, burst=3) for _ in range(5)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3:] == [30, 30]
    assert limits.take_pace("short", 0.05) == 0
    now += 50_000_000
    assert other.take_pace("short", 0.05) == 0
    now += 50_000_001
    limits.take_pace("host c", 30)
    with engine.connect() as connection:
        kept = connection.scalars(select(PACES.c.subject)).all()
    assert set(kept) == {"host a", "host b", "host c", "key"}


def test_a_request_that_had_to_wait_for_the_database_waits_from_now_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits, other = RateLimits(engine), RateLimits(engine)
    now = 1_790_000_000_000_000_000

    def read_before_the_other_came() -> int:
        monkeypatch.setattr(time, "time_ns", lambda: now + 10**9)
        assert other.take_pace("host", 30) == 0
        return now

    monkeypatch.setattr(time, "time_ns", read_before_the_other_came)
    assert limits.take_pace("host", 30) == 30


def test_another_rate_begins_with_a_full_burst(engine: Engine) -> None:
    key = made_key(engine, rate=1 / 3600, burst=1)
    limits = RateLimits(engine)
    assert limits.take(key) == 0
    assert 3590 < limits.take(key) <= 3600
    Keys(engine).limit(str(key.id), rate=1 / 60, burst=2)
    (key,) = Keys(engine).all()
    assert [limits.take(key) == 0 for _ in range(3)] == [True, True, False]


def record(engine: Engine, *rows: tuple[int, str, str, int, int]) -> None:
    columns = ("key_id", "day", "command", "requests", "units")
    with engine.begin() as connection:
        connection.execute(insert(USAGE), [dict(zip(columns, row, strict=True)) for row in rows])


def test_usage_is_chosen_by_key_and_days(engine: Engine) -> None:
    first, second = made_key(engine), made_key(engine)
    rows = [
        (first.id, "2026-01-30", "get-metrics", 2, 60),
        (first.id, "2026-01-31", "get-backlinks", 1, 7),
        (first.id, "2026-01-31", "get-metrics", 1, 30),
        (second.id, "2026-02-01", "get-metrics", 5, 150),
        (99, "2026-01-31", "get-metrics", 4, 120),
    ]
    record(engine, *reversed(rows))

    def chosen(*options: str | None) -> list[tuple[int, str, str, int, int]]:
        found = usage(engine, *options)
        return [(row.key_id, row.day, row.command, row.requests, row.units) for row in found]

    assert chosen() == rows
    assert chosen(None, "2026-01-31") == rows[1:]
    assert chosen(None, None, "2026-01-31") == [*rows[:3], rows[4]]
    assert chosen(None, "2026-01-31", "2026-01-31") == [*rows[1:3], rows[4]]
    assert chosen(second.name) == chosen(str(second.id)) == rows[3:4]
    assert chosen(second.name, None, "2026-01-31") == []
    assert chosen("99") == rows[4:]
    assert [row.name for row in usage(engine)] == [first.name] * 3 + [second.name, None]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nobody",), 'no key with the id or name "nobody"'),
        (("7",), 'no key with the id or name "7"'),
        ((None, "2026-13-01"), "YYYY-MM-DD"),
        ((None, "20260101"), "YYYY-MM-DD"),
        ((None, None, "yesterday"), "YYYY-MM-DD"),
        ((None, "2026-02-01", "2026-01-31"), "2026-02-01, is after the last, 2026-01-31"),
    ],
)
def test_usage_says_what_is_wrong(
    engine: Engine, options: tuple[str | None, ...], words: str
) -> None:
    with pytest.raises(AccountsError, match=words):
        usage(engine, *options)


def test_usage_outlives_its_key(engine: Engine, ledger: Ledger) -> None:
    key = made_key(engine, units=5)
    ledger.charge(key.id, "get-metrics", 5)
    Keys(engine).delete(key.name)
    (row,) = usage(engine)
    assert (row.key_id, row.name, row.units) == (key.id, None, 5)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(KEYS)) == 0
