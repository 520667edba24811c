"""Rules about ports of the node, which keep pods apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.ipfailover.lint.pod import is_true, mappings, whole
from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule
from hachecks.ipfailover.lint.together import OFFSET
from hachecks.ipfailover.running import RUN, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.lint.pod import Workload
    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.resources import Container
    from hachecks.ipfailover.variable import Place

AGENT_PORT = 10112
SERVING = ("agent",), ("exporter",)
LISTEN = ("HACHECK_AGENT_LISTEN", "HACHECK_EXPORTER_LISTEN")
REQUIRED = ("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
FIRST_PORT = 63000
"""The port of the node that oc adm ipfailover declared, with the offset added."""


class Nodes(NamedTuple):
    """Where a workload's pods may be: the labels that it selects, and the names of nodes, empty where it names none."""

    selector: Any
    names: frozenset[str]

    def meet(self, other: Nodes) -> bool:
        """Whether both may be on one node, so far as it is said."""
        by_label = self.selector == other.selector or not (self.selector and other.selector)
        return by_label and (not (self.names and other.names) or bool(self.names & other.names))


def nodes_of(workload: Workload) -> Nodes:
    """The nodes that are named where a pod has to be."""
    names: set[str] = set()
    for term in mappings(workload.at("affinity", "nodeAffinity", *REQUIRED)):
        named = [one for one in mappings(term.get("matchFields")) if one.get("key") == "metadata.name"]
        if not named:
            return Nodes(workload.at("nodeSelector"), frozenset())
        for field in named:
            values = field.get("values")
            names.update(map(str, values) if isinstance(values, list) else ())
    return Nodes(workload.at("nodeSelector"), frozenset(names))


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
    owners: dict[int, list[tuple[str, Nodes]]] = {}
    for workload in subject.workloads():
        nodes = nodes_of(workload)
        for port, place in workload.ports():
            label = workload.resource.label
            for other, theirs in owners.get(port, ()):
                if other != label and nodes.meet(theirs):
                    yield Found(place, f"{other} has port {port} too")
                    break
            owners.setdefault(port, []).append((label, nodes))


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


def listening(workload: Workload) -> Iterator[tuple[int, Place]]:
    """The ports on which its agents and exporters listen."""
    for container in workload.containers():
        words = words_of(container.fields)
        if words[:1] in SERVING or words[:2] == RUN:
            for text in _addresses(container, words) or [f":{AGENT_PORT}"]:
                port = whole(text.rpartition(":")[2])
                if port:
                    yield port, container.place((), f"port {port}")


def _addresses(container: Container, words: Sequence[str]) -> list[str]:
    """What is said of where it listens: on the command line, or by a variable."""
    given = mappings(container.fields.get("env"))
    named = [str(one.get("value")) for one in given if str(one.get("name")) in LISTEN]
    following = [value for word, value in zip(words, words[1:]) if word == "--listen"]
    return following + [word[9:] for word in words if word.startswith("--listen=")] or " ".join(named).split()


@rule(
    "HA311",
    ERROR,
    "one port for two agents",
    why="On the node's network a port is there once: of two agents that are to listen on it the second ends, and with "
    "it its metrics, its page and the probes of its pod, which never is ready.",
    cure="give one of them another port, in --listen or HACHECK_AGENT_LISTEN, and in the container's ports",
    evidence="bind(2): EADDRINUSE",
)
def shared_listener(subject: Subject) -> Iterator[Found]:
    """Ports of agents in two workloads, on nodes that may be the same, that the scheduler does not keep apart."""
    owners: list[tuple[int, str, Nodes, bool]] = []
    for workload in subject.workloads():
        nodes, label = nodes_of(workload), workload.resource.label
        declared = {port for port, _ in workload.ports()}
        for port, place in listening(workload) if is_true(workload.at("hostNetwork")) else ():
            for other, their, theirs, is_declared in owners:
                apart = is_declared and port in declared
                if other == port and their != label and nodes.meet(theirs) and not apart:
                    yield Found(place, f"{their} listens on port {port} too")
                    break
            owners.append((port, label, nodes, port in declared))


RULES = (
    shared_port,
    port_without_offset,
    shared_listener,
)
