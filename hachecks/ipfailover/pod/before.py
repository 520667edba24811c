"""What is looked at before Keepalived starts, in a thread: signals are answered meanwhile."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.looking import Looking
from hachecks.ipfailover.pod.preflight import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.pod.preflight import Finding
    from hachecks.ipfailover.pod.teller import Teller
    from hachecks.ipfailover.pod.wanted import Wanted

AGAIN = 2.0
"""Seconds after which it is looked again for what has to go before Keepalived may start."""
STRICT, OFF = "strict", "off"


class Before:
    """The looks before a start; `findings` are those of the last that ended."""

    def __init__(self, mode: str, teller: Teller) -> None:
        self.findings: Sequence[Finding] = ()
        self._mode = mode
        self._teller = teller
        self._may_begin = mode == OFF
        self._looking: Looking | None = None
        self._next = 0.0
        self.looked = 0.0
        """The monotonic instant at which the last look ended."""

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way."""
        return self._looking is not None

    @property
    def fatal(self) -> tuple[str, ...]:
        """Why nothing can come of it."""
        return tuple(one.text for one in self.findings if one.kind == "fatal") if self._mode == STRICT else ()

    @property
    def is_first(self) -> bool:
        """Whether nothing is known of this start yet, and is going to be."""
        return not self._may_begin and not self.looked

    def may_begin(self, wanted: Wanted) -> bool:
        """Whether Keepalived may start; looks where that is not known, and again while it may not."""
        if self._looking and (found := self._looking.found()) is not None:
            self.findings, self._looking = found, None
            waits = self._mode == STRICT and any(one.kind != "warn" for one in self.findings)
            self._may_begin = not waits
            self.looked = monotonic()
            self._next = monotonic() + AGAIN
        if not self._may_begin and not self._looking and monotonic() >= self._next:
            self._looking = Looking(lambda: found_before(wanted), self._teller)
        return self._may_begin

    def again(self) -> None:
        """Look again before the next start."""
        self._may_begin, self.looked = self._mode == OFF, 0.0


def found_before(wanted: Wanted) -> Sequence[Finding]:
    """What is found now."""
    if wanted.target is None:
        return ()
    return look(wanted.target, wanted.vips, wanted.settings.interface)
