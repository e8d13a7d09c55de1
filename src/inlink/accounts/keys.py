"""API keys: create, list, limit, top up, disable, enable, delete and look them up.

Only the SHA-256 of a key is stored. A key is 256 random bits, so it cannot be guessed, and the slow
hash that a password needs would only slow down every request.

A key may have a balance of units, a rate of requests, and a last day. If it lacks one of them, it
is unlimited in that respect.
"""

import datetime as dt
import hashlib
import math
import re
import secrets
import unicodedata
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import ColumnElement, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from inlink.accounts.database import KEYS, AccountsError

MAX_NAME = 100
MAX_UNITS = 10**15  # of one key, ever; a JSON number holds it exactly
MIN_RATE, MAX_RATE = 1 / 3600, 1_000_000  # requests a second
MAX_BURST = 1_000_000


class Key(msgspec.Struct, frozen=True):
    """One API key, without the key itself, which is not stored."""

    id: int
    name: str
    created_at: str
    enabled: bool
    units_limit: int | None
    """All units ever given to it since it was last limited; None: unlimited."""
    units_left: int | None
    """Units it could spend when it was looked up; `Keys.units_left` has the current number."""
    rate_limit: float | None
    """Requests a second; None: unlimited."""
    rate_burst: int | None
    """Requests that may come at once; None if, and only if, there is no rate."""
    expires_on: str | None
    """The last day, in UTC, on which it works (ISO 8601); None: it does not expire."""
    may_verify: bool | None
    """Whether it may request live checks, for which pages are fetched; None: no."""

    def active(self, today: dt.date) -> bool:
        """Whether requests may use it on the day *today* (UTC)."""
        return self.enabled and (self.expires_on is None or today.isoformat() <= self.expires_on)


class Keys:
    """The API keys of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        name: str,
        units: int | None = None,
        rate: float | None = None,
        burst: int | None = None,
        expires_on: str | None = None,
        may_verify: bool = False,
    ) -> str:
        """Create a key called *name* and return it; it cannot be seen again.

        *rate* is in requests a second. *burst* is how many requests may come at once; its default
        is the rate of one second, at least one. None: unlimited.

        Raises:
            AccountsError: the name cannot be used or is taken, or a limit is out of range.
        """
        name = _checked_name(name)
        key = secrets.token_hex(32)
        row = {
            "name": name,
            "key_hash": key_hash(key),
            "created_at": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "enabled": True,
            **_balance(units),
            **_rate(rate, burst),
            "expires_on": None if expires_on is None else checked_day(expires_on),
            "may_verify": may_verify,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(KEYS).values(row))
        except IntegrityError as error:
            raise AccountsError(f'There is already a key called "{name}".') from error
        return key

    def all(self) -> list[Key]:
        """Every key, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(_SELECT.order_by(KEYS.c.id))
            return [Key(*row) for row in rows]

    def find(self, hashed: str) -> Key | None:
        """The key whose ``key_hash`` is *hashed*; None if there is none."""
        return self._one(KEYS.c.key_hash == hashed)

    def units_left(self, key_id: int) -> int | None:
        """The units that a key may spend at this moment; None: unlimited. A deleted key has 0."""
        with self._engine.connect() as connection:
            row = connection.execute(select(KEYS.c.units_left).where(KEYS.c.id == key_id)).first()
        return 0 if row is None else row[0]

    def set_enabled(self, id_or_name: str, enabled: bool) -> None:
        """Enable or disable a key.

        Raises:
            AccountsError: there is no such key.
        """
        self._change(id_or_name, {"enabled": enabled})

    def limit(
        self,
        id_or_name: str,
        units: int | UnsetType | None = UNSET,
        rate: float | UnsetType | None = UNSET,
        burst: int | UnsetType = UNSET,
        expires_on: str | UnsetType | None = UNSET,
        may_verify: bool | UnsetType = UNSET,
    ) -> None:
        """Change the limits that are given, as `create` sets them; None removes a limit.

        *units* replaces the units that the key has left. *burst* alone changes the burst of the
        key's rate.

        Raises:
            AccountsError: there is no such key, a limit is out of range, or *burst* has no rate.
        """
        changes: dict[str, Any] = {} if units is UNSET else _balance(units)
        condition = None
        if rate is not UNSET:
            changes |= _rate(rate, None if burst is UNSET else burst) | {"next_request_at": None}
        elif burst is not UNSET:
            changes["rate_burst"] = _checked_burst(burst)
            condition = KEYS.c.rate_limit.is_not(None)
        if expires_on is not UNSET:
            changes["expires_on"] = None if expires_on is None else checked_day(expires_on)
        if may_verify is not UNSET:
            changes["may_verify"] = may_verify
        if not changes:
            raise AccountsError(
                "There is nothing to change. Give units, rate, burst, expires or verify."
            )
        if not self._change(id_or_name, changes, condition):
            raise AccountsError(f'The key "{id_or_name}" has no rate, so it cannot have a burst.')

    def top_up(self, id_or_name: str, units: int) -> None:
        """Add *units* to the units that a key may spend.

        Raises:
            AccountsError: there is no such key, its units are unlimited, or it would have too many.
        """
        if not 1 <= units <= MAX_UNITS:
            raise AccountsError(f"The units to add must be 1 to {MAX_UNITS}.")
        changes = {
            "units_limit": KEYS.c.units_limit + units,
            "units_left": KEYS.c.units_left + units,
        }
        if self._change(id_or_name, changes, KEYS.c.units_limit <= MAX_UNITS - units):
            return
        key = self._one(is_named(id_or_name))
        if key is not None and key.units_limit is None:
            raise AccountsError(
                f'The key "{id_or_name}" has unlimited units, so it cannot be topped up. '
                "Use `inlink keys limit` to give it a balance."
            )
        raise AccountsError(f'The key "{id_or_name}" would have more than {MAX_UNITS} units.')

    def delete(self, id_or_name: str) -> None:
        """Delete a key and everything that depends on it, except its usage.

        Raises:
            AccountsError: there is no such key.
        """
        with self._engine.begin() as connection:
            if connection.execute(delete(KEYS).where(is_named(id_or_name))).rowcount == 0:
                raise no_such_key(id_or_name)

    def _one(self, condition: ColumnElement[bool]) -> Key | None:
        with self._engine.connect() as connection:
            row = connection.execute(_SELECT.where(condition)).first()
        return None if row is None else Key(*row)

    def _change(
        self, id_or_name: str, values: dict[str, Any], condition: ColumnElement[bool] | None = None
    ) -> bool:
        """Change the key if it meets *condition*; returns whether it was changed."""
        statement = update(KEYS).where(is_named(id_or_name)).values(values)
        if condition is not None:
            statement = statement.where(condition)
        with self._engine.begin() as connection:
            changed = connection.execute(statement).rowcount > 0
        if not changed and self._one(is_named(id_or_name)) is None:
            raise no_such_key(id_or_name)
        return changed


_SELECT = select(*(KEYS.c[field] for field in Key.__struct_fields__))


def key_hash(key: str) -> str:
    """The part of a key that is stored: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def no_such_key(id_or_name: str) -> AccountsError:
    """The error for a key that does not exist."""
    return AccountsError(f'There is no key with the id or name "{id_or_name}".')


def checked_day(text: str) -> str:
    """*text*, if it is a day in ISO 8601 (``2026-12-31``).

    Raises:
        AccountsError: it is not.
    """
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise AccountsError(f'"{text}" is not a day. Valid: YYYY-MM-DD, for example 2026-12-31.')


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME:
        raise AccountsError(f"A key's name must have 1 to {MAX_NAME} characters.")
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise AccountsError("A key's name must not have control characters.")
    if name.isascii() and name.isdigit():
        raise AccountsError("A key's name must not be a number, because ids are numbers.")
    return name


def _balance(units: int | None) -> dict[str, Any]:
    """The columns of a balance of *units*."""
    if units is not None and not 0 <= units <= MAX_UNITS:
        raise AccountsError(f"The units of a key must be 0 to {MAX_UNITS}, or unlimited.")
    return {"units_limit": units, "units_left": units}


def _rate(rate: float | None, burst: int | None) -> dict[str, Any]:
    """The columns of a *rate*, in requests a second."""
    if rate is None:
        if burst is not None:
            raise AccountsError("A burst needs a rate. Give both.")
        return {"rate_limit": None, "rate_burst": None}
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AccountsError(
            f"The rate of a key must be 1 an hour to {MAX_RATE} a second, or unlimited."
        )
    burst = max(1, math.ceil(rate)) if burst is None else _checked_burst(burst)
    return {"rate_limit": rate, "rate_burst": burst}


def _checked_burst(burst: int) -> int:
    if not 1 <= burst <= MAX_BURST:
        raise AccountsError(f"The burst of a key must be 1 to {MAX_BURST} requests.")
    return burst


def is_id(id_or_name: str) -> bool:
    """Whether *id_or_name* is an id: a name is never a number, and an id fits in 32 bits."""
    return id_or_name.isascii() and id_or_name.isdigit() and len(id_or_name) < 10


def is_named(id_or_name: str) -> ColumnElement[bool]:
    """The condition on KEYS that selects this key."""
    if is_id(id_or_name):
        return KEYS.c.id == int(id_or_name)
    return KEYS.c.name == id_or_name.strip()
