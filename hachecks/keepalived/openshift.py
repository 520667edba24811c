"""OpenShift's ipfailover: the instances and VIPs that its variables come to.

As its generators (config-generators.sh, utils.sh) make them of the variables: an instance for each VIP, or for each of
OPENSHIFT_HA_VIP_GROUPS groups, named after OPENSHIFT_HA_CONFIG_NAME and numbered from 1. What they would write is read
as any other configuration, so that Keepalived's rules hold for it too.
"""

from __future__ import annotations

import re
from itertools import count
from typing import NamedTuple

from hachecks.keepalived.arithmetic import number
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
DELETED = re.compile(r"[^0-9a-fA-F:.,\\\n-]")
"""What sed deletes: the backslash in its brackets is one of those it leaves."""
IPV4 = re.compile(r"(?:[0-2]?[0-9]{1,2}\.){3}[0-2]?[0-9]{1,2}", re.ASCII)
GROUP = "[0-9a-fA-F]{1,4}"
IPV6 = (re.compile(f"(?:{GROUP}:){{7}}{GROUP}"), re.compile(f"::(?:{GROUP}:){{0,6}}{GROUP}"))
IPV6_SHORT = (
    re.compile(f"(?:{GROUP}:){{0,6}}:(?:{GROUP}:){{0,6}}{GROUP}"),
    re.compile(f"(?:{GROUP}:+){{1,6}}{GROUP}"),
)
"""What an IPv6 address with :: in it matches both of."""
SEQUENCE_END = re.compile("([0-9]+)(?:[eE]([0-9]+))?", re.ASCII)
ECHO_OPTION = re.compile("-[neE]+", re.ASCII)
"""What bash's echo takes for an option, and does not print."""
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
    numbers = ids(_offset(environ) or 0, environ.get("HA_EXCLUDED_VRRP_IDS", ""))
    for (name, vips), vrid in zip(instances(environ).items(), numbers):
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
    text = environ.get("OPENSHIFT_HA_VRRP_ID_OFFSET", "")
    return number(text).value if text else None


def ids(offset: int, excluded: str) -> Iterator[int]:
    """The id of each instance in turn, beyond 255 too: from the one after the offset, without those excluded."""
    words = re.split("[ \t\n]+", excluded)
    return (vrid for vrid in count(offset + 1) if str(vrid) not in words)


def instances(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """The VIPs by instance name, as they are generated; empty where the variables are not set."""
    addresses = expanded(environ.get("OPENSHIFT_HA_VIRTUAL_IPS", ""))
    name = scrubbed(_name(environ))
    # What is no number leaves each VIP an instance of its own.
    groups = number(environ.get("OPENSHIFT_HA_VIP_GROUPS", "")).value or 0
    groups = min(groups if groups > 0 else len(addresses), len(addresses))
    found: dict[str, list[str]] = {}
    start = 0
    for index in range(groups):
        # The first groups take one more each when the VIPs do not divide: 7 in 3 groups are 3, 2 and 2.
        size = len(addresses) // groups + (index < len(addresses) % groups)
        found[f"{name}_VIP_{index + 1}"] = addresses[start : start + size]
        start += size
    return found


def scrubbed(name: str) -> str:
    """A configuration's name as instances have it: letters, digits and _, and for - too."""
    if ECHO_OPTION.fullmatch(name):
        return ""
    return re.sub(r"[^A-Za-z0-9_]", "", name.replace("-", "_"))


class Item(NamedTuple):
    """An item of the list of VIPs: what was written between two commas, what is left of it, and what it comes to."""

    written: str
    left: str
    addresses: tuple[str, ...]


def expanded(text: str) -> list[str]:
    """The addresses of `10.0.0.1,10.0.0.4-6` as they are generated, those beyond 255 included."""
    return [address for item in items(text) for address in item.addresses]


def items(text: str) -> Iterator[Item]:
    """Each item with its addresses, all of them at most `MAX_VIPS`.

    Blanks are no separators, whatever the documentation says: they are deleted like all that no address is made of,
    and what stands on both sides of one becomes one item, which is left out if it is no address.
    """
    room = MAX_VIPS
    for written in re.split(r"[,\n]", text):
        left = DELETED.sub("", written)
        if written.strip():
            addresses = _addresses(left)[:room]
            room -= len(addresses)
            yield Item(written, left, addresses)


def _addresses(item: str) -> tuple[str, ...]:
    first, *rest = item.split("-")
    last = rest[0] if rest else ""
    if IPV4.fullmatch(first) and all(int(part) <= 255 for part in first.split(".")):
        return _ipv4_range(first, last) if last else (first,)
    if any(shape.fullmatch(first) for shape in IPV6) or all(shape.fullmatch(first) for shape in IPV6_SHORT):
        # Ranges are worked out by bc, which the image does not have.
        return () if last else (first,)
    return ()


def _ipv4_range(first: str, last: str) -> tuple[str, ...]:
    """From the first address to its neighbour with the last part of the other; nothing if that comes before."""
    base, _, start = first.rpartition(".")
    text = last.rpartition(".")[2]
    if not text:
        # seq of one number counts from 1 to it.
        return tuple(f"{base}.{part}" for part in range(1, int(start) + 1))
    end = SEQUENCE_END.fullmatch(text)
    if not end:
        return ()
    # seq takes 1e2 for a hundred.
    exponent = min(int(end[2][:9]), 9) if end[2] else 0
    stop = min(int(end[1][:19]) * 10**exponent, int(start) + MAX_VIPS)
    return tuple(f"{base}.{part}" for part in range(int(start), stop + 1))
