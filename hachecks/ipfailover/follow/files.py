"""Files of the state directory by which `hacheck ipfailover run` learns of the Services that its child follows."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from hachecks import kept, state
from hachecks.ipfailover.settings import CHECK

if TYPE_CHECKING:
    from collections.abc import Sequence

ENV = "services.env"
"""VIPs of Services and their checks, numbered from 1, as an env file."""
LEDGER = "services-ledger.json"
"""The ledger that all nodes agree on, which counts before any other as soon as it is there; written before `ENV`."""
REPORT = "services.json"
VIRTUAL_IPS = "OPENSHIFT_HA_VIRTUAL_IPS"
STALE = 60.0
"""Seconds after which whoever writes the report hangs, or is gone."""


class Checked:
    """A VIP of a Service with the command that checks it."""

    __slots__ = ("check", "vip")

    def __init__(self, vip: str, check: str) -> None:
        self.vip = vip
        self.check = check


def written_env(checked: Sequence[Checked]) -> str:
    """The text of `ENV`; there is a VIP to each item, and so the n-th check is the n-th VIP's."""
    lines = [f"{VIRTUAL_IPS}={','.join(one.vip for one in checked)}"] if checked else []
    # Between single quotes nothing means anything to a shell; a check of ours has none in it.
    lines += [f"{CHECK}{number}='{one.check}'" for number, one in enumerate(checked, 1)]
    return "".join(f"{line}\n" for line in ("# VIPs of Services, written by hacheck ipfailover follow", *lines))


class FollowReport:
    """What following says of itself: since when the cluster does not answer and why, and what is passed over.

    `trouble` is empty while all is well. `services` and `vips` count what is served, and
    `remarks` are sentences for people.
    """

    def __init__(
        self,
        trouble: str = "",
        services: int = 0,
        vips: int = 0,
        remarks: tuple[str, ...] = (),
        at: float | None = None,
    ) -> None:
        self.trouble = trouble
        self.services = services
        self.vips = vips
        self.remarks = remarks
        self.at = time.clock_gettime(time.CLOCK_BOOTTIME) if at is None else at
        """Seconds of the clock that nobody sets."""

    @property
    def is_stale(self) -> bool:
        """Whether its writer should have written another by now."""
        return not 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - self.at < STALE

    def write(self, directory: str) -> None:
        """Put it into the state directory; raises `OSError`."""
        state.replace(os.path.join(directory, REPORT), json.dumps(vars(self)))


def read_report(directory: str) -> FollowReport | None:
    """The report in a state directory; None where there is none, or what is there is none. Raises `OSError`."""
    try:
        found = kept.document(state.read(os.path.join(directory, REPORT)))
        trouble, remarks, at = found["trouble"], found["remarks"], found["at"]
        counts = found["services"], found["vips"]
        if not (
            kept.is_text(trouble) and kept.is_words(remarks) and kept.is_number(at) and all(map(kept.is_whole, counts))
        ):
            return None
    except (ValueError, KeyError):
        return None
    return FollowReport(trouble, *counts, tuple(remarks), at)
