"""Canonical URLs, and the key that puts them in the order of the index.

In: any text found where a URL is expected, and the URL it is relative to. Out: a canonical URL, its
sort key, its 64-bit id.

A **canonical URL** is what the WHATWG parser (https://url.spec.whatwg.org/) makes of the text,
without the fragment; http and https only. It is ASCII, has no default port, and its path is never
empty. Percent-encodings that RFC 3986 (6.2.2.1, 6.2.2.2) calls equivalent are written in one way:
hexadecimal digits in upper case, and no encoding of letters, digits and ``- . _ ~``.

The **sort key** is the SURT of the web archives, followed by what SURT leaves out, so that the URL
can be read back from it:

    https://user:pass@www.example.com:8443/path?query
    com,example,www):8443/path?query https user:pass
    host----------- port- path, query scheme userinfo

- The labels of the host are reversed. Characters other than ``a-z 0-9 _ -`` are percent-encoded in
  them (hosts may contain ``,`` or ``)``). An empty label is written ``%``. The root dot becomes a
  comma at the end: ``example.com.`` is ``com,example,``. IP addresses stay as they are:
  ``192.0.2.1``, ``[2001:db8::1]``.
- No canonical URL contains a space, so a space ends the query.

Two canonical URLs never share a key. Keys are ordered by code point, which for ASCII is the order
of the bytes: ``%`` ``)`` ``*`` ``+`` ``,`` ``-``. The key of a host contains neither ``*`` nor
``+``, so each of these is one range:

    one URL, either scheme         [ "com,example)/path " , "com,example)/path!" )
    a host                         [ "com,example)"       , "com,example*"       )
    a domain and its subdomains    [ "com,example)"       , "com,example-"       )
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

import ada_url
import xxhash

from inlink.urls.domains import HOSTS_CACHED, is_ip_address

MAX_URL_LENGTH = 8192
"""Maximum length of a canonical URL, in characters; longer URLs are left out."""

_PLAIN = re.compile(
    r"(https?://(?:(?!xn--)[a-z0-9_-]+\.){1,10}[a-z]{2,}"
    r"(?:/(?!\.|%2[Ee])[A-Za-z0-9!$%&'()*+,.:;=@_~-]*){1,50}"
    r"(?:\?[A-Za-z0-9!$%&()*+,./:;=?@_~-]*)?)(?:#.*)?\Z",
    re.DOTALL,
)
"""A URL that the parser would leave as it is, and its fragment: nearly every URL of a crawl.

No character can match in two places, so a match takes time in proportion to the text. The numbers
of labels and segments are limited because each takes memory; the parser reads URLs with more.
"""

_NOT_NORMAL = re.compile(
    r"%(?:2[DE]|4[7-9A-F]|5[0-9AF]|6[7-9A-F]|7[0-9AE]|[0-9A-F][a-f]|[a-f][0-9A-Fa-f]"
    r"|(?<!%%)(?<!%[0-9A-Fa-f]%)(?:3[0-9]|[46][1-6]))"
)
"""A percent-encoding of an unreserved character, or one with a hexadecimal digit in lower case.

An encoded hexadecimal digit is left alone if, decoded, it would join a bare ``%`` before it:
``%%34%31`` stands for ``%41`` as text, not for ``A``.
"""

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""https://www.rfc-editor.org/rfc/rfc3986#section-2.3"""

_ESCAPED = re.compile(r"[^a-z0-9_-]")
_EMPTY_LABEL = "%"


def canonical_url(
    text: str, base: str | None = None, drop_parameters: Sequence[str] = ()
) -> str | None:
    """The canonical URL of *text*, resolved against *base*.

    *drop_parameters* names query parameters to leave out: whole names, or prefixes followed by
    ``*``. The others stay as they are.

    None if *text* is not a valid http or https URL, or the result is longer than `MAX_URL_LENGTH`.
    """
    plain = _PLAIN.match(text)
    url = plain[1] if plain else _parsed(text, base)
    if url is None:
        return None
    if "%" in url:
        url = _NOT_NORMAL.sub(_normal, url)
    if drop_parameters:
        url = _without_parameters(url, drop_parameters)
    return url if len(url) <= MAX_URL_LENGTH else None


def _normal(encoded: re.Match[str]) -> str:
    """The normal form of a percent-encoding.

    The parser has already resolved ``%2e`` in dot segments, and no other decoded character has a
    meaning for it, so it would leave the result as it is.
    """
    decoded = chr(int(encoded[0][1:], 16))
    return decoded if decoded in _UNRESERVED else encoded[0].upper()


def _parsed(text: str, base: str | None) -> str | None:
    href = parsed_url(text, base)
    if href is None or not href.startswith(("http://", "https://")):
        return None
    return href.partition("#")[0]


def parsed_url(text: str, base: str | None = None) -> str | None:
    """What the parser makes of *text*, whatever its scheme; None if it is not a valid URL."""
    try:
        if base is None:
            return ada_url.parse_url(_scalar(text), ("href",))["href"]
        return ada_url.join_url(_scalar(base), _scalar(text))
    except ValueError:
        return None


def _scalar(text: str) -> str:
    """*text* with U+FFFD for lone surrogates, as a URL gets its input (a USVString of Web IDL)."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _without_parameters(url: str, names: Sequence[str]) -> str:
    address, mark, query = url.partition("?")
    if not query:
        return url
    parameters = query.split("&")
    kept = [parameter for parameter in parameters if not _is_named(parameter, names)]
    if len(kept) == len(parameters):
        return url
    query = "&".join(kept)
    return f"{address}{mark}{query}" if query else address


def _is_named(parameter: str, names: Sequence[str]) -> bool:
    own = unquote_plus(parameter.partition("=")[0])
    return any(own.startswith(name[:-1]) if name.endswith("*") else own == name for name in names)


class Origin(NamedTuple):
    """The part of a URL before its path, and those of its sort key before and after the path."""

    host: str
    key_head: str
    key_tail: str


def split_origin(origin: str) -> Origin:
    """Take apart the part of a canonical URL before the path, as in ``https://user@example.com:8443``."""
    scheme, _, authority = origin.partition("://")
    userinfo, _, server = authority.rpartition("@")
    host, port = server, ""
    if ":" in server and not server.endswith("]"):
        host, _, port = server.rpartition(":")
        port = f":{port}"
    tail = f" {scheme} {userinfo}" if userinfo else f" {scheme}"
    return Origin(host, f"{host_key(host)}){port}", tail)


def path_start(url: str) -> int:
    """Where the path of a canonical URL begins."""
    return url.index("/", 8)  # after "http://" and a host of one character, or "https://"


def sort_key(url: str) -> str:
    """The sort key of the canonical URL *url*."""
    start = path_start(url)
    _, head, tail = split_origin(url[:start])
    return f"{head}{url[start:]}{tail}"


def url_of_key(key: str) -> str:
    """The canonical URL whose sort key is *key*."""
    host, _, rest = key.partition(")")
    address, scheme, *userinfo = rest.split(" ")
    credentials = f"{userinfo[0]}@" if userinfo else ""
    return f"{scheme}://{credentials}{_host_of_key(host)}{address}"


def host_key(host: str) -> str:
    """The part of the sort key that stands for the host of a canonical URL."""
    if is_ip_address(host):
        return host
    name = host.rstrip(".")
    labels = reversed(name.split("."))
    parts = [_ESCAPED.sub(_percent_encoded, label) or _EMPTY_LABEL for label in labels]
    return ",".join(parts) + "," * (len(host) - len(name))


def _percent_encoded(character: re.Match[str]) -> str:
    return f"%{ord(character[0]):02X}"


@lru_cache(HOSTS_CACHED)
def _host_of_key(key: str) -> str:
    if "." in key or key.startswith("["):
        return key
    name = key.rstrip(",")
    parts = reversed(name.split(","))
    labels = ["" if part == _EMPTY_LABEL else unquote(part) for part in parts]
    return ".".join(labels) + "." * (len(key) - len(name))


def text_id(text: str) -> int:
    """XXH3-64 of *text* in UTF-8, as a signed 64-bit integer."""
    digest = xxhash.xxh3_64_intdigest(text.encode())
    return digest - (1 << 64) if digest >> 63 else digest


def url_id(url: str) -> int:
    """The id of the canonical URL *url* in every table."""
    return text_id(url)
