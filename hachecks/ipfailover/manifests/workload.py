"""The DaemonSet or Deployment around a pod: on which nodes it is, and how its pods are replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hachecks.ipfailover.manifests import pod, stock_pod
from hachecks.ipfailover.manifests.manifest import Manifest, manifest
from hachecks.ipfailover.manifests.wanted import DAEMON_SET, labels_of, selecting, texts
from hachecks.ipfailover.manifests.yaml_text import Noted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.manifests.wanted import Common, Configuration

ONE_BY_ONE = "One node after another, and no new pod beside an old one: both would have the node's port and its VIPs."
CONDITIONS = ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable", "network-unavailable")


def workload(one: Configuration, common: Common) -> Manifest:
    """The workload of a configuration."""
    is_daemon_set = common.kind == DAEMON_SET
    rolling = {"type": "RollingUpdate", "rollingUpdate": Noted({"maxSurge": 0, "maxUnavailable": 1}, ONE_BY_ONE)}
    fields = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet" if is_daemon_set else "Deployment",
        "metadata": common.metadata(one.name, labels_of(one)),
        "spec": {
            "replicas": None if is_daemon_set else one.replicas,
            "selector": {"matchLabels": selecting(one)},
            "updateStrategy" if is_daemon_set else "strategy": rolling,
            "minReadySeconds": Noted(10, "The next node is not touched before this one has been well for a while."),
            "template": _template(one, common),
        },
    }
    return manifest(f"{one.name}/{'daemon-set' if is_daemon_set else 'deployment'}.yaml", fields)


def disruption_budget(one: Configuration, common: Common) -> Manifest:
    """What has drains of several nodes wait for each other.

    Of a DaemonSet there is none: a drain leaves its pods alone, and Kubernetes counts no pods that it wants, so that a
    budget of maxUnavailable would let nothing be evicted ever.
    """
    fields = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": common.metadata(one.name, labels_of(one)),
        "spec": {
            "maxUnavailable": Noted(1, "Drains of several nodes wait until a pod that was evicted is well elsewhere."),
            "unhealthyPodEvictionPolicy": Noted("AlwaysAllow", "A pod that is not ready keeps no node from its drain."),
            "selector": {"matchLabels": selecting(one)},
        },
    }
    return manifest(f"{one.name}/pod-disruption-budget.yaml", fields)


def _template(one: Configuration, common: Common) -> dict[str, Any]:
    why = "These constraints, whichever others the account could have."
    annotations = {
        "kubectl.kubernetes.io/default-container": pod.CONTAINER,
        "openshift.io/required-scc": Noted(common.scc(one.name), why) if common.openshift else None,
    }
    inner = (stock_pod.spec if common.is_stock else pod.spec)(one, common)
    return {
        "metadata": {"labels": labels_of(one), "annotations": annotations},
        "spec": {**_placed(one, common), **inner},
    }


def _placed(one: Configuration, common: Common) -> dict[str, Any]:
    return {
        "serviceAccountName": common.service_account,
        "imagePullSecrets": _pull_secrets(one, common) or None,
        "automountServiceAccountToken": bool(common.follow),
        "hostNetwork": Noted(True, "In a network of its own the pod would hear no other node, and serve nobody."),
        "dnsPolicy": Noted("ClusterFirstWithHostNet", "Checks may name Services, also from the node's network."),
        "enableServiceLinks": False,
        "priorityClassName": Noted("system-node-critical", "What holds the VIPs is the last to be evicted."),
        "nodeSelector": {"kubernetes.io/os": "linux", **one.node_selector},
        "affinity": _affinity(one, common),
        "tolerations": _tolerations(one, common),
    }


def _pull_secrets(one: Configuration, common: Common) -> list[Any]:
    """The Secrets that are named, or those of the workload whose image is kept."""
    if common.pull_secrets or not (common.is_stock and one.before):
        return [{"name": name} for name in dict.fromkeys(common.pull_secrets)]
    found = one.before.at("spec", "template", "spec", "imagePullSecrets")
    return list(found) if isinstance(found, list) else []


def _affinity(one: Configuration, common: Common) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    if one.named_nodes and not one.selector:
        terms = [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]} for node in one.named_nodes
        ]
        why = (
            "The nodes of the plan; others take no part. By a label (--selector) nodes come and go without a roll-out."
        )
        found["nodeAffinity"] = Noted(
            {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}, why
        )
    apart = list(_apart(one, common))
    if apart:
        found["podAntiAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": apart}
    return found or None


def _apart(one: Configuration, common: Common) -> Iterator[Noted]:
    """Pods that are not to be on one node with this one."""
    on_one_node = {"topologyKey": "kubernetes.io/hostname"}
    if common.kind != DAEMON_SET:
        why = "Two pods on one node would have its address and its VIPs both, and be lost together."
        yield Noted({"labelSelector": {"matchLabels": selecting(one)}, **on_one_node}, why)
    labels = _labels_before(one)
    if labels and one.before and not selecting(one).items() <= labels.items():
        namespaces = [one.before.namespace] if one.before.namespace else None
        term = {"labelSelector": {"matchLabels": labels}, "namespaces": namespaces, **on_one_node}
        yield Noted(term, "Not beside a pod that this one takes the place of: it starts where that one has ended.")


def _labels_before(one: Configuration) -> dict[str, str]:
    """The labels by which the workload that was given knows its pods."""
    spec = one.before.at("spec", "selector") if one.before else None
    found = spec.get("matchLabels", spec) if isinstance(spec, dict) else None
    return texts(found)


def _tolerations(one: Configuration, common: Common) -> Noted:
    if common.kind == DAEMON_SET and (one.selector or one.named_nodes):
        return Noted(
            [{"operator": "Exists"}], "Its nodes are chosen: no taint of theirs, set now or later, is to move VIPs."
        )
    conditions: list[Any] = [
        {"key": f"node.kubernetes.io/{condition}", "operator": "Exists", "effect": "NoSchedule"}
        for condition in CONDITIONS
    ]
    if common.kind == DAEMON_SET:
        conditions += [
            {"key": f"node.kubernetes.io/{condition}", "operator": "Exists", "effect": "NoExecute"}
            for condition in ("not-ready", "unreachable")
        ]
    given = one.before.at("spec", "template", "spec", "tolerations") if one.before else None
    conditions += [each for each in given if each not in conditions] if isinstance(given, list) else []
    if common.kind == DAEMON_SET:
        return Noted(
            conditions, "A node in trouble keeps its VIPs as long as they are served. Other taints keep pods away."
        )
    return Noted(
        conditions, "A node in trouble keeps its VIPs; of one that is lost, the pod comes to another after 5 min."
    )
