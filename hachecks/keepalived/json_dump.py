"""Keepalived's JSON dump, asked for by a signal: off by default, since its VRRP process writes the answer.

A signal is the question and a file the answer. Other exporters read the file before it is written, go on telling what
a hung Keepalived wrote long ago, take half a file, and kill whoever has the process id of a Keepalived that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from hachecks import mounts
from hachecks.keepalived.signals import (
    Unavailable,
    explain_silence,
    keepalived,
    number_from_program,
    proc,
    send_json_signal,
)
from hachecks.kept import LATEST
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from hachecks.keepalived.signals import Process

__all__ = ["Dump", "KeepalivedJson", "Unavailable", "dumps_of"]

NAME = "keepalived.json"
MIN_QUESTION_INTERVAL = 1.0
"""Seconds between two questions; who asks sooner gets the same answer."""
MIN_POLL_INTERVAL, MAX_POLL_INTERVAL = 0.001, 0.05
"""Seconds between two looks at the file, which is complete 0.4 ms to 20 ms after the signal."""
MAX_LENGTH = 16 * 1024 * 1024
"""Characters of an answer; 255 instances are 260 kB."""
STATES = {0: "UNKNOWN", 1: "BACKUP", 2: "MASTER", 3: "FAULT", 97: "UNKNOWN", 98: "STOP"}
"""Keepalived's numbers; 0 is INIT and 97 a deleted instance."""


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
        if question is None or (question.done() and time.monotonic() >= self._asked + MIN_QUESTION_INTERVAL):
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
        ends = time.monotonic() + within * 0.95  # what is left is for the reason to arrive
        self._number = self._number or asyncio.ensure_future(number_from_program())
        await asyncio.wait({self._number}, timeout=within / 2)
        number = self._number.result() if self._number.done() else None
        try:
            with keepalived(self.pid_file) as (pidfd, process), _closing(self._place(process.pid)) as directory:
                before = _identity(directory)
                send_json_signal(pidfd, process, number)
                return await self._read(directory, before, process, ends)
        except Unavailable as reason:
            return reason

    def _place(self, pid: int) -> int:
        """The directory as Keepalived sees it, open; raises `Unavailable` if it writes elsewhere, or to a disk."""
        temporary = _environment(pid).get("TMPDIR")
        if temporary and os.path.normpath(temporary) != os.path.normpath(self.directory):
            raise Unavailable(
                f"Keepalived writes to its TMPDIR {temporary}, not to {self.directory}; give that directory"
            )
        foreign = _sees_other_files(pid)
        try:
            directory = _opened_in(f"/proc/{pid}/root", self.directory) if foreign else _opened(self.directory)
        except OSError as error:
            where = f", as Keepalived (process {pid}) sees it" if foreign else ""
            raise Unavailable(f"{self.directory}{where}: {error.strerror}; give the directory it writes to") from None
        kind = mounts.file_system_of(directory, pid) or "a file system that cannot be told"
        if not self.allow_disk and kind not in mounts.IN_MEMORY:
            os.close(directory)
            raise Unavailable(
                f"{self.directory} is on {kind}, and a slow disk would hold up Keepalived's VRRP process and cause a"
                f" failover; start Keepalived with TMPDIR at a tmpfs, and give that directory"
            )
        return directory

    async def _read(self, directory: int, before: object, process: Process, ends: float) -> Mapping[str, Dump]:
        """What is in the file once it is another than before, and complete: up to 2.4.3 it is there before that."""
        path, pause, trouble = os.path.join(self.directory, NAME), MIN_POLL_INTERVAL, ""
        while True:
            if _identity(directory) not in (before, None):
                try:
                    return dumps_of(_text(directory, path, process.user))
                except (ValueError, RecursionError) as error:
                    trouble = f"{path} is not complete: {error}"
            left = ends - time.monotonic()
            if left <= 0:
                raise Unavailable(f"{trouble or explain_silence(process, path)}; its old values are not used")
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, MAX_POLL_INTERVAL)


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
    with open(descriptor, encoding="utf-8", errors="backslashreplace") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != user:
            raise Unavailable(f"{path} is not Keepalived's: user {found.st_uid} owns it; remove it")
        return file.read(MAX_LENGTH)


def dumps_of(text: str) -> Mapping[str, Dump]:
    """The instances of a dump (`json_version` 1 or 2) by name; raises `ValueError` for half a one, or none."""
    try:
        document = json.loads(text, strict=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
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
        name=visible(str(data.get("iname") or "")),
        interface=str(data.get("ifp_ifname") or ""),
        vrid=_whole(data.get("vrid")),
        state=_state(data.get("state")),
        want_state=_state(data.get("wantstate")),
        base_priority=_whole(data.get("base_priority")),
        effective_priority=_whole(data.get("effective_priority")),
        master_priority=_whole(data.get("master_priority")),
        last_transition=_time(data.get("last_transition")),
        vipset=None if vipset is None else bool(vipset),
        vips=_addresses(data.get("vips")),
        excluded_vips=_addresses(data.get("evips")),
        garp_delay=_real(data.get("garp_delay")),
        stats={name: count for name, value in stats.items() if (count := _whole(value)) is not None},
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


def _time(value: object) -> float | None:
    seconds = _real(value)
    return seconds if seconds is not None and 0 < seconds < LATEST else None


def _environment(pid: int) -> dict[str, str]:
    """The variables that a process was started with; none where we may not see them."""
    words = (word.partition("=") for word in proc(f"/proc/{pid}/environ").split("\0"))
    return {name: value for name, _, value in words}
