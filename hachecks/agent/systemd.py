"""The service manager's side of the agent: what systemd is told of it, by the datagrams of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"


class ServiceManager:
    """Whoever started this process and wants to hear of it; nobody, where NOTIFY_SOCKET is not set.

    `watchdog_interval` is after how many seconds a word is due, half of what it waits for; None where it waits for
    none. What cannot be said is not: the agent does its work whether anybody hears of it or not.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.address = environ.get("NOTIFY_SOCKET", "")
        self.watchdog_interval: float | None = None
        microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        if self.address and microseconds.isdecimal() and int(microseconds) and pid in ("", str(os.getpid())):
            self.watchdog_interval = int(microseconds) / 2e6

    def tell(self, *words: str) -> None:
        """Say these, such as `READY=1`, in one datagram."""
        if self.address[:1] not in ("/", "@"):
            return
        address = self.address.replace("@", "\0", 1) if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.setblocking(False)
                to.sendto("\n".join(words).encode("utf-8", "replace"), address)
        except OSError:
            pass

    def tell_reloading(self) -> None:
        """It reads its configuration anew, until it says READY again (Type=notify-reload)."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def status(text: str) -> str:
    """The word for one line that people read in `systemctl status`."""
    return f"STATUS={text}"
