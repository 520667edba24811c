"""HTTP/2 as servers end it: answers behind a GOAWAY, refusals, and what breaks the rules."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import hpack
import pytest
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, RstStreamFrame, SettingsFrame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import nginx
from tests.probes.asking import is_plain, line_of, verdict_of
from tests.talker import Talker, talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.nginx import Nginx

ENDS = ["END_STREAM"]
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM = 0, 2, 7, 11
LARGEST_STREAM = 2**31 - 1


def headers(*fields: tuple[bytes, bytes], ends: bool = True) -> Frame:
    """An HTTP/2 frame with these header fields."""
    return HeadersFrame(1, hpack.Encoder().encode(fields), flags=["END_HEADERS", *(ENDS if ends else [])])


OK = headers((b":status", b"200"), ends=False)
BODY = DataFrame(1, b"ok", flags=ENDS)


def sending(*connections: list[Frame] | bytes) -> Callable[[socket.socket, Talker], None]:
    """Send these frames on the first connection, those on the second, and the last ones on any that follow."""

    def answer(connection: socket.socket, talker: Talker) -> None:
        talker.heard.append(connection.recv(65536))
        said = connections[min(len(talker.heard), len(connections)) - 1]
        if isinstance(said, list):
            said = b"".join(frame.serialize() for frame in [SettingsFrame(0), *said])
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            talker.heard[-1] += data

    return answer


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([GoAwayFrame(0, 1, NO_ERROR), OK, BODY], id="before-the-answer"),
        pytest.param([OK, GoAwayFrame(0, 1, NO_ERROR), BODY], id="within-the-answer"),
        pytest.param([OK, BODY, GoAwayFrame(0, 1, INTERNAL_ERROR)], id="with-an-error-behind-the-answer"),
        pytest.param([GoAwayFrame(0, LARGEST_STREAM, NO_ERROR), GoAwayFrame(0, 1, NO_ERROR), OK, BODY], id="twice"),
        pytest.param([OK, BODY, RstStreamFrame(1, NO_ERROR)], id="and-a-reset-of-what-we-might-still-send"),
        pytest.param([headers((b":status", b"103"), ends=False), OK, BODY], id="behind-an-informational-one"),
        pytest.param([headers((b":status", b"200"), (b"x", b" blanks "), ends=False), BODY], id="with-blanks"),
    ],
)
def test_answer_that_came_counts(frames: list[Frame]) -> None:
    with talking(sending(frames)) as talker:
        url = f"http://{talker.address}/"
        assert line_of("http", url, "--http2", "--body-matches", "^ok$") == f"PASS - {url} answered 200 in T"
    assert len(talker.heard) == 1


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(GoAwayFrame(0, 0, NO_ERROR), id="goaway"),
        pytest.param(RstStreamFrame(1, REFUSED_STREAM), id="refused-stream"),
    ],
)
class TestRequestThatTheServerHasNotBegunWith:
    def test_is_made_again_on_a_new_connection(self, frame: Frame) -> None:
        with talking(sending([frame], [OK, BODY])) as talker:
            url = f"http://{talker.address}/"
            assert line_of("http", url, "--http2", "--body", "x") == f"PASS - {url} answered 200 in T"
        assert len(talker.heard) == 2

    def test_is_not_made_for_ever(self, frame: Frame) -> None:
        with talking(sending([frame])) as talker:
            line = line_of("http", f"http://{talker.address}/", "--http2")
        told = "did not begin with the request on any of 3 connections (GOAWAY)"
        assert line == f"FAIL - {talker.address} {told}"
        assert len(talker.heard) == 3

    def test_ends_by_the_one_deadline(self, frame: Frame) -> None:
        def refuse_once(connection: socket.socket, talker: Talker) -> None:
            if not talker.heard:
                sending([frame])(connection, talker)
            else:
                connection.recv(65536)
                while connection.recv(65536):
                    pass

        with talking(refuse_once) as talker:
            verdict = verdict_of("http", f"http://{talker.address}/", "--http2", timeout=1.5)
        assert repr(verdict) == f"FAIL - http://{talker.address}/ gave no full answer within 1.5 s (first byte)"


def test_request_that_a_server_did_not_even_hear_is_made_again() -> None:
    def close_at_once(connection: socket.socket, talker: Talker) -> None:
        if talker.heard:
            sending([OK, BODY])(connection, talker)
        else:
            talker.heard.append(b"")
            connection.sendall(b"".join(frame.serialize() for frame in [SettingsFrame(0), GoAwayFrame(0, 0, NO_ERROR)]))

    with talking(close_at_once) as talker:
        url = f"http://{talker.address}/"
        assert line_of("http", url, "--http2") == f"PASS - {url} answered 200 in T"


def test_request_that_the_server_may_have_begun_with_is_not_made_again() -> None:
    with talking(sending([GoAwayFrame(0, 1, NO_ERROR)])) as talker:
        line = line_of("http", f"http://{talker.address}/", "--http2")
    assert line == f"FAIL - {talker.address} closed the connection in the middle of an answer"
    assert len(talker.heard) == 1


@pytest.mark.parametrize("ends", [[], [RstStreamFrame(1, NO_ERROR)]], ids=["open", "reset"])
def test_answer_before_the_body_was_sent_counts(ends: list[Frame]) -> None:
    refusal = [headers((b":status", b"413")), *ends]
    with talking(sending(refusal)) as talker:
        url = f"http://{talker.address}/"
        words = ("--http2", "--body", "x" * 100_000, "--status", "413")
        assert line_of("http", url, *words) == f"PASS - {url} answered 413 in T"


def test_is_left_with_a_goaway() -> None:
    with talking(sending([OK, BODY])) as talker:
        assert line_of("http", f"http://{talker.address}/", "--http2").startswith("PASS")
    assert talker.heard[0].endswith(GoAwayFrame(0, 0, NO_ERROR).serialize())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param([headers((b"server", b"x"))], "gave no proper HTTP answer: it has no status", id="no-status"),
        pytest.param(
            [headers((b":status", b"ok"))], "gave no proper HTTP answer: its status is not a number", id="no-number"
        ),
        pytest.param(
            [headers((b":status", b"200"), (b"content-length", b"9"), ends=False), BODY],
            "gave no proper HTTP answer: its body has 2 bytes, although 9 were announced",
            id="wrong-length",
        ),
        pytest.param([OK, DataFrame(1, b"hello")], "closed the connection in the middle of an answer", id="breaks-off"),
        pytest.param(
            [RstStreamFrame(1, INTERNAL_ERROR)],
            "gave no proper HTTP answer: it reset the stream (INTERNAL_ERROR)",
            id="resets-the-stream",
        ),
        pytest.param(
            [GoAwayFrame(0, 1, ENHANCE_YOUR_CALM)],
            "gave no proper HTTP answer: it said GOAWAY (ENHANCE_YOUR_CALM)",
            id="goes-away",
        ),
        pytest.param(
            [GoAwayFrame(0, 1, 12345)], "gave no proper HTTP answer: it said GOAWAY (error 12345)", id="goes-away-oddly"
        ),
        pytest.param(
            b"\0\0\0\4\0\0\0\0\0" + b"\0\0\3\7\0\0\0\0\0abc",
            "gave no proper HTTP answer: it sent half a GOAWAY",
            id="half-a-goaway",
        ),
        pytest.param(
            [BODY], "gave no proper HTTP answer: it broke the rules of HTTP/2 (PROTOCOL_ERROR)", id="no-header"
        ),
        pytest.param(
            b"\0\0\0\4\0\0\0\0\0" + b"\xff\0\0\0\0\0\0\0\1" + b"x" * 20000,
            "gave no proper HTTP answer: it broke the rules of HTTP/2 (FRAME_SIZE_ERROR)",
            id="huge-frame",
        ),
        pytest.param(
            [HeadersFrame(1, b"\xff" * 9, flags=["END_HEADERS"])],
            "gave no proper HTTP answer: it broke the rules of HTTP/2 (PROTOCOL_ERROR)",
            id="garbled-header",
        ),
        pytest.param(
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "does not speak HTTP/2: it said 'HTTP/1.1 400 Bad Request'",
            id="http-1",
        ),
        pytest.param(b"\x15\3\3\0\2\2\x46", "closed the connection in the middle of an answer", id="tls-alert"),
        pytest.param(b"\x15\3\3\0\2\2\x46" + bytes(9), "does not speak HTTP/2, but TLS", id="tls"),
        pytest.param(b"\xff\xfe\xfd\4" + bytes(range(200, 240)), "does not speak HTTP/2", id="bytes-as-of-settings"),
        pytest.param(b"", "closed the connection without an answer", id="nothing"),
    ],
)
def test_what_is_no_answer_fails(said: list[Frame] | bytes, why: str) -> None:
    with talking(sending(said)) as talker:
        line = line_of("http", f"http://{talker.address}/", "--http2")
    assert line == f"FAIL - {talker.address} {why}"


def test_header_that_http2_has_no_place_for_cannot_be_asked() -> None:
    with talking(sending([OK, BODY])) as talker:
        line = line_of("http", f"http://{talker.address}/", "--http2", "--header", "TE: gzip")
    assert line.startswith(f"UNKNOWN - {talker.address} cannot be asked this: ")
    assert is_plain(line)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """An nginx with all its listeners."""
    with nginx.running(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.mark.parametrize("words", [(), ("--body", "x" * 200_000, "--status", "405")], ids=["get", "post"])
def test_nginx_that_closes_after_one_request_is_asked(web: Nginx, words: tuple[str, ...]) -> None:
    url = web.url("h2once", "/")
    assert line_of("http", url, "--http2", *words).startswith(f"PASS - {url} answered ")


FRAMES = st.sampled_from(
    [OK, BODY, SettingsFrame(0), GoAwayFrame(0, 1, NO_ERROR), RstStreamFrame(1, 8), DataFrame(1, b"x")]
).map(Frame.serialize)
ANY_FRAME = st.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes([kind, flags, 0, 0, 0, stream]) + payload
    ),
    st.integers(0, 12),
    st.integers(0, 255),
    st.integers(0, 3),
    st.binary(max_size=20),
)


@given(st.lists(FRAMES | ANY_FRAME | st.binary(max_size=12), max_size=6).map(b"".join), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_a_server_sends_ends_in_a_plain_line(said: bytes, settled: bool) -> None:
    said = (SettingsFrame(0).serialize() if settled else b"") + said
    with talking(sending(said)) as talker:
        line = line_of("http", f"http://{talker.address}/", "--http2", timeout=1.0)
    assert line.startswith(("PASS - ", "FAIL - "))
    assert is_plain(line)
