"""What other processes of this node leave word of: a pod's first one of itself, and an agent of the segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks import pod_report
from hachecks.wire import report as wire_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hachecks.pod_report import PodReport

HANGS = "the pod's first process has not reported for 10 s: it hangs, or is gone; restart the pod"


class Reports:
    """The reports, as they were read last; one of a former pod, or of a process before this one's time, counts as none.

    `remarks` are sentences of the pod's first process, `conflicts` those about the segment.
    """

    def __init__(self, places: Callable[[], Iterable[str]]) -> None:
        self._places = places
        self._oldest = pod_report.PodReport(pod_report.PREFLIGHT).at - pod_report.STALE
        self.pod: PodReport | None = None
        self.remarks: tuple[str, ...] = ()
        self.conflicts: tuple[str, ...] = ()

    def refresh(self) -> bool:
        """Read them; returns whether they say something new."""
        before = (self.remarks, self.conflicts)
        pod: PodReport | None = None
        conflicts: tuple[str, ...] = ()
        trouble: tuple[str, ...] = ()
        for place in self._places():
            try:
                pod = pod or self._pod_in(place)
                conflicts = conflicts or wire_report.read(place)
            except OSError as error:
                trouble = (f"{error.filename or place}: {error.strerror}",)
        self.pod, self.conflicts = pod, conflicts
        self.remarks = (*remarks_of(pod), *trouble)
        return before != (self.remarks, self.conflicts)

    def _pod_in(self, place: str) -> PodReport | None:
        found = pod_report.read(place)
        return found if found and found.age >= 0 and found.at >= self._oldest else None


def remarks_of(pod: PodReport | None) -> tuple[str, ...]:
    """What a pod's first process has to say to people."""
    if pod is None:
        return ()
    hangs = (HANGS,) if pod.is_stale else ()
    return (*hangs, *pod.findings, *((pod.held,) if pod.held else ()))
