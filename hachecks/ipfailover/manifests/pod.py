"""The pod of our image: `hacheck ipfailover run`, with the rights and the room to write that it needs, and no more."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from hachecks.ipfailover.manifests.capabilities import capabilities
from hachecks.ipfailover.manifests.volumes import Volumes, drain, extra_maps, secrets
from hachecks.ipfailover.manifests.yaml_text import Noted
from hachecks.ipfailover.render.command_line import HACHECK

if TYPE_CHECKING:
    from hachecks.ipfailover.manifests.wanted import Common, Configuration

CONTAINER = "ipfailover"
CONFIG = "/etc/hacheck"
"""Where the ConfigMap is mounted: /etc/keepalive is the image's, which has the executable there."""
ENV_FILE, CHECKS, LEDGER = "ipfailover.env", "hacheck.toml", "ledger.json"
GRACE = 45
"""Seconds: 20 in which Keepalived ends, by the default of run, and then what is to be told is delivered."""


def spec(one: Configuration, common: Common) -> dict[str, Any]:
    """What the pod has beside its place on nodes."""
    volumes = _volumes(one, common)
    container = {
        "name": CONTAINER,
        "image": common.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["hacheck", "ipfailover", "run"],
        "args": _arguments(one, common),
        "env": _environment(),
        "ports": [{"name": "metrics", "containerPort": one.port, "hostPort": one.port, "protocol": "TCP"}],
        **_probes(),
        "resources": _resources(),
        "securityContext": _security(one),
        "volumeMounts": volumes.mounts,
    }
    return {
        "terminationGracePeriodSeconds": Noted(
            GRACE, "Keepalived gives its VIPs away at once; what it says of that is then delivered."
        ),
        "securityContext": _pod_security(one, common),
        "containers": [container],
        "volumes": volumes.volumes,
    }


def _arguments(one: Configuration, common: Common) -> list[Any]:
    why = "A file, not variables: a change of it is taken over by a reload, which touches no other VIP."
    return [
        Noted("--env-file", why),
        f"{CONFIG}/{ENV_FILE}",
        "--ledger",
        f"{CONFIG}/{LEDGER}",
        *(["--spread", common.spread] if common.spread else []),
        *common.follow,
        Noted(
            "--listen",
            "At the node's address, for the kubelet, Prometheus and other nodes, and the loopback: not at VIPs, where "
            "clients are.",
        ),
        f"[$(NODE_IP)]:{one.port}",
        "--listen",
        f"127.0.0.1:{one.port}",
    ]


def _environment() -> list[dict[str, Any]]:
    fields = {"NODE_NAME": "spec.nodeName", "NODE_IP": "status.hostIP"}

    return [
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
        {"name": "HACHECK_CONFIG", "value": f"{CONFIG}/{CHECKS}"},
    ]


def _probes() -> dict[str, Any]:
    def probe(path: str, period: int, failures: int) -> dict[str, Any]:
        asked = {"path": path, "port": "metrics"}
        return {"httpGet": asked, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}

    return {
        "startupProbe": probe("/-/healthy", 2, 60),
        "livenessProbe": Noted(
            probe("/-/healthy", 10, 6), "A restart gives up every VIP, so that a minute of silence comes before it."
        ),
        "readinessProbe": Noted(
            probe("/-/ready", 5, 2), "Checks have run, and VIPs are where Keepalived says: a roll-out waits for it."
        ),
    }


def _resources() -> dict[str, Any]:
    why = (
        "Measured: 68 MiB with 220 VIPs. What is in memory volumes counts, and so do checks while they run. No limit "
        "of CPU: a process that is throttled sends its adverts too late, and loses its VIPs by that."
    )
    return {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": Noted({"memory": "512Mi"}, why)}


def _security(one: Configuration) -> dict[str, Any]:
    added = [Noted(name, why) for name, why in capabilities(one).items()]
    return {
        "runAsUser": Noted(
            0, "Kubernetes gives added capabilities to root alone. It is a root with these and no others."
        ),
        "runAsNonRoot": False,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": added},
    }


def _pod_security(one: Configuration, common: Common) -> dict[str, Any]:
    found: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if common.openshift and common.drain == "node" and one.drain_directory:
        why = "SELinux lets no other container write to a directory of the node. --drain-volume pod does without."
        found["seLinuxOptions"] = Noted({"type": "spc_t"}, why)
    return found


def _volumes(one: Configuration, common: Common) -> Volumes:
    found = Volumes(posixpath.dirname(HACHECK))
    found.config_map(
        "config", one.name, CONFIG, comment="Renewed as a whole when the ConfigMap changes, and then reloaded."
    )
    memory = {"medium": "Memory", "sizeLimit": "64Mi"}
    found.add("run", "/run", {"emptyDir": memory}, comment="A slow disk would make a failover of it: in memory.")
    found.add("keepalived", "/etc/keepalived", {"emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}})
    found.add("tmp", "/tmp", {"emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}})  # noqa: S108 - a mount
    drain(found, one, common)
    secrets(found, one, common)
    extra_maps(found, common)
    return found
