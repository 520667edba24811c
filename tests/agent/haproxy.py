"""A real HAProxy that asks an agent about its servers, and what it thinks of them."""

from __future__ import annotations

import csv
import io
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 30.0
CONFIGURATION = """
global
  stats socket {directory}/admin level admin
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend clients
  bind 127.0.0.1:{port}
  default_backend web
backend web
{servers}
"""


class HAProxy:
    """A running one, with one server line for each of the given."""

    def __init__(self, directory: Path, servers: list[str]) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.port = free_port()
        lines = "\n".join(f"  server {line}" for line in servers)
        text = CONFIGURATION.format(directory=directory, port=self.port, servers=lines)
        (directory / "haproxy.cfg").write_text(text)

    def ask(self, command: str) -> str:
        """What the admin socket answers."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(PATIENCE)
            asked.connect(str(self.directory / "admin"))
            asked.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: asked.recv(65536), b"")).decode()

    def servers(self) -> dict[str, dict[str, str]]:
        """The rows of `show stat`, by the server's name."""
        rows = csv.DictReader(io.StringIO(self.ask("show stat").lstrip("# ")))
        return {row["svname"]: row for row in rows if row["pxname"] == "web" and row["svname"] != "BACKEND"}

    def until(self, name: str, true: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The row of a server when something has become true of it."""
        ends = time.monotonic() + PATIENCE
        while not true(row := self.servers()[name]):
            assert time.monotonic() < ends, row
            time.sleep(0.02)
        return row

    def until_it_is(self, name: str, status: str, weight: int, said: str = "") -> dict[str, str]:
        """The row when status and weight are these, and the agent's words hold these."""
        return self.until(
            name,
            lambda row: row["status"] == status and row["weight"] == str(weight) and said in row["last_agt"],
        )


@contextmanager
def haproxy(directory: Path, *servers: str) -> Iterator[HAProxy]:
    """A HAProxy that runs."""
    one = HAProxy(directory, list(servers))
    words = ["setpriv", "--pdeathsig=KILL", "haproxy", "-db", "-f", str(directory / "haproxy.cfg")]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        ends = time.monotonic() + PATIENCE
        while not (directory / "admin").exists():
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < ends
            time.sleep(0.02)
        yield one
    finally:
        process.kill()
        process.wait(PATIENCE)
