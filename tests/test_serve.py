"""``inlink serve`` as a process: it starts, says where, survives its workers, and stops."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE, wait_until
from tests.serving import INLINK, Row, Server, make_current, serving, write_generation


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_generation(tmp_path, 1, [Row("https://blog.example/", "https://shop.example/")])
    make_current(tmp_path, 1)
    return tmp_path


def workers(server: Server) -> set[int]:
    """The processes that answer: children of the one that was started that import the API."""
    pid = server.process.pid
    found = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(int(child))
    return found


def fails(data: Path, *options: str) -> str:
    """What ``inlink serve`` says when it does not start."""
    done = subprocess.run(
        [INLINK, "serve", "--data", data, *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = fails(tmp_path, "--port", port)
    assert port in words
    assert "in use" in words


def test_settings_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"huge_target": 0}')
    assert "huge_target" in fails(tmp_path, "--port", "0")


def test_a_data_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in fails(tmp_path / "file", "--port", "0")


def test_workers_that_die_are_replaced(data: Path) -> None:
    with serving(data, "--workers", "2") as server:
        wait_until(lambda: server.log.read_text().count("Serving generation 1\n") == 2)
        first = workers(server)
        os.kill(min(first), signal.SIGKILL)
        wait_until(lambda: len(workers(server) - first) == 1)
        # The other one answers meanwhile; and, when it is gone too, the new one does.
        assert server.get("get-metrics", target="shop.example").status_code == 200
        os.kill(max(first), signal.SIGKILL)
        wait_until(lambda: len(workers(server) - first) == 2)
        wait_until(lambda: answers(server))


def answers(server: Server) -> bool:
    """Whether a new connection is answered; one that a killed worker had accepted is not."""
    try:
        status, _ = server.raw("apikey=KEY&target=shop.example")
    except OSError:
        return False
    return status == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered_before_the_end(data: Path, how: signal.Signals) -> None:
    body = b'{"target": "shop.example"}'
    head = (
        "POST /backlinks/v1.0/get-metrics?apikey=KEY HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with serving(data) as server:
        children = workers(server)
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
            connection.sendall(head.replace("KEY", server.key).encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")  # it waits for the body
            connection.sendall(body[:5])
            for process in (server.process.pid, *(children if how == signal.SIGINT else ())):
                os.kill(process, how)  # Ctrl-C reaches every process in the foreground
            time.sleep(1)
            connection.sendall(body[5:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'"backlinks":1' in answer
        assert server.process.wait(PATIENCE) == 0
        log = server.log.read_text()
        assert "Traceback" not in log
        assert server.key not in log
        assert re.search("Serving generation 1$", log, re.MULTILINE)


def test_workers_end_with_the_process_that_started_them(data: Path) -> None:
    with serving(data) as server:
        children = workers(server)
        server.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def test_a_data_directory_that_is_not_there_is_made(tmp_path: Path) -> None:
    with serving(tmp_path / "new" / "data") as server:
        assert server.get("get-metrics", target="shop.example").status_code == 503
