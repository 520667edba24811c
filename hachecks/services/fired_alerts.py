"""Fired alerts as they were told: they are told again, and resolved under the same labels, whatever is configured."""

from __future__ import annotations

import contextlib
import json
import os
import zlib

from hachecks import state
from hachecks.kept import document, is_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MOST_ALERTS, MOST_AS_TOLD = 10_000, 2_000
"""Alerts whose VIPs are remembered, and all that was said; those that nobody resolves have ended long since."""


class FiredAlerts:
    """The alerts that fire at one Alertmanager; what cannot be remembered has its present VIPs.

    `vips` has the VIPs of each by its key, and `told` what `remember` was given of those that can be told again.
    """

    def __init__(self, directory: str = "", where: str = "") -> None:
        self.path = ""
        self.vips: dict[str, str] = {}
        self.told: dict[str, dict[str, Any]] = {}
        self._before = ""
        if directory and where:
            self._load(directory, where)
        self._before = self._text()

    def _load(self, directory: str, where: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            name = f"alertmanager-{zlib.crc32(where.encode('utf-8', 'replace')):08x}"
            self.path = os.path.join(directory, name)
            for key, kept in document(state.read(self.path) or "{}").items():
                told = kept if isinstance(kept, dict) else {}
                vips = told.get("vips", kept)
                if is_text(key) and is_text(vips):
                    self.vips[key] = vips
                    if _is_as_told(told):
                        self.told[key] = told

    def fires(self, alert: str, vips: str, *, again: bool) -> str:
        """It fires with these VIPs, or again with those that it had; returns them."""
        if not again:
            self.vips.pop(alert, None)
        return self.vips.setdefault(alert, vips)

    def remember(self, alert: str, subject: tuple[str, str, str], said: Mapping[str, Any]) -> None:
        """What was said of it: `subject` is the kind and name of an instance or group, and its state."""
        self.told[alert] = {"vips": self.vips[alert], "subject": list(subject), "alert": dict(said)}

    def ends(self, alert: str, vips: str) -> str:
        """It fires no more; returns the VIPs that it had."""
        self.told.pop(alert, None)
        return self.vips.pop(alert, vips)

    def save(self) -> None:
        """Remember it."""
        text = self._text()
        if self.path and text != self._before:
            with contextlib.suppress(OSError):
                state.replace(self.path, text)

    def _text(self) -> str:
        as_told = dict(list(self.told.items())[-MOST_AS_TOLD:])
        return json.dumps({alert: as_told.get(alert, vips) for alert, vips in list(self.vips.items())[-MOST_ALERTS:]})


def _is_as_told(told: Mapping[str, Any]) -> bool:
    """Whether it is what `remember` keeps: names and texts."""
    subject, alert = told.get("subject"), told.get("alert")
    if not isinstance(subject, list) or len(subject) != 3 or not all(map(is_text, subject)):
        return False
    if not isinstance(alert, dict) or not is_text(alert.get("startsAt")):
        return False
    parts = alert.get("labels"), alert.get("annotations")
    return all(isinstance(part, dict) and all(map(is_text, (*part, *part.values()))) for part in parts)
