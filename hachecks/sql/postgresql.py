"""Checks of PostgreSQL: login, role, lag and writes, all of it in one connection."""

from __future__ import annotations

import os
from time import sleep

from hachecks.sql import credentials
from hachecks.sql.expectation import answer, number
from hachecks.sql.lag import bytes_of, seconds_of
from hachecks.sql.postgresql_session import Session
from hachecks.sql.wire import SocketAdapter
from hachecks.verdict import CannotLook, Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.deadline import Deadline
    from hachecks.sql.options import SqlOptions

RECEIVER = """
select r.status, pg_wal_lsn_diff(r.latest_end_lsn, pg_last_wal_replay_lsn()), r.latest_end_lsn,
       extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()),
       extract(epoch from clock_timestamp() - r.last_msg_receipt_time)
from pg_stat_wal_receiver r
"""
CATCH_UP_SECONDS = 0.25
"""Seconds to wait for the replay to reach what had been received, when only the age of the last commit is too great."""
POLL_INTERVAL = 0.02


def answers(options: SqlOptions, deadline: Deadline) -> Iterator[Verdict]:
    """What each thing asked for comes to, in turn."""
    with options.connect(options.url.target, deadline) as stream:
        yield from options.secure_postgresql(stream)
        login = credentials.for_postgresql(options.given, os.environ)
        with deadline.during("login"):
            secure = options.speaks_tls or bool(options.url.target.path)
            session = Session(SocketAdapter(stream, "PostgreSQL"), login, options.url.database, secure)
        try:
            with deadline.during("query"):
                yield from _answers(session, options, deadline)
        finally:
            session.end()


def _answers(session: Session, options: SqlOptions, deadline: Deadline) -> Iterator[Verdict]:
    # Said at the login since PostgreSQL 14, so that the role alone costs no query. A pooler may remember it from before
    # a failover (pgbouncer issue 859), so what is asked anyway counts more.
    standby = session.parameter("in_hot_standby")
    if options.max_lag or options.writable or options.query is not None:
        standby = _begin(session, options, deadline)
    elif standby is None:  # without a transaction, which a pooler may refuse (pool_mode = statement)
        standby = "on" if session.run("select pg_is_in_recovery()") == [["t"]] else "off"
    role = "primary" if standby == "off" else "standby"
    yield options.judge_role(role)
    if options.max_lag and role == "standby":
        yield _lag(session, options, deadline)
    if options.writable:
        yield _writable(session)
    if options.query is not None:
        yield answer(session.run(options.query), options.expect)


def _begin(session: Session, options: SqlOptions, deadline: Deadline) -> str:
    """Begin the one transaction of the check, and return `on` if the server is in hot standby.

    All that is set is local to the transaction, since a pooler would pass on the rest.
    """
    timeout = max(1, int(deadline.remaining() * 1000))
    mode = "" if options.writable else " read only"
    rows = session.run(f"begin{mode}; set local statement_timeout = {timeout}; select pg_is_in_recovery()")
    return "on" if rows == [["t"]] else "off"


def _writable(session: Session) -> Verdict:
    """Write into the catalogue and a file, and leave the transaction to be rolled back."""
    if session.run("show transaction_read_only") != [["off"]]:
        return Verdict.failing("is read-only")
    session.run("set local temp_tablespaces = ''")  # the disk that counts is the one of the tables
    session.run("create temporary table hacheck_writes on commit drop as select 1 as written")
    return Verdict.passing("takes writes")


def _lag(session: Session, options: SqlOptions, deadline: Deadline) -> Verdict:
    """Judge how far the replay is behind the primary.

    The time since the last replayed commit alone calls an idle standby late, and the bytes between receiving and
    replaying alone call one in time whose primary is dead.
    """
    rows = session.run(RECEIVER, 5)
    if not rows:
        return Verdict.failing("receives no WAL from a primary")
    status, behind, end, age, silence = rows[0]
    if status is None:
        raise CannotLook(
            f"{options.subject}: user {session.login.user} may not see the WAL receiver (grant pg_monitor)", "auth"
        )
    if status != "streaming":
        return Verdict.failing(f"is not streaming WAL from its primary, but {status}")
    if behind is None or silence is None:
        return Verdict.failing("has heard nothing from its primary yet")
    size = max(0.0, number(behind) or 0.0)
    seconds = 0.0 if size == 0 else number(age or "")
    silent_for = number(silence) or 0.0
    told, measured = _told(size, seconds, silent_for)
    if options.max_silence is not None and silent_for > options.max_silence:
        told = f"{told}, its primary silent for longer than {in_words(options.max_silence)}"
        return Verdict.failing(told, "body", **measured)
    limit = seconds_of(options.max_lag)
    if size <= (bytes_of(options.max_lag) or 0) or (limit is not None and seconds is not None and seconds <= limit):
        return Verdict.passing(told, **measured)
    if limit is not None and _catches_up(session, str(end), min(limit, CATCH_UP_SECONDS), deadline):
        return Verdict.passing(told, **measured)
    return Verdict.failing(f"{told}, limit {' or '.join(map(repr, options.max_lag))}", "body", **measured)


def _told(size: float, seconds: float | None, silence: float) -> tuple[str, dict[str, float]]:
    measured = {"lag_bytes": size, "last_message_age_seconds": silence}
    told = f"is {size:.0f} bytes behind"
    if seconds is not None:
        measured["lag_seconds"] = seconds
        told += f" (last commit {in_words(seconds)} ago)" if size else ""
    return told, measured


def _catches_up(session: Session, end: str, patience: float, deadline: Deadline) -> bool:
    """Whether the replay reaches `end` within so many seconds.

    The last commit says little: after an idle hour it is an hour old, and stays so while a long transaction streams.
    """
    for _ in range(int(patience / POLL_INTERVAL)):
        sleep(min(POLL_INTERVAL, deadline.remaining()))
        if session.run(f"select pg_last_wal_replay_lsn() >= '{end}'::pg_lsn") == [["t"]]:
            return True
    return False
