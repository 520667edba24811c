"""Rules about the network around the VIPs: interfaces, kube-proxy's mode, and Services that VIPs lead to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.pod import mapping, mappings, whole
from hachecks.ipfailover.lint.rule import NOTE, WARNING, Found, rule
from hachecks.ipfailover.vips import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.resources import Resource
    from hachecks.ipfailover.variable import Place

INTERFACE, PORT = "OPENSHIFT_HA_NETWORK_INTERFACE", "OPENSHIFT_HA_MONITOR_PORT"
PHYSICAL = re.compile(r"(?:en[ospx]|eth|em|eno|bond)[0-9a-zA-Z.]*", re.ASCII)
NODE_PORTS = range(30000, 32768)
"""Ports that Kubernetes gives to Services by default."""


@rule(
    "HA140",
    WARNING,
    "an interface that is guessed",
    why="Without a name, and where there is no such interface, the stock image takes the first of enp0s3, enp0s8, "
    "eth1 and ens3 that is there, or else that of the default route. On nodes that differ VRRP runs on different "
    "networks, and on a node without a default route nowhere.",
    cure=f"set {INTERFACE} to an interface that every node has, br-ex on OVN-Kubernetes",
    evidence="openshift/images, ipfailover/keepalived/lib/utils.sh; bz2062126",
)
def guessed(subject: Subject) -> Iterator[Found]:
    """Configurations without an interface."""
    for one in subject.configurations:
        if not one.text(INTERFACE) and not one.partial and one.given:
            yield Found(one.where(INTERFACE), "no interface is named")


@rule(
    "HA141",
    NOTE,
    "an interface below the bridge of OVN-Kubernetes",
    why="On OVN-Kubernetes, the default since 4.12, the node's address is on br-ex, and its physical interface is a "
    "port of that bridge. A VIP on the port loses packets.",
    cure=f"set {INTERFACE} to br-ex, unless the cluster has another network or this is a network of its own",
    evidence="openshift-docs#89118",
)
def below_bridge(subject: Subject) -> Iterator[Found]:
    """Configurations of OpenShift 4.12 and later on a physical interface."""
    for one in subject.configurations:
        text = one.text(INTERFACE)
        if one.stock and one.stock >= (4, 12) and PHYSICAL.fullmatch(text):
            yield Found(one.where(INTERFACE), f"{text} is a port of br-ex on OVN-Kubernetes")


def addresses(service: Resource) -> Iterator[tuple[str, Place]]:
    """The external addresses of a Service."""
    given = service.at("spec", "externalIPs")
    for number, text in enumerate(given if isinstance(given, list) else ()):
        yield str(text), service.place(("spec", "externalIPs", number), "spec.externalIPs")
    for number, one in enumerate(mappings(service.at("status", "loadBalancer", "ingress"))):
        if one.get("ip"):
            yield str(one["ip"]), service.place(("status", "loadBalancer", "ingress", number), "status.loadBalancer")


def node_ports(service: Resource) -> Iterator[tuple[int, Mapping[str, object]]]:
    """The ports of nodes that a Service has."""
    for one in mappings(service.at("spec", "ports")):
        port = whole(one.get("nodePort"))
        if port:
            yield port, one


@rule(
    "HA142",
    WARNING,
    "externalIPs",
    why="Service.spec.externalIPs is deprecated since Kubernetes 1.36. It is to be off by default in about 1.40, and "
    "gone in about 1.43: then nothing answers on the VIP.",
    cure="write a Service of type LoadBalancer with a loadBalancerClass of its own, and the VIP in its status",
    evidence="KEP-5707, kubernetes#137293",
)
def external_ips(subject: Subject) -> Iterator[Found]:
    """Services that have them."""
    for service in subject.of_kind("Service"):
        if service.at("spec", "externalIPs"):
            yield Found(
                service.place(("spec", "externalIPs"), "spec.externalIPs"), "externalIPs is deprecated since 1.36"
            )


@rule(
    "HA143",
    WARNING,
    "an external address that is no VIP",
    why="Nobody answers for an address that no node has: the Service waits for packets that do not come.",
    cure="add it to OPENSHIFT_HA_VIRTUAL_IPS, or correct it",
    evidence="Kubernetes routes what arrives at a node, and brings nothing there",
)
def no_vip_of_it(subject: Subject) -> Iterator[Found]:
    """External addresses of Services that no configuration has, where there is one."""
    known = {str(vip) for one in subject.configurations for vip in one.settings.virtual_ips.addresses}
    known |= {
        vip.address for conf in subject.confs for one in conf.written.configuration.instances for vip in one.addresses
    }
    whole_picture = known and all(
        one.is_understood("OPENSHIFT_HA_VIRTUAL_IPS") and not one.partial for one in subject.configurations
    )
    for service in subject.of_kind("Service") if whole_picture else ():
        for text, place in addresses(service):
            try:
                address = str(parse_address(text))
            except ValueError:
                continue
            if address not in known:
                yield Found(place, f"{address} is no VIP of any configuration here")


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
        for port, _ in node_ports(service):
            yield Found(service.place(("spec", "ports"), "spec.ports"), f"nodePort {port} is not served on a VIP")
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
        if "OPENSHIFT_HA_VIRTUAL_IPS" not in named or str(pod.get("hostNetwork")).lower() != "true":
            yield Found(job.place(), "it has not both OPENSHIFT_HA_VIRTUAL_IPS and hostNetwork, and releases no VIP")


RULES = (
    guessed,
    below_bridge,
    external_ips,
    no_vip_of_it,
    node_port_on_vip,
    answers_everywhere,
    takes_module,
    cleans_nothing,
)
