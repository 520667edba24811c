"""TLS that begins inside another protocol, asked of real servers, and of servers that mean no good."""

from __future__ import annotations

import re
import select
import socket
import ssl
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from hachecks.checks.runner import conclude
from hachecks.deadline import Deadline, TimedOut
from hachecks.net import mysql_handshake
from hachecks.net.line_protocols import Caller
from hachecks.net.starttls import PROTOCOLS, request_tls
from hachecks.net.target import Endpoint
from hachecks.net.transport import Stream
from hachecks.probes.tcp import TcpProbe
from hachecks.verdict import Failure
from tests.cli import Answer, hacheck
from tests.ldapserver import ldap
from tests.mailservers import dovecot, smtp
from tests.mariadb import MariaDB
from tests.otherservers import ftp, xmpp
from tests.postgresql import PostgreSQL
from tests.talker import talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.talker import Talker

NAMES = sorted(PROTOCOLS)
PASSED = r"PASS - localhost:\d+ accepted the connection in \d+(\.\d)? ms"


@contextmanager
def postgres(directory: Path, authority: trustme.CA | None = None) -> Iterator[int]:
    server = PostgreSQL(directory)
    server.initialise()
    if authority is not None:
        server.secure(authority)
    try:
        yield server.start().port
    finally:
        server.kill()


@contextmanager
def mysql(directory: Path, authority: trustme.CA | None = None) -> Iterator[int]:
    server = MariaDB(directory)
    server.initialise()
    if authority is not None:
        server.secure(authority)
    else:
        server.options += ["--skip-ssl"]
    try:
        yield server.start().port
    finally:
        server.kill()


def asked(where: str, name: str, *words: str) -> Answer:
    """The answer of a check with the time that servers have on a busy machine."""
    return hacheck("tcp", where, "--starttls", name, *words, "--timeout", "20s")


class Authority(NamedTuple):
    """Who is to be trusted, and a context for a server that has its certificate for localhost."""

    issuer: trustme.CA
    file: str
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(directory / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return Authority(issuer, str(directory / "ca.pem"), context)


@pytest.fixture(scope="module")
def secure(directory: Path, authority: Authority) -> Iterator[dict[str, int]]:
    """The port of a real server of each protocol, which offers TLS as localhost."""
    with ExitStack() as stack:
        yield {
            **stack.enter_context(dovecot(directory / "dovecot", authority.issuer)),
            "ftp": stack.enter_context(ftp(directory / "ftp", authority.issuer)),
            "xmpp": stack.enter_context(xmpp(directory / "xmpp", authority.issuer)),
            "ldap": stack.enter_context(ldap(directory / "ldap", authority.issuer)),
            "mysql": stack.enter_context(mysql(directory / "mysql", authority.issuer)),
            "postgres": stack.enter_context(postgres(directory / "postgres", authority.issuer)),
            "smtp": stack.enter_context(smtp(authority.context, require_starttls=True)),
        }


@pytest.fixture(scope="module")
def plain(directory: Path) -> Iterator[dict[str, int]]:
    """The port of a real server of each protocol, which has no TLS."""
    with ExitStack() as stack:
        yield {
            **stack.enter_context(dovecot(directory / "plain-dovecot")),
            "ftp": stack.enter_context(ftp(directory / "plain-ftp")),
            "xmpp": stack.enter_context(xmpp(directory / "plain-xmpp")),
            "ldap": stack.enter_context(ldap(directory / "plain-ldap")),
            "mysql": stack.enter_context(mysql(directory / "plain-mysql")),
            "postgres": stack.enter_context(postgres(directory / "plain-postgres")),
            "smtp": stack.enter_context(smtp()),
        }


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_proves_its_name_passes(name: str, secure: dict[str, int], authority: Authority) -> None:
    answer = asked(f"localhost:{secure[name]}", name, "-4", "--ca-file", authority.file)
    assert re.fullmatch(PASSED, answer.line), answer
    assert answer.code == 0


def test_a_server_that_does_not_insist_on_tls_passes_too(authority: Authority) -> None:
    mail = (
        "--expect",
        "220",
        "--send",
        r"EHLO x\r\n",
        "--expect",
        "HELP",
        "--send",
        r"MAIL FROM:<x@x>\r\n",
        "--expect",
    )
    for insists, code in ((True, "530"), (False, "250")):
        with smtp(authority.context, require_starttls=insists) as port:
            assert hacheck("tcp", f"127.0.0.1:{port}", *mail, code, "--timeout", "20s").code == 0
            assert asked(f"127.0.0.1:{port}", "smtp", "--ca-file", authority.file).code == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_server_of_another_authority_fails(name: str, secure: dict[str, int]) -> None:
    where = f"localhost:{secure[name]}"
    answer = asked(where, name, "-4")
    assert answer.line == f"FAIL - {where}: TLS failed: unable to get local issuer certificate"
    assert answer.code == 1


@pytest.mark.parametrize("name", [name for name in NAMES if name != "xmpp"])
def test_a_server_of_another_name_fails(name: str, secure: dict[str, int], authority: Authority) -> None:
    where = f"127.0.0.1:{secure[name]}"
    answer = asked(where, name, "--ca-file", authority.file, "--server-name", "other.test")
    told = "TLS failed: Hostname mismatch, certificate is not valid for 'other.test'."
    assert answer.line == f"FAIL - {where}: {told}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("imap", "does not offer STARTTLS", id="imap"),
        pytest.param("ldap", "does not offer StartTLS: LDAP result 2", id="ldap"),
        pytest.param("mysql", "does not offer TLS", id="mysql"),
        pytest.param("postgres", "does not offer TLS", id="postgres"),
        pytest.param("smtp", "does not offer STARTTLS", id="smtp"),
        pytest.param("lmtp", "does not offer STARTTLS", id="lmtp"),
        pytest.param("pop3", "does not offer STARTTLS", id="pop3"),
        pytest.param("sieve", "does not offer STARTTLS", id="sieve"),
        pytest.param("xmpp", "does not offer STARTTLS", id="xmpp"),
        pytest.param("ftp", "does not offer TLS: 530 Please login with USER and PASS.", id="ftp"),
    ],
)
def test_a_server_that_does_not_offer_tls_fails(name: str, reason: str, plain: dict[str, int]) -> None:
    where = f"localhost:{plain[name]}"
    assert asked(where, name, "-4", "--no-verify").line == f"FAIL - {where} {reason}"


def test_an_xmpp_server_that_does_not_serve_the_name_fails(secure: dict[str, int]) -> None:
    where = f"127.0.0.1:{secure['xmpp']}"
    answer = asked(where, "xmpp", "--server-name", "other.test")
    assert answer.line == f"FAIL - {where} does not serve 'other.test' (--server-name)"


def without_watchdog(where: str, name: str, seconds: float) -> str:
    """The verdict by the deadline, 50 ms after which, on a busy machine too, the watchdog ends a check in its words."""
    probe = TcpProbe(target=Endpoint.parse(where), starttls=name, verify=False)  # type: ignore[arg-type]
    return repr(conclude(probe, Deadline.after(seconds)))


SILENT = "gave no full answer within 300 ms (starttls)"


@pytest.mark.parametrize(
    ("peer", "name", "reason"),
    [
        pytest.param("imap", "ldap", "answered '*' instead of an LDAP message", id="ldap-to-imap"),
        pytest.param("imap", "mysql", "answered '* OK' instead of a MySQL greeting", id="mysql-to-imap"),
        pytest.param("imap", "postgres", "answered '*' instead of PostgreSQL's answer to SSLRequest", id="pg-to-imap"),
        pytest.param("smtp", "imap", r"answered '220 .*' instead of an IMAP greeting", id="imap-to-smtp"),
        pytest.param("imap", "smtp", r"answered '\* OK .*' instead of an SMTP reply 220", id="smtp-to-imap"),
        pytest.param("ldap", "imap", SILENT, id="imap-to-ldap"),
        pytest.param("ldap", "postgres", "closed the connection instead of PostgreSQL's answer to SSLRequest",
                     id="pg-to-ldap"),
        pytest.param("ldap", "smtp", SILENT, id="smtp-to-ldap"),
        pytest.param("postgres", "mysql", SILENT, id="mysql-to-pg"),
        pytest.param("postgres", "smtp", SILENT, id="smtp-to-pg"),
        pytest.param("smtp", "ldap", "answered '2' instead of an LDAP message", id="ldap-to-smtp"),
        pytest.param("smtp", "mysql", "answered '220 ' instead of a MySQL greeting", id="mysql-to-smtp"),
    ],
)  # fmt: skip
def test_a_server_of_another_protocol_fails(peer: str, name: str, reason: str, secure: dict[str, int]) -> None:
    where = f"127.0.0.1:{secure[peer]}"
    answer = without_watchdog(where, name, 0.3 if reason == SILENT else 20)
    reason = reason if "\\" in reason or ".*" in reason else re.escape(reason)
    assert re.fullmatch(f"FAIL - {where} {reason}", answer), answer


@pytest.mark.parametrize(("peer", "name"), [(peer, name) for peer in ("mysql", "postgres") for name in NAMES])
def test_a_database_asked_in_whatever_protocol_passes_for_its_own_alone(
    peer: str, name: str, secure: dict[str, int]
) -> None:
    answer = without_watchdog(f"127.0.0.1:{secure[peer]}", name, 20 if peer == name else 0.5)
    assert answer.startswith("PASS" if peer == name else "FAIL"), answer


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("smtp", ("--send", r"EHLO x\r\n", "--expect", "250 HELP"), id="smtp"),
        pytest.param("imap", ("--send", r"a CAPABILITY\r\n", "--expect-regex", "^a OK"), id="imap"),
    ],
)
def test_what_is_said_afterwards_is_said_in_tls(
    name: str, words: tuple[str, ...], secure: dict[str, int], authority: Authority
) -> None:
    where = f"localhost:{secure[name]}"
    answer = asked(where, name, "-4", "--ca-file", authority.file, *words)
    assert re.fullmatch(PASSED + " and answered as expected", answer.line), answer


# What a server of each protocol says until TLS would begin, each part after it has heard from the client.
LDAP_READY = bytes.fromhex("300c02010178070a010004000400")
MYSQL_GREETING = b"\x0a11\0" + bytes(4) + b"saltsalt" + b"\0" + (0x8A00).to_bytes(2, "little") + bytes(20)
XMPP_OFFER = (
    b"<?xml version='1.0'?><stream:stream id='1'><stream:features>"
    b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
)
XMPP_PROCEED = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
READY = {
    "ftp": (b"220-welcome\r\n220 ready\r\n", b"234 begin\r\n"),
    "lmtp": (b"220 ready\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 begin\r\n"),
    "pop3": (b"+OK ready\r\n", b"+OK begin\r\n"),
    "sieve": (b'"STARTTLS"\r\nOK "ready"\r\n', b"OK begin\r\n"),
    "xmpp": (b"", XMPP_OFFER, XMPP_PROCEED),
    "imap": (b"* OK ready\r\n", b"h1 OK begin\r\n"),
    "ldap": (b"", LDAP_READY),
    "mysql": (len(MYSQL_GREETING).to_bytes(3, "little") + b"\0" + MYSQL_GREETING, b""),
    "postgres": (b"", b"S"),
    "smtp": (b"220 ready\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 begin\r\n"),
}


def scripted(parts: tuple[bytes, ...]) -> Callable[[socket.socket, Talker], None]:
    """Say the parts, hearing the client after each but the last; then hear it out."""

    def talk(connection: socket.socket, talker: Talker) -> None:
        for part in parts[:-1]:
            connection.sendall(part)
            talker.heard.append(connection.recv(1000))
        connection.sendall(parts[-1])
        while connection.recv(1000):
            pass

    return talk


def in_tls(parts: tuple[bytes, ...], context: ssl.SSLContext) -> Callable[[socket.socket, Talker], None]:
    """Say the parts, then speak TLS, and say nothing in it."""

    def talk(connection: socket.socket, talker: Talker) -> None:
        for part in parts[:-1]:
            connection.sendall(part)
            talker.heard.append(connection.recv(1000))
        connection.sendall(parts[-1])
        with context.wrap_socket(connection, server_side=True) as secured:
            talker.heard.append(secured.recv(1000))

    return talk


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_says_what_is_needed_comes_to_tls(name: str, authority: Authority) -> None:
    with talking(in_tls(READY[name], authority.context)) as talker:
        answer = asked(talker.address, name, "--ca-file", authority.file, "--send", "safe")
    assert answer.code == 0, answer
    assert talker.heard[-1] == b"safe"


@pytest.mark.parametrize("name", NAMES)
def test_what_was_said_before_tls_is_no_answer_in_tls(name: str, authority: Authority) -> None:
    # STARTTLS injection, as CVE-2011-0411 and CVE-2021-23222: somebody on the way adds to the last plain answer.
    *parts, last = (part for part in READY[name])
    injected = (*parts, last + b"250 injected\r\n") if last else (parts[0] + b"250 injected\r\n", b"")
    with talking(in_tls(injected, authority.context)) as talker:
        answer = asked(talker.address, name, "--no-verify", "--expect", "250 injected")
    assert answer.line.startswith(f"FAIL - {talker.address}: TLS failed: "), answer


@pytest.mark.parametrize(
    ("name", "stage"), [pytest.param(n, s, id=f"{n}-{s}") for n in NAMES for s in range(len(READY[n]))]
)
def test_a_server_that_stops_short_fails_in_time(name: str, stage: int) -> None:
    parts = tuple(part[: len(part) // 2] if at == stage else part for at, part in enumerate(READY[name]))[: stage + 1]
    with talking(scripted(parts)) as talker:
        answer = without_watchdog(talker.address, name, 1.0)
    during = "tls" if (name, stage) == ("mysql", 1) else "starttls"
    assert answer == f"FAIL - {talker.address} gave no full answer within 1 s ({during})"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("imap", "answered '* OK ' instead of a line of text", id="imap"),
        pytest.param("ldap", "closed the connection after 0 of 2 bytes", id="ldap"),
        pytest.param("mysql", "closed the connection after 16 of 39 bytes", id="mysql"),
        pytest.param("postgres", "closed the connection instead of PostgreSQL's answer to SSLRequest", id="postgres"),
        pytest.param("smtp", "answered '220 r' instead of a line of text", id="smtp"),
        pytest.param("lmtp", "answered '220 r' instead of a line of text", id="lmtp"),
        pytest.param("ftp", "answered '220-w' instead of a line of text", id="ftp"),
        pytest.param("pop3", "answered '+OK r' instead of a line of text", id="pop3"),
        pytest.param("sieve", "answered '\"STAR' instead of a line of text", id="sieve"),
        pytest.param("xmpp", "closed the connection instead of an XMPP stream", id="xmpp"),
    ],
)
def test_a_server_that_hangs_up_fails(name: str, reason: str) -> None:
    said = READY[name][0][: {"mysql": 20}.get(name, 5)]

    def hang_up(connection: socket.socket, talker: Talker) -> None:
        connection.sendall(said)
        if not said:
            talker.heard.append(connection.recv(1000))  # what is left unread makes it a reset

    with talking(hang_up) as talker:
        answer = asked(talker.address, name, "--no-verify")
    assert answer.line == f"FAIL - {talker.address} {reason}"


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_drips_is_not_waited_for(name: str) -> None:
    said = {"ldap": b"\x30\x82\x0f\xff", "mysql": b"\xff\x0f\0\0", "postgres": b""}.get(name, b"220-")

    def drip(connection: socket.socket, talker: Talker) -> None:
        connection.sendall(said)
        while not talker.heard or talker.heard[-1]:
            if select.select([connection], [], [], 0.01)[0]:
                talker.heard.append(connection.recv(1000))
            elif said:
                connection.sendall(b"x")

    with talking(drip) as talker:
        answer = without_watchdog(talker.address, name, 0.5)
    assert answer == f"FAIL - {talker.address} gave no full answer within 500 ms (starttls)"


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    [
        pytest.param("smtp", b"220-x\r\n" * 200, "never ends its SMTP reply", id="smtp-endless-reply"),
        pytest.param("smtp", b"554 no\r\n", "answered '554 no' instead of an SMTP reply 220", id="smtp-refuses"),
        pytest.param("imap", b"* BYE full\r\n", "answered '* BYE full' instead of an IMAP greeting", id="imap-refuses"),
        pytest.param("imap", b"* OK\r\n" * 200, "never answers STARTTLS", id="imap-endless-talk"),
        pytest.param("mysql", b"\x17\0\0\0\xff\x10\x04Too many connections",
                     "says: Too many connections (error 1040)", id="mysql-is-full"),
        pytest.param("ldap", bytes.fromhex("300c02010178070a013504000400"), "does not offer StartTLS: LDAP result 53",
                     id="ldap-unwilling"),
        pytest.param("ldap", bytes.fromhex("3084000000100201017884000000070a013404000400"),
                     "does not offer StartTLS: LDAP result 52", id="ldap-long-lengths"),
        pytest.param("ldap", bytes.fromhex("300702010178020a01"),
                     "answered '\\x02\\x01\\x01x\\x02\\n\\x01' instead of an LDAP extended response", id="ldap-cut"),
        pytest.param("postgres", b"E", "answered 'E' instead of PostgreSQL's answer to SSLRequest", id="pg-too-old"),
    ],
)  # fmt: skip
def test_a_server_that_says_no_is_understood(name: str, said: bytes, reason: str) -> None:
    with talking(scripted((said,))) as talker:
        answer = asked(talker.address, name, "--no-verify")
    assert answer.line == f"FAIL - {talker.address} {reason}"


FRAGMENTS = [
    *(part for parts in READY.values() for part in parts if part),
    b"220-", b"250 ", b"* ", b"h1 ", b"\r\n", b"\n", b"STARTTLS\r\n", b"\x30", b"\x30\x80", b"\x30\x84", b"\x0a\x01",
    b"\x02\x01\x01\x78", b"\x02\x01\x01\x78\x02\x0a\x01", b"\xff\xff\xff", b"\0\0\0", b"x" * 5000,
]  # fmt: skip


def secure_in_vain(name: str, stream: Stream) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request_tls(name, stream, Caller(host="localhost"))
    stream.start_tls(context, "")


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=20)), max_size=8))
def test_any_bytes_lead_to_tls_or_to_a_failure(name: str, parts: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(parts))
        theirs.shutdown(socket.SHUT_WR)
        stream = Stream(ours, Deadline.after(10), "it")
        with pytest.raises(Failure, match="it"):
            secure_in_vain(name, stream)


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_an_answer_that_does_not_end_times_out(name: str, data: st.DataObject) -> None:
    whole = b"".join(READY[name])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(whole[: data.draw(st.integers(0, len(whole) - 1))])
        with pytest.raises(TimedOut):
            request_tls(name, Stream(ours, Deadline.after(0.005), "it"), Caller(host="localhost"))


def test_a_mysql_server_that_asks_again_is_answered_in_its_own_count() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for number, payload in ((7, b"\xfeclient_ed25519\0" + bytes(32)), (9, b"\xff\x15\x04denied")):
            theirs.sendall(len(payload).to_bytes(3, "little") + bytes([number]) + payload)
        mysql_handshake.part(Stream(ours, Deadline.after(5), "it"), 1)
        heard = theirs.recv(65536)
    login, answer = heard[:-68], heard[-68:]
    assert login[3] == 1
    assert answer == b"\x40\0\0\x08" + bytes(64)


@pytest.mark.parametrize("length", [b"\x04", b"\x82\x10\x01", b"\x84\x7f\xff\xff\xff"])
def test_an_ldap_message_that_cannot_be_an_answer_is_not_waited_for(length: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"\x30" + length)
        with pytest.raises(Failure, match="instead of an LDAP message"):
            request_tls("ldap", Stream(ours, Deadline.after(2), "it"), Caller())
