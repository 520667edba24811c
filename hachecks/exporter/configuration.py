"""The configuration as a source: keepalived.conf where it can be read, and else OpenShift's variables."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hachecks.exporter.spelling import spelled_out
from hachecks.keepalived import openshift
from hachecks.keepalived.alike import fingerprints
from hachecks.keepalived.configuration import Unreadable, read_written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hachecks.exporter.source import SourceHealth
    from hachecks.node import Node


UNFINISHED_SECONDS = 5.0
"""Seconds that a block may stay open before the file counts as it is: less is needed to write one."""
SETTLED_SECONDS = 0.05
"""Seconds after which the time of a file tells of every change: before Linux 6.13 it goes in steps of up to 10 ms."""


class ConfigurationSource:
    """The configuration as it was when it could last be read.

    `alike` has the fingerprints of what all nodes must have alike.
    """

    def __init__(self, node: Node, source: SourceHealth) -> None:
        self.path = node.keepalived_config
        self.config_id = node.config_id
        self.source = source
        self.configuration = spelled_out(openshift.configuration(node.environ))
        self.alike: Mapping[str, str] = fingerprints(self.configuration.instances)
        self._files: tuple[str, ...] = (self.path,)
        self._seen: object = None
        self._unfinished_since: float | None = None

    def refresh(self) -> None:
        """Read it again if a file of it has changed."""
        files, there = self._files, signature(self._files)
        if there == self._seen:
            return
        began = time.monotonic()
        before = self.configuration
        try:
            if not self._read(began):
                return
        except Unreadable as error:
            self._files = (self.path, *error.files)
            kept = "; what was configured before is still served" if before.instances else ""
            self.source.failed(f"{error}{kept}")
        else:
            self._files = (self.path, *self.configuration.files)
            self.source.succeeded(self.configuration != before, time.monotonic() - began)
        # What is written while it is read, or in the same step of the clock, is to be read as well.
        self._seen = there if self._files == files and _is_settled(there) else None

    def _read(self, now: float) -> bool:
        """Read the file; returns False where it is to be looked at again, since somebody seems to be writing it."""
        if not os.path.exists(self.path) and self.configuration.instances and not self.configuration.files:
            return True  # OpenShift's variables say all, where the file is in another container
        written = read_written(self.path, self.config_id)
        found = spelled_out(written.configuration)
        if found.unfinished and self.configuration.files and found != self.configuration:
            self._unfinished_since = now if self._unfinished_since is None else self._unfinished_since
            if now - self._unfinished_since < UNFINISHED_SECONDS:
                half = "a block is not closed, as if it were half-written"
                self.source.failed(f"{self.path}: {half}; what was configured before is still served")
                return False
        self._unfinished_since = None
        if found != self.configuration:
            self.configuration = found
        self.alike = fingerprints(written.configuration.instances, written.statements, written.defaults)
        return True


def signature(paths: Iterable[str]) -> list[tuple[int, int, int] | None]:
    """What changes when one of these files, or of these directories' entries, does."""
    return [_stat(path) for path in paths]


def _is_settled(there: Iterable[tuple[int, int, int] | None]) -> bool:
    """Whether none of them has changed so lately that another change may have left it alike."""
    now = time.time()
    return all(one is None or abs(now - one[1] / 1e9) > SETTLED_SECONDS for one in there)


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
