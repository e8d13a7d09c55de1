"""API keys: made, listed, disabled, enabled, deleted, and looked up.

Only the SHA-256 of a key is kept. A key is 256 random bits, so nothing can be gained by guessing,
and the slow hash that a password needs would only slow every request down.
"""

import datetime as dt
import hashlib
import secrets
import unicodedata

import msgspec
from sqlalchemy import ColumnElement, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from inlink.accounts.database import KEYS

MAX_NAME = 100


class AccountsError(ValueError):
    """What was asked of the accounts cannot be done; the message says why."""


class Key(msgspec.Struct, frozen=True):
    """One API key, without the key itself, which is not kept."""

    id: int
    name: str
    created_at: str
    enabled: bool


class Keys:
    """The API keys of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, name: str) -> str:
        """Make a key called *name* and return it; this is the only time that it can be seen.

        Raises:
            AccountsError: the name cannot be used or is taken.
        """
        name = _checked_name(name)
        key = secrets.token_hex(32)
        row = {
            "name": name,
            "key_hash": key_hash(key),
            "created_at": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "enabled": True,
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
        with self._engine.connect() as connection:
            row = connection.execute(_SELECT.where(KEYS.c.key_hash == hashed)).first()
        return None if row is None else Key(*row)

    def set_enabled(self, id_or_name: str, enabled: bool) -> None:
        """Enable or disable a key.

        Raises:
            AccountsError: there is no such key.
        """
        statement = update(KEYS).where(_chosen(id_or_name)).values(enabled=enabled)
        with self._engine.begin() as connection:
            _require_one(connection.execute(statement).rowcount, id_or_name)

    def delete(self, id_or_name: str) -> None:
        """Delete a key.

        Raises:
            AccountsError: there is no such key.
        """
        with self._engine.begin() as connection:
            statement = delete(KEYS).where(_chosen(id_or_name))
            _require_one(connection.execute(statement).rowcount, id_or_name)


_SELECT = select(KEYS.c.id, KEYS.c.name, KEYS.c.created_at, KEYS.c.enabled)


def key_hash(key: str) -> str:
    """What is kept of a key: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME:
        raise AccountsError(f"A key's name has 1 to {MAX_NAME} characters.")
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise AccountsError("A key's name has no control characters.")
    if _is_id(name):
        raise AccountsError("A key's name is not a number: numbers are the keys' ids.")
    return name


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _chosen(id_or_name: str) -> ColumnElement[bool]:
    if _is_id(id_or_name) and len(id_or_name) < 19:  # an id fits in 64 bits
        return KEYS.c.id == int(id_or_name)
    return KEYS.c.name == id_or_name.strip()


def _require_one(count: int, id_or_name: str) -> None:
    if count == 0:
        raise AccountsError(f'There is no key with the id or name "{id_or_name}".')
