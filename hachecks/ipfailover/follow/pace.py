"""How long things take and may take when the cluster is asked, in seconds and bytes."""

from __future__ import annotations

import random
from typing import NamedTuple


class Pace(NamedTuple):
    """The times and bounds; tests have shorter ones."""

    request: float = 15.0
    """A request and its whole answer."""
    watch: float = 300.0
    """The server ends a watch after this, up to twice as long."""
    silence: float = 150.0
    """A watch in which nothing comes is taken for dead: the server sends a bookmark each minute."""
    least_wait: float = 0.5
    """Before the second try; each wait is up to twice the one before."""
    longest_wait: float = 30.0
    longest_asked: float = 120.0
    """What a server may ask for by Retry-After."""
    settled: float = 600.0
    """For so long nothing must have changed before what nobody wants is taken out of the ledger."""
    look: float = 1.0
    """Between two looks at the variables and the node's addresses."""
    report: float = 10.0
    refused_again: float = 300.0
    """Before what the cluster refused is tried again."""
    page: int = 500
    """Objects of one answer."""
    largest: int = 16 * 1024 * 1024
    """Bytes of one answer, or of one event: an object is 1.5 MiB at most."""
    most_pages: int = 200


DEFAULT = Pace()


class Backoff:
    """Waits that grow: each is a random part, half at least, of twice the one before, so that nodes do not meet."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._next = pace.least_wait

    def reset(self) -> None:
        """All is well."""
        self._next = self._pace.least_wait

    def wait(self, asked: float | None = None) -> float:
        """Seconds to wait now; `asked` is what the server asks for."""
        most = self._next
        self._next = min(2 * most, self._pace.longest_wait)
        least = 0.0 if asked is None else min(max(asked, 0.0), self._pace.longest_asked)
        return least + most * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret
