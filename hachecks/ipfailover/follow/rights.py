"""The rights in the cluster that following Services takes, as rules of Kubernetes' RBAC, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import TypeAlias

    Rules: TypeAlias = Sequence[Mapping[str, Sequence[str]]]

CLUSTER_RULES: Rules = (
    # Services of every namespace may want a VIP.
    {"apiGroups": ("",), "resources": ("services",), "verbs": ("get", "list", "watch")},
    # The VIP is written there, which has kube-proxy serve it; nothing else of a Service can be changed by it.
    {"apiGroups": ("",), "resources": ("services/status",), "verbs": ("patch",)},
    # An Event is in the namespace of its Service.
    {"apiGroups": ("",), "resources": ("events",), "verbs": ("create",)},
)
"""For a ClusterRole."""


def namespace_rules(config_map: str) -> Rules:
    """For a Role in the pod's own namespace: the ConfigMap in which all nodes keep ids and allocations."""
    return (
        {
            "apiGroups": ("",),
            "resources": ("configmaps",),
            "resourceNames": (config_map,),
            "verbs": ("get", "list", "watch", "update"),
        },
        # Kubernetes knows no name when something is created, so that this right cannot be one for this name only.
        {"apiGroups": ("",), "resources": ("configmaps",), "verbs": ("create",)},
    )
