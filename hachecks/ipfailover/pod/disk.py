"""What is written to the state directory, in a thread: a disk that hangs must not keep process 1 from its signals.

Whoever writes to one waits in the kernel, where not even SIGKILL reaches him. So does Keepalived when it opens the
notify FIFO there, at its start and at each reload; its VIPs would stay here then, without an advert.
"""

from __future__ import annotations

import threading
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.ipfailover.pod.teller import Teller

PATIENCE = 2.0
"""Seconds that are waited for what should be there before anything else happens."""
MOMENT = 0.1
"""Seconds that are waited for what is under way: where the disk works, it takes a part of one of them."""
HANGS = 5.0
"""Seconds after which whoever writes hangs."""


class Disk:
    """Does one thing after another; what comes while it hangs is left out."""

    def __init__(self, directory: str, teller: Teller) -> None:
        self._directory = directory
        self._teller = teller
        self._doing: threading.Thread | None = None
        self._since = 0.0

    def do(self, step: Callable[[], object], without: str, patience: float) -> None:
        """Have it done, and wait for it for so many seconds; `without` says what is missing where it cannot be."""
        if self.is_free(patience):
            self._since = monotonic()
            told = partial(self._do, step, without)
            self._doing = threading.Thread(target=guarded, args=(told, self._teller), name="disk", daemon=True)
            self._doing.start()
            self.is_free(patience)

    def _do(self, step: Callable[[], object], without: str) -> None:
        try:
            step()
        except OSError as error:
            self._teller.rarely(f"{self._directory}: {error.strerror or error}: {without}")

    def is_free(self, patience: float = MOMENT) -> bool:
        """Whether nothing is under way any more, within so many seconds."""
        if self._doing:
            self._doing.join(patience)
            self._doing = self._doing if self._doing.is_alive() else None
        return self._doing is None

    @property
    def trouble(self) -> str:
        """That it hangs; empty while it does not."""
        if self.is_free(0.0) or monotonic() - self._since < HANGS:
            return ""
        return (
            f"{self._directory} hangs: what is written there does not end, and the agent is not told how this pod "
            "fares; VIPs are served and given away as ever, but Keepalived, which would hang as well, is neither "
            "started nor reloaded; see the disk that it is on"
        )
