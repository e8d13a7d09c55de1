"""``inlink serve`` makes exports: its workers start, are replaced, and end with it."""

import csv
import gzip
import io
import os
import signal
from pathlib import Path

import pytest

from inlink.accounts.database import connect
from inlink.accounts.keys import Keys
from inlink.exports.queue import Exports, Task
from inlink.store.layout import Layout
from tests.patience import PATIENCE, wait_until
from tests.serving import Row, Server, make_current, serving, write_generation

ROWS = 30


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [Row(f"https://blog.example/{n}", "https://shop.example/") for n in range(ROWS)]
    write_generation(tmp_path, 1, rows)
    make_current(tmp_path, 1)
    return tmp_path


def queue(data: Path, name: str) -> Task:
    """An export for a new key called *name*."""
    engine = connect(Layout(data).accounts)
    keys = Keys(engine)
    keys.create(name)
    task = Exports(engine).submit(keys.all()[-1].id, "shop.example", "host", ROWS)
    engine.dispose()
    return task


def find(data: Path, task: Task) -> Task:
    engine = connect(Layout(data).accounts)
    found = Exports(engine).find(task.key_id, task.id)
    engine.dispose()
    assert found is not None
    return found


def export_workers(server: Server) -> set[int]:
    """Children of the server that make exports; each is the child of the thread that keeps it."""
    threads = Path(f"/proc/{server.process.pid}/task").iterdir()
    children = {child for thread in threads for child in (thread / "children").read_text().split()}
    return {int(child) for child in children if b"export_worker" in command_line(child)}


def command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:  # it has just ended
        return b""


def sources(server: Server, task: Task) -> list[str]:
    """The referring pages in the file of a task, once it can be downloaded."""
    wait_until(lambda: find(server.data, task).status == "complete")
    answer = server.client.get(f"/export/{find(server.data, task).file}")
    assert answer.status_code == 200
    text = gzip.decompress(answer.content).decode()
    return [row["url_from"] for row in csv.DictReader(io.StringIO(text, newline=""))]


def test_a_task_outlives_the_server(data: Path) -> None:
    with serving(data, "--export-workers", "0") as server:
        assert export_workers(server) == set()
        task = queue(data, "client")
    assert find(data, task) == task
    engine = connect(Layout(data).accounts)
    Keys(engine).delete("test")  # `serving` makes it again
    engine.dispose()
    with serving(data, "--export-workers", "2") as server:
        assert len(export_workers(server)) == 2
        assert len(sources(server, task)) == ROWS
        assert find(data, task).attempts == 1


def test_a_file_is_made_though_an_export_worker_dies(data: Path) -> None:
    with serving(data) as server:
        (first,) = export_workers(server)
        task = queue(data, "first")
        assert sorted(sources(server, task)) == sorted(
            f"https://blog.example/{n}" for n in range(ROWS)
        )
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: export_workers(server) - {first})
        assert len(sources(server, queue(data, "client"))) == ROWS
        assert len(export_workers(server)) == 1
        assert "An export worker died" in server.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_export_workers_end_when_the_server_is_stopped(data: Path, how: signal.Signals) -> None:
    with serving(data, "--export-workers", "2") as server:
        workers = export_workers(server)
        assert len(workers) == 2
        assert len(sources(server, queue(data, "client"))) == ROWS  # so one is awake by now
        server.process.send_signal(how)
        assert server.process.wait(PATIENCE) == 0
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
        log = server.log.read_text()
        assert not any(word in log for word in ("Traceback", "Fatal", "died"))


def test_export_workers_end_with_the_process_that_started_them(data: Path) -> None:
    with serving(data) as server:
        workers = export_workers(server)
        assert workers
        server.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
