"""The journal: where transitions are recorded, and from which they are read on without losing one.

Writers know nothing but one file and one write, without a lock, so that a shell can do it with builtins. The one reader
(`history` holds its lock) remembers for each file how far it has read, closes a file that has grown, and reads a closed
one on for a while, since a writer may have opened it before.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time

from hachecks import homes, state
from hachecks.state import boot_id
from hachecks.transitions.transition import BEGIN, END, Transition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NAME = "journal"
KEPT_HERE = "history.lock"
"""A file of the directory in which the deliverer works: it stays there when no more files can be made."""
CLOSED = "journal."
PREALLOCATED_BYTES = 256 * 1024
"""Bytes allocated beyond the journal's end, so that a full disk still takes some 2,000 transitions."""
CLOSED_AT_BYTES = 1024 * 1024
GRACE_SECONDS = 600.0
"""Seconds for which a closed journal is read on before it is deleted."""
FALLOC_FL_KEEP_SIZE = 1
PORTION_BYTES = 1024 * 1024
"""Bytes of each file that are read at once, some 10,000 transitions: what nobody has read for a week fits no memory."""
IDENTITY_BYTES = 48
"""Bytes by which a file is known besides its inode, which is given again at once (268 events lost, measured)."""


def state_directory(places: Iterable[str]) -> str:
    """This user's own directory for his history and queues: the first that has one, or could; raises `OSError`."""
    refusals = []
    for place in places:
        try:
            directory = state.home(place)
            if not os.path.lexists(os.path.join(directory, KEPT_HERE)):
                homes.try_to_make_files(directory)
            return directory
        except OSError as error:
            refusals.append(f"{error.filename or place}: {error.strerror}")
    raise OSError(f"no place for state can be written ({'; '.join(refusals)})")


def known_state_directory(places: Iterable[str]) -> str | None:
    """What `state_directory` would return, for one who only looks: None where it would have to be made."""
    own = homes.own(places)
    return next((one for one in own if os.path.lexists(os.path.join(one, KEPT_HERE)) or os.access(one, os.W_OK)), None)


def append(transition: Transition, places: Iterable[str], *, sync: bool = False) -> str:
    """Record a transition in the first place that takes it, and return the file's path; raises `OSError`.

    `sync`: only when it is on the disk, too.
    """
    refusal = OSError("there is no place to record a transition")
    for place in places:
        try:
            path = os.path.join(state.home(place), NAME)
            _append(state.written(path, os.O_WRONLY | os.O_APPEND), transition, sync)
            return path
        except OSError as error:
            refusal = error
    with contextlib.suppress(OSError):  # a container's output, for people
        say_on_console(f"hacheck: {transition}: there is no place to record this\n")
    raise refusal


def _append(descriptor: int, transition: Transition, sync: bool) -> None:
    record = transition.record()
    try:
        if os.write(descriptor, record) != len(record):
            raise OSError("the journal took a part of the record only")
        if sync:
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def say_on_console(line: str) -> None:
    """Tell people by a container's output what can be written nowhere else; raises `OSError`, and never waits."""
    descriptor = os.open("/proc/1/fd/1", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        os.write(descriptor, line.encode("utf-8", "replace"))
    finally:
        os.close(descriptor)


def trusted_users(names: Iterable[str] = ()) -> set[int]:
    """The users whose state is read: root, this one, and those of Keepalived's scripts, by name or number.

    `keepalived_script` is Keepalived's own choice where no `script_user` is configured (keepalived.conf(5)).
    """
    import pwd

    found = {0, os.geteuid()}
    for name in ("keepalived_script", *names):
        try:
            found.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except (KeyError, ValueError):
            continue
    return found


class Offsets:
    """How far each file of the journal has been read: bytes by the file's identity, as it is kept between runs."""

    def __init__(self, text: str = "") -> None:
        self.offsets: dict[str, int] = {}
        for line in text.splitlines():
            identity, _, offset = line.partition(" ")
            if offset.isdecimal() and len(offset) < 20:  # bytes, by whoever wrote them
                self.offsets[identity] = int(offset)

    def farthest(self, other: Offsets) -> Offsets:
        """As far as one of both has read."""
        both = Offsets()
        for identity, offset in (*self.offsets.items(), *other.offsets.items()):
            both.offsets[identity] = max(offset, both.offsets.get(identity, 0))
        return both

    def __str__(self) -> str:
        return "".join(f"{identity} {offset}\n" for identity, offset in self.offsets.items())


class Batch:
    """What a look into the journal brought.

    Transitions, how many records were torn or not ours (`malformed`), why something could not be read (`errors`), and
    whether there is more to read at once (`more`).
    """

    def __init__(self) -> None:
        self.transitions: list[Transition] = []
        self.malformed = 0
        self.more = False
        self.errors: list[OSError] = []


def read_from(directories: Sequence[str], before: Offsets) -> tuple[Batch, Offsets]:
    """What has been recorded since, in Keepalived's order, and how far it has been read now.

    At most `PORTION_BYTES` bytes of each file at a time.
    """
    found, after = Batch(), Offsets()
    for path in _files(directories, found.errors):
        try:
            with open(state.opened(path), "rb") as file:
                head = file.read(IDENTITY_BYTES)
                if len(head) < IDENTITY_BYTES:
                    continue
                identity = f"{os.fstat(file.fileno()).st_ino}-{head.hex()}"
                start = before.offsets.get(identity, 0)
                file.seek(start)
                data = file.read(PORTION_BYTES)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.errors.append(error)
            continue
        found.more = found.more or len(data) == PORTION_BYTES
        whole = data.rfind(END.encode()) + 1
        if not whole and len(data) == PORTION_BYTES:  # no record is as long
            whole = len(data)
        after.offsets[identity] = start + whole
        _take(data[:whole], found)
    boot = boot_id()
    # What was said before a reboot comes first: the names of boots have no order.
    found.transitions.sort(key=lambda transition: (transition.boot == boot, transition.order))
    return found, after


def sizes(directories: Sequence[str]) -> dict[str, object]:
    """How large each file is: something else when anything has been recorded. A few calls of stat(2), and no more."""
    errors: list[OSError] = []
    found: dict[str, object] = {}
    for path in _files(directories, errors):
        with contextlib.suppress(OSError):
            status = os.stat(path)
            found[path] = status.st_ino, status.st_size
    return {**found, **{str(error): None for error in errors}}


def _files(directories: Sequence[str], errors: list[OSError]) -> Iterator[str]:
    """The closed files and then the open one, of each directory that there is and that can be read."""
    for directory in directories:
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            errors.append(error)
            continue
        closed = sorted(name for name in names if name.startswith(CLOSED) and name[len(CLOSED) :].isdigit())
        yield from (os.path.join(directory, name) for name in [*closed, NAME] if name in names)


def _take(data: bytes, found: Batch) -> None:
    """Cut the data into records: each begins with RS, so that a torn one ends where the next begins."""
    first, *records = data.split(BEGIN.encode())
    found.malformed += bool(first.strip())
    for record in records:
        text, end, rest = record.decode("utf-8", "backslashreplace").partition(END)
        try:
            if not end:
                raise ValueError("torn")
            found.transitions.append(Transition.from_record(text))
        except ValueError:
            found.malformed += 1
        found.malformed += bool(rest.strip())


def rotate(directory: str, offsets: Offsets, now: float | None = None, closed_at_bytes: int = CLOSED_AT_BYTES) -> None:
    """Close a journal that has grown, keep blocks allocated beyond its end, delete what has been read long ago."""
    path = os.path.join(directory, NAME)
    now = time.time() if now is None else now
    descriptor = state.written(path, os.O_WRONLY | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    for one in _files([directory], []):  # by a version that kept them to itself, or under Keepalived's umask
        state.let_read(one)
    if size >= closed_at_bytes:
        _close(path, now)
    preallocate(path)
    for closed in _files([directory], []):
        if closed != path and os.lstat(closed).st_mtime < now - GRACE_SECONDS and _read_whole(closed, offsets):
            os.unlink(closed)


def _close(path: str, now: float) -> None:
    """Put an empty file in the journal's place, in one step: no writer may find none, or lose what it wrote."""
    fresh = f"{path}-new"
    os.close(state.written(fresh, os.O_WRONLY | os.O_TRUNC))
    preallocate(fresh)
    closed = [one for one in _files([os.path.dirname(path)], []) if one != path]
    os.link(path, name_of_closed(path, closed, now))
    os.replace(fresh, path)


def name_of_closed(path: str, closed: Iterable[str], now: float) -> str:
    """What a file is called that is closed now, after those that were: in their order they are read.

    Two may be closed in one millisecond, and a clock be set back.
    """
    last = max((int(one.rpartition(".")[2]) for one in closed), default=0)
    return f"{path}.{max(int(now * 1000), last + 1):015d}"


def _read_whole(path: str, offsets: Offsets) -> bool:
    try:
        with open(state.opened(path), "rb") as file:
            head = file.read(IDENTITY_BYTES)
            status = os.fstat(file.fileno())
    except OSError:  # it is not ours
        return False
    read = offsets.offsets.get(f"{status.st_ino}-{head.hex()}", 0)
    return read >= status.st_size


def preallocate(path: str) -> None:
    """Allocate blocks beyond the file's end without changing its size; where that cannot be done, nothing is lost."""
    descriptor = state.written(path, os.O_WRONLY | os.O_APPEND)
    try:
        end = os.fstat(descriptor).st_size
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate(descriptor, FALLOC_FL_KEEP_SIZE, ctypes.c_long(end), ctypes.c_long(PREALLOCATED_BYTES))
    finally:
        os.close(descriptor)
