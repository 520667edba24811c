"""A look at the node and its segment in a thread: process 1 has others to look after meanwhile."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.guard import guarded
from hachecks.ipfailover.pod.preflight import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hachecks.ipfailover.pod.teller import Teller

PATIENCE = 30.0
"""Seconds after which a look is not waited for: each of its parts has an end of its own, long before."""
HANGS = f"preflight has not ended within {PATIENCE:g} s, and is not waited for; tell its authors what this node is like"


class Looking:
    """A look that has begun; one that fails finds nothing, since it must not keep VIPs from being served."""

    def __init__(self, look: Callable[[], Sequence[Finding]], teller: Teller) -> None:
        self._look, self._teller = look, teller
        self._found: Sequence[Finding] = ()
        self._since = monotonic()
        self._thread = threading.Thread(target=self._run, name="preflight", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        guarded(self._keep, self._teller)

    def _keep(self) -> None:
        self._found = self._look()

    def found(self) -> Sequence[Finding] | None:
        """What it has found; None as long as it looks."""
        if not self._thread.is_alive():
            return self._found
        return (Finding(HANGS, "warn"),) if monotonic() - self._since > PATIENCE else None
