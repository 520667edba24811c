"""The metrics of the segment and of the pod's first process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.agent.wire.judge import KINDS
from hachecks.exporter.body import CachedSection
from hachecks.pod_report import PHASES
from hachecks.services.exposition import Table, counter, described, gauge, single
from hachecks.services.exposition_text import rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hachecks.agent.wire.watch import WireWatch
    from hachecks.pod_report import PodReport
    from hachecks.services.exposition import Description

SEGMENT = single(
    lambda told: told[0],
    gauge(
        "hachecks_vrrp_wire_watched",
        "Whether the agent hears the segment of its VIPs; it needs CAP_NET_RAW when it starts.",
        lambda wire: wire.watches,
    ),
    gauge(
        "hachecks_vrrp_wire_conflicts",
        "Instances with which something was wrong on the segment within the last minute, by what it is.",
        lambda wire: {kind: wire.counts[kind] for kind in KINDS} if wire.watches else None,
        "kind",
    ),
    counter(
        "hachecks_vrrp_wire_heard_total",
        "Adverts and answers for addresses that were heard on any interface.",
        lambda wire: wire.heard if wire.watches else None,
    ),
    counter(
        "hachecks_vrrp_wire_asked_total",
        "How often it was asked who has a VIP, by ARP or neighbour discovery.",
        lambda wire: wire.asked if wire.watches else None,
    ),
    counter(
        "hachecks_vrrp_wire_lost_total",
        "Packets that were not heard, since too many came at once.",
        lambda wire: wire.lost if wire.watches else None,
    ),
)
POD = Table(
    lambda told: [told[1]] if told[1] else [],
    (),
    lambda _: (),
    (
        gauge(
            "hachecks_pod_phase",
            "The phase of the pod's first process, `hacheck ipfailover run`: 1 of one of them.",
            lambda pod: {phase: int(phase == pod.phase) for phase in PHASES},
            "phase",
        ),
        gauge("hachecks_pod_report_stale", "Whether that process hangs, or is gone.", lambda pod: pod.is_stale),
        gauge(
            "hachecks_pod_findings",
            "What it has found wrong with the node; the status page has the sentences.",
            lambda pod: len(pod.findings),
        ),
        gauge(
            "hachecks_pod_configuration_held",
            "Whether a changed configuration waits, and is not in force yet.",
            lambda pod: bool(pod.held),
        ),
        counter(
            "hachecks_pod_restarts_total",
            "How often a process of the pod was started again.",
            lambda pod: pod.restarts,
            "process",
        ),
        counter(
            "hachecks_pod_reloads_total", "How often Keepalived was given a new configuration.", lambda pod: pod.reloads
        ),
    ),
)
TABLES = (SEGMENT, POD)


def section(wire: WireWatch, pod: Callable[[], PodReport | None]) -> CachedSection:
    """All of these."""
    return CachedSection(None, lambda _, format: rendered(TABLES, (wire, pod()), format))


def all_metrics() -> Iterator[Description]:
    """Every metric of these, for the documentation."""
    yield from described(TABLES)
