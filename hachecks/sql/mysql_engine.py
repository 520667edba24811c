"""MySQL's protocol by PyMySQL, without its own ideas, and leaving a server as the protocol wants it."""

from __future__ import annotations

from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.err import MySQLError
from pymysql.protocol import FieldDescriptorPacket, MysqlPacket

from hachecks.deadline import TimedOut
from hachecks.net import mysql_handshake, tls_afterwards
from hachecks.sql import ed25519
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hachecks.net.tls import TlsOptions
    from hachecks.sql.wire import SocketAdapter

PUBLIC_KEY_REQUEST = b"\x02"
"""What asks for the key that sha2 passwords are encrypted with; nobody vouches for that key."""
NATIVE = "mysql_native_password"
MAX_PLUGIN_NAME_CHARACTERS = 64


class Denied(CannotLook):
    """The server has answered, and does not let us in, or not without what we do not give."""


class Refusal(MySQLError):  # noqa: N818 - the name says what happened
    """What the server says against something, with its number, and the SQLSTATE if it says one."""

    def __init__(self, code: int, state: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.state = state
        self.text = text


class Bounded:
    """What makes a packet of PyMySQL's tell the server's error from the driver's own, and go nowhere beyond its end."""

    _data: bytes
    _position: int

    def advance(self, length: int) -> None:
        """Go on by so many bytes."""
        if not 0 <= self._position + length <= len(self._data):
            raise ValueError("it ends before")  # PyMySQL raises a bare Exception
        self._position += length

    def raise_for_error(self) -> None:
        """Raise what the server says."""
        code, text, state = int.from_bytes(self._data[1:3], "little"), self._data[3:], b""
        if text.startswith(b"#"):
            state, text = text[1:6], text[6:]
        raise Refusal(code, state.decode("ascii", "replace"), text.decode("utf-8", "replace"))


class Tls:
    """What PyMySQL takes for an SSL context, since it begins TLS itself, in the middle of its handshake."""

    def __init__(self, options: TlsOptions) -> None:
        self.options = options
        options.context()  # what is wrong with its files is found out before a server is bothered
        self.measured: dict[str, float] = {}

    def wrap_socket(self, wire: SocketAdapter, server_hostname: str) -> SocketAdapter:
        """The same wire, in TLS from now on."""
        wire.start_tls(lambda stream: tls_afterwards.start_tls(stream, self.options, server_hostname))
        self.measured = self.options.judge_certificate(wire.stream)
        return wire


class ClearPassword:
    """The authentication plugins that send the password as it is, which we do in TLS or on a unix socket only."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def authenticate(self, _packet: Any) -> Any:
        """Send it, or refuse to."""
        if not self.connection._secure:
            self.connection.decline("wants the password in clear text, which needs --tls")
        self.connection.write_packet(self.connection.password + b"\0")
        return self.connection._read_packet()


class Ed25519:
    """MariaDB's plugin of that name."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def authenticate(self, packet: Any) -> Any:
        """Sign what the server has sent."""
        self.connection.write_packet(ed25519.sign(self.connection.password, packet.read_all()))
        return self.connection._read_packet()


PLUGINS: dict[str, Callable[[Any], Any]] = {
    "client_ed25519": Ed25519,
    "dialog": ClearPassword,
    "mysql_clear_password": ClearPassword,
    "sha256_password": ClearPassword,
}
"""What PyMySQL does not do as it should; for sha256_password it takes anybody's key where there is no TLS."""
KNOWN = {NATIVE.encode(), b"caching_sha2_password", *map(str.encode, PLUGINS)}


class Packet(Bounded, MysqlPacket):
    """A packet."""


class Field(Bounded, FieldDescriptorPacket):
    """A packet that describes a column."""


class Engine(Connection):
    """PyMySQL's connection, that goes on in the clear for nobody, and hangs up on nobody in the handshake."""

    _secure: bool
    _sock: Any
    _next_seq_id: int
    _auth_plugin_name: str
    ssl: Any
    server_capabilities: int
    client_flag: int
    greeted = False

    def _create_ssl_ctx(self, sslp: Any) -> Any:
        return sslp

    def _read_packet(self, packet_type: type[MysqlPacket] = MysqlPacket) -> Any:
        ours = Field if packet_type is FieldDescriptorPacket else Packet
        return super()._read_packet(ours)  # type: ignore[no-untyped-call]

    def _force_close(self) -> None:
        """Nothing: the session closes the connection, when the farewell has been said."""

    def decline(self, told: str) -> None:
        """Give up a login for what the server wants, and raise `Denied`."""
        wire: SocketAdapter = self._sock
        mysql_handshake.part_amid_login(wire.stream, self._next_seq_id)
        raise Denied(f"{wire.where} {told}", "auth")

    def write_packet(self, payload: bytes) -> None:
        """Send a packet, but no request for a key that anybody on the way can answer."""
        if payload == PUBLIC_KEY_REQUEST and not self._secure:
            self.decline("wants the password itself this time (caching_sha2_password), which needs --tls")
        super().write_packet(payload)

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Nothing: `Session` asks for it, since a server that does not know it may serve all the same."""

    def _get_server_information(self) -> None:
        self._auth_plugin_name = NATIVE
        try:
            super()._get_server_information()  # type: ignore[misc]
        except TimedOut:
            mysql_handshake.part_unheard(self._sock.stream)
            raise
        if self.protocol_version != 10:  # type: ignore[attr-defined]
            raise ValueError("an unknown protocol")
        if self._auth_plugin_name.encode() not in KNOWN or self._auth_plugin_name in PLUGINS:
            self._auth_plugin_name = NATIVE  # and the server asks for what it wants instead
        self.greeted = True

    def _request_authentication(self) -> None:
        wire: SocketAdapter = self._sock
        if self.ssl and not self.server_capabilities & CLIENT.SSL:
            mysql_handshake.part(wire.stream, self._next_seq_id)
            raise Failure(f"{wire.where} does not offer TLS", "tls")
        try:
            super()._request_authentication()  # type: ignore[misc]
        except Failure:
            if self.ssl and wire.secure and not self._secure:  # TLS was begun, and its certificate was not good enough
                mysql_handshake.part(wire.stream, self._next_seq_id, self.client_flag | CLIENT.SSL)
            raise

    def _process_auth(self, plugin_name: bytes, auth_packet: Any, handler: Any = None) -> Any:
        if plugin_name not in KNOWN:
            name = plugin_name.decode("ascii", "replace")[:MAX_PLUGIN_NAME_CHARACTERS]
            self.decline(f"wants the authentication plugin {name}, which a check does not speak")
        if handler is None and plugin_name.decode() in PLUGINS:
            handler = PLUGINS[plugin_name.decode()](self)
        if handler is not None:
            return handler.authenticate(auth_packet)
        return super()._process_auth(plugin_name, auth_packet)  # type: ignore[misc]
