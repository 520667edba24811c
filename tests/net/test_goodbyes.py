"""A check leaves each protocol as its servers want it to be left: real ones count and log nothing, others hear it."""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import trustme

from hachecks.deadline import Deadline
from hachecks.net import mysql_handshake
from hachecks.net.target import Endpoint
from hachecks.probes import tcp
from hachecks.verdict import Status
from tests.cli import ROOT, hacheck
from tests.mariadb import MariaDB
from tests.net.test_starttls import READY
from tests.own_network import ADDRESS, own_network
from tests.postgresql import PostgreSQL
from tests.probes.asking import answer_of, verdict_of
from tests.talker import Talker, talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GOODBYES = {
    "ftp": b"QUIT\r\n",
    "imap": b"h2 LOGOUT\r\n",
    "ldap": bytes.fromhex("30050201024200"),
    "lmtp": b"QUIT\r\n",
    "pop3": b"QUIT\r\n",
    "sieve": b"LOGOUT\r\n",
    "smtp": b"QUIT\r\n",
    "xmpp": b"</stream:stream>",
}
REFUSALS = {
    "ftp": (b"220 ready\r\n", b"500 what?\r\n"),
    "imap": (b"* OK ready\r\n", b"h1 BAD what?\r\n"),
    "ldap": (b"", bytes.fromhex("300c02010178070a010204000400")),
    "lmtp": (b"220 ready\r\n", b"250 x\r\n"),
    "pop3": (b"+OK ready\r\n", b"-ERR what?\r\n"),
    "sieve": (b"OK\r\n", b"NO\r\n"),
    "smtp": (b"220 ready\r\n", b"250 x\r\n"),
    "xmpp": (b"", b"<stream:stream><stream:features></stream:features>"),
}
"""What servers say that do not offer TLS."""


@pytest.fixture(scope="module", autouse=True)
def address() -> Iterator[str]:
    """An address of this node for which MariaDB counts errors."""
    with own_network() as other:
        yield other


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(made)
    return made


@pytest.fixture(scope="module")
def ca_file(directory: Path, authority: trustme.CA) -> str:
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    return str(directory / "ca.pem")


def hears_all(parts: tuple[bytes, ...], context: ssl.SSLContext | None) -> Callable[[socket.socket, Talker], None]:
    """Say the parts, begin TLS where there is a context, and note what is said last, and that the end is clean."""

    def talk(connection: socket.socket, talker: Talker) -> None:
        for part in parts[:-1]:
            connection.sendall(part)
            talker.heard.append(connection.recv(1000))
        connection.sendall(parts[-1])
        last = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) if context else connection
        with last:
            talker.heard.append(last.recv(1000))
            talker.heard.append(last.recv(1000))  # raises when the end is not said

    return talk


@pytest.mark.parametrize("name", GOODBYES)
def test_goodbye_is_said_in_tls(name: str, context: ssl.SSLContext, ca_file: str) -> None:
    with talking(hears_all(READY[name], context)) as talker:
        answer = answer_of("tcp", talker.address, "--starttls", name, "--ca-file", ca_file)
    assert answer.code == 0, answer
    assert talker.heard[-2:] == [GOODBYES[name], b""]


@pytest.mark.parametrize("name", GOODBYES)
def test_goodbye_is_said_where_tls_is_not_offered(name: str) -> None:
    with talking(hears_all(REFUSALS[name], None)) as talker:
        answer = answer_of("tcp", talker.address, "--starttls", name, "--no-verify")
    assert answer.line.startswith(f"FAIL - {talker.address} does not offer "), answer
    assert talker.heard[-2:] == [GOODBYES[name], b""]


def test_a_goodbye_that_nobody_answers_takes_no_time(context: ssl.SSLContext, ca_file: str) -> None:
    ended = threading.Event()

    def stay(connection: socket.socket, talker: Talker) -> None:
        hears_all(READY["smtp"], context)(connection, talker)
        ended.wait(20)

    with talking(stay) as talker:
        began = time.monotonic()
        answer = hacheck("tcp", talker.address, "--starttls", "smtp", "--ca-file", ca_file, "--timeout", "15s")
        took = time.monotonic() - began
        ended.set()
    assert answer.code == 0
    assert took < 10


def test_mysql_is_not_left_before_it_has_answered(context: ssl.SSLContext, ca_file: str) -> None:
    def answer_late(connection: socket.socket, talker: Talker) -> None:
        connection.sendall(READY["mysql"][0])
        connection.recv(36)  # the request for TLS
        with context.wrap_socket(connection, server_side=True) as secured:
            talker.heard.append(secured.recv(1000))
            if select.select([secured], [], [], 0.3)[0]:
                talker.heard.append(b"it left")
            secured.sendall(b"\x09\0\0\x03\xff\x15\x04denied")

    with talking(answer_late) as talker:
        answer = hacheck("tcp", talker.address, "--starttls", "mysql", "--ca-file", ca_file, "--timeout", "20s")
    assert answer.code == 0, answer
    assert len(talker.heard) == 1, talker.heard


def test_bare_tls_is_ended_by_close_notify(context: ssl.SSLContext, ca_file: str) -> None:
    def end(connection: socket.socket, talker: Talker) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        connection.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        talker.heard.append(connection.recv(1000))

    with talking(end, context=context) as talker:
        assert answer_of("tcp", talker.address, "--tls", "--ca-file", ca_file).code == 0
    assert talker.heard == [b""]


# The SMTP name of the caller


@pytest.mark.parametrize(("protocol", "greeting"), [("smtp", b"EHLO"), ("lmtp", b"LHLO")])
def test_the_caller_has_a_name_that_smtp_allows(protocol: str, greeting: bytes, ca_file: str) -> None:
    for words, name in (
        ((), None),
        (("--ehlo", "me.example"), b"me.example"),
        (("--ehlo", "[192.0.2.7]"), b"[192.0.2.7]"),
    ):
        with talking(hears_all(REFUSALS[protocol], None)) as talker:
            answer_of("tcp", talker.address, "--starttls", protocol, "--ca-file", ca_file, *words)
        node = socket.gethostname()
        own = node.encode() if "." in node and not node.startswith("localhost") else b"[127.0.0.1]"
        assert talker.heard[0] == b"%s %s\r\n" % (greeting, name or own)


def test_a_node_with_a_whole_name_uses_it(ca_file: str) -> None:
    script = 'hostname node1.example.org; exec "$@"'
    with talking(hears_all(REFUSALS["smtp"], None)) as talker:
        words = ["tcp", talker.address, "--starttls", "smtp", "--ca-file", ca_file]
        command = ["unshare", "--map-root-user", "--uts", "sh", "-c", script, "sh", sys.executable, "-m", "hachecks"]
        subprocess.run([*command, *words], cwd=ROOT, capture_output=True, check=False, timeout=20)
    assert talker.heard[0] == b"EHLO node1.example.org\r\n"


@pytest.mark.parametrize("name", ["a b", "a\r\nMAIL", "[", "[a b]", "ä.example", "a_b"])
def test_what_smtp_does_not_allow_is_refused_as_a_name(name: str) -> None:
    answer = answer_of("tcp", "x:1", "--starttls", "smtp", "--ehlo", name)
    assert answer.code == 2
    assert "is not a name for EHLO" in answer.err


def test_an_imap_server_that_has_logged_us_in_may_still_begin_tls(context: ssl.SSLContext, ca_file: str) -> None:
    parts = (b"* PREAUTH welcome\r\n", b"h1 OK begin\r\n")
    with talking(hears_all(parts, context)) as talker:
        assert answer_of("tcp", talker.address, "--starttls", "imap", "--ca-file", ca_file).code == 0
    with talking(hears_all((parts[0], b"h1 BAD too late\r\n"), None)) as talker:
        answer = answer_of("tcp", talker.address, "--starttls", "imap", "--ca-file", ca_file)
    assert answer.line == f"FAIL - {talker.address} does not offer STARTTLS"


# Real databases


class Counting:
    """A MariaDB that counts the handshakes of this node."""

    def __init__(self, server: MariaDB) -> None:
        self.server = server
        self.host = ADDRESS
        self.where = f"{self.host}:{server.port}"

    @property
    def broken(self) -> int:
        """The handshakes that count towards max_connect_errors."""
        told = self.server.sql("select coalesce(sum(sum_connect_errors), 0) from performance_schema.host_cache")
        return int(float(told))


@pytest.fixture(scope="module", params=["tls", "plain"])
def mariadb(request: pytest.FixtureRequest, directory: Path, authority: trustme.CA) -> Iterator[Counting]:
    server = MariaDB(directory / request.param)
    server.initialise()
    if request.param == "tls":
        server.secure(authority)
    try:
        server.start("--performance-schema=on", "--bind-address=0.0.0.0", "--skip-name-resolve=off")
        server.sql("create user 'somebody'@'%' identified by 'x'")  # or no host would be let in
        yield Counting(server)
    finally:
        server.kill()


def test_mariadb_counts_who_hangs_up(mariadb: Counting) -> None:
    before = mariadb.broken
    with socket.create_connection((mariadb.host, mariadb.server.port), 5) as connection:
        assert connection.recv(1000)
    until = time.monotonic() + 10
    while mariadb.broken == before and time.monotonic() < until:
        time.sleep(0.02)
    assert mariadb.broken == before + 1


@pytest.fixture
def busy_mariadb(mariadb: Counting, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """One that greets and denies as late as on a busy machine."""
    monkeypatch.setattr(tcp, "GREETING_SECONDS", tcp.MYSQL_GREETING_SECONDS * 8)
    monkeypatch.setattr(mysql_handshake, "LEAVE_SECONDS", mysql_handshake.LEAVE_SECONDS * 40)
    return mariadb


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--expect", "MariaDB"), id="expected"),
        pytest.param(("--starttls", "mysql", "--no-verify"), id="starttls"),
        pytest.param(("--starttls", "mysql", "--server-name", "localhost", "--ca-file", "CA"), id="verified"),
    ],
)
def test_no_check_counts_as_a_broken_handshake(words: tuple[str, ...], busy_mariadb: Counting, ca_file: str) -> None:
    before = busy_mariadb.broken
    for _ in range(3):
        given = (ca_file if word == "CA" else word for word in words)
        verdict = verdict_of("tcp", busy_mariadb.where, *given, timeout=20)
        has_tls = "--ssl-cert" in " ".join(busy_mariadb.server.options)
        assert verdict.status is (Status.PASS if has_tls or "--starttls" not in words else Status.FAIL), verdict
        if "--starttls" not in words:
            assert verdict.reason.endswith("; it is a MySQL server, which counts who leaves without a login and may "
                                           "block this node: ask it by sql")  # fmt: skip
    assert busy_mariadb.broken == before


def test_a_plain_connection_that_is_greeted_does_not_count(busy_mariadb: Counting) -> None:
    before = busy_mariadb.broken
    for _ in range(3):
        verdict = tcp.TcpProbe(target=Endpoint.parse(busy_mariadb.where)).check(Deadline.after(20))
        assert verdict.status is Status.PASS
        assert verdict.reason.endswith("ask it by sql")
    assert busy_mariadb.broken == before


def test_a_plain_connection_to_a_server_that_refuses_tells_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "GREETING_SECONDS", 5.0)
    said = b"\xff\x69\x04Host '192.0.2.2' is blocked because of many connection errors"

    def refuse(connection: socket.socket, talker: Talker) -> None:
        connection.sendall(len(said).to_bytes(3, "little") + b"\0" + said)
        talker.heard.append(connection.recv(1000))

    with talking(refuse) as talker:
        verdict = tcp.TcpProbe(target=Endpoint.parse(talker.address)).check(Deadline.after(10))
    assert verdict.status is Status.PASS
    assert verdict.reason.endswith("says: Host '192.0.2.2' is blocked because of many connection errors (error 1129)")


def test_postgresql_complains_of_nobody(directory: Path, authority: trustme.CA, ca_file: str) -> None:
    server = PostgreSQL(directory / "postgres")
    server.initialise()
    server.secure(authority)
    try:
        where = f"localhost:{server.start().port}"
        for _ in range(3):
            assert (
                verdict_of("tcp", where, "-4", "--starttls", "postgres", "--ca-file", ca_file, timeout=20).status
                is Status.PASS
            )
        told = server.log().partition("port=")[2].splitlines()
        assert [line for line in told if "LOG:" in line and "connection received" not in line] == []
    finally:
        server.kill()
