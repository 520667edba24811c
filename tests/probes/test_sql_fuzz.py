"""Whatever a server says, the sql probe answers with a verdict in plain words."""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.probes.sql import SqlProbe
from hachecks.settings import build
from tests.mysql8 import CAPABILITIES, EOF, FAST_LOGIN, OK, SALT, column, packet, text
from tests.probes.test_sql import AUTHENTICATED, FIELD, READY, ROW, STANDBY, message

if TYPE_CHECKING:
    from hachecks.verdict import Verdict

PYTHON = re.compile(
    r"[a-z]Error\b|\bException|bytearray|\bb['\"]|codec|NoneType|Traceback|object at 0x|argument|literal for|unpack|"
    r"pg8000|PyMySQL|pymysql|scramp|local variable|\bNone\b|\bnan\b"
)
GREETING = (
    b"\x0a8.0.36\0" + bytes(4) + SALT[:8] + b"\0" + (CAPABILITIES & 0xFFFF).to_bytes(2, "little") + b"\xff\2\0"
    + (CAPABILITIES >> 16).to_bytes(2, "little") + b"\x15" + bytes(10) + SALT[8:] + b"\0caching_sha2_password\0"
)  # fmt: skip
RESULT = b"".join(packet(n + 1, body) for n, body in enumerate([b"\1", column("x"), EOF, text("1"), EOF]))
DENIED = packet(2, b"\xff\x15\x04#28000Access denied")
SWITCH = packet(2, b"\xfemysql_native_password\0" + SALT + b"\0")
ANSWER = message(b"T", struct.pack("!h", 1) + FIELD) + ROW + message(b"C", b"SELECT 1\0") + READY
ERROR = message(b"E", b"SFATAL\0C28P01\0Mno\0\0") + READY
CONVERSATIONS = {
    "mysql": [
        [packet(0, GREETING), packet(2, FAST_LOGIN) + packet(3, OK), packet(1, OK), packet(1, OK), RESULT, RESULT],
        [packet(0, GREETING), packet(2, OK), packet(1, OK), packet(1, OK), packet(1, OK), RESULT],
        [packet(0, GREETING), SWITCH, packet(4, OK), packet(1, OK), RESULT],
        [packet(0, GREETING), DENIED],
    ],
    "postgresql": [
        [AUTHENTICATED + STANDBY + READY, ANSWER, ANSWER, ANSWER],
        [
            message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"),
            message(b"R", struct.pack("!i", 11) + b"r=x,s=eA==,i=1"),
        ],
        [message(b"R", struct.pack("!i", 5) + b"salt"), AUTHENTICATED + READY, ANSWER, ANSWER],
        [AUTHENTICATED + STANDBY + READY, ERROR, ERROR],
    ],
}  # fmt: skip
QUESTIONS: list[dict[str, object]] = [
    {}, {"query": "select 1", "expect": "1"}, {"role": "standby", "max_lag": "1s"}, {"writable": True},
    {"ready_only": True},
]  # fmt: skip
Change = tuple[int, str, bytes]
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 400), st.sampled_from(("set", "insert", "cut", "drop")), st.binary(min_size=1, max_size=6)
    ),
    max_size=6,
)


def changed(said: list[bytes], changes: list[Change]) -> list[bytes]:
    """What is said, with bytes set, put in, taken away, or cut off after."""
    whole = bytearray(b"".join(said))
    ends = [sum(map(len, said[: n + 1])) for n in range(len(said))]
    for where, how, data in changes:
        at = where % (len(whole) or 1)
        if how == "set":
            whole[at : at + len(data)] = data
        elif how == "insert":
            whole[at:at] = data
        elif how == "drop":
            del whole[at : at + len(data)]
        else:
            del whole[at + 64 :]
    return [bytes(whole[begin:end]) for begin, end in zip([0, *ends], [*ends[:-1], len(whole)])]


def ask(scheme: str, said: list[bytes], table: dict[str, object]) -> Verdict:
    """The verdict on somebody who says this, a part for each thing that he hears, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            with suppress(OSError), listener.accept()[0] as connection:
                connection.settimeout(5)
                for number, part in enumerate(said):
                    if number or scheme != "mysql":
                        connection.recv(65536)
                    connection.sendall(part)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        talker = threading.Thread(target=talk)
        talker.start()
        url = f"{scheme}://u@127.0.0.1:{listener.getsockname()[1]}/d"
        probe = build(SqlProbe, "sql", {}, {}, {"url": url, "password": "secret", **table}, "hacheck.toml")
        verdict = runner.conclude(probe, Deadline.after(0.3))
        listener.shutdown(socket.SHUT_RDWR)  # or who has not been connected to in time would wait for ever
        talker.join(10)
    return verdict


@pytest.mark.parametrize("scheme", list(CONVERSATIONS))
@given(number=st.integers(0, 3), changes=CHANGES, table=st.sampled_from(QUESTIONS))
@example(number=0, changes=[(0, "cut", b"x"), (1, "set", b"999")], table={})
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_server_says_is_answered_in_plain_words(
    scheme: str, number: int, changes: list[Change], table: dict[str, object]
) -> None:
    verdict = ask(scheme, changed(CONVERSATIONS[scheme][number], changes), table)
    assert verdict.kind != "internal", verdict
    assert not PYTHON.search(verdict.reason), verdict
    assert verdict.reason.startswith("127.0.0.1:"), verdict


@pytest.mark.parametrize("scheme", list(CONVERSATIONS))
@pytest.mark.parametrize("size", range(0, 80, 3))
def test_conversation_that_breaks_off_is_a_failure(scheme: str, size: int) -> None:
    first = CONVERSATIONS[scheme][0][0]
    whole = packet(0, GREETING[:size]) if scheme == "mysql" else first[: size % len(first)]
    verdict = ask(scheme, [whole], {})
    assert verdict.kind in ("protocol", "timeout"), verdict
    assert not PYTHON.search(verdict.reason), verdict
