"""Where is a transition recorded, and how is it read on, without losing one?

Writers know nothing but one file and one write, without a lock, so that a shell can do it with builtins. The one reader
(`history` holds its lock) remembers for each file how far it has read, closes a file that has grown, and reads a closed
one on for a while, since a writer may have opened it before.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time

from hachecks import state
from hachecks.transition import BEGIN, END, Transition, boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAME = "journal"
CLOSED = "journal."
DEFAULT_PLACES = ("/run/hacheck", "/dev/shm")  # noqa: S108 - there in every pod, and writable
PREALLOCATED = 256 * 1024
"""Bytes allocated beyond the journal's end, so that a full disk still takes some 2,000 transitions."""
LARGEST = 1024 * 1024
"""Bytes at which a journal is closed."""
GRACE = 600.0
"""Seconds for which a closed journal is read on before it is deleted."""
FALLOC_FL_KEEP_SIZE = 1
PORTION = 1024 * 1024
"""Bytes of each file that are read at once, some 10,000 transitions: what nobody has read for a week fits no memory."""
IDENTITY = 48
"""Bytes by which a file is known besides its inode, which is given again at once (268 events lost, measured)."""


def places(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The directories in which a record may be, in the order in which they are tried."""
    chosen = environ.get("HACHECK_STATE_DIR")
    return (chosen, *DEFAULT_PLACES) if chosen and chosen not in DEFAULT_PLACES else DEFAULT_PLACES


def state_directory(environ: Mapping[str, str]) -> str:
    """The first of the places that can be written, made if it is not there; raises `OSError`."""
    for directory in places(environ):
        with contextlib.suppress(OSError):
            state.make(directory)
        if os.access(directory, os.W_OK | os.X_OK):
            return directory
    raise OSError(f"none of {', '.join(places(environ))} can be written")


def append(transition: Transition, environ: Mapping[str, str]) -> str:
    """Record a transition in the first place that takes it, and return the file's path; raises `OSError`."""
    refusal = OSError("there is no place to record a transition")
    for directory in places(environ):
        path = os.path.join(directory, NAME)
        try:
            _append(path, transition.record(), environ.get("HACHECK_FSYNC") == "1")
            state.let_read(path)
            return path
        except OSError as error:
            refusal = error
    with contextlib.suppress(OSError):  # a container's output, for people
        _append("/proc/1/fd/1", f"hacheck: {transition}: there is no place to record this\n".encode(), sync=False)
    raise refusal


def _append(path: str, record: bytes, sync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, state.READABLE)
    try:
        if os.write(descriptor, record) != len(record):
            raise OSError(f"{path} took a part of the record only")
        if sync:
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


class Reading:
    """How far each file of the journal has been read: bytes by the file's identity, as it is kept between runs."""

    def __init__(self, text: str = "") -> None:
        self.offsets: dict[str, int] = {}
        for line in text.splitlines():
            identity, _, offset = line.partition(" ")
            if offset.isdecimal():
                self.offsets[identity] = int(offset)

    def __str__(self) -> str:
        return "".join(f"{identity} {offset}\n" for identity, offset in self.offsets.items())


class Found:
    """What a look into the journal brought.

    Transitions, how many records were torn or not ours (`foreign`), why something could not be read (`refusals`), and
    whether there is more to read at once (`more`).
    """

    def __init__(self) -> None:
        self.transitions: list[Transition] = []
        self.foreign = 0
        self.more = False
        self.refusals: list[OSError] = []


def read_on(directories: Sequence[str], before: Reading) -> tuple[Found, Reading]:
    """What has been recorded since, in Keepalived's order, and how far it has been read now.

    At most `PORTION` bytes of each file at a time.
    """
    found, after = Found(), Reading()
    for path in _files(directories, found.refusals):
        try:
            with open(path, "rb") as file:
                head = file.read(IDENTITY)
                if len(head) < IDENTITY:
                    continue
                identity = f"{os.fstat(file.fileno()).st_ino}-{head.hex()}"
                start = before.offsets.get(identity, 0)
                file.seek(start)
                data = file.read(PORTION)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.refusals.append(error)
            continue
        found.more = found.more or len(data) == PORTION
        whole = data.rfind(END.encode()) + 1
        if not whole and len(data) == PORTION:  # no record is as long
            whole = len(data)
        after.offsets[identity] = start + whole
        _take(data[:whole], found)
    boot = boot_id()
    # What was said before a reboot comes first: the names of boots have no order.
    found.transitions.sort(key=lambda transition: (transition.boot == boot, transition.order))
    return found, after


def sizes(directories: Sequence[str]) -> dict[str, object]:
    """How large each file is: something else when anything has been recorded. A few calls of stat(2), and no more."""
    refusals: list[OSError] = []
    found: dict[str, object] = {}
    for path in _files(directories, refusals):
        with contextlib.suppress(OSError):
            status = os.stat(path)
            found[path] = status.st_ino, status.st_size
    return {**found, **{str(error): None for error in refusals}}


def _files(directories: Sequence[str], refusals: list[OSError]) -> Iterator[str]:
    """The closed files and then the open one, of each directory that there is and that can be read."""
    for directory in directories:
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            refusals.append(error)
            continue
        closed = sorted(name for name in names if name.startswith(CLOSED) and name[len(CLOSED) :].isdigit())
        yield from (os.path.join(directory, name) for name in [*closed, NAME] if name in names)


def _take(data: bytes, found: Found) -> None:
    """Cut the data into records: each begins with RS, so that a torn one ends where the next begins."""
    first, *records = data.split(BEGIN.encode())
    found.foreign += bool(first.strip())
    for record in records:
        text, end, rest = record.decode("utf-8", "replace").partition(END)
        try:
            if not end:
                raise ValueError("torn")
            found.transitions.append(Transition.from_record(text))
        except ValueError:
            found.foreign += 1
        found.foreign += bool(rest.strip())


def tend(directory: str, reading: Reading, now: float | None = None) -> None:
    """Close a journal that has grown, keep blocks allocated beyond its end, delete what has been read long ago."""
    path = os.path.join(directory, NAME)
    now = time.time() if now is None else now
    try:
        size = os.stat(path).st_size
    except FileNotFoundError:
        size = 0
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, state.READABLE))
    for one in _files([directory], []):  # by a version that kept them to itself, or under Keepalived's umask
        state.let_read(one)
    if size >= LARGEST:
        _close(path, now)
    preallocate(path)
    for closed in _files([directory], []):
        if closed != path and os.stat(closed).st_mtime < now - GRACE and _read_whole(closed, reading):
            os.unlink(closed)


def _close(path: str, now: float) -> None:
    """Put an empty file in the journal's place, in one step: no writer may find none, or lose what it wrote."""
    os.link(path, f"{path}.{int(now * 1000):015d}")
    fresh = f"{path}-new"
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, state.READABLE))
    state.let_read(fresh)
    preallocate(fresh)
    os.replace(fresh, path)


def _read_whole(path: str, reading: Reading) -> bool:
    with open(path, "rb") as file:
        head = file.read(IDENTITY)
        status = os.fstat(file.fileno())
    read = reading.offsets.get(f"{status.st_ino}-{head.hex()}", 0)
    return read >= status.st_size


def preallocate(path: str) -> None:
    """Allocate blocks beyond the file's end without changing its size; where that cannot be done, nothing is lost."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        end = os.fstat(descriptor).st_size
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate(descriptor, FALLOC_FL_KEEP_SIZE, ctypes.c_long(end), ctypes.c_long(PREALLOCATED))
    finally:
        os.close(descriptor)
