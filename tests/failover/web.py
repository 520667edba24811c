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
        listen 127.0.0.1:1936 backlog=128;
        location / {{
            if (-e /run/broken) {{ return 500 "out of order\\n"; }}
            return 200 "{name}\\n";
        }}
    }}
}}
"""


class Web:
    """nginx on port 80 of every address of its node; it answers with the node's name.

    It is also asked where OpenShift's router is asked for its health, by whoever looks from the node itself.
    """

    def __init__(self, name: str, namespace: Namespace) -> None:
        self._namespace = namespace
        self._broken = namespace.path("/run/broken")
        namespace.path("/run/nginx.conf").write_text(CONFIGURATION.format(name=name))
        self.process = self.start()

    def kill(self) -> None:
        """SIGKILL: the kernel refuses every connection from now on."""
        self.process.end()

    def hang(self) -> None:
        """SIGSTOP: the kernel goes on accepting connections, and nobody answers."""
        self.process.signal(signal.SIGSTOP)

    def answer_500(self) -> None:
        """Every request gets an answer, and every answer is an error."""
        self._broken.touch()

    def restart(self) -> None:
        """Start it again, as a supervisor does."""
        self.process = self.start()

    def works(self) -> None:
        """It answers as it should, if it runs."""
        self._broken.unlink(missing_ok=True)

    def repair(self) -> None:
        """Undo whatever was done to it, and wait until it serves."""
        self.works()
        if self.process.running:
            self.process.signal(signal.SIGCONT)
        else:
            self.process = self.start()
        wait_until("nginx answers", self.answers)

    def answers(self) -> bool:
        return self._namespace.run("curl", "--silent", "--fail", "--max-time", "1", "http://127.0.0.1/").returncode == 0

    def start(self) -> Process:
        """Start it."""
        return self._namespace.start("nginx", "-e", "stderr", "-c", "/run/nginx.conf")


BREAKAGES: Mapping[str, Callable[[Web], None]] = {"kill": Web.kill, "hang": Web.hang, "500": Web.answer_500}
