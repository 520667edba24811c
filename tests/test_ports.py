"""A port that a server is told is nobody else's until it opens it."""

from __future__ import annotations

import socket
import subprocess
import sys

from tests import ports
from tests.cli import ROOT

TOLD = f"""
from tests.ports import free_port
print(*(free_port() for _ in range({ports.MOST_RESERVED})), flush=True)
input()
"""


def test_nobody_is_told_the_port_of_another() -> None:
    words = [sys.executable, "-c", TOLD]
    others = [
        subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        told = [int(port) for one in others for port in one.stdout.readline().split()]  # type: ignore[union-attr]
        told += [ports.free_port() for _ in range(ports.MOST_RESERVED)]
    finally:
        for one in others:
            one.communicate("\n")
    assert len(told) == len(set(told)) == 4 * ports.MOST_RESERVED


def test_what_somebody_has_is_not_free() -> None:
    port = ports.free_port()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as theirs:
            theirs.bind(("127.0.0.1", port))
            assert not ports._is_free(port)
    assert ports._is_free(port)
