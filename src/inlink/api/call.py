"""A request that is being answered: what the functions of commands are given.

In: a valid request. Out: nothing; plain data, and what both kinds of commands share.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Generic, TypeVar

from msgspec import Struct

from inlink.accounts.keys import Key, Keys
from inlink.accounts.limits import RateLimits
from inlink.api.checks import Checks
from inlink.api.cursor import Cursors
from inlink.exports.queue import Exports
from inlink.index.reader import Reader
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.urls.targets import Target

Request = TypeVar("Request", bound=Struct)


@dataclass(frozen=True, slots=True)
class Resources:
    """What all requests of a server process share."""

    cursors: Cursors
    keys: Keys
    exports: Exports
    settings: Settings
    layout: Layout
    limits: RateLimits
    checks: Checks


@dataclass(frozen=True, slots=True)
class AccountCall(Generic[Request]):
    """A request that asks about the key itself or its tasks."""

    request: Request
    key: Key
    resources: Resources
    price: int
    """Units of a row of the answer, or of the request."""
    base_url: str
    """Scheme, host and port that the client reached the server at, without a slash at the end."""


@dataclass(frozen=True, slots=True)
class Call(AccountCall[Request]):
    """A request that asks the index."""

    texts: list[str]
    """The targets as they were sent."""
    targets: list[Target]
    """Of a command about one link: the page that links, and the URL that it links to."""
    reader: Reader

    @property
    def target(self) -> Target:
        """The target of a command that takes one."""
        return self.targets[0]

    def is_huge(self) -> bool:
        """Whether one of the targets has too many backlinks to be listed."""
        huge = self.resources.settings.huge_target
        if huge is None:
            return False
        return any(self.reader.metrics(target).backlinks >= huge for target in self.targets)


def today() -> dt.date:
    """The day it is, in UTC, as all days of the API are."""
    return dt.datetime.now(dt.UTC).date()
