"""A session with MySQL or MariaDB: PyMySQL over our stream, with every error translated."""

from __future__ import annotations

from pymysql.err import MySQLError

from hachecks.sql.mysql_engine import PLUGINS, Denied, Engine, Refusal
from hachecks.sql.wire import MAX_ROWS, NONSENSE_ERRORS, as_asked
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from hachecks.sql.credentials import Login
    from hachecks.sql.database_url import DatabaseUrl
    from hachecks.sql.mysql_engine import Tls
    from hachecks.sql.wire import SocketAdapter

    T = TypeVar("T")

ACCESS_DENIED = frozenset({1044, 1045, 1130, 1142, 1143, 1227, 1251, 1370, 1524, 1698, 1820, 1862, 3118, 3955})
"""Errors that say who may not look: to a host, a database, a table, for want of a privilege or a usable password."""
BLOCKED = 1129
"""Host is blocked because of many connection errors: this node alone, by checks that hung up in the handshake."""
TOOK_TOO_LONG = (1205, 1969, 3024)
"""A lock was not had in time; the statement took longer than MariaDB, or MySQL, was told to let it."""


class Session:
    """A login, and statements in it; every method raises `Failure`, `CannotLook` or `TimedOut`."""

    def __init__(self, wire: SocketAdapter, login: Login, url: DatabaseUrl, tls: Tls | None, tls_name: str) -> None:
        self.wire = wire
        self.login = login
        self.url = url
        self.tls = tls
        self.logged_in = False
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
        if self.logged_in:
            self.connection.close()
        self.wire.stream.close()

    def log_in(self) -> None:
        """Do the handshake."""
        self._translated(lambda: self.connection.connect(self.wire))
        self.logged_in = True
        self.prefer("set names utf8mb4")

    def prefer(self, *statements: str) -> None:
        """Ask for what makes our part better: the first of these that the server takes, or none of them."""
        for statement in statements:
            try:
                self._driven(lambda asked=statement: self.connection.query(asked))  # type: ignore[misc]
            except Refusal:
                continue
            return

    @property
    def version(self) -> tuple[int, ...]:
        """The server's version as numbers."""
        parts = self.connection.server_version.partition("-")[0].split(".")
        return tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 5)

    @property
    def is_mariadb(self) -> bool:
        """Whether the server says so."""
        return "MariaDB" in self.connection.server_version

    def run(self, statement: str) -> list[dict[str, str | None]]:
        """The rows of a statement as text, by the columns' names in small letters."""
        result = self._result(statement)
        names = [str(column[0]).lower() for column in result.description or ()]
        return [dict(zip(names, row)) for row in self._rows(result)]

    def rows(self, statement: str, columns: int = 0) -> list[list[str | None]]:
        """The rows of a statement, as text; of so many columns, if that matters."""
        return as_asked(self._rows(self._result(statement)), columns, self.wire)

    def pairs(self, statement: str) -> Mapping[str, str]:
        """Names in small letters, and values, of a statement that answers with such pairs."""
        return {str(row[0]).lower(): str(row[1]) for row in self.rows(statement, 2)}

    def _result(self, statement: str) -> Any:
        self._translated(lambda: self.connection.query(statement))
        return self.connection._result

    def _rows(self, result: Any) -> list[list[str | None]]:
        if len(result.rows or ()) > MAX_ROWS:
            told = f"answers with more than {MAX_ROWS} rows; let the query count them"
            raise Failure(f"{self.wire.where} {told}", "body")
        return [[_text(value) for value in row] for row in result.rows or ()]

    def _translated(self, call: Callable[[], T]) -> T:
        try:
            return self._driven(call)
        except Refusal as refusal:
            raise self._reason(refusal) from None

    def _driven(self, call: Callable[[], T]) -> T:
        """What the driver returns; raises `Refusal` as well."""
        try:
            return call()
        except Refusal:
            raise
        except (MySQLError, *NONSENSE_ERRORS):
            raise Failure(f"{self.wire.where} does not speak MySQL as a check does", "protocol") from None

    def _reason(self, refusal: Refusal) -> Failure | CannotLook:
        code = refusal.code
        number = f"SQLSTATE {refusal.state}, error {code}" if refusal.state else f"error {code}"
        told = f"{self.wire.where} says: {refusal.text} ({number})"
        if code in ACCESS_DENIED:
            return Denied(told + (self.login.note if self.login.password is None else ""), "auth")
        if code == BLOCKED:
            return CannotLook(told, "auth")
        return Failure(told, "timeout" if code in TOOK_TOO_LONG else "status")


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
