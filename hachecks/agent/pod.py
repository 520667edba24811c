"""What a pod's probes ask of the agent beside the pod's first process: whether the pod may have VIPs, and does."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from hachecks.exporter.reports import HANGS
from hachecks.pod_report import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.agent.wire.watch import WireWatch
    from hachecks.exporter.view import View
    from hachecks.pod_report import PodReport


def not_healthy(pod: PodReport | None) -> str:
    """Why the pod is to be started anew, in a few words; empty while its first process reports, or there is none."""
    return HANGS if pod and pod.is_stale else ""


def not_ready(pod: PodReport | None, view: View, wire: WireWatch) -> str:
    """Why the pod is not ready, in a few words; empty where no such process reports."""
    return next(_missing(pod, view, wire), "") if pod else ""


def _missing(pod: PodReport, view: View, wire: WireWatch) -> Iterator[str]:
    if pod.is_stale:
        yield HANGS
    if pod.phase != RUNNING:
        yield f"the pod's first process is in its phase {pod.phase}"
    yield from (one.trouble or f"{one.address} is not where Keepalived says" for one in view.vips if one.contradicts)
    unknown = [one.address for one in view.vips if one.is_unknown]
    if unknown:
        yield f"it is not known whether {unknown[0]} is where Keepalived says"
    yield from (f"{name}: no other node is heard, and this one is BACKUP" for name in wire.alone(monotonic()))
