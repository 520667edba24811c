"""Idle sessions with databases: logged in, since a server ends a handshake that goes on, and may count it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from hachecks.agent.watch.targets import Held
from hachecks.deadline import Deadline
from hachecks.sql import credentials
from hachecks.sql.mysql_engine import Tls
from hachecks.sql.mysql_session import Session as MysqlSession
from hachecks.sql.postgresql_session import Session as PostgresqlSession
from hachecks.sql.wire import SocketAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.net.transport import Stream
    from hachecks.sql.options import SqlOptions

LEAVE_SECONDS = 0.1
"""Seconds for a farewell, which the kernel takes at once."""
LONGEST_WAIT = 31_536_000
"""What MySQL takes for wait_timeout at most: a session that it ends is one it warns of (Aborted_clients)."""


def postgresql(options: SqlOptions, deadline: Deadline) -> Held:
    """A session with PostgreSQL; raises as a check does."""
    with ExitStack() as stack:
        stream = stack.enter_context(options.connect(options.url.target, deadline))
        for _ in options.secure_postgresql(stream):
            pass
        login = credentials.for_postgresql(options.given, os.environ)
        secure = options.speaks_tls or bool(options.url.target.path)
        session = PostgresqlSession(SocketAdapter(stream, "PostgreSQL"), login, options.url.database, secure)
        stack.callback(session.end)
        return Held(stream.sock, _leaving(stream, stack.pop_all()))


def mysql(options: SqlOptions, deadline: Deadline) -> Held:
    """A session with MySQL or MariaDB; raises as a check does."""
    login = credentials.for_mysql(options.given, options.defaults_file, os.environ)
    tls = Tls(options) if options.speaks_tls else None
    with ExitStack() as stack:
        stream = stack.enter_context(options.connect(options.url.target, deadline))
        adapter = SocketAdapter(stream, "MySQL")
        session = stack.enter_context(MysqlSession(adapter, login, options.url, tls, options.tls_name))
        session.log_in()
        session.prefer(f"set session wait_timeout = {LONGEST_WAIT}")
        return Held(stream.sock, _leaving(stream, stack.pop_all()))


def _leaving(stream: Stream, stack: ExitStack) -> Callable[[], None]:
    """What says farewell, within a time of its own: that of the login has passed."""

    def leave() -> None:
        stream.deadline = Deadline.after(LEAVE_SECONDS)
        stack.close()

    return leave
