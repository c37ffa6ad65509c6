"""Network address of whoever sends a request, as limits count it: the one that the nearest proxy in front has seen.

A sender may write anything into the header, but always to the left of what proxies add: the last public address in it
is the one that was seen from outside. Of IPv6 it is the network, of which one connection has 2^64 addresses. People
behind one address, of a university, say, are one here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

NETWORK_BITS = 64  # of an IPv6 address
HEADER = "x-forwarded-for"
MAX_HEADER = 1000  # characters that are read of it, from its end


def address_of(headers: Mapping[str, str], client: Any = None) -> str:
    """The sender's address, by `x-forwarded-for` or else the connection's (host, port); `?` where neither says one."""
    named = [part.strip() for part in _forwarded(headers)[-MAX_HEADER:].split(",")]
    found = [address for address in map(_parsed, named) if address is not None]
    if not found and client:
        found = [address for address in [_parsed(client[0])] if address is not None]
    if not found:
        return "?"
    seen = next((address for address in reversed(found) if address.is_global), found[-1])
    if seen.version == 4:
        return str(seen)
    return str(ipaddress.ip_network((seen, NETWORK_BITS), strict=False))


def _forwarded(headers: Mapping[str, str]) -> str:
    """The header with all its lines: some proxies write one of their own below the sender's."""
    lines = getattr(headers, "getlist", None)
    return headers.get(HEADER, "") if lines is None else ",".join(lines(HEADER))


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    host = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:  # with a port, as some proxies write it
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
