"""A session with PostgreSQL: pg8000's protocol engine over our stream, with every error translated."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import pg8000.core  # type: ignore[import-untyped]
import pg8000.exceptions  # type: ignore[import-untyped]
import scramp  # type: ignore[import-untyped]
import scramp.core  # type: ignore[import-untyped]

from hachecks.sql.wire import MAX_ROWS, NONSENSE_ERRORS, as_asked
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from hachecks.sql.credentials import Login
    from hachecks.sql.wire import SocketAdapter

    T = TypeVar("T")

LET_IN, CLEAR_TEXT, MD5, SCRAM, SCRAM_GOES_ON = 0, 3, 5, 10, (11, 12)
OTHERS = {2: "Kerberos", 6: "SCM credentials", 7: "GSSAPI", 9: "SSPI"}
OUR_OWN = ("28", "42501")
"""SQLSTATEs that say who may not look: invalid authorization, insufficient privilege."""
TOOK_TOO_LONG = ("55P03", "57014")
"""A lock was not had in time; the statement took longer than the server was told to let it."""
MAX_ITERATIONS = 1_000_000
"""Rounds of PBKDF2, half a second of CPU; PostgreSQL's default is 4096."""


def salted_password(hash_function: Any, password: bytes, salt: bytes, iterations: int) -> bytes:
    """PBKDF2 in C: scramp before 1.5 (the last for Python 3.9) loops in Python, and takes any number of rounds."""
    if int(iterations) > MAX_ITERATIONS:
        raise Failure(f"the server asks for {iterations} rounds of PBKDF2, limit {MAX_ITERATIONS}", "auth")
    return hashlib.pbkdf2_hmac(hash_function().name, password, salt, int(iterations))


scramp.core.hi = salted_password


class Connection(pg8000.core.CoreConnection):  # type: ignore[misc]  # pg8000 has no types
    """pg8000's connection: values stay text, rows are counted, and a password is not given to everybody."""

    def __init__(self, wire: SocketAdapter, login: Login, database: str, secure: bool) -> None:
        self.wire = wire
        self.login = login
        self.secure = secure
        super().__init__(
            login.user,
            database=database or None,
            password=login.password,
            application_name="hacheck",
            startup_params={"client_encoding": "UTF8"},
            sock=wire,
            ssl_context=False,
        )
        self.pg_types: defaultdict[int, type[str]] = defaultdict(lambda: str)

    def handle_AUTHENTICATION_REQUEST(self, data: bytes, context: Any) -> None:  # noqa: N802 - pg8000's name
        """Answer, unless the password is missing or would be sent for everybody to read."""
        method = int.from_bytes(data[:4], "big")
        if method in (CLEAR_TEXT, MD5, SCRAM) and self.password is None:
            told = f"wants a password for user {self.login.user}{self.login.note}"
            raise CannotLook(f"{self.wire.where} {told}", "auth")
        if method == CLEAR_TEXT and not self.secure:
            raise CannotLook(f"{self.wire.where} wants the password in clear text, which needs --tls", "auth")
        if len(data) >= 4 and method not in (LET_IN, CLEAR_TEXT, MD5, SCRAM, *SCRAM_GOES_ON):
            told = f"wants to know us by {OTHERS.get(method, f'method {method}')}, which a check does not speak"
            raise CannotLook(f"{self.wire.where} {told}", "auth")
        if method == MD5:
            self._refuse_md5_without_it()
        super().handle_AUTHENTICATION_REQUEST(data, context)

    def _refuse_md5_without_it(self) -> None:
        try:
            hashlib.md5(b"")  # noqa: S324 - PostgreSQL's choice
        except ValueError:  # as where FIPS is enforced
            raise CannotLook(f"{self.wire.where} wants MD5, which this node does not allow", "auth") from None

    def handle_DATA_ROW(self, data: bytes, context: Any) -> None:  # noqa: N802 - pg8000's name
        """Take the row, if it is not one too many."""
        if len(context.rows) >= MAX_ROWS:
            told = f"answers with more than {MAX_ROWS} rows; let the query count them"
            raise Failure(f"{self.wire.where} {told}", "body")
        super().handle_DATA_ROW(data, context)

    def close(self) -> None:
        """Nothing: a farewell that fails would hide why pg8000 gives up; `Session.end` says it."""


class Session:
    """A login, and statements in it; every method raises `Failure`, `CannotLook` or `TimedOut`."""

    def __init__(self, wire: SocketAdapter, login: Login, database: str, secure: bool) -> None:
        self.wire = wire
        self.login = login
        self.connection: Connection = self._translated(lambda: Connection(wire, login, database, secure))

    def parameter(self, name: str) -> str | None:
        """What the server said of itself at the login."""
        value = self.connection.parameter_statuses.get(name)
        return None if value is None else str(value)

    def run(self, statement: str, columns: int = 0) -> list[list[str | None]]:
        """The rows of a statement, as text; of so many columns, if that matters."""
        context = self._translated(lambda: self.connection.execute_simple(statement))
        return as_asked(context.rows or [], columns, self.wire)

    def end(self) -> None:
        """Say farewell, so that the server logs no lost connection."""
        try:
            self.wire.sendall(pg8000.core.TERMINATE_MSG)
        except (Failure, CannotLook):
            pass

    def _translated(self, call: Callable[[], T]) -> T:
        where = self.wire.where
        try:
            return call()
        except pg8000.exceptions.DatabaseError as error:
            raise self._refusal(error.args[0]) from None
        except scramp.ScramException:
            raise Failure(
                f"{where}: the SCRAM login failed: the server does not prove that it knows the password", "auth"
            ) from None
        except (pg8000.exceptions.InterfaceError, *NONSENSE_ERRORS):
            raise Failure(f"{where} does not speak PostgreSQL as a check does", "protocol") from None

    def _refusal(self, fields: Any) -> Failure | CannotLook:
        if not isinstance(fields, dict):
            return Failure(f"{self.wire.where} does not speak PostgreSQL as a check does", "protocol")
        state = fields.get("C", "")
        told = f"{self.wire.where} says: {fields.get('M', 'an error without a message')} (SQLSTATE {state})"
        if state.startswith(OUR_OWN):
            return CannotLook(told + (self.login.note if self.login.password is None else ""), "auth")
        return Failure(told, "timeout" if state in TOOK_TOO_LONG else "status")
