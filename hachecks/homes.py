"""The directories in which the users of this node keep state, for whoever reads it; see `state` for what is trusted."""

from __future__ import annotations

import os
import stat
import time

from hachecks import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

FEW_INODES = 8
SETTLED = 1_000_000_000
"""Nanoseconds after which a directory's time of change tells of every change: it goes by ticks of the clock."""
_listed: dict[str, tuple[int, list[str]]] = {}


class _Anybody:
    def __contains__(self, user: object) -> bool:
        return True


ANYBODY = _Anybody()
"""For one who shows what every user has recorded, and by whom."""


def own(bases: Iterable[str], refusals: list[OSError] | None = None) -> list[str]:
    """This user's own directories of these places, none of which is made."""
    return readable(bases, (os.geteuid(),), refusals)


def readable(bases: Iterable[str], users: Container[int], refusals: list[OSError] | None = None) -> list[str]:
    """The directories of these users that there are at these places, and that nobody but their owner can write.

    Why others are passed over is added to `refusals`, and what cannot be listed.
    """
    refusals = [] if refusals is None else refusals
    found: list[str] = []
    for path in _candidates(bases, refusals):
        try:
            status = os.lstat(path)
            if state.is_shared(path, status):
                continue
            _check_directory(path, status, users)
        except FileNotFoundError:
            continue
        except OSError as error:
            refusals.append(error)
        else:
            found.append(path)
    return found


def _candidates(bases: Iterable[str], refusals: list[OSError]) -> Iterator[str]:
    for base in bases:
        yield base
        try:
            yield from _entries(base)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refusals.append(error)


def _entries(base: str) -> list[str]:
    """What `state.entries` finds, listed anew when something has come or gone: neighbours may fill /dev/shm."""
    changed = os.stat(base).st_mtime_ns
    known = _listed.get(base)
    if known and known[0] == changed:
        return known[1]
    found = state.entries(base)
    if time.time_ns() - changed > SETTLED:
        _listed[base] = changed, found
    return found


def _check_directory(path: str, status: os.stat_result, users: Container[int]) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise state.Foreign(path, "it is a link")
    if not stat.S_ISDIR(status.st_mode):
        raise state.Foreign(path, "it is no directory")
    if status.st_uid not in users:
        raise state.Foreign(
            path, f"it belongs to uid {status.st_uid}, who is neither root nor Keepalived's script user"
        )
    if status.st_mode & state.OTHERS_WRITE:
        raise state.Foreign(path, "others than its owner can write it")


def try_to_make_files(directory: str) -> None:
    """Raise `OSError` where no file can be made: on a full disk (or one without inodes), or a read-only one."""
    path = f"{directory}/~{os.getpid()}"
    os.close(state.written(path, os.O_WRONLY))
    os.unlink(path)


def has_inodes(directory: str) -> bool:
    """Whether a few more files can be made; a file system that does not count them always says so."""
    status = os.statvfs(directory)
    return not status.f_files or status.f_favail > FEW_INODES
