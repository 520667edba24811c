"""Rules about kube-proxy and its modes, and about what cleans up beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.network import PORT, addresses
from hachecks.ipfailover.lint.pod import is_true, mapping, mappings, whole
from hachecks.ipfailover.lint.pod_life import CHECK
from hachecks.ipfailover.lint.rule import WARNING, Found, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.resources import Resource
    from hachecks.ipfailover.variable import Place

NODE_PORTS = range(30000, 32768)
"""Ports that Kubernetes gives to Services by default."""


def node_ports(service: Resource) -> Iterator[tuple[int, Place]]:
    """The ports of nodes that a Service has."""
    for number, one in enumerate(mappings(service.at("spec", "ports"))):
        port = whole(one.get("nodePort"))
        if port:
            yield port, service.place(("spec", "ports", number, "nodePort"), "spec.ports")


@rule(
    "HA144",
    WARNING,
    "a nodePort that is not served on the VIP",
    why="kube-proxy in nftables mode serves nodePorts on the node's primary addresses only, so VIP:nodePort is "
    "refused although the check of the node's own address passes.",
    cure="set nodePortAddresses in kube-proxy's configuration to networks that have the VIPs",
    evidence="Kubernetes, kube-proxy --nodeport-addresses: primary by default in nftables mode",
)
def node_port_on_vip(subject: Subject) -> Iterator[Found]:
    """nodePorts, where kube-proxy is known to use nftables."""
    if subject.cluster.proxy_mode != "nftables":
        return
    for service in subject.of_kind("Service"):
        for port, place in node_ports(service):
            yield Found(place, f"nodePort {port} is not served on a VIP")
    for one in subject.configurations:
        if one.is_understood(PORT) and one.settings.monitor_port in NODE_PORTS:
            yield Found(
                one.where(PORT), f"nodePort {one.settings.monitor_port} is checked on the node and not served on a VIP"
            )


@rule(
    "HA145",
    WARNING,
    "every node answers for the address",
    why="kube-proxy in ipvs mode has external addresses on the interface kube-ipvs0 of every node, and Linux answers "
    "ARP for them there: several nodes say that they have the VIP.",
    cure="set ipvs.strictARP: true in kube-proxy's configuration",
    evidence="Kubernetes, kube-proxy --ipvs-strict-arp",
)
def answers_everywhere(subject: Subject) -> Iterator[Found]:
    """Services with external addresses, where kube-proxy is known to use ipvs."""
    for service in subject.of_kind("Service") if subject.cluster.proxy_mode == "ipvs" else ():
        for text, place in addresses(service):
            yield Found(
                place, f"{text} is on kube-ipvs0 of every node, which answer ARP for it unless strictARP is set"
            )


@rule(
    "HA146",
    WARNING,
    "a clean-up that takes kube-proxy's module",
    why="The stock image loads ip_vs at its start, which VRRP does not need, and remove-failover.sh unloads it. Where "
    "kube-proxy uses ipvs that is the module of all Services.",
    cure="leave the volume /lib/modules out, and run no remove-failover.sh",
    evidence="openshift/images, ipfailover/keepalived/remove-failover.sh: modprobe -r ip_vs",
)
def takes_module(subject: Subject) -> Iterator[Found]:
    """Stock pods with the node's modules, and jobs that clean up, where kube-proxy is known to use ipvs."""
    if subject.cluster.proxy_mode != "ipvs":
        return
    for one, container, workload in subject.pods():
        for mount in workload.mounts(container):
            if one.is_stock and mount.path == "/lib/modules":
                yield Found(mount.place, "the image loads and unloads ip_vs, which kube-proxy uses")
    for job in jobs(subject):
        yield Found(job.place(), "it unloads ip_vs, which kube-proxy uses")


def jobs(subject: Subject) -> Iterator[Resource]:
    """Jobs that run the stock image's clean-up."""
    for one in subject.of_kind("Job", "Pod"):
        pod = one.at("spec", "template", "spec") if one.kind == "Job" else one.at("spec")
        for container in mappings(mapping(pod).get("containers")):
            if "remove-failover" in f"{container.get('command')} {container.get('args')}":
                yield one
                break


@rule(
    "HA147",
    WARNING,
    "a clean-up that cleans nothing",
    why="remove-failover.sh releases the VIPs that its own variables name, on the node's network. The documented Job "
    "has neither variables nor hostNetwork nor rights: it prints an empty list, and the addresses stay.",
    cure="give it the variables, hostNetwork and privileged of the Deployment, or take the addresses from the node by "
    "hand",
    evidence="openshift-docs, its own sample output: Releasing VIPs  (interface eth0)",
)
def cleans_nothing(subject: Subject) -> Iterator[Found]:
    """Jobs that clean up without what it takes."""
    for job in jobs(subject):
        pod = mapping(job.at("spec", "template", "spec") if job.kind == "Job" else job.at("spec"))
        named = [
            variable.get("name")
            for container in mappings(pod.get("containers"))
            for variable in mappings(container.get("env"))
        ]
        if "OPENSHIFT_HA_VIRTUAL_IPS" not in named or not is_true(pod.get("hostNetwork")):
            yield Found(job.place(), "it has not both OPENSHIFT_HA_VIRTUAL_IPS and hostNetwork, and releases no VIP")


@rule(
    "HA148",
    WARNING,
    "a nodePort that no Service has",
    why="The check asks a port of the node that nobody serves, on no node: every instance is in FAULT, and no VIP is "
    "anywhere.",
    cure="correct the port, or give the file of the Service that has it as well",
    evidence="the Services that are given, of which none has this nodePort",
)
def unserved(subject: Subject) -> Iterator[Found]:
    """Ports of checks among the nodePorts, where Services with nodePorts are given, and none with this one."""
    served = {port for service in subject.of_kind("Service") for port, _ in node_ports(service)}
    for one in subject.configurations:
        port = one.settings.monitor_port
        if served and port in NODE_PORTS and port not in served and one.text(PORT) and one.is_understood(PORT):
            yield Found(one.where(PORT), f"no Service here has the nodePort {port}")


@rule(
    "HA149",
    WARNING,
    "a check that passes where clients are dropped",
    why="Under externalTrafficPolicy: Local a node without an endpoint drops what clients send to the VIP. What the "
    "node itself asks goes to all endpoints of the cluster, so a check that connects to the port passes there all the "
    "same.",
    cure="check by hacheck nodeport with --health-check-node-port, or write externalTrafficPolicy: Cluster",
    evidence="Kubernetes, kube-proxy sends local traffic to all endpoints; hacheck nodeport --help",
)
def drops_clients(subject: Subject) -> Iterator[Found]:
    """Services of this policy that VIPs lead to, where a check is known, and does not ask for local endpoints."""
    checks = [one.text(CHECK) for one in subject.configurations if not one.partial]
    asks = any("health-check-node-port" in text or " run " in text for text in checks)
    for service in subject.of_kind("Service") if checks and not asks else ():
        leads = any(node_ports(service)) or any(addresses(service))
        if leads and service.at("spec", "externalTrafficPolicy") == "Local":
            place = service.place(("spec", "externalTrafficPolicy"), "spec.externalTrafficPolicy")
            yield Found(place, "a check that connects passes on nodes that drop what clients send")


RULES = (
    unserved,
    drops_clients,
    node_port_on_vip,
    answers_everywhere,
    takes_module,
    cleans_nothing,
)
