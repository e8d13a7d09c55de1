"""What a peer answers, by the statements of ``sql`` on the tables of ``rows``.

In: a target as the numbers of its domain, host and URL, and what is asked. Out: the same rows that
Inlink answers with. A database of its own kind says how it is loaded, how it runs a statement, and
where it keeps its answers in order.
"""

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from bench.peers import sql
from bench.peers.sql import MODES, Order
from inlink.contract.rows import (
    Backlink,
    DayCount,
    Metrics,
    NewLostBacklink,
    NewLostRefdomain,
    Ranks,
    Refdomain,
)
from inlink.contract.vocabulary import Mode
from inlink.index.days import Span

Row = Sequence[Any]
Values = Mapping[str, Any]

_NAMED = re.compile(r":(domain|host|url|first|last|after)\b")


class Database(ABC):
    """A database with the rows of one generation."""

    NAME: ClassVar[str]
    OPEN_DAY: ClassVar[str] = sql.OPEN
    IN_ORDER: ClassVar[str] = "order by id"
    """What makes the rows of a target come in the order of ``id``."""
    DATES_AS_TEXTS: ClassVar[bool] = False
    """Whether rows have texts for dates, which go into JSON as they are."""
    HAS_INDEXES: ClassVar[bool] = True
    """Whether a target's links lie in each order, so that the first of an order are few rows."""

    @classmethod
    @abstractmethod
    def load(cls, rows: Path, place: str) -> None:
        """Make the database at *place* from the Parquet files in *rows*."""

    @classmethod
    @abstractmethod
    def size(cls, place: str) -> int:
        """Bytes on disk."""

    @abstractmethod
    def ask(self, query: str, values: Values) -> Sequence[Row]:
        """The rows of an answer; *query* has values as ``:name``."""

    @abstractmethod
    def batches(self, query: str, values: Values, rows: int) -> Iterator[Sequence[Row]]:
        """The same, *rows* at a time."""

    def __init__(self) -> None:
        self._large = {(int(mode), int(key)) for mode, key in self.ask(sql.LARGE_TARGETS, {})}

    def where(self, mode: Mode) -> str:
        """The condition that selects a target."""
        return f"{MODES[mode]} = :{mode}"

    def metrics(self, mode: Mode, target: Values) -> Metrics:
        """Count the live links."""
        query = sql.kept_metrics(mode) if self._is_large(mode, target) else self._metrics(mode)
        return Metrics(*self.ask(query, target)[0])

    def _metrics(self, mode: Mode) -> str:
        return sql.metrics(self.where(mode))

    def ranks(self, target: Values) -> Ranks:
        """InLink Rank of a URL and its domain."""
        found = self.ask(sql.RANKS, target)
        return Ranks(*found[0]) if found else Ranks(-1, -1)

    def backlinks(
        self, mode: Mode, target: Values, order: Order, limit: int, per_host: int | None
    ) -> list[Backlink]:
        """The first live links."""
        where = self.where(mode)
        if per_host is None:
            return _backlinks(self.ask(sql.backlinks(where, order, limit), target))
        if self.HAS_INDEXES:
            look = 10 * limit
            query = sql.first_per_host(where, order, limit, per_host, look)
            found = self.ask(query, target)
            if len(found) == limit or not found or found[0][-1] < look:
                return _backlinks([row[:-1] for row in found])
        query = sql.all_per_host(where, order, limit, per_host)
        return _backlinks(self.ask(query, target))

    def refdomains(self, mode: Mode, target: Values, order: Order, limit: int) -> list[Refdomain]:
        """The first referring hosts."""
        if self._is_large(mode, target):
            source = sql.kept("refdomains", mode)
        else:
            source = sql.counted_refdomains(self.where(mode))
        return [Refdomain(*row) for row in self.ask(sql.refdomains(source, order, limit), target)]

    def new_lost_backlinks(
        self, mode: Mode, target: Values, span: Span, limit: int
    ) -> list[NewLostBacklink]:
        """The last links that were found or lost."""
        query = sql.new_lost_backlinks(self.where(mode), limit)
        found = self.ask(query, {**target, **span._asdict()})
        return [NewLostBacklink(*_with_truth(row, 8)) for row in found]

    def new_lost_backlinks_count(self, mode: Mode, target: Values, span: Span) -> list[DayCount]:
        """How many, by day."""
        query = sql.new_lost_backlinks_count(self.where(mode))
        return _by_day(span, self.ask(query, {**target, **span._asdict()}))

    def new_lost_refdomains(
        self, mode: Mode, target: Values, span: Span, limit: int
    ) -> list[NewLostRefdomain]:
        """The last hosts that came or went."""
        query = sql.new_lost_refdomains(self._events(mode, target), limit)
        return [NewLostRefdomain(*row) for row in self.ask(query, {**target, **span._asdict()})]

    def new_lost_refdomains_count(self, mode: Mode, target: Values, span: Span) -> list[DayCount]:
        """How many, by day."""
        query = sql.new_lost_refdomains_count(self._events(mode, target))
        return _by_day(span, self.ask(query, {**target, **span._asdict()}))

    def page(
        self, mode: Mode, target: Values, after: int, limit: int
    ) -> tuple[list[Backlink], int | None]:
        """A page of all live links, and the ``id`` after which the next one begins."""
        query = sql.page(self.where(mode), self.IN_ORDER, limit)
        found = self.ask(query, {**target, "after": after})
        rows = _backlinks([row[1:] for row in found])
        return rows, int(found[-1][0]) if len(found) == limit else None

    def live(self, mode: Mode, target: Values, rows: int) -> Iterator[list[Backlink]]:
        """All live links, *rows* at a time; with dates, as the writer of exports takes them."""
        query = sql.live(self.where(mode), self.IN_ORDER)
        for batch in map(_backlinks, self.batches(query, target, rows)):
            yield list(map(_with_dates, batch)) if self.DATES_AS_TEXTS else batch

    def _is_large(self, mode: Mode, target: Values) -> bool:
        return (list(MODES).index(mode), target[mode]) in self._large

    def _events(self, mode: Mode, target: Values) -> str:
        if self._is_large(mode, target):
            return sql.kept("events", mode)
        return sql.counted_events(self.where(mode), self.OPEN_DAY)


@lru_cache(1024)
def named(query: str, form: str) -> tuple[str, tuple[str, ...]]:
    """*query* with its values written as *form* has it, and the names of them that occur."""
    names = tuple(dict.fromkeys(_NAMED.findall(query)))
    return _NAMED.sub(lambda match: form.format(match[1]), query), names


_date = cache(dt.date.fromisoformat)


def _with_dates(row: Backlink) -> Backlink:
    """*row* with dates in the place of texts."""
    first_seen, last_visited = _date(str(row.first_seen)), _date(str(row.last_visited))
    return msgspec.structs.replace(row, first_seen=first_seen, last_visited=last_visited)


def _backlinks(rows: Sequence[Row]) -> list[Backlink]:
    return [Backlink(*_with_truth(row, 5)) for row in rows]


def _with_truth(row: Row, place: int) -> Row:
    """*row* with ``nofollow`` and ``image``, from *place* on, as such: SQLite has 0 and 1."""
    return (*row[:place], bool(row[place]), bool(row[place + 1]), *row[place + 2 :])


def _by_day(span: Span, rows: Sequence[Row]) -> list[DayCount]:
    """Every day of *span*, zeros included."""
    counts = {(str(day), kind): count for day, kind, count in rows}
    days = map(dt.date.fromordinal, range(span.first.toordinal(), span.last.toordinal() + 1))
    return [
        DayCount(day, counts.get((str(day), "new"), 0), counts.get((str(day), "lost"), 0))
        for day in days
    ]
