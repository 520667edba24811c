"""The VIPs of a node that is drained, watched until another node has each of them."""

from __future__ import annotations

import time
from time import monotonic

from hachecks.verdict import in_words
from hachecks.wire import addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hachecks.wire.asking import Asker

PAUSE = 0.1
"""Seconds between two looks, in which answers are heard."""
SETTLED = 5.0
"""Seconds for which a VIP that nobody can be asked for has to be gone: so long no election lasts."""


class Moving:
    """VIPs that were here, and what has become of each. Without an `asker` only this node's own addresses are known."""

    def __init__(self, vips: Iterable[str], asker: Asker | None, say: Callable[[str], None]) -> None:
        self.waiting = list(vips)
        self.number = len(self.waiting)
        self.asker = asker
        self.say = say
        self.began = monotonic()
        self.left: set[str] = set()
        """Those that have been gone from here, though they may be back."""
        self._gone: dict[str, float] = {}

    def wait(self, until: float, or_back: bool = False) -> None:
        """Wait until all have moved, or until this monotonic instant; says of each where it is.

        With `or_back` also until those that have not moved are here again.
        """
        while self.waiting and not (or_back and len(self.here()) == len(self.waiting)):
            if self.asker:
                self.asker.ask(self.waiting)
                self.asker.hear(PAUSE)
            else:
                time.sleep(PAUSE)
            self._look()
            if monotonic() >= until:
                return

    def _look(self) -> None:
        here, now = addresses.here(), monotonic()
        for vip in list(self.waiting):
            if vip in here:
                self._gone.pop(vip, None)
                if self.asker:
                    self.asker.heard.pop(vip, None)
                continue
            gone = self._gone.setdefault(vip, now)
            self.left.add(vip)
            mac = self.asker.heard.get(vip) if self.asker else None
            if mac:
                self.say(f"{vip} is on {mac} now, {in_words(round(now - self.began, 1))}")
                self.waiting.remove(vip)
            elif not self._can_ask and now - gone >= SETTLED:
                took = in_words(round(gone - self.began, 1))
                self.say(f"{vip} is not here any more, {took}; who has it is not known")
                self.waiting.remove(vip)

    @property
    def _can_ask(self) -> bool:
        return bool(self.asker and not self.asker.trouble)

    def here(self) -> list[str]:
        """Those that wait and are on this node now."""
        here = addresses.here()
        return [vip for vip in self.waiting if vip in here]
