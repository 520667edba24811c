"""Checks of SQLite files, opened as they are and never made."""

from __future__ import annotations

import os
import sqlite3
import stat
from time import monotonic

from hachecks.deadline import TimedOut
from hachecks.sql.expectation import answer
from hachecks.sql.wire import MAX_BYTES, MAX_ROWS
from hachecks.verdict import CannotLook, Failure, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from hachecks.deadline import Deadline
    from hachecks.sql.options import SqlOptions

    T = TypeVar("T")

CLOCK_INTERVAL_STEPS = 1000
"""Instructions of SQLite's machine between two looks at the clock, some microseconds."""
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")


def answers(options: SqlOptions, deadline: Deadline) -> Iterator[Verdict]:
    """What each thing asked for comes to, in turn."""
    path = options.url.path
    _look_at(path)
    mode = "rw" if options.writable else "ro"
    with deadline.during("query"):
        connection = _translated(path, lambda: _opened(path, mode, deadline.remaining()))
        try:
            connection.set_progress_handler(lambda: int(monotonic() > deadline.at), CLOCK_INTERVAL_STEPS)
            yield from _answers(connection, options, deadline)
        finally:
            connection.close()


def _answers(connection: sqlite3.Connection, options: SqlOptions, deadline: Deadline) -> Iterator[Verdict]:
    tables = _run(connection, "select count(*) from sqlite_master", options.url.path, deadline)
    yield Verdict.passing(f"can be read ({tables[0][0]} tables, indexes and views)")
    if options.writable:
        _run(connection, "begin immediate", options.url.path, deadline)
        yield Verdict.passing("takes writes")
    if options.query is not None:
        yield answer(_run(connection, options.query, options.url.path, deadline), options.expect)
    if options.writable and connection.in_transaction:
        connection.rollback()


def _opened(path: str, mode: str, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{_quoted(path)}?mode={mode}", timeout=patience, isolation_level=None, uri=True)
    if hasattr(connection, "setlimit"):  # since Python 3.11
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES)
    return connection


def _look_at(path: str) -> None:
    """Say what SQLite would not: that the file is absent, or not a file."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise Failure(f"{path} does not exist") from None
    except OSError as error:
        raise CannotLook(f"cannot look at {path}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise CannotLook(f"{path} is not a plain file")
    if not os.access(path, os.R_OK, effective_ids=True):
        raise CannotLook(f"cannot read {path}: Permission denied")


def _quoted(path: str) -> str:
    return "".join(c if c in PLAIN else "".join(f"%{byte:02X}" for byte in c.encode()) for c in path)


def _run(connection: sqlite3.Connection, statement: str, path: str, deadline: Deadline) -> list[list[str | None]]:
    """The rows of a statement, as text."""
    deadline.remaining()

    def execute() -> list[tuple[object, ...]]:
        return connection.execute(statement).fetchmany(MAX_ROWS + 1)

    rows = _translated(path, execute)
    if len(rows) > MAX_ROWS:
        raise Failure(f"{path} answers with more than {MAX_ROWS} rows; let the query count them", "body")
    return [[_text(value) for value in row] for row in rows]


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _translated(path: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except (sqlite3.Error, sqlite3.Warning) as error:
        if "interrupted" in str(error):
            raise TimedOut from None
        raise Failure(f"{path}: {error}") from None
