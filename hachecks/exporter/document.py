"""What does /api/status say? The view as a JSON document.

Times are seconds of the epoch, durations are in seconds, and null is what is not known:

    node, version, at
    agrees                     whether Keepalived runs, and every VIP is known to be just where it says
    keepalived                 {runs}
    disagreements, hints,
    findings                   sentences
    vips                       {vip, vrrp_instance, interface, prefixlen, excluded, state, since, present, present_on,
                               expected, why, trouble}, worst first
    instances                  {vrrp_instance, interface, vrid, family, state, since, priority, base_priority, why,
                               transitions: {STATE: count}, timeline: [[at, STATE], …]}
    checks                     {check, probe, subject, status, reason, at, duration, timeout, interval}
    notifiers                  {notifier, waiting, trouble, last_success}
    sources                    {source, up, trouble, last_success, errors}
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.exporter.view import Check, Instance, Notifier, SourceStatus, View, Vip


def document(view: View) -> dict[str, Any]:
    """The view as plain values."""
    instances = {instance.name: instance for instance in view.instances}
    return {
        "node": view.node,
        "version": view.version,
        "at": view.at,
        "agrees": view.agrees,
        "keepalived": {"runs": view.keepalived_runs},
        "disagreements": list(view.disagreements),
        "hints": list(view.hints),
        "findings": list(view.findings),
        "vips": [_vip(vip, instances[vip.instance]) for vip in view.vips],
        "instances": [_instance(instance) for instance in view.instances],
        "checks": [_renamed(check, name="check") for check in view.checks],
        "notifiers": [_renamed(notifier, name="notifier") for notifier in view.notifiers],
        "sources": [_renamed(source, name="source") for source in view.sources],
    }


def _vip(vip: Vip, instance: Instance) -> Mapping[str, Any]:
    of_instance = {"state": instance.state, "since": instance.since, "why": instance.why}
    return {**_renamed(vip, address="vip", instance="vrrp_instance"), **of_instance}


def _instance(instance: Instance) -> Mapping[str, Any]:
    facts = _renamed(instance, name="vrrp_instance", entered="transitions")
    return {name: value for name, value in facts.items() if name not in ("master_seconds", "released")}


def _renamed(value: Check | Instance | Notifier | SourceStatus | Vip, **names: str) -> dict[str, Any]:
    return {names.get(name, name): fact for name, fact in asdict(value).items()}
