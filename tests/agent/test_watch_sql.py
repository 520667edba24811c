"""Databases are watched by idle sessions that are logged in, and left politely."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests import mariadb, postgresql
from tests.agent.running import agent, one_check
from tests.agent.test_watch import SELDOM, until_failed, watching

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mariadb import MariaDB
    from tests.postgresql import PostgreSQL

OPTIONS = {"interval": SELDOM, "timeout": "10s", "watch": True}


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    with postgresql.workplace() as directory, postgresql.primary(directory) as server:
        yield server


@pytest.fixture(scope="module")
def maria() -> Iterator[MariaDB]:
    with postgresql.workplace() as directory, mariadb.primary(directory) as server:
        yield server


def sessions(database: PostgreSQL) -> int:
    """Those of checks that are idle."""
    return int(database.sql("select count(*) from pg_stat_activity where application_name = 'hacheck'"))


def test_a_postgresql_that_ends_is_asked_at_once(database: PostgreSQL, tmp_path: Path) -> None:
    toml = one_check("address", "sql", url=database.url(), **OPTIONS)
    toml += one_check("socket", "sql", url=database.socket_url(), **OPTIONS)
    toml += one_check("secret", "sql", url=database.url("scram"), on_unknown="pass", **OPTIONS)
    before = len(database.log())
    with agent(toml, tmp_path) as running:
        watching(running, "address")
        watching(running, "socket")
        running.until("there are no others", lambda: sessions(database) == 2)  # that of a check takes a while to end
        told = "secret: it is not watched: "
        running.until("it is told", lambda: any(told in line and "wants a password" in line for line in running.lines))
        assert running.series().of("hachecks_watch_triggers_total", check="secret", cause="connection") is None
    assert running.process.returncode == 0
    farewell = database.log()[before:]  # a client that is gone without one is logged
    assert "unexpected EOF" not in farewell
    assert "reset by peer" not in farewell
    with agent(toml, tmp_path) as running:
        watching(running, "address")
        watching(running, "socket")
        database.kill(signal.SIGQUIT)
        until_failed(running, "address")
        until_failed(running, "socket")


def counted(maria: MariaDB, name: str) -> int:
    return int(maria.sql(f"show global status like '{name}'").split()[1])


def test_a_mariadb_that_ends_is_asked_at_once_and_has_counted_nothing(maria: MariaDB, tmp_path: Path) -> None:
    def errors() -> tuple[int, int]:
        return counted(maria, "Aborted_connects"), counted(maria, "Aborted_clients")

    before = errors()
    toml = one_check("db", "sql", url=maria.url("nobody"), **OPTIONS)
    with agent(toml, tmp_path) as running:
        watching(running, "db")
        counting = "select count(*) from information_schema.processlist where user = 'nobody'"
        running.until("there is no other", lambda: maria.sql(counting) == "1")  # that of a check takes a while to end
    assert errors() == before
    with agent(toml, tmp_path) as running:
        watching(running, "db")
        maria.kill()
        until_failed(running, "db")
    maria.start()


def test_a_mariadb_asked_by_tcp_is_not_held_in_its_handshake(maria: MariaDB, tmp_path: Path) -> None:
    toml = one_check("db", "tcp", target=f"127.0.0.1:{maria.port}", **OPTIONS)
    with agent(toml, tmp_path) as running:
        told = "is a MySQL server, which counts who says nothing: watch it with sql"
        running.until("it is told", lambda: told in "\n".join(running.lines))
        waiting = "select count(*) from information_schema.processlist where command = 'Connect'"
        running.until("nobody waits", lambda: maria.sql(waiting) == "0")
        assert running.series().of("hachecks_watch_connections", check="db") == 0
