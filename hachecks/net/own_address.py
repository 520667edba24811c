"""The address from which this node talks to others."""

from __future__ import annotations

from hachecks.verdict import CannotLook

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from hachecks.net.transport import NetworkOptions
else:
    import _socket as socket  # see transport

ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that are nobody's (RFC 5737 and 3849), so the way to them is the default route."""
DISCARD_PORT = 9


def own_address(network: NetworkOptions) -> str:
    """The address from which this node talks to others through these options; raises `CannotLook`.

    Connecting a UDP socket makes the kernel choose the source address for a route, and sends nothing.
    """
    unreachable: OSError | None = None
    hindrance: CannotLook | None = None
    for family, elsewhere in ELSEWHERE.items():
        if (family == socket.AF_INET6 and network.ipv4) or (family == socket.AF_INET and network.ipv6):
            continue
        try:
            sock = network.open_socket(family, socket.SOCK_DGRAM)
        except CannotLook as error:  # such as --source, which is of the other family
            hindrance = hindrance or error
            continue
        try:
            sock.connect((elsewhere, DISCARD_PORT))
            return str(sock.getsockname()[0])
        except OSError as error:
            unreachable = unreachable or error
        finally:
            sock.close()
    if unreachable is None and hindrance is not None:
        raise hindrance
    why = unreachable.strerror if unreachable else "no route"
    raise CannotLook(f"this node's own address cannot be told ({why}); give --address", "unreachable")
