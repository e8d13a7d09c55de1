"""For tests of the server: generations made from a few rows, and real server processes."""

import contextlib
import datetime as dt
import http.client
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from inlink.accounts.database import connect
from inlink.accounts.keys import Keys
from inlink.index.writer import write_segments
from inlink.store import tables
from inlink.store.configuration import Settings, load_settings
from inlink.store.layout import Layout, write_atomically
from inlink.urls.canonical import text_id
from inlink.urls.describe import describe
from tests.patience import PATIENCE

INLINK = Path(sys.executable).with_name("inlink")
PREFIX = "/backlinks/v1.0"


@dataclass(frozen=True)
class Row:
    """One stretch of a backlink, live unless it has a day in *lost*, and its page."""

    source: str
    target: str
    first_seen: str = "2026-01-01"
    last_visited: str = "2026-01-01"
    title: str = ""
    anchor: str = ""
    nofollow: bool = False
    image: bool = False
    image_source: str | None = None
    link_type: str = "href"
    ip: str | None = None
    found: str | None = None
    lost: str | None = None
    reason_lost: str = "link_removed"


Past = Mapping[str, Iterable[tuple[str, int]]]
"""Ranks until a day, by URL or by domain."""


def write_generation(
    data: Path,
    number: int,
    rows: Iterable[Row],
    inlink_ranks: Mapping[str, int] | None = None,
    domain_ranks: Mapping[str, int] | None = None,
    *,
    past_ranks: Past | None = None,
    past_domain_ranks: Past | None = None,
    rank_days: Iterable[str] = (),
) -> None:
    """Write generation *number*, with ranks by URL and by domain; ``CURRENT`` stays as it is."""
    rows = list(rows)
    ranks = dict(inlink_ranks or {})
    past = {url: list(values) for url, values in (past_ranks or {}).items()}
    directory = Layout(data).generation(number)
    made = directory / "tables"
    made.mkdir(parents=True)
    urls = {url for row in rows for url in (row.source, row.target)} | {*ranks, *past}
    contents: dict[str, tuple[list[dict[str, Any]], pa.Schema]] = {
        "urls": ([describe(url)._asdict() for url in sorted(urls)], tables.URLS),
        "pages": ([_page(row) for row in {row.source: row for row in rows}.values()], tables.PAGES),
        "links": ([_link(row) for row in rows], tables.BACKLINKS),
        "redirects": ([], tables.REDIRECTS),
        "graph": ([], tables.GRAPH),
        "referrals": ([], tables.REFERRALS),
        "places": ([], tables.PLACES),
        "ranks": (
            [
                {"url_id": text_id(url), "pagerank": 0.0, "inlink_rank": rank}
                for url, rank in ranks.items()
            ],
            tables.RANKS,
        ),
        "domain_ranks": (
            [
                {"domain_id": text_id(domain), "pagerank": 0.0, "domain_inlink_rank": rank}
                for domain, rank in (domain_ranks or {}).items()
            ],
            tables.DOMAIN_RANKS,
        ),
        "past_ranks": (
            [
                {"url_id": text_id(url), "until": dt.date.fromisoformat(day), "inlink_rank": rank}
                for url, values in past.items()
                for day, rank in values
            ],
            tables.PAST_RANKS,
        ),
        "past_domain_ranks": (
            [
                {
                    "domain_id": text_id(domain),
                    "until": dt.date.fromisoformat(day),
                    "domain_inlink_rank": rank,
                }
                for domain, values in (past_domain_ranks or {}).items()
                for day, rank in values
            ],
            tables.PAST_DOMAIN_RANKS,
        ),
        "rank_days": (
            [{"day": dt.date.fromisoformat(day)} for day in rank_days],
            tables.RANK_DAYS,
        ),
    }
    for name, (content, schema) in contents.items():
        pq.write_table(pa.Table.from_pylist(content, schema=schema), made / f"{name}.parquet")
    write_segments(made, directory / "segments", Settings(), lambda *_: None)
    (directory / "generation.json").write_text("{}")


def make_current(data: Path, number: int) -> None:
    write_atomically(Layout(data).current, f"{number}\n".encode())


def _time(date: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{date}T12:00:00+00:00")


def _page(row: Row) -> dict[str, Any]:
    page = describe(row.source)
    return {
        "url_id": page.url_id,
        "domain_id": page.domain_id,
        "visited_at": _time(row.last_visited),
        "visit_id": page.url_id,
        "outcome": "redirect" if row.link_type == "redirect" else "ok",
        "failures": 0,
        "content_visit_id": page.url_id,
        "title": row.title,
        "ip": row.ip,
    }


def _link(row: Row) -> dict[str, Any]:
    return {
        "source_id": text_id(row.source),
        "target_id": text_id(row.target),
        "link_type": row.link_type,
        "found_at": _time(row.found or row.first_seen),
        "lost_at": _time(row.lost) if row.lost else None,
        "reason_lost": row.reason_lost if row.lost else None,
        "first_seen": _time(row.first_seen),
        "element": "location" if row.link_type == "redirect" else "a",
        "anchor": row.anchor,
        "nofollow": row.nofollow,
        "image": row.image,
        "image_source": row.image_source,
    }


@contextlib.contextmanager
def stored_keys(data: Path) -> Iterator[Keys]:
    """The API keys of a data directory."""
    engine = connect(load_settings(data).accounts_url or Layout(data).accounts)
    try:
        yield Keys(engine)
    finally:
        engine.dispose()


@dataclass(frozen=True)
class Server:
    """A running ``inlink serve`` and a key for it."""

    process: "subprocess.Popen[str]"
    data: Path
    port: int
    key: str
    client: httpx.Client
    log: Path

    def get(self, command: str, /, **parameters: Any) -> httpx.Response:
        """GET *command* with the key."""
        return self.client.get(
            f"{PREFIX}/{command}", params={"apikey": self.key, "output": "json"} | parameters
        )

    def post(self, command: str, body: Any, /, **parameters: Any) -> httpx.Response:
        """POST *body*, as JSON unless it is bytes, to *command*, with the key in the query."""
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(
            f"{PREFIX}/{command}", params={"apikey": self.key} | parameters, **sent
        )

    def raw(self, query: str, command: str = "get-metrics") -> tuple[int, bytes]:
        """GET with a query string that is sent exactly as it is; KEY in it is the key."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            path = f"{PREFIX}/{command}?{query.replace('KEY', self.key)}"
            connection._validate_path = lambda _path: None  # type: ignore[attr-defined]
            connection._encode_request = lambda request: request.encode()  # type: ignore[attr-defined]
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()


@contextlib.contextmanager
def serving(data: Path, *options: str) -> Iterator[Server]:
    """Make a key, run ``inlink serve`` on a free port until the block ends, then stop it."""
    with stored_keys(data) as keys:
        key = keys.create("test")
    log = data / "serve.log"
    command = [str(INLINK), "serve", "--data", str(data), "--port", "0", *options]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Serving at http://127.0.0.1:"), log.read_text()
            port = int(line.rsplit(":", 1)[1].split("/")[0])
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
                yield Server(process, data, port, key, client, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
