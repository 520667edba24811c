"""Rules about ports of the node, which keep pods apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.rule import NOTE, WARNING, Found, rule
from hachecks.ipfailover.lint.together import OFFSET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject

FIRST_PORT = 63000
"""The port of the node that oc adm ipfailover declared, with the offset added."""


@rule(
    "HA303",
    WARNING,
    "one port of the node for two workloads",
    why="The scheduler puts no two pods with one hostPort on a node. That keeps pods of one workload apart, as it "
    "should, and those of two as well, which could share a node: some of them stay Pending.",
    cure="give each workload a port of its own: 63000 and its offset, as oc adm ipfailover did",
    evidence="origin#12472; all examples of OpenShift 4 have 63000",
)
def shared_port(subject: Subject) -> Iterator[Found]:
    """Ports that two workloads declare for nodes that may be the same."""
    owners: dict[int, list[tuple[str, object]]] = {}
    for workload in subject.workloads():
        selector = workload.at("nodeSelector")
        for port, place in workload.ports():
            label = workload.resource.label
            for other, theirs in owners.get(port, ()):
                if other != label and (selector == theirs or not (selector and theirs)):
                    yield Found(place, f"{other} has port {port} too")
                    break
            owners.setdefault(port, []).append((label, selector))


@rule(
    "HA304",
    NOTE,
    "a port of the node that does not follow the offset",
    why="oc adm ipfailover declared 63000 and the offset, so that workloads with different ids could share a node. "
    "The examples of OpenShift 4 say 63000 always, and the second workload that copies it finds no node.",
    cure="declare 63000 and OPENSHIFT_HA_VRRP_ID_OFFSET",
    evidence="origin, pkg/oc/cli/admin/ipfailover/keepalived/generator.go",
)
def port_without_offset(subject: Subject) -> Iterator[Found]:
    """Ports above 63000 that are not the offset's."""
    for one, _, workload in subject.pods():
        offset = one.settings.vrrp_id_offset
        for port, place in workload.ports() if one.is_understood(OFFSET) and not one.partial else ():
            if FIRST_PORT <= port <= FIRST_PORT + 254 and port != FIRST_PORT + offset:
                yield Found(place, f"port {port} stands for the offset {port - FIRST_PORT}, which is {offset}")


RULES = (
    shared_port,
    port_without_offset,
)
