"""VIPs that a change adds to those that are served: they are looked for on the segment first, as before a start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.before import OFF, STRICT
from hachecks.ipfailover.pod.looking import Looking
from hachecks.ipfailover.pod.preflight import Finding, look_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.pod.teller import Teller
    from hachecks.ipfailover.pod.wanted import Wanted


class Newcomers:
    """The looks before changes; `findings` are those of the last that ended."""

    def __init__(self, mode: str, teller: Teller) -> None:
        self.findings: Sequence[Finding] = ()
        self._mode, self._teller = mode, teller
        self._looking: Looking | None = None

    def begin(self, old: Wanted | None, new: Wanted) -> bool:
        """Look for those of the new configuration; returns whether there are any to look for.

        What was found before stays told until this look has ended.
        """
        vips = added(old, new) if old and old.target else ()
        target, interface = new.target, new.settings.interface
        if target is None or not vips or self._mode == OFF:
            self.findings, self._looking = (), None
            return False
        self._looking = Looking(lambda: look_for(target, vips, interface), self._teller)
        return True

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way."""
        if self._looking and (found := self._looking.found()) is not None:
            self.findings, self._looking = found, None
        return self._looking is not None

    @property
    def objection(self) -> str:
        """Why they may not be served yet; empty where they may."""
        waits = [one.text for one in self.findings if one.kind != "warn"] if self._mode == STRICT else []
        return "; ".join(waits)


def added(old: Wanted, new: Wanted) -> tuple[str, ...]:
    """The VIPs that are on an interface by the new configuration, and were not by the old one."""
    before = old.vips if old.settings.interface == new.settings.interface else ()
    return tuple(vip for vip in new.vips if vip not in before)
