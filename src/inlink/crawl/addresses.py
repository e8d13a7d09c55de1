"""Which addresses a crawl may connect to.

In: the host of a URL. Out: the addresses it has, or an error where none of them may be used. A name
is looked up once for a fetch and the connection goes to an address that was checked here, so what
the name says a moment later (DNS rebinding) does not matter.

An address is public if it is globally reachable by the IANA registries of special-purpose
addresses, no multicast, and not one where a cloud keeps its metadata. Of IPv6, only the block is
public that the IANA gives addresses from; the special ones within it are still excepted. IPv6
addresses that carry an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64) are as public as that
one.
"""

import asyncio
import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from inlink.crawl.errors import FetchError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], Awaitable[list[str]]]

_KEPT_SECONDS = 300.0
_KEPT_NAMES = 10_000
_ALSO_FORBIDDEN = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's metadata, in a public block
        "192.0.0.0/24",  # for protocols; Oracle's metadata. Python counts it as global
        "3fff::/20",  # for documentation (RFC 9637); older versions of Python do not know it
    )
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""https://www.iana.org/assignments/ipv6-address-space: all others are reserved, or for one network
only, such as ``fec0::/10``, ``64:ff9b:1::/48`` and ``5f00::/16``."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa")
"""Names that mean something on one network only (RFC 6761, 6762, 8375)."""


def is_public(address: Address) -> bool:
    """Whether *address* is one that everybody on the Internet reaches."""
    if isinstance(address, ipaddress.IPv6Address):
        if (inner := _carried(address)) is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    forbidden = any(address in network for network in _ALSO_FORBIDDEN)
    return address.is_global and not address.is_multicast and not forbidden


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def literal(host: str) -> Address | None:
    """The address that the host of a canonical URL is; None if it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether the host of a canonical URL is this machine without a look-up."""
    address = literal(host)
    return host == "localhost" if address is None else address.is_loopback


def is_local_name(host: str) -> bool:
    """Whether *host* is private by its name or as an address, without a look-up."""
    address = literal(host)
    if address is not None:
        return not is_public(address)
    name = host.rstrip(".")
    return "." not in name or f".{name}".endswith(_LOCAL_NAMES)


async def system_resolve(host: str) -> list[str]:
    """The addresses of *host* by the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Addresses:
    """Looks names up, and checks what they say; remembers it for some minutes."""

    def __init__(
        self, *, allow_private: bool, loopback_only: bool, resolve: Resolve = system_resolve
    ) -> None:
        self._allow_private = allow_private
        self._loopback_only = loopback_only
        self._resolve = resolve
        self._known: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()

    async def of(self, host: str) -> list[str]:
        """The addresses of *host* that may be connected to, at least one.

        Raises:
            FetchError: ``dns``, there is no such host; ``blocked``, it has no address to use.
        """
        found = await self._look_up(host)
        usable = [text for text in found if self._may_use(text)]
        if not usable:
            raise FetchError("blocked", f"address {', '.join(found)} is not public")
        return usable

    async def _look_up(self, host: str) -> list[str]:
        if literal(host) is not None:
            return [host.strip("[]")]
        kept = self._known.get(host)
        if kept and kept[0] > time.monotonic():
            return kept[1]
        try:
            found = await self._resolve(host)
        except (OSError, UnicodeError) as error:
            raise FetchError("dns", str(error)) from error
        if not found:
            raise FetchError("dns", "the name has no address")
        self._known[host] = (time.monotonic() + _KEPT_SECONDS, found)
        if len(self._known) > _KEPT_NAMES:
            self._known.popitem(last=False)
        return found

    def _may_use(self, text: str) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        if self._loopback_only and not address.is_loopback:
            return False
        return self._allow_private or is_public(address)
