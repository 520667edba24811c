"""A real name server (dnsmasq) is asked, and answers or does not."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hachecks.net.dns_message import TYPES, Answer, Name, answers, normal, question
from hachecks.net.target import Target
from hachecks.verdict import Failure
from tests.cli import ROOT, hacheck
from tests.ports import free_port
from tests.probes.asking import is_plain, line_of
from tests.servers import BlackHole
from tests.talker import Talker, talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTRACTS = ("example.test --server {host}:{port}",)
BASES = ("x.test", "x.test --tcp")
SAMPLES = {"NAME": "example.test", "--expect": "192.0.2.1"}

RECORDS = [
    "--address=/app.test/10.0.0.5",
    "--host-record=two.test,10.0.0.6,fd00::6",
    "--host-record=many.test,10.0.0.7",
    "--host-record=many.test,10.0.0.8",
    "--mx-host=test,mail.test,5",
    "--txt-record=text.test,hello world",
    "--srv-host=_db._tcp.test,two.test,5432,1,2",
    "--cname=alias.test,two.test",
    "--ptr-record=6.0.0.10.in-addr.arpa,two.test",
    "--local=/test/",
    *(f"--txt-record=big.test,{'x' * 200}{n}" for n in range(20)),
]


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
            "app.test --expect 10.0.0.5 --expect-only", "PASS - {} answered app.test A with 10.0.0.5 in", id="only"
        ),
        pytest.param(
            "many.test --expect 10.0.0.7 --expect-only",
            "FAIL - {} answered many.test A with 10.",
            id="one-beside-the-only",
        ),
        pytest.param(
            "many.test --expect 10.0.0.8 --expect 10.0.0.7 --expect-only",
            "PASS - {} answered many.test A with 10.",
            id="both-and-no-other",
        ),
        pytest.param(
            "many.test --expect 10.0.0.7 --expect 10.0.0.9 --expect-only",
            "FAIL - {} answered many.test A with 10.",
            id="another-in-place-of-one",
        ),
        pytest.param(
            "two.test --type AAAA --expect fd00:0:0::0006 --expect-only",
            "PASS - {} answered two.test AAAA with fd00::6 in",
            id="address-spelt-out",
        ),
        pytest.param(
            "_db._tcp.test --type SRV --expect 1␣2␣5432␣TWO.test.",
            "PASS - {} answered _db._tcp.test SRV with 1 2 5432 two.test in",
            id="name-in-capitals-with-its-dot",
        ),
        pytest.param(
            "text.test --type TXT --expect Hello␣world",
            "FAIL - {} answered text.test TXT with hello world, without Hello world",
            id="text-is-what-it-is",
        ),
        pytest.param(
            "two.test --min-answers 2", "FAIL - {} answered two.test A with 10.0.0.6, expected at least 2", id="too-few"
        ),
        pytest.param(
            "two.test --type MX", "FAIL - {} answered two.test MX with no record, expected at least 1", id="no-data"
        ),
        pytest.param("no.test", "FAIL - {} answered no.test A with NXDOMAIN, expected NOERROR", id="NXDOMAIN"),
        pytest.param("no.test --rcode NXDOMAIN", "PASS - {} answered no.test A with NXDOMAIN in", id="wanted-NXDOMAIN"),
    ],
)
def test_the_answer_is_judged(server: str, words: str, told: str) -> None:
    answer = hacheck("dns", *(word.replace("␣", " ") for word in words.split()), "--server", server)
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
        ("x.test --expect-only", "--expect-only needs --expect"),
        ("x.test --expect 10.0.0", "'10.0.0' is not an IPv4 address"),
        ("x.test --type AAAA --expect 10.0.0.5", "'10.0.0.5' is not an IPv6 address"),
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


QUERY = question("app.test", "A", 0x1234, recursion=True)
SAME_NAME = b"\xc0\x0c"
FIVE, SIX = b"\x0a\0\0\5", b"\x0a\0\0\6"


def record(data: bytes, kind: str = "A", owner: bytes = SAME_NAME, place: int = 1) -> bytes:
    """A resource record."""
    numbers = TYPES[kind].to_bytes(2, "big") + place.to_bytes(2, "big") + bytes(4) + len(data).to_bytes(2, "big")
    return owner + numbers + data


def response(*records: bytes, query: bytes = QUERY, flags: int = 0x8180) -> bytes:
    """An answer with these records."""
    counts = b"\0\1" + len(records).to_bytes(2, "big") + bytes(4)
    return query[:2] + flags.to_bytes(2, "big") + counts + query[12:] + b"".join(records)


class Says(BlackHole):
    """A name server that answers a query with what a test makes of it, one datagram after the other."""

    def __init__(self, make: Callable[[bytes], list[bytes]], host: str = "127.0.0.1", port: int = 0) -> None:
        self.make = make
        self.wanted_port = port
        super().__init__(host)

    def bound(self) -> socket.socket:
        if not self.wanted_port:
            return super().bound()
        self.reserved = socket.socket()
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind((self.host, self.wanted_port))
        return sock

    def reply(self, data: bytes, peer: tuple[str, int]) -> None:
        for datagram in self.make(data):
            self.socket.sendto(datagram, peer)


def other_question(query: bytes) -> bytes:
    """The answer, with our identity, to somebody else's question."""
    foreign = question("xyz.test", "A", int.from_bytes(query[:2], "big"), recursion=True)
    return response(record(SIX), query=foreign)


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(lambda query: response(record(SIX), query=bytes([query[0] ^ 1]) + query[1:]), id="identity"),
        pytest.param(other_question, id="question"),
        pytest.param(lambda query: query, id="a-query-is-no-answer"),
        pytest.param(lambda query: response(record(SIX), query=query, flags=0xA980), id="operation"),
        pytest.param(lambda query: query[:2] + b"\x81\x80" + bytes(8), id="header-alone-that-says-it-went-well"),
        pytest.param(lambda query: query[:7], id="not-even-a-header"),
        pytest.param(lambda _: b"", id="nothing"),
    ],
)
def test_a_datagram_that_is_no_answer_to_us_is_passed_over(foreign: Callable[[bytes], bytes]) -> None:
    with Says(lambda query: [foreign(query), response(record(FIVE), query=query)]) as server:
        line = line_of("dns", "app.test", "--server", f"127.0.0.1:{server.port}")
    assert line == f"PASS - 127.0.0.1:{server.port} answered app.test A with 10.0.0.5 in T"


def test_a_query_that_is_lost_is_sent_again() -> None:
    heard: list[bytes] = []

    def lose_two(query: bytes) -> list[bytes]:
        heard.append(query)
        return [response(record(FIVE), query=query)] if len(heard) == 3 else []

    with Says(lose_two) as server:
        line = line_of("dns", "app.test", "--server", f"127.0.0.1:{server.port}", timeout=3)
    assert line == f"PASS - 127.0.0.1:{server.port} answered app.test A with 10.0.0.5 in T"
    assert heard == [heard[0]] * 3


def test_nothing_but_foreign_datagrams_is_no_answer() -> None:
    with Says(lambda query: [other_question(query)]) as server:
        line = line_of("dns", "app.test", "--server", f"127.0.0.1:{server.port}", timeout=1)
    assert line == f"FAIL - 127.0.0.1:{server.port} did not answer for app.test within 1 s"


def test_a_server_that_cannot_read_the_question_says_so_with_the_header_alone() -> None:
    with Says(lambda query: [query[:2] + b"\x81\x81" + bytes(8)]) as server:
        line = line_of("dns", "app.test", "--server", f"127.0.0.1:{server.port}")
    assert line == f"FAIL - 127.0.0.1:{server.port} answered app.test A with FORMERR, expected NOERROR"


def test_an_answer_over_tcp_that_is_another_s_fails() -> None:
    def answer(connection: socket.socket, _: Talker) -> None:
        said = other_question(connection.recv(1000)[2:])
        connection.sendall(len(said).to_bytes(2, "big") + said)

    with talking(answer) as talker:
        line = line_of("dns", "app.test", "--tcp", "--server", talker.address)
    assert line == f"FAIL - {talker.address} sent what is not an answer to the question"


def with_hosts(path: Path, hosts: str, *words: object) -> str:
    """The line of a check on a node whose hosts file has these lines."""
    (path / "hosts").write_text(hosts)
    command = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
    inside = ["sh", "-c", command, "sh", path / "hosts", sys.executable, "-m", "hachecks", "dns", *words]
    done = subprocess.run(
        ["unshare", "-m", *map(str, inside)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert not done.stderr, done
    return re.sub(r" in [\d.]+ m?s$", "", done.stdout.rstrip())


def good(query: bytes) -> list[bytes]:
    return [response(record(FIVE), query=query)]


class TestServerWithTwoAddresses:
    HOSTS = "127.0.0.2 ns.test\n127.0.0.3 ns.test\n::1 ns.test\n"

    @pytest.mark.parametrize("host", ["127.0.0.2", "127.0.0.3", "::1"])
    def test_is_asked_at_each_until_one_answers(self, tmp_path: Path, host: str) -> None:
        with Says(good, host) as server:
            line = with_hosts(tmp_path, self.HOSTS, "app.test", "--server", f"ns.test:{server.port}")
        where = Target(host, server.port)
        assert line == f"PASS - {where} answered app.test A with 10.0.0.5"

    @pytest.mark.parametrize("said", [[], [b"nonsense"]], ids=["nothing", "nonsense"])
    def test_is_asked_at_the_next_where_one_says(self, tmp_path: Path, said: list[bytes]) -> None:
        with Says(lambda _: said, "127.0.0.2") as bad, Says(good, "127.0.0.3", bad.port):
            words = ("app.test", "--server", f"ns.test:{bad.port}", "--timeout", "4s")
            line = with_hosts(tmp_path, "127.0.0.2 ns.test\n127.0.0.3 ns.test\n", *words)
        assert line == f"PASS - 127.0.0.3:{bad.port} answered app.test A with 10.0.0.5"

    def test_says_what_each_said(self, tmp_path: Path) -> None:
        with Says(lambda _: [], "127.0.0.2") as silent:
            words = ("app.test", "--server", f"ns.test:{silent.port}", "--timeout", "2s")
            line = with_hosts(tmp_path, "127.0.0.2 ns.test\n127.0.0.3 ns.test\n", *words)
        assert sorted(line.removeprefix("FAIL - ").split("; ")) == [
            f"127.0.0.2:{silent.port} did not answer for app.test within 2 s",
            f"127.0.0.3:{silent.port} refused the connection",
        ]

    def test_is_asked_over_tcp_at_each(self, tmp_path: Path) -> None:
        def answer(connection: socket.socket, _: Talker) -> None:
            said = response(record(FIVE), query=connection.recv(1000)[2:])
            connection.sendall(len(said).to_bytes(2, "big") + said)

        with talking(answer, host="::1") as talker:
            port = talker.address.rpartition(":")[2]
            line = with_hosts(tmp_path, self.HOSTS, "app.test", "--tcp", "--server", f"ns.test:{port}")
        assert line == f"PASS - {talker.address} answered app.test A with 10.0.0.5"

    def test_may_be_given_by_connect_to(self, tmp_path: Path) -> None:
        with Says(good, "127.0.0.3") as server:
            words = ("app.test", "--server", "127.0.0.9:53", "--connect-to", f"ns.test:{server.port}")
            line = with_hosts(tmp_path, self.HOSTS, *words)
        assert line == f"PASS - 127.0.0.3:{server.port} answered app.test A with 10.0.0.5"


def records_of(*records: bytes, kind: str = "A") -> list[str]:
    query = question("app.test", kind, 1, recursion=True)
    return Answer(response(*records, query=query), query, "it").records()


TWO = b"\3two\4test\0"


class TestRecords:
    def test_of_aliases_count_in_whichever_order(self) -> None:
        assert records_of(record(FIVE, owner=TWO), record(TWO, "CNAME")) == ["10.0.0.5"]

    def test_of_another_name_or_class_do_not_count(self) -> None:
        assert records_of(record(SIX, owner=TWO), record(SIX, place=3), record(FIVE)) == ["10.0.0.5"]

    def test_of_aliases_in_a_circle_end(self) -> None:
        assert records_of(record(TWO, "CNAME"), record(SAME_NAME, "CNAME", owner=TWO), record(FIVE)) == ["10.0.0.5"]

    def test_show_bytes_in_a_name_as_zone_files_do(self) -> None:
        assert records_of(record(b"\5a.\xfc \\\4test\0", "CNAME"), kind="CNAME") == ["a\\.\\252\\032\\\\.test"]

    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            pytest.param(FIVE[:3], "A", id="short-address"),
            pytest.param(FIVE + b"\0", "A", id="long-address"),
            pytest.param(b"", "A", id="no-address"),
            pytest.param(bytes(15), "AAAA", id="short-ipv6-address"),
            pytest.param(b"\0", "MX", id="half-a-number"),
            pytest.param(b"\0\5" + TWO + b"\0", "MX", id="more-than-a-name"),
            pytest.param(b"\5hello!", "TXT", id="text-and-a-half"),
            pytest.param(b"\7hello", "TXT", id="text-that-is-not-there"),
            pytest.param(b"\xc0\x26", "CNAME", id="pointer-to-itself"),
            pytest.param(TWO + b"\0", "CNAME", id="more-than-a-name-alone"),
            pytest.param(b"\x41" + b"x" * 65 + b"\0", "CNAME", id="reserved-kind-of-label"),
            pytest.param((b"\x3f" + b"x" * 63) * 4 + b"\0", "CNAME", id="longer-than-a-name-may-be"),
            pytest.param(TWO + TWO + bytes(19), "SOA", id="half-a-start"),
        ],
    )
    def test_of_another_shape_cannot_be_read(self, data: bytes, kind: str) -> None:
        query = question("app.test", kind, 7, recursion=True)
        with Says(lambda asked: [response(record(data, kind), query=asked)]) as server:
            words = ("app.test", "--type", kind, "--server", f"127.0.0.1:{server.port}")
            assert line_of("dns", *words) == f"FAIL - 127.0.0.1:{server.port} sent an answer that cannot be read"
        with pytest.raises(Failure, match="cannot be read"):
            Answer(response(record(data, kind), query=query), query, "it").records()


KINDS = st.sampled_from(list(TYPES))
DATA = st.binary(max_size=40) | st.sampled_from([FIVE, bytes(16), b"\0\5" + TWO, TWO, b"\5hello", b"\xc0\x0c"])
OWNERS = st.sampled_from([SAME_NAME, TWO, b"\xc0\xff", b"\0"]) | st.binary(max_size=8)
RECORDS_LIKE = st.builds(record, DATA, KINDS, OWNERS)
CHANGES = st.lists(st.tuples(st.integers(12, 400), st.integers(0, 255)), max_size=4)


@given(st.lists(RECORDS_LIKE, max_size=4), st.binary(max_size=60), CHANGES, KINDS, st.integers(0, 400))
def test_any_answer_is_read_or_fails(
    records: list[bytes], tail: bytes, changes: list[tuple[int, int]], kind: str, length: int
) -> None:
    query = question("app.test", kind, 1, recursion=True)
    data = bytearray(response(*records, tail, query=query))
    for at, value in changes:
        if at < len(data):
            data[at] = value
    for message in (bytes(data), bytes(data[:length])):
        answers(message, query)
        try:
            for found in Answer(message, query, "it").records():
                normal(found, kind)
        except Failure:
            pass


@given(st.lists(RECORDS_LIKE, max_size=3), st.binary(max_size=30))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_a_server_sends_ends_in_a_plain_line(records: list[bytes], tail: bytes) -> None:
    with Says(lambda query: [response(*records, tail, query=query)]) as server:
        line = line_of("dns", "app.test", "--server", f"127.0.0.1:{server.port}", timeout=0.5)
    assert line.startswith(("PASS - ", "FAIL - "))
    assert is_plain(line)
