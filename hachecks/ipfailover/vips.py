"""Which VIPs does each instance of OpenShift's ipfailover carry?

As its config-generators.sh makes them of the variables: an instance for each VIP, or for each of
OPENSHIFT_HA_VIP_GROUPS groups, named after OPENSHIFT_HA_CONFIG_NAME and numbered from 1.
"""

from __future__ import annotations

import ipaddress
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 255
"""VIPs of a range: there are no more instances than VRRP has ids."""


def instances(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """The VIPs by instance name; empty where the variables are not set."""
    addresses = expanded(environ.get("OPENSHIFT_HA_VIRTUAL_IPS", ""))
    name = re.sub(r"\W", "", environ.get("OPENSHIFT_HA_CONFIG_NAME", "OpenShift-IPFailover").replace("-", "_"))
    wanted = environ.get("OPENSHIFT_HA_VIP_GROUPS", "")
    count = min(int(wanted) if wanted.isdecimal() and int(wanted) else len(addresses), len(addresses))
    found: dict[str, list[str]] = {}
    for number in range(count):
        # The first groups take one more each when the VIPs do not divide: 7 in 3 groups are 3, 2 and 2.
        size = len(addresses) // count + (number < len(addresses) % count)
        start = sum(map(len, found.values()))
        found[f"{name}_VIP_{number + 1}"] = addresses[start : start + size]
    return found


def expanded(text: str) -> list[str]:
    """The addresses of `10.0.0.1,10.0.0.4-6`; an item that is none is left out, as upstream does."""
    found: list[str] = []
    for item in re.split(r"[,\s]+", text):
        first, dash, last = item.partition("-")
        try:
            address = ipaddress.ip_address(first)
            found += [str(address)] if not dash else _range(address, last)
        except ValueError:
            continue
    return found


def _range(first: ipaddress.IPv4Address | ipaddress.IPv6Address, last: str) -> list[str]:
    """From the first address to the one whose last part is given; raises `ValueError`."""
    separator = ":" if first.version == 6 else "."
    head = str(first).rpartition(separator)[0]
    end = ipaddress.ip_address(f"{head}{separator}{last.rpartition(separator)[2]}")
    count = int(end) - int(first) + 1
    if not 1 <= count <= MOST:
        raise ValueError(f"{first}-{last} is no range")
    return [str(first + number) for number in range(count)]
