"""Targets: the URL, host or domain that somebody asks about.

In: the text of a target as people write it, and the mode. Out: the range of sort keys that it
covers, and the domains that say where in the index to look.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from inlink.contract.vocabulary import Mode
from inlink.urls.canonical import (
    MAX_URL_LENGTH,
    canonical_url,
    host_key,
    path_start,
    sort_key,
    split_origin,
)
from inlink.urls.domains import (
    host_to_unicode,
    icann_domain,
    is_icann_suffix,
    is_ip_address,
    registrable_domain,
)

_HTTP = re.compile(r"https?:", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?://|(?![0-9]*(?:[/\\?#]|$)))", re.IGNORECASE)
"""A scheme, and not a host with a port (``example.com:8080/``)."""

_DEFAULT_PORT = re.compile(r"[^/\\?#]*:0*(80|443)(?:[/\\?#]|$)")

_WILDCARD = "*."
"""The prefix that marks a target as a domain with all its subdomains."""

_MAX_LABEL, _MAX_NAME = 63, 253
"""Maximum characters of a label, and of a host name without the root dot (RFC 1035, 2.3.4)."""

_IN_NAMES = frozenset("-_.\u00b7\u05f3\u05f4\u0f0b\u30fb")
"""The punctuation of host names: that of RFC 5892 (2.6), and ``_``, which occurs in practice."""

_VALID = (
    "Expected a host name (example.com), an IP address, or an http or https URL of at most"
    f" {MAX_URL_LENGTH} characters."
)


class TargetError(ValueError):
    """The text is not a target; the message says what is wrong and what is valid."""


class Target(NamedTuple):
    """The sort keys from *low* up to, not including, *high*."""

    mode: Mode
    low: str
    high: str
    domain: str
    """Registrable domain of the target's host."""
    partition_domain: str
    """The same by the ICANN section of the Public Suffix List; it decides the partition."""


def parse_target(text: str, mode: Mode, drop_parameters: Sequence[str] = ()) -> Target:
    """Read a target: a host name or URL, with or without scheme, in any case, with or without port.

    ``host``: exactly that host, on any port. ``domain``: that name without a leading ``www.``,
    and all its subdomains; an IP address or ``localhost`` has none. ``*.example.com/*`` means
    ``example.com``, in this mode only. ``url``: that one URL; if it has no scheme, with either
    scheme and any user name. *drop_parameters* is passed to `canonical_url`.

    Raises:
        TargetError: the text is not a target.
    """
    read = _read(text, drop_parameters)
    if mode == "domain":
        name = _domain_name(_host_name(_host_of(read.url), mode))
        return _target(mode, name, _domain_range(name))
    host = _host_name(_host_of(read.url), mode)
    return _target(mode, host, _host_range(host)) if mode == "host" else _url_target(read)


def parse_subtree(text: str, drop_parameters: Sequence[str] = ()) -> Target:
    """Read a text, written like a target, as exactly its host and all its subdomains.

    Raises:
        TargetError: the text is not a target.
    """
    host = _host_name(_host_of(_read(text, drop_parameters).url), "domain").removesuffix(".")
    return _target("domain", host, _domain_range(host))


def parse_ranked(text: str, drop_parameters: Sequence[str] = ()) -> Target:
    """Read a target of any mode as the URL that it names, because ranks belong to URLs.

    ``*.example.com/*`` names the home page of that domain.

    Raises:
        TargetError: the text is not a target.
    """
    host = _host_of(_read(text, drop_parameters).url)
    named = _host_name(host, "domain") if host.startswith(_WILDCARD) else text
    return parse_target(named, "url", drop_parameters)


def parse_url(text: str, drop_parameters: Sequence[str] = ()) -> Target:
    """Read one end of a link: one URL, like a target, but with any host, as pages link to any.

    Raises:
        TargetError: the text is not a URL.
    """
    return _url_target(_read(text, drop_parameters))


class _Read(NamedTuple):
    url: str
    """The canonical URL of a target."""
    has_scheme: bool
    """Whether the target states its scheme."""


def _target(mode: Mode, host: str, keys: tuple[str, str]) -> Target:
    return Target(mode, *keys, registrable_domain(host), icann_domain(host))


def _url_target(read: _Read) -> Target:
    return _target("url", _host_of(read.url), _url_range(*read))


def _host_of(url: str) -> str:
    return split_origin(url[: path_start(url)]).host


def _read(text: str, drop_parameters: Sequence[str]) -> _Read:
    text = text.strip()
    if not text:
        raise TargetError(f"The target is empty. {_VALID}")
    absolute, has_scheme = _with_scheme(text)
    url = canonical_url(absolute, drop_parameters=drop_parameters)
    if url is None:
        raise TargetError(f"{_shown(text)} is not a valid URL or host name. {_VALID}")
    return _Read(url, has_scheme)


def _with_scheme(text: str) -> tuple[str, bool]:
    if _HTTP.match(text):
        return text, True
    if other := _OTHER_SCHEME.match(text):
        raise TargetError(f"The scheme {_shown(other[1])} is neither http nor https. {_VALID}")
    if text.startswith(("//", "\\\\")):
        text = text[2:]
    if text.startswith(("/", "\\")):
        raise TargetError(f"{_shown(text)} has no host. {_VALID}")
    if port := _DEFAULT_PORT.match(text):  # it implies the scheme
        return f"{'http' if port[1] == '80' else 'https'}://{text}", True
    return f"http://{text}", False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}…")


def _host_name(host: str, mode: Mode) -> str:
    """The host of a target in *mode*, without a wildcard.

    Raises:
        TargetError: it cannot be the host of a target.
    """
    if host.startswith(_WILDCARD):
        host = host.removeprefix(_WILDCARD)
        if _stands_alone(host):
            raise TargetError(f"{_shown(host)} cannot have subdomains. {_VALID}")
        if mode != "domain":
            raise TargetError(
                f"{_shown(_WILDCARD + host)} means a domain with all its subdomains: ask for"
                f" {_shown(host)} in mode domain, not in mode {mode}. {_VALID}"
            )
    name = host.removesuffix(".")
    if _stands_alone(name):
        return host
    if fault := _fault_of_name(name):
        raise TargetError(f"{_shown(host)} is not a host name: {fault}. {_VALID}")
    if mode == "domain" and is_icann_suffix(name):
        raise TargetError(f"{_shown(name)} is a public suffix, not a domain under one. {_VALID}")
    if "." not in name:
        raise TargetError(f"The host {_shown(host)} has no dot. {_VALID}")
    return host


def _fault_of_name(name: str) -> str | None:
    """What DNS or a registry would reject in a host name that the WHATWG parser accepts."""
    for character in host_to_unicode(name):
        if not _may_stand_in_name(character):
            listed = " (send several targets as a JSON list)" if character in ",;" else ""
            return f"it contains {character!r}{listed}"
    labels = name.split(".")
    if "" in labels:
        return "it has an empty label before, between or after dots"
    if max(map(len, labels)) > _MAX_LABEL:
        return f"a label has more than {_MAX_LABEL} characters"
    return f"it has more than {_MAX_NAME} characters" if len(name) > _MAX_NAME else None


def _may_stand_in_name(character: str) -> bool:
    """Letters, digits, what joins them, and symbols beyond ASCII: names with emoji exist."""
    if character in _IN_NAMES:
        return True
    if character.isascii():
        return character.isalnum()
    return not unicodedata.category(character).startswith("P")


def _stands_alone(name: str) -> bool:
    """Whether the host cannot have subdomains, although it is a target in every mode."""
    return is_ip_address(name) or name == "localhost"


def _domain_name(host: str) -> str:
    name = host.removesuffix(".")
    rest = name.removeprefix("www.")
    return name if "." not in rest or is_icann_suffix(rest) else rest


def _domain_range(host: str) -> tuple[str, str]:
    if _stands_alone(host):
        return _host_range(host)
    key = host_key(host)
    return f"{key})", f"{key}-"


def _host_range(host: str) -> tuple[str, str]:
    key = host_key(host)
    return f"{key})", f"{key}*"


def _url_range(url: str, has_scheme: bool) -> tuple[str, str]:
    key = sort_key(url)
    if has_scheme:
        return key, f"{key} "
    address = key.partition(" ")[0]
    return f"{address} ", f"{address}!"
