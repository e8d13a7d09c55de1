"""API keys: kept as hashes only, found, switched off and on, by the library and by the command."""

import hashlib
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inlink.accounts.cache import REMEMBERED, KeyCache
from inlink.accounts.database import connect
from inlink.accounts.keys import AccountsError, Keys, key_hash
from inlink.cli import main
from tests.serving import INLINK


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "accounts.sqlite"


@pytest.fixture
def keys(database: Path) -> Iterator[Keys]:
    engine = connect(database)
    yield Keys(engine)
    engine.dispose()


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


def test_the_key_itself_is_nowhere_on_disk(keys: Keys, database: Path) -> None:
    key = keys.create("client")
    content = b"".join(path.read_bytes() for path in database.parent.iterdir())
    assert hashlib.sha256(key.encode()).hexdigest().encode() in content
    assert key.encode() not in content
    assert bytes.fromhex(key) not in content


def test_the_database_writes_ahead(keys: Keys, database: Path) -> None:
    keys.create("client")
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


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


def test_many_processes_can_open_and_write_at_once(database: Path) -> None:
    def make(number: int) -> None:
        engine = connect(database)
        Keys(engine).create(f"key {number}")
        engine.dispose()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(24)))
    engine = connect(database)
    assert len(Keys(engine).all()) == 24
    engine.dispose()


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


def test_the_command_line_lists_and_switches(tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert invoke(tmp_path, "create", "--name", name).exit_code == 0
    assert invoke(tmp_path, "disable", "first").exit_code == 0
    lines = [line.split("\t") for line in invoke(tmp_path, "list").stdout.splitlines()]
    assert [(line[0], line[2], line[3]) for line in lines] == [
        ("1", "disabled", "first"),
        ("2", "enabled", "second"),
    ]
    assert invoke(tmp_path, "enable", "1").exit_code == 0
    assert invoke(tmp_path, "delete", "second").exit_code == 0
    (line,) = invoke(tmp_path, "list").stdout.splitlines()
    assert line.split("\t")[2:] == ["enabled", "first"]


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    invoke(tmp_path, "create", "--name", "client")
    for arguments, words in (
        (("create", "--name", "client"), "already a key"),
        (("disable", "nobody"), "no key"),
        (("delete", "9"), "no key"),
    ):
        done = invoke(tmp_path, *arguments)
        assert done.exit_code == 1
        assert words in done.stderr
        assert done.stdout == ""
