"""Which addresses a crawl may connect to: the IANA registries, names, rebinding, redirects."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inlink.crawl.addresses import Addresses, is_local_name, is_public, literal
from inlink.crawl.errors import FetchError
from inlink.crawl.fetch import Fetcher
from inlink.store.configuration import Settings
from inlink.urls.canonical import canonical_url
from tests.patience import PATIENCE
from tests.test_crawl_web import records

FORBIDDEN = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 100.100.100.200
:: ::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::10.0.0.1 64:ff9b::7f00:1
64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001:db8::1 2002:7f00:1:: 2002:a00:1:: fc00::1 fd00:ec2::254
fe80::1 ff02::1 2001:0:4136:e378:8000:63bf:f5ff:fffe
fec0::1 feff:ffff::1 5f00::1 3fff::1 3fff:fff:ffff::1 100:0:0:1::1 ::ffff:0:7f00:1 4000::1
"""
"""https://www.iana.org/assignments/iana-ipv4-special-registry and the one for IPv6; addresses that
carry one of them; where clouds keep their metadata; and what is reserved, or was for one site
(RFC 3879), in https://www.iana.org/assignments/ipv6-address-space."""

ALLOWED = """
1.1.1.1 8.8.8.8 93.184.215.14 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 169.253.0.1
2606:4700:4700::1111 2001:4860:4860::8888 2a00::1 3ffe::1 ::ffff:8.8.8.8
64:ff9b::808:808 2002:808:808::
"""


@pytest.mark.parametrize("text", FORBIDDEN.split())
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    address = literal(text)
    assert address is not None
    assert not is_public(address)


@pytest.mark.parametrize("text", ALLOWED.split())
def test_a_public_address_is_allowed(text: str) -> None:
    address = literal(text)
    assert address is not None
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ("localhost", "a.localhost", "printer", "nas.local", "vault.internal", "[::1]", "10.0.0.1"),
)
def test_a_host_is_known_as_local_by_its_name(host: str) -> None:
    assert is_local_name(host)


@pytest.mark.parametrize(
    "host", ("example.com", "local.example", "internal.example.com", "1.1.1.1")
)
def test_any_other_host_is_not(host: str) -> None:
    assert not is_local_name(host)


class Names:
    """A resolver whose answers change with each question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str) -> list[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path == "/robots.txt":
            self.send_error(404)
            return
        self.send_response(302 if self.path == "/lure" else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()
        self.wfile.write(b"<a href='/lure'>lure</a><a href='http://10.1.2.3/'>inside</a>")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_name_is_looked_up_once_and_the_connection_goes_where_it_was_checked(
    site: ThreadingHTTPServer,
) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    fetcher = Fetcher(Settings(allow_private_addresses=True), resolve=names)
    fetched = asyncio.run(fetcher.get(f"http://rebinding.example:{site.server_port}/"))
    assert (names.asked, fetched.ip, fetched.status) == (1, "127.0.0.1", 200)


def test_a_name_that_has_a_private_address_is_not_connected_to(site: ThreadingHTTPServer) -> None:
    for answer in (["127.0.0.1"], ["::ffff:127.0.0.1"], ["10.0.0.1", "127.0.0.1"]):
        fetcher = Fetcher(Settings(), resolve=Names(answer))
        with pytest.raises(FetchError, match="blocked"):
            asyncio.run(fetcher.get(f"http://inside.example:{site.server_port}/"))
    assert site.asked == []  # type: ignore[attr-defined]


def test_of_several_addresses_only_the_public_ones_are_used() -> None:
    names = Names(["10.0.0.1", "8.8.8.8", "127.0.0.1"])
    addresses = Addresses(allow_private=False, loopback_only=False, resolve=names)
    assert asyncio.run(addresses.of("mixed.example")) == ["8.8.8.8"]


def test_a_name_that_does_not_exist_is_a_failure_of_dns() -> None:
    fetcher = Fetcher(Settings())
    with pytest.raises(FetchError, match="dns"):
        asyncio.run(fetcher.get("http://name.invalid/"))


def test_a_port_where_nobody_listens_refuses(site: ThreadingHTTPServer) -> None:
    fetcher = Fetcher(Settings(allow_private_addresses=True))
    with pytest.raises(FetchError, match="refused"):
        asyncio.run(fetcher.get("http://127.0.0.1:1/"))


def crawl(data: Path, seed: str, **settings: object) -> "subprocess.CompletedProcess[str]":
    data.mkdir(exist_ok=True)
    (data / "settings.json").write_text(json.dumps({"crawl_delay_seconds": 0.01, **settings}))
    command = [sys.executable, "-m", "inlink", "crawl", "--data", str(data), "--scope", "web"]
    return subprocess.run(
        [*command, "--seeds", seed],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=PATIENCE,
    )


def test_what_is_no_public_address_by_itself_is_not_connected_to() -> None:
    for host in ("169.254.169.254", "127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "0x7f.1"):
        url = canonical_url(f"http://{host}/")
        assert url is not None
        with pytest.raises(FetchError, match="blocked"):
            asyncio.run(Fetcher(Settings()).get(url))


def test_a_crawl_without_a_contact_follows_nothing_off_this_machine(
    tmp_path: Path, site: ThreadingHTTPServer
) -> None:
    run = crawl(
        tmp_path / "data",
        f"http://127.0.0.1:{site.server_port}/",
        allow_private_addresses=True,
    )
    assert run.returncode == 0, run.stderr
    (file,) = (tmp_path / "data").glob("crawls/*/*.warc.gz")
    visited = [
        warc["WARC-Target-URI"] for kind, warc, _, _, _ in records(file) if kind == "response"
    ]
    origin = f"http://127.0.0.1:{site.server_port}"
    assert visited == [f"{origin}/", f"{origin}/lure"]


def test_without_leave_nothing_is_connected_to_on_this_machine(
    tmp_path: Path, site: ThreadingHTTPServer
) -> None:
    run = crawl(
        tmp_path / "data",
        f"http://127.0.0.1:{site.server_port}/",
        user_agent_contact="mailto:crawl@operator.example",
    )
    assert run.returncode == 0, run.stderr
    (file,) = (tmp_path / "data").glob("crawls/*/*.warc.gz")
    causes = [content.decode() for kind, _, _, _, content in records(file) if kind == "metadata"]
    assert [cause.split()[1] for cause in causes] == ["blocked"]
    assert site.asked == []  # type: ignore[attr-defined]


def test_a_crawl_that_would_leave_the_machine_needs_a_contact(tmp_path: Path) -> None:
    run = crawl(tmp_path / "data", "https://www.example.com/")
    assert run.returncode == 1
    assert "user_agent_contact" in run.stderr
    assert not (tmp_path / "data" / "crawls").exists()
