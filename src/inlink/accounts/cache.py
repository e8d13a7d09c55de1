"""Key checks that do not ask the database at every request.

A key that was found is remembered for a second, so a key that is disabled or deleted stops working
within that time. Keys that are not found are not remembered: a new key works at once, and guesses
take no memory. The units left that it tells are as old; only the ledger decides whether they
suffice.
"""

import time

from inlink.accounts.keys import Key, Keys, key_hash

REMEMBERED = 1.0  # seconds


class KeyCache:
    """Looks keys up; may be used by several threads."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._found: dict[str, tuple[float, Key]] = {}

    def find(self, key: str) -> Key | None:
        """The account of *key*, at most a second old; None if the key is unknown."""
        hashed = key_hash(key)
        now = time.monotonic()
        remembered = self._found.get(hashed)
        if remembered is not None and now < remembered[0]:
            return remembered[1]
        found = self._keys.find(hashed)
        if found is None:
            self._found.pop(hashed, None)
        else:
            self._found[hashed] = (now + REMEMBERED, found)
        return found
