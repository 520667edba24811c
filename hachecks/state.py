"""What is remembered between two runs: small files in a state directory of the user's own, replaced whole.

Each user of this node (root with the checks, `keepalived_script` with the notify script, the exporter) keeps state in a
directory that is his and that nobody else can write. `home` says which: the one asked for where it is his; else
`hacheck-UID` in it, where it is meant to be shared (sticky, as /dev/shm is). A directory of his that others can write,
such as a fresh emptyDir (0777), is closed to them first. So nobody writes where another one reads as himself, and each
delivers what he recorded himself; whoever only looks (`history`, `status`, the exporter) reads the directories of root,
of himself and of Keepalived's script user (see `homes`).

A file is not to be trusted for being there. It is opened without following a link and without waiting for a FIFO, and
must be a plain file of the directory's owner or of root that nobody else can write. Else it is passed over; what stands
where we write is set aside under another name.

Everybody may read what is there, for the exporter runs as another user than Keepalived's scripts. The words of a notify
script's command line are among it. They are no secrets: keepalived.conf and /proc/PID/cmdline show them too, and what
is secret is refused there.
"""

from __future__ import annotations

import _thread
import errno
import fcntl
import os
import stat
from time import monotonic, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = "/dev/shm"  # noqa: S108 - only a directory of our own in it is ever used
DEDICATED = "/run/hacheck"
PLACES = (DEDICATED, SHARED)
OWN = "hacheck-"
"""What a user's own directory in a shared one is called, before the number of the user."""
READABLE = 0o644
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
LARGEST = 4 * 1024 * 1024
"""Bytes that are read of a file at most: all that is kept here, but the journal and the history, is far smaller."""
PORTION = 65536
LARGEST_OF_OTHERS = 64 * 1024 * 1024
"""Bytes of a file of another user's that is read at all: a history is closed at 4 MiB, and a journal at one."""
LOCK_PATIENCE = 0.05
"""Seconds to wait for another run that changes the same file: it holds the lock for microseconds, unless stopped."""
LINK_PATIENCE = 0.05
"""Seconds for which a file of ours may have a second name: the reader of the journal gives it one when closing it."""
NO_WAIT = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Foreign(PermissionError):  # noqa: N818 - the name says what it is
    """What stands at a path of state is not to be trusted; `strerror` says why."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(errno.EPERM, why, path)


def boot_id() -> str:
    """The kernel's name for the time since it started: what was remembered before that means nothing now."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def home(base: str) -> str:
    """The directory of this user's own for the state that is asked for at `base`, made if need be; raises `OSError`."""
    status = _made(base)
    if not is_shared(base, status):
        if status.st_uid == os.geteuid():
            return _closed_to_others(base, status)
        if status.st_mode & OTHERS_WRITE:
            raise Foreign(base, "others can write it, and could replace what is in it")
    if status.st_uid not in (0, os.geteuid()):
        raise Foreign(base, f"it belongs to uid {status.st_uid}")
    return _below(base)


def directory(base: str) -> str:
    """`home(base)`, or the one in /dev/shm where `base` is another user's; raises `OSError`.

    Anything else that is wrong with `base` is told, and not evaded: a memory that moves is no memory.
    """
    try:
        return home(base)
    except PermissionError:
        return home(SHARED)


def _made(path: str) -> os.stat_result:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        make(path)
        status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        raise Foreign(path, "it is a link")
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return status


def _closed_to_others(path: str, status: os.stat_result) -> str:
    if status.st_mode & OTHERS_WRITE:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | NO_WAIT)
        try:
            if os.fstat(descriptor).st_uid != status.st_uid:
                raise Foreign(path, "it is replaced by another user")
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~OTHERS_WRITE)
        finally:
            os.close(descriptor)
    return path


def _below(base: str) -> str:
    """Our own directory in one that others use, too. Who takes its name away from us cannot take all names."""
    own = f"{base}/{OWN}{os.geteuid()}"
    try:
        made = _mine(own, _made(own))
    except (Foreign, NotADirectoryError):
        made = False
    if made:
        return own
    for path in entries(base):
        if path.startswith(f"{own}-") and _mine(path, os.lstat(path)):
            return path
    other = f"{own}-{os.urandom(8).hex()}"
    _made(other)
    return other


def _mine(path: str, status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode) and bool(_closed_to_others(path, status))


def entries(base: str) -> list[str]:
    """The users' own directories that there are in a shared one, whosoever they are; raises `OSError`."""
    return [f"{base}/{name}" for name in sorted(os.listdir(base)) if name.startswith(OWN)]


def is_shared(path: str, status: os.stat_result) -> bool:
    """Whether a directory is for everybody's use, so that each user has one of his own in it."""
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return path == SHARED or bool(sticky and path != DEDICATED)  # a tmpfs is 1777 where no mode is asked for


def exchange(directory: str, name: str, change: Callable[[str], str]) -> None:
    """Replace the text of a file (empty when absent) by what `change` makes of it, one process at a time.

    The directory is `home`'s, made if it is not there. Raises `OSError` when it cannot be written, or the lock is not
    had in time.
    """
    make(directory)
    path = os.path.join(directory, name)
    lock = written(f"{path}~lock", os.O_RDWR, 0o600)
    try:
        _lock(lock)
        replace(path, change(read(path)))
    finally:
        os.close(lock)


def replace(path: str, text: str, sync: bool = False) -> None:
    """Put a file with this text in the place of the one that is there, in one step; raises `OSError`.

    Where several do so at once, each has its text there whole, and one of them the last word.
    """
    temporary, descriptor = _temporary(path)
    try:
        data = text.encode()
        while data:
            data = data[os.write(descriptor, data) :]
        if sync:
            os.fsync(descriptor)
        try:
            os.replace(temporary, path)
        except IsADirectoryError:
            _set_aside(path)
            os.replace(temporary, path)
    finally:
        os.close(descriptor)


def _temporary(path: str) -> tuple[str, int]:
    """An empty file that is to become this one, and a descriptor of it, by whose lock it is ours alone."""
    # One name, so that those who are killed here leave one file. No check has ~ in its name.
    name = f"{path}~new"
    until = monotonic() + LOCK_PATIENCE
    while True:
        descriptor = written(name, os.O_WRONLY)
        try:
            had = _is_had(descriptor)
            if had and _is_at(name, descriptor):
                if os.fstat(descriptor).st_size:
                    os.ftruncate(descriptor, 0)
                return name, descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if not had and monotonic() > until:  # whoever has it has been stopped
            name = f"{path}~new-{os.urandom(8).hex()}"
        elif not had:
            sleep(0.001)


def _is_had(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def _is_at(path: str, descriptor: int) -> bool:
    """Whether it has not been put elsewhere since it was opened."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev)


def make(directory: str) -> None:
    """Make the directory if it is not there; raises `OSError`."""
    if os.path.isdir(directory):
        return
    # Keepalived runs scripts with umask 0177, under which nobody could enter a new directory, nor make one in it.
    umask = os.umask(0o022)
    try:
        os.makedirs(directory, exist_ok=True)
    finally:
        os.umask(umask)


def written(path: str, flags: int, mode: int = READABLE) -> int:
    """A descriptor to write a file of `home`'s, made if it is not there; raises `OSError`.

    What stands there and is no plain file of ours is set aside. Everybody may read it, whatever the umask is, unless
    `mode` says otherwise.
    """
    until = None
    while True:
        try:
            descriptor = os.open(path, flags & ~os.O_TRUNC | os.O_CREAT | NO_WAIT, mode)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES) or not os.path.lexists(path):
                raise
            _set_aside(path)
            continue
        try:
            status = os.fstat(descriptor)
            if _is_plain(status, (os.geteuid(), 0)) and status.st_nlink == 1:
                if status.st_mode & mode != mode:
                    _let_read(descriptor)
                if flags & os.O_TRUNC and status.st_size:
                    os.ftruncate(descriptor, 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        until = until or monotonic() + LINK_PATIENCE
        if status.st_nlink == 2 and monotonic() < until:
            sleep(0.001)
        elif status.st_nlink:  # none: it has just been replaced
            _set_aside(path)


def _set_aside(path: str) -> None:
    """Give what is not ours another name: it may be needed to find out whose it is. It is in a directory of ours."""
    if os.lstat(os.path.dirname(path)).st_uid != os.geteuid():
        raise Foreign(path, "it is no plain file of ours")
    aside = f"{path}~foreign"
    try:
        os.rename(path, aside)
    except (IsADirectoryError, NotADirectoryError):
        os.rename(path, f"{aside}-{os.urandom(8).hex()}")
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        os.rename(path, f"{aside}-{os.urandom(8).hex()}")


def opened(path: str) -> int:
    """A descriptor to read a file of state; raises `OSError`, which is `Foreign` for what is not to be trusted."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Foreign(path, "it is a link") from None
        if error.errno == errno.ENXIO:
            raise Foreign(path, "it is no plain file") from None
        raise
    try:
        status = os.fstat(descriptor)
        if not _is_plain(status, (0, os.geteuid())):
            _check_file(path, status)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_plain(status: os.stat_result, owners: tuple[int, ...]) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid in owners and not status.st_mode & OTHERS_WRITE


def _check_file(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Foreign(path, "it is no plain file")
    if status.st_mode & OTHERS_WRITE:
        raise Foreign(path, "others than its owner can write it")
    if status.st_size > LARGEST_OF_OTHERS:
        raise Foreign(path, f"it is larger than {LARGEST_OF_OTHERS >> 20} MiB")
    owner = os.lstat(os.path.dirname(path) or ".").st_uid
    if status.st_uid != owner:
        raise Foreign(path, f"it belongs to uid {status.st_uid}, in a directory of uid {owner}")


def let_read(path: str) -> None:
    """Let everybody read a file of ours, whatever the umask was; where that cannot be done, it stays as it is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT)
    except OSError:
        return
    try:
        _let_read(descriptor)
    finally:
        os.close(descriptor)


def _let_read(descriptor: int) -> None:
    status = os.fstat(descriptor)
    alone = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not alone or status.st_mode & READABLE == READABLE:
        return
    try:
        os.fchmod(descriptor, READABLE)
    except OSError:  # not ours, or a file system without modes
        pass


def read(path: str) -> str:
    """The text of a file of state; empty when there is none, it is no text, or it is not to be trusted.

    Raises `OSError` where it is there and cannot be read.
    """
    try:
        descriptor = opened(path)
    except (FileNotFoundError, Foreign):
        return ""
    try:
        data = os.read(descriptor, PORTION)
        while len(data) < LARGEST and (more := os.read(descriptor, PORTION)):
            data += more
        return data.decode()
    except UnicodeDecodeError:
        return ""
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    until = monotonic() + LOCK_PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > until:
                raise
            sleep(0.002)


def done_within(seconds: float, act: Callable[[], None]) -> None:
    """Do it in a thread that may be abandoned: of a file system that hangs, no system call returns."""
    done = _thread.allocate_lock()
    done.acquire()

    def act_and_say() -> None:
        try:
            act()
        finally:
            done.release()

    try:
        _thread.start_new_thread(act_and_say, ())
    except RuntimeError:  # there is no room for one more thread
        act()
    else:
        done.acquire(timeout=seconds)
