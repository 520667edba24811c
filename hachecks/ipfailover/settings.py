"""Settings of ipfailover: every OPENSHIFT_HA_* variable, declared once with its flag, default, validation and help."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hachecks.config import nearest
from hachecks.ipfailover import instant, preemption, values, vips
from hachecks.ipfailover.variable import PREFIX, declared
from hachecks.settings import Invalid
from hachecks.units import parse_bool
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hachecks.ipfailover.preemption import Preemption
    from hachecks.ipfailover.variable import Given, Variable
    from hachecks.ipfailover.vips import Vips

CHECK = "OPENSHIFT_HA_CHECK_SCRIPT_"
RANGE_CHECKS = f"{CHECK}<n>"
"""A variable for each item of OPENSHIFT_HA_VIRTUAL_IPS, by its number."""
RANGE_CHECK = re.compile(rf"{CHECK}([1-9][0-9]{{0,3}})", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """What the variables come to; `places` has where each was given that was, by the variable's name."""

    places: Mapping[str, str]
    stock: tuple[int, int]
    config_name: str = declared(
        "OPENSHIFT_HA_CONFIG_NAME",
        values.matching(values.CONFIG_NAME, "name; expected letters, digits, . _ and -, 63 at most"),
        "OpenShift-IPFailover",
        flag="config-name",
        metavar="NAME",
        help="The configuration's name, of which instances have theirs; oc adm ipfailover's argument",
    )
    virtual_ips: Vips = declared(  # noqa: RUF009 - this is a field
        "OPENSHIFT_HA_VIRTUAL_IPS",
        vips.parse,
        flag="virtual-ips",
        metavar="VIPS",
        help="The VIPs: 10.0.0.1, 10.0.0.4-6, 10.0.0.250-10.0.1.5, 10.1.0.0/28, fd00::a-c",
    )
    virtual_ip_groups: int = declared(
        "OPENSHIFT_HA_VIP_GROUPS",
        values.number(0, values.LARGEST_NUMBER),
        "0",
        flag="virtual-ip-groups",
        metavar="N",
        help="Number of instances for all VIPs; 0 is one for each",
    )
    vrrp_id_offset: int = declared(
        "OPENSHIFT_HA_VRRP_ID_OFFSET",
        values.number(0, 254),
        (("3.0", "0"), ("4.20", "10")),
        flag="vrrp-id-offset",
        metavar="N",
        help="Ids begin after it (default 10, before 4.20 0)",
    )
    excluded_vrrp_ids: tuple[int, ...] = declared(
        "HA_EXCLUDED_VRRP_IDS",
        values.excluded_ids,
        flag="excluded-vrrp-ids",
        metavar="IDS",
        help="Ids that others have on this segment",
    )
    replicas: int = declared(
        "OPENSHIFT_HA_REPLICA_COUNT",
        values.number(1, values.LARGEST_NUMBER),
        "1",
        flag="replicas",
        short="-r",
        metavar="N",
        help="Number of nodes, where they are not named",
    )
    interface: str = declared(
        "OPENSHIFT_HA_NETWORK_INTERFACE",
        values.interface,
        flag="interface",
        short="-i",
        metavar="NAME",
        help="Where VRRP runs: configurations on different interfaces may have the same ids",
    )
    preemption: Preemption = declared(  # noqa: RUF009 - this is a field
        "OPENSHIFT_HA_PREEMPTION",
        preemption.parse,
        "preempt_delay 300",
        flag="preemption-strategy",
        metavar="WORDS",
        help="nopreempt, preempt_delay SECONDS, or preempt (default preempt_delay 300)",
    )
    use_unicast: bool = declared(
        "OPENSHIFT_HA_USE_UNICAST",
        parse_bool,
        "false",
        flag="use-unicast",
        metavar="BOOL",
        help="Whether nodes speak to each other by unicast, which needs their addresses",
    )
    unicast_peers: tuple[str, ...] = declared(
        "OPENSHIFT_HA_UNICAST_PEERS",
        values.peers,
        flag="unicast-peers",
        metavar="ADDRESSES",
        help="The nodes by address, which then use unicast",
    )
    nodes: tuple[str, ...] = declared(
        "OPENSHIFT_HA_NODES",
        values.nodes,
        flag="nodes",
        ours=True,
        metavar="NODES",
        help="The nodes by name or address (default the unicast peers)",
    )
    prefer: tuple[tuple[Vips, tuple[str, ...]], ...] = declared(
        "OPENSHIFT_HA_PREFER",
        values.preference,
        flag="prefer",
        ours=True,
        metavar="VIPS=NODES",
        help="Nodes that should have a VIP, the best first; several separated by ;",
    )
    apart: tuple[Vips, ...] = declared(
        "OPENSHIFT_HA_APART",
        values.sets,
        flag="apart",
        ours=True,
        metavar="VIPS",
        help="VIPs that should be on different nodes; several sets separated by ;",
    )
    together: tuple[Vips, ...] = declared(
        "OPENSHIFT_HA_TOGETHER",
        values.sets,
        flag="together",
        ours=True,
        metavar="VIPS",
        help="VIPs that should be on one node; several sets separated by ;",
    )
    monitor_port: int = declared(
        "OPENSHIFT_HA_MONITOR_PORT",
        values.number(0, 65535),
        "80",
        flag="watch-port",
        short="-w",
        metavar="PORT",
        help="The port that the default check connects to; 0 none",
    )
    check_script: str = declared(
        "OPENSHIFT_HA_CHECK_SCRIPT",
        values.line,
        flag="check-script",
        metavar="COMMAND",
        help="The check, in place of the default one",
    )
    check_interval: int = declared(
        "OPENSHIFT_HA_CHECK_INTERVAL",
        values.number(1, 86400),
        "2",
        flag="check-interval",
        metavar="SECONDS",
        help="Seconds between two checks",
    )
    check_timeout: int = declared(
        "OPENSHIFT_HA_CHECK_TIMEOUT",
        values.optional(values.number(1, 86400)),
        flag="check-timeout",
        ours=True,
        metavar="SECONDS",
        help="Seconds after which a check counts as failed (default the interval)",
    )
    check_rise: int = declared(
        "OPENSHIFT_HA_CHECK_RISE",
        values.number(1, 1000),
        "1",
        flag="check-rise",
        ours=True,
        metavar="N",
        help="Successes in a row after which a node that failed is well again",
    )
    check_fall: int = declared(
        "OPENSHIFT_HA_CHECK_FALL",
        values.number(1, 1000),
        "1",
        flag="check-fall",
        ours=True,
        metavar="N",
        help="Failures in a row after which a node has failed",
    )
    range_checks: tuple[tuple[int, str], ...] = declared(
        RANGE_CHECKS,
        values.range_checks,
        flag="range-check",
        ours=True,
        metavar="N=COMMAND",
        help="The check of the VIPs in item N of OPENSHIFT_HA_VIRTUAL_IPS",
    )
    on_fail: str = declared(
        "OPENSHIFT_HA_ON_FAIL",
        values.one_of("fault", "last-resort"),
        "fault",
        flag="on-fail",
        ours=True,
        metavar="fault|last-resort",
        help="Whether a node whose check fails gives its VIPs up, or keeps them where no other node is well",
    )
    track_file: str = declared(
        "OPENSHIFT_HA_TRACK_FILE",
        values.path,
        flag="track-file",
        ours=True,
        metavar="FILE",
        help="The file in which the agent tells Keepalived whether the node is well, beside the check",
    )
    drain_file: str = declared(
        "OPENSHIFT_HA_DRAIN_FILE",
        values.path,
        flag="drain-file",
        ours=True,
        metavar="FILE",
        help="The file by which hacheck drain moves the VIPs of a node to others, such as /var/lib/hacheck/drain",
    )
    notify_script: str = declared(
        "OPENSHIFT_HA_NOTIFY_SCRIPT",
        values.line,
        flag="notify-script",
        metavar="COMMAND",
        help="What is told of each change of state",
    )
    vrrp_version: int = declared(
        "OPENSHIFT_HA_VRRP_VERSION",
        values.number(2, 3),
        "2",
        flag="vrrp-version",
        ours=True,
        metavar="N",
        help="VRRP 2, as the stock image speaks it, or 3; IPv6 is always 3",
    )
    advert_interval: float = declared(
        "OPENSHIFT_HA_ADVERT_INT",
        values.hundredths(0.01, 255),
        "1",
        flag="advert-int",
        ours=True,
        metavar="SECONDS",
        help="Seconds between two adverts: whole ones in VRRP 2, 0.01 to 40.95 in VRRP 3",
    )
    auth_pass_file: str = declared(
        "OPENSHIFT_HA_AUTH_PASS_FILE",
        values.path,
        flag="auth-pass-file",
        ours=True,
        metavar="FILE",
        help="The file with the password of VRRP 2 (default the configuration's name, as the stock image has it)",
    )
    auth_hmac_key_file: str = declared(
        "OPENSHIFT_HA_AUTH_HMAC_KEY_FILE",
        values.path,
        flag="auth-hmac-key-file",
        ours=True,
        metavar="FILE",
        help="The file, on each node, with the key by which Keepalived since 2.4 signs adverts",
    )
    auth_hmac_mode: str = declared(
        "OPENSHIFT_HA_AUTH_HMAC_MODE",
        values.one_of("receive-only", "permissive", "enforce"),
        "receive-only",
        flag="auth-hmac-mode",
        ours=True,
        metavar="MODE",
        help="receive-only on all nodes first, then permissive, which signs, then enforce, which demands it",
    )
    verbatim: str = declared(
        "OPENSHIFT_HA_VERBATIM",
        values.lines,
        flag="verbatim",
        ours=True,
        metavar="LINES",
        help="Lines of keepalived.conf for each vrrp_instance",
    )
    verbatim_global: str = declared(
        "OPENSHIFT_HA_VERBATIM_GLOBAL",
        values.lines,
        flag="verbatim-global",
        ours=True,
        metavar="LINES",
        help="Lines of keepalived.conf for global_defs",
    )
    change_at: int = declared(
        "OPENSHIFT_HA_CHANGE_AT",
        instant.parse,
        flag="change-at",
        ours=True,
        metavar="INSTANT",
        help="When all nodes change to these variables at once, such as 2026-11-30T22:00:00Z: see hacheck ipfailover "
        "migrate",
    )
    iptables_chain: str = declared(
        "OPENSHIFT_HA_IPTABLES_CHAIN",
        values.matching(values.WORD, "chain of iptables"),
        flag="iptables-chain",
        metavar="NAME",
        help="Where VRRP is let in, before 4.23",
    )
    nftables_rule: str = declared(
        "OPENSHIFT_HA_NFTABLES_RULE",
        values.line,
        flag="nftables-rule",
        metavar="TEXT",
        help="Whether VRRP is let in, since 4.23",
    )
    admin_emails: str = declared(
        "OPENSHIFT_HA_ADMIN_EMAILS",
        values.line,
        "root@localhost",
        flag="admin-emails",
        metavar="ADDRESSES",
        help="Who is mailed",
    )
    smtp_server: str = declared(
        "OPENSHIFT_HA_SMTP_SERVER", values.line, "127.0.0.1", flag="smtp-server", metavar="HOST", help="By which server"
    )
    selector: str = declared(
        "OPENSHIFT_HA_SELECTOR",
        values.labels,
        flag="selector",
        short="-l",
        metavar="LABELS",
        help="Of nodes: NAME=VALUE, several parted by commas",
    )
    unicast_source: str = declared(
        "UNICAST_SOURCE_IPADDRESS",
        values.address,
        flag="unicast-source",
        metavar="ADDRESS",
        help="A node's own address for unicast",
    )
    multicast_source: str = declared(
        "MULTICAST_SOURCE_IPADDRESS",
        values.address,
        flag="multicast-source",
        metavar="ADDRESS",
        help="A node's own for multicast",
    )

    def where(self, name: str) -> str:
        """Where a variable was given, or its name."""
        return self.places.get(name, name)


FIELDS: Mapping[str, Variable] = {
    field.name: field.metadata["variable"] for field in dataclasses.fields(Settings) if field.metadata
}
"""The variables by the name of the setting."""
VARIABLES: Mapping[str, Variable] = {variable.name: variable for variable in FIELDS.values()}
"""The variables by their own name."""


def is_ours(name: str) -> bool:
    """Whether a variable is for ipfailover, known or not."""
    return name in VARIABLES or name.startswith(PREFIX)


def settings_of(
    given: Mapping[str, Given], stock: tuple[int, int], refused: Callable[[str, str], None] | None = None
) -> Settings:
    """The settings that the given texts come to; raises `Invalid` naming the place of the first that is wrong.

    An empty text is none, as the stock image has it. With `refused`, whatever is wrong is told there, by the name of
    its variable and why, and has its default.
    """
    values: dict[str, Any] = {}
    places: dict[str, str] = {}

    def refuse(name: str, why: str) -> None:
        if refused is None:
            raise Invalid(f"{given[name].place if name in given else name}: {why}")
        refused(name, why)

    for name in given:
        if (name not in VARIABLES or name == RANGE_CHECKS) and not RANGE_CHECK.fullmatch(name):
            refuse(name, f"there is no variable {visible(name)}{nearest(name, VARIABLES)}")
    for field, variable in FIELDS.items():
        values[field] = variable.parse(variable.default(stock))
        found = given.get(variable.name)
        text = found.text.strip() if found else ""
        if found and text:
            try:
                values[field] = variable.parse(text)
                places[variable.name] = found.place
            except ValueError as error:
                refuse(variable.name, str(error))
    for number, name in sorted((int(name[len(CHECK) :]), name) for name in filter(RANGE_CHECK.fullmatch, given)):
        text = given[name].text.strip()
        try:
            if text:
                values["range_checks"] += VARIABLES[RANGE_CHECKS].parse(f"{number}={text}")
                places[name] = given[name].place
        except ValueError as error:
            refuse(name, str(error))
    return Settings(places=places, stock=stock, **values)
