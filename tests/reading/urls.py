"""URLs by the WHATWG URL Standard (https://url.spec.whatwg.org/), for http and https alone.

In: a reference as a page writes it, and the URL it is relative to. Out: the canonical URL (without
fragment, percent-encodings as RFC 3986 6.2.2 normalises them), or None where the reference is
invalid or leads elsewhere than to http and https. The functions follow the states of the standard's
basic URL parser, whose names they bear.
"""

import ipaddress
import re
from functools import cache
from typing import NamedTuple

import idna
import tldextract

from .encoding import encode

LONGEST_URL = 8192
PORTS = {"http": "80", "https": "443"}

_C0_OR_SPACE = "".join(map(chr, range(0x21)))
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_QUERY_SET = frozenset(" \"#<>'")
_PATH_SET = frozenset(' "#<>?^`{}')
_USERINFO_SET = _PATH_SET | frozenset("/:;=@[\\]|")
_FORBIDDEN_IN_DOMAIN = frozenset(map(chr, range(0x21))) | frozenset("#/:<>?@[\\]^|%\x7f")
_SINGLE_DOT = {".", "%2e"}
_DOUBLE_DOT = {"..", ".%2e", "%2e.", "%2e%2e"}
_suffixes = tldextract.TLDExtract(
    suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True
)
_icann_suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


class Url(NamedTuple):
    """A parsed http or https URL; ``query`` is None where there is no ``?``."""

    scheme: str
    userinfo: str
    host: str
    port: str
    path: str
    query: str | None

    def __str__(self) -> str:
        userinfo = self.userinfo and self.userinfo + "@"
        port = self.port and ":" + self.port
        query = "" if self.query is None else "?" + self.query
        return f"{self.scheme}://{userinfo}{self.host}{port}{self.path}{query}"


@cache
def resolve(reference: str, base: str | None = None, encoding: str = "utf-8") -> str | None:
    """The canonical URL of `reference` on a page at `base` that is written in `encoding`."""
    parsed = _basic_url_parser(reference, parse(base) if base else None, encoding)
    if parsed is None:
        return None
    url = str(
        parsed._replace(path=_normal(parsed.path), query=parsed.query and _normal(parsed.query))
    )
    return url if len(url) <= LONGEST_URL else None


def standard(reference: str, base: str | None = None) -> str | None:
    """The same as the URL Standard has it, percent-encodings as they are."""
    parsed = _basic_url_parser(reference, parse(base) if base else None, "utf-8")
    return str(parsed) if parsed else None


def base_of(reference: str | None, url: str) -> str | None:
    """What the references of a page at `url` are relative to, if its ``base`` has a reference.

    None is a base that is no URL of http or https. One of ``data`` or ``javascript``, or an invalid
    one, does not count (HTML, "set the frozen base URL").
    """
    if reference is None:
        return url
    base = resolve(reference, url)
    if base:
        return base
    other = re.match(rf"[{_C0_OR_SPACE}]*([A-Za-z][A-Za-z0-9+.\-]*):(.*)", reference, re.DOTALL)
    if other is None or other[1].lower() in ("http", "https", "data", "javascript"):
        return url
    needs_host = other[1].lower() in ("ftp", "ws", "wss")
    return url if needs_host and not other[2].strip("/\\" + _C0_OR_SPACE) else None


def _normal(text: str) -> str:
    """Percent-encodings in upper case; those of unreserved characters decoded."""

    def normal(match: re.Match[str]) -> str:
        char = chr(int(match[1], 16))
        return char if re.match(r"[A-Za-z0-9._~-]", char) else match[0].upper()

    return re.sub(r"%([0-9A-Fa-f]{2})", normal, text)


@cache
def parse(url: str) -> Url | None:
    """The parts of an absolute URL."""
    return _basic_url_parser(url, None, "utf-8")


def host_of(url: str) -> str:
    """Host of a canonical URL."""
    parsed = parse(url)
    assert parsed, url
    return parsed.host


@cache
def order_key(url: str) -> str:
    """What canonical URLs are ordered by (``docs/data-model.md``, "Names"): SURT, then the rest.

    ``https://me@www.example.com:8443/path?query`` is
    ``com,example,www):8443/path?query https me``.
    """
    parsed = parse(url)
    assert parsed, url
    port = parsed.port and ":" + parsed.port
    query = "" if parsed.query is None else "?" + parsed.query
    userinfo = parsed.userinfo and " " + parsed.userinfo
    return f"{_surt(parsed.host)}){port}{parsed.path}{query} {parsed.scheme}{userinfo}"


def _surt(host: str) -> str:
    """A host's labels in reverse; a dot at its end is a comma at the end, addresses stay."""
    if is_address(host):
        return host
    name = host.rstrip(".")
    labels = [
        "".join(char if re.match(r"[a-z0-9_-]", char) else f"%{ord(char):02X}" for char in label)
        for label in name.split(".")
    ]
    return ",".join(label or "%" for label in reversed(labels)) + "," * (len(host) - len(name))


def is_address(host: str) -> bool:
    """Whether the host of a canonical URL is an IP address."""
    return bool(re.fullmatch(r"\[.*\]|[0-9.]+", host))


def is_beneath(host: str, name: str) -> bool:
    """Whether `host` is `name` or a name beneath it; a dot at its end makes no difference."""
    return host == name or f".{host.removesuffix('.')}".endswith(f".{name}")


@cache
def domain_of(host: str) -> str:
    """Registrable domain, private suffixes included; the host itself where there is none.

    tldextract knows no suffix under a top-level domain that the list lacks; by the list's rules
    (https://publicsuffix.org/list/, "the prevailing rule is *") that domain is the suffix.
    """
    found = _suffixes(host.strip("."))
    if found.suffix or found.ipv4 or found.ipv6:
        return found.top_domain_under_public_suffix or host
    return ".".join(host.split(".")[-2:])


def is_icann_suffix(name: str) -> bool:
    """Whether a registry sells names under this one, by a rule or by a wildcard below it."""
    below = f"any.{name}"
    return "." not in name or any(_icann_suffixes(each).suffix == each for each in (name, below))


def _basic_url_parser(reference: str, base: Url | None, encoding: str) -> Url | None:
    rest = re.sub(r"[\t\n\r]", "", reference.strip(_C0_OR_SPACE)).split("#", 1)[0]
    match = _SCHEME.match(rest)
    if match:
        scheme, rest = match[1].lower(), rest[match.end() :]
        if scheme not in PORTS:
            return None
        if base is None or scheme != base.scheme or rest.startswith("//"):
            return _authority(scheme, rest.lstrip("/\\"), encoding)
    if base is None:
        return None
    return _relative(base, rest, encoding)


def _relative(base: Url, rest: str, encoding: str) -> Url | None:
    if rest[:1] in ("/", "\\") and rest[1:2] in ("/", "\\") and rest[1:2]:
        return _authority(base.scheme, rest.lstrip("/\\"), encoding)
    path, query = _split_query(rest, encoding)
    if not path:
        return base._replace(query=base.query if query is None else query)
    if path[0] not in "/\\":
        path = base.path.rsplit("/", 1)[0] + "/" + path
    return base._replace(path=_path(path), query=query)


def _authority(scheme: str, rest: str, encoding: str) -> Url | None:
    end = re.search(r"[/\\?]|$", rest)
    assert end
    authority, rest = rest[: end.start()], rest[end.start() :]
    userinfo, _, hostport = authority.rpartition("@")
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[]*(?:\[[^\]]*\][^:]*)*)(?::([0-9]*))?", hostport)
    host = _host(match[1]) if match else None
    if match is None or not host:
        return None
    port = (match[2] or "").lstrip("0") or ("0" if match[2] else "")
    if port and int(port) > 0xFFFF:
        return None
    path, query = _split_query(rest, encoding)
    return Url(
        scheme, _userinfo(userinfo), host, port if port != PORTS[scheme] else "", _path(path), query
    )


def _split_query(rest: str, encoding: str) -> tuple[str, str | None]:
    path, mark, query = rest.partition("?")
    return path, _percent_encode(query, _QUERY_SET, encoding) if mark else None


def _userinfo(userinfo: str) -> str:
    name, _, password = userinfo.partition(":")
    name, password = _percent_encode(name, _USERINFO_SET), _percent_encode(password, _USERINFO_SET)
    return f"{name}:{password}" if password else name


def _path(path: str) -> str:
    segments = re.split(r"[/\\]", path)
    segments = segments[1:] if path[:1] in ("/", "\\") else segments
    out: list[str] = []
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if segment.lower() in _DOUBLE_DOT:
            del out[-1:]
            out += [""] if last else []
        elif segment.lower() in _SINGLE_DOT:
            out += [""] if last else []
        else:
            out.append(_percent_encode(segment, _PATH_SET))
    return "/" + "/".join(out)


def _percent_encode(text: str, encode_set: frozenset[str], encoding: str = "utf-8") -> str:
    if text.isascii() and text.isprintable() and encode_set.isdisjoint(text):
        return text
    out = []
    for char in text:
        for byte in _encode(char, encoding):
            kept = 0x20 <= byte < 0x7F and chr(byte) not in encode_set
            out.append(chr(byte) if kept else f"%{byte:02X}")
    return "".join(out)


def _encode(char: str, encoding: str) -> bytes:
    """`char` in the encoding of the page; a numeric reference where that has no such character."""
    try:
        return encode(char, encoding)
    except UnicodeEncodeError:
        return "\ufffd".encode() if encoding == "utf-8" else f"%26%23{ord(char)}%3B".encode()


@cache
def _host(text: str) -> str | None:
    if text.startswith("["):
        return _ipv6(text[1:-1]) if text.endswith("]") else None
    domain = _percent_decode(text).decode("utf-8", "replace")
    ascii_domain = _domain_to_ascii(domain)
    if not ascii_domain or not _FORBIDDEN_IN_DOMAIN.isdisjoint(ascii_domain):
        return None
    labels = ascii_domain.removesuffix(".").split(".")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        return _ipv4(labels)
    return ascii_domain


def _percent_decode(text: str) -> bytes:
    return re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda m: bytes.fromhex(m[1].decode()),
        text.encode("utf-8", "replace"),
    )


def _domain_to_ascii(domain: str) -> str | None:
    if domain.isascii() and not re.search(r"(^|\.)xn--", domain, re.IGNORECASE):
        return domain.lower()
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False, transitional=False)
        return ".".join(map(_label_to_ascii, mapped.split(".")))
    except (idna.IDNAError, UnicodeError):
        return None


def _label_to_ascii(label: str) -> str:
    if label.isascii():
        if label.startswith("xn--"):
            plain = label[4:].encode().decode("punycode")
            if plain.isascii() or idna.uts46_remap(plain, False, False) != plain:
                raise idna.IDNAError(label)
        return label
    idna.check_initial_combiner(label)
    if idna.check_bidi(label, check_ltr=False) is False:
        raise idna.IDNAError(label)
    return "xn--" + label.encode("punycode").decode()


def _ipv4(labels: list[str]) -> str | None:
    if len(labels) > 4 or not all(
        re.fullmatch(r"0x[0-9a-f]*|0[0-7]*|[1-9][0-9]*", x) for x in labels
    ):
        return None
    numbers = [
        int(x[2:] or "0", 16) if x.startswith("0x") else int(x, 8 if x.startswith("0") else 10)
        for x in labels
    ]
    last = numbers.pop()
    if any(number > 255 for number in numbers) or last >= 256 ** (4 - len(numbers)):
        return None
    address = last + sum(number << (8 * (3 - i)) for i, number in enumerate(numbers))
    return ".".join(str(byte) for byte in address.to_bytes(4, "big"))


def _ipv6(text: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    if address.scope_id is not None:
        return None
    pieces = [f"{int.from_bytes(address.packed[i : i + 2], 'big'):x}" for i in range(0, 16, 2)]
    runs = re.finditer(r"(?:(?<=:)|^)0(?::0)+(?=:|$)", ":".join(pieces))
    longest = max(runs, key=lambda run: len(run[0]), default=None)
    joined = ":".join(pieces)
    if longest:
        head, tail = joined[: longest.start()].rstrip(":"), joined[longest.end() :].lstrip(":")
        joined = f"{head}::{tail}"
    return f"[{joined}]"
