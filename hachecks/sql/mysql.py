"""Does a MySQL or MariaDB server serve, in which role, and how far behind? All of it in one connection."""

from __future__ import annotations

import os

from hachecks.sql import credentials, galera
from hachecks.sql.expectation import answer
from hachecks.sql.lag import seconds_of
from hachecks.sql.mysql_engine import Denied, Tls
from hachecks.sql.mysql_farewell import NOBODY
from hachecks.sql.mysql_session import Session
from hachecks.sql.wire import Wire
from hachecks.verdict import Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.deadline import Deadline
    from hachecks.probes.sql import SqlProbe

    Channel = Mapping[str, "str | None"]

READ_ONLY = ("read_only", "super_read_only", "innodb_read_only", "offline_mode")
OFF = ("OFF", "0", "")
VARIABLES = f"show global variables where variable_name in {READ_ONLY}"
REPLICA_STATUS_SINCE = (8, 0, 22)


def answers(asked: SqlProbe, deadline: Deadline) -> Iterator[Verdict]:
    """What each thing asked for comes to, in turn."""
    login = credentials.for_mysql(asked.given, asked.defaults_file, os.environ)
    with _session(asked, login, deadline) as session:
        with deadline.during("login"):
            session.log_in()
        yield from _about_tls(session)
        with deadline.during("query"):
            yield from _answers(session, asked, deadline)


def ready_answers(asked: SqlProbe, deadline: Deadline) -> Iterator[Verdict]:
    """PASS when the server lets us in, or does not, politely.

    The login is that of nobody, since a server blocks hosts that hang up in the handshake too often
    (max_connect_errors), and locks an account whose password was wrong too often (FAILED_LOGIN_ATTEMPTS); a login that
    it denies to nobody is not counted.
    """
    login = credentials.Login(NOBODY, None)
    with _session(asked, login, deadline) as session, deadline.during("login"):
        try:
            session.log_in()
        except Denied:
            pass
        yield from _about_tls(session)
        yield Verdict.passing("accepts connections")


def _session(asked: SqlProbe, login: credentials.Login, deadline: Deadline) -> Session:
    tls = Tls(asked) if asked.speaks_tls else None
    stream = asked.connect(asked.url.target, deadline)
    return Session(Wire(stream, "MySQL"), login, asked.url, tls, asked.tls_name)


def _about_tls(session: Session) -> Iterator[Verdict]:
    if session.tls is not None:
        yield Verdict.passing("speaks TLS", **session.tls.measured)


def _answers(session: Session, asked: SqlProbe, deadline: Deadline) -> Iterator[Verdict]:
    _limit_statements(session, deadline)
    if asked.galera:
        yield galera.judge(session, allow_donor=asked.allow_donor)
    if asked.role != "any" or asked.max_lag:
        channels = _channels(session)
        yield _role(session, asked, channels)
        if asked.max_lag and channels:
            yield _lag(asked, channels)
    elif not (asked.galera or asked.writable or asked.query is not None):
        yield Verdict.passing("accepts the login")
    if asked.writable:
        yield _writable(session)
    elif asked.query is not None:
        session.prefer("start transaction read only", "start transaction")
    if asked.query is not None:
        yield answer(session.rows(asked.query), asked.expect)


def _limit_statements(session: Session, deadline: Deadline) -> None:
    """Let the server give up a statement when we do."""
    left = deadline.remaining()
    mysql, mariadb = f"max_execution_time = {max(1, int(left * 1000))}", f"max_statement_time = {left:.3f}"
    words = (mariadb, mysql) if session.is_mariadb else (mysql, mariadb)
    session.prefer(*(f"set session {word}" for word in words))


def _writable(session: Session) -> Verdict:
    """Begin a transaction that may write, and leave it to be rolled back."""
    forbidding = _forbidding(session)
    if forbidding:
        return Verdict.failing(f"takes no writes ({', '.join(forbidding)})")
    session.rows("start transaction read write")
    return Verdict.passing("takes writes")


def _forbidding(session: Session) -> list[str]:
    """The variables that keep clients from writing."""
    variables = session.pairs(VARIABLES)
    return [name for name in READ_ONLY if variables.get(name, "OFF") not in OFF]


def _channels(session: Session) -> list[Channel]:
    """A row for each source this server replicates from, in the words of MySQL 8."""
    if session.is_mariadb:
        rows = session.run("show all slaves status")
    else:
        rows = session.run("show replica status" if session.version >= REPLICA_STATUS_SINCE else "show slave status")
    renamed = [
        {name.replace("master", "source").replace("slave", "replica"): row[name] for name in row} for row in rows
    ]
    return [row for row in renamed if not (row.get("channel_name") or "").startswith("group_replication_")]


def _runs(channel: Channel) -> bool:
    return channel.get("replica_io_running") == "Yes" and channel.get("replica_sql_running") == "Yes"


def _stopped(channel: Channel) -> bool:
    return channel.get("replica_io_running") == "No" and channel.get("replica_sql_running") == "No"


def _role(session: Session, asked: SqlProbe, channels: Sequence[Channel]) -> Verdict:
    """A primary takes writes and replicates from nobody; a standby replicates from all its sources."""
    replicating = [channel for channel in channels if not _stopped(channel)]
    forbidding = _forbidding(session)
    broken = [channel for channel in channels if not _runs(channel)]
    if asked.role == "primary" and asked.dual_primary and not forbidding:
        return Verdict.passing("is primary")
    if not replicating and not forbidding:
        return asked.judge_role("primary")
    if channels and not broken:
        return asked.judge_role("standby")
    told = _troubles(broken) if channels else f"is read-only ({', '.join(forbidding)}) and replicates from nobody"
    return Verdict.passing(told) if asked.role == "any" else Verdict.failing(f"{told}, wanted is {asked.role}")


def _troubles(channels: Sequence[Channel]) -> str:
    """Which replication does not run, and what the server says of it."""
    channel = channels[0]
    states = f"IO {channel.get('replica_io_running')}, SQL {channel.get('replica_sql_running')}"
    error = channel.get("last_io_error") or channel.get("last_sql_error") or ""
    return f"does not replicate from {channel.get('source_host')} ({states}{': ' + error if error else ''})"


def _lag(asked: SqlProbe, channels: Sequence[Channel]) -> Verdict:
    """Judge the channel that is furthest behind; one that cannot tell is not in time."""
    lags = [channel.get("seconds_behind_source") for channel in channels]
    unknown = [channel for channel, lag in zip(channels, lags) if lag is None]
    if unknown:
        return Verdict.failing(_troubles(unknown))
    behind = max(float(lag) for lag in lags if lag is not None)
    limit = seconds_of(asked.max_lag) or 0.0
    told = f"is {behind:.0f} s behind"
    if behind <= limit:
        return Verdict.passing(told, lag_seconds=behind)
    return Verdict.failing(f"{told}, allowed are {in_words(limit)}", lag_seconds=behind)
