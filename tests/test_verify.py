"""Live checks of pages on loopback: by the command line, and by a server for links of its index.

What is true of each page is said in `PAGES`; what was fetched is told by the web server's own log.
"""

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from inlink.evidence.check import check
from inlink.store.configuration import Settings
from tests.patience import PATIENCE
from tests.serving import INLINK, Row, Server, make_current, serving, stored_keys, write_generation

SHOP = "https://shop.example/"
LINK = f'<nav>Menu</nav><main><p>see <a href="{SHOP}" rel="sponsored">the shop</a> now'
HTML = {"Content-Type": "text/html; charset=utf-8"}

Page = tuple[int, dict[str, str], str]

PAGES: dict[str, Page] = {
    "/robots.txt": (200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /private"),
    "/there": (200, HTML, LINK),
    "/private": (200, HTML, LINK),
    "/removed": (200, HTML, "<p>nothing here"),
    "/noindex": (200, HTML, f"<meta name=robots content=noindex>{LINK}"),
    "/copy": (200, HTML, f"<link rel=canonical href=https://original.example/>{LINK}"),
    "/gone": (404, HTML, LINK),
    "/broken": (500, HTML, LINK),
    "/moved": (301, {"Location": SHOP}, ""),
    "/later": (429, {"Retry-After": "600"}, ""),
}

RESULTS = {
    "/there": ("there", "ok", 200, None, 1),
    "/private": ("not_checked", "page_dropped", None, "robots", 0),
    "/removed": ("not_there", "ok", 200, None, 0),
    "/noindex": ("not_there", "noindex", 200, None, 1),
    "/copy": ("not_there", "not_canonical", 200, None, 1),
    "/gone": ("not_there", "page_not_found", 404, None, 1),
    "/broken": ("not_checked", "failed", 500, None, 1),
    "/moved": ("there", "redirect", 301, None, 1),
}
"""Result, outcome, status, failure, and how many elements of the page lead to the shop."""

SETTINGS: dict[str, Any] = {
    "allow_private_addresses": True,
    "crawl_delay_seconds": 0,
    "fetch_timeout_seconds": 3,
}


class Web:
    """A web server on one loopback address, and what it was asked."""

    def __init__(self, address: str) -> None:
        self.log: list[tuple[str, str, str]] = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.log.append(("GET", self.path, self.headers["User-Agent"]))
                status, headers, body = PAGES[self.path]
                content = body.encode()
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(content))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.root = f"http://{address}:{self.server.server_port}"

    @property
    def pages(self) -> list[str]:
        return [path for _, path, _ in self.log]


@contextmanager
def served(address: str) -> Iterator[Web]:
    web = Web(address)
    thread = threading.Thread(target=web.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.server.shutdown()
        web.server.server_close()
        thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    with served("127.0.0.1") as web:
        yield web


def verify(data: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(INLINK), "verify", "--data", str(data), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    return tmp_path


@pytest.mark.parametrize("path", RESULTS)
def test_the_page_is_fetched_and_judged_by_the_rules_of_the_index(
    web: Web, path: str, tmp_path: Path
) -> None:
    found = check(f"{web.root}{path}", "HTTPS://shop.example", Settings(**SETTINGS), tmp_path)
    told = (found.result, found.outcome, found.status, found.failure, len(found.occurrences))
    assert told == RESULTS[path]
    assert (found.url_from, found.url_to) == (f"{web.root}{path}", SHOP)
    fetched = set() if path == "/private" else {path}
    assert set(web.pages) == {"/robots.txt"} | fetched
    assert all(agent.startswith("inlinkbot/") for _, _, agent in web.log)


def test_the_link_is_told_with_where_it_stands(data: Path, web: Web) -> None:
    before = set(data.rglob("*"))
    done = verify(data, "--json", f"{web.root}/there", SHOP)
    assert done.returncode == 0
    assert set(data.rglob("*")) == before, "something is left of the check"
    found = json.loads(done.stdout)
    (link,) = found["occurrences"]
    assert link == {
        "element": "a",
        "anchor": "the shop",
        "rel": "sponsored",
        "nofollow": False,
        "image": False,
        "image_source": None,
        "alt": None,
        "place": "content",
        "before": "Menu see",
        "after": "now",
    }
    assert found["ip"] == "127.0.0.1"


def test_people_are_told_in_lines(data: Path, web: Web) -> None:
    done = verify(data, f"{web.root}/noindex", SHOP)
    assert done.returncode == 1
    first, second, third = done.stdout.splitlines()
    assert first == f"{web.root}/noindex -> {SHOP}: not there"
    assert second.endswith("status 200, noindex (noindex)")
    assert third.strip() == "<a> in content: 'the shop' rel='sponsored'"


def test_a_page_that_nobody_serves_cannot_be_checked(data: Path, web: Web) -> None:
    root = web.root
    web.server.server_close()
    done = verify(data, "--json", f"{root}/there", SHOP)
    assert (done.returncode, json.loads(done.stdout)["result"]) == (2, "not_checked")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("a.example", "URL such as https://www.example.com/"),
        ("https://a.example/", "user_agent_contact"),
    ],
)
def test_what_cannot_be_checked_is_said(data: Path, page: str, words: str) -> None:
    done = verify(data, page, SHOP)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


# over HTTP

HOSTS = [f"127.0.0.{number}" for number in range(2, 12)]


@pytest.fixture(scope="module")
def webs() -> Iterator[dict[str, Web]]:
    with ExitStack() as stack:
        yield {host: stack.enter_context(served(host)) for host in HOSTS}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, webs: dict[str, Web]) -> Iterator[Server]:
    """Serves an index in which every page of every host links to the shop; one link is lost."""
    data = tmp_path_factory.mktemp("verify")
    (data / "settings.json").write_text(json.dumps(SETTINGS | {"costs": {"verify": 7}}))
    rows = [
        Row(f"{web.root}{path}", SHOP, lost="2026-02-01" if path == "/removed" else None)
        for web in webs.values()
        for path in PAGES
    ]
    write_generation(data, 1, rows)
    make_current(data, 1)
    with serving(data) as server:
        yield server


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(server: Server) -> Ask:
    """Asks for a live check with a new key that may, and has 20 units."""
    with stored_keys(server.data) as keys:
        key = keys.create(f"checks {time.monotonic_ns()}", units=20, may_verify=True)

    def asked(page: str, url_to: str = SHOP, **parameters: str) -> httpx.Response:
        given = {"apikey": key, "url_from": page, "url_to": url_to} | parameters
        return server.client.get("/v2/verify", params=given)

    return asked


def test_a_key_that_may_not_is_refused_and_nothing_is_fetched(
    server: Server, webs: dict[str, Web]
) -> None:
    page = f"{webs[HOSTS[0]].root}/there"
    given = {"apikey": server.key, "url_from": page, "url_to": SHOP}
    refused = server.client.get("/v2/verify", params=given)
    assert refused.status_code == 403
    assert "may not request live checks" in refused.json()["error"]["description"]
    assert webs[HOSTS[0]].log == []


def test_a_live_link_and_a_lost_one_are_checked_and_paid_for(
    ask: Ask, webs: dict[str, Web], server: Server
) -> None:
    there, removed = webs[HOSTS[1]], webs[HOSTS[2]]
    found = ask(f"{there.root}/there")
    assert found.status_code == 200
    assert found.json()["result"] == "there"
    assert [one["anchor"] for one in found.json()["occurrences"]] == ["the shop"]
    found = ask(f"{removed.root}/removed", output="xml")
    assert found.status_code == 200
    schema = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "docs/xsd/verify.xsd"))
    schema.assertValid(root := etree.fromstring(found.content))
    assert root.findtext("result") == "not_there"
    assert there.pages == ["/robots.txt", "/there"]
    refused = ask(f"{webs[HOSTS[3]].root}/there")  # 20 units do not pay for a third check
    assert refused.status_code == 402
    assert webs[HOSTS[3]].log == []


def test_a_host_is_asked_every_ten_seconds_at_most(ask: Ask, webs: dict[str, Web]) -> None:
    web = webs[HOSTS[4]]
    with ThreadPoolExecutor(2) as pool:  # one after the other, the first may take ten seconds
        found, refused = sorted(
            pool.map(ask, [f"{web.root}/there"] * 2), key=lambda answer: answer.status_code
        )
    assert (found.status_code, refused.status_code) == (200, 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert web.pages == ["/robots.txt", "/there"]


@pytest.mark.parametrize(
    ("page", "url_to"),
    [("https://nobody.example/", SHOP), ("{root}/there", "https://other.example/")],
)
def test_only_links_of_the_index_are_checked(
    ask: Ask, webs: dict[str, Web], page: str, url_to: str
) -> None:
    web = webs[HOSTS[5]]
    refused = ask(page.format(root=web.root), url_to)
    assert refused.status_code == 404
    assert "no backlink" in refused.json()["error"]["description"]
    assert web.log == []


def test_checks_that_take_long_hold_up_nobody_and_end(server: Server, webs: dict[str, Web]) -> None:
    """Pages that say to come again in ten minutes: four are waited for, the fifth is refused."""
    with stored_keys(server.data) as keys:
        key = keys.create("patient", may_verify=True)
    pages = [f"{webs[host].root}/later" for host in HOSTS[6:10]]

    def asked(page: str) -> httpx.Response:
        given = {"apikey": key, "url_from": page, "url_to": SHOP}
        return server.client.get("/v2/verify", params=given)

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(asked, page) for page in pages]
        while not all("/later" in webs[host].pages for host in HOSTS[6:10]):
            assert not any(check.done() for check in waiting)
            time.sleep(0.1)
        assert server.get("get-metrics", target="shop.example").status_code == 200
        busy = asked(f"{webs[HOSTS[0]].root}/there")
        assert not any(check.done() for check in waiting)
        assert busy.status_code == 503
        assert int(busy.headers["Retry-After"]) >= 1
        assert webs[HOSTS[0]].log == []
        for late in waiting:
            answer = late.result()
            assert answer.status_code == 504
            assert "did not answer within 16 seconds" in answer.json()["error"]["description"]
