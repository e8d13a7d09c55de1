"""Charges of requests that are read together: exact, and one commit for all, on both databases."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from sqlalchemy import Engine

from inlink.accounts.ledger import Charge, Ledger
from inlink.accounts.turns import Turns
from tests import databases
from tests.test_accounts_ledger import made_key, units_left, used

Result = TypeVar("Result")

in_a_file = pytest.mark.parametrize("location", ["sqlite"], indirect=True)
"""For what PostgreSQL, which locks rows, has no part in."""

location = databases.location
engine = databases.engine
ledger = databases.ledger


def run(ledger: Ledger, work: Callable[[Turns], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        return await work(Turns(ledger))

    return asyncio.run(main())


def together(ledger: Ledger, charges: list[Charge]) -> list[bool]:
    """Charge all of them in one turn."""
    return run(ledger, lambda turns: asyncio.gather(*map(turns.charge, charges)))


@pytest.mark.parametrize("seed", range(3))
def test_of_one_balance_the_first_that_come_are_served(
    engine: Engine, ledger: Ledger, seed: int
) -> None:
    chance = random.Random(seed)
    keys = [made_key(engine, units=100), made_key(engine, units=0), made_key(engine)]
    left: dict[int, float] = {key.id: key.units_left or 0 for key in keys}
    left[keys[2].id] = float("inf")
    requests: Counter[tuple[int, str]] = Counter()
    units: Counter[tuple[int, str]] = Counter()
    for _ in range(20):
        charges = [
            Charge(chance.choice(keys).id, chance.choice(["get-metrics", "get-anchors"]), cost)
            for cost in (chance.randint(0, 9) for _ in range(chance.randint(1, 6)))
        ]
        for charge, granted in zip(charges, together(ledger, charges), strict=True):
            if granted:
                requests[charge.account] += 1
                units[charge.account] += charge.units
                left[charge.key_id] -= charge.units
            else:  # what came after it from another command may have been served before
                assert charge.units > min(left[charge.key_id], 100)
            assert left[charge.key_id] >= 0
    assert used(engine) == {account: (n, units[account]) for account, n in requests.items()}
    assert [units_left(engine, key) for key in keys] == [left[keys[0].id], 0, None]


def test_of_one_command_the_first_that_come_are_served(engine: Engine, ledger: Ledger) -> None:
    key = made_key(engine, units=10)
    costs = [4, 7, 5, 1, 1]
    granted = together(ledger, [Charge(key.id, "get-metrics", cost) for cost in costs])
    assert granted == [True, False, True, True, False]
    assert units_left(engine, key) == 0


@in_a_file
def test_those_of_one_turn_share_a_commit(engine: Engine) -> None:
    keys = [made_key(engine) for _ in range(5)]
    turns: list[int] = []

    class Counting(Ledger):
        def post_at_once(self, charges: Sequence[Charge]) -> list[bool] | None:
            turns.append(len(charges))
            return super().post_at_once(charges)

    with contextlib.closing(Counting(engine)) as ledger:
        granted = together(ledger, [Charge(key.id, "get-metrics", 1) for key in keys])
    assert granted == [True] * 5
    assert turns == [5]
    assert used(engine) == {(key.id, "get-metrics"): (1, 1) for key in keys}


@in_a_file
def test_while_another_writes_the_thread_waits_and_the_loop_goes_on(
    engine: Engine, ledger: Ledger
) -> None:
    key = made_key(engine, units=10)

    async def work(turns: Turns) -> bool:
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE keys SET name = 'other'")
            charge = asyncio.create_task(turns.charge(Charge(key.id, "get-metrics", 3)))
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert not charge.done()
        return await charge

    assert run(ledger, work) is True
    assert units_left(engine, key) == 7


def test_a_client_that_leaves_is_charged_and_the_others_are_answered(
    engine: Engine, ledger: Ledger
) -> None:
    key = made_key(engine, units=10)

    async def work(turns: Turns) -> bool:
        leaves, stays = (
            asyncio.create_task(turns.charge(Charge(key.id, "get-metrics", cost)))
            for cost in (1, 2)
        )
        await asyncio.sleep(0)
        leaves.cancel()
        return await stays

    assert run(ledger, work) is True
    assert units_left(engine, key) == 7


def test_a_charge_that_cannot_be_committed_fails_for_each(engine: Engine, ledger: Ledger) -> None:
    key = made_key(engine, units=10)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE usage")

    async def work(turns: Turns) -> list[bool | BaseException]:
        charges = [turns.charge(Charge(key.id, "get-metrics", 1)) for _ in range(2)]
        return await asyncio.gather(*charges, return_exceptions=True)

    failed = run(ledger, work)
    assert all(isinstance(each, Exception) for each in failed)
    assert len(failed) == 2
    assert units_left(engine, key) == 10
