"""A node whose checks fail is not blocked by the MariaDB that it watches (`max_connect_errors`)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import trustme

from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.probes.sql import SqlProbe
from hachecks.settings import build
from hachecks.verdict import Status, Verdict
from tests import mariadb
from tests.own_network import ADDRESS, own_network
from tests.postgresql import PASSWORD, workplace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mariadb import MariaDB

LIMIT = 3
COUNTING = ("--performance-schema=on", f"--max-connect-errors={LIMIT}", "--bind-address=0.0.0.0")
VERIFIED = {"tls": True, "ca_file": "ca.pem", "server_name": "localhost"}
COUNTED = "select coalesce(sum(sum_connect_errors), 0), coalesce(sum(count_host_blocked_errors), 0) from "
COUNTED += "performance_schema.host_cache"


@pytest.fixture(scope="module", autouse=True)
def address() -> Iterator[str]:
    """An address of this node for which MariaDB counts errors."""
    with own_network() as other:
        yield other


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where the servers live."""
    with workplace() as directory:
        yield directory


@pytest.fixture(scope="module")
def secure(place: Path) -> Iterator[MariaDB]:
    """A server that speaks TLS, counts errors, and knows many kinds of accounts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place / "ca.pem")
    trustme.CA().cert_pem.write_to_path(place / "other.pem")
    with mariadb.primary(place / "secure", authority) as server:
        server.kill()
        server.start(*COUNTING)
        server.sql("install soname 'auth_pam'; create user pam@'%' identified via pam")
        yield server


@pytest.fixture(scope="module")
def plain(place: Path) -> Iterator[MariaDB]:
    """A server that counts errors, and has no TLS."""
    server = mariadb.MariaDB(place / "plain")
    server.initialise()
    try:
        server.start(*COUNTING).sql("create user anybody@'%'")
        yield server
    finally:
        server.kill()


def ask(server: MariaDB, user: str = "native", timeout: float = 20.0, database: str = "", **table: object) -> Verdict:
    """The verdict, from an address whose errors are counted."""
    url = f"mysql://{user}@{ADDRESS}:{server.port}/{database}"
    values = {"url": url, "password": PASSWORD, **table}
    return runner.conclude(build(SqlProbe, "sql", {}, {}, values, "hacheck.toml"), Deadline.after(timeout))


def counted(server: MariaDB) -> list[int]:
    """The errors that the server holds against us, and how often it has refused us for them."""
    return [int(number) for number in server.sql(COUNTED).split()]


def test_server_counts_and_blocks_who_hangs_up(secure: MariaDB) -> None:
    """That what is tried below could be seen."""
    address = (ADDRESS, secure.port)
    for _ in range(LIMIT + 1):
        with socket.create_connection(address) as rude:
            rude.recv(1)
    until = time.monotonic() + 10
    while counted(secure)[0] < LIMIT:
        assert time.monotonic() < until
    verdict = ask(secure)
    assert verdict.status is Status.UNKNOWN
    assert "is blocked because of many connection errors" in verdict.reason
    secure.sql("flush hosts")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        pytest.param({"tls": True, "ca_file": "other.pem"}, "TLS failed: ", id="other-authority"),
        pytest.param({"tls": True}, "TLS failed: ", id="unknown-authority"),
        pytest.param({"tls": True, "ca_file": "ca.pem", "server_name": "x.test"}, "TLS failed: ", id="other-name"),
        pytest.param({**VERIFIED, "min_days_left": 9_999_999}, "days", id="days-left"),
        pytest.param({**VERIFIED, "user": "tls", "password": "tls"}, "accepts the login", id="nothing-wrong"),
        pytest.param({"tls": True, "ca_file": "other.pem", "database": "app"}, "TLS failed: ", id="with-a-database"),
        pytest.param({"tls": True, "ca_file": "other.pem", "ready_only": True}, "TLS failed: ", id="ready-only"),
        pytest.param({"user": "pam"}, "wants the password in clear text", id="clear-password"),
        pytest.param({"user": "pam", "ready_only": True}, "accepts connections", id="clear-password-ready-only"),
        pytest.param({"password": "wrong"}, "Access denied", id="wrong-password"),
        pytest.param({"user": "curve", "password": "wrong"}, "Access denied", id="wrong-signature"),
        pytest.param({"user": "tls", "password": "tls"}, "Access denied", id="account-wants-tls"),
        pytest.param({"user": "stranger"}, "Access denied", id="unknown-user"),
        pytest.param({"database": "nowhere"}, "denied", id="database"),
        pytest.param({"query": "selec"}, "SQL syntax", id="query"),
        pytest.param({"query": "select sleep(9)", "timeout": 1.0}, "", id="slow-query"),
        pytest.param({"ready_only": True}, "accepts connections", id="ready"),
    ],
)
def test_check_that_fails_is_not_held_against_the_node(
    secure: MariaDB, place: Path, table: dict[str, object], told: str
) -> None:
    given = {**table, **({"ca_file": str(place / str(table["ca_file"]))} if "ca_file" in table else {})}
    for _ in range(2 * LIMIT):
        verdict = ask(secure, **given)  # type: ignore[arg-type]
        assert told in verdict.reason
        assert "blocked" not in verdict.reason
    assert counted(secure) == [0, 0]


def test_server_without_tls_does_not_hold_it_against_the_node_either(plain: MariaDB) -> None:
    for ready_only in (False, True):
        for _ in range(2 * LIMIT):
            assert ask(plain, tls=True, verify=False, ready_only=ready_only).reason.endswith("does not offer TLS")
    assert counted(plain) == [0, 0]


def test_server_that_hung_finds_nothing_to_count_in_its_queue(plain: MariaDB) -> None:
    assert plain.process is not None
    os.kill(plain.process.pid, signal.SIGSTOP)
    try:
        for _ in range(2 * LIMIT):
            verdict = ask(plain, timeout=0.5)
            assert verdict.kind == "timeout"
    finally:
        os.kill(plain.process.pid, signal.SIGCONT)
    until = time.monotonic() + 10
    refused = "select coalesce(sum(count_authentication_errors + count_auth_plugin_errors), 0) from "
    while int(plain.sql(refused + "performance_schema.host_cache")) < 2 * LIMIT:
        assert time.monotonic() < until, counted(plain)
    assert counted(plain) == [0, 0]


def test_ordinary_client_still_gets_in(secure: MariaDB) -> None:
    words = ["mariadb", "--no-defaults", f"--host={ADDRESS}", f"--port={secure.port}", "--user=nobody"]
    done = subprocess.run([*words, "-e", "select 1"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
