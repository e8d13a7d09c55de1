"""Number the IP addresses of referring pages; find their subnets and countries.

In: addresses as text, as crawls have them. Out: numbers in the order of the addresses, IPv4 before
IPv6, however each one is written.
"""

import ipaddress
from typing import NamedTuple

import iptocc
import numpy as np
import numpy.typing as npt
import pyarrow as pa

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Addresses(NamedTuple):
    """Distinct addresses."""

    texts: list[str]
    """The canonical text of each, in order."""
    numbers: pa.Table
    """``ip``, as it was written; ``ip_id`` and ``subnet_id``, the numbers of its address and of
    that address's subnet. Text that is not an address is left out."""


def number(texts: list[str]) -> Addresses:
    """Number the addresses, and the subnets, of the distinct *texts*."""
    parsed = _parsed(texts)
    subnets = {text: _subnet(address) for text, address in parsed.items()}
    ordered = sorted(set(parsed.values()), key=_order)
    ip_ids = {address: n for n, address in enumerate(ordered)}
    subnet_ids = {subnet: n for n, subnet in enumerate(sorted(set(subnets.values())))}
    numbers = pa.table(
        {
            "ip": pa.array(parsed, pa.string()),
            "ip_id": pa.array([ip_ids[a] for a in parsed.values()], pa.int32()),
            "subnet_id": pa.array([subnet_ids[s] for s in subnets.values()], pa.int32()),
        }
    )
    return Addresses([str(address) for address in ordered], numbers)


def countries(texts: list[str]) -> npt.NDArray[np.uint16]:
    """The country of each address: two lower-case letters of ISO 3166-1 as a number; 0: unknown."""
    codes = [(code or "").lower() for code in iptocc.country_code(texts)]
    return np.array([int.from_bytes(code.encode()) for code in codes], np.uint16)


def _parsed(texts: list[str]) -> dict[str, _Address]:
    parsed = {}
    for text in texts:
        try:
            parsed[text] = ipaddress.ip_address(text)
        except ValueError:
            continue
    return parsed


def _order(address: _Address) -> tuple[int, int, str]:
    return address.version, int(address), str(address)  # the text has the scope of an IPv6 address


def _subnet(address: _Address) -> tuple[int, int]:
    """The /24 of an IPv4 address, the /48 of an IPv6 address."""
    bits = 8 if address.version == 4 else 80
    return address.version, int(address) >> bits
