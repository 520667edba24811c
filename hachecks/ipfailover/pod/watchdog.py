"""The agent's sign of life: it speaks to us as to a service manager (sd_notify(3)), and is ended when it is silent.

Kubelet would end the pod, and with it Keepalived, for an agent that hangs.
"""

from __future__ import annotations

import contextlib
import os
import socket
from time import monotonic

NAME = "agent.socket"
PATIENCE = 20.0
"""Seconds of silence after which it hangs; kubelet waits for a minute."""
FIRST_PATIENCE = 40.0
"""The same from its start: its first word comes when every check has run once."""
STILL = 5.0
"""Seconds without a look after which we ourselves stood still, and nobody is to blame for that time."""
WORD = b"WATCHDOG=1"
MOST_WORDS = 1000
"""Datagrams that are read at once: whoever is in the pod could send them without end."""


class Watchdog:
    """Listens to the agent; `environ` is what the agent has to be told for it, nothing where nobody can listen."""

    def __init__(self, directory: str, patience: float = PATIENCE, first_patience: float = FIRST_PATIENCE) -> None:
        self.environ: dict[str, str] = {}
        self._path = os.path.join(directory, NAME)
        self._patience, self._first_patience = patience, first_patience
        self._silent_at = self._looked = monotonic()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            self._socket.bind(self._path)
            self.environ = {"NOTIFY_SOCKET": self._path, "WATCHDOG_USEC": str(int(patience * 1e6)), "WATCHDOG_PID": ""}

    def begin(self) -> None:
        """It has just been started."""
        self._has_word()
        self._silent_at = monotonic() + self._first_patience

    def is_silent(self) -> bool:
        """Whether it has not been heard for too long."""
        now = monotonic()
        if self._has_word() or now - self._looked > STILL:
            # A word does not shorten the time for the first one.
            self._silent_at = max(self._silent_at, now + self._patience)
        self._looked = now
        return bool(self.environ) and now > self._silent_at

    def _has_word(self) -> bool:
        words: list[bytes] = []
        with contextlib.suppress(OSError):
            while len(words) < MOST_WORDS:
                words.append(self._socket.recv(4096))
        return any(WORD in word.split(b"\n") for word in words)

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)
