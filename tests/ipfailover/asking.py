"""What the client tells of the VIPs that it asks all the time."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from tests.failover.namespace import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Asking:
    """The client's latest account, and at its end the whole."""

    def __init__(self) -> None:
        self._account: dict[str, Any] = {"ended": False, "vips": {}}
        self._told = threading.Condition()

    def heard(self, line: str) -> None:
        """Take a line of it."""
        with self._told:
            self._account = json.loads(line)
            self._told.notify_all()

    @property
    def answered(self) -> dict[str, int]:
        """How many requests to each VIP are answered."""
        return {vip: one["answered"] for vip, one in self._account["vips"].items()}

    @property
    def lost(self) -> dict[str, int]:
        """How many requests to each VIP are not; at the end they are lost."""
        return {vip: one["waiting"] for vip, one in self._account["vips"].items()}

    @property
    def nodes(self) -> dict[str, list[str]]:
        """Who answered for each VIP, one after another."""
        return {vip: one["nodes"] for vip, one in self._account["vips"].items()}

    def wait_for_more(self, count: int) -> None:
        """See so many more answers for each VIP."""
        before = self.answered
        self._wait(
            lambda: bool(self.answered) and all(now >= before.get(vip, 0) + count for vip, now in self.answered.items())
        )

    def wait_for_loss(self, count: int) -> None:
        """See so many requests to each VIP without an answer."""
        self._wait(lambda: all(lost >= count for lost in self.lost.values()))

    def wait_for_end(self) -> None:
        """See its account of the whole."""
        self._wait(lambda: bool(self._account["ended"]))

    def _wait(self, true: Callable[[], bool]) -> None:
        with self._told:
            if not self._told.wait_for(true, PATIENCE):
                raise TimeoutError(f"the client is silent: {self._account}")
