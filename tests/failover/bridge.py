"""A bridge in a namespace of its own, and the cables from it to other namespaces."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from .namespace import PATIENCE

if TYPE_CHECKING:
    from .namespace import Namespace

SETUP = "ip link add bridge0 type bridge; ip link set bridge0 up"


def plug(
    member: Namespace, switch: Namespace, port: str, *addresses: str, name: str = "eth0", bridge: str = "bridge0"
) -> None:
    """Give a namespace an interface with these addresses, whose other end is a port of the bridge."""
    member.must("ip", "link", "add", name, "type", "veth", "peer", "name", port)
    # The peer goes by a process id of the machine, which exists as such only outside of the process namespace.
    move = ["nsenter", f"--net=/proc/{member.pid}/ns/net", "ip", "link", "set", port, "netns", str(switch.pid)]
    subprocess.run(move, check=True, timeout=PATIENCE)
    switch.must("ip", "link", "set", port, "master", bridge, "up")
    for address in addresses:
        nodad = ["nodad"] if ":" in address else []
        member.must("ip", "address", "add", address, "dev", name, *nodad)
    member.must("ip", "link", "set", name, "up")
