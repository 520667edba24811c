"""A real name server (dnsmasq) is asked, and answers or does not."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.dns_message import Answer, Name, question
from hachecks.verdict import Failure
from tests.cli import hacheck

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = [
    "--address=/app.test/10.0.0.5",
    "--host-record=two.test,10.0.0.6,fd00::6",
    "--mx-host=test,mail.test,5",
    "--txt-record=text.test,hello world",
    "--srv-host=_db._tcp.test,two.test,5432,1,2",
    "--cname=alias.test,two.test",
    "--ptr-record=6.0.0.10.in-addr.arpa,two.test",
    "--local=/test/",
    *(f"--txt-record=big.test,{'x' * 200}{n}" for n in range(20)),
]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a name server that knows `RECORDS`."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program, "install dnsmasq-base"
    port = free_port()
    words = [program, "-k", "-p", str(port), "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv"]
    process = subprocess.Popen([*words, "--no-hosts", "--conf-file=/dev/null", "--pid-file=", *RECORDS])
    try:
        until = time.monotonic() + 10
        while hacheck("dns", "app.test", "--server", f"127.0.0.1:{port}").code:
            assert time.monotonic() < until
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param("app.test", "PASS - {} answered app.test A with 10.0.0.5 in", id="A"),
        pytest.param("APP.test. --expect 10.0.0.5", "PASS - {} answered APP.test A with 10.0.0.5 in", id="expected"),
        pytest.param("two.test --type AAAA", "PASS - {} answered two.test AAAA with fd00::6 in", id="AAAA"),
        pytest.param("test --type MX", "PASS - {} answered test MX with 5 mail.test in", id="MX"),
        pytest.param("text.test --type TXT", "PASS - {} answered text.test TXT with hello world in", id="TXT"),
        pytest.param(
            "_db._tcp.test --type SRV", "PASS - {} answered _db._tcp.test SRV with 1 2 5432 two.test in", id="SRV"
        ),
        pytest.param("alias.test", "PASS - {} answered alias.test A with 10.0.0.6 in", id="through-a-CNAME"),
        pytest.param("alias.test --type CNAME", "PASS - {} answered alias.test CNAME with two.test in", id="CNAME"),
        pytest.param(
            "6.0.0.10.in-addr.arpa --type PTR",
            "PASS - {} answered 6.0.0.10.in-addr.arpa PTR with two.test in",
            id="PTR",
        ),
        pytest.param("app.test --tcp", "PASS - {} answered app.test A with 10.0.0.5 in", id="over-TCP"),
        pytest.param(
            "big.test --type TXT --min-answers 20", "PASS - {} answered big.test TXT with x", id="truncated-then-TCP"
        ),
        pytest.param("app.test --authoritative", "PASS - {} answered app.test A with 10.0.0.5 in", id="authority"),
        pytest.param(
            "app.test --expect 10.0.0.6", "FAIL - {} answered app.test A with 10.0.0.5, without 10.0.0.6", id="other"
        ),
        pytest.param(
            "two.test --min-answers 2", "FAIL - {} answered two.test A with 10.0.0.6, wanted are 2", id="too-few"
        ),
        pytest.param("two.test --type MX", "FAIL - {} answered two.test MX with no record, wanted are 1", id="no-data"),
        pytest.param("no.test", "FAIL - {} answered no.test A with NXDOMAIN, wanted is NOERROR", id="NXDOMAIN"),
        pytest.param("no.test --rcode NXDOMAIN", "PASS - {} answered no.test A with NXDOMAIN in", id="wanted-NXDOMAIN"),
    ],
)
def test_the_answer_is_judged(server: str, words: str, told: str) -> None:
    answer = hacheck("dns", *words.split(), "--server", server)
    assert answer.line.startswith(told.format(server))
    assert answer.code == (0 if told.startswith("PASS") else 1)


def test_a_server_that_is_not_there_fails() -> None:
    port = free_port()
    assert hacheck("dns", "app.test", "--server", f"127.0.0.1:{port}").line == (
        f"FAIL - 127.0.0.1:{port} refused the connection"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("x..test", "Invalid value for 'NAME': 'x..test' is not a domain name (see hacheck dns --help)"),
        (
            "bücher.test",
            "Invalid value for 'NAME': 'bücher.test' is not ASCII; write an internationalised name in its "
            "xn-- form (see hacheck dns --help)",
        ),
        ("x.test --proxy-protocol v1", "--proxy-protocol needs --tcp"),
        ("x.test --server unix:/x", "--server is an address, not a unix socket"),
    ],
)
def test_what_makes_no_question_is_refused(words: str, message: str) -> None:
    assert hacheck("dns", *words.split()) == (2, "", f"hacheck: dns: {message}\n")


def test_an_answer_says_whether_the_server_is_an_authority() -> None:
    query = question("app.test", "A", 1, recursion=True)
    for flags, authoritative in ((b"\x84\0", True), (b"\x80\0", False)):
        data = query[:2] + flags + b"\0\1\0\0\0\0\0\0" + query[12:]
        assert Answer(data, query, "it").authoritative is authoritative


@given(st.text(max_size=80))
def test_a_name_is_a_name_or_a_value_error(text: str) -> None:
    try:
        name = Name.parse(text)
    except ValueError:
        return
    assert question(name, "A", 1, recursion=True)


@given(st.binary(max_size=200), st.sampled_from(["A", "AAAA", "MX", "SRV", "TXT", "SOA", "CNAME"]))
def test_any_answer_is_read_or_fails(tail: bytes, kind: str) -> None:
    query = question("app.test", kind, 1, recursion=True)
    try:
        Answer(query[:2] + b"\x80\0\0\1\0\2\0\0\0\0" + query[12:] + tail, query, "it").records()
    except Failure:
        pass
