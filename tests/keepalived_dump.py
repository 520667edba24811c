"""What does real Keepalived say that it makes of a configuration? Asked in a network of its own."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import namespace, wait_until
from tests.failover.requirements import missing

if TYPE_CHECKING:
    from pathlib import Path

SETUP = """
mount -t tmpfs tmpfs /run
for name in eth0 eth1; do
    ip link add $name type veth peer name p$name
    sysctl -qw net.ipv6.conf.$name.accept_dad=0
    ip link set $name up
    ip link set p$name up
done
ip address add 10.0.0.254/24 dev eth0
ip address add 10.1.0.2/24 dev eth1
"""


def dump_of(directory: Path, *options: str) -> str | None:
    """What Keepalived's VRRP process dumps of the keepalived.conf in a directory; None if it ends with it."""
    lack = missing()
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)
    log: list[str] = []
    with namespace(SETUP) as inside:
        shutil.copytree(directory, inside.path("/run/conf"))
        # A file that includes itself is read as often as there may be files open.
        argv = ["prlimit", "--nofile=64", "env", "TMPDIR=/run", "keepalived", "-n", "-P", "--log-console"]
        keepalived = inside.start(*argv, "-f", "/run/conf/keepalived.conf", *options, heard=log.append)
        dump = inside.path("/run/keepalived.data")
        try:
            settled = re.compile("Startup complete|no configuration to run")
            wait_until("it runs", lambda: not keepalived.running or any(map(settled.search, log)))
            if not keepalived.running or any("permanent error CONFIG" in line for line in log):
                return None
            if any("no configuration to run" in line for line in log):
                return ""
            parent = inside.path("/run/keepalived.pid").read_text().strip()
            inside.must("kill", "-s", signal.SIGUSR1.name[3:], parent)
            wait_until("it is dumped", lambda: dump.exists() and "< Interfaces >" in dump.read_text())
            return dump.read_text()
        except TimeoutError as error:
            raise AssertionError("\n".join(log)) from error


def blocks(dump: str, title: str) -> dict[str, str]:
    """The parts of a dump that are about things of a kind, by name."""
    return dict(re.findall(rf"^ VRRP {title} = (.*)\n((?:   .*\n)*)", dump, re.MULTILINE))


def fact(block: str, title: str) -> str:
    found = re.search(rf"   {title} = (.*)", block)
    return found[1] if found else ""


def addresses_in(block: str, title: str) -> list[tuple[str, int, str]]:
    """Address, prefix length and interface of what a dump lists, each address once."""
    found = re.search(rf"   {title}.*:\n((?:     .*\n)*)", block)
    listed: dict[object, tuple[str, int, str]] = {}
    for line in found[1].splitlines() if found else ():
        words = line.split()
        address = ipaddress.ip_interface(words[words.index("peer") + 1] if "peer" in words else words[0])
        ip = ipaddress.ip_interface(words[0]).ip
        interface = words[words.index("dev") + 1].partition("@")[0]
        listed.setdefault(ip, (str(ip), address.network.prefixlen, interface))
    return list(listed.values())
