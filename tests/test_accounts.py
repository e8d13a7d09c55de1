"""API keys: kept as hashes only, found, switched off and on, by the library and by the command."""

import datetime as dt
import hashlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, create_engine, inspect, text

from inlink.accounts.cache import REMEMBERED, KeyCache
from inlink.accounts.database import EXPORTS, AccountsError, connect
from inlink.accounts.keys import Keys, key_hash
from inlink.accounts.ledger import Ledger
from inlink.accounts.limits import RateLimits
from inlink.cli import main
from tests import databases
from tests.patience import PATIENCE
from tests.serving import INLINK

location = databases.location
engine = databases.engine


@pytest.fixture
def keys(engine: Engine) -> Keys:
    return Keys(engine)


def test_a_key_has_256_bits_and_no_two_are_alike(keys: Keys) -> None:
    made = {keys.create(f"key {number}") for number in range(50)}
    assert len(made) == 50
    assert all(len(bytes.fromhex(key)) == 32 for key in made)


def test_a_key_that_was_made_is_found(keys: Keys) -> None:
    key = keys.create("client")
    found = keys.find(hashlib.sha256(key.encode()).hexdigest())
    assert found is not None
    assert (found.name, found.enabled) == ("client", True)
    assert keys.find(key_hash(key + "0")) is None


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    return tmp_path / "accounts.sqlite"


def test_the_key_itself_is_nowhere_on_disk(sqlite_file: Path) -> None:
    engine = connect(sqlite_file)
    key = Keys(engine).create("client")
    engine.dispose()
    content = b"".join(path.read_bytes() for path in sqlite_file.parent.iterdir())
    assert hashlib.sha256(key.encode()).hexdigest().encode() in content
    assert key.encode() not in content
    assert bytes.fromhex(key) not in content


def test_sqlite_writes_ahead_and_heeds_foreign_keys(sqlite_file: Path) -> None:
    engine = connect(sqlite_file)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1  # NORMAL
    engine.dispose()
    other = sqlite3.connect(sqlite_file)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def test_names_are_unique(keys: Keys) -> None:
    keys.create("client")
    with pytest.raises(AccountsError, match='already a key called "client"'):
        keys.create(" client ")


@pytest.mark.parametrize("name", ["", "  ", "7", "a\nb", "a\x00b", "n" * 101])
def test_names_that_cannot_be_told_apart_in_a_list_are_refused(keys: Keys, name: str) -> None:
    with pytest.raises(AccountsError):
        keys.create(name)
    assert keys.all() == []


@pytest.mark.parametrize("by", ["id", "name"])
def test_disable_enable_delete(keys: Keys, by: str) -> None:
    keys.create("other")
    key = keys.create("client")
    chosen = str(keys.all()[1].id) if by == "id" else "client"
    for enabled in (False, False, True):
        keys.set_enabled(chosen, enabled)
        assert [(key.name, key.enabled) for key in keys.all()] == [
            ("other", True),
            ("client", enabled),
        ]
    keys.delete(chosen)
    assert [key.name for key in keys.all()] == ["other"]
    assert keys.find(key_hash(key)) is None


def test_what_is_not_there_cannot_be_changed(keys: Keys) -> None:
    for chosen in ("nobody", "1", "9" * 30):
        with pytest.raises(AccountsError, match="no key"):
            keys.set_enabled(chosen, False)
        with pytest.raises(AccountsError, match="no key"):
            keys.delete(chosen)


def test_the_id_of_a_deleted_key_is_not_given_out_again(keys: Keys) -> None:
    keys.create("first")
    (first,) = keys.all()
    keys.delete("first")
    keys.create("second")
    assert keys.all()[0].id != first.id


OPEN = """
import sys
from pathlib import Path
from inlink.accounts.database import connect
from inlink.accounts.keys import Keys
print("ready", flush=True)
sys.stdin.read()
engine = connect(sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1]))
Keys(engine).create(sys.argv[2])
"""


def open_from_many_processes(location: Path | str) -> set[str]:
    """Let processes open a database at the same moment; the names of the keys they make."""
    names = {f"from process {number}" for number in range(4)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(location), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in names
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.read(6) == b"ready\n"
        process.stdout.close()
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(PATIENCE) for process in processes] == [0] * len(names)
    return names


def test_many_processes_can_make_a_database_at_once(location: Path | str) -> None:
    names = open_from_many_processes(location)
    engine = connect(location)
    assert {key.name for key in Keys(engine).all()} == names
    engine.dispose()


VERSION_0_1 = {
    "sqlite": """CREATE TABLE keys (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR(100) NOT NULL,
        key_hash VARCHAR(64) NOT NULL, created_at VARCHAR(20) NOT NULL, enabled BOOLEAN NOT NULL,
        UNIQUE (name), UNIQUE (key_hash))""",
    "postgresql": """CREATE TABLE keys (
        id SERIAL NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL,
        key_hash VARCHAR(64) NOT NULL, created_at VARCHAR(20) NOT NULL, enabled BOOLEAN NOT NULL,
        UNIQUE (name), UNIQUE (key_hash))""",
}
"""What the first version made."""


def test_a_database_of_the_first_version_is_brought_up_to_date(location: Path | str) -> None:
    if isinstance(location, Path):
        location.parent.mkdir()
        former = create_engine(f"sqlite:///{location}")
    else:
        former = create_engine(location.replace("postgresql", "postgresql+psycopg"))
    with former.begin() as connection:
        connection.execute(text(VERSION_0_1[former.dialect.name]))
        values = f"'client', '{key_hash('secret')}', '2026-01-01T00:00:00Z', true"
        columns = "name, key_hash, created_at, enabled"
        connection.execute(text(f"INSERT INTO keys ({columns}) VALUES ({values})"))
    former.dispose()
    names = open_from_many_processes(location)
    engine = connect(location)
    key = Keys(engine).find(key_hash("secret"))
    assert key is not None and key.active(dt.date(2026, 1, 1))
    assert (key.name, key.units_left, key.rate_limit, key.expires_on) == ("client", *[None] * 3)
    assert RateLimits(engine).take(key) == 0
    ledger = Ledger(engine)
    assert ledger.charge(key.id, "get-metrics", 1)
    ledger.close()
    assert {key.name for key in Keys(engine).all()} == names | {"client"}
    (index,) = inspect(engine).get_indexes(EXPORTS.name)
    assert (index["name"], index["unique"]) == ("one_task_at_a_time", True)
    engine.dispose()


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("accounts.sqlite", "not a database URL"),
        ("mysql://host/name", "cannot be mysql://host/name"),
        ("postgresql+asyncpg://host/name", r"cannot be postgresql\+asyncpg"),
        ("sqlite://", "sqlite:////path"),
        ("sqlite:///:memory:", "sqlite:////path"),
        ("postgresql://me:secret@/name?host=/nowhere", "cannot be opened: .*No such file"),
        ("postgresql://me:secret@localhost:nothing/name", "not a database URL"),
    ],
)
def test_a_url_that_cannot_be_used_says_what_would_be_right(location: str, words: str) -> None:
    with pytest.raises(AccountsError, match=words) as raised:
        connect(location)
    assert "secret" not in str(raised.value)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    no_database = tmp_path / "accounts.sqlite"
    no_database.write_bytes(b"no database at all" * 1000)
    for path in (no_database, no_database / "accounts.sqlite", tmp_path):
        with pytest.raises(AccountsError, match=f"{path} cannot be opened: "):
            connect(path)


def test_a_url_may_name_an_sqlite_file(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path}/there/accounts.sqlite")
    Keys(engine).create("client")
    engine.dispose()
    assert (tmp_path / "there" / "accounts.sqlite").exists()


def test_a_key_has_what_it_was_given(keys: Keys) -> None:
    keys.create("all", units=5000, rate=0.5, burst=7, expires_on="2026-12-31")
    keys.create("some", units=0, rate=2.5)
    keys.create("nothing")
    limits = [
        (key.units_limit, key.units_left, key.rate_limit, key.rate_burst, key.expires_on)
        for key in keys.all()
    ]
    assert limits == [
        (5000, 5000, 0.5, 7, "2026-12-31"),
        (0, 0, 2.5, 3, None),
        (None, None, None, None, None),
    ]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"units": -1}, "units of a key must be 0 to"),
        ({"units": 10**15 + 1}, "units of a key must be 0 to"),
        ({"rate": 0.0}, "rate of a key must be"),
        ({"rate": float("nan")}, "rate of a key must be"),
        ({"rate": float("inf")}, "rate of a key must be"),
        ({"rate": 1.0, "burst": 0}, "burst of a key must be"),
        ({"rate": 1.0, "burst": 10**7}, "burst of a key must be"),
        ({"expires_on": "tomorrow"}, '"tomorrow" is not a day. Valid: YYYY-MM-DD'),
        ({"expires_on": "2026-02-30"}, "not a day"),
        ({"expires_on": "2026-W01-1"}, "not a day"),
    ],
)
def test_limits_out_of_range_are_refused(keys: Keys, limits: dict[str, Any], words: str) -> None:
    with pytest.raises(AccountsError, match=words):
        keys.create("client", **limits)
    keys.create("client", units=1)
    before = keys.all()
    with pytest.raises(AccountsError, match=words):
        keys.limit("client", **limits)
    assert keys.all() == before


def test_a_burst_needs_a_rate(keys: Keys) -> None:
    with pytest.raises(AccountsError, match="Give both"):
        keys.create("client", burst=5)
    keys.create("client")
    with pytest.raises(AccountsError, match="no rate"):
        keys.limit("client", burst=5)
    with pytest.raises(AccountsError, match="Give both"):
        keys.limit("client", rate=None, burst=5)
    with pytest.raises(AccountsError, match="no key"):
        keys.limit("nobody", burst=5)


def test_limits_are_set_and_lifted(keys: Keys) -> None:
    keys.create("other", units=1, rate=1, expires_on="2026-01-01")
    keys.create("client")
    (other, before) = keys.all()

    def limited(**limits: Any) -> tuple[Any, ...]:
        keys.limit("client", **limits)
        unchanged, key = keys.all()
        assert unchanged == other
        assert (key.id, key.name, key.enabled) == (before.id, before.name, before.enabled)
        return (key.units_limit, key.units_left, key.rate_limit, key.rate_burst, key.expires_on)

    assert limited(units=9) == (9, 9, None, None, None)
    keys.top_up("client", 1)
    assert limited(rate=4) == (10, 10, 4, 4, None)
    assert limited(burst=6) == (10, 10, 4, 6, None)
    assert limited(rate=3, burst=1) == (10, 10, 3, 1, None)
    assert limited(rate=2) == (10, 10, 2, 2, None)
    assert limited(expires_on="2026-12-31") == (10, 10, 2, 2, "2026-12-31")
    assert limited(units=3, rate=None) == (3, 3, None, None, "2026-12-31")
    assert limited(units=None, expires_on=None) == (None, None, None, None, None)
    with pytest.raises(AccountsError, match="nothing to change"):
        keys.limit("client")


def test_a_balance_is_topped_up(keys: Keys, engine: Engine) -> None:
    keys.create("client", units=100)
    ledger = Ledger(engine)
    assert ledger.charge(1, "get-metrics", 30)
    ledger.close()
    keys.top_up("1", 50)
    (key,) = keys.all()
    assert (key.units_limit, key.units_left) == (150, 120)
    for units in (0, -5, 10**15 + 1):
        with pytest.raises(AccountsError, match="units to add must be 1 to"):
            keys.top_up("client", units)
    with pytest.raises(AccountsError, match="more than 1000000000000000 units"):
        keys.top_up("client", 10**15 - 149)
    with pytest.raises(AccountsError, match="no key"):
        keys.top_up("nobody", 5)
    assert keys.all() == [key]


def test_an_unlimited_key_is_not_topped_up(keys: Keys) -> None:
    keys.create("client")
    with pytest.raises(AccountsError, match=r"unlimited units.*`inlink keys limit`"):
        keys.top_up("client", 5)
    assert keys.all()[0].units_left is None


def test_a_key_works_through_its_last_day(keys: Keys) -> None:
    keys.create("client", expires_on="2026-12-31")
    (key,) = keys.all()
    days = [
        dt.date(2026, 1, 1),
        dt.date(2026, 12, 31),
        dt.date(2027, 1, 1),
        dt.date(10000 - 1, 1, 1),
    ]
    assert [key.active(day) for day in days] == [True, True, False, False]
    keys.set_enabled("client", False)
    assert not keys.all()[0].active(days[0])


def test_a_remembered_key_is_forgotten_within_a_second(keys: Keys) -> None:
    cache = KeyCache(keys)
    assert cache.find("unknown") is None
    key = keys.create("client")
    found = cache.find(key)
    assert found is not None and found.enabled
    keys.set_enabled("client", False)
    time.sleep(REMEMBERED + 0.05)
    found = cache.find(key)
    assert found is not None and not found.enabled
    keys.delete("client")
    time.sleep(REMEMBERED + 0.05)
    assert cache.find(key) is None


def invoke(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments, "--data", str(data)])


def test_create_prints_the_key_alone_on_stdout(tmp_path: Path) -> None:
    done = subprocess.run(
        [INLINK, "keys", "create", "--name", "client", "--data", tmp_path / "new"],
        capture_output=True,
        text=True,
        check=True,
    )
    key = done.stdout.removesuffix("\n")
    assert len(bytes.fromhex(key)) == 32
    assert done.stderr == ""
    assert key not in invoke(tmp_path / "new", "list").stdout


def listed(data: Path) -> list[list[str]]:
    return [line.split("\t") for line in invoke(data, "list").stdout.splitlines()]


def test_the_command_line_lists_and_switches(tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert invoke(tmp_path, "create", "--name", name).exit_code == 0
    assert invoke(tmp_path, "disable", "first").exit_code == 0
    assert [(line[0], line[2], line[3]) for line in listed(tmp_path)] == [
        ("1", "disabled", "first"),
        ("2", "enabled", "second"),
    ]
    assert invoke(tmp_path, "enable", "1").exit_code == 0
    assert invoke(tmp_path, "delete", "second").exit_code == 0
    (line,) = listed(tmp_path)
    assert line[2:4] == ["enabled", "first"]


def test_the_command_line_limits(tmp_path: Path) -> None:
    def after(*arguments: str) -> list[str]:
        done = invoke(tmp_path, *arguments)
        assert (done.exit_code, done.stderr) == (0, "")
        return listed(tmp_path)[0][2:]

    limits = ("--units", "100", "--rate", "90/m", "--expires", "9999-12-31")
    assert after("create", "--name", "x", *limits) == [
        *("enabled", "x", "100", "90/m", "2", "9999-12-31", "no verify")
    ]
    assert after("limit", "x", "--verify", "on")[-1] == "verify"
    assert after("limit", "x", "--burst", "2")[-1] == "verify"
    assert after("limit", "x", "--verify", "off")[-1] == "no verify"
    assert after("top-up", "x", "5")[2] == "105"
    assert after("limit", "x", "--units", "7", "--rate", "7/h")[2:5] == ["7", "7/h", "1"]
    assert after("limit", "1", "--burst", "3")[2:5] == ["7", "7/h", "3"]
    assert after("limit", "x", "--expires", "2026-01-01") == [
        *("expired", "x", "7", "7/h", "3", "2026-01-01", "no verify")
    ]
    free = ("--units", "unlimited", "--rate", "unlimited", "--expires", "never")
    assert after("limit", "x", *free) == ["enabled", "x", *["unlimited"] * 3, "never", "no verify"]


@pytest.mark.parametrize("rate", ["1/s", "59/s", "1/m", "61/m", "1/h", "59/h", "61/h", "3599/h"])
def test_a_rate_is_listed_as_it_was_given(tmp_path: Path, rate: str) -> None:
    invoke(tmp_path, "create", "--name", "client", "--rate", rate)
    assert listed(tmp_path)[0][5] == rate


def test_the_command_line_shows_usage(tmp_path: Path) -> None:
    for name in ("client", "other", "gone"):
        invoke(tmp_path, "create", "--name", name)
    database = sqlite3.connect(tmp_path / "accounts.sqlite")
    rows = [
        (1, "2026-01-01", "get-metrics", 2, 60),
        (1, "2026-01-02", "get-anchors", 1, 7),
        (3, "2026-01-02", "get-metrics", 1, 30),
    ]
    database.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?)", rows)
    database.commit()
    database.close()
    invoke(tmp_path, "delete", "gone")
    assert invoke(tmp_path, "usage").stdout.splitlines() == [
        "1\tclient\t2026-01-01\tget-metrics\t2\t60",
        "1\tclient\t2026-01-02\tget-anchors\t1\t7",
        "3\t\t2026-01-02\tget-metrics\t1\t30",
        "total\t\t\t\t4\t97",
    ]
    assert invoke(tmp_path, "usage", "other").stdout == "total\t\t\t\t0\t0\n"
    shown = invoke(tmp_path, "usage", "--json", "--from", "2026-01-02", "--to", "2026-01-02")
    assert json.loads(shown.stdout) == {
        "usage": [
            {"key_id": 1, "name": "client", "day": "2026-01-02", "command": "get-anchors"}
            | {"requests": 1, "units": 7},
            {"key_id": 3, "name": None, "day": "2026-01-02", "command": "get-metrics"}
            | {"requests": 1, "units": 30},
        ],
        "requests": 2,
        "units": 37,
    }


def test_the_command_line_takes_the_database_of_the_settings(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    settings = tmp_path / "settings.json"
    url = new_database()
    settings.write_text(json.dumps({"accounts_url": url}))
    assert invoke(tmp_path, "create", "--name", "client").exit_code == 0
    assert [line[3] for line in listed(tmp_path)] == ["client"]
    assert not (tmp_path / "accounts.sqlite").exists()
    for content, words in (
        ({"accounts_url": "mysql://host/name"}, "Valid: postgresql://"),
        ({"accounts_urls": url}, "The settings are:"),
    ):
        settings.write_text(json.dumps(content))
        done = invoke(tmp_path, "list")
        assert (done.exit_code, done.stdout) == (1, "")
        assert words in done.stderr


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    invoke(tmp_path, "create", "--name", "client")
    for arguments, words in (
        (("create", "--name", "client"), "already a key"),
        (
            ("create", "--name", "x", "--units", "many"),
            "a number such as 5000, or unlimited",
        ),
        (("create", "--name", "x", "--units", "-1"), "a number such as 5000, or unlimited"),
        (("create", "--name", "x", "--rate", "5"), "Valid: a rate such as 10/s, 600/m or 5000/h"),
        (("create", "--name", "x", "--rate", "5/d"), "Valid: a rate such as 10/s, 600/m or 5000/h"),
        (("create", "--name", "x", "--rate", "0/s"), "1 an hour to"),
        (("create", "--name", "x", "--expires", "soon"), "Valid: YYYY-MM-DD"),
        (("create", "--name", "x", "--burst", "2"), "Give both"),
        (("limit", "client"), "nothing to change"),
        (("limit", "nobody", "--units", "5"), "no key"),
        (("top-up", "client", "5"), "unlimited"),
        (("top-up", "client", "unlimited"), "not a number of units"),
        (("usage", "nobody"), "no key"),
        (("usage", "--from", "yesterday"), "Valid: YYYY-MM-DD"),
        (("disable", "nobody"), "no key"),
        (("delete", "9"), "no key"),
    ):
        done = invoke(tmp_path, *arguments)
        assert done.exit_code == 1, arguments
        assert words in done.stderr
        assert done.stdout == ""
    assert len(listed(tmp_path)) == 1
