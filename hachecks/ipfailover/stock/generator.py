"""The text of the keepalived.conf that the stock image writes, line by line as its generator does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.keepalived.openshift import DEFAULT_INTERVAL, DEFAULT_NAME, scrubbed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.ipfailover.stock.features import Features
    from hachecks.ipfailover.stock.node import Rank, StockNode

DEFAULT_PREEMPTION = "preempt_delay 300"
DEFAULT_PORT = "80"
NO_ADDRESS = "127.0.0.1"
"""What the default check asks where the interface has no IPv4 address."""
ANY_NODE = "NODE"
"""Stands for a node's address where it is not known."""


class Written(NamedTuple):
    """An instance as it is written: its name, its id, its VIPs, and its rank on a node, None where none is known."""

    name: str
    id: int
    vips: Sequence[str]
    rank: Rank | None


def check(environ: Mapping[str, str], node: StockNode | None) -> str:
    """The command of the check: the one that is given, or the default, which asks a port of the node itself."""
    given = environ.get("OPENSHIFT_HA_CHECK_SCRIPT", "")
    if given:
        return given
    text = environ.get("OPENSHIFT_HA_MONITOR_PORT") or DEFAULT_PORT
    port = re.sub("[^0-9]", "", text) or DEFAULT_PORT
    address = ANY_NODE if node is None else node.address or NO_ADDRESS
    return "true" if port == "0" else f"/bin/bash -c '</dev/tcp/{address}/{port}'"


def check_name(environ: Mapping[str, str]) -> str:
    """What the check is called."""
    return f"chk_{name(environ).replace('-', '_')}"


def name(environ: Mapping[str, str]) -> str:
    """The configuration's name, which is its password as well."""
    return environ.get("OPENSHIFT_HA_CONFIG_NAME") or DEFAULT_NAME


def preemption(environ: Mapping[str, str]) -> str:
    """The line on preemption, which every instance has."""
    return environ.get("OPENSHIFT_HA_PREEMPTION") or DEFAULT_PREEMPTION


def peers(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What stands in `unicast_peer`: all between commas, blanks included, whatever OPENSHIFT_HA_USE_UNICAST says."""
    found = environ.get("OPENSHIFT_HA_UNICAST_PEERS", "").split(",")
    return tuple(found if found[-1] else found[:-1])


def written(
    environ: Mapping[str, str],
    instances: Sequence[Written],
    interface: str,
    node: StockNode | None,
    stock: Features,
) -> str:
    """The whole file; a priority that chance decides on is written as Keepalived's own `${_RANDOM}`."""
    lines = [*_head(environ, node, stock)]
    for one in instances:
        lines += _instance(environ, one, interface)
    return "\n".join(lines) + "\n"


def _head(environ: Mapping[str, str], node: StockNode | None, stock: Features) -> Iterator[str]:
    yield from ("! Configuration File for keepalived", "", "global_defs {")
    if stock.auto_priority:
        yield "   max_auto_priority    99"
    yield "   notification_email {"
    emails = environ.get("OPENSHIFT_HA_ADMIN_EMAILS") or "root@localhost"
    yield from (f"     {email}" for email in re.split("[ \t\n]+", emails) if email)
    yield from ("   }", "", "   notification_email_from ipfailover@openshift.local")
    yield f"   smtp_server {environ.get('OPENSHIFT_HA_SMTP_SERVER') or '127.0.0.1'}"
    yield from ("   smtp_connect_timeout 30", f"   router_id {scrubbed(name(environ))}", "}", "")
    yield f"vrrp_script {check_name(environ)} {{"
    yield f'   script "{check(environ, node)}"'
    yield from (f"   interval {environ.get('OPENSHIFT_HA_CHECK_INTERVAL') or DEFAULT_INTERVAL}", "}", "")


def _instance(environ: Mapping[str, str], one: Written, interface: str) -> Iterator[str]:
    rank = one.rank
    yield from ("", f"vrrp_instance {one.name} {{", f"   interface {interface}")
    yield f"   {'state MASTER' if rank and rank.master else ''}"
    yield f"   virtual_router_id {one.id}"
    yield f"   priority {_priority(rank)}"
    yield from (f"   {preemption(environ)}", "   ", "   authentication {", "      auth_type PASS")
    yield from (f"      auth_pass {name(environ)}", "   }", "   ", "   track_script {")
    yield from (f"      {check_name(environ)}", "   }", "   ")
    notify = environ.get("OPENSHIFT_HA_NOTIFY_SCRIPT", "")
    if notify:
        yield f'   notify "{notify}"'
    # A shell takes the line ends off the end of what a command prints.
    yield "\n".join([" ", *_senders(environ)]).rstrip("\n")
    yield from ("   ", "   virtual_ipaddress {")
    yield from (f"    {vip} dev {interface}" for vip in one.vips)
    yield from ("   }", "}", "")


def _senders(environ: Mapping[str, str]) -> Iterator[str]:
    for keyword, variable in (("mcast", "MULTICAST"), ("unicast", "UNICAST")):
        source = environ.get(f"{variable}_SOURCE_IPADDRESS", "")
        if source:
            yield f"    {keyword}_src_ip {source}"
    if environ.get("OPENSHIFT_HA_UNICAST_PEERS"):
        yield from ("", "    unicast_peer {", *(f"        {peer}" for peer in peers(environ)), "    }")


def _priority(rank: Rank | None) -> str:
    if rank is None:
        return "${_RANDOM}"
    return str(rank.least) if rank.least == rank.greatest else f"${{_RANDOM {rank.least} {rank.greatest}}}"
