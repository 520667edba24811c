"""OpenShift's ipfailover: the instances and VIPs that its variables come to.

As its generators (config-generators.sh, utils.sh) make them of the variables: an instance for each VIP, or for each of
OPENSHIFT_HA_VIP_GROUPS groups, named after OPENSHIFT_HA_CONFIG_NAME and numbered from 1. What they would write is read
as any other configuration, so that Keepalived's rules hold for it too.
"""

from __future__ import annotations

import ipaddress
import re
from itertools import count

from hachecks.keepalived.configuration import Configuration, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.keepalived.configuration import VrrpInstance

MAX_VIPS = 1024
"""VIPs that are expanded: VRRP has 255 ids, and groups take more than one VIP each."""
DEFAULT_NAME = "OpenShift-IPFailover"
"""What OPENSHIFT_HA_CONFIG_NAME is by default."""
DEFAULT_INTERVAL = "2"
"""Seconds between two runs of the check script, as they are written."""
PLACE = "what OPENSHIFT_HA_* come to"
DELETED = re.compile(r"[^0-9a-fA-F:.,\n-]")
IPV4 = re.compile(r"(?:[0-2]?[0-9]{1,2}\.){3}[0-2]?[0-9]{1,2}", re.ASCII)
UNTOLD = "unknown"
"""Stands for the interface where no variable names it."""
ANY_PRIORITY = "${_RANDOM}"


def configuration(environ: Mapping[str, str]) -> Configuration:
    """What Keepalived makes of what the generator makes of the variables; nothing where they are not set.

    None stands for what they do not tell: the ids, whose offset is 0 or 10 by default according to the version, and
    the priorities, which are made of the node's address and of chance.
    """
    if not instances(environ):
        return Configuration((), (), {}, ())
    text = "\n".join(_generated(environ))
    found = read_text(text, PLACE)
    ids = _offset(environ) is not None
    findings = tuple(one for one in found.findings if "another number at each start" not in one)
    return found._replace(instances=tuple(_as_far_as_known(one, ids) for one in found.instances), findings=findings)


def _as_far_as_known(instance: VrrpInstance, ids: bool) -> VrrpInstance:
    """An instance without what was only put in for want of a variable."""
    if instance.interface == UNTOLD:
        addresses = tuple(vip._replace(interface="") for vip in instance.addresses)
        instance = instance._replace(interface="", addresses=addresses)
    return instance if ids else instance._replace(vrid=None)


def _generated(environ: Mapping[str, str]) -> Iterator[str]:
    """The lines of the generated keepalived.conf that matter here, in its order."""
    check = f"chk_{_name(environ).replace('-', '_')}"
    command = environ.get("OPENSHIFT_HA_CHECK_SCRIPT", "")
    if command:
        interval = environ.get("OPENSHIFT_HA_CHECK_INTERVAL") or DEFAULT_INTERVAL
        yield from (f"vrrp_script {check} {{", f'script "{command}"', f"interval {interval}", "}")
    interface = environ.get("OPENSHIFT_HA_NETWORK_INTERFACE") or UNTOLD
    # OPENSHIFT_HA_USE_UNICAST is read nowhere: unicast is what has peers.
    peers = environ.get("OPENSHIFT_HA_UNICAST_PEERS", "").split(",")
    for (name, vips), vrid in zip(instances(environ).items(), _ids(environ)):
        yield f"vrrp_instance {name} {{"
        yield from (f"interface {interface}", f"virtual_router_id {vrid}", f"priority {ANY_PRIORITY}")
        if command:
            yield from ("track_script {", check, "}")
        for keyword, variable in (("mcast", "MULTICAST"), ("unicast", "UNICAST")):
            source = environ.get(f"{variable}_SOURCE_IPADDRESS")
            if source:
                yield f"{keyword}_src_ip {source}"
        if any(peers):
            yield from ("unicast_peer {", *peers, "}")
        yield from ("virtual_ipaddress {", *(f"{vip} dev {interface}" for vip in vips), "}", "}")


def _name(environ: Mapping[str, str]) -> str:
    return environ.get("OPENSHIFT_HA_CONFIG_NAME") or DEFAULT_NAME


def _offset(environ: Mapping[str, str]) -> int | None:
    """The offset of the ids; None where it is not known."""
    offset = environ.get("OPENSHIFT_HA_VRRP_ID_OFFSET", "")
    # The generator is a shell script, to which 010 is eight.
    return int(offset) if re.fullmatch("0|[1-9][0-9]{0,2}", offset, re.ASCII) else None


def _ids(environ: Mapping[str, str]) -> Iterator[int]:
    """The id of each instance in turn."""
    excluded = environ.get("HA_EXCLUDED_VRRP_IDS", "").split()
    for vrid in count((_offset(environ) or 0) + 1):
        if str(vrid) not in excluded:
            yield vrid


def instances(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """The VIPs by instance name, as they are generated; empty where the variables are not set."""
    addresses = expanded(environ.get("OPENSHIFT_HA_VIRTUAL_IPS", ""))
    name = re.sub(r"[^A-Za-z0-9_]", "", _name(environ).replace("-", "_"))
    groups = min(_groups(environ.get("OPENSHIFT_HA_VIP_GROUPS", "")) or len(addresses), len(addresses))
    found: dict[str, list[str]] = {}
    start = 0
    for number in range(groups):
        # The first groups take one more each when the VIPs do not divide: 7 in 3 groups are 3, 2 and 2.
        size = len(addresses) // groups + (number < len(addresses) % groups)
        found[f"{name}_VIP_{number + 1}"] = addresses[start : start + size]
        start += size
    return found


def _groups(text: str) -> int:
    """A number as bash reads it; 0 for what is none."""
    found = re.fullmatch(r"\s*(?:(0[0-7]{0,9})|([1-9][0-9]{0,9}))\s*", text, re.ASCII)
    return 0 if not found else int(found[1], 8) if found[1] else int(found[2])


def expanded(text: str) -> list[str]:
    """The addresses of `10.0.0.1,10.0.0.4-6` as they are generated, those beyond 255 included.

    Blanks are no separators, whatever the documentation says: they are deleted like all that no address is made of,
    and what stands on both sides of one becomes one item, which is left out if it is no address.
    """
    found: list[str] = []
    for item in re.split(r"[,\n]", DELETED.sub("", text)):
        first, *rest = item.split("-")
        last = rest[0] if rest else ""
        if IPV4.fullmatch(first) and all(int(part) <= 255 for part in first.split(".")):
            addresses = _ipv4_range(first, last)
        elif ":" in first and not first.endswith(":") and _is_address(first):
            addresses = _ipv6_range(first, last)
        else:
            continue
        found += addresses[: MAX_VIPS - len(found)]
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ipv4_range(first: str, last: str) -> list[str]:
    """From the first address to its neighbour with the last part of the other; nothing if that comes before."""
    if not last:
        return [first]
    base, _, start = first.rpartition(".")
    end = last.rpartition(".")[2]
    if not re.fullmatch("[0-9]{1,9}", end, re.ASCII):
        return []
    return [f"{base}.{number}" for number in range(int(start), min(int(end), int(start) + MAX_VIPS) + 1)]


def _ipv6_range(first: str, last: str) -> list[str]:
    if not last:
        return [first]
    base, _, start = first.rpartition(":")
    if not re.fullmatch("[0-9a-fA-F]{1,4}", last) or not re.fullmatch("[0-9a-fA-F]{1,4}", start):
        return []
    return [f"{base}:{number:x}" for number in range(int(start, 16), min(int(last, 16), int(start, 16) + MAX_VIPS) + 1)]
