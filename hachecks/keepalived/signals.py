"""Signals to Keepalived, and to nobody else: the default of a signal that a process does not expect is its death.

A pid file may be stale, and its number another's by now: an exporter that trusts it kills the innocent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "keepalived"
SEARCH_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Keepalived may be, beside PATH."""
JSON_SIGNALS = (36, 37)
"""SIGRTMIN + 2 of glibc and of musl. Keepalived uses none of their neighbours, so the one of them it takes is it."""
REAL_TIME = range(32, 65)
"""Signals that a program may give a meaning of its own (signal(7))."""
MAX_PID = 2**22
"""The kernel's limit on 64 bits (PID_MAX_LIMIT)."""
PROGRAM_TIMEOUT = 1.0
"""Seconds within which `keepalived --signum` tells a number; it takes 3 ms."""


class Unavailable(Exception):  # noqa: N818 - the name says what happened
    """There is no answer that is true now; the line says what, where and what to do."""


class Process(NamedTuple):
    """A process by /proc/PID/status; `taken` and `pending` are signals as bits, the lowest being signal 1.

    Keepalived (2.2.7) blocks the signals that it takes, reads them from a signalfd, and ignores all others. Who
    neither catches, blocks nor ignores a signal dies of it.
    """

    pid: int
    name: str
    state: str
    parent: int
    user: int
    nested: bool
    taken: int
    pending: int

    def takes(self, number: int) -> bool:
        """Whether it has a use for this signal."""
        return bool(self.taken >> (number - 1) & 1)

    def has_yet_to_take(self, number: int) -> bool:
        """Whether it has been sent this signal and has not looked at it."""
        return bool(self.pending >> (number - 1) & 1)


@contextlib.contextmanager
def keepalived(pid_file: str) -> Iterator[tuple[int, Process]]:
    """Keepalived's main process as a pidfd, and as it is; raises `Unavailable` if the file names any other.

    The pidfd is of one process for good. What is read of its number after that is of the same process, or the process
    has ended and gets no signal.
    """
    pid = _pid(pid_file)
    descriptor = _pidfd(pid, pid_file)
    try:
        yield descriptor, _keepalived(pid, pid_file)
    finally:
        os.close(descriptor)


def send_json_signal(descriptor: int, process: Process, from_program: int | None) -> None:
    """Have it dump its JSON, by the signal `from_program` if it takes that one; raises `Unavailable`."""
    who = f"Keepalived (process {process.pid})"
    number = next((one for one in (from_program, *JSON_SIGNALS) if one and process.takes(one)), None)
    if number is None:
        raise Unavailable(f"{who} takes no signal for JSON; use one that was built with --enable-json")
    # These signals queue up. One that hung for an hour must not answer an hour's questions when it goes on.
    if any(one.has_yet_to_take(number) for one in (process, *_children(process.pid))):
        return
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        raise Unavailable(f"{who} has just ended; start it") from None
    except OSError as error:
        raise Unavailable(f"{who} cannot be asked: {error.strerror}; be its user, or have CAP_KILL") from None


async def number_from_program() -> int | None:
    """The signal by `keepalived --signum=JSON`; None where there is no such program, or it knows no JSON."""
    program = shutil.which(PROGRAM, path=f"{os.environ.get('PATH', os.defpath)}:{SEARCH_PATH}")
    if program is None:
        return None
    nothing, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            program, "--signum=JSON", stdin=nothing, stdout=pipe, stderr=nothing
        )
    except OSError:
        return None
    try:
        said, _ = await asyncio.wait_for(process.communicate(), PROGRAM_TIMEOUT)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
        return None
    return int(said) if said.strip().isdigit() and int(said) in REAL_TIME else None


def explain_silence(process: Process, path: str) -> str:
    """Why it may be that it was asked and has not written this file."""
    who = f"Keepalived (process {process.pid})"
    now = _status(process.pid)
    if now is None or now.state in "ZX":
        return f"{who} has ended without writing {path}; start it"
    hanging = [one.pid for one in (now, *_children(process.pid)) if one.pending & one.taken]
    if hanging:
        return f"{who} does not write {path}: its process {hanging[0]} hangs; restart it"
    return f"{who} has not written {path}; if it writes elsewhere, start it with TMPDIR at that directory"


def proc(path: str) -> str:
    """A file of /proc, which is empty where it cannot be read, or its process has ended."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""


def _pid(path: str) -> int:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read(64).strip()
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}; start Keepalived, or give its pid file") from None
    if not (text.isdigit() and 0 < int(text) <= MAX_PID):
        raise Unavailable(f"{path} holds no process id; give Keepalived's pid file")
    return int(text)


def _pidfd(pid: int, path: str) -> int:
    if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
        raise Unavailable("this Python was built without pidfd_open, and nothing else is safe; use another")
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise Unavailable(f"{path} is stale: process {pid} does not run; start Keepalived") from None
    except OSError as error:
        raise Unavailable(f"process {pid} cannot be opened: {error.strerror}; it takes Linux 5.3 or newer") from None


def _keepalived(pid: int, path: str) -> Process:
    process = _status(pid)
    if process is None or process.state in "ZX":
        raise Unavailable(f"{path} is stale: process {pid} does not run, or is hidden; start Keepalived")
    program = _program(pid)
    if PROGRAM not in (process.name, os.path.basename(program)):
        raise Unavailable(f"{path} is stale: process {pid} is {process.name}, which is left alone; start Keepalived")
    if process.nested:
        raise Unavailable(f"process {pid} of {path} is in another process namespace; run the exporter in the same one")
    if program and program == _program(process.parent):
        raise Unavailable(f"process {pid} of {path} is a child of Keepalived; give the pid file of {process.parent}")
    stopped = [one.pid for one in (process, *_children(pid)) if one.state == "T"]
    if stopped:
        raise Unavailable(f"Keepalived's process {stopped[0]} is stopped; continue it with SIGCONT, or restart it")
    return process


def _status(pid: int) -> Process | None:
    lines = proc(f"/proc/{pid}/status").splitlines()
    fields = {key: rest.split() for key, _, rest in (line.partition(":") for line in lines)}
    if "SigCgt" not in fields:
        return None
    blocked, ignored, caught, pending = (int(fields[key][0], 16) for key in ("SigBlk", "SigIgn", "SigCgt", "ShdPnd"))
    return Process(
        pid=pid,
        name=" ".join(fields["Name"]),
        state=fields["State"][0],
        parent=int(fields["PPid"][0]),
        user=int(fields["Uid"][1]),
        nested=len(fields.get("NSpid", ())) > 1,
        taken=caught | blocked & ~ignored,
        pending=pending,
    )


def _children(pid: int) -> Iterator[Process]:
    """Its children that run the same program, not the scripts."""
    for child in proc(f"/proc/{pid}/task/{pid}/children").split():
        process = _status(int(child))
        if process and _program(process.pid) == _program(pid):
            yield process


def _program(pid: int) -> str:
    """The path of what it runs; empty where we may not know."""
    try:
        return os.readlink(f"/proc/{pid}/exe").replace(" (deleted)", "")  # by an update of the package
    except OSError:
        return ""
