"""The settings of an SQL check, and what the dialects ask of them."""

from __future__ import annotations

from hachecks.net.postgres_tls import request_tls
from hachecks.net.tls import TlsOptions
from hachecks.net.transport import NetworkOptions
from hachecks.settings import argument, option, settings
from hachecks.sql.credentials import Given
from hachecks.sql.database_url import DatabaseUrl, refuse_password
from hachecks.sql.expectation import Expectation
from hachecks.sql.lag import Lag, bytes_of
from hachecks.units import Duration
from hachecks.verdict import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    from hachecks.net.transport import Stream

ONLY_FOR = {
    "postgresql": ("max_silence",),
    "mysql": ("galera", "allow_donor", "dual_primary", "defaults_file"),
}
OF_SERVERS = ("max_lag", "ready_only", "tls", "password", "password_file")


@settings
class SqlOptions(NetworkOptions, TlsOptions):
    """Which database is asked, how it is reached, and what it must be and do."""

    url: DatabaseUrl = argument(metavar="URL", help="The database.", refuse_on_argv=refuse_password)
    password: str | None = option(default=None, help="The password.", secret=True)
    password_file: str | None = option(default=None, metavar="FILE", help="The password is in this file.")
    defaults_file: str | None = option(
        default=None,
        metavar="FILE",
        help="MySQL: user and password are in this file's [client] group, not in ~/.my.cnf.",
    )
    tls: bool = option(
        default=False, help="Speak TLS, or FAIL when the server does not; sslmode=verify-full in the URL too."
    )
    ready_only: bool = option(default=False, help="Only ask whether the server accepts connections; no login.")
    role: Literal["any", "primary", "standby"] = option(default="any", help="The role the server must have.")
    dual_primary: bool = option(default=False, help="MySQL: a primary may replicate from another one.")
    max_lag: tuple[Lag, ...] = option(
        default=(), metavar="LAG", help="A standby may be this much behind, as 10s or 16MB; of both, one must hold."
    )
    max_silence: Duration | None = option(
        default=None, help="PostgreSQL: the primary's last message may be this old (idle ones speak every 30s)."
    )
    galera: bool = option(default=False, help="The node must be synced in the primary component of its Galera cluster.")
    allow_donor: bool = option(default=False, help="With --galera: it may also be a donor, or desynced for a backup.")
    writable: bool = option(default=False, help="It must take writes; --query then may write, and is rolled back.")
    query: str | None = option(default=None, metavar="SQL", help="A statement that must succeed.")
    expect: Expectation | None = option(
        default=None,
        metavar="VALUE",
        help="Its first value: TEXT, =TEXT or MIN..MAX; or its rows: rows=N, rows=MIN..MAX.",
    )

    def validate(self) -> None:
        """Refuse what contradicts itself, or means nothing to this kind of database."""
        self.validate_network()
        self.validate_tls(self.speaks_tls, "--tls")
        for scheme, names in ONLY_FOR.items():
            self._refuse(names if scheme != self.url.scheme else (), f"is for {scheme}:// only")
        if self.url.scheme == "sqlite":
            self._refuse([*NetworkOptions.__settings__, *OF_SERVERS], "means nothing for an SQLite file")  # type: ignore[attr-defined]
        if self.ready_only:
            self._refuse(("role", "max_lag", "galera", "writable", "query"), "needs a login; drop --ready-only")
        self._validate_parts()

    def _validate_parts(self) -> None:
        if self.url.scheme == "sqlite" and self.role == "standby":
            raise ValueError("--role standby means nothing for an SQLite file")
        if self.expect is not None and self.query is None:
            raise ValueError("--expect needs --query")
        if self.allow_donor and not self.galera:
            raise ValueError("--allow-donor needs --galera")
        if self.max_lag and self.role == "primary":
            raise ValueError("--max-lag is for standbys; a primary is not behind")
        if self.max_silence is not None and not self.max_lag:
            raise ValueError("--max-silence needs --max-lag")
        if self.url.scheme == "mysql" and bytes_of(self.max_lag) is not None:
            raise ValueError("--max-lag is in seconds for MySQL (write 10s)")
        if self.speaks_tls and self.url.target.path:
            raise ValueError("TLS over a unix socket protects nothing; drop --tls")
        if self.tls and self.url.tls is False:
            raise ValueError("--tls contradicts sslmode=disable")

    def _refuse(self, names: Iterable[str], why: str) -> None:
        for setting in self.__settings__.values():  # type: ignore[attr-defined]
            if setting.name in names and getattr(self, setting.name) != setting.default:
                raise ValueError(f"{setting.flag} {why}")

    @property
    def subject(self) -> str:
        """The host and the database, or the file."""
        return str(self.url)

    @property
    def speaks_tls(self) -> bool:
        """Whether TLS is asked for, here or in the URL."""
        return self.tls or bool(self.url.tls)

    @property
    def given(self) -> Given:
        """What is said about the login."""
        return Given(self.url, self.password, self.password_file)

    @property
    def tls_name(self) -> str:
        """The name the server's certificate must have."""
        return self.server_name or self.url.target.host

    def judge_role(self, role: str) -> Verdict:
        """Whether it is the role asked for."""
        if self.role in ("any", role):
            return Verdict.passing(f"is {role}")
        return Verdict.failing(f"is {role}, expected {self.role}")

    def secure_postgresql(self, stream: Stream) -> Iterator[Verdict]:
        """Begin TLS if it is asked for, and judge the certificate."""
        if self.speaks_tls:
            request_tls(stream)
            stream.start_tls(self.context(), self.tls_name)
            yield Verdict.passing("speaks TLS", **self.judge_certificate(stream))
