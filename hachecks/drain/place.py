"""The place of a drain's file: what keeps us from writing it, or Keepalived from seeing that it is written."""

from __future__ import annotations

import os
import stat

from hachecks import mounts, state
from hachecks.settings import Invalid

UNWATCHED = ("9p", "autofs", "ceph", "cgroup", "cifs", "coda", "fuse", "nfs", "proc", "smb", "sysfs", "virtiofs")
"""How the names of file systems begin of which inotify hears nothing that others write, or that hold no files."""


def check(path: str) -> None:
    """Raise `Invalid` where a drain could not be kept there, or would not be seen."""
    directory = os.path.dirname(path)
    try:
        status = os.stat(directory or "/")
    except OSError as error:
        raise Invalid(f"{directory}: {error.strerror}; make it, and start Keepalived again, which looks once") from None
    if not stat.S_ISDIR(status.st_mode):
        raise Invalid(f"{directory} is no directory")
    kind = mounts.file_system(directory)
    if kind.startswith(UNWATCHED):
        raise Invalid(f"{directory} is on {kind}, where Keepalived hears of no change; choose another")
    try:
        if status.st_uid == os.geteuid() and not state.is_shared(directory, status):
            state.home(directory)  # a fresh emptyDir is closed to others
        elif status.st_mode & state.OTHERS_WRITE:
            raise Invalid(f"{directory}: others can write it, and drain the node or end a drain; choose another")
    except OSError as error:
        raise Invalid(f"{directory}: {error.strerror}") from None
    try:
        file = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from None
    if stat.S_ISLNK(file.st_mode):
        raise Invalid(f"{path} is a link, which Keepalived followed once, when it started; name the file itself")
    if not stat.S_ISREG(file.st_mode):
        raise Invalid(f"{path} is no plain file")
    if file.st_uid not in (0, os.geteuid()):
        raise Invalid(f"{path} belongs to uid {file.st_uid}; remove it, or give it to root")
