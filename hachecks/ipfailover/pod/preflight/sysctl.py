"""A node's settings of IPv4 (ip-sysctl), of which the stricter counts: that of an interface, or that of all."""

from __future__ import annotations


def strictest(setting: str, interface: str) -> int:
    """What counts for an interface; 0 where that cannot be read."""
    found = 0
    for name in ("all", interface):
        try:
            with open(f"/proc/sys/net/ipv4/conf/{name}/{setting}", encoding="ascii") as file:
                found = max(found, int(file.read()))
        except (OSError, ValueError):
            continue
    return found
