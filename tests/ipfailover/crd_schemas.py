"""Schemas of objects that Kubernetes itself does not have, as far as ours use them; any other field is refused.

SecurityContextConstraints: openshift/api, security/v1, the CustomResourceDefinition. PodMonitor and PrometheusRule:
prometheus-operator, Documentation/api-reference/api.md.
"""

from __future__ import annotations

from typing import Any

import jsonschema

TEXT, TRUTH, WHOLE = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}
TEXTS = {"type": "array", "items": TEXT}
DURATION = {"type": "string", "pattern": "^([0-9]+(ms|[smhdw]))+$"}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253}


def fields(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with these fields and no others."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def texts_by_name() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": TEXT}


def described(version: str, kind: str, required: str = "", **properties: Any) -> dict[str, Any]:
    metadata = fields("name", name=NAME, namespace=NAME, labels=texts_by_name(), annotations=texts_by_name())
    whole = {"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": metadata, **properties}
    return fields(f"apiVersion kind metadata {required}", **whole)


def strategy(*types: str, **more: Any) -> dict[str, Any]:
    return fields("type", type={"enum": list(types)}, **more)


VOLUMES = ["configMap", "downwardAPI", "emptyDir", "hostPath", "persistentVolumeClaim", "projected", "secret"]
CONSTRAINTS = described(
    "security.openshift.io/v1",
    "SecurityContextConstraints",
    "allowHostDirVolumePlugin allowHostIPC allowHostNetwork allowHostPID allowHostPorts allowPrivilegedContainer "
    "allowedCapabilities defaultAddCapabilities priority readOnlyRootFilesystem requiredDropCapabilities volumes",
    **dict.fromkeys(
        (
            "allowHostDirVolumePlugin",
            "allowHostIPC",
            "allowHostNetwork",
            "allowHostPID",
            "allowHostPorts",
            "allowPrivilegedContainer",
            "allowPrivilegeEscalation",
            "defaultAllowPrivilegeEscalation",
            "readOnlyRootFilesystem",
        ),
        TRUTH,
    ),
    **dict.fromkeys(
        (
            "allowedCapabilities",
            "defaultAddCapabilities",
            "requiredDropCapabilities",
            "seccompProfiles",
            "users",
            "groups",
        ),
        TEXTS,
    ),
    priority=WHOLE,
    runAsUser=strategy("MustRunAs", "MustRunAsNonRoot", "MustRunAsRange", "RunAsAny", uid=WHOLE),
    seLinuxContext=strategy("MustRunAs", "RunAsAny", seLinuxOptions=texts_by_name()),
    fsGroup=strategy("MustRunAs", "RunAsAny"),
    supplementalGroups=strategy("MustRunAs", "RunAsAny"),
    volumes={"type": "array", "items": {"enum": VOLUMES}},
)
RELABELING = fields("targetLabel", sourceLabels=TEXTS, targetLabel=TEXT)
ENDPOINT = fields(
    port=TEXT, path=TEXT, interval=DURATION, scrapeTimeout=DURATION, relabelings={"type": "array", "items": RELABELING}
)
POD_MONITOR = described(
    "monitoring.coreos.com/v1",
    "PodMonitor",
    "spec",
    spec=fields(
        "selector podMetricsEndpoints",
        selector=fields(matchLabels=texts_by_name()),
        jobLabel=TEXT,
        podTargetLabels=TEXTS,
        sampleLimit=WHOLE,
        podMetricsEndpoints={"type": "array", "items": ENDPOINT},
    ),
)
ALERT = fields(
    "expr",
    alert=TEXT,
    record=TEXT,
    expr=TEXT,
    keep_firing_for=DURATION,
    labels=texts_by_name(),
    annotations=texts_by_name(),
    **{"for": DURATION},
)
GROUP = fields("name rules", name=TEXT, interval=DURATION, rules={"type": "array", "items": ALERT})
RULE = described(
    "monitoring.coreos.com/v1", "PrometheusRule", "spec", spec=fields(groups={"type": "array", "items": GROUP})
)
SCHEMAS = {"SecurityContextConstraints": CONSTRAINTS, "PodMonitor": POD_MONITOR, "PrometheusRule": RULE}


def validate(item: dict[str, Any]) -> None:
    """Raises `jsonschema.ValidationError`."""
    jsonschema.Draft202012Validator(SCHEMAS[item["kind"]]).validate(item)
