"""A real MariaDB primary and its replica are asked for their role, their lag and their answers."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.probes.sql import SqlProbe
from hachecks.settings import build
from hachecks.verdict import Status, Verdict
from tests import mariadb
from tests.own_network import own_network
from tests.postgresql import PASSWORD, workplace
from tests.probes.asking import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mariadb import MariaDB

ROWS = "1000 rows; let the query count them"
LONG = "2000004 bytes, which a check does not read; does it speak MySQL?"
WRITE = "statement in a READ ONLY transaction"
MUCH = "the 1000 rows or 1048576 bytes that a check reads"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where the servers live."""
    with workplace() as directory:
        yield directory


@pytest.fixture(scope="module")
def primary(place: Path) -> Iterator[MariaDB]:
    """A primary that speaks TLS."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place / "ca.pem")
    with mariadb.primary(place / "primary", authority) as server:
        yield server


@pytest.fixture(scope="module")
def replica(place: Path, primary: MariaDB) -> Iterator[MariaDB]:
    """A read-only replica."""
    with mariadb.replica(place / "replica", primary) as server:
        yield server


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is found in the environment that a test has not put there."""
    monkeypatch.delenv("MYSQL_PWD", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def ask(url: str, timeout: float = 20.0, password: str | None = PASSWORD, **table: object) -> Verdict:
    """The verdict for a check declared in hacheck.toml."""
    table = {"url": url, **table, **({} if password is None else {"password": password})}
    probe: SqlProbe = build(SqlProbe, "sql", {}, {}, table, "hacheck.toml")
    return runner.conclude(probe, Deadline.after(timeout))


def until(url: str, told: str, **table: object) -> Verdict:
    """The verdict, once it says this."""
    end = time.monotonic() + 20
    while told not in (verdict := ask(url, **table)).reason:  # type: ignore[arg-type]
        assert time.monotonic() < end, verdict
        time.sleep(0.05)
    return verdict


def test_primary_is_told_from_standby(primary: MariaDB, replica: MariaDB) -> None:
    answer = answer_of("sql", primary.url(), "--role", "primary", HACHECK_SQL_PASSWORD=PASSWORD)
    assert answer == (0, f"PASS - 127.0.0.1:{primary.port} is primary\n", "")
    answer = answer_of("sql", replica.url(), "--role", "primary", HACHECK_SQL_PASSWORD=PASSWORD)
    assert answer == (1, f"FAIL - 127.0.0.1:{replica.port} is standby, expected primary\n", "")
    verdict = until(replica.url(), "is 0 s behind", role="standby", max_lag="5s")
    assert repr(verdict) == f"PASS - 127.0.0.1:{replica.port} is standby, is 0 s behind"
    assert verdict.measured["lag_seconds"] == 0
    verdict = ask(primary.url(), role="standby")
    assert repr(verdict) == f"FAIL - 127.0.0.1:{primary.port} is primary, expected standby"
    assert ask(primary.url(), max_lag="5s").reason.endswith("is primary")


def test_login_is_enough_when_nothing_else_is_asked(primary: MariaDB) -> None:
    assert repr(ask(primary.url())) == f"PASS - 127.0.0.1:{primary.port} accepts the login"
    assert repr(ask(primary.url(database="app"), role="primary")) == f"PASS - 127.0.0.1:{primary.port}/app is primary"


def test_read_only_server_that_replicates_from_nobody_has_no_role(primary: MariaDB) -> None:
    primary.sql("set global read_only = on")
    try:
        for role in ("primary", "standby"):
            verdict = ask(primary.url(), role=role)
            told = f"is read-only (read_only) and replicates from nobody, expected {role}"
            assert repr(verdict) == f"FAIL - 127.0.0.1:{primary.port} {told}"
    finally:
        primary.sql("set global read_only = off")


def test_replica_that_takes_writes_is_no_primary_unless_both_may_be(replica: MariaDB) -> None:
    replica.sql("set global read_only = off")
    try:
        told = f"FAIL - 127.0.0.1:{replica.port} is standby, expected primary"
        assert repr(ask(replica.url(), role="primary")) == told
        told = f"PASS - 127.0.0.1:{replica.port} is primary"
        assert repr(ask(replica.url(), role="primary", dual_primary=True)) == told
    finally:
        replica.sql("set global read_only = on")
    assert ask(replica.url(), role="primary", dual_primary=True).status is Status.FAIL


def test_replica_whose_threads_stop_is_no_standby(replica: MariaDB) -> None:
    where = f"127.0.0.1:{replica.port} does not replicate from 127.0.0.1"
    for statement, states in (
        ("stop slave sql_thread", "IO Yes, SQL No"),
        ("stop slave io_thread", "IO No, SQL Yes"),
    ):
        replica.sql(statement)
        try:
            verdict = until(replica.url(), states, role="standby")
            assert repr(verdict) == f"FAIL - {where} ({states}), expected standby"
            verdict = ask(replica.url(), max_lag="5s")
            assert verdict.status is Status.FAIL
            assert verdict.reason == f"{where} ({states})"
        finally:
            replica.sql("start all slaves")
            assert replica.follows()


def test_replica_that_broke_says_why(primary: MariaDB, replica: MariaDB) -> None:
    primary.sql("create table app.clash (x int primary key)")
    until(replica.url(), "with 1", query="select count(*) from information_schema.tables where table_name = 'clash'")
    replica.sql("set sql_log_bin = 0; insert into app.clash values (1)")
    primary.sql("insert into app.clash values (1)")
    verdict = until(replica.url(), "SQL No", role="standby")
    assert "Duplicate entry '1' for key 'PRIMARY'" in verdict.reason
    replica.sql("set sql_log_bin = 0; delete from app.clash; start all slaves")
    until(replica.url(), f"{replica.port} is standby", role="standby")


def test_delayed_replica_is_behind(primary: MariaDB, replica: MariaDB) -> None:
    replica.sql("stop slave; change master to master_delay = 3600; start slave")
    try:
        primary.sql("insert into app.beat values (4)")
        # How far behind depends on when it is asked: a busy machine may not ask in each second.
        verdict = until(replica.url(), "limit 1 s", max_lag="1s")
        assert verdict.status is Status.FAIL
        assert re.search(r" is ([2-9]|[1-9][0-9]+) s behind, limit 1 s$", verdict.reason)
        assert ask(replica.url(), max_lag="1h").status is Status.PASS
    finally:
        replica.sql("stop slave; change master to master_delay = 0; start slave")
        assert until(replica.url(), "is 0 s behind", max_lag="1s").status is Status.PASS


def test_every_source_of_a_replica_counts(place: Path, primary: MariaDB) -> None:
    second = mariadb.primary(place / "second")
    with second as other, mariadb.replica(place / "multi", primary, 3) as server:
        server.follow(other, "second")
        until(server.url(), f"{server.port} is standby, is 0 s behind", role="standby", max_lag="5s")
        server.sql("stop slave 'second' io_thread")
        verdict = until(server.url(), "does not replicate", role="standby")
        assert verdict.status is Status.FAIL


def test_replica_of_a_dead_primary_is_behind(place: Path) -> None:
    with mariadb.primary(place / "old") as old, mariadb.replica(place / "new", old, 4) as new:
        until(new.url(), "is 0 s behind", role="standby", max_lag="10s")
        old.kill()
        verdict = until(new.url(), "IO Connecting", role="standby", max_lag="10s")
        assert verdict.status is Status.FAIL
        assert repr(ask(old.url())) == f"FAIL - 127.0.0.1:{old.port} refused the connection"
        new.sql("stop all slaves; reset slave all; set global read_only = off")
        assert repr(ask(new.url(), role="primary")) == f"PASS - 127.0.0.1:{new.port} is primary"


def test_unix_socket_is_spoken_to(primary: MariaDB) -> None:
    assert repr(ask(primary.socket_url(), password=None)) == f"PASS - unix:{primary.socket} accepts the login"


def test_password_is_never_shown(primary: MariaDB) -> None:
    for wrong in (
        answer_of("sql", "-v", HACHECK_SQL_URL=primary.url("native:hush-hush")),
        answer_of("sql", primary.url(), HACHECK_SQL_PASSWORD="hush-hush"),
        answer_of("sql", primary.url(), MYSQL_PWD="hush-hush"),
    ):
        assert wrong.line.startswith(f"UNKNOWN - 127.0.0.1:{primary.port} says: Access denied for user 'native'@")
        assert "hush" not in wrong.out + wrong.err


def test_ed25519_is_signed(primary: MariaDB) -> None:
    assert repr(ask(primary.url("curve"))) == f"PASS - 127.0.0.1:{primary.port} accepts the login"
    assert ask(primary.url("curve"), password="wrong").status is Status.UNKNOWN


def test_user_and_password_come_from_my_cnf(primary: MariaDB, tmp_path: Path) -> None:
    options = tmp_path / "my.cnf"
    quoted = PASSWORD.replace("\\", "\\\\")
    options.write_text(f'[client]\nuser = native\npassword = "{quoted}"\n')
    url = f"mariadb://127.0.0.1:{primary.port}/"
    assert answer_of("sql", url, "--defaults-file", options, "--role", "primary").code == 0
    (tmp_path / ".my.cnf").write_text(options.read_text())
    assert answer_of("sql", url, "--role", "primary", HOME=str(tmp_path)).code == 0


def test_tls_is_verified(primary: MariaDB, place: Path) -> None:
    url, ca_file = primary.url("tls"), str(place / "ca.pem")
    verdict = ask(url, password="tls", tls=True, ca_file=ca_file)
    assert repr(verdict) == f"PASS - 127.0.0.1:{primary.port} speaks TLS, accepts the login"
    assert verdict.measured["certificate_expires_seconds"] > 0
    assert "unable to get local issuer certificate" in ask(url, password="tls", tls=True).reason
    assert "Hostname mismatch" in ask(url, tls=True, ca_file=ca_file, server_name="other.test").reason
    assert ask(url, password="tls", tls=True, verify=False).status is Status.PASS
    assert ask(url, password="tls").status is Status.UNKNOWN
    assert ask(url, ready_only=True, tls=True, verify=False).reason.endswith("speaks TLS, accepts connections")


def test_server_without_tls_fails_what_asks_for_it(replica: MariaDB) -> None:
    for ready_only in (False, True):
        verdict = ask(replica.url(), tls=True, verify=False, ready_only=ready_only)
        assert repr(verdict) == f"FAIL - 127.0.0.1:{replica.port} does not offer TLS"


@pytest.mark.parametrize(
    ("query", "expect", "told"),
    [
        pytest.param("select count(*) from beat", "3..9", "PASS - {}/app answers the query with ", id="range"),
        pytest.param("select 'naïve €'", "naïve €", "PASS - {}/app answers the query with naïve €", id="text"),
        pytest.param("select null", None, "PASS - {}/app answers the query with NULL", id="null"),
        pytest.param("select x'4142', now(), 1.5", "AB", "PASS - {}/app answers the query with AB", id="binary"),
        pytest.param("show tables", "rows=1..9", "PASS - {}/app answers the query with ", id="show"),
        pytest.param("select 1", "2", "FAIL - {}/app answers the query with 1, expected 2", id="unexpected"),
        pytest.param("selec", None, "FAIL - {} says: You have an error in your SQL syntax", id="syntax"),
        pytest.param("select * from no", None, "FAIL - {} says: Table 'app.no' doesn't exist (", id="no"),
        pytest.param("insert into beat values (9)", None, "FAIL - {} says: Cannot execute " + WRITE, id="write"),
        pytest.param("select * from mysql.user", None, "UNKNOWN - {} says: SELECT command denied to user", id="denied"),
        pytest.param("select seq from seq_1_to_1001", None, "FAIL - {} answers with more than " + ROWS, id="rows"),
        pytest.param("select repeat('x', 2000000)", None, "FAIL - {} announces a message of " + LONG, id="long"),
        pytest.param("select repeat('x', 5000) from seq_1_to_900", None, "FAIL - {} sent more than " + MUCH, id="much"),
    ],
)  # fmt: skip
def test_query_must_answer_as_expected(primary: MariaDB, query: str, expect: str | None, told: str) -> None:
    verdict = ask(primary.url("plain", "app"), password="plain", query=query, **({"expect": expect} if expect else {}))  # type: ignore[arg-type]
    assert repr(verdict).startswith(told.format(f"127.0.0.1:{primary.port}"))


def test_statement_ends_on_the_server_too(primary: MariaDB) -> None:
    began = time.monotonic()
    assert ask(primary.url(), timeout=0.5, query="select sleep(60)").status is Status.FAIL
    assert time.monotonic() - began < 30
    end = time.monotonic() + 20
    while "sleep(60)" in primary.sql("show processlist"):
        assert time.monotonic() < end


def test_writes_are_rolled_back(primary: MariaDB, replica: MariaDB) -> None:
    before = primary.sql("select count(*) from app.beat")
    told = "takes writes, answers the query with no rows"
    verdict = ask(primary.url("plain", "app"), password="plain", writable=True, query="insert into beat values (5)")
    assert repr(verdict) == f"PASS - 127.0.0.1:{primary.port}/app {told}"
    assert primary.sql("select count(*) from app.beat") == before
    verdict = ask(replica.url(), writable=True)
    assert repr(verdict) == f"FAIL - 127.0.0.1:{replica.port} takes no writes (read_only)"


@contextmanager
def held(server: MariaDB, statement: str) -> Iterator[None]:
    """Somebody who has said this, and stays."""
    words = ["mariadb", "--no-defaults", f"--socket={server.socket}", "--user=root", "--batch", "--unbuffered"]
    client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdin is not None
    assert client.stdout is not None
    try:
        client.stdin.write(f"{statement}; select 'held';\n")
        client.stdin.flush()
        while client.stdout.readline().strip() != "held":
            assert client.poll() is None
        yield
    finally:
        client.kill()
        client.communicate()


def test_server_whose_writes_wait_takes_none(primary: MariaDB) -> None:
    for user, database in (("native", ""), ("plain", "app")):
        given = {"password": PASSWORD if user == "native" else "plain", "writable": True}
        with held(primary, "flush tables with read lock"):
            verdict = ask(primary.url(user, database), 1.5, **given)  # type: ignore[arg-type]
            assert verdict.status is Status.FAIL, verdict
            assert verdict.kind == "timeout"
        assert ask(primary.url(user, database), **given).status is Status.PASS  # type: ignore[arg-type]


def test_write_of_a_check_leaves_nothing_and_holds_up_nobody(primary: MariaDB) -> None:
    before = primary.sql("show master status; checksum table app.beat")
    with held(primary, "begin; insert into app.beat values (77); update app.beat set at = at"):
        assert ask(primary.url(), writable=True).status is Status.PASS
    assert primary.sql("show master status; checksum table app.beat") == before


def test_write_needs_a_table_that_it_may_be_tried_on(primary: MariaDB) -> None:
    verdict = ask(primary.url("nobody"), password=None, writable=True)
    assert verdict.status is Status.UNKNOWN
    assert "shows no InnoDB table to try a write on; grant select, update on DATABASE.TABLE" in verdict.reason


def test_privilege_that_is_missing_is_unknown(primary: MariaDB) -> None:
    verdict = ask(primary.url("plain"), password="plain", role="primary")
    assert verdict.status is Status.UNKNOWN
    assert "SLAVE MONITOR privilege" in verdict.reason


def test_database_that_is_absent_fails(primary: MariaDB) -> None:
    verdict = ask(primary.socket_url(database="nowhere"), password=None)
    assert verdict.status is Status.FAIL
    assert "Unknown database 'nowhere'" in verdict.reason
    assert verdict.reason.endswith("error 1049)")


def test_server_without_free_connections_fails(primary: MariaDB) -> None:
    limit = primary.sql("select @@global.max_connections")
    primary.sql("set global max_connections = 10")
    clients = [mariadb.Idle(primary) for _ in range(9)]
    try:
        end = time.monotonic() + 10
        while (verdict := ask(primary.url("plain"), password="plain")).status is Status.PASS:
            clients.append(mariadb.Idle(primary))
            assert time.monotonic() < end
        told = f"FAIL - 127.0.0.1:{primary.port} says: Too many connections"
        assert repr(verdict).startswith(told)
        while (verdict := ask(primary.url(), ready_only=True)).status is Status.PASS:
            clients.append(mariadb.Idle(primary, "root"))  # for whom one more is kept
            assert time.monotonic() < end
        assert repr(verdict).startswith(told)
    finally:
        for client in clients:
            client.end()
        until(primary.url("plain"), "accepts the login", password="plain")
        primary.sql(f"set global max_connections = {limit}")


def test_ready_server_is_ready_and_does_not_lock_us_out(place: Path) -> None:
    with own_network() as address, mariadb.primary(place / "counting") as server:
        server.kill()
        server.options += ["--performance-schema=on", "--max-connect-errors=3", "--bind-address=0.0.0.0"]
        server.start()
        url = f"mysql://anybody@{address}:{server.port}/"
        for _ in range(10):
            assert repr(ask(url, password=None, ready_only=True)) == (
                f"PASS - {address}:{server.port} accepts connections"
            )
        errors = "select sum_connect_errors from performance_schema.host_cache"
        assert server.sql(errors) == "0"
        assert "Got an error reading communication packets" not in server.log()
        for _ in range(4):
            with socket.create_connection((address, server.port)) as rude:
                rude.recv(1)
        end = time.monotonic() + 10
        while server.sql(errors) == "0":
            assert time.monotonic() < end
        verdict = ask(url, password=None, ready_only=True)
        assert verdict.status is Status.UNKNOWN
        assert "is blocked because of many connection errors" in verdict.reason
