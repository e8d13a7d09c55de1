"""The shared inputs that once went wrong in the crawler, served byte for byte; see their README."""

from pathlib import Path

import pytest

from inlink.crawl.sitemaps import sitemap_urls
from tests.crawl_site import Site
from tests.crawl_web.answers import page, send, text
from tests.test_crawl_robots import fetched


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("name", ("a1-negative-chunk", "a2-content-length-5000-digits"))
def test_a_malformed_length_fails_one_page_or_the_pages_of_one_host(
    site: Site, cases: Path, name: str
) -> None:
    raw = send((cases / f"{name}.http").read_bytes())
    other = site.origin.replace("127.0.0.1", "localhost")
    answers = {
        f"{site.origin}/": page("/bad", "/good"),
        f"{site.origin}/bad": raw,
        f"{site.origin}/good": page(),
        f"{other}/robots.txt": raw,
    }
    site.server.web = lambda url, headers: answers.get(url)
    summary = site.crawl(seeds=(f"{site.origin}/", f"{other}/"))
    assert summary.finished
    assert summary.outcomes == {"2xx": 2, "http": 2}


def test_an_unusable_retry_after_leaves_it_to_our_own_pause(site: Site, cases: Path) -> None:
    site.pages["/"] = send((cases / "a3-retry-after-year.http").read_bytes())
    assert site.crawl().outcomes == {"5xx": 1}
    assert site.asked() == ["/"] * 3


@pytest.mark.parametrize(
    "name", ("a4-robots-sitemap-placeholder.txt", "damage/robots-388c4d72.bin")
)
def test_a_sitemap_line_that_is_no_url_is_ignored(site: Site, cases: Path, name: str) -> None:
    site.pages |= {"/": page(), "/robots.txt": text((cases / name).read_text())}
    assert site.crawl(sitemaps=True).outcomes == {"2xx": 1}


@pytest.mark.parametrize("name", ("b1-robots-cr-comment-first.txt", "b2-robots-agent-version.txt"))
def test_what_robots_txt_forbids_is_not_fetched(site: Site, cases: Path, name: str) -> None:
    site.pages |= {"/secret": page(), "/robots.txt": text((cases / name).read_bytes().decode())}
    assert site.crawl(seeds=(f"{site.origin}/secret",)).outcomes == {"robots": 1}
    assert site.asked() == []


def test_the_media_type_of_robots_txt_does_not_shorten_it(site: Site, cases: Path) -> None:
    site.pages["/secret"] = page()
    site.pages["/robots.txt"] = send((cases / "b4-robots-octet-stream-over-64k.http").read_bytes())
    assert site.crawl(seeds=(f"{site.origin}/secret",)).outcomes == {"robots": 1}


def test_sitemaps_name_what_they_name(cases: Path) -> None:
    def urls(name: str, content_type: str) -> list[str]:
        answer = fetched(200, (cases / name).read_bytes(), content_type=content_type)
        return [entry.url for entry in sitemap_urls(answer)]

    assert urls("c1-sitemap-bom.xml", "text/xml") == ["http://a.example/one"]
    assert urls("c3-sitemap-soft404-bom.html", "text/html") == []
    assert len(set(urls("c5-sitemap-6000.xml.gz", "application/x-gzip"))) == 6000
