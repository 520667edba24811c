"""Does a database serve, and in which role?"""

from __future__ import annotations

from hachecks.net.postgres_tls import request_tls
from hachecks.net.tls import TlsOptions
from hachecks.net.transport import NetworkOptions
from hachecks.registry import Entry
from hachecks.settings import argument, option, settings
from hachecks.sql.credentials import Given
from hachecks.sql.database_url import DatabaseUrl, refuse_password
from hachecks.sql.expectation import Expectation
from hachecks.sql.lag import Lag, bytes_of
from hachecks.units import Duration
from hachecks.verdict import Status, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.net.transport import Stream

DIALECTS = {
    "mysql": Entry("hachecks.sql.mysql:answers", "MySQL, MariaDB, Galera"),
    "mysql, ready only": Entry("hachecks.sql.mysql:ready_answers", "the same without a login"),
    "postgresql": Entry("hachecks.sql.postgresql:answers", "PostgreSQL"),
    "postgresql, ready only": Entry("hachecks.sql.postgresql_ready:answers", "the same without a login"),
    "sqlite": Entry("hachecks.sql.sqlite:answers", "a file"),
}
ONLY_FOR = {
    "postgresql": ("max_silence",),
    "mysql": ("galera", "allow_donor", "dual_primary", "defaults_file"),
}
OF_SERVERS = ("max_lag", "ready_only", "tls", "password", "password_file")


@settings
class SqlProbe(NetworkOptions, TlsOptions):
    """Ask a database whether it serves, and in which role.

    PASS when the login succeeds and everything asked for holds. FAIL when it does not, or when the server refuses the
    connection or a statement. UNKNOWN when it is us who may not look: a wrong password, a missing privilege.

    URL is postgresql://USER@HOST/DATABASE, mysql:// or mariadb:// likewise, or sqlite:/PATH; a unix socket is
    postgresql://USER@/DATABASE?host=/run/postgresql or mysql://USER@/DATABASE?socket=/run/mysqld/mysqld.sock.

    A password comes from --password-file, HACHECK_SQL_PASSWORD, the URL in a file or variable, PGPASSWORD and .pgpass
    (PostgreSQL), or my.cnf and MYSQL_PWD (MySQL); the first there is counts.

    Whatever is asked runs in one transaction that is read-only, or with --writable rolled back; nothing is committed,
    so synchronous standbys are not waited for. Ask the server itself: a pooler may answer for a server it has lost.

    What MySQL must GRANT: SLAVE MONITOR (MariaDB) or REPLICATION CLIENT for --role and --max-lag, SELECT on
    performance_schema.* for members of a replication group. --writable begins a write on an InnoDB table, one named
    hacheck_writes or any: SELECT, UPDATE on it, and BINLOG MONITOR or REPLICATION CLIENT to notice a full disk.
    """

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

    def _refuse(self, names: Iterator[str] | tuple[str, ...] | list[str], why: str) -> None:
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

    def check(self, deadline: Deadline) -> Verdict:
        """Let the dialect answer what is asked, until an answer is no."""
        dialect = self.url.scheme + (", ready only" if self.ready_only else "")
        answers: Generator[Verdict] = DIALECTS[dialect].load()(self, deadline)
        try:
            return self._sum_of(answers)
        finally:
            answers.close()

    def _sum_of(self, answers: Iterator[Verdict]) -> Verdict:
        told: list[str] = []
        measured: dict[str, float] = {}
        for answer in answers:
            measured.update(answer.measured)
            if answer.status is not Status.PASS:
                return Verdict(answer.status, f"{self.subject} {answer.reason}", measured, kind=answer.kind)
            told.append(answer.reason)
        return Verdict.passing(f"{self.subject} {', '.join(told)}", **measured)

    def judge_role(self, role: str) -> Verdict:
        """Whether it is the role asked for."""
        if self.role in ("any", role):
            return Verdict.passing(f"is {role}")
        return Verdict.failing(f"is {role}, wanted is {self.role}")

    def secure_postgresql(self, stream: Stream) -> Iterator[Verdict]:
        """Begin TLS if it is asked for, and judge the certificate."""
        if self.speaks_tls:
            request_tls(stream)
            stream.start_tls(self.context(), self.tls_name)
            yield Verdict.passing("speaks TLS", **self.judge_certificate(stream))
