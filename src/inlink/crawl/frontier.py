"""The frontier: what is to be fetched, host by host, and what is known already. On disk, in SQLite.

Each host has a queue, of which at most one task runs, and a time before which it is left alone.
Hosts take turns, the one that has been ready longest first; new ones in the order of their
priority. In a queue robots.txt comes first, then sitemaps, then pages, best first.

Memory does not grow with the number of URLs or hosts: of a URL that is done, 64 bits stay. What one
result changes is one transaction (see `committed`), together with how far the WARC file had been
written, so that a crawl that was killed can go on from both.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Set
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from inlink.crawl.plan_file import PlanEntry
from inlink.crawl.robots import RobotsAnswer
from inlink.urls.canonical import text_id
from inlink.urls.domains import HOSTS_CACHED

CACHE_KIB = 64 << 10
"""What SQLite keeps in memory of the file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS hosts (
    host TEXT PRIMARY KEY, ready_at REAL NOT NULL, busy INT NOT NULL DEFAULT 0,
    queued INT NOT NULL DEFAULT 0, pages INT NOT NULL DEFAULT 0, bytes INT NOT NULL DEFAULT 0,
    failures INT NOT NULL DEFAULT 0, cause TEXT NOT NULL DEFAULT '', latency REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hosts_ready ON hosts (ready_at) WHERE queued > 0 AND busy = 0;
CREATE TABLE IF NOT EXISTS tasks (
    number INTEGER PRIMARY KEY, host TEXT NOT NULL, kind INT NOT NULL, priority REAL NOT NULL,
    task BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS tasks_next ON tasks (host, kind, priority DESC, number);
CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS scope (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS patterns (id INTEGER PRIMARY KEY, pages INT NOT NULL);
CREATE TABLE IF NOT EXISTS robots (
    origin TEXT PRIMARY KEY, until REAL NOT NULL, answer BLOB
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcomes (outcome TEXT PRIMARY KEY, urls INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value INT NOT NULL) WITHOUT ROWID;
"""


class Kind(IntEnum):
    """What a task fetches, in the order in which a host is asked for it."""

    ROBOTS = 0
    SITEMAP = 1
    PAGE = 2


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to fetch."""

    url: str
    kind: Kind = Kind.PAGE
    priority: float = 0.0
    depth: int = 0
    hops: int = 0
    """How many redirects led here."""
    attempts: int = 0
    origin: str = ""
    """Whose rules a robots.txt is: redirects may lead to another host."""
    known: PlanEntry | None = None
    """What a plan says of the last visit."""


class Host(msgspec.Struct, frozen=True):
    """How it stands with a host."""

    host: str
    queued: int
    pages: int
    bytes: int
    failures: int
    """Pages in a row that got no answer."""
    cause: str
    """Of the last failure."""
    latency: float


class Queued(msgspec.Struct, frozen=True):
    """A task, and where it stands in the queue of its host."""

    number: int
    task: Task
    host: Host


def host_of(url: str) -> str:
    """The host of a canonical URL or origin: what is asked for one thing at a time, on any port."""
    end = url.find("/", 8)
    return _host_of_origin(url if end < 0 else url[:end])


@lru_cache(HOSTS_CACHED)
def _host_of_origin(origin: str) -> str:
    return urlsplit(origin).hostname or ""


_encode = msgspec.msgpack.Encoder().encode
_task = msgspec.msgpack.Decoder(Task).decode
_answer = msgspec.msgpack.Decoder(RobotsAnswer).decode


class Frontier:
    """The frontier that lies at *path*, made if need be; one process at a time.

    Attributes:
        queued: how many tasks there are.
        bytes: how many bytes of bodies were fetched.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(
            f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = MEMORY;"
        )
        self._db.executescript(_SCHEMA)
        self._db.execute("UPDATE hosts SET busy = 0 WHERE busy")
        self._count_up()

    def _count_up(self) -> None:
        self.queued, self.bytes = self._db.execute(
            "SELECT coalesce(sum(queued), 0), coalesce(sum(bytes), 0) FROM hosts"
        ).fetchone()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def committed(self) -> Iterator[None]:
        """All that is changed within becomes so at once, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._count_up()
            raise
        self._db.execute("COMMIT")

    # Queues

    def add(self, *tasks: Task) -> None:
        """Put each of *tasks* at its place in the queue of its host."""
        self.queued += len(tasks)
        self._db.executemany(
            "INSERT INTO hosts (host, ready_at, queued) VALUES (?, ?, 1)"
            " ON CONFLICT (host) DO UPDATE SET queued = queued + 1",
            # before any time of a clock: the first turns, best first
            [(host_of(task.url), -task.priority) for task in tasks],
        )
        self._db.executemany(
            "INSERT INTO tasks (host, kind, priority, task) VALUES (?, ?, ?, ?)",
            [(host_of(task.url), task.kind, task.priority, _encode(task)) for task in tasks],
        )

    def next(self, before: float) -> Queued | None:
        """The best task of the host whose turn it is, if it is ready *before* that time."""
        found = self._db.execute(
            "SELECT host FROM hosts WHERE queued > 0 AND busy = 0 AND ready_at <= ?"
            " ORDER BY ready_at LIMIT 1",
            (before,),
        ).fetchone()
        return self._first(found[0]) if found else None

    def _first(self, host: str) -> Queued:
        number, task = self._db.execute(
            "SELECT number, task FROM tasks WHERE host = ?"
            " ORDER BY kind, priority DESC, number LIMIT 1",
            (host,),
        ).fetchone()
        return Queued(number, _task(task), self.host(host))

    def host(self, host: str) -> Host:
        """How it stands with *host*."""
        row = self._db.execute(
            "SELECT host, queued, pages, bytes, failures, cause, latency FROM hosts WHERE host = ?",
            (host,),
        ).fetchone()
        return Host(*row) if row else Host(host, 0, 0, 0, 0, "", 0.0)

    def ready_at(self, host: str) -> float:
        """The time before which *host* is left in peace."""
        return float(
            self._db.execute("SELECT ready_at FROM hosts WHERE host = ?", (host,)).fetchone()[0]
        )

    def find(self, url: str) -> Queued | None:
        """The page task of *url*, if it is still queued."""
        for number, blob in self._db.execute(
            "SELECT number, task FROM tasks WHERE host = ? AND kind = ?", (host_of(url), Kind.PAGE)
        ):
            task = _task(blob)
            if task.url == url:
                return Queued(number, task, self.host(host_of(url)))
        return None

    def begin(self, queued: Queued) -> None:
        """The host of *queued* is busy until `finish`, `retry` or `release`."""
        self._db.execute("UPDATE hosts SET busy = 1 WHERE host = ?", (queued.host.host,))

    def release(self, host: str, ready_at: float) -> None:
        """No task of *host* is running any more; leave the host alone until then."""
        self._db.execute(
            "UPDATE hosts SET busy = 0, ready_at = max(ready_at, ?) WHERE host = ?",
            (ready_at, host),
        )

    def wake(self, host: str, ready_at: float, parked_until: float) -> None:
        """Leave *host* in peace until *ready_at* if it was to be until *parked_until* or longer."""
        self._db.execute(
            "UPDATE hosts SET ready_at = ? WHERE host = ? AND ready_at >= ?",
            (ready_at, host, parked_until),
        )

    def finish(self, queued: Queued) -> None:
        """Take a task that is done out of its queue."""
        self.queued -= 1
        self._db.execute("DELETE FROM tasks WHERE number = ?", (queued.number,))
        self._db.execute("UPDATE hosts SET queued = queued - 1 WHERE host = ?", (queued.host.host,))

    def retry(self, queued: Queued) -> None:
        """Leave a task in its queue, as one that was tried once more."""
        task = msgspec.structs.replace(queued.task, attempts=queued.task.attempts + 1)
        self._db.execute(
            "UPDATE tasks SET task = ? WHERE number = ?", (_encode(task), queued.number)
        )

    def count(
        self, host: str, *, pages: int, size: int, failures: int, cause: str, latency: float
    ) -> None:
        """Add to what *host* has been asked for, and say how it stands with it."""
        self.bytes += size
        self._db.execute(
            "UPDATE hosts SET pages = pages + ?, bytes = bytes + ?, failures = ?, cause = ?,"
            " latency = ? WHERE host = ?",
            (pages, size, failures, cause, latency, host),
        )

    def drop_pages(self, host: str) -> int:
        """Take all pages out of the queue of *host*, and say how many they were."""
        dropped = self._db.execute(
            "DELETE FROM tasks WHERE host = ? AND kind >= ?", (host, Kind.SITEMAP)
        ).rowcount
        self.queued -= dropped
        self._db.execute("UPDATE hosts SET queued = queued - ? WHERE host = ?", (dropped, host))
        return dropped

    # What is known

    def is_new(self, *texts: str) -> bool:
        """Whether none of *texts* was there before; from now on they were."""
        ids = {text_id(text) for text in texts}
        if self.seen(ids):
            return False
        self.note(ids)
        return True

    def seen(self, ids: Set[int]) -> set[int]:
        """Which of *ids*, those of texts, were there before."""
        rows = self._db.execute(
            "SELECT id FROM seen WHERE id IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(ids).decode(),),
        )
        return {number for (number,) in rows}

    def note(self, ids: Set[int]) -> None:
        """From now on *ids*, which are new, were there."""
        self._db.executemany("INSERT INTO seen VALUES (?)", [(number,) for number in ids])

    def widen_scope(self, name: str) -> None:
        """Count a host or domain among those asked for."""
        self._db.execute("INSERT OR IGNORE INTO scope VALUES (?)", (name,))

    def in_scope(self, name: str) -> bool:
        """Whether a host or domain is among those asked for."""
        found = self._db.execute("SELECT 1 FROM scope WHERE name = ?", (name,)).fetchone()
        return found is not None

    def has_room(self, pattern: str, limit: int) -> bool:
        """Whether fewer than *limit* URLs had *pattern*; this one is counted."""
        pages = self._db.execute(
            "INSERT INTO patterns VALUES (?, 1)"
            " ON CONFLICT (id) DO UPDATE SET pages = pages + 1 RETURNING pages",
            (text_id(pattern),),
        ).fetchone()[0]
        return bool(pages <= limit)

    # robots.txt

    def robots(self, origin: str) -> RobotsAnswer | None:
        """What the robots.txt of *origin* said; None if it is to be asked for (again)."""
        row = self._db.execute(
            "SELECT answer FROM robots WHERE origin = ? AND until > ? AND answer IS NOT NULL",
            (origin, time.time()),
        ).fetchone()
        return _answer(row[0]) if row else None

    def is_asking(self, origin: str) -> bool:
        """Whether the robots.txt of *origin* is in a queue, be it that of another host."""
        row = self._db.execute(
            "SELECT 1 FROM robots WHERE origin = ? AND answer IS NULL", (origin,)
        ).fetchone()
        return row is not None

    def ask_robots(self, origin: str) -> None:
        """Put the robots.txt of *origin* before all else of its host."""
        self._db.execute("INSERT OR REPLACE INTO robots VALUES (?, 0, NULL)", (origin,))
        self.add(Task(url=f"{origin}/robots.txt", kind=Kind.ROBOTS, origin=origin))

    def set_robots(self, origin: str, answer: RobotsAnswer, seconds: float) -> None:
        """Remember *answer* for so long."""
        self._db.execute(
            "INSERT OR REPLACE INTO robots VALUES (?, ?, ?)",
            (origin, time.time() + seconds, _encode(answer)),
        )

    # Sums

    def tally(self, outcome: str, urls: int = 1) -> None:
        """Count *urls* that ended so."""
        self._db.execute(
            "INSERT INTO outcomes VALUES (?, ?)"
            " ON CONFLICT (outcome) DO UPDATE SET urls = urls + excluded.urls",
            (outcome, urls),
        )

    def outcomes(self) -> dict[str, int]:
        """How many URLs ended how."""
        return dict(self._db.execute("SELECT outcome, urls FROM outcomes ORDER BY outcome"))

    def mark(self, name: str, value: int) -> None:
        """Keep a number under a name."""
        self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, value))

    def marked(self, name: str) -> int:
        """The number kept under *name*, at first 0."""
        row = self._db.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def waiting_hosts(self) -> int:
        """How many hosts have queued tasks and none that is running."""
        row = self._db.execute(
            "SELECT count(*) FROM hosts WHERE queued > 0 AND busy = 0"
        ).fetchone()
        return int(row[0])
