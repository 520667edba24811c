"""The end of a drain: at the time that it was given, and of a FAULT by which one began and that nobody ends.

The wall clock counts, since a drain outlives a reboot. A clock that is set forward ends it early, which loses nothing
but the drain, and one that is set back ends it late.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hachecks.drain import state
from hachecks.drain.target import target_in
from hachecks.exporter.beat import beat
from hachecks.exporter.source import SourceHealth
from hachecks.keepalived.track_files import FAULT
from hachecks.settings import Invalid
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.drain.state import Drain
    from hachecks.exporter.sources import Sources

LOOK_INTERVAL = 1.0
"""Seconds between two looks."""
LONGEST_FAULT = 30.0
"""Seconds, of the monotonic clock, after which whoever began a FAULT to move VIPs does not come to end it."""


class Drained:
    """Looks after the drain that the sources see."""

    def __init__(self, sources: Sources, tell: Callable[[str], None]) -> None:
        self.sources = sources
        self.tell = tell
        self._over = 0
        self._fault_since: float | None = None
        self._trouble = ""
        self._health = SourceHealth("drain", tell)

    async def follow(self) -> None:
        """Look each second, for ever."""
        while True:
            with self._health.looked_at():
                self.look(time.time(), time.monotonic())
                self._health.succeeded(changed=False)
            await beat(LOOK_INTERVAL)

    def look(self, wall: float, now: float) -> None:
        """Look once, at this time of the wall clock and of the monotonic one."""
        path = self.sources.drain_file
        drain = state.drained(path) if path else None
        if drain is None:
            self._over, self._fault_since = 0, None
            return
        self._over = self._over + 1 if drain.until is not None and wall >= drain.until else 0
        if self._over > 1:
            self._write(path, None, f"the drain is over, which was to end at {state.instant(drain.until or 0.0)}")
        elif self._is_fault(path, drain):
            self._fault_since = now if self._fault_since is None else self._fault_since
            if now - self._fault_since >= LONGEST_FAULT:
                self._lower(path, drain)
        else:
            self._fault_since = None

    def _is_fault(self, path: str, drain: Drain) -> bool:
        tracked = [file for one in self.sources.configuration.configuration.instances for file in one.files]
        of_it = [file for file in tracked if file.file.path == path and file.weight]
        return any(file.adds(drain.number) <= FAULT for file in of_it)

    def _lower(self, path: str, drain: Drain) -> None:
        """Nobody ends the FAULT, and VIPs may be nowhere: make the node the last resort, as every drain does."""
        try:
            target = target_in(self.sources.configuration.configuration, self.sources.node.keepalived_config, path)
        except Invalid:  # it is told to whoever drains
            return
        told = "the drain has been a FAULT for long, and nobody ends that; the node is the last resort now"
        self._write(path, drain._replace(number=target.lowered), told)

    def _write(self, path: str, drain: Drain | None, told: str) -> None:
        try:
            state.write(path, drain)
        except OSError as error:
            trouble = f"{path}: {error.strerror}: the drain cannot be ended; use hacheck undrain"
        else:
            trouble = told
            self._over, self._fault_since = 0, None
        if trouble != self._trouble:
            self.tell(visible(trouble))
        self._trouble = trouble if trouble != told else ""
