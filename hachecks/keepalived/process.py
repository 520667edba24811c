"""Keepalived's process: whether it runs, as its process tells where that can be seen; a sidecar sees only its sockets.

Keepalived's VRRP process has raw sockets of IP protocol 112, which /proc/net/raw and /proc/net/raw6 show to everybody
in the network namespace. Tried with 2.2.7: they are there in MASTER, BACKUP and FAULT alike, whether a script failed or
the interface has no carrier, is down or has lost its addresses; with multicast, unicast, VMACs and IPv6; while stopped
by SIGSTOP, and through a reload, but for an instant at most. They are not there when no instance is configured, when
the configuration is broken, or when no instance's interface exists (deleted, renamed, or not made yet with
`dynamic_interfaces`; they come back with the interface, even a down one); for 10 to 30 ms after the VRRP process died
and its parent started it again; and from the instant in which the last process was killed.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from hachecks.proc import TICKS

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = (b"keepalived", b"keepalived_vrrp")
"""What its processes are called, the second with `process_names` in global_defs."""
VRRP = b":0070"
"""How the local address of a socket of IP protocol 112 ends."""
LOOPBACK = (b"0100007F", b"00000000000000000000000001000000")
"""127.0.0.1 and ::1 as /proc/net/raw and raw6 write them."""
SCAN_INTERVAL = 5.0
"""Seconds between two looks at all processes, each of which costs 20 µs."""
GONE_AFTER = 0.5
"""Seconds without a socket after which the VRRP process has ended for good; its parent needs 30 ms to start another."""
FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""The inode of the kernel's own process namespace, in which every process can be seen."""


class Running(NamedTuple):
    """Whether Keepalived runs, and how that is known; None where nothing tells.

    `started` is when its oldest process did, in seconds of the epoch, where that can be seen. `stopped` says that one
    of its processes is stopped, by SIGSTOP or a debugger, and does nothing.
    """

    runs: bool | None
    started: float | None
    stopped: bool
    evidence: str


class _Process(NamedTuple):
    """A process as /proc/PID/stat has it; `ticks`, when it started, tells it from a later one with the same pid."""

    pid: int
    name: bytes
    state: bytes
    ticks: int


class KeepalivedProcess:
    """Looks for Keepalived in this network namespace, which is cheap enough for once a second."""

    def __init__(self, gone_after: float = GONE_AFTER) -> None:
        """With `gone_after` 0 a single look without a socket is final."""
        self._gone_after = gone_after
        self._process: _Process | None = None
        self._started: float | None = None
        self._seen = False
        self._had_sockets: bool | None = None
        self._next_scan = 0.0
        self._without_since: float | None = None

    def look(self, expects_sockets: bool) -> Running:
        """Whether it runs now; `expects_sockets` says that an instance is configured whose interface exists.

        Whether that interface is up makes no difference. It matters only where the process cannot be seen: sockets that
        are missing tell something if they would be there.
        """
        if self._process and self._is_there(self._process):
            return self._by_process(self._process)
        sockets = _vrrp_sockets()
        now = time.monotonic()
        if self._process or now >= self._next_scan or sockets != self._had_sockets:
            self._scan()
            self._next_scan = now + SCAN_INTERVAL
        self._had_sockets = sockets
        if self._process:
            return self._by_process(self._process)
        return self._by_sockets(sockets, expects_sockets, now)

    @property
    def is_undecided(self) -> bool:
        """Whether it may have died just now, or be starting again: a moment later that is known."""
        return self._without_since is not None and time.monotonic() - self._without_since < self._gone_after

    def _is_there(self, known: _Process) -> bool:
        now = _stat(known.pid)
        return now is not None and (now.ticks, now.name) == (known.ticks, known.name)

    def _scan(self) -> None:
        found = list(_keepaliveds())
        if found and not _vrrp_sockets():  # without which anybody may call himself keepalived, but for root
            found = [process for process in found if _user(process.pid) == 0]
        self._process = min(found, key=lambda one: (_user(one.pid) != 0, one.ticks, one.pid), default=None)
        if self._process:
            self._seen = True
            age = time.clock_gettime(time.CLOCK_BOOTTIME) - self._process.ticks / TICKS
            self._started = time.time() - age

    def _by_process(self, process: _Process) -> Running:
        tree = [_stat(process.pid), *map(_stat, _children(process.pid))]
        stopped = [one.pid for one in tree if one and one.name in NAMES and one.state in b"Tt"]
        said = f"process {process.pid}" + (f", of which process {stopped[0]} is stopped" if stopped else "")
        return Running(True, self._started, bool(stopped), said)

    def _by_sockets(self, sockets: bool | None, expected: bool, now: float) -> Running:
        if sockets or not expected:
            self._without_since = None
        elif self._without_since is None:
            self._without_since = now
        if sockets and _sees_all():
            return Running(None, None, False, "a socket of IP protocol 112, but no process called keepalived")
        if sockets:
            return Running(True, None, False, "a socket of IP protocol 112")
        if self._seen or _sees_all():
            return Running(False, None, False, "no process called keepalived")
        if sockets is None:
            return Running(None, None, False, "neither its process nor /proc/net/raw can be seen")
        if self._without_since is None:
            return Running(None, None, False, "its process cannot be seen, and it needs no socket now")
        if now - self._without_since < self._gone_after:
            return Running(None, None, False, "no socket of IP protocol 112 at this instant")
        return Running(False, None, False, "no socket of IP protocol 112")


def _keepaliveds() -> Iterator[_Process]:
    """All of Keepalived's processes in our network namespace that can be seen, the dead ones left out."""
    ours = _network("self")
    for name in os.listdir("/proc"):
        if name.isdigit() and _read(f"/proc/{name}/comm").rstrip(b"\n") in NAMES and _network(name) == ours:
            process = _stat(int(name))
            if process:
                yield process


def _user(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def _network(pid: str) -> int | None:
    """A number for a process's network namespace.

    /proc/PID/ns/net is its user's secret, while the files under /proc/PID/net can be looked at by everybody, and have
    other inodes in each network namespace.
    """
    try:
        return os.stat(f"/proc/{pid}/net/raw").st_ino
    except OSError:
        return None


def _stat(pid: int) -> _Process | None:
    """A process that lives; a zombie does not."""
    # The name stands in parentheses and may hold some itself.
    before, _, after = _read(f"/proc/{pid}/stat").rpartition(b") ")
    fields = after.split(b" ", 20)
    if len(fields) < 20 or fields[0] in b"ZXx":
        return None
    return _Process(pid, before.partition(b"(")[2], fields[0], int(fields[19]))


def _children(pid: int) -> list[int]:
    return [int(word) for word in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _vrrp_sockets() -> bool | None:
    """Whether somebody here has a socket of VRRP's protocol as Keepalived's are; None where that cannot be read.

    None of Keepalived's is bound to the loopback address; those of an agent that watches the segment are, while they
    hear nothing (see `wire/behind`).
    """
    tables = [_read("/proc/net/raw"), _read("/proc/net/raw6")]
    if not any(tables):
        return None
    rows = (line.split(None, 2) for table in tables for line in table.splitlines())
    return any(len(row) > 1 and row[1].endswith(VRRP) and row[1][: -len(VRRP)] not in LOOPBACK for row in rows)


def _sees_all() -> bool:
    """Whether no process is hidden from us, by a process namespace or by the mount option hidepid."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino == FIRST_PID_NAMESPACE and bool(_read("/proc/1/comm"))
    except OSError:
        return False


def _read(path: str) -> bytes:
    """A file of /proc, which is empty where it cannot be read; open() would cost twice as much."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # the process has ended since
        return b""
    finally:
        os.close(descriptor)
