"""Rules about the probes of a pod that runs `hacheck ipfailover run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.pod import mapping, mappings
from hachecks.ipfailover.lint.pod_ours import ours
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.node import PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject

HEALTHY = "/-/healthy"
LOOPBACK = ("127.", "[::1]", "localhost")
"""Where the kubelet does not ask, which comes to the node's address."""


@rule(
    "HA155",
    WARNING,
    "nobody notices that it hangs",
    why="hacheck ipfailover run restarts Keepalived and the agent, and nothing restarts it but the kubelet: without a "
    "liveness probe a pod that hangs stays.",
    cure="write a livenessProbe with httpGet of /-/healthy at the agent's port",
    evidence="docs/agent.md",
)
def no_liveness(subject: Subject) -> Iterator[Found]:
    """Containers without a liveness probe."""
    for _, container, _, _ in ours(subject):
        if not mapping(container.at("livenessProbe")):
            yield Found(container.place(), "it has no livenessProbe")


@rule(
    "HA157",
    ERROR,
    "a liveness probe that ends pods in order",
    why="/-/healthy says whether the pod hangs. A probe that asks anything else fails where all is well, /-/ready for "
    "example as long as a pod waits for something, and the kubelet starts the container anew, over and over, which "
    "gives up its VIPs each time.",
    cure="have livenessProbe and startupProbe ask /-/healthy at a port of --listen",
    evidence="docs/pod.md; Kubernetes, Configure Liveness, Readiness and Startup Probes",
)
def asks_something_else(subject: Subject) -> Iterator[Found]:
    """Probes that restart the container, and ask another path than the agent's, or a port where nobody listens."""
    for _, container, _, run in ours(subject):
        places = [one.rpartition(":") for one in run.values("--listen")]
        listens = {port for host, _, port in places if not host.startswith(LOOPBACK)} if places else {str(PORT)}
        ports = {str(one.get("name")): str(one.get("containerPort")) for one in mappings(container.fields.get("ports"))}
        for probe in ("livenessProbe", "startupProbe"):
            asked = mapping(container.at(probe, "httpGet"))
            place = container.place((probe, "httpGet"), probe)
            port = ports.get(str(asked.get("port")), str(asked.get("port")))
            if asked and asked.get("path") != HEALTHY:
                yield Found(place, f"it asks {asked.get('path', '/')}, and not {HEALTHY}")
            elif asked and port not in listens:
                yield Found(place, f"it asks port {port}, where nobody listens")


RULES = (no_liveness, asks_something_else)
