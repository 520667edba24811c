"""Targets: hosts, ports and unix sockets as people write them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
else:
    import _socket as socket  # see transport

NAME_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")


class Target:
    """Where to connect: a host and a port, or the path of a unix socket."""

    __slots__ = ("_family", "_text", "host", "path", "port")
    _family: socket.AddressFamily | None
    _text: str

    def __init__(self, host: str, port: int | None, path: str = "") -> None:
        self.host = host
        self.port = port
        self.path = path

    @property
    def family(self) -> socket.AddressFamily | None:
        """The family of the host, where that is an address; None for a name."""
        try:
            return self._family
        except AttributeError:  # it is asked for at each run of a check, and never another
            self._family = family_of(self.host)
            return self._family

    @classmethod
    def parse(cls, text: str) -> Target:
        """From `HOST:PORT`, `[ADDRESS6]:PORT`, `unix:/PATH`, or a host alone; raises `ValueError`."""
        if text.startswith("unix:"):
            if not text[5:].startswith("/"):
                raise ValueError(f"{text!r} needs an absolute path (unix:/run/app.sock)")
            return cls("", None, text[5:])
        host, port = split_host_port(text)
        return cls(host, port)

    def __str__(self) -> str:
        try:
            return self._text
        except AttributeError:
            self._text = self._written()
            return self._text

    __repr__ = __str__

    def _written(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class Resolved(Target):
    """One address of a target, as it was looked up: `--connect-to` has had its say."""

    __slots__ = ()


class Endpoint(Target):
    """A target whose port must be given."""

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """From `HOST:PORT`, `[ADDRESS6]:PORT` or `unix:/PATH`; raises `ValueError`."""
        target = Target.parse(text)
        if not target.path and target.port is None:
            raise ValueError(f"{text!r} has no port (write HOST:PORT, [ADDRESS6]:PORT or unix:/PATH)")
        return cls(target.host, target.port, target.path)


class Ip:
    """An IPv4 or IPv6 address."""

    @staticmethod
    def parse(text: str) -> str:
        """The address as it was written; raises `ValueError`."""
        if family_of(text) is None:
            raise ValueError(f"{text!r} is not an IP address")
        return text


def canonical(host: str) -> str:
    """The one way to write a host that may be written in several: a name in small letters, an IPv6 address shortest."""
    if family_of(host) != socket.AF_INET6:
        return host.lower().rstrip(".")
    address, percent, zone = host.partition("%")
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address)) + percent + zone


def split_host_port(text: str) -> tuple[str, int | None]:
    """`HOST[:PORT]`, `[ADDRESS6][:PORT]` or a bare IPv6 address, taken apart; raises `ValueError`."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or family_of(host) != socket.AF_INET6 or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not [ADDRESS6]:PORT")
        port = rest[1:] if rest else None
    elif text.count(":") > 1:
        host, port = text, None
        if family_of(host) is None:
            raise ValueError(f"{text!r} is not an address; write IPv6 as [ADDRESS6]:PORT")
    else:
        host, colon, after = text.partition(":")
        port = after if colon else None
    if not host or any(c.isspace() or c in "/@?#\\" or not c.isprintable() for c in host):
        raise ValueError(f"{text!r} has no valid host")
    return host, None if port is None else parse_port_of(text, port)


def parse_port_of(text: str, port: str) -> int:
    """The port in a longer text, with the text in the error."""
    if not (port.isascii() and port.isdigit()) or len(port) > 5 or not 1 <= int(port) <= 65535:
        raise ValueError(f"{port!r} in {text!r} is not a port (1 to 65535)")
    return int(port)


def family_of(host: str) -> socket.AddressFamily | None:
    """The family of an address literal, or None for a name; an IPv6 address may have a zone, as in `fe80::1%eth0`."""
    address, percent, zone = host.partition("%")
    if percent and (not zone or not zone.isprintable() or any(c in " %/:[]" for c in zone)):
        return None
    for family in (socket.AF_INET6,) if percent else (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
        return family
    return None


class CallerName(str):
    """What EHLO says of who calls: a name or an address literal."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> CallerName:
        """From `node1.example.org` or `[192.0.2.1]`; raises `ValueError`."""
        literal = text.startswith("[") and text.endswith("]")
        plain = text[1:-1] if literal else text
        if not plain or not set(plain) <= NAME_CHARACTERS | ({":"} if literal else set()):
            raise ValueError(f"{text!r} is not a name for EHLO (write node1.example.org or [192.0.2.1])")
        return cls(text)
