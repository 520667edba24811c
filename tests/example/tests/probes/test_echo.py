"""A server says back what it is told, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli import hacheck
from tests.contracts import Stage, run_of
from tests.probes.asking import line_of
from tests.talker import talking

if TYPE_CHECKING:
    import socket

    from tests.talker import Talker

CONTRACTS = ("{host}:{port}", "{host}:{port} --end nothing")
BASES = ("h:7",)
SAMPLES = {"--word": "word"}


def echo(connection: socket.socket, talker: Talker) -> None:
    while data := connection.recv(1000):
        talker.heard.append(data)
        connection.sendall(data)


def mutter(connection: socket.socket, _talker: Talker) -> None:
    connection.sendall(connection.recv(1000).upper())


@run_of("EchoProbe --end")
def _(choice: str, _stage: Stage) -> None:
    with talking(echo) as talker:
        assert hacheck("echo", talker.address, "--end", choice).code == 0
    assert b"".join(talker.heard) == {"line": b"hello\r\n", "nothing": b"hello"}[choice]


@pytest.mark.parametrize("word", ["hello", "x"])
def test_what_comes_back_is_good(word: str) -> None:
    with talking(echo) as talker:
        assert line_of("echo", talker.address, "--word", word) == f"PASS - {talker.address} says it back"


def test_something_else_is_not() -> None:
    with talking(mutter) as talker:
        assert line_of("echo", talker.address) == f"FAIL - {talker.address} says something else"
