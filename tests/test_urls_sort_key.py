"""Sort keys: the form by hand, the way back, and the order they put URLs in."""

import gzip
import itertools
import json
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

import ada_url
import pytest
import tldextract
from hypothesis import given
from hypothesis import strategies as st

from inlink.urls.canonical import canonical_url, sort_key, url_of_key
from inlink.urls.describe import UrlRow, describe

HOST_CHARACTERS = "ab09-_!\"$&'()*+,;=`{}~"
LABELS = st.text(HOST_CHARACTERS, max_size=4) | st.sampled_from(["com", "example", "www", "xn--a"])
HOSTS = st.lists(LABELS, min_size=1, max_size=5).map(".".join) | st.sampled_from(
    ["192.0.2.1", "192.0.2.10", "[2001:db8::1]", "[::]", "bücher.de", "1.2.3.4.."]
)
TEXT = st.text(st.characters(), max_size=6)
URLS = st.builds(
    "{}://{}{}{}/{}?{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["", "user@", "user:pass@", ":p@", "a b:c d@"]),
    HOSTS,
    st.sampled_from(["", ":80", ":443", ":8080", ":0"]),
    TEXT,
    TEXT,
)
CANONICAL = (
    st.builds(lambda url: canonical_url(url.removesuffix("?")), URLS)
    .filter(lambda url: url is not None)
    .map(str)
)


@pytest.fixture(scope="session")
def real_urls(shared: Path) -> list[str]:
    """The distinct canonical URLs of 100,031 that were met on real pages."""
    with gzip.open(shared / "url" / "ada-top100-urls.txt.gz", "rt", encoding="utf-8") as lines:
        return sorted({url for line in lines if (url := canonical_url(line)) is not None})


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://www.iana.org/a.css", "org,iana,www)/a.css http"),
        ("https://www.example.com/path?query", "com,example,www)/path?query https"),
        ("http://example.com:8080/p", "com,example):8080/p http"),
        ("https://example.com./", "com,example,)/ https"),
        ("https://example.com../", "com,example,,)/ https"),
        ("http://.example.com/", "com,example,%)/ http"),
        ("http://a..b/", "b,%,a)/ http"),
        ("http://./", "%,)/ http"),
        ("http://192.0.2.1/", "192.0.2.1)/ http"),
        ("http://[2001:db8::1]/", "[2001:db8::1])/ http"),
        ("http://[2001:db8::1]:81/", "[2001:db8::1]):81/ http"),
        ("https://user:pass@a.com/", "com,a)/ https user:pass"),
        ("https://:p@a.com/?", "com,a)/? https :p"),
        ("http://a,b).c*d_e-f/", "c%2Ad_e-f,a%2Cb%29)/ http"),
        ("http://a/b)c,d@e:f/", "a)/b)c,d@e:f/ http"),
        ("http://xn--bcher-kva.de/", "de,xn--bcher-kva)/ http"),
    ],
)
def test_the_form_of_the_key(url: str, key: str) -> None:
    assert canonical_url(url) == url
    assert sort_key(url) == key
    assert url_of_key(key) == url


@given(CANONICAL)
def test_a_key_leads_back_to_its_url(url: str) -> None:
    key = sort_key(url)
    assert key.isascii()
    assert url_of_key(key) == url


def test_keys_of_real_urls_lead_back_and_differ(real_urls: list[str]) -> None:
    keys = {sort_key(url) for url in real_urls}
    assert len(keys) == len(real_urls) > 99_000
    assert sorted(map(url_of_key, keys)) == real_urls


def test_keys_of_the_vectors_lead_back(shared: Path) -> None:
    vectors = json.loads((shared / "url" / "urltestdata.json").read_text(encoding="utf-8"))
    hrefs = {vector.get("href", "") for vector in vectors if isinstance(vector, dict)}
    urls = {url for href in hrefs if (url := canonical_url(href)) is not None}
    assert len(urls) > 150
    assert {url_of_key(sort_key(url)) for url in urls} == urls


def test_urls_hosts_and_domains_each_stand_together(real_urls: list[str]) -> None:
    """By the hosts of the URL parser, and the domains of another reader of the suffix list."""
    ordered = sorted(real_urls, key=sort_key)
    extract = tldextract.TLDExtract(None, (), include_psl_private_domains=True)

    def domain(host: str) -> str:
        return extract(host).top_domain_under_public_suffix or host

    hosts = [ada_url.parse_url(url, ("hostname",))["hostname"] for url in ordered]
    assert stand_together(hosts, str)
    assert stand_together(hosts, domain)
    names = [host for host in hosts if not host.replace(".", "").isdigit()]
    assert stand_together(names, lambda host: host.rstrip(".").rpartition(".")[2])
    assert stand_together(ordered, lambda url: url.partition("://")[2])
    assert not stand_together(real_urls, lambda url: url.partition("://")[2])


def stand_together(items: Iterable[str], group: Callable[[str], Hashable]) -> bool:
    runs = [name for name, _ in itertools.groupby(items, group)]
    return len(runs) == len(set(runs))


@given(CANONICAL)
def test_a_description_says_what_a_full_parse_says(url: str) -> None:
    agrees_with_a_full_parse(describe(url))


def test_descriptions_of_real_urls_say_what_a_full_parse_says(real_urls: list[str]) -> None:
    for url in real_urls[::10]:
        agrees_with_a_full_parse(describe(url))


def agrees_with_a_full_parse(row: UrlRow) -> None:
    parsed = ada_url.parse_url(row.url)
    host = parsed["hostname"]
    assert row.host == host
    assert f".{host.rstrip('.')}".endswith(f".{row.domain}") or row.domain == host
    rest = parsed["pathname"] + row.url[len(row.url.partition("?")[0]) :]
    port = f":{parsed['port']}" if parsed["port"] else ""
    head, _, tail = row.sort_key.partition(")")
    assert head == sort_key(f"http://{host}/").removesuffix(")/ http")
    assert tail.split(" ")[:2] == [port + rest, parsed["protocol"].removesuffix(":")]
