"""Fired alerts: the VIPs that each had: it is resolved under the same labels, whatever is configured by then."""

from __future__ import annotations

import contextlib
import json
import os
import zlib

from hachecks import state
from hachecks.kept import document, is_text

MOST_ALERTS = 10_000
"""Alerts that are remembered; those that nobody resolves have ended long since."""


class FiredAlerts:
    """The VIPs of each alert that fires at one Alertmanager; what cannot be remembered has its present ones."""

    def __init__(self, directory: str = "", where: str = "") -> None:
        self.path = ""
        self.vips: dict[str, str] = {}
        self.before: dict[str, str] = {}
        if directory and where:
            self._load(directory, where)

    def _load(self, directory: str, where: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            name = f"alertmanager-{zlib.crc32(where.encode('utf-8', 'replace')):08x}"
            self.path = os.path.join(directory, name)
            kept = document(state.read(self.path) or "{}")
            self.vips = {alert: vips for alert, vips in kept.items() if is_text(vips) and is_text(alert)}
        self.before = dict(self.vips)

    def fires(self, alert: str, vips: str, *, again: bool) -> str:
        """It fires with these VIPs, or again with those that it had; returns them."""
        if not again:
            self.vips.pop(alert, None)
        return self.vips.setdefault(alert, vips)

    def ends(self, alert: str, vips: str) -> str:
        """It fires no more; returns the VIPs that it had."""
        return self.vips.pop(alert, vips)

    def save(self) -> None:
        """Remember it."""
        if not self.path or self.vips == self.before:
            return
        latest = dict(list(self.vips.items())[-MOST_ALERTS:])
        with contextlib.suppress(OSError):
            state.replace(self.path, json.dumps(latest))
