"""Checks of MySQL and MariaDB: login, role, lag and writes, all of it in one connection."""

from __future__ import annotations

import os

from hachecks.net.mysql_handshake import NOBODY
from hachecks.sql import credentials, galera, mysql_group, mysql_writes
from hachecks.sql.expectation import answer, number
from hachecks.sql.lag import seconds_of
from hachecks.sql.mysql_engine import Denied, Tls
from hachecks.sql.mysql_session import Session
from hachecks.sql.wire import SocketAdapter
from hachecks.verdict import Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.deadline import Deadline
    from hachecks.sql.options import SqlOptions

    Channel = Mapping[str, "str | None"]

OF_A_GROUP = "group_replication_"
REPLICA_STATUS_SINCE = (8, 0, 22)


def answers(options: SqlOptions, deadline: Deadline) -> Iterator[Verdict]:
    """What each thing asked for comes to, in turn."""
    login = credentials.for_mysql(options.given, options.defaults_file, os.environ)
    with _session(options, login, deadline) as session:
        with deadline.during("login"):
            session.log_in()
        yield from _about_tls(session)
        with deadline.during("query"):
            yield from _answers(session, options, deadline)


def ready_answers(options: SqlOptions, deadline: Deadline) -> Iterator[Verdict]:
    """PASS when the server lets us in, or does not, politely.

    The login is that of nobody, since a server blocks hosts that hang up in the handshake too often
    (max_connect_errors), and locks an account whose password was wrong too often (FAILED_LOGIN_ATTEMPTS); a login that
    it denies to nobody is not counted.
    """
    login = credentials.Login(NOBODY, None)
    with _session(options, login, deadline) as session, deadline.during("login"):
        try:
            session.log_in()
        except Denied:
            pass
        yield from _about_tls(session)
        yield Verdict.passing("accepts connections")


def _session(options: SqlOptions, login: credentials.Login, deadline: Deadline) -> Session:
    tls = Tls(options) if options.speaks_tls else None
    stream = options.connect(options.url.target, deadline)
    return Session(SocketAdapter(stream, "MySQL"), login, options.url, tls, options.tls_name)


def _about_tls(session: Session) -> Iterator[Verdict]:
    if session.tls is not None:
        yield Verdict.passing("speaks TLS", **session.tls.measured)


def _answers(session: Session, options: SqlOptions, deadline: Deadline) -> Iterator[Verdict]:
    _limit_statements(session, deadline)
    if options.galera:
        yield galera.judge(session, allow_donor=options.allow_donor)
    if options.role != "any" or options.max_lag:
        yield from _replication(session, options)
    elif options.writable:
        yield from _of_the_group(mysql_group.member(session, is_grouped=False))
    elif not options.galera and options.query is None:
        session.rows("do 1")  # a Galera node without its cluster lets everybody in, and does nothing for them
        yield Verdict.passing("accepts the login")
    if options.writable:
        yield mysql_writes.judge(session, deadline)
    elif options.query is not None:
        session.prefer("start transaction read only", "start transaction")
    if options.query is not None:
        yield answer(session.rows(options.query), options.expect)


def _limit_statements(session: Session, deadline: Deadline) -> None:
    """Let the server give up a statement when we do."""
    left = deadline.remaining()
    mysql, mariadb = f"max_execution_time = {max(1, int(left * 1000))}", f"max_statement_time = {left:.3f}"
    words = (mariadb, mysql) if session.is_mariadb else (mysql, mariadb)
    session.prefer(*(f"set session {word}" for word in words))


def _replication(session: Session, options: SqlOptions) -> Iterator[Verdict]:
    """The role, and how far a standby is behind."""
    session.rows("do 1")
    every = _channels(session)
    channels = [row for row in every if not (row.get("channel_name") or "").startswith(OF_A_GROUP)]
    member = mysql_group.member(session, is_grouped=len(channels) < len(every))
    yield from _of_the_group(member)
    if member is not None and member.role == "secondary":
        yield options.judge_role("standby")
        if options.max_lag:
            yield _in_time(options, mysql_group.seconds_behind(session))
        return
    yield _role(session, options, channels)
    if options.max_lag and channels:
        yield _lag(options, channels)


def _of_the_group(member: mysql_group.Member | None) -> Iterator[Verdict]:
    if member is not None and member.trouble:
        yield Verdict.failing(member.trouble)


def _channels(session: Session) -> list[Channel]:
    """A row for each source this server replicates from, in the words of MySQL 8."""
    if session.is_mariadb:
        rows = session.run("show all slaves status")
    else:
        rows = session.run("show replica status" if session.version >= REPLICA_STATUS_SINCE else "show slave status")
    return [{name.replace("master", "source").replace("slave", "replica"): row[name] for name in row} for row in rows]


def _runs(channel: Channel) -> bool:
    return channel.get("replica_io_running") == "Yes" and channel.get("replica_sql_running") == "Yes"


def _stopped(channel: Channel) -> bool:
    return channel.get("replica_io_running") == "No" and channel.get("replica_sql_running") == "No"


def _role(session: Session, options: SqlOptions, channels: Sequence[Channel]) -> Verdict:
    """A primary takes writes and replicates from nobody; a standby replicates from all its sources."""
    replicating = [channel for channel in channels if not _stopped(channel)]
    forbidding = mysql_writes.forbidding(session)
    broken = [channel for channel in channels if not _runs(channel)]
    if options.role == "primary" and options.dual_primary and not forbidding:
        return Verdict.passing("is primary")
    if not replicating and not forbidding:
        return options.judge_role("primary")
    if channels and not broken:
        return options.judge_role("standby")
    told = _troubles(broken) if channels else f"is read-only ({', '.join(forbidding)}) and replicates from nobody"
    return Verdict.passing(told) if options.role == "any" else Verdict.failing(f"{told}, expected {options.role}")


def _troubles(channels: Sequence[Channel]) -> str:
    """Which replication does not run, and what the server says of it."""
    channel = channels[0]
    states = f"IO {channel.get('replica_io_running')}, SQL {channel.get('replica_sql_running')}"
    error = channel.get("last_io_error") or channel.get("last_sql_error") or ""
    return f"does not replicate from {channel.get('source_host')} ({states}{': ' + error if error else ''})"


def _lag(options: SqlOptions, channels: Sequence[Channel]) -> Verdict:
    """Judge the channel that is furthest behind; one that cannot tell is not in time."""
    lags = [channel.get("seconds_behind_source") for channel in channels]
    unknown = [channel for channel, lag in zip(channels, lags) if lag is None]
    if unknown:
        return Verdict.failing(_troubles(unknown))
    return _in_time(options, max((number(lag) or 0.0 for lag in lags if lag is not None), default=0.0))


def _in_time(options: SqlOptions, behind: float) -> Verdict:
    limit = seconds_of(options.max_lag) or 0.0
    told = f"is {behind:.0f} s behind"
    if behind <= limit:
        return Verdict.passing(told, lag_seconds=behind)
    return Verdict.failing(f"{told}, limit {in_words(limit)}", lag_seconds=behind)
