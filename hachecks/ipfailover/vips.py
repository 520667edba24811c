"""Which VIPs does each instance of OpenShift's ipfailover carry?

As its config-generators.sh makes them of the variables: an instance for each VIP, or for each of
OPENSHIFT_HA_VIP_GROUPS groups, named after OPENSHIFT_HA_CONFIG_NAME and numbered from 1.
"""

from __future__ import annotations

import ipaddress
import re
from itertools import count

from hachecks.keepalived import Configuration, VirtualAddress, VrrpInstance, VrrpScript, family_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST = 255
"""VIPs of a range: there are no more instances than VRRP has ids."""
NAME = "OpenShift-IPFailover"
INTERVAL = "2"


def configuration(environ: Mapping[str, str]) -> Configuration:
    """What the generator makes of the variables; nothing where they are not set.

    None stands for what they do not tell: the ids, whose offset is 0 or 10 by default according to the version, and
    the priorities, which are made of the node's address and of chance.
    """
    named = instances(environ)
    command = environ.get("OPENSHIFT_HA_CHECK_SCRIPT", "") if named else ""
    scripts: tuple[VrrpScript, ...] = ()
    if command:
        interval = environ.get("OPENSHIFT_HA_CHECK_INTERVAL") or INTERVAL
        name = "chk_" + environ.get("OPENSHIFT_HA_CONFIG_NAME", NAME).replace("-", "_")
        seconds = float(interval) if interval.isascii() and interval.isdecimal() else None
        scripts = (VrrpScript(name, command, seconds, None, None, None),)
    interface = environ.get("OPENSHIFT_HA_NETWORK_INTERFACE", "")
    # OPENSHIFT_HA_USE_UNICAST is read nowhere: unicast is what has peers.
    unicast = bool(environ.get("OPENSHIFT_HA_UNICAST_PEERS", "").strip(", "))
    tracked = tuple(script.name for script in scripts)
    found = []
    for (name, vips), vrid in zip(named.items(), _ids(environ)):
        addresses = tuple(_address(vip, interface) for vip in dict.fromkeys(vips))
        found.append(VrrpInstance(name, interface, vrid, None, unicast, addresses, tracked, family_of(addresses)))
    return Configuration(tuple(found), scripts, {}, ())


def _address(vip: str, interface: str) -> VirtualAddress:
    return VirtualAddress(vip, 128 if ":" in vip else 32, interface, False)


def _ids(environ: Mapping[str, str]) -> Iterator[int | None]:
    """The id of each instance in turn; None where it is not known, or none that VRRP has."""
    offset = environ.get("OPENSHIFT_HA_VRRP_ID_OFFSET", "")
    # The generator is a shell script, to which 010 is eight.
    known = re.fullmatch("0|[1-9][0-9]{0,2}", offset)
    excluded = environ.get("HA_EXCLUDED_VRRP_IDS", "").split()
    for vrid in count(int(offset) + 1 if known else 1):
        if not known or str(vrid) not in excluded:
            yield vrid if known and vrid <= MOST else None


def instances(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """The VIPs by instance name; empty where the variables are not set."""
    addresses = expanded(environ.get("OPENSHIFT_HA_VIRTUAL_IPS", ""))
    name = re.sub(r"\W", "", environ.get("OPENSHIFT_HA_CONFIG_NAME", NAME).replace("-", "_"))
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
