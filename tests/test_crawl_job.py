"""Crawls from end to end against a server on loopback that is asked directly."""

import gzip
import pkgutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner

from inlink.cli import main
from inlink.cli.crawl import seed_urls
from inlink.crawl.job import CrawlError, unfinished
from inlink.crawl.plan_file import PlanEntry, PlanError, part_of, read_plan, write_plan
from inlink.crawl.warc import WarcFiles
from inlink.store.configuration import Settings
from inlink.store.layout import BusyError, locked
from tests.crawl_site import Site
from tests.crawl_web import answers
from tests.crawl_web.answers import page, redirect, reply, text
from tests.test_crawl_robots import fetched
from tests.test_crawl_web import records


def test_bytes_are_recorded_as_they_were_sent(site: Site) -> None:
    odd = b"HTTP/1.1  200\tFine\nX-Odd :  one\n two\r\ncontent-type: text/html\n\n<p>\xe9"
    site.pages["/"] = answers.send(odd)
    site.crawl()
    (file,) = site.layout.crawls.glob("*/*.warc.gz")
    assert b"\r\n\r\n" + odd + b"\r\n\r\n" in gzip.decompress(file.read_bytes())
    (response,) = [warc for kind, warc, _, _, _ in records(file) if kind == "response"]
    (request,) = [warc for kind, warc, _, _, _ in records(file) if kind == "request"]
    assert response["WARC-IP-Address"] == "127.0.0.1"
    assert request["WARC-Concurrent-To"] == response["WARC-Record-ID"]


def test_the_request_is_recorded_as_the_server_got_it(site: Site) -> None:
    site.pages["/"] = page()
    site.crawl()
    (file,) = site.layout.crawls.glob("*/*.warc.gz")
    (http,) = [http for kind, _, http, _, _ in records(file) if kind == "request"]
    (request,) = [request for request in site.server.log if not request.is_robots]
    assert {name.lower(): value for name, value in http.items()} == request.headers


def test_depth_counts_links_and_not_redirects(site: Site) -> None:
    site.pages |= {
        "/": page("/one"),
        "/one": redirect("/moved"),
        "/moved": page("/two"),
        "/two": page("/three"),
        "/three": page(),
    }
    site.crawl(depth=2)
    assert site.asked() == ["/", "/one", "/moved", "/two"]


def test_no_more_pages_are_fetched_than_asked_for(site: Site) -> None:
    site.pages |= {"/": page(*(f"/{n}" for n in range(20)))}
    summary = site.crawl(max_pages=7)
    assert summary.finished
    assert summary.fetched == len(site.asked()) == 7


def test_sitemaps_lead_to_pages_that_nothing_links_to(site: Site) -> None:
    def urls(kind: str, *paths: str) -> bytes:
        entries = "".join(f"<{kind}><loc>{site.origin}{path}</loc></{kind}>" for path in paths)
        root = "urlset" if kind == "url" else "sitemapindex"
        return f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{root}>'.encode()

    xml = {"Content-Type": "application/xml"}
    site.pages |= {
        "/": page(),
        "/robots.txt": text(f"Sitemap: {site.origin}/index.xml"),
        "/index.xml": reply(200, xml, urls("sitemap", "/a.xml", "/b.xml.gz", "/broken.xml")),
        "/a.xml": reply(200, xml, urls("url", "/a", "/a?b")),
        "/b.xml.gz": reply(
            200, {"Content-Type": "application/gzip"}, gzip.compress(urls("url", "/b"))
        ),
        "/broken.xml": reply(
            200, xml, b"<urlset><url><loc>" + site.origin.encode() + b"/c</loc></url><"
        ),
        **{path: page() for path in ("/a", "/a?b", "/b", "/c")},
    }
    site.crawl(sitemaps=True)
    assert set(site.asked()) >= {"/", "/a", "/a?b", "/b", "/c"}
    assert {path for _, path in site.recorded()} == {"/", "/a", "/b", "/c"}


def test_without_being_asked_no_sitemap_is_fetched(site: Site) -> None:
    site.pages |= {"/": page(), "/robots.txt": text(f"Sitemap: {site.origin}/index.xml")}
    site.crawl()
    assert site.asked() == ["/"]


def test_pages_that_need_no_fetch_do_not_hold_up_the_others(site: Site, tmp_path: Path) -> None:
    """Two thousand pages that robots.txt forbids, at another origin of the plan."""
    forbidden = site.origin.replace("127.0.0.1", "localhost")
    site.server.web = lambda url, headers: (
        text("User-agent: *\nDisallow: /")
        if url == f"{forbidden}/robots.txt"
        else site.pages.get(url.removeprefix(site.origin))
    )
    site.pages |= {f"/{number}": page() for number in range(5)}
    plan = str(tmp_path / "plan.jsonl")
    urls = [f"{forbidden}/{number}" for number in range(2000)]
    urls += [f"{site.origin}/{number}" for number in range(5)]
    write_plan(plan, [PlanEntry(url=url) for url in urls])
    summary = site.crawl(seeds=(), plan=plan, depth=0, settings=contacted())
    assert summary.outcomes == {"2xx": 5, "robots": 2000}
    assert sorted(site.asked()) == [f"/{number}" for number in range(5)]


def test_the_best_of_a_plan_is_fetched_first(site: Site, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.jsonl.gz")
    write_plan(plan, [PlanEntry(url=f"{site.origin}/{n}", priority=n % 5) for n in range(10)])
    site.crawl(seeds=(), plan=plan, depth=0, max_pages=4, settings=contacted())
    assert site.asked() == ["/4", "/9", "/3", "/8"]


def contacted() -> Settings:
    return Settings(
        allow_private_addresses=True,
        crawl_delay_seconds=0,
        user_agent_contact="mailto:crawl@operator.example",
    )


def test_finished_files_go_where_they_are_asked_for(site: Site) -> None:
    site.pages["/"] = page()
    summary = site.crawl(out="memory://crawls/of-mine")
    assert summary.files == ("memory://crawls/of-mine/test-00000.warc.gz",)
    with fsspec.open(summary.files[0], "rb") as file:
        assert file.read(2) == b"\x1f\x8b"
    assert {path.name for path in site.layout.crawl("test").iterdir()} == {".lock", "crawl.json"}


def test_a_finished_crawl_is_not_done_again(site: Site) -> None:
    site.pages["/"] = page()
    first = site.crawl()
    assert site.crawl() == first
    assert site.asked() == ["/"]
    assert unfinished(site.layout) == []


def test_a_name_stands_for_one_crawl(site: Site) -> None:
    site.pages["/"] = page()
    site.crawl()
    with pytest.raises(CrawlError, match="another name"):
        site.crawl(depth=3)


def test_two_processes_cannot_be_at_one_crawl(site: Site) -> None:
    site.layout.crawl("test").mkdir(parents=True)
    with locked(site.layout.crawl("test") / ".lock"), pytest.raises(BusyError):
        site.crawl()


def test_a_proxy_that_is_gone_ends_the_crawl_and_fails_no_page(site: Site) -> None:
    settings = Settings(user_agent_contact="x@operator.example", crawl_proxy="http://127.0.0.1:1")
    with pytest.raises(CrawlError, match="proxy"):
        site.crawl(settings, seeds=("http://www.example.com/",))
    assert not site.recorded()
    assert [spec.name for spec in unfinished(site.layout)] == ["test"]


def test_a_plan_comes_back_as_it_was_written_and_is_the_same_file_each_time(tmp_path: Path) -> None:
    entries = [
        PlanEntry(url="https://a.example/", priority=2.5, why="due", etag='W/"1"'),
        PlanEntry(url="https://b.example/ü", why="new"),
    ]
    for name in ("one.jsonl.gz", "two.jsonl.gz", "three.jsonl"):
        assert write_plan(str(tmp_path / name), entries) == 2
        assert list(read_plan(str(tmp_path / name))) == entries
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()


def test_a_plan_with_a_bad_line_says_which(site: Site, tmp_path: Path) -> None:
    plan = tmp_path / "plan.jsonl"
    plan.write_text('{"url": "https://a.example/"}\n\n{"uri": "https://b.example/"}\n')
    with pytest.raises(PlanError, match=r"line 3.*url"):
        list(read_plan(str(plan)))


def test_each_host_is_in_one_part_of_a_plan_whatever_its_scheme_and_port() -> None:
    parts = {part_of(url, 7) for url in ("http://a.example/", "https://a.example:8443/x?y")}
    assert len(parts) == 1
    spread = [part_of(f"http://h{number}.example/", 7) for number in range(7000)]
    assert all(800 < spread.count(part) < 1200 for part in range(7))


def test_files_are_rotated_by_size_and_each_begins_with_its_own_description(tmp_path: Path) -> None:
    files = WarcFiles(tmp_path, "c", {"software": "test"}, begun=3, rotate_bytes=5000)
    for number in range(40):
        files.answer(fetched(200, zlib.compress(bytes([number]) * 500) * 20), None)
    files.close()
    names = [path.name for path in files.finished()]
    assert names == [f"c-{number:05d}.warc.gz" for number in range(3, 3 + len(names))]
    assert len(names) > 1
    for path in files.finished():
        first = next(records(path))
        assert (first[0], first[1]["WARC-Filename"]) == ("warcinfo", path.name)
        assert path.stat().st_size < 10_000
    assert sum(kind == "response" for path in files.finished() for kind, *_ in records(path)) == 40


def test_the_command_says_what_is_wrong_with_a_seed(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["crawl", "--data", str(tmp_path), "--seeds", "ftp://x/"])
    assert (result.exit_code, "'ftp://x/' is not a URL such as" in result.output) == (1, True)
    result = CliRunner().invoke(main, ["crawl", "--data", str(tmp_path)])
    assert (result.exit_code, "nothing to fetch" in result.output) == (1, True)
    result = CliRunner().invoke(main, ["crawl", "--data", str(tmp_path), "--resume"])
    assert (result.exit_code, "no interrupted crawl" in result.output) == (1, True)


@pytest.mark.parametrize("end", ("\n", "\r\n", "\r"))
def test_a_file_of_seeds_may_have_a_byte_order_mark(tmp_path: Path, end: str) -> None:
    lines = end.join(("a.example", "# no", "", "http://b.example/\u00e9"))
    (tmp_path / "seeds").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert seed_urls(str(tmp_path / "seeds")) == ["https://a.example", "http://b.example/\u00e9"]


def test_a_file_of_seeds_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.write_bytes("http://a.example/".encode("utf-16"))
    for command in ("crawl", "run"):
        done = CliRunner().invoke(main, [command, "--data", str(tmp_path), "--seeds", str(seeds)])
        assert done.exit_code == 1
        assert f"{seeds} is not UTF-8" in done.output


def test_a_page_that_refreshes_itself_is_followed_like_a_redirect(site: Site) -> None:
    """https://html.spec.whatwg.org/multipage/semantics.html#attr-meta-http-equiv-refresh"""
    site.pages |= {
        "/": page("/one"),
        "/one": page(extra='<meta http-equiv="refresh" content="0; url=/moved">'),
        "/moved": page("/two"),
        "/two": page("/three"),
        "/three": page(),
    }
    site.crawl(depth=2)
    assert site.asked() == ["/", "/one", "/moved", "/two"]


def test_two_robots_txt_that_redirect_to_each_other_hold_up_nobody(site: Site) -> None:
    """RFC 9309 2.3.1.2: after five redirects, as if there were none."""
    other = site.origin.replace("127.0.0.1", "localhost")
    here, there = redirect(f"{other}/robots.txt"), redirect(f"{site.origin}/robots.txt")
    robots = {f"{site.origin}/robots.txt": here, f"{other}/robots.txt": there}
    site.server.web = lambda url, headers: robots.get(url, page())
    summary = site.crawl(seeds=(f"{site.origin}/", f"{other}/"))
    assert summary.outcomes == {"2xx": 2}


def test_a_sitemap_that_moved_is_followed(site: Site) -> None:
    site.pages |= {
        "/": page(),
        "/sitemap.xml": redirect("/index.xml"),
        "/index.xml": text(f"{site.origin}/found"),
        "/found": page(),
    }
    site.crawl(sitemaps=True)
    assert "/found" in site.asked()


@pytest.mark.parametrize("stage", ("links_of", "answer_of", "sitemap_urls", "rules_of", "Reach"))
def test_an_error_of_ours_fails_one_task_and_not_the_crawl(
    site: Site, monkeypatch: pytest.MonkeyPatch, stage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with the second host, be it an error that looks like one of the disk."""
    other = site.origin.replace("127.0.0.1", "localhost")
    site.pages |= {"/": page("/next"), "/next": page()}
    site.server.web = lambda url, headers: (
        site.pages.get(url.removeprefix(site.origin)) if site.origin in url else page()
    )
    name = "inlink.crawl.reach.Reach.follow" if stage == "Reach" else f"inlink.crawl.course.{stage}"
    module, _, function = name.rpartition(".")
    right = pkgutil.resolve_name(f"{module}.{function}")

    def broken(*arguments: Any, **options: Any) -> Any:
        subject = str(arguments)
        if stage in ("rules_of", "Reach") or "localhost" in subject:
            raise OSError("no disk") if stage in ("links_of", "answer_of") else ValueError("no")
        return right(*arguments, **options)

    monkeypatch.setattr(name, broken)
    summary = site.crawl(seeds=(f"{site.origin}/", f"{other}/"), sitemaps=True)
    assert summary.finished
    failed = {"links_of": 1, "answer_of": 1, "sitemap_urls": 0, "rules_of": 2, "Reach": 1}[stage]
    assert summary.outcomes.get("internal", 0) == failed
    assert "failed because of an error in the crawler" in caplog.text
    assert len(site.recorded()) == sum(summary.outcomes.values())  # none has two results


def test_a_full_disk_ends_the_crawl_with_a_message_and_it_goes_on_later(
    site: Site, tmp_path: Path
) -> None:
    site.pages |= {"/": page(extra="x" * 300_000)}
    (tmp_path / "settings.json").write_text('{"allow_private_addresses": true}')
    arguments = ["crawl", "--data", str(tmp_path), "--seeds", f"{site.origin}/"]
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))"
    program = f"{limit}; sys.argv = {['inlink', *arguments]!r}; from inlink.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr
    again = CliRunner().invoke(main, ["crawl", "--data", str(tmp_path), "--resume"])
    assert again.exit_code == 0, again.output
    assert site.recorded() == [("response", "/")]


def test_seeds_of_a_file_need_no_scheme(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/": page(), "/b": page()}
    (tmp_path / "settings.json").write_text('{"allow_private_addresses": true}')
    (tmp_path / "seeds").write_text(f"# mine\n\n{site.origin}/\n {site.origin}/b \n")
    arguments = ["crawl", "--data", str(tmp_path), "--depth", "0"]
    result = CliRunner().invoke(main, [*arguments, "--seeds", str(tmp_path / "seeds")])
    assert result.exit_code == 0, result.output
    assert site.asked() == ["/", "/b"]
    assert "2xx" in result.output
