"""How is a password proved to MySQL or MariaDB? The authentication plugins that PyMySQL does not do as it should."""

from __future__ import annotations

from hachecks.sql import ed25519
from hachecks.verdict import CannotLook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hachecks.sql.wire import Wire


class ClearPassword:
    """The authentication plugins that send the password as it is, which we do in TLS or on a unix socket only."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def authenticate(self, _packet: Any) -> Any:
        """Send it, or refuse to."""
        wire: Wire = self.connection._sock
        if not self.connection._secure:
            raise CannotLook(f"{wire.where} wants the password in clear text, which needs --tls", "auth")
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
}
