"""The usage of keys: requests and units, for each key, day and command."""

import msgspec
from sqlalchemy import Engine, select

from inlink.accounts.database import KEYS, USAGE, AccountsError
from inlink.accounts.keys import checked_day, is_id, is_named, no_such_key


class Usage(msgspec.Struct, frozen=True):
    """One key's usage of one command on one day."""

    key_id: int
    name: str | None
    """None: the key was deleted."""
    day: str
    """In UTC (ISO 8601)."""
    command: str
    requests: int
    units: int


def usage(
    engine: Engine,
    id_or_name: str | None = None,
    first: str | None = None,
    last: str | None = None,
) -> list[Usage]:
    """The usage of all keys, or of one, from the day *first* to the day *last*, both included.

    The order is by key, day, command. A deleted key can be named by its id.

    Raises:
        AccountsError: there is no such key, a day is not valid, or *last* is before *first*.
    """
    days = [checked_day(day) for day in (first, last) if day is not None]
    if days != sorted(days):
        raise AccountsError(f"The first day, {first}, is after the last, {last}.")
    columns = (USAGE.c.key_id, KEYS.c.name, USAGE.c.day, USAGE.c.command)
    statement = (
        select(*columns, USAGE.c.requests, USAGE.c.units)
        .outerjoin_from(USAGE, KEYS, KEYS.c.id == USAGE.c.key_id)
        .order_by(*columns)
    )
    if first is not None:
        statement = statement.where(USAGE.c.day >= first)
    if last is not None:
        statement = statement.where(USAGE.c.day <= last)
    if id_or_name is not None:
        statement = statement.where(USAGE.c.key_id == _key_id(engine, id_or_name))
    with engine.connect() as connection:
        return [Usage(*row) for row in connection.execute(statement)]


def _key_id(engine: Engine, id_or_name: str) -> int:
    """The id of a key that exists, or that was deleted but has usage."""
    with engine.connect() as connection:
        found = connection.scalar(select(KEYS.c.id).where(is_named(id_or_name)))
        if found is None and is_id(id_or_name):
            found = connection.scalar(
                select(USAGE.c.key_id).where(USAGE.c.key_id == int(id_or_name)).limit(1)
            )
    if found is None:
        raise no_such_key(id_or_name)
    return int(found)
