"""The two versions of IP, and which one an address is of."""

from __future__ import annotations

IPV4, IPV6 = 4, 6


def family(address: str) -> int:
    """The version of IP of an address."""
    return IPV6 if ":" in address else IPV4
