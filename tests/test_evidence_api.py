"""Evidence over HTTP, of links in crawls that were made for it: what is true of them is said here.

Each page of the two crawls stands for one case; a third file is WAT. Records are checked with
warcio, answers by the documented schemas.
"""

import base64
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from lxml import etree
from warcio.archiveiterator import ArchiveIterator

from inlink.accounts.database import connect
from inlink.accounts.usage import usage
from inlink.api.openapi import document
from inlink.client import Client, ClientError
from inlink.extract.extraction import extract
from inlink.fold.job import build
from inlink.index.writer import write_segments
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.web.source import find
from tests.crawl_files import CrawlFile
from tests.serving import Server, serving

ROOT = Path(__file__).parents[1]
SHOP = "https://shop.example/"
LINK = f'<p>words before <a href="{SHOP}" rel="nofollow ugc">the <b>shop</b></a> after'
PAGE = f"<nav><a href=//shop.example><img src=/i.png alt=logo></a></nav>{LINK}<footer>end</footer>"

FIRST, SECOND = "2026-01-01T00:00:00Z", "2026-01-05T06:07:08Z"
DIGEST = f"sha1:{base64.b32encode(hashlib.sha1(PAGE.encode()).digest()).decode()}"

Redirect = tuple[tuple[str, str], ...]


def to(url: str) -> Redirect:
    return (("Location", url),)


WAT = {
    "Envelope": {
        "WARC-Header-Metadata": {
            "WARC-Type": "response",
            "WARC-Target-URI": "https://wat.example/",
            "WARC-Date": FIRST,
        },
        "Payload-Metadata": {
            "HTTP-Response-Metadata": {
                "Response-Message": {"Status": "200"},
                "Headers": {"Content-Type": "text/html"},
                "HTML-Metadata": {"Links": [{"path": "A@/href", "url": SHOP, "text": "of WAT"}]},
            }
        },
    }
}


class Made:
    """A crawl file under way: the offset of each page's record."""

    def __init__(self, date: str) -> None:
        self.crawl = CrawlFile()
        self.offsets: dict[str, int] = {}
        self._date = {"WARC-Date": date}

    def page(self, uri: str, body: str = "", status: str = "200 OK", **given: Any) -> None:
        warc = self._date | given.pop("warc", {})
        self.crawl.response(uri, body, status, warc=warc, **given)
        self.offsets[uri] = self.crawl.offsets[-1]

    def record(self, kind: str, uri: str, **given: Any) -> None:
        warc = self._date | given.pop("warc", {})
        self.crawl.record(kind, uri, warc=warc, **given)
        self.offsets[uri] = self.crawl.offsets[-1]


@dataclass(frozen=True)
class Crawled:
    """A running server over the crawls, and where their records are."""

    server: Server
    first: Path
    second: Path
    begin: dict[str, int]
    later: dict[str, int]

    def ask(self, page: str, target: str = SHOP, **given: str) -> httpx.Response:
        query = {"apikey": self.server.key, "url_from": page, "url_to": target} | given
        return self.server.client.get("/v2/evidence", params=query)

    def evidence(self, page: str, target: str = SHOP) -> dict[str, Any]:
        answer = self.ask(page, target)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def record(self, page: str, target: str = SHOP, **given: str) -> httpx.Response:
        query = {"apikey": self.server.key, "url_from": page, "url_to": target} | given
        return self.server.client.get("/v2/evidence/record", params=query)


def first_crawl() -> Made:
    made = Made(FIRST)
    made.page("https://post.example/1", PAGE)
    for name in ("gone", "removed", "hidden", "far"):
        made.page(f"https://{name}.example/", LINK)
    made.page("https://old.example/", status="301 Moved", headers=to("https://step.example/"))
    made.page("https://step.example/", status="302 Found", headers=to("https://shop.example/new"))
    made.page("https://copy.example/", "<link rel=canonical href=https://shop.example/c>")
    return made


def second_crawl() -> Made:
    made = Made(SECOND)
    made.record("revisit", "https://post.example/1", warc={"WARC-Payload-Digest": DIGEST})
    made.page("https://gone.example/", "not here", "404 Not Found")
    made.page("https://removed.example/", "<p>no link")
    made.page("https://hidden.example/", f"<meta name=robots content=noindex>{LINK}")
    return made


def segments(tables: Path, directory: Path, settings: Settings, _progress: object) -> None:
    write_segments(tables, directory, settings)


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    data = tmp_path_factory.mktemp("evidence")
    layout = Layout(data / "data")
    first, second = first_crawl(), second_crawl()
    files = [data / name for name in ("the first é.warc.gz", "second.warc.gz", "third.wat.gz")]
    first.crawl.write(files[0])
    second.crawl.write(files[1])
    wat = json.dumps(WAT).encode()
    CrawlFile().record(
        "metadata", "https://wat.example/", wat, content_type="application/json"
    ).write(files[2])
    for file in files:
        (source,) = find(str(file))
        extract(source, layout, Settings())
    (layout.root / "settings.json").write_text("{}")
    build(layout, Settings(), segments, lambda *_: None)
    with serving(layout.root) as server:
        yield Crawled(server, files[0], files[1], first.offsets, second.offsets)


def test_a_live_link_is_proved_by_the_record_of_its_page(crawled: Crawled) -> None:
    found = crawled.evidence("https://post.example/1")
    assert {name: found[name] for name in ("url_from", "url_to", "link_type", "live")} == {
        "url_from": "https://post.example/1",
        "url_to": SHOP,
        "link_type": "href",
        "live": True,
    }
    assert (found["first_seen"], found["lost"], found["reason_lost"]) == ("2026-01-01", None, "")
    (record,) = found["records"]
    identity = record.pop("id")
    assert record == {
        "file": f"file://{crawled.first}",
        "offset": crawled.begin["https://post.example/1"],
        "type": "response",
        "url": "https://post.example/1",
        "date": FIRST,
        "status": 200,
        "digest": DIGEST,
    }
    assert identity in gzip.decompress(crawled.first.read_bytes()).decode()


def test_the_revisit_that_found_it_unchanged_is_told(crawled: Crawled) -> None:
    last = crawled.evidence("https://post.example/1")["last_visit"]
    assert (last["type"], last["date"], last["status"]) == ("revisit", SECOND, None)
    assert last["file"] == f"file://{crawled.second}"
    assert last["offset"] == crawled.later["https://post.example/1"]


def test_every_element_that_links_there_is_told_with_its_surroundings(crawled: Crawled) -> None:
    logo, text = crawled.evidence("https://post.example/1")["occurrences"]
    assert logo == {
        "element": "a",
        "anchor": "",
        "rel": "",
        "nofollow": False,
        "image": True,
        "image_source": "https://post.example/i.png",
        "alt": "logo",
        "place": "navigation",
        "before": "",
        "after": "words before the shop after end",
    }
    assert text == {
        "element": "a",
        "anchor": "the shop",
        "rel": "nofollow ugc",
        "nofollow": True,
        "image": False,
        "image_source": None,
        "alt": None,
        "place": "content",
        "before": "words before",
        "after": "after end",
    }


def test_a_link_that_went_with_its_page_is_proved_by_what_was_there(crawled: Crawled) -> None:
    found = crawled.evidence("https://gone.example/")
    assert (found["live"], found["lost"]) == (False, "2026-01-05")
    assert (found["reason_lost"], found["outcome"]) == ("page_not_found", "ok")
    assert found["records"][0]["offset"] == crawled.begin["https://gone.example/"]
    assert found["last_visit"]["status"] == 404
    assert len(found["occurrences"]) == 1


def test_a_link_that_does_not_count_any_more_is_shown_with_the_reason(crawled: Crawled) -> None:
    found = crawled.evidence("https://hidden.example/")
    assert (found["live"], found["reason_lost"], found["outcome"]) == (False, "noindex", "noindex")
    assert found["records"][0]["offset"] == crawled.later["https://hidden.example/"]
    assert found["last_visit"] is None
    assert len(found["occurrences"]) == 1


def test_a_link_that_was_removed_has_no_evidence(crawled: Crawled) -> None:
    for answer in (crawled.ask("https://removed.example/"), crawled.record("removed.example")):
        assert answer.status_code == 404
        description = answer.json()["error"]["description"]
        assert "lost on 2026-01-05 (link_removed)" in description


def test_a_redirect_chain_is_proved_hop_by_hop(crawled: Crawled) -> None:
    found = crawled.evidence("https://old.example/", "https://shop.example/new")
    assert found["link_type"] == "redirect"
    assert [(record["url"], record["status"]) for record in found["records"]] == [
        ("https://old.example/", 301),
        ("https://step.example/", 302),
    ]
    (hop,) = found["occurrences"]
    assert (hop["element"], hop["place"], hop["before"]) == ("location", "head", "")
    direct = crawled.evidence("https://old.example/", "https://step.example/")
    assert len(direct["records"]) == 1


def test_a_canonical_is_proved(crawled: Crawled) -> None:
    found = crawled.evidence("https://copy.example/", "https://shop.example/c")
    (link,) = found["occurrences"]
    assert (found["outcome"], link["element"], link["place"]) == (
        *("not_canonical", "canonical", "head"),
    )


def test_a_file_of_wat_has_no_text_and_says_so(crawled: Crawled) -> None:
    found = crawled.evidence("https://wat.example/")
    assert found["page_text"] is False
    assert found["records"][0]["type"] == "metadata"
    (link,) = found["occurrences"]
    assert (link["anchor"], link["place"], link["before"], link["after"]) == (
        *("of WAT", None, None, None),
    )


def test_urls_may_stand_without_a_scheme(crawled: Crawled) -> None:
    assert crawled.evidence("post.example/1", "shop.example") == crawled.evidence(
        "https://post.example/1"
    )


def test_the_record_is_handed_out_as_it_stands(crawled: Crawled) -> None:
    answer = crawled.record("https://post.example/1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/warc"
    offset = crawled.begin["https://post.example/1"]
    member = zlib.decompressobj(31).decompress(crawled.first.read_bytes()[offset:])
    assert answer.content == member
    (record,) = ArchiveIterator(io.BytesIO(answer.content))
    assert record.rec_headers.get_header("WARC-Target-URI") == "https://post.example/1"
    name = f"the_first__.warc.gz-{offset}.warc"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


PROVED = [
    ("https://post.example/1", SHOP),
    ("https://gone.example/", SHOP),
    ("https://hidden.example/", SHOP),
    ("https://old.example/", "https://shop.example/new"),
    ("https://copy.example/", "https://shop.example/c"),
    ("https://wat.example/", SHOP),
]


@pytest.mark.parametrize(("page", "target"), PROVED)
def test_answers_keep_to_the_description_and_the_schema(
    crawled: Crawled, page: str, target: str
) -> None:
    found = crawled.evidence(page, target)
    description = json.loads(document())
    answers = description["paths"]["/v2/evidence"]["get"]["responses"]["200"]["content"]
    schema = answers["application/json"]["schema"] | {"components": description["components"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(found)
    answer = crawled.ask(page, target, output="xml")
    xml = etree.fromstring(answer.content)
    etree.XMLSchema(etree.parse(ROOT / "docs/xsd/evidence.xsd")).assertValid(xml)
    assert plain(xml) == as_xml(found)


def plain(element: Any) -> Any:
    """What an element holds, as `as_xml` writes it."""
    if element.attrib:
        return None
    if len(element) or element.tag in ("occurrences", "records"):
        return [(child.tag, plain(child)) for child in element]
    return element.text or ""


def as_xml(value: Any) -> Any:
    """A value of JSON by the rules of docs/api.md: names and order, lists of named items."""
    items = {"occurrences": "occurrence", "records": "record"}
    if isinstance(value, dict):
        return [
            (name, [(items[name], as_xml(one)) for one in held] if name in items else as_xml(held))
            for name, held in value.items()
        ]
    return value if value is None or isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"url_from": "https://nobody.example/"}, 404, "no backlink from https://nobody.example/"),
        ({"url_to": "https://post.example/1"}, 404, "no backlink"),
        ({"url_to": ""}, 400, "url_to is required: a URL"),
        ({"url_from": ""}, 400, "url_from is required"),
        ({"url_from": "ftp://a.example/"}, 400, "neither http nor https"),
        ({"url_to": "https://"}, 400, "not a valid URL"),
        ({"output": "csv"}, 406, "csv"),
        ({"apikey": "wrong"}, 401, "no such API key"),
    ],
)
def test_what_is_wrong_is_told_in_both_formats(
    crawled: Crawled, given: dict[str, str], status: int, words: str
) -> None:
    for path in ("evidence", "evidence/record", "verify"):
        query = {"apikey": crawled.server.key, "url_from": "https://post.example/1"}
        query |= {"url_to": SHOP} | given
        if path == "verify" and status == 404:
            continue  # it is refused before: the key may not
        for output in ("json", "xml"):
            asked = {"output": output} | query
            answer = crawled.server.client.get(f"/v2/{path}", params=asked)
            assert answer.status_code == status
            if output == "xml" and "output" not in given:
                etree.XMLSchema(etree.parse(ROOT / "docs/xsd/error.xsd")).assertValid(
                    root := etree.fromstring(answer.content)
                )
                assert words in (root.findtext("error/description") or "")
            else:
                assert words in answer.json()["error"]["description"]


def test_other_methods_are_refused(crawled: Crawled) -> None:
    for path in ("evidence", "evidence/record", "verify"):
        answer = crawled.server.client.post(f"/v2/{path}", json={"url_to": SHOP})
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, OPTIONS"


def test_an_answer_costs_a_unit_and_a_refusal_nothing(crawled: Crawled) -> None:
    def used() -> dict[str, tuple[int, int]]:
        engine = connect(Layout(crawled.server.data).accounts)
        try:
            return {row.command: (row.requests, row.units) for row in usage(engine)}
        finally:
            engine.dispose()

    before = used()
    crawled.evidence("https://post.example/1")
    assert crawled.ask("https://removed.example/").status_code == 404
    assert crawled.record("https://post.example/1").status_code == 200
    for name in ("evidence", "evidence-record"):
        requests, units = before.get(name, (0, 0))
        assert used()[name] == (requests + 1, units + 1)


def test_the_client_asks_for_evidence(crawled: Crawled) -> None:
    with Client(str(crawled.server.client.base_url), crawled.server.key, attempts=1) as client:
        proof = client.evidence("https://post.example/1", SHOP).result()
        assert proof.records[0].digest == DIGEST
        assert [one.place for one in proof.occurrences] == ["navigation", "content"]
        record = client.evidence_record("https://post.example/1", SHOP).result()
        assert record == crawled.record("https://post.example/1").content
        with pytest.raises(ClientError, match=r"403 .*may not request live checks"):
            client.verify("https://post.example/1", SHOP).result()


def test_a_crawl_file_that_is_gone_is_told_and_found_again(crawled: Crawled) -> None:
    content = crawled.first.read_bytes()
    crawled.first.unlink()
    try:
        for answer in (crawled.ask("https://far.example/"), crawled.record("far.example")):
            assert answer.status_code == 410
            assert "the first é.warc.gz cannot be read" in answer.json()["error"]["description"]
        crawled.first.write_bytes(content[::-1])
        answer = crawled.ask("https://far.example/", output="xml")
        assert answer.status_code == 410
        assert b"is not the one that was ingested" in answer.content
    finally:
        crawled.first.write_bytes(content)
    assert crawled.evidence("https://far.example/")["live"]
