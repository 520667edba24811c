"""The SQL probe: whether a database serves, and in which role."""

from __future__ import annotations

from hachecks.registry import Entry
from hachecks.settings import settings
from hachecks.sql.options import SqlOptions
from hachecks.verdict import Status, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from hachecks.deadline import Deadline

DIALECTS = {
    "mysql": Entry("hachecks.sql.mysql:answers", "MySQL, MariaDB, Galera"),
    "mysql, ready only": Entry("hachecks.sql.mysql:ready_answers", "the same without a login"),
    "postgresql": Entry("hachecks.sql.postgresql:answers", "PostgreSQL"),
    "postgresql, ready only": Entry("hachecks.sql.postgresql_ready:answers", "the same without a login"),
    "sqlite": Entry("hachecks.sql.sqlite:answers", "a file"),
}


@settings
class SqlProbe(SqlOptions):
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
