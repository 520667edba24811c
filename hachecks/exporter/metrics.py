"""Which metrics tell Prometheus what is known? What is not known is absent, and never zero."""

from __future__ import annotations

import platform
import time
from typing import TYPE_CHECKING

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from hachecks import __version__
from hachecks.checks.results import BUCKETS, KINDS
from hachecks.delivery.queue_state import DURATIONS
from hachecks.exporter import compatibility
from hachecks.exporter.body import CachedSection
from hachecks.exporter.exposition import OPENMETRICS, Family, histogram, labels, rendered
from hachecks.exporter.view import STATES
from hachecks.keepalived import multicast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hachecks.checks.results import CheckResults
    from hachecks.exporter.node import NodeSources

    Families = Callable[[NodeSources], Iterable[Family]]

PROCESS = CollectorRegistry()
PROCESS.register(PROCESS_COLLECTOR)


def parts(node: NodeSources, compatible: bool) -> list[CachedSection]:
    """All metrics of a node, parted by what they change with."""
    config, verdicts = node.sources["configuration"], node.sources["verdicts"]
    grouped: list[tuple[Callable[[], object], Families]] = [
        (lambda: config.version, configured),
        (lambda: node.version, known),
        (lambda: (verdicts.version, config.version, node.checks.freshness()), checks),
        (lambda: node.queues, notifiers),
        (lambda: None, current),
    ]
    if compatible:
        grouped.append((lambda: (node.version, verdicts.version, node.checks.freshness()), compatibility.families))
    return [*(_part(node, version, families) for version, families in grouped), CachedSection(lambda: None, _process)]


def _part(node: NodeSources, version: Callable[[], object], families: Families) -> CachedSection:
    return CachedSection(version, lambda form: rendered(families(node), form))


def _process(form: str) -> str:
    if form == OPENMETRICS:
        text: bytes = openmetrics.generate_latest(PROCESS)  # type: ignore[no-untyped-call]
        return text.decode().replace("# EOF\n", "")
    return generate_latest(PROCESS).decode()


def configured(node: NodeSources) -> Iterator[Family]:
    """What the configuration says."""
    version = labels(version=__version__, pythonversion=platform.python_version())
    yield Family("hachecks_build_info", "gauge", "What runs; always 1.", [(version, 1)])
    instances = node.configuration.configuration.instances
    yield Family(
        "hachecks_vip_info",
        "gauge",
        "A VIP of the configuration; always 1.",
        [
            (
                labels(
                    vrrp_instance=instance.name,
                    vip=one.address,
                    vrid="" if instance.vrid is None else instance.vrid,
                    interface=one.interface,
                    prefixlen=one.prefixlen,
                    family=instance.family,
                ),
                1,
            )
            for instance in instances
            for one in instance.addresses
        ],
    )
    yield Family(
        "hachecks_vrrp_base_priority",
        "gauge",
        "The priority that is configured.",
        [(labels(vrrp_instance=one.name), one.priority) for one in instances if one.priority is not None],
    )
    yield Family(
        "hachecks_configuration_findings",
        "gauge",
        "What is written in the configuration and does not count as it stands; the status page has the sentences.",
        [("", len(node.configuration.configuration.findings))],
    )
    yield Family(
        "hachecks_check_interval_seconds",
        "gauge",
        "How often Keepalived is configured to run the check.",
        [(labels(check=name), interval) for name, interval in node.checks.intervals.items()],
    )


def known(node: NodeSources) -> Iterator[Family]:
    """What netlink shows and Keepalived says."""
    vips = [(labels(vrrp_instance=vip.instance, vip=vip.address), vip) for vip in node.vips]
    yield Family(
        "hachecks_vip_present",
        "gauge",
        "Whether the VIP is on an interface of this node.",
        [(of, int(vip.present)) for of, vip in vips if vip.present is not None],
    )
    yield Family(
        "hachecks_vip_expected",
        "gauge",
        "Whether the VIP should be here: its instance is MASTER, and Keepalived runs.",
        [(of, int(vip.expected)) for of, vip in vips if vip.expected is not None],
    )
    instances = node.instances
    yield Family(
        "hachecks_vrrp_state",
        "gauge",
        "Whether the instance is in this state, as Keepalived says.",
        [
            (labels(vrrp_instance=one.name, state=state), int(state == one.state))
            for one in instances
            for state in STATES
        ],
    )
    yield Family(
        "hachecks_vrrp_transitions_total",
        "counter",
        "Changes into this state.",
        [
            (labels(vrrp_instance=one.name, state=state), count)
            for one in instances
            for state, count in one.entered.items()
        ],
    )
    yield Family(
        "hachecks_vrrp_last_transition_timestamp_seconds",
        "gauge",
        "When the instance changed its state, in seconds of the epoch.",
        [(labels(vrrp_instance=one.name), one.since) for one in instances if one.since is not None],
    )
    yield Family(
        "hachecks_vrrp_priority",
        "gauge",
        "The priority that Keepalived said last.",
        [(labels(vrrp_instance=one.name), one.priority) for one in instances if one.priority is not None],
    )
    yield Family(
        "hachecks_notify_events_total",
        "counter",
        "What Keepalived has said.",
        [(labels(type=kind, state=state), count) for (kind, state), count in sorted(node.stories.events.items())],
    )
    running = node.running
    yield Family(
        "hachecks_keepalived_up",
        "gauge",
        "Whether Keepalived runs here.",
        [("", int(running.runs))] if running.runs is not None else [],
    )
    yield Family(
        "hachecks_keepalived_start_time_seconds",
        "gauge",
        "When Keepalived started, in seconds of the epoch.",
        [("", running.started)] if running.started is not None else [],
    )


def checks(node: NodeSources) -> Iterator[Family]:
    """What the checks say."""
    now = time.time()
    found = [(labels(check=one.name, probe=one.probe), one) for _, one in node.checks.shown(now) if one is not None]
    fresh = [(of, one) for of, one in found if node.checks.is_fresh(one, now)]

    def gauge(name: str, meaning: str, value: Callable[[CheckResults], float | None], of: object = found) -> Family:
        values = [(labels, value(one)) for labels, one in of]  # type: ignore[attr-defined]
        return Family(f"hachecks_check_{name}", "gauge", meaning, [(of, one) for of, one in values if one is not None])

    yield gauge("up", "Whether the check passes; absent when it has not run lately.", lambda one: int(one.good), fresh)
    yield Family("hachecks_check_runs_total", "counter", "Runs of the check.", [(of, one.runs) for of, one in found])
    failing = [
        (labels(check=one.name, probe=one.probe, reason=kind), one.failures.get(kind))
        for _, one in found
        for kind in KINDS
    ]
    yield Family(
        "hachecks_check_failures_total",
        "counter",
        "Runs of the check that did not pass, by the kind of reason.",
        [(of, failed[0] if failed else 0) for of, failed in failing],
    )
    yield Family(
        "hachecks_check_last_failure_timestamp_seconds",
        "gauge",
        "When the check last did not pass for this kind of reason, in seconds of the epoch.",
        [(of, failed[1]) for of, failed in failing if failed],
    )
    yield Family(
        "hachecks_check_duration_seconds",
        "histogram",
        "How long the check took.",
        [
            sample
            for _, one in found
            for sample in histogram(BUCKETS, one.durations, one.seconds, check=one.name, probe=one.probe)
        ],
    )
    yield gauge("last_run_timestamp_seconds", "When the check last ran.", lambda one: one.at)
    yield gauge("last_success_timestamp_seconds", "When the check last passed.", lambda one: one.last_success)
    yield gauge("consecutive_failures", "Failed runs since the last that passed.", lambda one: one.consecutive_failures)
    yield gauge("timeout_seconds", "How long the check may take.", lambda one: one.timeout)
    yield gauge(
        "certificate_expiry_timestamp_seconds",
        "When the certificate that the check saw expires.",
        lambda one: one.certificate_expiry,
    )


def notifiers(node: NodeSources) -> Iterator[Family]:
    """How the notifiers fare."""
    queues = [(labels(notifier=queue.name), queue) for queue in node.queues]
    yield Family(
        "hachecks_notify_deliveries_total",
        "counter",
        "Tries to tell the notifier.",
        [(of, queue.deliveries) for of, queue in queues],
    )
    yield Family(
        "hachecks_notify_delivery_failures_total",
        "counter",
        "Tries that failed, by the kind of reason.",
        [
            (labels(notifier=queue.name, reason=reason), count)
            for _, queue in queues
            for reason, count in sorted(queue.failures.items())
        ],
    )
    yield Family(
        "hachecks_notify_delivery_duration_seconds",
        "histogram",
        "How long a try took.",
        [
            sample
            for _, queue in queues
            for sample in histogram(DURATIONS, queue.durations, queue.seconds, notifier=queue.name)
        ],
    )
    yield Family(
        "hachecks_notify_queue_length",
        "gauge",
        "Events that wait to be told.",
        [(of, queue.waiting) for of, queue in queues],
    )
    yield Family(
        "hachecks_notify_dropped_total",
        "counter",
        "Events that were given up.",
        [
            (labels(notifier=queue.name, reason=reason), count)
            for _, queue in queues
            for reason, count in sorted(queue.dropped.items())
        ],
    )
    yield Family(
        "hachecks_notify_last_success_timestamp_seconds",
        "gauge",
        "When the notifier was last told something.",
        [(of, queue.last_success) for of, queue in queues if queue.last_success is not None],
    )


def current(node: NodeSources) -> Iterator[Family]:
    """What is another at every scrape."""
    now = time.time()
    yield Family(
        "hachecks_vrrp_master_seconds_total",
        "counter",
        "How long the instance has been MASTER.",
        [(of, round(node.told[name].served_at(now), 3)) for name, of in node.labels_of_instances.items()],
    )
    sources: Sequence[tuple[str, object]] = [(labels(source=name), one) for name, one in node.sources.items()]
    for name, kind, meaning, value in (
        ("source_up", "gauge", "Whether the source answered when it was last asked.", lambda one: int(one.up)),
        ("source_last_success_timestamp_seconds", "gauge", "When it last did.", lambda one: one.last_success),
        ("source_errors_total", "counter", "How often it did not.", lambda one: one.errors),
        ("collect_duration_seconds", "gauge", "How long it took to read the source.", lambda one: one.duration),
    ):
        samples = [(of, value(one)) for of, one in sources]
        yield Family(f"hachecks_{name}", kind, meaning, [(of, one) for of, one in samples if one is not None])
    yield Family(
        "hachecks_vrrp_multicast_joined",
        "gauge",
        "Whether the interface has joined the multicast group of VRRP.",
        [(labels(interface=name), int(joined)) for name, joined in multicast.joined(node.multicast_interfaces())],
    )
