"""Compare the answers of the API with the backlinks that the demo web really has."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from demo.model import Web

Ask = Callable[[str, dict[str, str]], dict[str, Any]]
"""Sends a command to the API, with parameters."""

Facts = Counter[tuple[object, ...]]
LOST_COLUMNS = ("url_from", "url_to", "link_type", "reason_lost")
LIVE_COLUMNS = ("url_from", "url_to", "nofollow")


def live_links(web: Web) -> Facts:
    """Live backlinks, as the API must report them."""
    return Counter(
        (link.source, link.target, link.nofollow) for link in web.backlinks if link.lost is None
    )


def lost_links(web: Web) -> Facts:
    """Lost backlinks and their reasons, as the API must report them."""
    return Counter(
        (link.source, link.target, link.link_type, link.reason)
        for link in web.backlinks
        if link.lost is not None
    )


def answered_links(ask: Ask, hosts: Iterable[str]) -> tuple[Facts, Facts]:
    """Live and lost backlinks of *hosts*, as the API reports them."""
    live: Facts = Counter()
    lost: Facts = Counter()
    for host in hosts:
        target = {"target": host, "mode": "host"}
        rows = ask("get-raw-backlinks", target)["backlinks"]
        live.update(tuple(row[name] for name in LIVE_COLUMNS) for row in rows)
        went = {**target, "new_lost_type": "lost", "limit": "10000"}
        rows = ask("get-new-lost-backlinks", went)["new_lost_backlinks"]
        lost.update(tuple(row[name] for name in LOST_COLUMNS) for row in rows)
    return live, lost


def differences(ask: Ask, web: Web) -> list[str]:
    """The backlinks that the API reports but do not exist, and those that it does not report."""
    hosts = sorted({urlsplit(link.target).hostname or "" for link in web.backlinks})
    said = answered_links(ask, hosts)
    found = []
    for kind, true, answered in zip(
        ("live", "lost"), (live_links(web), lost_links(web)), said, strict=True
    ):
        found += [f"{kind}, reported but false: {link}" for link in (answered - true).elements()]
        found += [f"{kind}, but not reported: {link}" for link in (true - answered).elements()]
    return found
