"""Which `keepalived_*` metrics do the published dashboards use? Those that can be told truthfully, under these names.

Names, types and labels are those of mehdy/keepalived-exporter (`iname`, `intf`, `vrid`, `ip_address`), and, of what
only Keepalived's JSON tells, also those of gen2brain/keepalived_exporter (dashboards 18270 and 23604 of grafana.com).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hachecks import __version__
from hachecks.exporter.exposition import Family, labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.exporter.node import NodeSources
    from hachecks.exporter.view import Instance, Vip

STATE = {"UNKNOWN": 0, "BACKUP": 1, "MASTER": 2, "FAULT": 3}
COUNTERS = {
    "advert_rcvd": "advertisements_received",
    "advert_sent": "advertisements_sent",
    "packet_len_err": "packet_length_errors",
    "advert_interval_err": "advertisements_interval_errors",
    "ip_ttl_err": "ip_ttl_errors",
    "invalid_type_rcvd": "invalid_type_received",
    "addr_list_err": "address_list_errors",
    "invalid_authtype": "authentication_invalid",
    "authtype_mismatch": "authentication_mismatch",
    "auth_failure": "authentication_failure",
    "pri_zero_rcvd": "priority_zero_received",
    "pri_zero_sent": "priority_zero_sent",
}
"""Keepalived's names in its JSON, and mehdy's."""
BOTH = ("become_master", "release_master")


def families(node: NodeSources) -> Iterator[Family]:
    """All of them."""
    by_name = {instance.name: instance for instance in node.instances}
    yield Family("keepalived_exporter_build_info", "gauge", "What runs; always 1.", [(labels(version=__version__), 1)])
    runs = node.running.runs
    answers = node.sources["keepalived_json"].up if "keepalived_json" in node.sources else True
    yield Family(
        "keepalived_up",
        "gauge",
        "Whether Keepalived runs, and answers if it is asked.",
        [("", int(runs and answers))] if runs is not None else [],
    )
    for name, excluded in (("keepalived_vrrp_state", False), ("keepalived_vrrp_excluded_state", True)):
        yield Family(
            name,
            "gauge",
            "The state of the instance: 0 is INIT, 1 BACKUP, 2 MASTER, 3 FAULT.",
            [
                (_of(by_name[vip.instance], vip), STATE[by_name[vip.instance].state])
                for vip in node.vips
                if vip.excluded == excluded and by_name[vip.instance].state in STATE
            ]
            + ([] if excluded else _without_vips(node)),
        )
    yield from _scripts(node, by_name)
    instances = list(by_name.values())
    yield Family(
        "keepalived_become_master_total",
        "counter",
        "Changes to MASTER.",
        [(_of(one), one.entered["MASTER"]) for one in instances],
    )
    yield Family(
        "keepalived_release_master_total",
        "counter",
        "Changes from MASTER to another state.",
        [(_of(one), one.released) for one in instances],
    )
    yield from _counters(node, by_name)


def _of(instance: Instance, vip: Vip | None = None) -> str:
    vrid = "" if instance.vrid is None else instance.vrid
    if vip is None:
        return labels(iname=instance.name, intf=instance.interface, vrid=vrid)
    return labels(iname=instance.name, intf=instance.interface, vrid=vrid, ip_address=vip.address)


def _without_vips(node: NodeSources) -> list[tuple[str, int]]:
    """The instances that have none, whose address is empty."""
    with_vips = {vip.instance for vip in node.vips}
    return [
        (
            labels(iname=one.name, intf=one.interface, vrid="" if one.vrid is None else one.vrid, ip_address=""),
            STATE[one.state],
        )
        for one in node.instances
        if one.name not in with_vips and one.state in STATE
    ]


def _scripts(node: NodeSources, by_name: dict[str, Instance]) -> Iterator[Family]:
    """The checks: by the script that runs them, and by the VIPs whose instances track it."""
    now = time.time()
    good = {}
    for script, check in node.checks.of_script.items():
        verdict = node.checks.verdicts.get(check)
        if verdict and node.checks.is_fresh(verdict, now):
            good[script] = verdict.good
    yield Family(
        "keepalived_script_status",
        "gauge",
        "Whether the script's check passed when it last ran.",
        [(labels(name=script), int(passed)) for script, passed in good.items()],
    )
    tracked = {
        one.name: [good[s] for s in one.scripts if s in good] for one in node.configuration.configuration.instances
    }
    yield Family(
        "keepalived_exporter_check_script_status",
        "gauge",
        "Whether the checks that the instance tracks passed when they last ran.",
        [
            (_of(by_name[vip.instance], vip), int(all(tracked[vip.instance])))
            for vip in node.vips
            if tracked.get(vip.instance)
        ],
    )


def _counters(node: NodeSources, by_name: dict[str, Instance]) -> Iterator[Family]:
    """What only Keepalived's own JSON tells."""
    dumps = [(by_name[name], dump) for name, dump in node.dumps.items() if name in by_name]
    if not dumps:
        return
    for theirs, ours in COUNTERS.items():
        yield Family(
            f"keepalived_{ours}_total",
            "counter",
            f"Keepalived's {theirs}.",
            [(_of(instance), dump.stats[theirs]) for instance, dump in dumps if theirs in dump.stats],
        )
    for theirs in (*COUNTERS, *BOTH):
        yield Family(
            f"keepalived_vrrp_{theirs}",
            "untyped",
            f"Keepalived's {theirs}.",
            [
                (
                    labels(
                        name=dump.name,
                        intf=dump.interface,
                        vrid="" if dump.vrid is None else dump.vrid,
                        state=STATE.get(dump.state, 0),
                    ),
                    dump.stats[theirs],
                )
                for _, dump in dumps
                if theirs in dump.stats
            ],
        )
    yield Family(
        "keepalived_gratuitous_arp_delay_total",
        "counter",
        "The configured delay of the second gratuitous ARPs, in seconds; a counter by its name only.",
        [(_of(instance), dump.garp_delay) for instance, dump in dumps if dump.garp_delay is not None],
    )
