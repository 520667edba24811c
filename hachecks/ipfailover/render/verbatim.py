"""Lines that somebody adds to a block, word for word: judged before, so that they stay in it and say nothing twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.config import nearest
from hachecks.ipfailover.render.keywords import INSTANCE, LAST_TOLD, SINCE, knows
from hachecks.ipfailover.render.keywords import written as version_written
from hachecks.keepalived.lines import uncommented
from hachecks.keepalived.parser import words_of
from hachecks.settings import Invalid
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.render.keywords import Version

WRITTEN = {
    "advert_int": "OPENSHIFT_HA_ADVERT_INT",
    "auth_hmac": "OPENSHIFT_HA_AUTH_HMAC_KEY_FILE",
    "authentication": "OPENSHIFT_HA_AUTH_PASS_FILE",
    "interface": "OPENSHIFT_HA_NETWORK_INTERFACE",
    "mcast_src_ip": "MULTICAST_SOURCE_IPADDRESS",
    "nopreempt": "OPENSHIFT_HA_PREEMPTION",
    "notify": "OPENSHIFT_HA_NOTIFY_SCRIPT",
    "preempt": "OPENSHIFT_HA_PREEMPTION",
    "preempt_delay": "OPENSHIFT_HA_PREEMPTION",
    "priority": "OPENSHIFT_HA_PREFER",
    "timer_expired_backup": "OPENSHIFT_HA_PREEMPTION",
    "track_file": "OPENSHIFT_HA_TRACK_FILE",
    "track_script": "OPENSHIFT_HA_CHECK_SCRIPT",
    "unicast_peer": "OPENSHIFT_HA_UNICAST_PEERS",
    "unicast_src_ip": "UNICAST_SOURCE_IPADDRESS",
    "version": "OPENSHIFT_HA_VRRP_VERSION",
    "virtual_ipaddress": "OPENSHIFT_HA_VIRTUAL_IPS",
    "virtual_ipaddress_excluded": "OPENSHIFT_HA_VIRTUAL_IPS",
    "virtual_router_id": "OPENSHIFT_HA_VRRP_ID_OFFSET",
    "vrrp_delay_after_boot": "OPENSHIFT_HA_PREEMPTION",
    "vrrp_version": "OPENSHIFT_HA_VRRP_VERSION",
    "router_id": "OPENSHIFT_HA_CONFIG_NAME",
    "vrrp_garp_master_refresh": "garp_master_refresh in OPENSHIFT_HA_VERBATIM",
    "vrrp_garp_lower_prio_repeat": "garp_lower_prio_repeat in OPENSHIFT_HA_VERBATIM",
    **dict.fromkeys(("state", "check_unicast_src", "unicast_fault_no_peer"), ""),
    **dict.fromkeys(("script_user", "enable_script_security", "dynamic_interfaces", "log_unknown_vrids"), ""),
}
"""Keywords that are written anyway, and what decides on them."""
UNFIT = {
    "linkbeat_use_polling": "Keepalived wants it in a block of its own",
    "native_ipv6": "the VIPs tell the family",
    "track_bfd": "the bfd_instance that it names cannot be added",
    "track_process": "the block that it names cannot be added",
    "vrf": "the instance has an interface",
}
"""Keywords of an instance that do not go with what is written."""
BY_UNICAST = {"mcast_dst_ip": False, "old_unicast_checksum": True, "unicast_ttl": True}
"""Keywords of an instance that are for unicast, or for multicast."""
STRICT = ("strict_mode", "vrrp_strict")
BLOCKS = ("notification_email", "track_bfd", "track_interface", "track_process", "virtual_routes", "virtual_rules")
INCLUDE = re.compile(r"include[rmwba]?(\s|$)")
OUTSIDE, AWAITING, INSIDE = range(3)
"""Where a line stands: outside of blocks, before the brace of one, or inside."""
LONGEST = 900
"""Bytes: Keepalived cuts lines of more than 1023."""


class Room(NamedTuple):
    """Where lines are added: the keywords that are known there, to which version, and the instance around them."""

    known: frozenset[str]
    version: Version
    interface: str
    unicast: bool


def lines(text: str, place: str, room: Room) -> Iterator[str]:
    """The lines, indented as they belong together; raises `Invalid` where they reach beyond, or say what is written."""
    at = OUTSIDE
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{place}: line {number}"
        words = _words(line.strip(), where)
        inside = at == INSIDE and words != ["}"]
        if words and at == OUTSIDE:
            _refuse_keyword(words[0], where, room)
            _refuse_unfit(words[0], where, room)
            found.append(words[0])
            at = AWAITING if words[0] in BLOCKS else OUTSIDE
            words = words[1:]
        if words and at == AWAITING and words[0] == "{":
            at, words = INSIDE, words[1:]
        if at == INSIDE and words[-1:] == ["}"]:
            at, words = OUTSIDE, words[:-1]
        if (words and at == AWAITING) or any(brace in word for word in words for brace in "{}"):
            raise Invalid(f"{where}: {one_line(line)} has a brace too many or too few")
        if words[:1] == [room.interface] and found[-1] == "track_interface":
            raise Invalid(f"{where}: {room.interface} is tracked anyway, and Keepalived complains of it; leave it out")
        if line.strip():
            yield "    " * inside + line.strip()
    if at != OUTSIDE:
        raise Invalid(f"{place}: a }} is missing at the end")
    if ("vmac_xmit_base" in found) != ("use_vmac" in found) and (room.unicast or "use_vmac" not in found):
        raise Invalid(f"{place}: use_vmac and vmac_xmit_base belong together; write both")


def _words(line: str, where: str) -> list[str]:
    """The words of a line; raises `Invalid` for what reaches beyond it."""
    if len(line.encode()) > LONGEST:
        raise Invalid(f"{where}: it has more than {LONGEST} bytes, and Keepalived would cut it")
    bare = uncommented(line)
    if bare.count('"') % 2:
        raise Invalid(f"{where}: a double quote of {one_line(line)} is not closed")
    if bare[:1] in ("@", "~", "<") or "$" in bare or INCLUDE.match(bare) or line.endswith("\\"):
        raise Invalid(
            f"{where}: {one_line(line)} reaches beyond its place, by @ $ ~ < \\ or include; write plain lines"
        )
    return words_of(bare)


def _refuse_unfit(keyword: str, where: str, room: Room) -> None:
    """Refuse what Keepalived takes elsewhere, and complains of here."""
    if room.known is not INSTANCE:
        return
    if keyword in UNFIT:
        raise Invalid(f"{where}: {keyword} cannot be added, since {UNFIT[keyword]}; leave it out")
    if BY_UNICAST.get(keyword, room.unicast) != room.unicast:
        raise Invalid(f"{where}: {keyword} is not for {'unicast' if room.unicast else 'multicast'}; leave it out")


def _refuse_keyword(keyword: str, where: str, room: Room) -> None:
    known, version = room.known, room.version
    if keyword in "{}":
        raise Invalid(f"{where}: there is a {keyword} too many")
    if keyword in STRICT:
        raise Invalid(f"{where}: {keyword} makes VIPs that answer to nobody, and forbids unicast; leave it out")
    if keyword in WRITTEN:
        cure = f"set {WRITTEN[keyword]}" if WRITTEN[keyword] else "leave it out"
        raise Invalid(f"{where}: {keyword} is written anyway; {cure}")
    block = "vrrp_instance" if known is INSTANCE else "global_defs"
    if keyword in known and not knows(version, keyword):
        since = version_written(SINCE[keyword])
        raise Invalid(f"{where}: Keepalived {version_written(version)} has no {keyword}, which came with {since}")
    if keyword not in known and version <= LAST_TOLD:
        raise Invalid(f"{where}: {one_line(keyword)} is no keyword of {block}{nearest(keyword, known)}")
