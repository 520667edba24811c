"""The metrics of a node, as tables: what is not known is absent, and never zero."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from hachecks import __version__
from hachecks.checks.results import BUCKETS, KINDS
from hachecks.delivery.queue_state import DURATIONS
from hachecks.exporter import compatibility
from hachecks.exporter.body import CachedSection
from hachecks.exporter.group_metrics import GROUP, GROUP_VIPS, PEERS
from hachecks.services import instance_metrics
from hachecks.services.exposition import (
    OPENMETRICS,
    Histogram,
    Table,
    counter,
    described,
    gauge,
    histogram,
    single,
)
from hachecks.services.exposition_text import TablesText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.exporter.view import Check, View
    from hachecks.services.exposition import Description

PROCESS = CollectorRegistry()
PROCESS.register(PROCESS_COLLECTOR)

BUILD = Table(
    lambda _: (None,),
    ("version", "pythonversion"),
    lambda _: (__version__, platform.python_version()),
    (gauge("hachecks_build_info", "What runs; always 1.", lambda _: 1),),
)
CONFIGURED_VIPS = Table(
    lambda view: view.vips,
    ("vrrp_instance", "vip", "vrid", "interface", "prefixlen", "family"),
    lambda vip: (
        vip.instance,
        vip.address,
        "" if vip.vrid is None else vip.vrid,
        vip.interface,
        vip.prefixlen,
        vip.family,
    ),
    (gauge("hachecks_vip_info", "A VIP of the configuration; always 1.", lambda _: 1),),
)
DRAINED = single(
    lambda view: view.drained,
    gauge(
        "hachecks_drained",
        "Whether the node is drained, and gives its VIPs to others; absent where nothing could drain it.",
        lambda drained: None if drained is None else bool(drained),
    ),
)
FINDINGS = single(
    lambda view: len(view.findings),
    gauge(
        "hachecks_configuration_findings",
        "What is written in the configuration and does not count as it stands; the status page has the sentences.",
        lambda count: count,
    ),
)
VIPS = Table(
    lambda view: view.vips,
    ("vrrp_instance", "vip"),
    lambda vip: (vip.instance, vip.address),
    (
        gauge("hachecks_vip_present", "Whether the VIP is on an interface of this node.", lambda vip: vip.present),
        gauge(
            "hachecks_vip_expected",
            "Whether the VIP should be here: its instance is MASTER, and Keepalived runs.",
            lambda vip: vip.expected,
        ),
    ),
)
INSTANCES = Table(
    lambda view: view.instances,
    ("vrrp_instance",),
    lambda one: (one.name,),
    (
        gauge("hachecks_vrrp_base_priority", "The priority that is configured.", lambda one: one.base_priority),
        *instance_metrics.METRICS,
    ),
)
EVENTS = Table(
    lambda view: view.events,
    ("type", "state"),
    lambda event: (event.kind, event.state),
    (counter("hachecks_notify_events_total", "What Keepalived has said.", lambda event: event.times),),
)
KEEPALIVED = single(
    lambda view: (view.keepalived_runs, view.keepalived_started),
    gauge("hachecks_keepalived_up", "Whether Keepalived runs here.", lambda known: known[0]),
    gauge(
        "hachecks_keepalived_start_time_seconds",
        "When Keepalived started, in seconds of the epoch.",
        lambda known: known[1],
    ),
)
INTERVALS = Table(
    lambda view: view.checks,
    ("check",),
    lambda check: (check.name,),
    (
        gauge(
            "hachecks_check_interval_seconds",
            "How often Keepalived is configured to run the check.",
            lambda check: check.interval,
        ),
    ),
)


def _failures(check: Check) -> dict[str, int]:
    """How many there were of each kind, and zero of those that there were none of."""
    failures = check.results.failures if check.results else {}
    return {kind: failures[kind][0] if kind in failures else 0 for kind in KINDS}


CHECKS = Table(
    lambda view: (check for check in view.checks if check.results),
    ("check", "probe"),
    lambda check: (check.name, check.probe),
    (
        gauge(
            "hachecks_check_up",
            "Whether the check passes; absent when it has not run lately.",
            lambda check: check.passes,
        ),
        counter("hachecks_check_runs_total", "Runs of the check.", lambda check: check.results.runs),
        counter(
            "hachecks_check_failures_total",
            "Runs of the check that did not pass, by the kind of reason.",
            _failures,
            "reason",
        ),
        gauge(
            "hachecks_check_last_failure_timestamp_seconds",
            "When the check last did not pass for this kind of reason, in seconds of the epoch.",
            lambda check: {kind: at for kind, (_, at) in check.results.failures.items() if kind in KINDS},
            "reason",
        ),
        histogram(
            "hachecks_check_duration_seconds",
            "How long the check took.",
            lambda check: Histogram(BUCKETS, check.results.durations, check.results.seconds),
        ),
        gauge("hachecks_check_last_run_timestamp_seconds", "When the check last ran.", lambda check: check.at),
        gauge(
            "hachecks_check_last_success_timestamp_seconds",
            "When the check last passed.",
            lambda check: check.results.last_success,
        ),
        gauge(
            "hachecks_check_consecutive_failures",
            "Failed runs since the last that passed.",
            lambda check: check.results.consecutive_failures,
        ),
        gauge("hachecks_check_timeout_seconds", "How long the check may take.", lambda check: check.timeout),
        gauge(
            "hachecks_check_certificate_expiry_timestamp_seconds",
            "When the certificate that the check saw expires.",
            lambda check: check.results.certificate_expiry,
        ),
    ),
)
NOTIFIERS = Table(
    lambda view: (notifier for notifier in view.notifiers if notifier.queue),
    ("notifier",),
    lambda notifier: (notifier.name,),
    (
        counter(
            "hachecks_notify_deliveries_total",
            "Tries to tell the notifier.",
            lambda notifier: notifier.queue.deliveries,
        ),
        counter(
            "hachecks_notify_delivery_failures_total",
            "Tries that failed, by the kind of reason.",
            lambda notifier: notifier.queue.failures,
            "reason",
        ),
        histogram(
            "hachecks_notify_delivery_duration_seconds",
            "How long a try took.",
            lambda notifier: Histogram(DURATIONS, notifier.queue.durations, notifier.queue.seconds),
        ),
        gauge("hachecks_notify_queue_length", "Events that wait to be told.", lambda notifier: notifier.waiting),
        counter(
            "hachecks_notify_dropped_total",
            "Events that were given up.",
            lambda notifier: notifier.queue.dropped,
            "reason",
        ),
        gauge(
            "hachecks_notify_last_success_timestamp_seconds",
            "When the notifier was last told something.",
            lambda notifier: notifier.last_success,
        ),
    ),
)
MASTERSHIP = Table(
    lambda view: view.instances,
    ("vrrp_instance",),
    lambda one: (one.name,),
    (
        counter(
            "hachecks_vrrp_master_seconds_total",
            "How long the instance has been MASTER.",
            lambda one, now: round(one.master_seconds_at(now), 3),
        ),
    ),
    context=lambda view: view.at,
)
SOURCES = Table(
    lambda view: view.sources,
    ("source",),
    lambda source: (source.name,),
    (
        gauge("hachecks_source_up", "Whether the source answered when it was last asked.", lambda source: source.up),
        gauge(
            "hachecks_source_last_success_timestamp_seconds", "When it last did.", lambda source: source.last_success
        ),
        counter("hachecks_source_errors_total", "How often it did not.", lambda source: source.errors),
        gauge(
            "hachecks_collect_duration_seconds", "How long it took to read the source.", lambda source: source.duration
        ),
    ),
)
MULTICAST = single(
    lambda view: view.multicast,
    gauge(
        "hachecks_vrrp_multicast_joined",
        "Whether the interface has joined the multicast group of VRRP.",
        dict,
        "interface",
    ),
)
TABLES = (
    BUILD,
    CONFIGURED_VIPS,
    FINDINGS,
    DRAINED,
    VIPS,
    INSTANCES,
    EVENTS,
    KEEPALIVED,
    INTERVALS,
    CHECKS,
    NOTIFIERS,
    GROUP_VIPS,
)
"""What changes with its sources only."""
LIVE_TABLES = (MASTERSHIP, SOURCES, MULTICAST, PEERS, GROUP)
"""What is another at every scrape."""


def sections(compatible: bool) -> list[CachedSection]:
    """All metrics, parted by what they change with; the `keepalived_*` of other exporters on demand."""
    alone = [(table,) for table in (CONFIGURED_VIPS, VIPS, INSTANCES, CHECKS, GROUP_VIPS)]
    rest = tuple(table for table in TABLES if (table,) not in alone)
    groups = [*alone, rest, *([compatibility.TABLES] if compatible else []), LIVE_TABLES]
    return [*map(_section, groups), CachedSection(None, lambda _, format: _process(format))]


def _section(tables: tuple[Table, ...]) -> CachedSection:
    text = TablesText(tables)
    return CachedSection(None if tables is LIVE_TABLES else _made_of, text.pieces)


def _made_of(view: View) -> object:
    """All that is in a view, but for the time and what is another with each look at a source."""
    return (
        view.instances, view.vips, view.checks, view.notifiers, view.events, view.findings, view.dumps,
        view.keepalived_runs, view.keepalived_started, view.drained, view.group and view.group.vips,
        [(source.name, source.up) for source in view.sources],
    )  # fmt: skip


def all_metrics() -> Iterator[Description]:
    """Every metric of ours with its name, type, help and labels, for the documentation."""
    yield from described((*TABLES, *LIVE_TABLES))


def compatible_metrics() -> Iterator[Description]:
    """Every metric that `--compat keepalived` adds."""
    yield from described(compatibility.TABLES)


def _process(format: str) -> str:
    if format == OPENMETRICS:
        text: bytes = openmetrics.generate_latest(PROCESS)  # type: ignore[no-untyped-call]
        return text.decode().replace("# EOF\n", "")
    return generate_latest(PROCESS).decode()
