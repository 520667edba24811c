"""Rules about how many pods there are, on which nodes, and what happens to the VIPs while they are replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.pod import mapping, mappings, whole
from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.pod import Workload
    from hachecks.ipfailover.lint.subject import Subject

COUNT, PEERS = "OPENSHIFT_HA_REPLICA_COUNT", "OPENSHIFT_HA_UNICAST_PEERS"
STRATEGY = {
    "DaemonSet": ("updateStrategy", "rollingUpdate", "RollingUpdate", "0"),
    "Deployment": ("strategy", "rollingUpdate", "RollingUpdate", "25%"),
    "DeploymentConfig": ("strategy", "rollingParams", "Rolling", "25%"),
}
"""Where each kind has its strategy and its numbers, how rolling is called there, and the default of maxSurge."""


def strategy(workload: Workload) -> str:
    """How pods are replaced."""
    field, _, rolling, _ = STRATEGY[workload.resource.kind]
    return str(workload.resource.at("spec", field, "type") or rolling)


@rule(
    "HA110",
    ERROR,
    "new pods before the old ones are gone",
    why="A rolling update starts new pods first, unless maxSurge is 0. With a port of the node declared they find no "
    "node that has it free, and the update hangs; without one two pods run on one node, both with its address, and "
    "their VIPs go back and forth.",
    cure="set maxSurge: 0 and maxUnavailable: 1, or use a DaemonSet",
    evidence="Kubernetes API, RollingUpdateDeployment; origin#22838, openshift-ansible#11612",
)
def surges(subject: Subject) -> Iterator[Found]:
    """Workloads with pods beyond their number during an update."""
    for _, _, workload in subject.pods():
        field, numbers, rolling, default = STRATEGY[workload.resource.kind]
        given = workload.resource.at("spec", field, numbers, "maxSurge")
        surge = str(default if given is None else given)
        if strategy(workload) == rolling and surge.rstrip("%") not in ("0", "00", "0.0"):
            place = workload.resource.place(("spec", field, numbers, "maxSurge"), field)
            yield Found(place, f"maxSurge is {surge}{' by default' * (given is None)}")


@rule(
    "HA111",
    WARNING,
    "nothing keeps two pods apart",
    why="Two pods of a Deployment on one node share its network: both have the node's address and the same VIPs, and "
    "when that node is lost so are both. oc adm ipfailover declared a port of the node to prevent it.",
    cure="declare a containerPort that is a hostPort too, or a podAntiAffinity, or use a DaemonSet",
    evidence="origin#12472",
)
def together(subject: Subject) -> Iterator[Found]:
    """Deployments without a port, an anti-affinity or a spread."""
    for _, _, workload in subject.pods():
        rules = mapping(workload.at("affinity", "podAntiAffinity")).get(
            "requiredDuringSchedulingIgnoredDuringExecution"
        )
        spread = [
            one
            for one in mappings(workload.at("topologySpreadConstraints"))
            if one.get("whenUnsatisfiable") != "ScheduleAnyway"
        ]
        if workload.resource.kind != "DaemonSet" and not (any(workload.ports()) or rules or spread):
            yield Found(workload.place(), "it declares no port of the node, and no podAntiAffinity")


@rule(
    "HA112",
    WARNING,
    "replicas and OPENSHIFT_HA_REPLICA_COUNT differ",
    why="The stock image computes from the count which VIPs a node is to be master of. With another number of pods "
    "than that some VIPs have no preferred node and others two, and the load is uneven.",
    cure="set both to the same number; oc scale changes one only",
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh",
)
def count_differs(subject: Subject) -> Iterator[Found]:
    """Workloads with another number of pods than their variable says."""
    for one, _, workload in subject.pods():
        replicas = workload.replicas
        counts = (one.text(COUNT) or one.is_stock) and one.is_understood(COUNT) and not one.partial
        if replicas is not None and counts and one.settings.replicas != replicas:
            place = one.where(COUNT) if one.text(COUNT) else workload.resource.place(("spec", "replicas"), "replicas")
            yield Found(
                place,
                f"replicas is {replicas}, and {COUNT} {one.settings.replicas}{' by default' * (not one.text(COUNT))}",
            )


@rule(
    "HA113",
    WARNING,
    "one pod alone",
    why="With one pod no other node can take over: while it is replaced, or its node is lost, the VIPs are nowhere.",
    cure="set replicas, and OPENSHIFT_HA_REPLICA_COUNT, to 2 or more",
    evidence="VRRP elects among those that are there",
)
def alone(subject: Subject) -> Iterator[Found]:
    """Workloads with fewer than two pods."""
    for _, _, workload in subject.pods():
        replicas = workload.replicas
        if replicas is not None and replicas < 2:
            yield Found(workload.resource.place(("spec", "replicas"), "replicas"), f"replicas is {replicas}")


@rule(
    "HA114",
    NOTE,
    "every change is an outage",
    why="Recreate ends all pods before it starts new ones, and so does a rolling update that may have all of them "
    "unavailable: the VIPs are nowhere until an image is pulled and a check has passed. It is right only where old "
    "pods and new ones do not hear each other, as after another offset or a change to unicast.",
    cure="write RollingUpdate with maxSurge: 0 and maxUnavailable: 1 for all other changes",
    evidence="Kubernetes API, DeploymentStrategy",
)
def recreates(subject: Subject) -> Iterator[Found]:
    """Workloads whose pods end all at once."""
    for _, _, workload in subject.pods():
        if strategy(workload) == "Recreate":
            yield Found(
                workload.resource.place(("spec", "strategy", "type"), "strategy"), "all pods end before new ones start"
            )
        field, numbers, rolling, _ = STRATEGY[workload.resource.kind]
        most = workload.resource.at("spec", field, numbers, "maxUnavailable")
        if strategy(workload) == rolling and most is not None and is_all(most, workload.replicas):
            place = workload.resource.place(("spec", field, numbers, "maxUnavailable"), field)
            yield Found(place, f"with maxUnavailable {most} all pods may end before new ones start")


def is_all(value: object, pods: int | None) -> bool:
    """Whether a number or a percentage is all of so many pods, None where nobody knows how many there are."""
    text = str(value)
    if text.endswith("%"):
        percent = whole(text[:-1])
        return percent is not None and percent >= 100
    number = whole(text)
    return number is not None and pods is not None and 1 < pods <= number


@rule(
    "HA115",
    WARNING,
    "a DeploymentConfig",
    why="DeploymentConfigs are deprecated since OpenShift 4.14, get no new features, and are an optional component.",
    cure="write a Deployment or a DaemonSet",
    evidence="OpenShift 4.14 release notes",
)
def deprecated(subject: Subject) -> Iterator[Found]:
    """Workloads of that kind."""
    for _, _, workload in subject.pods():
        if workload.resource.kind == "DeploymentConfig":
            yield Found(workload.resource.place(("kind",)), "DeploymentConfig is deprecated")


@rule(
    "HA116",
    ERROR,
    "more pods than peers",
    why="A pod on a node that is no peer hears nobody and is heard by nobody: it takes every VIP, beside the node "
    "that has it.",
    cure=f"name every node that a pod may run on in {PEERS}, and select these alone by nodeSelector",
    evidence="machine-config-operator#3342",
)
def not_all_peers(subject: Subject) -> Iterator[Found]:
    """Workloads with more pods than addresses of peers."""
    for one, _, workload in subject.pods():
        peers, replicas = one.settings.unicast_peers, workload.replicas
        if peers and replicas and replicas > len(peers):
            yield Found(one.where(PEERS), f"these are {len(peers)} peers for {replicas} pods")


@rule(
    "HA117",
    WARNING,
    "a disruption budget by which no node is drained",
    why="A drain evicts the pods of a Deployment, and waits as long as a PodDisruptionBudget does not let it: where "
    "that wants all pods, for ever. Upgrades of the cluster stop there.",
    cure="write maxUnavailable: 1 in its place",
    evidence="Kubernetes, Specifying a Disruption Budget for your Application",
)
def undrained(subject: Subject) -> Iterator[Found]:
    """Budgets that select the pods of a Deployment, and let none of them go."""
    for _, _, workload in subject.pods():
        labels = mapping(workload.resource.at("spec", "template", "metadata", "labels"))
        for budget in subject.of_kind("PodDisruptionBudget") if workload.replicas else ():
            wanted = mapping(budget.at("spec", "selector", "matchLabels"))
            if not (wanted and wanted.items() <= labels.items() and budget.is_beside(workload.resource)):
                continue
            for field in ("maxUnavailable", "minAvailable"):
                value = budget.at("spec", field)
                none_goes = str(value).rstrip("%") == "0" if field == "maxUnavailable" else _wants_all(value, workload)
                if value is not None and none_goes:
                    yield Found(budget.place(("spec", field), field), f"{field} is {value} of {workload.replicas} pods")


def _wants_all(least: object, workload: Workload) -> bool:
    """Whether a budget of so many pods at least lets none go."""
    return least == 1 == workload.replicas or is_all(least, workload.replicas)


RULES = (undrained, surges, together, count_differs, alone, recreates, deprecated, not_all_peers)
