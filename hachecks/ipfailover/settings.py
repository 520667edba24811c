"""Settings of ipfailover: every OPENSHIFT_HA_* variable, declared once with its flag, default, validation and help."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hachecks.config import nearest
from hachecks.ipfailover import preemption, values, vips
from hachecks.settings import Invalid
from hachecks.units import parse_bool
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hachecks.ipfailover.preemption import Preemption
    from hachecks.ipfailover.vips import Vips

PREFIX = "OPENSHIFT_HA_"
NEWEST = "5.1"
"""The stock image whose defaults hold where no version is named."""
VERSION = re.compile(r"([345])\.([0-9]{1,2})", re.ASCII)


class Given(NamedTuple):
    """A text that somebody gave for a variable, and where: a flag, or a file with the variable."""

    text: str
    place: str


class Variable(NamedTuple):
    """A variable: its name, its flag, defaults by the stock version since which they hold, validation and help.

    `ours` are those that hachecks adds, and the stock image does not know.
    """

    name: str
    flag: str
    defaults: tuple[tuple[str, str], ...]
    parse: Callable[[str], Any]
    help: str
    metavar: str
    ours: bool

    def default(self, stock: tuple[int, int]) -> str:
        """What the stock image of a version takes where nothing is given."""
        return [text for since, text in self.defaults if stock >= version(since)][-1]


def version(text: str) -> tuple[int, int]:
    """A version of the stock image as `4.20`; raises `ValueError`."""
    found = VERSION.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no version of OpenShift; expected 4.20 or the like, 3.0 to 5.99")
    return int(found[1]), int(found[2])


def _declared(
    name: str,
    parse: Callable[[str], Any],
    default: str | tuple[tuple[str, str], ...] = "",
    *,
    help: str,
    flag: str = "",
    metavar: str = "",
    ours: bool = False,
) -> Any:
    defaults = (("3.0", default),) if isinstance(default, str) else default
    return dataclasses.field(metadata={"variable": Variable(name, flag, defaults, parse, help, metavar, ours)})


@dataclass(frozen=True)
class Settings:
    """What the variables come to; `places` has where each was given that was, by the variable's name."""

    places: Mapping[str, str]
    stock: tuple[int, int]
    config_name: str = _declared(
        "OPENSHIFT_HA_CONFIG_NAME",
        values.matching(values.CONFIG_NAME, "name; expected letters, digits, . _ and -, 63 at most"),
        "OpenShift-IPFailover",
        flag="config-name",
        metavar="NAME",
        help="The configuration's name, of which instances have theirs; oc adm ipfailover's argument",
    )
    virtual_ips: Vips = _declared(  # noqa: RUF009 - this is a field
        "OPENSHIFT_HA_VIRTUAL_IPS",
        vips.parse,
        flag="virtual-ips",
        metavar="VIPS",
        help="The VIPs: 10.0.0.1, 10.0.0.4-6, 10.0.0.250-10.0.1.5, 10.1.0.0/28, fd00::a-c",
    )
    virtual_ip_groups: int = _declared(
        "OPENSHIFT_HA_VIP_GROUPS",
        values.number(0, values.LARGEST_NUMBER),
        "0",
        flag="virtual-ip-groups",
        metavar="N",
        help="Number of instances for all VIPs; 0 is one for each",
    )
    vrrp_id_offset: int = _declared(
        "OPENSHIFT_HA_VRRP_ID_OFFSET",
        values.number(0, 254),
        (("3.0", "0"), ("4.20", "10")),
        flag="vrrp-id-offset",
        metavar="N",
        help="Ids begin after it (default 10, before 4.20 0)",
    )
    excluded_vrrp_ids: tuple[int, ...] = _declared(
        "HA_EXCLUDED_VRRP_IDS",
        values.excluded_ids,
        flag="excluded-vrrp-ids",
        metavar="IDS",
        help="Ids that others have on this segment",
    )
    replicas: int = _declared(
        "OPENSHIFT_HA_REPLICA_COUNT",
        values.number(1, values.LARGEST_NUMBER),
        "1",
        flag="replicas",
        metavar="N",
        help="Number of nodes, where they are not named",
    )
    interface: str = _declared(
        "OPENSHIFT_HA_NETWORK_INTERFACE",
        values.interface,
        flag="interface",
        metavar="NAME",
        help="Where VRRP runs: configurations on different interfaces may have the same ids",
    )
    preemption: Preemption = _declared(  # noqa: RUF009 - this is a field
        "OPENSHIFT_HA_PREEMPTION",
        preemption.parse,
        "preempt_delay 300",
        flag="preemption-strategy",
        metavar="WORDS",
        help="nopreempt, preempt_delay SECONDS, or preempt (default preempt_delay 300)",
    )
    use_unicast: bool = _declared(
        "OPENSHIFT_HA_USE_UNICAST",
        parse_bool,
        "false",
        help="Whether nodes speak to each other by unicast, which needs their addresses",
    )
    unicast_peers: tuple[str, ...] = _declared(
        "OPENSHIFT_HA_UNICAST_PEERS",
        values.peers,
        flag="unicast-peers",
        metavar="ADDRESSES",
        help="The nodes by address, which then use unicast",
    )
    nodes: tuple[str, ...] = _declared(
        "OPENSHIFT_HA_NODES",
        values.nodes,
        flag="nodes",
        ours=True,
        metavar="NODES",
        help="The nodes by name or address (default the unicast peers)",
    )
    prefer: tuple[tuple[Vips, tuple[str, ...]], ...] = _declared(
        "OPENSHIFT_HA_PREFER",
        values.preference,
        flag="prefer",
        ours=True,
        metavar="VIPS=NODES",
        help="Nodes that should have a VIP, the best first; several separated by ;",
    )
    apart: tuple[Vips, ...] = _declared(
        "OPENSHIFT_HA_APART",
        values.sets,
        flag="apart",
        ours=True,
        metavar="VIPS",
        help="VIPs that should be on different nodes; several sets separated by ;",
    )
    together: tuple[Vips, ...] = _declared(
        "OPENSHIFT_HA_TOGETHER",
        values.sets,
        flag="together",
        ours=True,
        metavar="VIPS",
        help="VIPs that should be on one node; several sets separated by ;",
    )
    monitor_port: int = _declared(
        "OPENSHIFT_HA_MONITOR_PORT",
        values.number(0, 65535),
        "80",
        help="The port that the default check connects to; 0 none",
    )
    check_script: str = _declared(
        "OPENSHIFT_HA_CHECK_SCRIPT", values.line, help="The check, in place of the default one"
    )
    check_interval: int = _declared(
        "OPENSHIFT_HA_CHECK_INTERVAL", values.number(1, 86400), "2", help="Seconds between two checks"
    )
    notify_script: str = _declared(
        "OPENSHIFT_HA_NOTIFY_SCRIPT", values.line, help="What is told of each change of state"
    )
    iptables_chain: str = _declared(
        "OPENSHIFT_HA_IPTABLES_CHAIN",
        values.matching(values.WORD, "chain of iptables"),
        help="Where VRRP is let in, before 4.23",
    )
    nftables_rule: str = _declared("OPENSHIFT_HA_NFTABLES_RULE", values.line, help="Whether VRRP is let in, since 4.23")
    admin_emails: str = _declared("OPENSHIFT_HA_ADMIN_EMAILS", values.line, "root@localhost", help="Who is mailed")
    smtp_server: str = _declared("OPENSHIFT_HA_SMTP_SERVER", values.line, "127.0.0.1", help="By which server")
    selector: str = _declared(
        "OPENSHIFT_HA_SELECTOR", values.matching(values.LABELS, "label; expected NAME=VALUE"), help="Of nodes"
    )
    unicast_source: str = _declared("UNICAST_SOURCE_IPADDRESS", values.address, help="A node's own address for unicast")
    multicast_source: str = _declared("MULTICAST_SOURCE_IPADDRESS", values.address, help="A node's own for multicast")

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


def settings_of(given: Mapping[str, Given], stock: tuple[int, int]) -> Settings:
    """The settings that the given texts come to; raises `Invalid` naming the place of the first that is wrong.

    An empty text is none, as the stock image has it.
    """
    for name, one in given.items():
        if name not in VARIABLES:
            raise Invalid(f"{one.place}: there is no variable {visible(name)}{nearest(name, VARIABLES)}")
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for field, variable in FIELDS.items():
        found = given.get(variable.name)
        text = found.text.strip() if found else ""
        if found and text:
            places[variable.name] = found.place
        else:
            text = variable.default(stock)
        try:
            values[field] = variable.parse(text)
        except ValueError as error:
            raise Invalid(f"{places.get(variable.name, variable.name)}: {error}") from None
    return Settings(places=places, stock=stock, **values)
