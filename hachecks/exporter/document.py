"""The status document of /api/status: the View as JSON.

Times are seconds of the epoch, durations are in seconds, and null is what is not known:

    node, version, at
    headline, but              how things are in one sentence, and what is not well beside, in a few words each
    agrees                     whether Keepalived runs, and every VIP is known to be just where it says, and on no
                               other node as far as an agent hears
    keepalived                 {runs}
    disagreements, hints,
    findings                   sentences
    drained                    since when the node is drained, and why: empty while it is not, and null where nothing
                               could drain it
    vips                       {vip, vrrp_instance, interface, prefixlen, excluded, state, since, present, present_on,
                               expected, why, trouble}, worst first
    instances                  {vrrp_instance, interface, vrid, family, state, since, priority, base_priority, why,
                               transitions: {STATE: count}, timeline: [[at, STATE], …]}
    checks                     {check, probe, subject, status, reason, at, duration, timeout, interval}
    notifiers                  {notifier, waiting, trouble, last_success}
    sources                    {source, up, trouble, last_success, errors}
    group                      the nodes that share VIPs with this one, and null where nobody has said who these are:
                               {headline, but, well, disagreements, differences,
                               nodes: {node, peer, answers, trouble, silent_since, last_answer, version, agrees,
                               headline, drain},
                               vips: {vip, served, owners, present_on, master_on, not_known_on}, worst first}
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from hachecks.exporter.consistency import headline
from hachecks.group import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hachecks.exporter.view import Instance, View, Vip

VIP = {"vip": "address", "vrrp_instance": "instance", "interface": "", "prefixlen": "", "excluded": "",
       "present_on": "", "present": "", "expected": "", "trouble": ""}  # fmt: skip
INSTANCE = {"vrrp_instance": "name", "interface": "", "vrid": "", "family": "", "base_priority": "", "state": "",
            "since": "", "priority": "", "why": "", "transitions": "entered", "timeline": ""}  # fmt: skip
CHECK = {"check": "name", "probe": "", "subject": "", "status": "", "reason": "", "at": "", "duration": "",
         "timeout": "", "interval": ""}  # fmt: skip
NOTIFIER = {"notifier": "name", "waiting": "", "trouble": "", "last_success": ""}
SOURCE = {"source": "name", "up": "", "trouble": "", "last_success": "", "errors": ""}
"""Names in the document, and of the attribute where it has another name."""


def document(view: View) -> dict[str, Any]:
    """The view as plain values."""
    instances = {instance.name: instance for instance in view.instances}
    top = headline(view)
    return {
        "node": view.node,
        "version": view.version,
        "at": view.at,
        "headline": top.sentence,
        "but": list(top.but),
        "agrees": view.agrees,
        "keepalived": {"runs": view.keepalived_runs},
        "disagreements": list(view.disagreements),
        "hints": list(view.hints),
        "findings": list(view.findings),
        "drained": view.drained,
        "vips": [
            {**one, **_of_instance(vip, instances)}
            for vip, one in zip(view.worst_first, _objects(view.worst_first, VIP))
        ],
        "instances": _objects(view.instances, INSTANCE),
        "checks": _objects(view.checks, CHECK),
        "notifiers": _objects(view.notifiers, NOTIFIER),
        "sources": _objects(view.sources, SOURCE),
        "group": words.document(view.group) if view.group else None,
    }


def _of_instance(vip: Vip, instances: dict[str, Instance]) -> dict[str, Any]:
    """What a VIP has of its instance."""
    instance = instances[vip.instance]
    return {"state": instance.state, "since": instance.since, "why": instance.why}


def _objects(values: Iterable[object], names: dict[str, str]) -> list[dict[str, Any]]:
    facts = attrgetter(*(attribute or name for name, attribute in names.items()))
    return [dict(zip(names, facts(value))) for value in values]
