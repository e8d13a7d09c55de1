"""``inlink keys``: create API keys and manage them."""

import contextlib
import datetime as dt
import math
import re
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from sqlalchemy import Engine

from inlink.accounts.database import AccountsError, connect
from inlink.accounts.keys import Key, Keys
from inlink.accounts.usage import Usage, usage
from inlink.cli.options import Function, data_option
from inlink.store.configuration import SettingsError, load_settings
from inlink.store.layout import Layout

UNLIMITED = "unlimited"
NEVER = "never"
PERIODS = {"s": 1, "m": 60, "h": 3600}  # seconds


@click.group()
def keys() -> None:
    """Create, limit, list, disable, enable and delete API keys, and show their usage."""


@contextlib.contextmanager
def _database(layout: Layout) -> Iterator[Engine]:
    """The accounts database of *layout*; errors are reported without a traceback."""
    try:
        engine = connect(load_settings(layout.root).accounts_url or layout.accounts)
        try:
            yield engine
        finally:
            engine.dispose()
    except (AccountsError, SettingsError) as error:
        raise click.ClickException(str(error)) from error


@contextlib.contextmanager
def _opened(layout: Layout) -> Iterator[Keys]:
    with _database(layout) as engine:
        yield Keys(engine)


def _limit_options(function: Function) -> Function:
    """Give a command the options that say what a key may do; see `_limits`."""
    for option in (
        click.option(
            "--verify",
            type=click.Choice(["on", "off"]),
            is_flag=False,
            flag_value="on",
            help="Whether the key may request live checks, for which pages are fetched.",
        ),
        click.option("--expires", metavar="DAY", help="Last day, YYYY-MM-DD in UTC, or never."),
        click.option("--burst", type=click.IntRange(min=1), help="Requests that may come at once."),
        click.option("--rate", help="Rate of requests: 10/s, 600/m or 5000/h, or unlimited."),
        click.option("--units", help="Units that the key may spend, or unlimited."),
    ):
        function = option(function)
    return function


def _limits(
    units: str | None,
    rate: str | None,
    burst: int | None,
    expires: str | None,
    verify: str | None,
) -> dict[str, Any]:
    """The limits that were given, as `Keys.create` and `Keys.limit` take them."""
    given: dict[str, Any] = {}
    if units is not None:
        given["units"] = None if units == UNLIMITED else _read_units(units)
    if rate is not None:
        given["rate"] = None if rate == UNLIMITED else _read_rate(rate)
    if burst is not None:
        given["burst"] = burst
    if expires is not None:
        given["expires_on"] = None if expires == NEVER else expires
    if verify is not None:
        given["may_verify"] = verify == "on"
    return given


def _read_units(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise AccountsError(
            f'"{text}" is not a number of units. Valid: a number such as 5000, or {UNLIMITED}.'
        )
    return int(text)


def _read_rate(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,9})/([smh])", text)
    if match is None:
        raise AccountsError(
            f'"{text}" is not a rate. Valid: a rate such as 10/s, 600/m or 5000/h '
            f"(per second, minute or hour), or {UNLIMITED}."
        )
    return int(match[1]) / PERIODS[match[2]]


def _written_rate(rate: float) -> str:
    """The rate per second, minute or hour: the shortest period that gives a whole number."""
    for period, seconds in PERIODS.items():
        count = rate * seconds
        if math.isclose(count, round(count)):
            return f"{round(count)}/{period}"
    return f"{rate:g}/s"


@keys.command()
@data_option
@click.option("--name", required=True, help="Name of the key. No two keys have the same name.")
@_limit_options
def create(
    layout: Layout,
    name: str,
    units: str | None,
    rate: str | None,
    burst: int | None,
    expires: str | None,
    verify: str | None,
) -> None:
    """Create a key and print it. Only a hash is stored, so you cannot see the key again.

    Whatever you do not limit is unlimited.
    """
    with _opened(layout) as stored:
        click.echo(stored.create(name, **_limits(units, rate, burst, expires, verify)))


@keys.command("list")
@data_option
def list_keys(layout: Layout) -> None:
    """List the keys: id, created, state, name, units left, rate, burst, last day, live checks."""
    today = dt.datetime.now(dt.UTC).date()
    with _opened(layout) as stored:
        for key in stored.all():
            click.echo("\t".join(_line(key, today)))


def _line(key: Key, today: dt.date) -> list[str]:
    state = "disabled" if not key.enabled else "enabled" if key.active(today) else "expired"
    return [
        str(key.id),
        key.created_at,
        state,
        key.name,
        UNLIMITED if key.units_left is None else str(key.units_left),
        UNLIMITED if key.rate_limit is None else _written_rate(key.rate_limit),
        UNLIMITED if key.rate_burst is None else str(key.rate_burst),
        key.expires_on or NEVER,
        "verify" if key.may_verify else "no verify",
    ]


@keys.command()
@data_option
@click.argument("key")
@_limit_options
def limit(
    layout: Layout,
    key: str,
    units: str | None,
    rate: str | None,
    burst: int | None,
    expires: str | None,
    verify: str | None,
) -> None:
    """Change the limits of a key. Limits that you do not give stay as they are.

    KEY is its id or name. --units replaces the units that the key has left.
    """
    with _opened(layout) as stored:
        stored.limit(key, **_limits(units, rate, burst, expires, verify))


@keys.command("top-up")
@data_option
@click.argument("key")
@click.argument("units")
def top_up(layout: Layout, key: str, units: str) -> None:
    """Add UNITS to the units that a key may spend. KEY is its id or name."""
    with _opened(layout) as stored:
        stored.top_up(key, _read_units(units))


@keys.command("usage")
@data_option
@click.argument("key", required=False)
@click.option("--from", "first", metavar="DAY", help="First day, YYYY-MM-DD in UTC.")
@click.option("--to", "last", metavar="DAY", help="Last day, YYYY-MM-DD in UTC.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_usage(
    layout: Layout, key: str | None, first: str | None, last: str | None, as_json: bool
) -> None:
    """Show requests and units by key, day and command, and their totals.

    KEY is a key's id or name. Without it, all keys are shown, including deleted ones.
    """
    with _database(layout) as engine:
        rows = usage(engine, key, first, last)
    used = Used(tuple(rows), sum(row.requests for row in rows), sum(row.units for row in rows))
    if as_json:
        click.echo(msgspec.json.encode(used))
    else:
        _print(used)


class Used(msgspec.Struct, frozen=True):
    """What ``inlink keys usage --json`` prints: the rows and their totals."""

    usage: tuple[Usage, ...]
    requests: int
    units: int


def _print(used: Used) -> None:
    for row in used.usage:
        name = row.name or ""
        click.echo(f"{row.key_id}\t{name}\t{row.day}\t{row.command}\t{row.requests}\t{row.units}")
    click.echo(f"total\t\t\t\t{used.requests}\t{used.units}")


@keys.command()
@data_option
@click.argument("key")
def disable(layout: Layout, key: str) -> None:
    """Switch a key off. Running servers refuse it within about a second."""
    with _opened(layout) as stored:
        stored.set_enabled(key, False)


@keys.command()
@data_option
@click.argument("key")
def enable(layout: Layout, key: str) -> None:
    """Switch a key on again."""
    with _opened(layout) as stored:
        stored.set_enabled(key, True)


@keys.command()
@data_option
@click.argument("key")
def delete(layout: Layout, key: str) -> None:
    """Delete a key permanently. Its usage stays on record."""
    with _opened(layout) as stored:
        stored.delete(key)
