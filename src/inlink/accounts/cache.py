"""Key checks that do not query the database for every request.

A key that was found is remembered for a second, so a key that is disabled or deleted stops working
within that time. A key in use is looked up again meanwhile, in a thread, so that no request waits
for it. Keys that are not found are not remembered: a new key works at once, and guesses take no
memory. The units left of a remembered key are as old as the key; `Keys.units_left` and the ledger
have the current number.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from inlink.accounts.keys import Key, Keys, key_hash

REMEMBERED = 1.0  # seconds


class _Found(NamedTuple):
    key: Key
    again_at: float
    until: float


class KeyCache:
    """Looks keys up; may be used by several threads."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._found: dict[str, _Found] = {}
        self._background = ThreadPoolExecutor(1, thread_name_prefix="keys")

    def close(self) -> None:
        """Wait for the running look-ups."""
        self._background.shutdown()

    def remembered(self, key: str) -> Key | None:
        """The account of *key* if it was found less than a second ago; without the database."""
        hashed, now = key_hash(key), time.monotonic()
        found = self._found.get(hashed)
        if found is None or now >= found.until:
            return None
        if now >= found.again_at:
            self._found[hashed] = found._replace(again_at=found.until)  # once is enough
            self._background.submit(self._look_up, hashed)
        return found.key

    def find(self, key: str) -> Key | None:
        """The account of *key*, at most a second old; None if the key is unknown."""
        return self.remembered(key) or self._look_up(key_hash(key))

    def _look_up(self, hashed: str) -> Key | None:
        now = time.monotonic()
        found = self._keys.find(hashed)
        if found is None:
            self._found.pop(hashed, None)
        else:
            self._found[hashed] = _Found(found, now + REMEMBERED / 2, now + REMEMBERED)
        return found
