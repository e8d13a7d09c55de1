"""What the commands of the API answer, counted one by one over the live links.

In: a `History`. Out: the fields of the answers by name, ranks left out (they have tests of their
own). Commands and fields: the specification of the Backlinks API v1.0.
"""

import re
from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from .history import History, Key, State, Stretch
from .urls import host_of


class Row(NamedTuple):
    """A live backlink."""

    key: Key
    link: Stretch
    page: State


def live(history: History) -> list[Row]:
    """All live backlinks."""
    return [
        Row(key, stretch, history.pages[key.source])
        for key, stretches in history.links.items()
        for stretch in stretches
        if stretch.lost_at is None
    ]


def by_target(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Backlinks of every target: (mode, target) to rows.

    The targets are the URLs and hosts that are linked to, and as domains the names above each host.
    """
    targets: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        host = host_of(row.key.target)
        targets["url", row.key.target].append(row)
        targets["host", host].append(row)
        for name in _names_above(host):
            targets["domain", name].append(row)
    return targets


def _names_above(host: str) -> set[str]:
    """The host, less a trailing dot (the same name, RFC 1034, 3.1), and every name above it."""
    if re.fullmatch(r"\[.*\]|[0-9.]+", host):
        return {host}
    labels = host.removesuffix(".").split(".")
    names = {".".join(labels[first:]) for first in range(len(labels))}
    return {name for name in names if not name.startswith("www.")}


def metrics(rows: list[Row]) -> dict[str, int]:
    """``get-metrics`` of a target with these backlinks."""
    hosts = [host_of(row.key.source) for row in rows]
    ips = {row.page.ip for row in rows if row.page.ip}
    nofollow = sum(row.link.nofollow for row in rows)
    return {
        "backlinks": len(rows),
        "refdomains": len(set(hosts)),
        "subnets": len({ip.rpartition(".")[0] for ip in ips}),
        "ips": len(ips),
        "nofollow_backlinks": nofollow,
        "dofollow_backlinks": len(rows) - nofollow,
        "edu_backlinks": sum(host.endswith(".edu") for host in hosts),
        "gov_backlinks": sum(host.endswith(".gov") for host in hosts),
    }


def refdomains(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """``get-refdomains``: what is said of each referring host."""
    by_host: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_host[host_of(row.key.source)].append(row)
    return {
        host: {
            "backlinks": len(own),
            "dofollow_backlinks": sum(not row.link.nofollow for row in own),
            "first_seen": _date(min(row.link.first_seen for row in own)),
        }
        for host, own in by_host.items()
    }


def backlink(row: Row) -> dict[str, Any]:
    """One row of ``get-backlinks`` and ``get-raw-backlinks``."""
    return {
        "url_from": row.key.source,
        "url_to": row.key.target,
        "title": row.page.title,
        "anchor": row.link.anchor,
        "alt": None,
        "nofollow": row.link.nofollow,
        "image": row.link.image,
        "image_source": row.link.image_source,
        "first_seen": _date(row.link.first_seen),
        "last_visited": _date(row.page.last_visited),
    }


def _date(time: datetime) -> str:
    return f"{time:%Y-%m-%d}"
