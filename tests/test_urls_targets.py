"""Targets: what is accepted, and that the range holds what the mode says and nothing else."""

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inlink.contract.vocabulary import Mode
from inlink.urls.canonical import canonical_url, sort_key
from inlink.urls.domains import icann_domain
from inlink.urls.targets import (
    Target,
    TargetError,
    parse_ranked,
    parse_subtree,
    parse_target,
    parse_url,
)

MODES: list[Mode] = ["domain", "host", "url"]


def covers(target: Target, url: str) -> bool:
    return target.low <= sort_key(url) < target.high


@pytest.mark.parametrize(
    "text",
    [
        "www.example.com",
        "WWW.Example.COM/",
        "  http://www.example.com \n",
        "HTTPS://www.example.com/",
        "//www.example.com",
        "www.example.com:80",
        "www.example.com:8080/path?query#fragment",
        "http://user:pass@www.example.com/x",
        "www.example.com?x",
    ],
)
def test_the_host_of_a_target_however_it_is_written(text: str) -> None:
    host = parse_target(text, "host")
    assert covers(host, "http://www.example.com/")
    assert covers(host, "https://www.example.com:444/x?y")
    assert not covers(host, "https://example.com/")
    assert not covers(host, "https://a.www.example.com/")
    domain = parse_target(text, "domain")
    assert covers(domain, "https://example.com/")
    assert covers(domain, "https://a.b.example.com:444/")
    assert covers(domain, "https://example.com./")
    assert not covers(domain, "https://example.com.org/")
    assert not covers(domain, "https://example-b.com/")
    assert not covers(domain, "https://an-example.com/")
    assert (domain.domain, domain.partition_domain) == ("example.com", "example.com")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("example.com", ["http://example.com/", "https://example.com/"], ["http://example.com/a"]),
        ("EXAMPLE.com/#x", ["http://example.com/"], ["http://example.com/?"]),
        ("//example.com/a", ["http://example.com/a", "https://example.com/a"], []),
        ("http://example.com/a", ["http://example.com/a"], ["https://example.com/a"]),
        (
            "https://example.com/a",
            ["https://example.com/a"],
            [
                "http://example.com/a",
                "https://example.com/a/",
                "https://example.com/ab",
                "https://user@example.com/a",
                "https://example.com:444/a",
            ],
        ),
        ("example.com/A?b", ["http://example.com/A?b"], ["http://example.com/a?b"]),
        ("example.com:8080/p", ["https://example.com:8080/p"], ["https://example.com/p"]),
        ("example.com:/p", ["http://example.com/p", "https://example.com/p"], []),
        ("example.com:443/p", ["https://example.com/p"], ["http://example.com/p"]),
        ("example.com:0080", ["http://example.com/"], ["https://example.com/"]),
        ("example.com/a:443/", ["http://example.com/a:443/"], []),
        ("bücher.de/ü", ["http://xn--bcher-kva.de/%C3%BC"], []),
        ("a.com/%7ex?%e4", ["http://a.com/~x?%E4", "https://a.com/~x?%E4"], []),
        ("localhost:8080", ["http://localhost:8080/"], ["http://localhost/"]),
        ("[2001:DB8::1]/", ["https://[2001:db8::1]/"], ["https://[2001:db8::11]/"]),
        ("a.com/?utm_source=x&b", ["https://a.com/?b"], ["https://a.com/?utm_source=x&b"]),
    ],
)
def test_a_url(text: str, inside: list[str], outside: list[str]) -> None:
    target = parse_target(text, "url", drop_parameters=["utm_*"])
    for url in inside:
        assert covers(target, url)
    for url in outside:
        assert not covers(target, url)


@pytest.mark.parametrize(
    ("text", "name", "registrable", "icann"),
    [
        ("example.com.", "example.com", "example.com", "example.com"),
        ("www.example.com.", "example.com", "example.com", "example.com"),
        ("www.com", "www.com", "www.com", "www.com"),
        ("www.co.uk", "www.co.uk", "www.co.uk", "www.co.uk"),
        ("www.gov.uk", "www.gov.uk", "www.gov.uk", "www.gov.uk"),
        ("www.www.com", "www.com", "www.com", "www.com"),
        ("www2.example.com", "www2.example.com", "example.com", "example.com"),
        ("github.io", "github.io", "github.io", "github.io"),
        ("www.github.io", "github.io", "github.io", "github.io"),
        ("www.a.github.io", "a.github.io", "a.github.io", "github.io"),
        ("s3.amazonaws.com", "s3.amazonaws.com", "s3.amazonaws.com", "amazonaws.com"),
        ("www.intranet", "www.intranet", "www.intranet", "www.intranet"),
        ("shop.example.co.uk", "shop.example.co.uk", "example.co.uk", "example.co.uk"),
    ],
)
def test_a_domain(text: str, name: str, registrable: str, icann: str) -> None:
    target = parse_target(text, "domain")
    assert covers(target, f"http://{name}/")
    assert covers(target, f"http://a.{name}/")
    assert not covers(target, f"http://a{name}/")
    assert not covers(target, f"http://{name.partition('.')[2]}/")
    assert (target.domain, target.partition_domain) == (registrable, icann)


@pytest.mark.parametrize("text", ["192.0.2.1", "http://[2001:db8::1]:81/x", "localhost", "0x7f.1"])
def test_nothing_lies_beneath_an_address(text: str) -> None:
    domain, host = parse_target(text, "domain"), parse_target(text, "host")
    assert domain == host._replace(mode="domain")
    assert domain.domain == domain.partition_domain
    assert not covers(domain, "http://192.0.2.10/")
    assert not covers(domain, "http://a.localhost/")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \t\n", "empty"),
        ("ftp://example.com/", "'ftp'"),
        ("mailto:user@example.com", "'mailto'"),
        ("javascript:alert(1)", "'javascript'"),
        ("user:pass@example.com", "'user'"),
        ("/path", "no host"),
        ("///example.com", "no host"),
        ("?query", "not a valid URL"),
        ("http://", "not a valid URL"),
        ("example.com:99999", "not a valid URL"),
        ("example.com:" + "9" * 5000, "not a valid URL"),
        ("exa mple.com", "not a valid URL"),
        ("\ud800.com", "not a valid URL"),
        ("\0", "not a valid URL"),
        ("1.2.3.4.5", "not a valid URL"),
        ("example.com/" + "a" * 9000, "8192"),
        ("intranet", "no dot"),
        ("http:", "not a valid URL"),
        (".", "not a host name"),
        ("..", "not a host name"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_what_is_no_target(text: str, said: str, mode: Mode) -> None:
    with pytest.raises(TargetError) as error:
        parse_target(text, mode)
    assert said in str(error.value)
    assert "example.com" in str(error.value)  # what is valid
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("text", ["com", "co.uk", "http://COM./", "x.ck", "公司.cn"])
def test_a_public_suffix_is_no_domain(text: str) -> None:
    with pytest.raises(TargetError, match="public suffix"):
        parse_target(text, "domain")


def test_a_public_suffix_can_be_a_host() -> None:
    assert covers(parse_target("co.uk", "host"), "http://co.uk/x")


# RFC 1035, 2.3.4: labels of 1 to 63 characters, names of at most 253 without the root's dot.
# RFC 5892, 2.6: no quotes, no brackets. What the WHATWG parser refuses is "not a valid URL".
NO_NAMES = [
    "a.com,b.com",
    "a.com;b.com",
    "a.com|b",
    "a..com",
    ".example.com",
    "example.com..",
    "..example.com",
    '"example.com"',
    "'example.com'",
    "`example.com`",
    "“example.com”",
    "«example.com»",
    "\uff08example.com\uff09",
    "(example.com)",
    "{example}.com",
    "example.com!",
    "exa$mple.com",
    "a&b.com",
    "a+b.com",
    "a=b.com",
    "a~b.com",
    "exa mple.com",
    "a.com b.com",
    "<example.com>",
    "example.com,",
    "a%2Cb.com",
    "%22a.com%22",
    "a…b.com",
    f"{'a' * 64}.com",
    ".".join(["a" * 63] * 4),
    "*",
    "*.",
    "**.example.com",
    "*example.com",
    "a.*.com",
    "www.*.com",
    "example.*",
    "*.*.example.com",
    "*.com",
    "*.co.uk",
    "*.192.0.2.1",
    "*.localhost",
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", NO_NAMES)
@pytest.mark.parametrize("around", ["{}", "http://{}/", "https://{}/path?query", "//{}:8080"])
def test_what_no_host_is_named_is_no_target(text: str, mode: Mode, around: str) -> None:
    with pytest.raises(TargetError) as error:
        parse_target(around.format(text), mode)
    assert "Expected a host name (example.com)" in str(error.value)


def test_what_is_wrong_with_a_name_is_told() -> None:
    for text, said in (
        (
            "a.com,b.com",
            r"'a\.com,b\.com' is not a host name: it contains ',' \(send several targets as",
        ),
        ("a..com", r"'a\.\.com' is not a host name: it has an empty label before, between"),
        ('"a.com"', """it contains '"'"""),
        (f"{'a' * 64}.com", "a label has more than 63 characters"),
        (".".join(["a" * 63] * 4), "it has more than 253 characters"),
    ):
        with pytest.raises(TargetError, match=said):
            parse_target(text, "host")


@pytest.mark.parametrize(
    "text",
    [
        "_dmarc.example.com",
        "under_score.example.com",
        "-a.example.com",
        "a-.example.com",
        "a--b.example.com",
        "xn--bcher-kva.de",
        "bücher.de",
        "l·l.cat",
        "ファイル・名.jp",
        "💩.la",
        "example.com.",
        "1.example.com",
        f"{'a' * 63}.com",
        ".".join(["a" * 63] * 3 + ["b" * 57, "com"]),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_names_in_use_are_targets(text: str, mode: Mode) -> None:
    url = canonical_url(f"http://{text}/")
    assert url is not None
    assert covers(parse_target(text, mode), url)


@pytest.mark.parametrize(
    "text",
    [
        "*.example.com",
        "*.example.com/*",
        "*.EXAMPLE.com",
        "http://*.example.com/",
        "https://*.example.com/*",
        "*.example.com:8080/path",
        "%2A.example.com",
        "//*.example.com",
        "*.www.example.com",
        "http://user@*.example.com/",
    ],
)
def test_a_wildcard_is_the_domain_in_mode_domain_alone(text: str) -> None:
    target, domain = parse_target(text, "domain"), parse_target("example.com", "domain")
    assert target == domain
    for mode in ("host", "url"):
        with pytest.raises(TargetError, match=r"mode domain, not in mode (host|url)\. Expected a"):
            parse_target(text, "host" if mode == "host" else "url")


def test_stars_behind_the_host_are_nothing_special() -> None:
    assert parse_target("www.example.com/*", "host") == parse_target("www.example.com", "host")
    assert covers(parse_target("example.com/*", "url"), "http://example.com/*")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("example.com", "a.example.com", "example.org"),
        ("www.example.com", "a.www.example.com", "example.com"),
        ("WWW.example.com:8080/path", "www.example.com", "a.example.com"),
        ("http://seo.jouwlinkhier.nl/path", "a.seo.jouwlinkhier.nl", "jouwlinkhier.nl"),
        ("*.example.com", "example.com", "an-example.com"),
        ("example.com.", "a.example.com", "example.com.org"),
        ("192.0.2.1", "192.0.2.1", "a.192-0-2-1.example"),
        ("www.com", "a.www.com", "other.com"),
    ],
)
def test_a_subtree_is_exactly_that_host_and_beneath(text: str, inside: str, outside: str) -> None:
    target = parse_subtree(text)
    assert covers(target, f"https://{inside}/x")
    assert not covers(target, f"https://{outside}/x")


def test_a_subtree_is_of_a_name() -> None:
    for text in ("a.com,b.com", "co.uk", "a..com", "intranet"):
        with pytest.raises(TargetError):
            parse_subtree(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("example.com", "example.com/"),
        ("www.example.com", "www.example.com"),
        ("https://example.com/a", "https://example.com/a"),
        ("*.example.com/*", "example.com"),
        ("http://u@*.example.com:81/x", "example.com"),
    ],
)
def test_what_has_a_rank_is_the_url_that_a_target_names(text: str, url: str) -> None:
    assert parse_ranked(text) == parse_target(url, "url")


def test_a_link_may_lead_to_any_host() -> None:
    url = "http://a..b,c.example.com/x"
    target = parse_url(url)
    assert covers(target, url)
    assert covers(parse_target("example.com", "domain"), url)
    assert target.partition_domain == "example.com"
    with pytest.raises(TargetError):
        parse_url("ftp://example.com/")


def hosts_of(labels: list[str]) -> st.SearchStrategy[str]:
    names = st.lists(st.sampled_from(labels), min_size=1, max_size=4)
    dotted = names.map(lambda labels: ".".join([*labels, "com"]))
    return (
        dotted | st.builds("{}.".format, dotted) | st.sampled_from(["192.0.2.1", "[::1]", "a.org"])
    )


LABELS = ["a", "b", "a-b", "ab", "a_", "www", "%61", "xn--a"]
ASKED = hosts_of(LABELS)
"""Hosts that can be asked for; there are URLs of others."""
HOSTS = hosts_of([*LABELS, "a!", "(", ",", ""])
ADDRESSES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "u@", "u:p@"]),
    HOSTS,
    st.sampled_from(["", ":80", ":8080"]),
    st.sampled_from(["", "/", "/a", "/a!", "/a?", "/a?b", "/a%20http", "/ab", "/)", "/,"]),
)
URLS = st.builds("{}://{}".format, st.sampled_from(["http", "https"]), ADDRESSES)


def hostname(url: str) -> str:
    return ada_url.parse_url(url, ("hostname",))["hostname"]


@given(ASKED, st.lists(URLS, min_size=1, max_size=20))
def test_a_host_is_its_urls_and_no_others(host: str, texts: list[str]) -> None:
    target = parse_target(host, "host")
    for text in texts:
        url = canonical_url(text)
        if url is not None:
            assert covers(target, url) == (hostname(url) == hostname(f"http://{host}"))


@given(ASKED, st.lists(URLS, min_size=1, max_size=20))
def test_a_domain_is_its_hosts_and_no_others(host: str, texts: list[str]) -> None:
    target = parse_target(host, "domain")
    name = hostname(f"http://{host}").rstrip(".")
    if name.startswith("www.") and name.count(".") > 1:
        name = name.removeprefix("www.")
    for text in texts:
        url = canonical_url(text)
        if url is not None:
            beneath = f".{hostname(url).rstrip('.')}".endswith(f".{name}")
            assert covers(target, url) == beneath
            assert not beneath or icann_domain(hostname(url)) == target.partition_domain


@given(URLS, URLS)
def test_a_url_is_itself_and_no_other(text: str, other: str) -> None:
    url, another = canonical_url(text), canonical_url(other)
    if url is not None and another is not None:
        assert covers(parse_url(text), another) == (url == another)


@given(ADDRESSES.filter(lambda address: "@" not in address and ":80" not in address), URLS)
def test_a_url_without_scheme_is_both(address: str, other: str) -> None:
    both = {canonical_url(f"http://{address}"), canonical_url(f"https://{address}")}
    another = canonical_url(other.replace("u@", "").replace("u:p@", ""))
    if another is not None:
        assert covers(parse_url(address), another) == (another in both)


@given(st.text(st.characters()), st.sampled_from(MODES))
def test_any_text_is_a_target_or_a_target_error(text: str, mode: Mode) -> None:
    try:
        target = parse_target(text, mode)
    except TargetError:
        return
    assert target.low < target.high
