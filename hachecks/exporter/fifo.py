"""Keepalived's notify FIFO as a source, which is followed again when it has been away."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from hachecks.settings import Invalid
from hachecks.transitions import journal
from hachecks.transitions.fifo import FifoReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.exporter.source import SourceHealth
    from hachecks.node import Node
    from hachecks.transitions.transition import Transition


class FifoSource:
    """A FIFO whose every line is recorded in the journal as it comes, from which it is told like any other."""

    def __init__(self, path: str, node: Node, source: SourceHealth, tell: Callable[[str], None]) -> None:
        self.path = path
        self.node = node
        self.source = source
        self.tell = tell
        self.follower: FifoReader | None = None

    def refresh(self) -> None:
        """Open the FIFO if it is not open, or not the one any more that is at the path."""
        if self.follower and not self._is_there(self.follower.descriptor):
            self.close()
        if self.follower is None:
            try:
                self.follower = FifoReader(self.path, self._record, self.tell)
            except Invalid as error:
                self.source.failed(str(error))
                return
            asyncio.get_running_loop().add_reader(self.follower.descriptor, self.follower.read)
        self.source.succeeded(changed=False)

    def _record(self, transition: Transition) -> None:
        journal.append(transition, self.node.places, sync=self.node.syncs)

    def _is_there(self, descriptor: int) -> bool:
        """Keepalived makes a FIFO of its own anew at each reload; the old one says nothing any more."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(descriptor))
        except OSError:
            return False

    def close(self) -> None:
        """Follow no more."""
        if self.follower:
            self.follower.read()
            asyncio.get_running_loop().remove_reader(self.follower.descriptor)
            os.close(self.follower.descriptor)
            self.follower = None
