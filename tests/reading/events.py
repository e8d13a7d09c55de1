"""What came and went: the backlinks and referring domains of a target by day.

In: the rows of a target, one for each stretch of time that a backlink was live (`answers`). Out:
what the commands about new and lost links answer. It follows "New and lost" of ``docs/api.md``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from .answers import Ranks, Row, anchor_type, by_host, follow, iso, live_of, refdomain
from .urls import host_of, is_beneath, order_key


class Event(NamedTuple):
    """A backlink that was found, or lost."""

    day: date
    kind: str
    row: Row


class Presence(NamedTuple):
    """A time that a referring host was there, with all stretches of its links in it."""

    host: str
    first: date
    last: date | None
    rows: list[Row]


class Days(NamedTuple):
    """Days, both ends included."""

    first: date
    last: date

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def each(self) -> list[date]:
        """Every one of the days."""
        count = (self.last - self.first).days + 1
        return [self.first + timedelta(days=number) for number in range(count)]


# Backlinks


def selected(rows: Iterable[Row], filters: Mapping[str, str]) -> list[Row]:
    """The rows that the parameters ``link_type``, ``anchor_type`` and so on select."""
    return [row for row in rows if all(_has(row, *each) for each in filters.items())]


def _has(row: Row, name: str, value: str) -> bool:
    if name == "url_from":
        return is_beneath(host_of(row.key.source), value)
    values = {
        "link_type": row.key.link_type,
        "anchor_type": anchor_type(row.link),
        "dofollow": follow(row.link),
    }
    return values[name] == value


def events(rows: Iterable[Row], days: Days, kind: str | None = None) -> list[Event]:
    """New and lost backlinks within the days."""
    told = []
    for row in rows:
        told.append(Event(row.link.found_at.date(), "new", row))
        if row.link.lost_at:
            told.append(Event(row.link.lost_at.date(), "lost", row))
    return [event for event in told if event.day in days and kind in (None, event.kind)]


def new_lost_backlinks(
    rows: Iterable[Row], days: Days, kind: str | None, order: str, ranks: Ranks
) -> list[dict[str, Any]]:
    """``get-new-lost-backlinks``, all rows of it; equals new before lost, then in key order."""

    def place(event: Event) -> tuple[Any, ...]:
        key = event.row.key
        value = (
            event.day.toordinal() if order == "new_lost_date" else ranks.of_source(event.row)[order]
        )
        return (
            -value,
            event.kind == "lost",
            order_key(key.target),
            order_key(key.source),
            key.link_type,
            event.row.link.found_at,
        )

    return [_told(event, ranks) for event in sorted(events(rows, days, kind), key=place)]


def _told(event: Event, ranks: Ranks) -> dict[str, Any]:
    key, link, page = event.row
    return {
        "new_lost_date": iso(event.day),
        "new_lost_type": event.kind,
        "url_from": key.source,
        "url_to": key.target,
        "title": page.title,
        "anchor": link.anchor,
        "alt": "",
        "link_type": key.link_type,
        "nofollow": link.nofollow,
        "image": link.image,
        "image_source": link.image_source or "",
        "reason_lost": link.reason if event.kind == "lost" else "",
        **ranks.of_source(event.row),
        "first_seen": iso(link.first_seen),
    }


def backlinks_count(rows: Iterable[Row], days: Days, kind: str | None) -> list[dict[str, Any]]:
    """``get-new-lost-backlinks-count``: every day."""
    return _by_day([(event.day, event.kind) for event in events(rows, days, kind)], days)


def _by_day(told: list[tuple[date, str]], days: Days) -> list[dict[str, Any]]:
    counts = Counter(told)
    return [
        {"date": iso(day), "new": counts[day, "new"], "lost": counts[day, "lost"]}
        for day in days.each()
    ]


def live_at_end_of(rows: Iterable[Row], day: date) -> list[Row]:
    """The backlinks that were live at the end of a day."""
    return [
        row
        for row in rows
        if row.link.found_at.date() <= day
        and (row.link.lost_at is None or row.link.lost_at.date() > day)
    ]


# Referring domains


def presences(rows: Iterable[Row]) -> list[Presence]:
    """The stretches of a host's links, as closed intervals of days, joined where they share one."""
    told: list[Presence] = []
    for host, own in by_host(rows).items():
        joined: list[Presence] = []
        for row in sorted(own, key=lambda row: row.link.found_at):
            first = row.link.found_at.date()
            last = row.link.lost_at.date() if row.link.lost_at else None
            before = joined[-1] if joined else None
            if before and (before.last is None or first <= before.last):
                end = max(before.last, last) if before.last and last else None
                joined[-1] = before._replace(last=end, rows=[*before.rows, row])
            else:
                joined.append(Presence(host, first, last, [row]))
        told += joined
    return told


def _domain_events(
    rows: Iterable[Row], days: Days, kind: str | None
) -> list[tuple[date, str, Presence]]:
    told = []
    for presence in presences(rows):
        told.append((presence.first, "new", presence))
        if presence.last:
            told.append((presence.last, "lost", presence))
    return [event for event in told if event[0] in days and kind in (None, event[1])]


def new_lost_refdomains(
    rows: Iterable[Row], days: Days, kind: str | None, order: str, ranks: Ranks
) -> list[dict[str, Any]]:
    """``get-new-lost-refdomains``, all rows of it; equals new before lost, then by name."""

    def place(event: tuple[date, str, Presence]) -> tuple[Any, ...]:
        day, what, presence = event
        value = day.toordinal() if order == "new_lost_date" else ranks.host(presence.host)
        return -value, what == "lost", presence.host, day

    own = by_host(rows)
    return [
        {
            "new_lost_date": iso(day),
            "new_lost_type": what,
            "refdomain": presence.host,
            **refdomain(_counted(presence)),
            "first_seen": iso(min(row.link.first_seen for row in own[presence.host])),
            "domain_inlink_rank": ranks.host(presence.host),
        }
        for day, what, presence in sorted(_domain_events(rows, days, kind), key=place)
    ]


def _counted(presence: Presence) -> list[Row]:
    """The backlinks that are counted: those that are live, or each one's last stretch in a past."""
    if presence.last is None:
        return live_of(presence.rows)
    return list({row.key: row for row in presence.rows}.values())


def refdomains_count(rows: Iterable[Row], days: Days, kind: str | None) -> list[dict[str, Any]]:
    """``get-new-lost-refdomains-count``: every day."""
    return _by_day([(day, what) for day, what, _ in _domain_events(rows, days, kind)], days)
