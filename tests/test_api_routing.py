"""What answers where, and what is refused before a command is asked, from a real server.

What HTTP demands of a server is taken from RFC 9110 (9.3.7, 10.2.1, 15.5.6) and RFC 9112 (3.2).
"""

import contextlib
import http.client
from collections.abc import Iterator

import httpx
import pytest

from inlink.contract.paths import EXPORT_PREFIX
from tests.patience import PATIENCE
from tests.serving import PREFIX, Row, Server, make_current, serving, write_generation

NAME = "shop.example-0123456789abcdef0123456789abcdef.csv.gz"

METHODS = {
    f"{PREFIX}/get-metrics": "GET, POST, OPTIONS",
    f"{PREFIX}/openapi.json": "GET, OPTIONS",
    "/docs": "GET, OPTIONS",
    "/docs/swagger-ui.css": "GET, OPTIONS",
    f"{EXPORT_PREFIX}/{NAME}": "GET, HEAD, OPTIONS",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("data")
    write_generation(data, 1, [Row("https://a.example/", "https://shop.example/")])
    make_current(data, 1)
    (data / "exports").mkdir()
    (data / "exports" / NAME).write_bytes(b"packed")
    with serving(data) as running:
        yield running


@pytest.mark.parametrize("path", METHODS)
def test_slashes_to_spare_do_not_count(server: Server, path: str) -> None:
    asked = {"apikey": server.key, "target": "shop.example"}
    expected = server.client.get(path, params=asked)
    assert expected.status_code == 200
    for spelled in (f"{path}/", f"{path}//", f"/{path}", path.replace("/", "//")):
        answer = raw(server, f"{spelled}?{httpx.QueryParams(asked)}")
        assert answer == (200, expected.content), spelled


def raw(server: Server, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    """GET a path from a host, both sent exactly as they are; status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host.encode("latin-1"))
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("path", METHODS)
def test_every_path_says_what_it_takes(server: Server, path: str) -> None:
    answer = server.client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == METHODS[path]
    answer = server.client.delete(path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == METHODS[path]
    assert METHODS[path] in answer.json()["error"]["description"]


@pytest.mark.parametrize("name", ["{name}", "%7Bname%7D", f"{NAME}/x", f"x/{NAME}", "", "%2f"])
def test_a_file_has_a_name_of_one_segment(server: Server, name: str) -> None:
    status, body = raw(server, f"{EXPORT_PREFIX}/{name}")
    assert status == 404
    assert b'"code":404' in body


@pytest.mark.parametrize("host", ["a b", "a/b", "a?b", "<x>", "\xe4.example"])
def test_a_host_that_is_none_is_refused(server: Server, host: str) -> None:
    for path in (*METHODS, "/nothing"):
        status, body = raw(server, path, host)
        assert status == 400, path
        assert b"host header" in body


@pytest.mark.parametrize("host", ["a.example", "A.example:8080", "[::1]:80", "exa_mple", ""])
def test_any_host_that_is_one_is_answered(server: Server, host: str) -> None:
    assert raw(server, "/docs", host)[0] == 200


def test_a_body_that_is_too_long_is_refused_and_the_server_goes_on(server: Server) -> None:
    content = b'{"target": "shop.example"}'.ljust(2 * 1024 * 1024)
    assert server.post("get-metrics", content).status_code == 200
    with contextlib.suppress(httpx.WriteError):  # refused before all of it was sent
        answer = server.post("get-metrics", content + b" ")
        assert answer.status_code == 400
        assert "2,097,152 bytes" in answer.json()["error"]["description"]
    assert server.get("get-metrics", target="shop.example").status_code == 200
