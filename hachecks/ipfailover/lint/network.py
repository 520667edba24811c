"""Rules about the network around the VIPs: the interface, and Services that VIPs lead to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.follow.options import CLASS
from hachecks.ipfailover.lint.pod import mappings
from hachecks.ipfailover.lint.rule import NOTE, WARNING, Found, rule
from hachecks.ipfailover.vips import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.resources import Resource
    from hachecks.ipfailover.variable import Place

INTERFACE, PORT = "OPENSHIFT_HA_NETWORK_INTERFACE", "OPENSHIFT_HA_MONITOR_PORT"
PHYSICAL = re.compile(r"(?:en[ospx]|eth|em|eno|bond)[0-9a-zA-Z.]*", re.ASCII)
NODE_PORTS = range(30000, 32768)
"""Ports that Kubernetes gives to Services by default."""


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


@rule(
    "HA142",
    WARNING,
    "externalIPs",
    why="Service.spec.externalIPs is deprecated since Kubernetes 1.36. It is to be off by default in about 1.40, and "
    "gone in about 1.43: then nothing answers on the VIP.",
    cure="write a Service of type LoadBalancer with the loadBalancerClass that hacheck ipfailover run "
    "--follow-services gives VIPs to, or with one of your own and the VIP in its status",
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
        one.is_understood("OPENSHIFT_HA_VIRTUAL_IPS") and not one.partial and not one.follows
        for one in subject.configurations
    )
    for service in subject.of_kind("Service") if whole_picture else ():
        # What is in the status of one that is followed was a VIP when it was written there.
        for text, place in () if service.at("spec", "loadBalancerClass") == CLASS else addresses(service):
            try:
                address = str(parse_address(text))
            except ValueError:
                continue
            if address not in known:
                yield Found(place, f"{address} is no VIP of any configuration here")


RULES = (below_bridge, external_ips, no_vip_of_it)
