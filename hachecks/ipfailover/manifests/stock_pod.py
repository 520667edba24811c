"""The pod of OpenShift's own image, with our executable in its ConfigMap and the agent beside it."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any

from hachecks.checks.command_line import check_name
from hachecks.checks.results import PREFIX
from hachecks.ipfailover.expansion import literal
from hachecks.ipfailover.lint.commands import program, script
from hachecks.ipfailover.manifests.pod import CONTAINER
from hachecks.ipfailover.manifests.volumes import MODULES, Volumes, extra_maps, secrets
from hachecks.ipfailover.manifests.yaml_text import Noted
from hachecks.ipfailover.render.command_line import HACHECK
from hachecks.ipfailover.render.scripts import NODE_PORTS
from hachecks.keepalived.parser import split_command
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.manifests.wanted import Common, Configuration
    from hachecks.ipfailover.settings import Settings

EXECUTABLE = "hacheck"
KEEPALIVE, STATE = "/etc/keepalive", "/run/hacheck"
CHECK, PORT = "OPENSHIFT_HA_CHECK_SCRIPT", "OPENSHIFT_HA_MONITOR_PORT"
NOTIFY, CHAIN = "OPENSHIFT_HA_NOTIFY_SCRIPT", "OPENSHIFT_HA_IPTABLES_CHAIN"
NEEDS_ROOT = (4, 8), (4, 23)
"""Since which version the image runs the node's own iptables, at /host, and until which."""
GRACE = 10
"""Seconds: it ends within one (openshift/images, cleanup), and notifications are the agent's."""


def scripts(settings: Settings) -> dict[str, str]:
    """The variables of scripts: those that are set, or ours, started through sh, which stays when the file changes."""
    check = settings.check_script
    if not check and settings.monitor_port:
        port = str(settings.monitor_port)
        asked = ("nodeport", port) if settings.monitor_port in NODE_PORTS else ("tcp", f"127.0.0.1:{port}")
        check = " ".join(("sh", HACHECK, *asked))
    return {**({CHECK: check} if check else {}), NOTIFY: settings.notify_script or f"sh {HACHECK} notify"}


def spec(one: Configuration, common: Common) -> dict[str, Any]:
    """What the pod has beside its place on nodes."""
    volumes = _volumes(one, common)
    keepalived = {
        "name": CONTAINER,
        "image": common.image,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": name, "value": literal(text)} for name, text in one.variables.items()],
        **_probes(one),
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "securityContext": {
            "privileged": Noted(
                True, "As OpenShift documents its image, which loads modules and, in some versions, enters /host."
            )
        },
        "volumeMounts": volumes.mounts,
    }
    return {
        "terminationGracePeriodSeconds": GRACE,
        "shareProcessNamespace": Noted(
            True,
            "The notify script looks whether the agent lives, and starts another process to deliver where it does not.",
        ),
        "containers": [keepalived, _agent(one, common)],
        "volumes": volumes.volumes,
    }


def _probes(one: Configuration) -> dict[str, Any]:
    words = split_command(one.variables.get(CHECK, ""))
    if not words:
        ready = {"httpGet": {"path": "/-/ready", "port": one.port}}
        return {
            "readinessProbe": Noted(
                {**ready, "periodSeconds": 5}, "Nothing is checked: the agent knows whether VIPs are where they belong."
            )
        }
    found: dict[str, Any] = {
        "readinessProbe": Noted(
            {"exec": {"command": [*map(literal, words)]}, "periodSeconds": 5, "timeoutSeconds": 3},
            "What the check asks.",
        )
    }
    name = _check_name(words)
    if name:
        minutes = max(1, math.ceil(5 * one.settings.check_interval / 60))
        looked = f'test -n "$(find {shlex.quote(f"{STATE}/{PREFIX}{name}")} -mmin -{minutes})"'
        asked: dict[str, Any] = {"exec": {"command": ["sh", "-c", looked]}, "timeoutSeconds": 5, "periodSeconds": 10}
        found["startupProbe"] = {**asked, "failureThreshold": 6 * minutes}
        why = "Keepalived renews the results of the check by running it: one that hangs, or has disabled it, does not."
        found["livenessProbe"] = Noted({**asked, "failureThreshold": 3}, why)
    return found


def _check_name(words: Sequence[str]) -> str:
    """The name under which the results of a check of ours are; empty where it is somebody else's."""
    command = " ".join(words)
    if script(command) != HACHECK or program(command) not in ("sh", "/bin/sh", "/usr/bin/sh"):
        return ""
    try:
        return check_name(words[2:], {})
    except (Invalid, IndexError):
        return ""


def _agent(one: Configuration, common: Common) -> dict[str, Any]:
    def probe(path: str) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": "metrics"}, "periodSeconds": 10, "timeoutSeconds": 5}

    listen = f"[$(NODE_IP)]:{one.port}", f"127.0.0.1:{one.port}"
    fields = {"NODE_NAME": "spec.nodeName", "NODE_IP": "status.hostIP"}
    return {
        "name": "hacheck-agent",
        "image": common.agent_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["hacheck", "agent"],
        "args": [word for one_place in listen for word in ("--listen", one_place)],
        "env": [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()],
        "ports": [{"name": "metrics", "containerPort": one.port, "hostPort": one.port, "protocol": "TCP"}],
        "livenessProbe": probe("/-/healthy"),
        "readinessProbe": probe("/-/ready"),
        "resources": {"requests": {"cpu": "100m", "memory": "96Mi"}, "limits": {"memory": "192Mi"}},
        "securityContext": {
            "runAsUser": Noted(0, "The user of Keepalived's scripts, whose notifications it delivers."),
            "runAsNonRoot": False,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "capabilities": {
                "drop": ["ALL"],
                "add": [Noted("NET_RAW", "It asks by ARP and neighbour solicitation where VIPs are.")],
            },
        },
        "volumeMounts": [
            {"name": "state", "mountPath": STATE},
            {"name": "config", "mountPath": KEEPALIVE, "readOnly": True},
            {"name": "keepalived", "mountPath": "/etc/keepalived", "readOnly": True},
        ],
    }


def _volumes(one: Configuration, common: Common) -> Volumes:
    found = Volumes()
    found.config_map("config", one.name, KEEPALIVE, mode=0o755, comment="With the mode 0755, which is 493.")
    found.add(
        "state", STATE, {"emptyDir": {}}, comment="What is remembered between runs, and the history of transitions."
    )
    written = "keepalived.conf, which the image writes at each start, and the agent reads."
    found.add("keepalived", "/etc/keepalived", {"emptyDir": {}}, comment=written)
    found.add(MODULES, "/lib/modules", {"hostPath": {"path": "/lib/modules"}}, read_only=True)
    since, until = NEEDS_ROOT
    if CHAIN in one.variables and since <= one.settings.stock < until:
        found.add(
            "host",
            "/host",
            {"hostPath": {"path": "/"}},
            read_only=True,
            comment="The image runs the node's iptables there.",
        )
        found.mounts[-1]["mountPropagation"] = "HostToContainer"
    secrets(found, one, common)
    extra_maps(found, common)
    return found
