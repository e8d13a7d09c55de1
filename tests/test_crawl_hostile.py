"""Hostile answers, served to each command that fetches: none of them ends a crawl or a check.

The answers and what becomes of each stand in ``crawl_web.hostile``; here they are the page, the
robots.txt and the sitemap of a host each. What was recorded is read by warcio.
"""

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from demo.server import Server

from inlink.cli import main
from inlink.crawl.job import unfinished
from inlink.evidence.check import check
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from tests.crawl_web import hostile
from tests.crawl_web.answers import Answer, page, redirect, text
from tests.crawl_web.hostile import OUTSIDE
from tests.serving import Row, make_current, stored_keys, write_generation
from tests.serving import serving as api_serving
from tests.test_crawl_web import backlinks, records

GOOD = "http://good.example/"
SETTINGS: dict[str, Any] = {
    "user_agent_contact": "mailto:crawl@operator.example",
    "crawl_delay_seconds": 0,
    "fetch_timeout_seconds": 60,
    "max_body_megabytes": 1,
    "redirect_hops": 3,
}
ROBOTS_LINES = (
    *("https://[your-domain]/sitemap.xml", "http://[", "http://]/s.xml", "{{ site.url }}/s.xml"),
    *("http://a.example:99999/", "http://xn--\u00e9/", "//", "\0", "http://%zz/", "x" * 30_000),
)


@dataclass
class Web:
    """Answers by URL; everything else is 404."""

    pages: dict[str, Answer] = field(default_factory=dict)
    seeds: list[str] = field(default_factory=list)
    expected: dict[str, str] = field(default_factory=dict)
    """What becomes of each page."""

    def __call__(self, url: str, headers: dict[str, str]) -> Answer | None:
        return self.pages.get(url)

    def page(self, url: str, answer: Answer, expected: str) -> None:
        self.seeds.append(url)
        self.pages[url] = answer
        self.expected[url] = expected


def pages_of(answers: hostile.Hostile) -> Web:
    """A web with a host for each answer, and one that is as it should be."""
    web = Web()
    for name, (answer, expected) in answers.items():
        web.page(f"http://{name}.example/", answer, expected)
    web.page(GOOD, page(OUTSIDE), "2xx")
    return web


def all_stages() -> Web:
    """Hostile pages, robots.txt and sitemaps at a host each, and redirects without end."""
    web = pages_of(hostile.ready())
    _behind(web, hostile.no_robots(), hostile.no_sitemap())
    lines = "".join(f"Sitemap: {line}\n" for line in ROBOTS_LINES)
    web.page("http://lines.example/", page(OUTSIDE), "2xx")
    web.pages["http://lines.example/robots.txt"] = text(f"User-agent: *\nDisallow: //[\n{lines}")
    web.page("http://self.example/", redirect("/"), "3xx")
    web.page("http://to.example/", redirect("http://fro.example/"), "3xx")
    web.page("http://fro.example/", redirect("http://to.example/"), "3xx")
    web.pages["http://to.example/robots.txt"] = redirect("http://fro.example/robots.txt")
    web.pages["http://fro.example/robots.txt"] = redirect("http://to.example/robots.txt")
    return web


def _behind(web: Web, robots: hostile.Hostile, sitemaps: hostile.Hostile) -> None:
    """Good pages, of hosts that are not."""
    for name, (answer, expected) in robots.items():
        origin = f"http://{name}.robots.example"
        web.page(f"{origin}/", page(OUTSIDE), _after_robots(expected))
        web.pages[f"{origin}/robots.txt"] = answer
    for name, (answer, _) in sitemaps.items():
        origin = f"http://{name}.sitemap.example"
        web.page(f"{origin}/", page(OUTSIDE), "2xx")
        web.pages[f"{origin}/sitemap.xml"] = answer


def _after_robots(expected: str) -> str:
    """RFC 9309 2.3.1: unreachable forbids, unavailable (4xx, redirects) allows."""
    return {"5xx": "robots_unreachable", "3xx": "2xx"}.get(expected, expected)


def invoke(data: Path, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [command, "--data", str(data), *arguments])


def became(data: Path) -> dict[str, str]:
    """The cause or the class of the status of each page that is recorded; none is so twice."""
    found = [
        (warc["WARC-Target-URI"], content.decode().split()[1] if kind == "metadata" else status)
        for file in sorted(data.glob("crawls/*/*.warc.gz"))
        for kind, warc, _, status, content in records(file)
        if kind in ("response", "revisit", "metadata")
    ]
    assert max(Counter(url for url, _ in found).values()) == 1
    return {url: f"{what[0]}xx" if what.isdigit() else what for url, what in found}


def prepare(data: Path, web: Web, server: Server, **settings: object) -> list[str]:
    data.mkdir()
    server.web = web
    server.log.clear()
    content = json.dumps({**SETTINGS, "crawl_proxy": server.address, **settings})
    (data / "settings.json").write_text(content)
    (data / "seeds").write_text("\n".join(web.seeds))
    return ["--seeds", str(data / "seeds")]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory, crawl_server: Server) -> tuple[Path, Web]:
    """A crawl of all of it."""
    data, web = tmp_path_factory.mktemp("hostile") / "data", all_stages()
    done = invoke(data, "crawl", *prepare(data, web, crawl_server), "--sitemaps", "--depth", "0")
    assert done.exit_code == 0, done.output
    return data, web


def test_each_page_becomes_what_the_standards_say_and_none_ends_the_crawl(
    crawled: tuple[Path, Web],
) -> None:
    data, web = crawled
    assert became(data) == web.expected
    assert unfinished(Layout(data)) == []


def test_a_crawl_that_goes_on_from_such_records_fetches_none_of_them_again(
    crawled: tuple[Path, Web], crawl_server: Server, tmp_path: Path
) -> None:
    """As if it had been killed before its state was written, with all records in the file."""
    data, web = crawled
    resumed = tmp_path / "data"
    prepare(resumed, web, crawl_server)
    (before,) = (data / "crawls").iterdir()
    shutil.copytree(before, after := resumed / "crawls" / before.name)
    (file,) = after.glob("*.warc.gz")
    file.rename(f"{file}.open")
    kept = json.loads((after / "crawl.json").read_bytes())
    (after / "crawl.json").write_text(json.dumps({**kept, "summary": None}))
    done = invoke(resumed, "crawl", "--resume")
    assert done.exit_code == 0, done.output
    assert [request.url for request in crawl_server.log if not request.is_robots] == []
    assert became(resumed) == web.expected
    outcomes = json.loads((after / "crawl.json").read_bytes())["summary"]["outcomes"]
    assert outcomes == kept["summary"]["outcomes"] == Counter(web.expected.values())


def test_what_is_too_slow_is_a_timeout_at_each_stage(crawl_server: Server, tmp_path: Path) -> None:
    data, web = tmp_path / "data", Web()
    for name, (answer, expected) in hostile.slow().items():
        web.page(f"http://{name}.example/", answer, expected)
    _behind(web, hostile.slow(), hostile.slow())
    seeds = prepare(data, web, crawl_server, fetch_timeout_seconds=1)
    done = invoke(data, "crawl", *seeds, "--sitemaps", "--depth", "0")
    assert done.exit_code == 0, done.output
    late = {url: what for url, what in web.expected.items() if what == "timeout"}
    assert became(data).items() >= late.items()
    assert became(data).keys() == web.expected.keys()


def test_the_loop_takes_in_what_there_is(crawl_server: Server, tmp_path: Path) -> None:
    small = {name: given for name, given in hostile.ready().items() if "body-" not in name}
    data, web = tmp_path / "data", pages_of(small)
    done = invoke(data, "run", "--once", *prepare(data, web, crawl_server))
    assert done.exit_code == 0, done.output
    live, _ = backlinks(data)
    good = {url for url, what in web.expected.items() if what == "2xx"}
    assert {source for source, target in live if target == OUTSIDE} >= {GOOD, *good} - {
        "http://field-type.example/",  # no type of HTML
        "http://field-link.example/",
        "http://chunk-not-last.example/",
    }


VALIDATORS = ('"\u65e5\u672c"', "\xff\xfe", '"a"\rX-Injected: yes', '"\0"', '"a"\n', "\x7f", "")


def test_validators_that_cannot_be_sent_as_they_came_are_left_out(
    crawl_server: Server, tmp_path: Path
) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-5.5"""
    data = tmp_path / "data"
    urls = [f"http://tag{number}.example/" for number in range(len(VALIDATORS))]
    prepare(data, Web(dict.fromkeys([*urls, GOOD], page(OUTSIDE))), crawl_server)
    known = [*zip(urls, VALIDATORS, strict=True), (GOOD, 'W/"a b"')]
    plan = "".join(
        json.dumps({"url": url, "etag": value, "last_modified": value}) + "\n"
        for url, value in known
    )
    (data / "plan.jsonl").write_text(plan)
    done = invoke(data, "crawl", "--plan", str(data / "plan.jsonl"))
    assert done.exit_code == 0, done.output
    assert set(became(data).values()) == {"2xx"}
    sent = {
        request.url: request.headers.get("if-none-match")
        for request in crawl_server.log
        if not request.is_robots
    }
    assert sent == {**dict.fromkeys(urls), GOOD: 'W/"a b"'}
    assert not any("x-injected" in request.headers for request in crawl_server.log)


@pytest.mark.parametrize(
    "name",
    ("chunk-minus", "length-5000-digits", "head-flood", "head-half", "hints-flood", "slow-body"),
)
def test_a_page_with_a_malformed_answer_could_not_be_checked(
    name: str, crawl_server: Server, tmp_path: Path
) -> None:
    answer, cause = (hostile.ready() | hostile.slow())[name]
    url = f"http://{name}.example/"
    data = tmp_path / "data"
    prepare(data, Web({url: answer}), crawl_server, fetch_timeout_seconds=2)
    done = invoke(data, "verify", "--json", url, OUTSIDE)
    assert (done.exit_code, bool(done.stdout)) == (2, True), done.output
    found = json.loads(done.stdout)
    assert (found["result"], found["failure"]) == ("not_checked", cause)


@pytest.mark.parametrize("name", ("body-endless", "body-half-gzip", "body-five-codings"))
def test_what_was_not_seen_whole_is_not_said_to_be_absent(
    name: str, crawl_server: Server, tmp_path: Path
) -> None:
    url = f"http://{name}.example/"
    crawl_server.web = Web({url: hostile.bodies()[name][0]})
    settings = Settings(**{**SETTINGS, "crawl_proxy": crawl_server.address})
    found = check(url, "http://elsewhere.example/", settings, tmp_path)
    assert (found.result, found.status) == ("not_checked", 200)


def test_the_server_says_the_same(crawl_server: Server, tmp_path: Path) -> None:
    data, url = tmp_path / "data", "http://chunk-minus.example/"
    prepare(data, Web({url: hostile.chunk_sizes()["chunk-minus"][0]}), crawl_server)
    write_generation(data, 1, [Row(url, OUTSIDE)])
    make_current(data, 1)
    with stored_keys(data) as keys:
        key = keys.create("checks", may_verify=True)
    with api_serving(data) as api:
        given = {"apikey": key, "url_from": url, "url_to": OUTSIDE}
        answer = api.client.get("/v2/verify", params=given)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["result"], found["failure"]) == ("not_checked", "http")


def test_a_body_has_only_so_many_chunks(
    crawl_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inlink.crawl.fetch.MAX_CHUNKS", 10)
    crawl_server.web = Web({GOOD: hostile.one_chunk(b"1\r\n \r\n" * 10 + b"1", b" ")})
    settings = Settings(**{**SETTINGS, "crawl_proxy": crawl_server.address})
    assert check(GOOD, OUTSIDE, settings, tmp_path).failure == "http"
