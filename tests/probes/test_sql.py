"""What the sql probe refuses to be asked, and what it says of servers that talk nonsense."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.probes.sql import SqlProbe
from hachecks.settings import Invalid, build
from hachecks.verdict import Status, Verdict
from tests.contracts import MEMORY_KIB
from tests.measured import measured
from tests.probes.asking import answer_of
from tests.servers import LONG_PATIENCE, PATIENCE, Garbage, HangsUp, OldHttp, Refusing, Server, Zeros

if TYPE_CHECKING:
    import socket

CONTRACTS = (
    "postgresql://u@{host}:{port}/db --ready-only",
    "postgresql://u@{host}:{port}/db",
    "mysql://u@{host}:{port}/ --ready-only",
    "mysql://u@{host}:{port}/",
)
BASES = (
    "postgresql://u@h/d",
    "postgresql://u@h/d --tls",
    "postgresql://u@h/d --role standby --max-lag 10s",
    "postgresql://u@h/d --query select",
    "mysql://u@h/d",
    "mysql://u@h/d --galera",
)
SAMPLES = {"URL": "postgresql://u@192.0.2.7/db", "--max-lag": "10s", "--expect": "=7"}

PG, MY, LITE = "postgresql://u@db/d", "mysql://u@db/d", "sqlite:/a.db"


def built(**table: object) -> SqlProbe:
    probe: SqlProbe = build(SqlProbe, "sql", {}, {}, table, "hacheck.toml")
    return probe


def ask(url: str, **table: object) -> Verdict:
    return runner.conclude(built(url=url, **table), Deadline.after(10))


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        pytest.param({"url": PG, "galera": True}, "--galera is for mysql:// only", id="galera"),
        pytest.param({"url": LITE, "dual_primary": True}, "--dual-primary is for mysql:// only", id="dual-primary"),
        pytest.param({"url": PG, "defaults_file": "/x"}, "--defaults-file is for mysql:// only", id="defaults-file"),
        pytest.param({"url": MY, "max_lag": "1s", "max_silence": "9s"}, "is for postgresql:// only", id="max-silence"),
        pytest.param({"url": LITE, "tls": True}, "--tls means nothing for an SQLite file", id="sqlite-tls"),
        pytest.param({"url": LITE, "source": "::1"}, "--source means nothing for an SQLite file", id="sqlite-network"),
        pytest.param({"url": LITE, "ca_file": "/x"}, "--ca-file needs TLS (--tls)", id="sqlite-ca-file"),
        pytest.param({"url": LITE, "role": "standby"}, "--role standby means nothing", id="sqlite-role"),
        pytest.param({"url": LITE, "max_lag": "1s"}, "--max-lag means nothing", id="sqlite-lag"),
        pytest.param({"url": LITE, "ready_only": True}, "--ready-only means nothing", id="sqlite-ready"),
        pytest.param({"url": LITE, "password": "x"}, "--password means nothing", id="sqlite-password"),
        pytest.param({"url": PG, "ready_only": True, "role": "primary"}, "--role needs a login", id="ready-role"),
        pytest.param({"url": PG, "ready_only": True, "query": "x"}, "--query needs a login", id="ready-query"),
        pytest.param({"url": PG, "expect": "1"}, "--expect needs --query", id="expect"),
        pytest.param({"url": MY, "allow_donor": True}, "--allow-donor needs --galera", id="donor"),
        pytest.param({"url": PG, "role": "primary", "max_lag": "1s"}, "a primary is not behind", id="primary-lag"),
        pytest.param({"url": PG, "max_silence": "9s"}, "--max-silence needs --max-lag", id="silence"),
        pytest.param({"url": MY, "max_lag": "1MB"}, "--max-lag is in seconds for MySQL", id="mysql-bytes"),
        pytest.param({"url": PG, "max_lag": "10"}, "max_lag: '10' is neither seconds nor bytes", id="lag-unit"),
        pytest.param({"url": PG, "ca_file": "/x"}, "--ca-file needs TLS (--tls)", id="ca-file"),
        pytest.param({"url": "postgresql://u@/d?host=/x", "tls": True}, "TLS over a unix socket", id="tls-unix"),
        pytest.param({"url": PG + "?sslmode=disable", "tls": True}, "contradicts sslmode=disable", id="sslmode"),
        pytest.param({"url": PG, "query": "x", "expect": "9..1"}, "expect: '9..1' is an empty range", id="range"),
        pytest.param({"url": "postgresql://u:hush@db:x/d"}, "url: 'x' in 'db:x' is not a port", id="url"),
        pytest.param({"url": PG, "ipv4": True, "ipv6": True}, "--ipv4 and --ipv6 exclude each other", id="families"),
    ],
)
def test_contradiction_is_refused(table: dict[str, object], complaint: str) -> None:
    with pytest.raises(Invalid) as refusal:
        built(**table)
    assert complaint in str(refusal.value)
    assert "hush" not in str(refusal.value)


def test_usage_error_names_the_flag() -> None:
    answer = answer_of("sql", PG, "--expect", "1")
    assert (answer.code, answer.out, answer.err) == (2, "", "hacheck: sql: --expect needs --query\n")


def test_secret_is_in_no_representation() -> None:
    probe = built(url="mysql://u:hush@db/d", password="hush")
    assert "hush" not in f"{probe!r} {probe.subject}"


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize("ready_only", [pytest.param(True, id="ready"), pytest.param(False, id="login")])
@pytest.mark.parametrize("animal", [Garbage, HangsUp, OldHttp, Refusing, Zeros])
def test_nonsense_is_the_servers_fault(animal: type[Server], ready_only: bool, scheme: str) -> None:
    with animal() as server:
        verdict = ask(f"{scheme}://u@127.0.0.1:{server.port}/d", ready_only=ready_only)
    assert verdict.status is Status.FAIL
    assert verdict.reason.startswith(f"127.0.0.1:{server.port}")


def test_host_that_does_not_resolve_is_unknown() -> None:
    assert ask("postgresql://u@db.invalid/d").status is Status.UNKNOWN


def message(kind: bytes, body: bytes) -> bytes:
    """A message of PostgreSQL's protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


AUTHENTICATED = message(b"R", bytes(4))
READY = message(b"Z", b"I")
STANDBY = message(b"S", b"in_hot_standby\0off\0")


class Says(Server):
    """Says the same to everybody who has said something, and waits."""

    patience = LONG_PATIENCE

    def __init__(self, *said: bytes) -> None:
        super().__init__()
        self.said = said

    def talk(self, connection: socket.socket) -> None:
        for part in self.said:
            self.hear(connection)
            connection.sendall(part)
        self.hear(connection)


class NeverEnds(Says):
    """Goes on saying the last."""

    def talk(self, connection: socket.socket) -> None:
        for part in self.said[:-1]:
            self.hear(connection)
            connection.sendall(part)
        self.say_for_ever(connection, self.said[-1])


FIELD = b"n\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
ROW = message(b"D", struct.pack("!h", 1) + struct.pack("!i", 1) + b"x")
NOTICE = message(b"N", b"SNOTICE\0MHello\0\0")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param((AUTHENTICATED + STANDBY + READY, NOTICE * 1000), id="notices"),
        pytest.param((AUTHENTICATED + STANDBY * 1000,), id="parameters"),
        pytest.param(
            (AUTHENTICATED + STANDBY + READY, message(b"T", struct.pack("!h", 1) + FIELD), ROW * 10000), id="rows"
        ),
        pytest.param(
            (AUTHENTICATED + STANDBY + READY, message(b"T", struct.pack("!H", 40000) + FIELD * 40000)), id="columns"
        ),
        pytest.param((AUTHENTICATED + STANDBY + READY, message(b"D", bytes(2**20))), id="large-rows"),
    ],
)
def test_endless_answer_ends_within_little_memory(said: tuple[bytes, ...]) -> None:
    import sys

    with NeverEnds(*said) as server:
        url = f"postgresql://u@127.0.0.1:{server.port}/d"
        run = measured(sys.executable, "-m", "hachecks", "sql", url, "--query", "select 1", "--format", "json")
    assert json.loads(run.out)["status"] == "FAIL"
    assert run.peak_kib <= MEMORY_KIB


def test_small_messages_are_rationed_too() -> None:
    login = (AUTHENTICATED, STANDBY, message(b"N", b"\0") * 6000, READY)
    with Says(b"".join(login)) as server:
        verdict = ask(f"postgresql://u@127.0.0.1:{server.port}/d")
    told = "sent more than the 1000 rows or 1048576 bytes that a check reads"
    assert repr(verdict) == f"FAIL - 127.0.0.1:{server.port} {told}"


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        pytest.param(message(b"R", struct.pack("!i", 7)), Status.UNKNOWN, "know us by GSSAPI", id="gss"),
        pytest.param(message(b"R", struct.pack("!i", 99)), Status.UNKNOWN, "know us by method 99", id="new"),
        pytest.param(
            message(b"R", struct.pack("!i", 10) + b"NONE\0\0"), Status.FAIL, "the SCRAM login failed", id="sasl"
        ),
        pytest.param(message(b"R", b""), Status.FAIL, "does not speak PostgreSQL", id="short"),
        pytest.param(message(b"?", b""), Status.FAIL, "does not speak PostgreSQL", id="kind"),
        pytest.param(b"E\0\0\0\1", Status.FAIL, "announces a message of -3 bytes", id="negative"),
        pytest.param(message(b"E", b"SFATAL\0C53300\0Mfull\0\0"), Status.FAIL, "full (SQLSTATE 53300)", id="full"),
    ],
)
def test_login_that_goes_wrong_is_told(said: bytes, status: Status, told: str) -> None:
    with Says(said) as server:
        verdict = ask(f"postgresql://u@127.0.0.1:{server.port}/d", password="hush")
    assert verdict.status is status
    assert told in verdict.reason


def test_scram_server_cannot_keep_us_busy() -> None:
    class Greedy(Server):
        patience = LONG_PATIENCE

        def talk(self, connection: socket.socket) -> None:
            self.hear(connection)
            connection.sendall(message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"))
            nonce = self.hear(connection).partition(b"r=")[2]
            first = b"r=" + nonce + b"x,s=c2FsdHNhbHRzYWx0,i=2000000000"
            connection.sendall(message(b"R", struct.pack("!i", 11) + first))
            self.hear(connection)

    with Greedy() as server:
        verdict = ask(f"postgresql://u@127.0.0.1:{server.port}/d", password="hush")
    assert verdict.status is Status.FAIL
    assert "2000000000" in verdict.reason or "the SCRAM login failed" in verdict.reason


def test_what_comes_before_tls_is_not_believed() -> None:
    greeting = b"\x0a5.5.5-10.11.0-MariaDB\0" + bytes(4) + b"saltsalt\0" + b"\xff\xff\x21\2\0\xff\xff\x15" + bytes(10)
    packet = greeting + b"saltsaltsalt\0mysql_native_password\0"
    framed = len(packet).to_bytes(3, "little") + b"\0" + packet
    with Says(framed + b"\7\0\0\2\0\0\0\2\0\0\0") as server:
        server.patience = PATIENCE  # a server of MySQL speaks first
        verdict = ask(f"mysql://u@127.0.0.1:{server.port}/d", tls=True, verify=False)
    assert verdict.status is Status.FAIL
    assert verdict.reason.endswith("sent more than was asked for before TLS began")
