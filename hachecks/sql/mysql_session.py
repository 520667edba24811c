"""How does a check talk to MySQL or MariaDB? PyMySQL over our wire, with every error translated."""

from __future__ import annotations

import struct

from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.err import MySQLError

from hachecks.sql.mysql_passwords import PLUGINS
from hachecks.sql.wire import MOST_ROWS
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn, TypeVar

    from hachecks.sql.credentials import Login
    from hachecks.sql.database_url import DatabaseUrl
    from hachecks.sql.wire import Wire
    from hachecks.tls import TlsOptions

    T = TypeVar("T")

ACCESS_DENIED = frozenset({1044, 1045, 1130, 1142, 1143, 1227, 1251, 1370, 1524, 1698, 1820, 1862, 3118, 3955})
"""Errors that say who may not look: to a host, a database, a table, for want of a privilege or a usable password."""
BLOCKED = 1129
"""Host is blocked because of many connection errors: this node alone, by checks that hung up in the handshake."""
NO_PLUGIN = 2059
OF_THE_CLIENT = range(2000, 3000)
"""PyMySQL's own, such as 2013, a connection that broke."""
TOOK_TOO_LONG = (1205, 1969, 3024)
"""A lock was not had in time; the statement took longer than MariaDB, or MySQL, was told to let it."""
NONSENSE = (LookupError, ValueError, TypeError, AttributeError, AssertionError, struct.error)
"""What the driver raises at bytes that mean nothing to it."""
PUBLIC_KEY_REQUEST = b"\x02"
"""What asks for the key that sha2 passwords are encrypted with; nobody vouches for that key."""


class Tls:
    """What PyMySQL takes for an SSL context, since it begins TLS itself, in the middle of its handshake."""

    def __init__(self, options: TlsOptions) -> None:
        self.options = options
        self.context = options.context()
        self.measured: dict[str, float] = {}

    def wrap_socket(self, wire: Wire, server_hostname: str) -> Wire:
        """The same wire, in TLS from now on."""
        wire.start_tls(self.context, server_hostname)
        self.measured = self.options.judge_certificate(wire.stream)
        return wire


class Engine(Connection):
    """PyMySQL's connection, without its own ideas about TLS: before 1.2 it goes on in the clear when refused."""

    _secure: bool

    def _create_ssl_ctx(self, sslp: Any) -> Any:
        return sslp

    def write_packet(self, payload: bytes) -> None:
        """Send a packet, but no request for a key that anybody on the way can answer."""
        if payload == PUBLIC_KEY_REQUEST and not self._secure:
            where = self._sock.where  # type: ignore[attr-defined]
            told = f"{where} wants the password itself this time (caching_sha2_password), which needs --tls"
            raise CannotLook(told, "auth")
        super().write_packet(payload)

    def _get_server_information(self) -> None:
        super()._get_server_information()  # type: ignore[misc]
        if self.ssl and not self.server_capabilities & CLIENT.SSL:  # type: ignore[attr-defined]
            raise Failure(f"{self._sock.where} does not offer TLS", "tls")  # type: ignore[attr-defined]


class Denied(CannotLook):
    """The server has answered, and does not let us in."""


class Session:
    """A login, and statements in it; every method raises `Failure`, `CannotLook` or `TimedOut`."""

    def __init__(self, wire: Wire, login: Login, url: DatabaseUrl, tls: Tls | None, tls_name: str) -> None:
        self.wire = wire
        self.login = login
        self.tls = tls
        self.connection: Any = Engine(
            user=login.user,
            password=(login.password or "").encode(),  # PyMySQL would encode it in Latin-1
            host=tls_name,
            database=url.database or None,
            conv={},
            autocommit=None,
            program_name="hacheck",
            auth_plugin_map=PLUGINS,
            ssl=tls,  # type: ignore[arg-type]
            ssl_disabled=tls is None,
            defer_connect=True,
        )
        self.connection._secure = bool(url.target.path)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        """Say farewell, so that the server logs no lost connection."""
        if self.connection.open:
            self.connection.close()
        self.wire.close()

    def log_in(self) -> None:
        """Do the handshake."""
        self._translated(lambda: self.connection.connect(self.wire))

    @property
    def version(self) -> tuple[int, ...]:
        """The server's version as numbers."""
        parts = self.connection.server_version.partition("-")[0].split(".")
        return tuple(int(part) for part in parts if part.isdigit())

    @property
    def is_mariadb(self) -> bool:
        """Whether the server says so."""
        return "MariaDB" in self.connection.server_version

    def run(self, statement: str) -> list[dict[str, str | None]]:
        """The rows of a statement as text, by the columns' names in small letters."""
        result = self._result(statement)
        names = [str(column[0]).lower() for column in result.description or ()]
        return [dict(zip(names, row)) for row in self._rows(result)]

    def rows(self, statement: str) -> list[list[str | None]]:
        """The rows of a statement, as text."""
        return self._rows(self._result(statement))

    def pairs(self, statement: str) -> Mapping[str, str]:
        """Names in small letters, and values, of a statement that answers with such pairs."""
        return {str(row[0]).lower(): str(row[1]) for row in self.rows(statement)}

    def _result(self, statement: str) -> Any:
        self._translated(lambda: self.connection.query(statement))
        return self.connection._result

    def _rows(self, result: Any) -> list[list[str | None]]:
        if len(result.rows or ()) > MOST_ROWS:
            told = f"answers with more than {MOST_ROWS} rows; let the query count them"
            raise Failure(f"{self.wire.where} {told}", "body")
        return [[_text(value) for value in row] for row in result.rows or ()]

    def _translated(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except MySQLError as error:
            self._refuse(error)
        except RuntimeError as error:  # PyMySQL's word for a login that needs a package which is not there
            raise CannotLook(f"{self.wire.where}: {error} (not needed with --tls)", "auth") from None
        except NONSENSE:
            told = "does not speak MySQL as a check does"
            raise Failure(f"{self.wire.where} {told}", "protocol") from None

    def _refuse(self, error: MySQLError) -> NoReturn:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[-1]) if error.args else type(error).__name__
        state = getattr(error, "sqlstate", None)
        told = f"{self.wire.where} says: {text} ({f'SQLSTATE {state}, ' if state else ''}error {code})"
        if code in ACCESS_DENIED:
            raise Denied(told + (self.login.note if self.login.password is None else ""), "auth")
        if code in (BLOCKED, NO_PLUGIN):
            raise CannotLook(told, "auth")
        if not code or code in OF_THE_CLIENT:
            raise Failure(told if code else f"{self.wire.where}: {text}", "protocol")
        raise Failure(told, "timeout" if code in TOOK_TOO_LONG else "status")


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
