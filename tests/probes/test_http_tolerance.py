"""HTTP/1.1 answers as they come in the wild: read where curl reads them, and never an error of ours."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.probes.asking import is_plain, line_of, verdict_of
from tests.servers import Http, Route
from tests.talker import Talker, talking

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH = b"Content-Length: 2\r\n\r\nok"
CHUNKS = b"2\r\nok\r\n0\r\n\r\n"


def answer(*fields: bytes, status: bytes = b"HTTP/1.1 200 OK", body: bytes = LENGTH) -> bytes:
    """A status line, these header lines, and a body of two bytes that is led by its length."""
    return b"\r\n".join([status, *fields, body])


def chunked(body: bytes, *fields: bytes) -> bytes:
    """The same in chunks."""
    return answer(*(fields or [b"Transfer-Encoding: chunked"]), body=b"\r\n" + body)


READ = {
    "plain": answer(),
    "no-reason": answer(status=b"HTTP/1.1 200"),
    "no-blank-before-the-reason": answer(status=b"HTTP/1.1 200OK"),
    "two-blanks": answer(status=b"HTTP/1.1  200 OK"),
    "small-letters": answer(status=b"http/1.1 200 ok"),
    "older": answer(status=b"HTTP/1.0 200 OK"),
    "newer-without-a-dot": answer(status=b"HTTP/2 200 OK"),
    "reason-in-utf-8": answer(status="HTTP/1.1 200 Größe".encode()),
    "reason-with-a-return": answer(status=b"HTTP/1.1 200 O\rK"),
    "line-feeds-alone": answer().replace(b"\r\n", b"\n"),
    "no-headers": b"HTTP/1.1 200 OK\r\n\r\nok",
    "blank-line-in-front": b"\r\n" + answer(),
    "blank-before-the-colon": answer(b"X-A : 1"),
    "no-name": answer(b": 1"),
    "no-colon": answer(b"nonsense"),
    "blank-in-the-name": answer(b"X A: 1"),
    "name-not-ascii": answer("Größe: 1".encode()),
    "value-in-utf-8": answer("X: Größe".encode()),
    "value-in-latin-1": answer("X: Größe".encode("latin-1")),
    "value-with-a-return": answer(b"X: a\rb"),
    "value-with-controls": answer(b"X: a\x01b\x0b\x0c\x7f"),
    "folded": answer(b"X: a", b"\t b"),
    "length-twice": answer(b"Content-Length: 2"),
    "length-as-a-list": answer(body=b"Content-Length: 2, 2\r\n\r\nok"),
    "more-than-its-length": answer() + b"!",
    "identity": answer(b"Transfer-Encoding: identity"),
    "identity-to-the-end": answer(b"Transfer-Encoding: Identity", body=b"\r\nok"),
    "no-coding": answer(b"Transfer-Encoding:"),
    "identity-and-chunked": chunked(CHUNKS, b"Transfer-Encoding: identity, chunked"),
    "chunked-and-identity": chunked(CHUNKS, b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "chunked-in-capitals": chunked(CHUNKS, b"Transfer-Encoding: CHUNKED"),
    "chunked-twice": chunked(CHUNKS, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked-with-a-length": chunked(CHUNKS, b"Content-Length: 7", b"Transfer-Encoding: chunked"),
    "chunked-with-two-lengths": chunked(
        CHUNKS, b"Content-Length: 7", b"Content-Length: 8", b"Transfer-Encoding: chunked"
    ),
    "extension": chunked(CHUNKS.replace(b"2", b"2;a=b")),
    "extension-with-blanks": chunked(CHUNKS.replace(b"2", b'2 ; a = "b"')),
    "blanks-behind-the-size": chunked(CHUNKS.replace(b"2", b"2  ")),
    "chunks-with-line-feeds-alone": chunked(CHUNKS.replace(b"\r\n", b"\n")),
    "zeros-before-the-size": chunked(CHUNKS.replace(b"2", b"0002")),
    "trailers": chunked(CHUNKS[:-2] + b"X: y\r\n\r\n"),
    "a-chunk-a-byte": chunked(b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
    "informational": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(),
    "informational-with-a-length": b"HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\n" + answer(),
}

NOT_READ = {
    "no-http": (b"ok", "{} does not speak HTTP: it said 'ok'"),
    "another-protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "{} does not speak HTTP: it said 'SSH-2.0-OpenSSH_9.2'"),
    "text-with-a-quote": (b"it's b'\n", "{} does not speak HTTP: it said \"it's b'\""),
    "bytes": (bytes(300), "{} does not speak HTTP"),
    "tls": (b"\x15\x03\x01\0\x02\x02\x46", "{} does not speak HTTP, but TLS"),
    "http-2": (b"\0\0\x12\x04\0\0\0\0\0" + bytes(18), "{} does not speak HTTP, but HTTP/2"),
    "half-a-name": (b"HTT", "{} closed the connection in the middle of an answer"),
    "half-a-header": (b"HTTP/1.1 200 OK\r\nX: y\r\n", "{} closed the connection in the middle of an answer"),
    "nothing": (b"", "{} closed the connection without an answer"),
    "no-status": (
        answer(status=b"HTTP/1.1 OK"),
        "{} gave no proper HTTP answer: its status line is 'HTTP/1.1 OK'",
    ),
    "status-of-two-digits": (
        answer(status=b"HTTP/1.1 20 OK"),
        "{} gave no proper HTTP answer: its status line is 'HTTP/1.1 20 OK'",
    ),
    "status-of-four-digits": (
        answer(status=b"HTTP/1.1 2000 OK"),
        "{} gave no proper HTTP answer: its status line is 'HTTP/1.1 2000 OK'",
    ),
    "nul-in-a-value": (answer(b"X: a\0b"), "{} gave no proper HTTP answer: there is a NUL in its header"),
    "another-protocol-unasked": (
        answer(status=b"HTTP/1.1 101 Switching"),
        "{} gave no proper HTTP answer: it switched to another protocol, unasked",
    ),
    "two-lengths": (
        answer(b"Content-Length: 3"),
        "{} gave no proper HTTP answer: conflicting Content-Length headers",
    ),
    "length-no-number": (
        answer(body=b"Content-Length: -2\r\n\r\nok"),
        "{} gave no proper HTTP answer: its Content-Length is not a number",
    ),
    "packed-on-the-way": (
        chunked(CHUNKS, b"Transfer-Encoding: gzip, chunked"),
        "{} gave no proper HTTP answer: its body is coded (gzip), although nothing was asked for",
    ),
    "chunk-without-a-size": (
        chunked(b"x\r\nok\r\n"),
        "{} gave no proper HTTP answer: where the size of a chunk is due, it said 'x'",
    ),
    "chunk-of-another-size": (
        chunked(b"1\r\nok\r\n0\r\n\r\n"),
        "{} gave no proper HTTP answer: a chunk is longer than its size says",
    ),
    "no-last-chunk": (
        chunked(CHUNKS[:-5]),
        "{} gave no proper HTTP answer: peer closed connection without sending complete message body "
        "(incomplete chunked read)",
    ),
    "no-end-behind-the-last-chunk": (
        chunked(CHUNKS[:-2]),
        "{} gave no proper HTTP answer: peer closed connection without sending complete message body "
        "(incomplete chunked read)",
    ),
}


def saying(said: bytes, pieces: int = 1) -> Callable[[socket.socket, Talker], None]:
    """Hear a request, and say this, in so many pieces."""

    def talk(connection: socket.socket, _: Talker) -> None:
        connection.recv(65536)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = max(1, -(-len(said) // pieces))
        for at in range(0, len(said), size):
            connection.sendall(said[at : at + size])
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    return talk


@pytest.mark.parametrize("pieces", [1, 50])
@pytest.mark.parametrize("said", READ.values(), ids=READ)
def test_answer_with_an_oddity_is_read(said: bytes, pieces: int) -> None:
    with talking(saying(said, pieces)) as talker:
        url = f"http://{talker.address}/"
        assert line_of("http", url, "--body-matches", "^ok!?$") == f"PASS - {url} answered 200 in T"


@pytest.mark.parametrize(("said", "why"), NOT_READ.values(), ids=NOT_READ)
def test_what_is_no_answer_fails_with_what_it_is(said: bytes, why: str) -> None:
    with talking(saying(said)) as talker:
        line = line_of("http", f"http://{talker.address}/")
    assert line == "FAIL - " + why.format(talker.address)
    assert is_plain(line)


@pytest.mark.parametrize("name", sorted(NOT_READ.keys() - {"two-lengths", "another-protocol-unasked"}))
def test_what_fails_is_no_answer_for_curl(name: str) -> None:
    """The two left out prove no health: nobody knows where the one ends, and the other is none to what was asked."""
    curl = shutil.which("curl")
    assert curl, "install curl"
    with talking(saying(NOT_READ[name][0])) as talker:
        done = subprocess.run([curl, "-sf", "-m", "5", f"http://{talker.address}/"], capture_output=True, check=False)
    assert done.returncode != 0 or done.stdout != b"ok"


def test_header_fields_are_text_in_utf_8_or_latin_1() -> None:
    for encoding in ("utf-8", "latin-1"):
        with talking(saying(answer("X-Where: Größe".encode(encoding)))) as talker:
            assert line_of("http", f"http://{talker.address}/", "--header-matches", "X-Where: ^Größe$").startswith(
                "PASS"
            )


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        pytest.param(
            "text/html; charset=iso-8859-1",
            "verfügbar".encode("latin-1"),
            ("--body-matches", "^verfügbar$"),
            id="latin-1",
        ),
        pytest.param("text/html", "verfügbar".encode("utf-8-sig"), ("--body-matches", "^verfügbar$"), id="mark"),
        pytest.param(
            "text/html", "verfügbar".encode("utf-16"), ("--body-lacks", "x", "--body-matches", "ü"), id="utf-16"
        ),
        pytest.param(
            "application/json", '{"a": "ü"}'.encode("utf-8-sig"), ("--json", '.a == "ü"'), id="json-with-a-mark"
        ),
        pytest.param(
            "application/json", '{"a": "ü"}'.encode("utf-16-le"), ("--json", '.a == "ü"'), id="json-in-utf-16"
        ),
        pytest.param("application/json", b'{"a": NaN, "b": 1}', ("--json", ".b == 1"), id="json-with-nan"),
    ],
)
def test_body_is_read_in_its_charset(content_type: str, body: bytes, words: tuple[str, ...]) -> None:
    with Http({"/": Route(body, headers={"Content-Type": content_type})}) as web:
        assert line_of("http", f"{web.url}/", *words) == f"PASS - {web.url}/ answered 200 in T"


STARTS = st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 X\r\n\r\n", b"HTTP/1.1 302 Found\r\n", b""])
FIELDS = st.sampled_from(
    [
        *(b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n", b"Location: /x\r\n", b"X: y\r\n", b" fold\r\n"),
        *(b"Transfer-Encoding: identity\r\n", b"Content-Type: text/html; charset=utf-16\r\n", b"\r\n", b"2\r\nok\r\n"),
        *(b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"Location: http://[\r\n", b'{"a": NaN}', b"Location: \xff\r\n"),
    ]
)
ANSWERS = st.builds(
    lambda start, parts: start + b"".join(parts), STARTS, st.lists(FIELDS | st.binary(max_size=20), max_size=8)
)


@given(ANSWERS, st.sampled_from([(), ("--json", ".a"), ("--body-matches", "x"), ("--redirects", "any-host")]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_a_server_sends_ends_in_a_plain_line(said: bytes, words: tuple[str, ...]) -> None:
    with talking(saying(said)) as talker:
        line = line_of("http", f"http://{talker.address}/", *words, timeout=2.0)
    assert line.startswith(("PASS - ", "FAIL - "))
    assert is_plain(line)


def test_a_proxy_that_wants_a_login_is_told_from_one_that_has_no_way() -> None:
    for status, kind in ((b"407 Proxy Authentication Required", "auth"), (b"502 Bad Gateway", "status")):

        def refuse(connection: socket.socket, _: Talker, status: bytes = status) -> None:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

        with talking(refuse) as talker:
            verdict = verdict_of("http", "https://shop.example/", "--proxy", f"http://{talker.address}")
        assert verdict.kind == kind
        assert (
            verdict.reason == f"the proxy {talker.address} answered {status[:3].decode()} to CONNECT shop.example:443"
        )
