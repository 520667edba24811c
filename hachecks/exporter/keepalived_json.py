"""What does Keepalived answer when it is asked for its JSON? Off by default, since its VRRP process writes the answer.

A signal is the question and a file the answer. Other exporters read the file before it is written, go on telling what
a hung Keepalived wrote long ago, take half a file, and kill whoever has the process id of a Keepalived that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

NAME = "keepalived.json"
LEAST = 1.0
"""Seconds between two questions; who asks sooner gets the same answer."""
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05
"""Seconds between two looks at the file: it is complete 0.4 ms to 20 ms after the signal on a machine with time."""
IN_MEMORY = ("tmpfs", "ramfs")
JSON_SIGNALS = (36, 37)
"""SIGRTMIN + 2 of glibc and of musl. Keepalived takes no other signal near it, so one that it takes is the one."""
REAL_TIME = range(32, 65)
LARGEST_PID = 2**22
PROGRAM = "keepalived"
PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
STATES = {0: "UNKNOWN", 1: "BACKUP", 2: "MASTER", 3: "FAULT", 97: "UNKNOWN", 98: "STOP"}
"""Keepalived's numbers; 0 is INIT and 97 a deleted instance."""


class Unavailable(Exception):  # noqa: N818 - the name says what happened
    """There is no answer that is true now; the line says what, where and what to do."""


class Dump(NamedTuple):
    """One instance as Keepalived dumps it: None, or empty, is what it does not tell.

    `last_transition` is in seconds of the epoch, `garp_delay` in seconds. `vipset` is whether Keepalived has its VIPs
    configured. VIPs are addresses without prefix length. `stats` are counters by Keepalived's own names.
    """

    name: str
    interface: str
    vrid: int | None
    state: str
    want_state: str
    base_priority: int | None
    effective_priority: int | None
    master_priority: int | None
    last_transition: float | None
    vipset: bool | None
    vips: tuple[str, ...]
    excluded_vips: tuple[str, ...]
    garp_delay: float | None
    stats: Mapping[str, int]


class KeepalivedJson:
    """Asks the Keepalived of a pid file, which writes its answer to a directory of a tmpfs (its TMPDIR, or /tmp)."""

    def __init__(self, directory: str, pid_file: str = "/run/keepalived.pid", allow_disk: bool = False) -> None:
        self.directory = directory
        self.pid_file = pid_file
        self.allow_disk = allow_disk
        self._number: asyncio.Task[int | None] | None = None
        self._question: asyncio.Task[Mapping[str, Dump] | Unavailable] | None = None
        self._asked = 0.0

    async def ask(self, within: float) -> Mapping[str, Dump]:
        """The instances by name, as they are now; raises `Unavailable` when so many seconds have passed, or before."""
        question = self._question
        if question is None or (question.done() and time.monotonic() >= self._asked + LEAST):
            self._asked = time.monotonic()
            question = self._question = asyncio.ensure_future(self._answer(within))
        # Who goes away, or has less time, leaves the question to those who wait for it as well.
        await asyncio.wait({question}, timeout=within)
        if not question.done():
            raise Unavailable(f"Keepalived has not written its JSON to {self.directory} within {within:g} s")
        answer = question.result()
        if isinstance(answer, Unavailable):
            raise Unavailable(*answer.args)
        return answer

    async def _answer(self, within: float) -> Mapping[str, Dump] | Unavailable:
        ends = time.monotonic() + within
        self._number = self._number or asyncio.ensure_future(_number_by_program())
        await asyncio.wait({self._number}, timeout=within / 2)
        told = self._number.result() if self._number.done() else None
        try:
            with contextlib.ExitStack() as stack:
                # The descriptor is of one process for good; what is read of its number after that is of the same
                # process, or the signal finds it ended.
                pid = _pid(self.pid_file)
                descriptor = stack.enter_context(_closing(_pidfd(pid, self.pid_file)))
                process = _keepalived(pid, self.pid_file)
                directory = stack.enter_context(_closing(self._place(pid)))
                before = _identity(directory)
                _signal(descriptor, process, told)
                return await self._read(directory, before, process, ends)
        except Unavailable as reason:
            return reason

    def _place(self, pid: int) -> int:
        """The directory as Keepalived sees it, open, and sure to be the one that it writes to, in memory."""
        told = _environment(pid).get("TMPDIR")
        if told and os.path.normpath(told) != os.path.normpath(self.directory):
            raise Unavailable(f"Keepalived writes to its TMPDIR {told}, not to {self.directory}; give that directory")
        foreign = _sees_other_files(pid)
        try:
            descriptor = _opened_in(f"/proc/{pid}/root", self.directory) if foreign else _opened(self.directory)
        except OSError as error:
            where = f", as Keepalived (process {pid}) sees it" if foreign else ""
            raise Unavailable(f"{self.directory}{where}: {error.strerror}; give the directory it writes to") from None
        kind = _file_system(descriptor, pid)
        if self.allow_disk or kind in IN_MEMORY:
            return descriptor
        os.close(descriptor)
        raise Unavailable(
            f"{self.directory} is on {kind}, not in memory, where a slow disk holds up Keepalived and causes a"
            f" failover; start Keepalived with TMPDIR at a tmpfs, and give that directory"
        )

    async def _read(self, directory: int, before: object, process: _Process, ends: float) -> Mapping[str, Dump]:
        """What is in the file once it is another than before, and complete: up to 2.4.3 it is there before that."""
        path, pause, trouble = os.path.join(self.directory, NAME), FIRST_PAUSE, ""
        while True:
            if _identity(directory) not in (before, None):
                try:
                    return dumps_of(_text(directory, path, process.user))
                except ValueError as error:
                    trouble = f"{path} is not complete: {error}"
            left = ends - time.monotonic()
            if left <= 0:
                raise Unavailable(f"{trouble or _silence(process, path)}; its old values are not used")
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)


class _Process(NamedTuple):
    """A process by /proc/PID/status; `takes` and `pending` are sets of signals, as bits.

    Keepalived blocks the signals that it takes and reads them from a signalfd (before 2.0.11 it catches them). It
    ignores all others; whoever neither catches, blocks nor ignores a signal dies of it.
    """

    pid: int
    name: str
    state: str
    parent: int
    user: int
    nested: bool
    takes: int
    pending: int

    def has(self, signals: int, number: int) -> bool:
        return bool(signals >> (number - 1) & 1)


def _pid(path: str) -> int:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read(64).strip()
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}; start Keepalived, or give its pid file") from None
    if not (text.isdigit() and 0 < int(text) <= LARGEST_PID):
        raise Unavailable(f"{path} holds no process id; give Keepalived's pid file")
    return int(text)


def _pidfd(pid: int, path: str) -> int:
    if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
        raise Unavailable("this Python cannot send signals by pidfd; Keepalived cannot be asked safely without")
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise Unavailable(f"{path} is stale: process {pid} does not run; start Keepalived, or remove it") from None
    except OSError as error:
        raise Unavailable(f"process {pid} cannot be opened: {error.strerror}; it takes Linux 5.3 or newer") from None


def _keepalived(pid: int, path: str) -> _Process:
    """The process if it is Keepalived's main one, alive, and known to us by the same number as to itself."""
    process = _status(pid)
    if process is None or process.state in "ZX":
        raise Unavailable(f"{path} is stale: process {pid} does not run, or is hidden; start Keepalived")
    if PROGRAM not in (process.name, os.path.basename(_program(pid))):
        raise Unavailable(f"{path} is stale: process {pid} is {process.name}, which is left alone; start Keepalived")
    if process.nested:
        raise Unavailable(f"process {pid} of {path} is in another process namespace; run the exporter in the same one")
    if _program(pid) and _program(pid) == _program(process.parent):
        raise Unavailable(f"process {pid} of {path} is a child of Keepalived; give the pid file of {process.parent}")
    for one in (process, *_children(pid)):
        if one.state == "T":
            raise Unavailable(f"Keepalived's process {one.pid} is stopped; continue it with SIGCONT, or restart it")
    return process


def _signal(descriptor: int, process: _Process, told: int | None) -> None:
    """Ask, unless the last question is still waiting: of these signals each one counts, and all would be answered."""
    candidates = (*(() if told is None else (told,)), *JSON_SIGNALS)
    number = next((one for one in candidates if process.has(process.takes, one)), None)
    if number is None:
        raise Unavailable(
            f"Keepalived (process {process.pid}) takes no signal for JSON; use one that was built with --enable-json"
        )
    if any(one.has(one.pending, number) for one in (process, *_children(process.pid))):
        return
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        raise Unavailable(f"Keepalived (process {process.pid}) has just ended; start it") from None
    except OSError as error:
        raise Unavailable(
            f"Keepalived (process {process.pid}) cannot be asked: {error.strerror}; be its user, or have CAP_KILL"
        ) from None


async def _number_by_program() -> int | None:
    """The signal by `keepalived --signum=JSON`; None where there is no such program, or it knows no JSON."""
    program = shutil.which(PROGRAM, path=f"{os.environ.get('PATH', os.defpath)}:{PLACES}")
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
        said, _ = await asyncio.wait_for(process.communicate(), LEAST)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
        return None
    return int(said) if said.strip().isdigit() and int(said) in REAL_TIME else None


def _silence(process: _Process, path: str) -> str:
    """Why there is no answer."""
    who = f"Keepalived (process {process.pid})"
    now = _status(process.pid)
    if now is None or now.state in "ZX":
        return f"{who} has ended without writing {path}; start it"
    waiting = [one.pid for one in (now, *_children(process.pid)) if one.pending & one.takes]
    if waiting:
        return f"{who} does not answer: its process {waiting[0]} hangs; restart it"
    return f"{who} was asked and has not written {path}; if it writes elsewhere, start it with TMPDIR at that directory"


def _status(pid: int) -> _Process | None:
    lines = _proc(f"/proc/{pid}/status").splitlines()
    fields = {key: rest.split() for key, _, rest in (line.partition(":") for line in lines)}
    if "SigCgt" not in fields:
        return None
    blocked, ignored, caught, pending = (int(fields[key][0], 16) for key in ("SigBlk", "SigIgn", "SigCgt", "ShdPnd"))
    return _Process(
        pid=pid,
        name=" ".join(fields["Name"]),
        state=fields["State"][0],
        parent=int(fields["PPid"][0]),
        user=int(fields["Uid"][1]),
        nested=len(fields.get("NSpid", ())) > 1,
        takes=caught | blocked & ~ignored,
        pending=pending,
    )


def _children(pid: int) -> Iterator[_Process]:
    """Its children as they are now, without the scripts that it runs."""
    for child in _proc(f"/proc/{pid}/task/{pid}/children").split():
        process = _status(int(child))
        if process and _program(process.pid) == _program(pid):
            yield process


def _program(pid: int) -> str:
    """The path of what it runs; empty where we may not know."""
    try:
        return os.readlink(f"/proc/{pid}/exe").replace(" (deleted)", "")  # by an update of the package
    except OSError:
        return ""


def _environment(pid: int) -> dict[str, str]:
    words = (word.partition("=") for word in _proc(f"/proc/{pid}/environ").split("\0"))
    return {name: value for name, _, value in words}


def _proc(path: str) -> str:
    """A file of /proc, which is empty where it cannot be read, or its process has ended."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sees_other_files(pid: int) -> bool:
    try:
        return not os.path.samefile("/proc/self/ns/mnt", f"/proc/{pid}/ns/mnt")
    except OSError:  # then a directory is shared with us, or there is nothing we could read
        return False


def _opened(directory: str, beneath: int | None = None, flags: int = 0) -> int:
    return os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | flags, dir_fd=beneath)


def _opened_in(root: str, directory: str) -> int:
    """The directory below another root, step by step: a symbolic link there would lead to our own files."""
    descriptor = _opened(root)
    for name in filter(None, directory.split("/")):
        with _closing(descriptor):
            descriptor = _opened(name, descriptor, os.O_NOFOLLOW)
    return descriptor


def _file_system(directory: int, pid: int) -> str:
    """The type of the file system that a directory is on."""
    found = [line.split()[1] for line in _proc(f"/proc/self/fdinfo/{directory}").splitlines() if "mnt_id:" in line]
    for line in (_proc("/proc/self/mountinfo") + _proc(f"/proc/{pid}/mountinfo")).splitlines():
        mount, _, system = line.partition(" - ")
        if mount.split()[0] in found:
            return system.split()[0]
    return "a file system that cannot be told"


def _identity(directory: int) -> tuple[int, int, int] | None:
    """What is another after each answer; None while there is no file."""
    try:
        found = os.stat(NAME, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _text(directory: int, path: str, user: int) -> str:
    """The file if it is Keepalived's: in /tmp anybody may put one."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(NAME, flags, dir_fd=directory)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}; run the exporter as Keepalived's user") from None
    with open(descriptor, encoding="utf-8", errors="replace") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != user:
            raise Unavailable(f"{path} is not Keepalived's: user {found.st_uid} owns it; remove it")
        return file.read()


def dumps_of(text: str) -> Mapping[str, Dump]:
    """The instances of a dump (`json_version` 1 or 2) by name; raises `ValueError` for half a one, or none."""
    document = json.loads(text, strict=False)
    instances = document.get("vrrp") if isinstance(document, dict) else document
    if not isinstance(instances, list):
        raise ValueError("there is no list of instances")
    parts = [(_object(one).get("data"), _object(one).get("stats")) for one in instances]
    found = (_dump(_object(data), _object(stats)) for data, stats in parts)
    return {dump.name: dump for dump in found if dump.name}


def _dump(data: dict[str, Any], stats: dict[str, Any]) -> Dump:
    """Field by field, so that the password in `auth_data` is kept nowhere."""
    vipset = _whole(data.get("vipset"))
    return Dump(
        name=str(data.get("iname") or ""),
        interface=str(data.get("ifp_ifname") or ""),
        vrid=_whole(data.get("vrid")),
        state=_state(data.get("state")),
        want_state=_state(data.get("wantstate")),
        base_priority=_whole(data.get("base_priority")),
        effective_priority=_whole(data.get("effective_priority")),
        master_priority=_whole(data.get("master_priority")),
        last_transition=_real(data.get("last_transition")) or None,
        vipset=None if vipset is None else bool(vipset),
        vips=_addresses(data.get("vips")),
        excluded_vips=_addresses(data.get("evips")),
        garp_delay=_real(data.get("garp_delay")),
        stats={
            name: count for name, count in ((name, _whole(value)) for name, value in stats.items()) if count is not None
        },
    )


def _state(value: object) -> str:
    number = _whole(value)
    return STATES.get(-1 if number is None else number, "UNKNOWN")


def _addresses(entries: object) -> tuple[str, ...]:
    """Of entries like `10.0.0.9/24 dev eth0 scope global set`."""
    words = [str(entry).split() for entry in entries] if isinstance(entries, list) else []
    return tuple(word[0].partition("/")[0] for word in words if word)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) and _real(value) is not None else None


def _real(value: object) -> float | None:
    """A number that is one: not Infinity, which Python's JSON knows, nor NaN."""
    return float(value) if isinstance(value, (int, float)) and abs(value) < 2**64 else None
