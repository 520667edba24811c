"""A real nginx that a test can kill, hang and start again, and that ends idle connections as soon as it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 30.0
CONFIGURATION = """
daemon off;
master_process {master};
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_header_timeout {idle};
    server {{
        listen 127.0.0.1:{port};
        listen unix:{directory}/web.sock;
        location / {{ return 200 'well\\n'; }}
    }}
}}
"""


class Web:
    """One nginx; `port` is the same each time it is started."""

    def __init__(self, directory: Path, idle: str, master: bool) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.socket = directory / "web.sock"
        self.process: subprocess.Popen[bytes] | None = None
        text = CONFIGURATION.format(directory=directory, port=self.port, idle=idle, master="on" if master else "off")
        (directory / "nginx.conf").write_text(text)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def requests(self) -> int:
        """How many have been answered."""
        return len((self.directory / "access.log").read_text().splitlines())

    def start(self) -> Web:
        self.socket.unlink(missing_ok=True)
        log = str(self.directory / "error.log")
        words = ["setpriv", "--pdeathsig=KILL", "nginx", "-p", str(self.directory)]
        words += ["-c", str(self.directory / "nginx.conf"), "-e", log]
        pid = self.directory / "nginx.pid"
        pid.unlink(missing_ok=True)
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        ends = time.monotonic() + PATIENCE
        while not (pid.exists() and pid.read_text().strip()):
            assert self.process.poll() is None, (self.directory / "error.log").read_text()
            assert time.monotonic() < ends
            time.sleep(0.01)
        return self

    def kill(self, number: int = signal.SIGKILL) -> float:
        """End it at once; returns the monotonic instant before."""
        assert self.process is not None
        before = time.monotonic()
        os.kill(self.process.pid, number)
        self.process.wait(PATIENCE)
        return before


@contextmanager
def web(directory: Path, idle: str = "60s", *, master: bool = False) -> Iterator[Web]:
    """An nginx that runs."""
    one = Web(directory, idle, master)
    try:
        yield one.start()
    finally:
        if one.process is not None and one.process.poll() is None:
            one.kill(signal.SIGTERM)
