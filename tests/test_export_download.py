"""Files of exports over HTTP, from a real server: whole, in parts, again, and not any more."""

import random
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from inlink.contract.paths import EXPORT_PREFIX
from inlink.exports.download import downloads
from inlink.store.layout import Layout
from tests.patience import PATIENCE

CONTENT = random.Random(0).randbytes(200_000)
NAME = "shop.example-0123456789abcdef0123456789abcdef.csv.gz"
FILE = f"{EXPORT_PREFIX}/{NAME}"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    made = Layout(tmp_path_factory.mktemp("data"))
    made.exports.mkdir()
    (made.exports / NAME).write_bytes(CONTENT)
    (made.exports / f".{NAME}").write_bytes(b"half")
    (made.root / "accounts.sqlite").write_bytes(b"secret")
    return made


@pytest.fixture(scope="module")
def client(layout: Layout) -> Iterator[httpx.Client]:
    app = Starlette(routes=[Route(f"{EXPORT_PREFIX}/{{name}}", downloads(layout))])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = listener.getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as made:
            yield made
        server.should_exit = True
        thread.join()


def test_a_file_is_sent_whole(client: httpx.Client) -> None:
    answer = client.get(FILE)
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers  # a client would unpack it
    assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"].startswith('"')  # a strong one: Range needs that


def test_head_says_the_same_without_the_file(client: httpx.Client) -> None:
    head, whole = client.head(FILE), client.get(FILE)
    assert head.status_code == 200
    assert head.content == b""
    for header in ("content-length", "content-type", "etag", "last-modified", "accept-ranges"):
        assert head.headers[header] == whole.headers[header]


def test_a_download_that_broke_off_goes_on(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "part"
    with client.stream("GET", FILE) as first, path.open("wb") as file:
        tag = first.headers["etag"]
        for piece in first.iter_bytes(50_000):
            file.write(piece)
            break
    had = path.stat().st_size
    assert 0 < had < len(CONTENT)
    rest = client.get(FILE, headers={"Range": f"bytes={had}-", "If-Range": tag})
    assert rest.status_code == 206
    assert rest.headers["content-range"] == f"bytes {had}-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert rest.headers["etag"] == tag
    assert path.read_bytes() + rest.content == CONTENT


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=100-199", (100, 200)),
        ("bytes=-7", (199_993, 200_000)),
        (f"bytes=199990-{10**12}", (199_990, 200_000)),
        ("BYTES=5-9", (5, 10)),
    ],
)
def test_a_part_is_that_part(client: httpx.Client, wanted: str, expected: tuple[int, int]) -> None:
    answer = client.get(FILE, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == CONTENT[slice(*expected)]
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_several_parts_come_as_multipart(client: httpx.Client) -> None:
    answer = client.get(FILE, headers={"Range": "bytes=0-9, 100-109"})
    assert answer.status_code == 206
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    parts = answer.content.split(f"--{boundary}".encode())
    bodies = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts[1:-1]]
    assert bodies == [CONTENT[:10], CONTENT[100:110]]


def test_nothing_lies_beyond_the_end(client: httpx.Client) -> None:
    answer = client.get(FILE, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("wanted", ["lines=1-2", "bytes", "bytes=", "bytes=a-b", "bytes=--1", "x"])
def test_a_range_that_means_nothing_is_ignored(client: httpx.Client, wanted: str) -> None:
    answer = client.get(FILE, headers={"Range": wanted})
    assert answer.status_code == 200
    assert answer.content == CONTENT


def test_a_part_of_another_file_is_not_given(client: httpx.Client) -> None:
    answer = client.get(FILE, headers={"Range": "bytes=100-", "If-Range": '"another"'})
    assert answer.status_code == 200
    assert answer.content == CONTENT
    weak = f"W/{answer.headers['etag']}"  # RFC 9110, 13.1.5: not good enough for a part
    assert client.get(FILE, headers={"Range": "bytes=100-", "If-Range": weak}).status_code == 200


def test_who_has_the_file_does_not_get_it_again(client: httpx.Client) -> None:
    headers = client.head(FILE).headers
    tag, changed = headers["etag"], headers["last-modified"]
    for sent in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = client.get(FILE, headers={"If-None-Match": sent})
        assert (answer.status_code, answer.content) == (304, b""), sent
        assert answer.headers["etag"] == tag
    assert client.get(FILE, headers={"If-Modified-Since": changed}).status_code == 304
    assert client.get(FILE, headers={"If-None-Match": '"x"'}).content == CONTENT
    before = format_datetime(parsedate_to_datetime(changed).replace(year=2020), usegmt=True)
    assert client.get(FILE, headers={"If-Modified-Since": before}).status_code == 200
    # What differs in the tag is another file, whatever the time says (RFC 9110, 13.2.2).
    both = {"If-None-Match": '"x"', "If-Modified-Since": changed}
    assert client.get(FILE, headers=both).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        NAME.replace("0", "1"),
        f".{NAME}",
        f"%2e{NAME}",
        "%2e%2e",
        "%2e%2e%2faccounts.sqlite",
        "..%5caccounts.sqlite",
        f"%2e%2e%2fexports%2f{NAME}",
        f"{NAME}%00",
        f"{NAME}%0a",
        NAME.upper(),
        NAME.removesuffix(".gz"),
        "x" * 5000,
        "%ff",
    ],
)
def test_nothing_else_is_given(client: httpx.Client, name: str) -> None:
    for method in ("GET", "HEAD"):
        answer = client.request(method, f"{EXPORT_PREFIX}/{name}")
        assert answer.status_code == 404
        assert b"secret" not in answer.content


def test_what_is_gone_is_told_as_the_api_tells_errors(client: httpx.Client) -> None:
    answer = client.get(f"{EXPORT_PREFIX}/{NAME.replace('0', '1')}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["error"]["code"] == 404
    assert (
        body["message"] == body["error"]["message"] == "The requested resource could not be found."
    )
    assert "removed" in body["error"]["description"]


def test_a_removed_file_is_gone_at_once(client: httpx.Client, layout: Layout) -> None:
    name = f"gone-{secrets.token_hex(16)}.csv.gz"
    path = layout.exports / name
    path.write_bytes(b"here")
    assert client.get(f"{EXPORT_PREFIX}/{name}").content == b"here"
    path.unlink()
    assert client.get(f"{EXPORT_PREFIX}/{name}").status_code == 404


def test_files_are_only_read(client: httpx.Client) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(method, FILE).status_code == 405
