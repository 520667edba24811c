"""What a refusal says of a PostgreSQL server, and what a pooler says of one that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.probes.sql import SqlProbe
from hachecks.settings import build
from hachecks.verdict import Status, Verdict
from tests import pgbouncer, postgresql
from tests.postgresql import workplace
from tests.probes.test_sql import AUTHENTICATED, READY, STANDBY, Says, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql import PostgreSQL


def ask(port: int, timeout: float = 20.0, **table: object) -> Verdict:
    """The verdict on whatever listens there."""
    values = {"url": f"postgresql://trusted@127.0.0.1:{port}/postgres", **table}
    return runner.conclude(build(SqlProbe, "sql", {}, {}, values, "hacheck.toml"), Deadline.after(timeout))


def refusal(state: str, told: str = "no") -> bytes:
    """An ErrorResponse."""
    code = f"C{state}\0" if state else ""
    return message(b"E", f"SFATAL\0VFATAL\0{code}M{told}\0\0".encode())


@pytest.mark.parametrize("before", [pytest.param(b"", id="at-once"), pytest.param(AUTHENTICATED, id="after-the-login")])
@pytest.mark.parametrize(
    ("state", "status"),
    [
        pytest.param("08P01", Status.FAIL, id="pooler-without-its-server"),
        pytest.param("08006", Status.FAIL, id="connection-failure"),
        pytest.param("08001", Status.FAIL, id="cannot-connect"),
        pytest.param("53300", Status.FAIL, id="too-many-connections"),
        pytest.param("53100", Status.FAIL, id="disk-full"),
        pytest.param("57P01", Status.FAIL, id="shutdown"),
        pytest.param("57P02", Status.FAIL, id="crash"),
        pytest.param("57P03", Status.FAIL, id="starts"),
        pytest.param("58000", Status.FAIL, id="system"),
        pytest.param("58030", Status.FAIL, id="io"),
        pytest.param("XX000", Status.FAIL, id="internal"),
        pytest.param("55000", Status.FAIL, id="not-in-this-state"),
        pytest.param("", Status.FAIL, id="no-state"),
        pytest.param("28000", Status.PASS, id="no-entry-in-pg-hba"),
        pytest.param("28P01", Status.PASS, id="wrong-password"),
        pytest.param("3D000", Status.PASS, id="no-such-database"),
        pytest.param("42501", Status.PASS, id="may-not-connect"),
        pytest.param("0A000", Status.PASS, id="not-supported"),
    ],
)
def test_only_a_refusal_of_who_knows_us_is_ready(state: str, status: Status, before: bytes) -> None:
    with Says(before + refusal(state)) as server:
        verdict = ask(server.port, ready_only=True)
    assert verdict.status is status
    assert verdict.reason.startswith(f"127.0.0.1:{server.port}/postgres ")


def test_server_that_cannot_fork_is_not_ready() -> None:
    with Says(b"Ecould not fork new process for connection: Cannot allocate memory\n\0") as server:
        verdict = ask(server.port, ready_only=True)
    told = "does not serve: could not fork new process for connection: Cannot allocate memory"
    assert repr(verdict) == f"FAIL - 127.0.0.1:{server.port}/postgres {told}"


def test_who_is_let_in_says_farewell() -> None:
    with Says(AUTHENTICATED + STANDBY + READY) as server:
        assert ask(server.port, ready_only=True).status is Status.PASS


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "it answers 'HTTP/'", id="http"),
        pytest.param(b"\0\1\2\xff\xfe", "it answers the bytes 00 01 02 ff fe", id="bytes"),
        pytest.param(b"R\xff\xff\xff\xff", "it announces 4294967291 bytes", id="length"),
        pytest.param(STANDBY * 200, "its login has no end", id="endless"),
    ],
)
def test_what_is_no_postgresql_is_told_in_words(said: bytes, told: str) -> None:
    with Says(said) as server:
        verdict = ask(server.port, ready_only=True)
    assert repr(verdict) == f"FAIL - 127.0.0.1:{server.port} does not speak PostgreSQL: {told}"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where the servers live."""
    with workplace() as directory:
        yield directory


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[PostgreSQL]:
    """A server that dies in the last test."""
    with postgresql.primary(place / "server") as server:
        yield server


def test_server_lets_in_who_is_trusted(server: PostgreSQL) -> None:
    before = len(server.log())
    assert ask(server.port, ready_only=True).reason.endswith("accepts connections")
    verdict = ask(0, url=f"postgresql://trusted@127.0.0.1:{server.port}/nowhere", ready_only=True)
    assert verdict.status is Status.PASS
    assert verdict.reason.endswith('answers (database "nowhere" does not exist)')
    assert "lost" not in server.log()[before:]
    server.sql("alter role trusted connection limit 0")
    try:
        assert ask(server.port, ready_only=True).reason.endswith('too many connections for role "trusted" (53300)')
    finally:
        server.sql("alter role trusted connection limit -1")


@pytest.mark.skipif(pgbouncer.PROGRAM is None, reason="pgbouncer is not installed")
@pytest.mark.parametrize("mode", ["session", "transaction", "statement"])
def test_pooler_refuses_nothing_that_is_only_a_nicety(server: PostgreSQL, place: Path, mode: str) -> None:
    with pgbouncer.pooler(place / mode, server, mode) as port:
        assert ask(port, ready_only=True).status is Status.PASS
        assert repr(ask(port, role="primary")) == f"PASS - 127.0.0.1:{port}/postgres is primary"
        if mode != "statement":
            assert ask(port, query="select 1", expect="1", writable=True).status is Status.PASS


@pytest.mark.skipif(pgbouncer.PROGRAM is None, reason="pgbouncer is not installed")
def test_pooler_whose_server_is_dead_is_not_ready(server: PostgreSQL, place: Path) -> None:
    with pgbouncer.pooler(place / "pooler", server) as port:
        server.kill()
        for ready_only in (True, False):
            assert ask(port, 3.0, ready_only=ready_only).status is Status.FAIL
