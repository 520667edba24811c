"""The PROXY protocol's header, by which a load balancer introduces a connection (proxy-protocol.txt, 2.1 and 2.2)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
else:
    import _socket as socket  # see transport

PROXY_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def proxy_header(version: str, sock: socket.socket) -> bytes:
    """The header, version `v1` or `v2`, that tells of the connection this socket has."""
    if sock.family == socket.AF_UNIX:
        return b"PROXY UNKNOWN\r\n" if version == "v1" else PROXY_V2_SIGNATURE + b"\x20\x00\x00\x00"
    (source, source_port), (peer, peer_port) = sock.getsockname()[:2], sock.getpeername()[:2]
    family = sock.family
    if version == "v1":
        name = "TCP6" if family == socket.AF_INET6 else "TCP4"
        return f"PROXY {name} {source} {peer} {source_port} {peer_port}\r\n".encode()
    addresses = b"".join(socket.inet_pton(family, a.partition("%")[0]) for a in (source, peer))
    body: bytes = addresses + source_port.to_bytes(2, "big") + peer_port.to_bytes(2, "big")
    kind = b"\x21" if family == socket.AF_INET6 else b"\x11"
    return PROXY_V2_SIGNATURE + b"\x21" + kind + len(body).to_bytes(2, "big") + body
