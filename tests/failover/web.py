"""How can a web service fail?  nginx under a name, and the ways to break and to repair it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from .namespace import Namespace, Process, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONFIGURATION = """\
daemon off;
worker_processes 1;
pid /run/nginx.pid;
events {{}}
http {{
    access_log off;
    default_type text/plain;
    server {{
        listen 80 backlog=128;
        location / {{
            if (-e /run/broken) {{ return 500 "out of order\\n"; }}
            return 200 "{name}\\n";
        }}
    }}
}}
"""


class Web:
    """nginx on port 80 of every address of its node; it answers with the node's name."""

    def __init__(self, name: str, namespace: Namespace) -> None:
        self._namespace = namespace
        self._broken = namespace.path("/run/broken")
        namespace.path("/run/nginx.conf").write_text(CONFIGURATION.format(name=name))
        self._process = self._start()

    def kill(self) -> None:
        """SIGKILL: the kernel refuses every connection from now on."""
        self._process.end()

    def hang(self) -> None:
        """SIGSTOP: the kernel goes on accepting connections, and nobody answers."""
        self._process.signal(signal.SIGSTOP)

    def answer_500(self) -> None:
        """Every request gets an answer, and every answer is an error."""
        self._broken.touch()

    def repair(self) -> None:
        """Undo whatever was done to it, and wait until it serves."""
        self._broken.unlink(missing_ok=True)
        if self._process.running:
            self._process.signal(signal.SIGCONT)
        else:
            self._process = self._start()
        wait_until("nginx answers", self.answers)

    def answers(self) -> bool:
        return self._namespace.run("curl", "--silent", "--fail", "--max-time", "1", "http://127.0.0.1/").returncode == 0

    def _start(self) -> Process:
        return self._namespace.start("nginx", "-e", "stderr", "-c", "/run/nginx.conf")


BREAKAGES: Mapping[str, Callable[[Web], None]] = {"kill": Web.kill, "hang": Web.hang, "500": Web.answer_500}
