"""A port that accepts, talks, and speaks TLS, or does not."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from hachecks.net.dialogue import Step, unescaped
from tests.cli import hacheck
from tests.probes.asking import answer_of, line_of
from tests.servers import Refusing
from tests.talker import Talker, greet_and_echo, listen_only, talking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTRACTS = (
    "{host}:{port} --expect hello-world",
    "{host}:{port} --tls --no-verify",
    "{host}:{port} --starttls smtp --no-verify",
    "{host}:{port} --starttls postgres --no-verify",
    "{host}:{port} --starttls mysql --no-verify",
    "{host}:{port} --starttls imap --no-verify",
    "{host}:{port} --starttls ldap --no-verify",
)
BASES = ("h:1", "h:1 --tls")
SAMPLES = {"--dialogue": "send hello"}


@pytest.fixture(scope="module")
def server() -> Iterator[Talker]:
    """A server that greets and echoes."""
    with talking(greet_and_echo) as talker:
        yield talker


class Tls:
    """A certificate authority's file, and a server with a certificate for localhost."""

    def __init__(self, talker: Talker, ca_file: Path) -> None:
        self.talker = talker
        self.port = talker.address.rpartition(":")[2]
        self.ca_file = ca_file


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    """A server that speaks TLS from the beginning."""
    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with talking(greet_and_echo, context=context) as talker:
        yield Tls(talker, ca_file)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param((), "accepted the connection in", id="accepts"),
        pytest.param(("--expect", "220"), "accepted the connection in", id="greets"),
        pytest.param(
            ("--expect", "hello", "--send", r"PING\r\n", "--expect-regex", r"^you said PI.G\r?$"),
            "accepted the connection in",
            id="answers-in-order",
        ),
        pytest.param(
            ("--send-hex", "50 49 4e 47", "--expect-hex", "50494e47", "--send", "b", "--expect", "said b"),
            "accepted the connection in",
            id="several-steps-and-bytes",
        ),
    ],
)
def test_a_server_that_says_what_it_should_passes(server: Talker, words: tuple[str, ...], told: str) -> None:
    answer = answer_of("tcp", server.address, *words)
    assert answer.line.startswith(f"PASS - {server.address} {told}")
    assert answer.line.endswith(" and answered as expected") == bool(words)
    assert answer.code == 0


def test_a_server_that_says_something_else_fails_and_is_quoted(server: Talker) -> None:
    # Asked without the watchdog, which says something else 50 ms later, as a busy machine may have it.
    line = line_of("tcp", server.address, "--expect", "250", timeout=1)
    assert line == f"FAIL - {server.address} said '220 hello\\r\\n', not '250', within 1 s"
    assert hacheck("tcp", server.address, "--expect", "250", "--timeout", "200ms").code == 1


def test_what_one_step_has_consumed_does_not_satisfy_the_next(server: Talker) -> None:
    line = line_of("tcp", server.address, "--expect", "hello", "--expect", "hello", timeout=1)
    assert line == f"FAIL - {server.address} said '\\r\\n', not 'hello', within 1 s"


def test_a_server_that_hangs_up_fails() -> None:
    with talking(listen_only) as talker:
        answer = answer_of("tcp", talker.address, "--send", "x", "--expect", "y")
    assert answer.line == f"FAIL - {talker.address} said nothing and closed the connection; expected 'y'"


def test_a_closed_port_fails() -> None:
    with Refusing() as nobody:
        where = f"127.0.0.1:{nobody.port}"
        assert answer_of("tcp", where).line == f"FAIL - {where} refused the connection"


def test_a_unix_socket_is_a_target(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    assert answer_of("tcp", f"unix:{path}").line == f"FAIL - unix:{path} does not exist"
    with talking(greet_and_echo, path=path):
        assert answer_of("tcp", f"unix:{path}", "--expect", "220").code == 0


def test_an_ipv6_address_is_a_target() -> None:
    with talking(greet_and_echo, host="::1") as talker:
        assert answer_of("tcp", talker.address, "--expect", "220").code == 0
        assert answer_of("tcp", talker.address, "-4").line == "UNKNOWN - ::1 is not an IPv4 address"


def test_a_trusted_certificate_for_the_right_name_passes(tls: Tls) -> None:
    answer = answer_of("tcp", f"localhost:{tls.port}", "-4", "--tls", "--ca-file", tls.ca_file, "--expect", "220", "-v")
    assert answer.code == 0, answer
    assert "tls " in answer.line


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param((), "TLS failed: unable to get local issuer certificate", id="unknown-authority"),
        pytest.param(
            ("--ca-file", "CA", "--server-name", "other.test"),
            "TLS failed: Hostname mismatch, certificate is not valid for 'other.test'.",
            id="wrong-name",
        ),
        pytest.param(
            ("--ca-file", "CA", "--tls-max", "1.2", "--min-days-left", "1000000"),
            "the certificate expires in",
            id="expires-too-soon",
        ),
    ],
)
def test_a_certificate_that_is_not_right_fails(tls: Tls, words: tuple[str, ...], reason: str) -> None:
    given_words = [str(tls.ca_file) if word == "CA" else word for word in words]
    answer = answer_of("tcp", tls.talker.address, "--tls", *given_words)
    assert answer.line.startswith(f"FAIL - {tls.talker.address}: {reason}")


def test_a_ca_file_that_is_not_there_is_no_fault_of_the_server(tls: Tls) -> None:
    answer = answer_of("tcp", tls.talker.address, "--tls", "--ca-file", "/nonexistent.pem")
    assert answer.line == "UNKNOWN - cannot use /nonexistent.pem: No such file or directory"


def test_an_unverified_certificate_passes_when_asked_for(tls: Tls) -> None:
    assert answer_of("tcp", tls.talker.address, "--tls", "--no-verify", "--expect", "220").code == 0


def test_plain_text_is_no_tls(server: Talker) -> None:
    answer = answer_of("tcp", server.address, "--tls", "--no-verify")
    assert answer.line.startswith(f"FAIL - {server.address}: TLS failed: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ("x",),
            "Invalid value for 'TARGET': 'x' has no port (write HOST:PORT, [ADDRESS6]:PORT or unix:/PATH)"
            " (see hacheck tcp --help)",
            id="no-port",
        ),
        pytest.param(("x:1", "--ca-file", "y"), "--ca-file needs TLS (--tls or --starttls)", id="tls-option"),
        pytest.param(
            ("x:1", "--expect-regex", "("),
            "Invalid value for '--expect-regex': '(' is not a regular expression: "
            "missing ), unterminated subpattern at position 0 (see hacheck tcp --help)",
            id="regex",
        ),
        pytest.param(("x:1", "-4", "-6"), "--ipv4 and --ipv6 exclude each other", id="families"),
        pytest.param(("x:1", "--tls", "--starttls", "smtp"), "--tls and --starttls exclude each other", id="tls-twice"),
        pytest.param(
            ("x:1", "--expcet", "y"),
            "no such option --expcet; did you mean --expect? (see hacheck tcp --help)",
            id="typo",
        ),
    ],
)
def test_what_makes_no_question_is_refused(words: tuple[str, ...], message: str) -> None:
    assert answer_of("tcp", *words) == (2, "", f"hacheck: tcp: {message}\n")


def test_the_order_of_the_steps_survives_the_way_through_click(server: Talker) -> None:
    # A text that begins with a dash is not plain: click reads this command line.
    words = ("--expect", "hello", "--send", "-x", "--expect", "said -x")
    assert answer_of("tcp", server.address, *words).code == 0


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_proxy_protocol_header_comes_first(version: str) -> None:
    with talking(listen_only) as talker:
        assert answer_of("tcp", talker.address, "--proxy-protocol", version).code == 0
    (peer,) = talker.peers
    assert isinstance(peer, tuple)
    port = int(talker.address.rpartition(":")[2])
    if version == "v1":
        assert talker.heard == [f"PROXY TCP4 127.0.0.1 127.0.0.1 {peer[1]} {port}\r\n".encode()]
    else:
        head, addresses = talker.heard[0][:16], talker.heard[0][16:]
        assert head == b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
        assert addresses == socket.inet_aton("127.0.0.1") * 2 + peer[1].to_bytes(2, "big") + port.to_bytes(2, "big")


def test_connect_to_goes_elsewhere_and_keeps_the_port(server: Talker) -> None:
    port = server.address.rpartition(":")[2]
    answer = answer_of("tcp", f"service.example:{port}", "--connect-to", "127.0.0.1", "--expect", "220")
    assert answer.line.startswith(f"PASS - service.example:{port} accepted the connection")


def test_the_source_address_is_used() -> None:
    with talking(listen_only) as talker:
        assert answer_of("tcp", talker.address, "--source", "127.0.0.9").code == 0
    assert [peer[0] for peer in talker.peers if isinstance(peer, tuple)] == ["127.0.0.9"]


def test_an_address_that_is_not_ours_is_no_fault_of_the_server(server: Talker) -> None:
    answer = answer_of("tcp", server.address, "--source", "192.0.2.1")
    assert answer.line == "UNKNOWN - cannot connect from 192.0.2.1: Cannot assign requested address"


def test_a_name_with_two_addresses_is_reached_on_the_one_that_works(server: Talker) -> None:
    port = server.address.rpartition(":")[2]
    assert answer_of("tcp", f"localhost:{port}", "--expect", "220").code == 0


@given(st.text(max_size=60))
def test_a_step_is_a_step_or_a_value_error(text: str) -> None:
    for candidate in (text, f"send {text}", f"send-hex {text}", f"expect-regex {text}"):
        with suppress(ValueError):
            Step.parse(candidate)


@given(st.text(max_size=60))
def test_a_text_without_backslashes_is_sent_as_it_is(text: str) -> None:
    plain = text.replace("\\", "/")
    assert unescaped(plain) == plain.encode()


def test_escapes_are_what_they_are_in_c() -> None:
    assert unescaped(r"a\r\n\t\0\\\x41") == b"a\r\n\t\0\\A"


def test_of_what_does_not_match_no_more_is_read_than_the_limit() -> None:
    ended = threading.Event()

    def talk_on(connection: socket.socket, _: Talker) -> None:
        connection.sendall(b"x" * 70_000)
        ended.wait(20)

    with talking(talk_on) as talker:
        answer = answer_of("tcp", talker.address, "--expect", "y")
        ended.set()
    assert answer.line == f"FAIL - {talker.address} sent 65536 bytes without 'y'"
