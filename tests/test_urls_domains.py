"""Registrable domains against the vectors of the Public Suffix List and two other readers."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import ada_url
import publicsuffixlist
import pytest
import tldextract
from hypothesis import given
from hypothesis import strategies as st

from inlink.urls.domains import (
    host_to_ascii,
    host_to_unicode,
    icann_domain,
    is_icann_suffix,
    registrable_domain,
)

PACKAGED_LIST = Path(publicsuffixlist.PSLFILE)

BENEATH_A_DOMAIN = {".example.com": "example.com", ".example.example": "example.example"}
"""Vectors that have no domain for a leading dot. The WHATWG rules allow such hosts, and the keys of
their URLs lie in the range of ``example.com``: they belong to it like any other host in the range.
"""


def psl_vectors(shared: Path) -> Iterator[tuple[str, str | None]]:
    for line in (shared / "psl" / "test_psl.txt").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"checkPublicSuffix\('(.+)', (?:null|'(.+)')\);", line):
            yield match[1], match[2]
    for line in (shared / "psl" / "tests.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("//", "null")):
            host, domain = line.split()
            yield host, None if domain == "null" else domain


def test_every_vector_of_the_public_suffix_list_holds(shared: Path) -> None:
    vectors = list(psl_vectors(shared))
    assert len(vectors) > 140
    for text, expected in vectors:
        host = host_to_ascii(text)
        assert host is not None
        domain = host_to_ascii(expected) if expected else BENEATH_A_DOMAIN.get(host, host)
        assert registrable_domain(host) == domain, text


def test_the_packaged_list_is_as_new_as_the_vectors(shared: Path) -> None:
    assert version(PACKAGED_LIST) >= version(shared / "psl" / "public_suffix_list.dat")


def version(path: Path) -> str:
    found = re.search(r"^// VERSION: (\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[1]


class Rules:
    """The algorithm of https://publicsuffix.org/list/, word by word."""

    def __init__(self, *, private: bool) -> None:
        text = PACKAGED_LIST.read_text(encoding="utf-8")
        if not private:
            text = text.partition("// ===END ICANN DOMAINS===")[0]
        lines = [line.split()[0] for line in text.splitlines() if line.strip()]
        self.rules = {punycode(line) for line in lines if not line.startswith("//")}

    def suffix(self, host: str) -> str:
        labels = host.split(".")
        tails = [labels[start:] for start in range(len(labels))]
        for tail in tails:
            if "!" + ".".join(tail) in self.rules:
                return ".".join(tail[1:])
        for tail in tails:  # the longest first
            exact, wild = ".".join(tail), ".".join(["*", *tail[1:]])
            if exact in self.rules or (len(tail) > 1 and wild in self.rules):
                return ".".join(tail)
        return labels[-1]  # the prevailing rule is "*"

    def domain(self, host: str) -> str:
        count = self.suffix(host).count(".") + 2
        return ".".join(host.split(".")[-count:])


def punycode(rule: str) -> str:
    mark = re.match(r"!|\*\.|", rule)
    assert mark
    ascii_host = host_to_ascii(rule.removeprefix(mark[0]))
    assert ascii_host
    return mark[0] + ascii_host


def hosts_of(rules: Rules) -> Iterator[str]:
    """Hosts at, above and beneath every rule of the list."""
    for rule in rules.rules:
        name = rule.removeprefix("!").removeprefix("*.")
        for host in (name, f"a.{name}", f"b.a.{name}", f"c.b.a.{name}"):
            # Of a name with nothing but wildcards beneath it, the list does not say whether it is
            # a suffix; publicsuffixlist takes the linter's word that it is.
            if f"*.{host}" not in rules.rules or host in rules.rules:
                yield host


def test_every_rule_is_applied_as_the_algorithm_says() -> None:
    every, icann = Rules(private=True), Rules(private=False)
    assert len(every.rules) > len(icann.rules) > 5000
    for host in hosts_of(every):
        assert registrable_domain(host) == every.domain(host), host
        assert registrable_domain(host + ".") == every.domain(host), host
    for host in hosts_of(icann):
        assert icann_domain(host) == icann.domain(host), host
        listed = "." in host or host in icann.rules
        assert is_icann_suffix(host) == (listed and icann.suffix(host) == host), host


def test_tldextract_reads_real_hosts_alike(shared: Path) -> None:
    every = tldextract.TLDExtract(None, (), include_psl_private_domains=True)
    icann = tldextract.TLDExtract(None, ())
    listed = {host for host in real_hosts(shared) if every(host).suffix}
    assert len(listed) > 8_000  # tldextract has no domain for addresses and unlisted names
    for host in listed:
        assert registrable_domain(host) == (every(host).top_domain_under_public_suffix or host)
        assert icann_domain(host) == (icann(host).top_domain_under_public_suffix or host)


def real_hosts(shared: Path) -> set[str]:
    hosts = set()
    with gzip.open(shared / "url" / "ada-top100-urls.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            try:
                parsed = ada_url.parse_url(line, ("hostname", "protocol"))
            except ValueError:
                continue
            if parsed["protocol"] in ("http:", "https:"):
                hosts.add(parsed["hostname"])
    return hosts


@pytest.mark.parametrize(
    "host",
    ["192.0.2.1", "[2001:db8::1]", "com", "co.uk", "github.io", "localhost", ".", ".."],
)
def test_a_host_without_a_registrable_domain_is_its_own(host: str) -> None:
    assert registrable_domain(host) == host


@pytest.mark.parametrize(
    ("host", "registrable", "icann"),
    [
        ("www.example.com.", "example.com", "example.com"),
        ("a.b.github.io", "b.github.io", "github.io"),
        ("github.io", "github.io", "github.io"),
        ("a..example.com", "example.com", "example.com"),
        (".example.com.", "example.com", "example.com"),
        ("a!.example.com", "example.com", "example.com"),
        ("x.www.ck", "www.ck", "www.ck"),
        ("y.x.ck", "y.x.ck", "y.x.ck"),
        ("intranet", "intranet", "intranet"),
        ("a.b.intranet", "b.intranet", "b.intranet"),
    ],
)
def test_registrable_domain(host: str, registrable: str, icann: str) -> None:
    assert registrable_domain(host) == registrable
    assert icann_domain(host) == icann


LABELS = st.sampled_from(["", "a", "b-", "!", "*", "www", "com", "uk", "co", "ck", "github", "io"])


@given(st.lists(LABELS, min_size=2, max_size=6).map(".".join))
def test_all_that_lies_beneath_a_domain_belongs_to_it(host: str) -> None:
    domain, partition = registrable_domain(host), icann_domain(host)
    assert registrable_domain(domain) == domain
    assert icann_domain(domain) == icann_domain(partition) == partition
    for deeper in (f"x.{host}", f".{host}", f"{host}."):
        if len(domain) < len(host.rstrip(".")):
            assert registrable_domain(deeper) == domain
        if len(partition) < len(host.rstrip(".")):
            assert icann_domain(deeper) == partition


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Bücher.DE", "xn--bcher-kva.de"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("EXAMPLE.com", "example.com"),
        ("0x7f.1", "127.0.0.1"),
        ("[2001:DB8::0:1]", "[2001:db8::1]"),
        ("a%2Eb", "a.b"),
        ("", None),
        ("example.com:80", None),
        ("[::1]:80", None),
        ("::1", None),
        ("user@example.com", None),
        ("example.com/x", None),
        ("example.com?x", None),
        ("example.com#x", None),
        ("example.com\\x", None),
        ("a b", None),
        ("1.2.3.4.5", None),
        ("\ud800", None),
    ],
)
def test_host_to_ascii(text: str, host: str | None) -> None:
    assert host_to_ascii(text) == host


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("xn--bcher-kva.de", "bücher.de"),
        ("xn--r8jz45g.xn--zckzah", "例え.テスト"),
        ("www.example.com", "www.example.com"),
        ("xn--a.example", "xn--a.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("a..b.", "a..b."),
    ],
)
def test_host_to_unicode(host: str, text: str) -> None:
    assert host_to_unicode(host) == text


@given(st.text())
def test_what_people_read_leads_back_to_the_host(text: str) -> None:
    host = host_to_ascii(text)
    if host is not None:
        assert host_to_ascii(host_to_unicode(host)) == host
