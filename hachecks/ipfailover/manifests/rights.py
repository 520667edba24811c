"""Objects that give a pod its rights, and no more: account, SecurityContextConstraints, roles, and the namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.follow.rights import CLUSTER_RULES, namespace_rules
from hachecks.ipfailover.manifests.capabilities import capabilities
from hachecks.ipfailover.manifests.manifest import Manifest, manifest
from hachecks.ipfailover.manifests.wanted import LABELS
from hachecks.ipfailover.manifests.yaml_text import Noted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.ipfailover.manifests.wanted import Common, Configuration

ENFORCE = "pod-security.kubernetes.io/enforce"
"""The label of a namespace that says what its pods may."""
RBAC = "rbac.authorization.k8s.io"


def namespace(common: Common) -> Manifest:
    """The namespace, which lets its pods have the node's network."""
    levels = {ENFORCE.replace("enforce", mode): "privileged" for mode in ("enforce", "audit", "warn")}
    why = "The node's network and NET_ADMIN are both beyond the level baseline, so that there is no lesser one."
    labels = Noted({**LABELS, **levels}, why)
    return manifest(
        "namespace.yaml",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": common.namespace, "labels": labels}},
    )


def account(common: Common) -> Manifest:
    """The service account."""
    fields = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": common.metadata(common.service_account),
        "automountServiceAccountToken": None if common.follow else Noted(False, "Nothing in the pod asks the API."),
    }
    return manifest("service-account.yaml", fields)


def openshift(one: Configuration, common: Common) -> Iterator[Manifest]:
    """Constraints of our own, and the right to use them, or OpenShift's for its own image."""
    if not common.is_stock:
        yield _constraints(one, common)
    name = f"{one.name}-scc"
    rule = {
        "apiGroups": ["security.openshift.io"],
        "resources": ["securitycontextconstraints"],
        "resourceNames": [common.scc(one.name)],
        "verbs": ["use"],
    }
    fields = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": common.metadata(name), "rules": [rule]}
    yield manifest(f"{one.name}/role.yaml", fields)
    yield binding(common, f"{one.name}/role-binding.yaml", "RoleBinding", name, "Role", name)


def following(one: Configuration, common: Common) -> Iterator[Manifest]:
    """What it takes to follow Services: those of all namespaces, and one ConfigMap in its own."""
    own = f"{one.name}-services"
    name = f"hachecks-{common.namespace}.{own}"
    fields = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": dict(LABELS)},
        "rules": [_rule(rule) for rule in CLUSTER_RULES],
    }
    why = "Services of every namespace may want a VIP: they are read, and their status and Events are written."
    yield manifest(f"{one.name}/services-cluster-role.yaml", fields, why)
    path = f"{one.name}/services-cluster-role-binding.yaml"
    yield binding(common, path, "ClusterRoleBinding", name, "ClusterRole", name)
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": common.metadata(own),
        "rules": [_rule(rule) for rule in namespace_rules(common.follow_map)],
    }
    why = "The ConfigMap in which all nodes agree on ids. A right to create has no name, since there is nothing yet."
    yield manifest(f"{one.name}/services-role.yaml", role, why)
    yield binding(common, f"{one.name}/services-role-binding.yaml", "RoleBinding", own, "Role", own)


def _rule(rule: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {key: list(values) for key, values in rule.items()}


def binding(common: Common, path: str, kind: str, name: str, role_kind: str, role: str) -> Manifest:
    """What binds a role to the account."""
    subject = {"kind": "ServiceAccount", "name": common.service_account, "namespace": common.namespace}
    metadata = common.metadata(name)
    if kind == "ClusterRoleBinding":
        metadata["namespace"] = None
    return manifest(
        path,
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": kind,
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role},
            "subjects": [subject],
        },
    )


def _constraints(one: Configuration, common: Common) -> Manifest:
    has_drain = common.drain == "node" and bool(one.drain_directory)
    volumes = ["configMap", "emptyDir", *["hostPath"] * has_drain, *["projected"] * bool(common.follow)]
    fields = {
        "apiVersion": "security.openshift.io/v1",
        "kind": "SecurityContextConstraints",
        "metadata": {"name": common.scc(one.name), "labels": dict(LABELS)},
        "priority": 0,
        "allowHostNetwork": Noted(True, "Adverts come to the node's interface, and VIPs are the node's addresses."),
        "allowHostPorts": Noted(True, "With the node's network, the agent's port is one of the node's."),
        "allowHostDirVolumePlugin": Noted(True, "For the drain, which is to outlive the pod.") if has_drain else False,
        "allowHostIPC": False,
        "allowHostPID": False,
        "allowPrivilegedContainer": False,
        "allowPrivilegeEscalation": False,
        "defaultAllowPrivilegeEscalation": False,
        "allowedCapabilities": Noted(list(capabilities(one)), "What each is for stands in the pod."),
        "defaultAddCapabilities": [],
        "requiredDropCapabilities": ["ALL"],
        "readOnlyRootFilesystem": True,
        "runAsUser": Noted(
            {"type": "MustRunAs", "uid": 0},
            "Capabilities that are added are root's alone: Kubernetes has no ambient ones.",
        ),
        "fsGroup": {"type": "RunAsAny"},
        "supplementalGroups": {"type": "RunAsAny"},
        "seLinuxContext": Noted({"type": "RunAsAny"}, "See seLinuxOptions of the pod.")
        if has_drain
        else {"type": "MustRunAs"},
        "seccompProfiles": ["runtime/default"],
        "volumes": [*volumes, *["secret"] * bool(one.secret_files or common.secrets)],
        "users": [],
        "groups": [],
    }
    why = (
        "hostnetwork-v2, the nearest that OpenShift has, allows NET_BIND_SERVICE alone: this one adds what VRRP needs."
    )
    return manifest(f"{one.name}/security-context-constraints.yaml", fields, why)
