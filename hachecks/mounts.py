"""The kind of file system that something is on, as the kernel's table of mounts tells it (proc(5), mountinfo)."""

from __future__ import annotations

import os

IN_MEMORY = ("tmpfs", "ramfs")
"""What is on these is gone when the node starts anew, and no disk holds up who writes there."""


def file_system(directory: str) -> str:
    """The kind of file system that a directory is on; empty where the kernel does not tell."""
    try:
        descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return file_system_of(descriptor)
    finally:
        os.close(descriptor)


def file_system_of(descriptor: int, *others: int) -> str:
    """The same of a descriptor, which may have been opened through /proc/PID/root of these other processes."""
    mount = [line.split()[1] for line in _lines(f"/proc/self/fdinfo/{descriptor}") if line.startswith("mnt_id:")]
    for pid in ("self", *others):
        for line in _lines(f"/proc/{pid}/mountinfo"):
            words, _, system = line.partition(" - ")
            if words.split()[0] in mount:
                return system.split()[0]
    return ""


def _lines(path: str) -> list[str]:
    try:
        with open(path, errors="replace") as file:
            return file.readlines()
    except OSError:
        return []
