"""A real PostgreSQL primary and its standbys are asked for their role, their lag and their answers."""

from __future__ import annotations

import json
import subprocess
import threading
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
from tests import postgresql
from tests.postgresql import PASSWORD, PostgreSQL, program, workplace
from tests.probes.asking import answer_of
from tests.servers import LONG_PATIENCE, Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path


READ_ONLY = "cannot execute CREATE TABLE in a read-only transaction"
NO_INTEGER = "invalid input syntax for type integer"
ROWS = "1000 rows; let the query count them"
LONG = "which a check does not read; does it speak PostgreSQL?"
MUCH = "the 1000 rows or 1048576 bytes that a check reads"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where the servers live."""
    with workplace() as directory:
        yield directory


@pytest.fixture(scope="module")
def authority(place: Path) -> trustme.CA:
    """Who vouches for the primary."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place / "ca.pem")
    return authority


@pytest.fixture(scope="module")
def primary(place: Path, authority: trustme.CA) -> Iterator[PostgreSQL]:
    """A primary that speaks TLS."""
    with postgresql.primary(place / "primary", authority) as server:
        yield server


@pytest.fixture(scope="module")
def standby(place: Path, primary: PostgreSQL) -> Iterator[PostgreSQL]:
    """A standby that streams, and has heard from its primary."""
    with postgresql.standby(place / "standby", primary) as server:
        caught_up(server, primary)
        yield server


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is found in the environment that a test has not put there."""
    for name in ("PGPASSWORD", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def caught_up(standby: PostgreSQL, primary: PostgreSQL) -> None:
    """Wait until the standby has replayed what the primary commits now."""
    primary.sql("select pg_switch_wal(); create table if not exists noise (x int); insert into noise values (1)")
    wanted = primary.sql("select pg_current_wal_lsn()")
    heard = f"exists (select from pg_stat_wal_receiver where latest_end_lsn >= '{wanted}')"
    wait_until(standby, f"pg_last_wal_replay_lsn() >= '{wanted}' and {heard}")


def wait_until(server: PostgreSQL, condition: str) -> None:
    """Wait until the server itself says that it is so."""
    ends = time.monotonic() + 20
    while server.sql(f"select {condition}") != "t":
        assert time.monotonic() < ends, condition
        time.sleep(0.02)


def last_commit_is_older_than(time: str) -> str:
    """What a standby says yes to when it has replayed no commit for so long."""
    return f"clock_timestamp() - pg_last_xact_replay_timestamp() > interval '{time}'"


def ask(url: str, timeout: float = 20.0, **table: object) -> Verdict:
    """The verdict for a check declared in hacheck.toml."""
    probe: SqlProbe = build(SqlProbe, "sql", {}, {}, {"url": url, **table}, "hacheck.toml")
    return runner.conclude(probe, Deadline.after(timeout))


def test_primary_is_told_from_standby(primary: PostgreSQL, standby: PostgreSQL) -> None:
    assert answer_of("sql", primary.url(), "--role", "primary") == (
        0, f"PASS - 127.0.0.1:{primary.port}/postgres is primary\n", ""
    )  # fmt: skip
    assert answer_of("sql", standby.url(), "--role", "primary") == (
        1, f"FAIL - 127.0.0.1:{standby.port}/postgres is standby, expected primary\n", ""
    )  # fmt: skip
    assert answer_of("sql", standby.url(), "--role", "standby").line == (
        f"PASS - 127.0.0.1:{standby.port}/postgres is standby"
    )
    assert answer_of("sql", primary.url(), "--role", "standby").line == (
        f"FAIL - 127.0.0.1:{primary.port}/postgres is primary, expected standby"
    )


def test_role_takes_no_query(primary: PostgreSQL) -> None:
    primary.configure({"log_statement": "all", "log_disconnections": "on"})
    primary.sql("select pg_reload_conf()")
    before = len(primary.log())
    assert ask(primary.url(), role="primary").status is Status.PASS
    until = time.monotonic() + 10
    while "disconnection" not in primary.log()[before:]:
        assert time.monotonic() < until
    log = primary.log()[before:]
    assert "application_name=hacheck" in log
    assert "user=trusted" in log
    assert "lost" not in log
    assert "statement:" not in log


class Older(Server):
    """Hands on what is said to a server and what it answers, without what it says of its role since PostgreSQL 14."""

    patience = LONG_PATIENCE

    def __init__(self, server: PostgreSQL) -> None:
        super().__init__()
        self.server = server

    def talk(self, connection: socket.socket) -> None:
        import socket

        with socket.create_connection(("127.0.0.1", self.server.port)) as upstream:
            back = threading.Thread(target=self.answer, args=(upstream, connection))
            back.start()
            while data := self.hear(connection):
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_WR)
            back.join()

    def answer(self, upstream: socket.socket, connection: socket.socket) -> None:
        while data := upstream.recv(65536):
            connection.sendall(data.replace(b"in_hot_standby", b"in_old_servers"))


def test_server_before_14_is_asked_for_its_role(primary: PostgreSQL, standby: PostgreSQL) -> None:
    for server, role in ((primary, "primary"), (standby, "standby")):
        with Older(server) as older:
            verdict = ask(f"postgresql://trusted@127.0.0.1:{older.port}/postgres")
            assert repr(verdict) == f"PASS - 127.0.0.1:{older.port}/postgres is {role}"


def test_unix_socket_is_spoken_to(primary: PostgreSQL) -> None:
    path = f"{primary.directory}/.s.PGSQL.{primary.port}"
    assert repr(ask(primary.socket_url())) == f"PASS - unix:{path}/postgres is primary"
    assert ask(primary.socket_url("scram"), password=PASSWORD).status is Status.PASS


def test_ipv6_is_spoken(primary: PostgreSQL) -> None:
    assert ask(primary.url("scram", host="[::1]"), password=PASSWORD).status is Status.PASS


@pytest.mark.parametrize("user", ["scram", "md5"])
def test_password_is_never_shown(primary: PostgreSQL, user: str) -> None:
    right = answer_of("sql", primary.url(user), "-v", HACHECK_SQL_PASSWORD=PASSWORD)
    assert right.line.startswith(f"PASS - 127.0.0.1:{primary.port}/postgres is primary (")
    url = primary.url(f"{user}:hush-hush")
    for wrong in (
        answer_of("sql", "-v", HACHECK_SQL_URL=url),
        answer_of("sql", "--format", "json", HACHECK_SQL_URL=url),
        answer_of("sql", primary.url(user), HACHECK_SQL_PASSWORD="hush-hush"),
    ):
        assert wrong.code == 1
        assert "UNKNOWN" in wrong.line
        assert f'password authentication failed for user "{user}"' in wrong.line.replace('\\"', '"')
        assert "hush" not in wrong.out + wrong.err


def test_password_on_the_command_line_is_refused(primary: PostgreSQL) -> None:
    answer = answer_of("sql", primary.url("scram:hush-hush"))
    assert (answer.code, answer.out) == (2, "")
    assert "use --password-file, the variable HACHECK_SQL_PASSWORD, ~/.pgpass" in answer.err
    assert "hush" not in answer.err
    answer = answer_of("sql", primary.url("scram"), "--password", "hush-hush")
    assert answer.code == 2
    assert "hush" not in answer.err


def test_password_comes_from_files_and_variables(primary: PostgreSQL, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    pgpass = tmp_path / "pgpass"
    pgpass.write_text("127.0.0.1:*:postgres:scram:" + PASSWORD.replace("\\", "\\\\").replace(":", "\\:"))
    pgpass.chmod(0o600)
    url = primary.url("scram")
    assert answer_of("sql", url, "--password-file", secret).code == 0
    assert answer_of("sql", url, PGPASSFILE=str(pgpass)).code == 0
    assert answer_of("sql", url, PGPASSWORD=PASSWORD).code == 0
    pgpass.chmod(0o644)
    assert answer_of("sql", url, PGPASSFILE=str(pgpass)).line == (
        f"UNKNOWN - 127.0.0.1:{primary.port} wants a password for user scram ({pgpass} was not used: group or others "
        "may read it (chmod 600))"
    )


def test_clear_password_is_given_in_tls_only(primary: PostgreSQL, place: Path) -> None:
    verdict = ask(primary.url("clear"), password=PASSWORD)
    told = "wants the password in clear text, which needs --tls"
    assert repr(verdict) == f"UNKNOWN - 127.0.0.1:{primary.port} {told}"
    verdict = ask(primary.url("clear"), password=PASSWORD, tls=True, ca_file=str(place / "ca.pem"))
    assert verdict.status is Status.PASS


def test_tls_is_verified(primary: PostgreSQL, place: Path) -> None:
    url, ca_file = primary.url("tls"), str(place / "ca.pem")
    verdict = ask(url, password=PASSWORD, tls=True, ca_file=ca_file)
    assert repr(verdict) == f"PASS - 127.0.0.1:{primary.port}/postgres speaks TLS, is primary"
    assert verdict.measured["certificate_expires_seconds"] > 0
    assert ask(url + "?sslmode=verify-full", password=PASSWORD, ca_file=ca_file).status is Status.PASS
    assert "unable to get local issuer certificate" in ask(url, password=PASSWORD, tls=True).reason
    assert "Hostname mismatch" in ask(url, tls=True, ca_file=ca_file, server_name="other.test").reason
    assert ask(url, password=PASSWORD, tls=True, verify=False).status is Status.PASS
    verdict = ask(url, password=PASSWORD)
    assert verdict.status is Status.UNKNOWN
    assert "no pg_hba.conf entry" in verdict.reason


def test_server_without_tls_fails_what_asks_for_it(standby: PostgreSQL) -> None:
    standby.sql("alter system set ssl = off")
    standby.sql("select pg_reload_conf()")
    try:
        for ready_only in (False, True):
            verdict = ask(standby.url(), tls=True, verify=False, ready_only=ready_only)
            assert repr(verdict) == f"FAIL - 127.0.0.1:{standby.port} does not offer TLS"
    finally:
        standby.sql("alter system reset ssl")
        standby.sql("select pg_reload_conf()")


def test_query_must_answer_as_expected(primary: PostgreSQL) -> None:
    url = primary.url()
    told = f"127.0.0.1:{primary.port}/postgres is primary, answers the query with 42"
    assert answer_of("sql", url, "--query", "select 42", "--expect", "1..50").line == f"PASS - {told}"
    assert (
        answer_of("sql", url, "--query", "select 42", "--expect", "1..5").line
        == f"FAIL - 127.0.0.1:{primary.port}/postgres answers the query with 42, expected 1..5"
    )
    assert ask(url, query="select x from generate_series(1, 3) as x", expect="rows=3").status is Status.PASS
    assert ask(url, query="select true", expect="t").status is Status.PASS
    assert ask(url, query="select now(), '{1,2}'::int[], '1 day'::interval, 1.5::numeric").status is Status.PASS
    assert ask(url, query="select null").reason.endswith("answers the query with NULL")
    assert ask(url, query="select 'naïve €'", expect="naïve €").status is Status.PASS


@pytest.mark.parametrize(
    ("query", "told"),
    [
        pytest.param("selec", 'says: syntax error at or near "selec" (SQLSTATE 42601)', id="syntax"),
        pytest.param("select 1/0", "says: division by zero (SQLSTATE 22012)", id="at-run-time"),
        pytest.param("select from nowhere", 'says: relation "nowhere" does not exist (SQLSTATE 42P01)', id="table"),
        pytest.param("create table x ()", f"says: {READ_ONLY} (SQLSTATE 25006)", id="read-only"),
        pytest.param("select generate_series(1, 1001)", f"answers with more than {ROWS}", id="rows"),
        pytest.param("select repeat('x', 2000000)", f"announces a message of 2000006 bytes, {LONG}", id="length"),
        pytest.param("select repeat('x', 5000) from generate_series(1, 900)", f"sent more than {MUCH}", id="bytes"),
        pytest.param("select 'a\nb'::int", f'says: {NO_INTEGER}: "a b" (SQLSTATE 22P02)', id="one-line"),
    ],
)
def test_query_that_goes_wrong_fails(primary: PostgreSQL, query: str, told: str) -> None:
    assert repr(ask(primary.url(), query=query)) == f"FAIL - 127.0.0.1:{primary.port} {told}"


def test_privilege_that_is_missing_is_unknown(primary: PostgreSQL) -> None:
    verdict = ask(primary.url(), query="select * from pg_authid")
    told = "says: permission denied for table pg_authid (SQLSTATE 42501)"
    assert repr(verdict) == f"UNKNOWN - 127.0.0.1:{primary.port} {told}"


def test_copy_is_not_taken(primary: PostgreSQL) -> None:
    verdict = ask(primary.url(), query="copy (select 1) to stdout")
    assert verdict.status is not Status.PASS


def test_database_that_is_absent_fails(primary: PostgreSQL) -> None:
    verdict = ask(primary.url(database="nowhere"))
    assert repr(verdict) == f'FAIL - 127.0.0.1:{primary.port} says: database "nowhere" does not exist (SQLSTATE 3D000)'


def test_server_without_free_connections_fails(primary: PostgreSQL) -> None:
    primary.sql("alter role modest connection limit 0")
    verdict = ask(primary.socket_url("modest"), password="x")
    assert verdict.status is Status.UNKNOWN  # the password comes first
    primary.sql("alter role trusted connection limit 0")
    try:
        verdict = ask(primary.url())
        told = 'too many connections for role "trusted" (SQLSTATE 53300)'
        assert repr(verdict) == f"FAIL - 127.0.0.1:{primary.port} says: {told}"
    finally:
        primary.sql("alter role trusted connection limit -1")


def test_statement_ends_on_the_server_too(primary: PostgreSQL) -> None:
    began = time.monotonic()
    verdict = ask(primary.url(), timeout=0.5, query="select pg_sleep(60)")
    assert verdict.status is Status.FAIL
    assert time.monotonic() - began < 30
    until = time.monotonic() + 20
    while (
        primary.sql("select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and state = 'active'")
        != "0"
    ):
        assert time.monotonic() < until


def test_writes_are_rolled_back(primary: PostgreSQL) -> None:
    primary.sql("create table if not exists beat (at int); grant insert, select on beat to trusted")
    verdict = ask(primary.url(), writable=True, query="insert into beat values (1) returning at", expect="1")
    told = "is primary, takes writes, answers the query with 1"
    assert repr(verdict) == f"PASS - 127.0.0.1:{primary.port}/postgres {told}"
    assert primary.sql("select count(*) from beat") == "0"


def test_read_only_server_takes_no_writes(primary: PostgreSQL, standby: PostgreSQL) -> None:
    verdict = ask(standby.url(), writable=True)
    assert repr(verdict) == f"FAIL - 127.0.0.1:{standby.port}/postgres is read-only"
    primary.sql("alter role trusted set default_transaction_read_only = on")
    try:
        verdict = ask(primary.url(), writable=True)
        assert repr(verdict) == f"FAIL - 127.0.0.1:{primary.port}/postgres is read-only"
    finally:
        primary.sql("alter role trusted reset default_transaction_read_only")


def test_nothing_is_left_behind_in_the_session(primary: PostgreSQL) -> None:
    verdict = ask(primary.url(), query="rollback; show statement_timeout")
    assert verdict.reason.endswith("answers the query with 0")


def test_ready_server_is_ready(primary: PostgreSQL) -> None:
    subject = f"127.0.0.1:{primary.port}/postgres"
    scram = answer_of("sql", primary.url("scram"), "--ready-only")
    assert scram == (0, f"PASS - {subject} accepts connections\n", "")
    assert ask(primary.url("scram"), ready_only=True, tls=True, verify=False).status is Status.PASS
    stranger = repr(ask(primary.url("anybody"), ready_only=True))
    assert stranger.startswith(f'PASS - {subject} answers (no pg_hba.conf entry for host "127.0.0.1", user "anybody"')


def test_idle_standby_is_not_behind(standby: PostgreSQL) -> None:
    wait_until(standby, last_commit_is_older_than("300 ms"))
    ends = time.monotonic() + 20
    while "is 0 bytes behind" not in (verdict := ask(standby.url(), role="standby", max_lag="100ms")).reason:
        assert verdict.status is Status.PASS, verdict  # an idle primary says which transactions run, each 15 s
        assert time.monotonic() < ends, verdict
    assert repr(verdict) == f"PASS - 127.0.0.1:{standby.port}/postgres is standby, is 0 bytes behind"
    assert verdict.measured["lag_bytes"] == 0
    assert verdict.measured["lag_seconds"] == 0
    assert verdict.measured["last_message_age_seconds"] < 60


def test_primary_has_no_lag(primary: PostgreSQL) -> None:
    assert repr(ask(primary.url(), max_lag="1s")) == f"PASS - 127.0.0.1:{primary.port}/postgres is primary"


@contextmanager
def paused(standby: PostgreSQL) -> Iterator[None]:
    """The standby receives, and does not replay."""
    standby.sql("select pg_wal_replay_pause()")
    try:
        yield
    finally:
        standby.sql("select pg_wal_replay_resume()")


def test_standby_that_does_not_replay_is_behind(primary: PostgreSQL, standby: PostgreSQL) -> None:
    caught_up(standby, primary)
    with paused(standby):
        primary.sql("insert into noise select generate_series(1, 1000)")
        until = time.monotonic() + 10
        while ask(standby.url(), max_lag="1kB").status is Status.PASS:
            assert time.monotonic() < until
        wait_until(standby, last_commit_is_older_than("200 ms"))
        answer = answer_of("sql", standby.url(), "--max-lag", "100ms", "--format", "json")
        found = json.loads(answer.line)
        assert (answer.code, found["status"]) == (1, "FAIL")
        assert found["measured"]["lag_bytes"] > 10_000
        assert found["measured"]["lag_seconds"] > 0.1
        assert "limit 100ms" in found["reason"]
        assert ask(standby.url(), max_lag=["100ms", "16MB"]).status is Status.PASS
        assert ask(standby.url(), max_lag=["1h", "1kB"]).status is Status.PASS
    caught_up(standby, primary)
    assert ask(standby.url(), max_lag="1kB").status is Status.PASS


def test_long_transaction_after_an_idle_time_is_not_lag(primary: PostgreSQL, standby: PostgreSQL) -> None:
    caught_up(standby, primary)
    wait_until(standby, last_commit_is_older_than("500 ms"))
    load = "begin; insert into noise select generate_series(1, 300000); rollback"
    verdicts: list[Verdict] = []
    until = time.monotonic() + 60
    while not any(v.status is Status.PASS and v.measured["lag_bytes"] for v in verdicts):
        assert time.monotonic() < until, verdicts
        writer = threading.Thread(target=primary.sql, args=(load,))
        writer.start()
        while writer.is_alive():
            verdicts.append(ask(standby.url(), max_lag="400ms"))
        writer.join()
    told = next(v for v in verdicts if v.status is Status.PASS and v.measured["lag_bytes"])
    assert told.measured["lag_seconds"] > 0.4  # the last commit's age, which is no lag


def test_silent_primary_is_seen(primary: PostgreSQL, standby: PostgreSQL) -> None:
    caught_up(standby, primary)
    with primary.frozen():
        silence = "clock_timestamp() - last_msg_receipt_time > interval '300 ms'"
        wait_until(standby, f"{silence} from pg_stat_wal_receiver")
        assert ask(standby.url(), max_lag="1s").status is Status.PASS
        verdict = ask(standby.url(), max_lag="1s", max_silence="200ms")
        told = "is 0 bytes behind, its primary silent for longer than 200 ms"
        assert repr(verdict) == f"FAIL - 127.0.0.1:{standby.port}/postgres {told}"


def test_lag_cannot_be_seen_by_everybody(standby: PostgreSQL) -> None:
    verdict = ask(standby.socket_url("stranger"), max_lag="1s", password=PASSWORD)
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason.endswith("user stranger may not see the WAL receiver (grant pg_monitor)")


def test_standby_of_a_dead_primary_is_behind_until_it_is_promoted(place: Path) -> None:
    with postgresql.primary(place / "old") as old, postgresql.standby(place / "new", old) as new:
        caught_up(new, old)
        assert ask(new.url(), role="standby", max_lag="10s").status is Status.PASS
        old.kill()
        until = time.monotonic() + 10
        while new.sql("select count(*) from pg_stat_wal_receiver") != "0":
            assert time.monotonic() < until
        wait_until(new, "pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()")
        verdict = ask(new.url(), role="standby", max_lag="10s")
        assert repr(verdict) == f"FAIL - 127.0.0.1:{new.port}/postgres receives no WAL from a primary"
        assert repr(ask(old.url())) == f"FAIL - 127.0.0.1:{old.port} refused the connection"
        new.promote()
        assert repr(ask(new.url(), role="primary")) == f"PASS - 127.0.0.1:{new.port}/postgres is primary"
        assert ask(new.url(), role="standby", max_lag="10s").status is Status.FAIL


def test_server_that_starts_or_stops_is_not_ready(place: Path) -> None:
    with postgresql.primary(place / "stopping") as server:
        words = ("-h", server.directory, "-p", server.port, "-U", "postgres", "-XAtq")
        with subprocess.Popen(program("psql", *words), stdin=subprocess.PIPE, cwd="/") as session:
            wait_until(server, "count(*) = 2 from pg_stat_activity where backend_type = 'client backend'")
            assert server.process is not None
            server.process.terminate()  # smart: waits for the sessions, and lets nobody in
            ends = time.monotonic() + 20
            while "received smart shutdown request" not in server.log():
                assert time.monotonic() < ends
                time.sleep(0.02)
            verdict = ask(server.url(), ready_only=True)
            told = "does not serve: the database system is shutting down (57P03)"
            assert repr(verdict) == f"FAIL - 127.0.0.1:{server.port}/postgres {told}"
            verdict = ask(server.url())
            told = "says: the database system is shutting down (SQLSTATE 57P03)"
            assert repr(verdict) == f"FAIL - 127.0.0.1:{server.port} {told}"
            session.terminate()
