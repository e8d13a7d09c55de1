"""Hosts and the domains they belong to.

In: the host of a canonical URL (ASCII, lower case, no port; IPv6 in brackets). Out: its registrable
domain by the Public Suffix List (https://publicsuffix.org/list/), with or without its private
section, and host names in Unicode or ASCII. The list is the one that ``publicsuffixlist`` ships.

Hosts that DNS could not hold but that the WHATWG rules allow are handled like any other. An empty
label (``a..example.com``) counts as a label, so that all subdomains belong to their domain. Root
dots (``example.com.``) are ignored, however many there are.
"""

from functools import cache, lru_cache

import ada_url
from publicsuffixlist import PublicSuffixList

HOSTS_CACHED = 1 << 15
"""How many hosts each look-up remembers: a crawl names the same ones again and again."""


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@cache
def _icann_suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)


def is_ip_address(host: str) -> bool:
    """Whether the host of a canonical URL is an IPv4 or IPv6 address.

    A host whose last label is a number is an IPv4 address, or is not valid
    (https://url.spec.whatwg.org/#ends-in-a-number-checker).
    """
    return host.startswith("[") or host.rpartition(".")[2].isdigit()


def _domain(host: str, suffixes: PublicSuffixList) -> str:
    if is_ip_address(host):
        return host
    labels = host.rstrip(".").split(".")
    # The library refuses empty labels; "-" is a label that no rule names.
    domain = suffixes.privatesuffix(".".join(label or "-" for label in labels))
    count = domain.count(".") + 1 if domain else len(labels)
    return ".".join(labels[-count:]) or host


@lru_cache(HOSTS_CACHED)
def registrable_domain(host: str) -> str:
    """The registrable domain of *host*: one label more than its public suffix.

    Suffixes of the private section count. A host without one is its own: IP addresses, public
    suffixes, single labels.
    """
    return _domain(host, _public_suffixes())


@lru_cache(HOSTS_CACHED)
def icann_domain(host: str) -> str:
    """The registrable domain of *host* by the ICANN section alone.

    That of ``a.github.io`` is ``github.io``. Everything under one such domain is in one partition
    of the index, because a private suffix can itself be a target.
    """
    return _domain(host, _icann_suffixes())


def is_icann_suffix(host: str) -> bool:
    """Whether the ICANN section of the list has *host* as a public suffix (``com``, ``co.uk``)."""
    return _icann_suffixes().is_public(host, accept_unknown=False)


def host_to_unicode(host: str) -> str:
    """*host* as people read it (UTS #46 ToUnicode); an invalid IDN label stays as it is."""
    return ada_url.idna_to_unicode(host)


def host_to_ascii(text: str) -> str | None:
    """The host of a URL that has *text* as its host, in ASCII; None if it is not valid.

    The WHATWG host parser: UTS #46, percent-decoding, IPv4 in all its forms, IPv6 in brackets.
    """
    if not text or any(character in text for character in "/\\?#@") or _has_port(text):
        return None
    try:
        return ada_url.parse_url(f"http://{text}/", ("hostname",))["hostname"]
    except ValueError:
        return None


def _has_port(text: str) -> bool:
    return ":" in text.rpartition("]")[2]
