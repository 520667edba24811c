"""What MySQL 8 says where MariaDB says something else; Debian has no MySQL, so this is no server but its words."""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING

from tests.servers import LONG_PATIENCE, Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    Table = tuple[Sequence[str], Sequence[Sequence[str | None]]]

CAPABILITIES = 0x0008_0000 | 0x8000 | 0x2000 | 0x0200 | 0x0008 | 0x0001
SALT = b"salt-of-20-characters"[:20]
OK = b"\0\0\0\2\0\0\0"
EOF = b"\xfe\0\0\2\0"
FAST_LOGIN, FULL_LOGIN = b"\x01\x03", b"\x01\x04"
QUERY = 3
NOTHING_REFUSED: Mapping[str, tuple[int, str]] = MappingProxyType({})
NOTHING: Table = ((), ())
REPLICA = {
    "Replica_IO_Running": "Yes",
    "Replica_SQL_Running": "Yes",
    "Source_Host": "10.0.0.1",
    "Seconds_Behind_Source": "0",
    "Channel_Name": "",
}
GROUP_CHANNEL = {**REPLICA, "Channel_Name": "group_replication_recovery", "Replica_IO_Running": "No"}


def table(*rows: Mapping[str, str | None]) -> Table:
    """Rows that are all of the same columns."""
    return tuple(rows[0]) if rows else ("x",), [list(row.values()) for row in rows]


def pairs(**values: str) -> Table:
    """What `show variables` answers."""
    return ("Variable_name", "Value"), [list(pair) for pair in values.items()]


class MySQL8(Server):
    """Lets in who knows the password, and answers statements by their beginning, the others with OK."""

    patience = LONG_PATIENCE

    def __init__(
        self,
        password: str,
        answers: Mapping[str, Table],
        *,
        cached: bool = True,
        plugin: str = "",
        endless: bool = False,
        refuses: Mapping[str, tuple[int, str]] = NOTHING_REFUSED,
    ) -> None:
        super().__init__()
        self.password = password.encode()
        self.answers = answers
        self.cached = cached
        self.plugin = plugin
        self.endless = endless
        self.refuses = refuses
        self.statements: list[str] = []

    def talk(self, connection: socket.socket) -> None:
        head = b"\x0a8.0.36\0" + bytes(4) + SALT[:8] + b"\0" + (CAPABILITIES & 0xFFFF).to_bytes(2, "little")
        tail = b"\xff\2\0" + (CAPABILITIES >> 16).to_bytes(2, "little") + b"\x15" + bytes(10) + SALT[8:] + b"\0"
        connection.sendall(packet(0, head + tail + b"caching_sha2_password\0"))
        if scramble(self.password) not in self.hear(connection):
            connection.sendall(packet(2, b"\xff\x15\x04#28000Access denied"))
            return
        if self.plugin:
            connection.sendall(packet(2, b"\xfe" + self.plugin.encode() + b"\0"))
            self.statements.append(repr(self.hear(connection)))
            return
        if not self.cached:
            connection.sendall(packet(2, FULL_LOGIN))
            self.statements.append(repr(self.hear(connection)))
            return
        connection.sendall(packet(2, FAST_LOGIN) + packet(3, OK))
        while command := self.hear(connection):
            if command[4] == QUERY:
                self.statements.append(command[5:].decode())
                self.answer(connection, command[5:].decode())

    def answer(self, connection: socket.socket, statement: str) -> None:
        for start, (code, told) in self.refuses.items():
            if statement.startswith(start):
                connection.sendall(packet(1, b"\xff" + code.to_bytes(2, "little") + b"#HY000" + told.encode()))
                return
        names, rows = next((t for start, t in self.answers.items() if statement.startswith(start)), NOTHING)
        if not names:
            connection.sendall(packet(1, OK))
            return
        bodies = [bytes([len(names)]), *map(column, names), EOF, *(b"".join(map(text, row)) for row in rows)]
        connection.sendall(b"".join(packet(number + 1, body) for number, body in enumerate(bodies)))
        if self.endless:
            number = len(bodies) + 1
            self.say_for_ever(connection, b"".join(packet(number + n, text("x")) for n in range(256)))
        connection.sendall(packet(len(bodies) + 1, EOF))


def packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number % 256]) + body


def text(value: str | None) -> bytes:
    return b"\xfb" if value is None else bytes([len(value)]) + value.encode()


def column(name: str) -> bytes:
    return b"\3def\0\0\0" + text(name) + b"\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0"


def scramble(password: bytes) -> bytes:
    """The proof of a password that MySQL 8 has cached."""
    once = hashlib.sha256(password).digest()
    twice = hashlib.sha256(hashlib.sha256(once).digest() + SALT).digest()
    return bytes(a ^ b for a, b in zip(once, twice))
