"""Options about the cluster's Services, which `hacheck ipfailover run` and `follow` share."""

from __future__ import annotations

import ipaddress
import re

from hachecks.ipfailover import vips
from hachecks.settings import option, settings

CLASS = "hachecks.internal/ipfailover"
"""The loadBalancerClass. Names without a prefix are for a cluster's own users (Kubernetes, Service.spec), and a prefix
is a DNS name; .internal is set apart for private use by ICANN, so that nobody owns or will own this one."""
ANNOTATION = "hachecks.internal/vips"
"""The annotation in which a Service may ask for its addresses, one of each family."""
CONFIG_MAP = "ipfailover-ledger"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
SUBDOMAIN = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"


class LoadBalancerClass(str):
    """A name as spec.loadBalancerClass has it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> LoadBalancerClass:
        """From text; raises `ValueError`."""
        if not re.fullmatch(rf"(?:{SUBDOMAIN}/)?{LABEL}", text, re.ASCII):
            raise ValueError(f"{text!r} is no loadBalancerClass; expected a name such as {CLASS}")
        return cls(text)


class ObjectName(str):
    """A name of a ConfigMap."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> ObjectName:
        """From text; raises `ValueError`."""
        if len(text) > 253 or not re.fullmatch(SUBDOMAIN, text, re.ASCII):
            raise ValueError(f"{text!r} is no name of a ConfigMap; expected small letters, digits, - and .")
        return cls(text)


class Range(str):
    """Addresses as OPENSHIFT_HA_VIRTUAL_IPS has them."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Range:
        """From text; raises `ValueError`."""
        vips.parse(text)
        return cls(text)


class Network(str):
    """A network in CIDR notation."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Network:
        """From text; raises `ValueError`."""
        try:
            return cls(ipaddress.ip_network(text))
        except ValueError:
            raise ValueError(f"{text!r} is no network; expected one such as 192.0.2.0/24") from None


@settings
class ServiceOptions:
    """Which Services of the cluster have VIPs, and where all nodes agree on them."""

    heading = "Services of the cluster"
    flags_only = True

    load_balancer_class: LoadBalancerClass = option(
        default=LoadBalancerClass(CLASS),
        metavar="NAME",
        help="Services of type LoadBalancer with this spec.loadBalancerClass have VIPs.",
    )
    service_range: tuple[Range, ...] = option(
        default=(),
        metavar="VIPS",
        help="The addresses that these Services may have, written as those of --virtual-ips, several times: those they "
        "ask for, and the first free one for each that asks for none.",
    )
    external_ip_range: tuple[Network, ...] = option(
        default=(),
        metavar="CIDR",
        help="Addresses in this network that any Service has as spec.externalIPs, or that another controller wrote to "
        "its status, are VIPs as well; several times.",
    )
    ledger_config_map: ObjectName = option(
        default=ObjectName(CONFIG_MAP),
        metavar="NAME",
        help="The ConfigMap, in the pod's namespace, with the ids and addresses that all nodes agree on.",
    )
