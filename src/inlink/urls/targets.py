"""Targets: the URL, host or domain that somebody asks about.

In: the text of a target as people write it, and the mode. Out: the range of sort keys that it
covers, and the domains that say where in the index to look.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from inlink.urls.canonical import (
    MAX_URL_LENGTH,
    canonical_url,
    host_key,
    path_start,
    sort_key,
    split_origin,
)
from inlink.urls.domains import icann_domain, is_icann_suffix, is_ip_address, registrable_domain

Mode = Literal["domain", "host", "url"]

_HTTP = re.compile(r"https?:", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?://|(?![0-9]*(?:[/\\?#]|$)))", re.IGNORECASE)
"""A scheme, and not a host with a port (``example.com:8080/``)."""

_DEFAULT_PORT = re.compile(r"[^/\\?#]*:0*(80|443)(?:[/\\?#]|$)")

_VALID = (
    "Valid is a host name (example.com), an IP address, or an http or https URL of at most"
    f" {MAX_URL_LENGTH} characters."
)


class TargetError(ValueError):
    """The text is no target; the message says what is wrong, and what is valid."""


class Target(NamedTuple):
    """The sort keys from *low* up to, not including, *high*."""

    mode: Mode
    low: str
    high: str
    domain: str
    """Registrable domain of the target's host."""
    partition_domain: str
    """The same by the ICANN section of the Public Suffix List: what partitions go by."""


def parse_target(text: str, mode: Mode, drop_parameters: Sequence[str] = ()) -> Target:
    """Read a target: a host name or URL, with or without scheme, in any case, with or without port.

    ``host``: exactly that host, on any port. ``domain``: that name less a leading ``www.``, and
    every name beneath it; an IP address or ``localhost`` is only itself. ``url``: that one URL;
    without a scheme, either scheme, with any user name. *drop_parameters* is for `canonical_url`.

    Raises:
        TargetError: there is no such target.
    """
    url, has_scheme = _read(text.strip(), drop_parameters)
    host = split_origin(url[: path_start(url)]).host
    _check_host(host, mode)
    if mode == "domain":
        host = _domain_name(host)
        low, high = _domain_range(host)
    elif mode == "host":
        low, high = _host_range(host)
    else:
        low, high = _url_range(url, has_scheme)
    return Target(mode, low, high, registrable_domain(host), icann_domain(host))


def _read(text: str, drop_parameters: Sequence[str]) -> tuple[str, bool]:
    """The canonical URL of a target, and whether the target says which scheme."""
    if not text:
        raise TargetError(f"The target is empty. {_VALID}")
    absolute, has_scheme = _with_scheme(text)
    url = canonical_url(absolute, drop_parameters=drop_parameters)
    if url is None:
        raise TargetError(f"{_shown(text)} is not a valid URL or host name. {_VALID}")
    return url, has_scheme


def _with_scheme(text: str) -> tuple[str, bool]:
    if _HTTP.match(text):
        return text, True
    if other := _OTHER_SCHEME.match(text):
        raise TargetError(f"The scheme {_shown(other[1])} is neither http nor https. {_VALID}")
    if text.startswith(("//", "\\\\")):
        text = text[2:]
    if text.startswith(("/", "\\")):
        raise TargetError(f"{_shown(text)} has no host. {_VALID}")
    if port := _DEFAULT_PORT.match(text):  # it tells the scheme
        return f"{'http' if port[1] == '80' else 'https'}://{text}", True
    return f"http://{text}", False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}…")


def _check_host(host: str, mode: Mode) -> None:
    name = host.rstrip(".")
    if _stands_alone(name):
        return
    if mode == "domain" and is_icann_suffix(name):
        raise TargetError(f"{_shown(name)} is a public suffix, not a domain under one. {_VALID}")
    if "." not in name:
        raise TargetError(f"The host {_shown(host)} has no dot. {_VALID}")


def _stands_alone(name: str) -> bool:
    """Whether nothing can lie beneath the host, though it is a target of every mode."""
    return is_ip_address(name) or name == "localhost"


def _domain_name(host: str) -> str:
    name = host.rstrip(".")
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
