"""Whether a MySQL or MariaDB server takes writes.

Variables do not tell: under FLUSH TABLES WITH READ LOCK (a backup that hangs) each says that writes are taken, and
none is. So a write is begun, on an InnoDB table that the user may read: `select … where false for update` waits for the
same locks as any write, changes nothing and locks no row. Tried on MariaDB 10.11: a write to a table that does not
exist fails before it waits. MySQL 8 wants the privilege UPDATE for it beside SELECT.
"""

from __future__ import annotations

from hachecks.verdict import CannotLook, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.deadline import Deadline
    from hachecks.sql.mysql_session import Session

READ_ONLY = ("read_only", "super_read_only", "innodb_read_only", "offline_mode")
OFF = ("OFF", "0", "")
VARIABLES = f"show global variables where variable_name in {READ_ONLY}"
TABLES = """
select table_schema, table_name from information_schema.tables
where engine in ('InnoDB', 'ROCKSDB', 'ndbcluster') and table_type = 'BASE TABLE'
and table_schema not in ('information_schema', 'mysql', 'performance_schema', 'sys') {where}
order by table_name <> 'hacheck_writes' limit 1
"""
BINARY_LOG = ("show master status", "show binary log status")
"""Waits for whoever waits for room on a full disk, as every commit does; asked for in vain without BINLOG MONITOR."""
IN_DATABASE = "and table_schema = database()"


def forbidding(session: Session) -> list[str]:
    """The variables that keep clients from writing."""
    variables = session.pairs(VARIABLES)
    return [name for name in READ_ONLY if variables.get(name, "OFF") not in OFF]


def judge(session: Session, deadline: Deadline) -> Verdict:
    """Begin a transaction that may write, begin a write, and leave both to be rolled back."""
    forbidden = forbidding(session)
    if forbidden:
        return Verdict.failing(f"takes no writes ({', '.join(forbidden)})")
    patience = max(1, int(deadline.remaining()))
    session.prefer(f"set session lock_wait_timeout = {patience}")
    session.prefer("start transaction read write", "start transaction")
    database = session.url.database
    rows = session.rows(TABLES.format(where=IN_DATABASE if database else ""), 2)
    if not rows:
        told = f"shows no InnoDB table to try a write on; grant select, update on {database or 'DATABASE'}.TABLE"
        raise CannotLook(f"{session.wire.where} {told}", "auth")
    schema, table = (quoted(str(name)) for name in rows[0])
    session.rows(f"select 1 from {schema}.{table} where false for update")  # noqa: S608 - quoted
    session.prefer(*BINARY_LOG)
    return Verdict.passing("takes writes")


def quoted(name: str) -> str:
    """A name as SQL takes it whatever is in it."""
    return "`" + name.replace("`", "``") + "`"
