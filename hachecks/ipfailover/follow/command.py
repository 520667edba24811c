"""`hacheck ipfailover follow`: VIPs of the cluster's Services, for `hacheck ipfailover run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.commands.options import ConfigurationOptions
from hachecks.ipfailover.follow.options import ServiceOptions
from hachecks.node import StateOptions
from hachecks.registry import Entry
from hachecks.settings import option, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.registry import Output

FOLLOW = Entry("hachecks.ipfailover.follow.main:follow", "for ever, which needs the packages of hachecks[agent]")
ONCE = Entry("hachecks.ipfailover.follow.main:once", "a look at what would be done")
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@settings
class FollowCommand(ConfigurationOptions, ServiceOptions, StateOptions):
    """Follow the cluster's Services, and give VIPs to those that ask for one.

    hacheck ipfailover run starts it with --follow-services, in a pod with a service account. A Service of type
    LoadBalancer with our class has the address that it asks for, by the annotation hachecks.internal/vips or by
    spec.loadBalancerIP, or the first free one of --service-range. All nodes agree on addresses and ids in one
    ConfigMap. While the cluster does not answer, all stays as it was.

    What is in force is written to the state directory, from where run takes it: services.env, services-ledger.json,
    and services.json, which says how it fares. The node that has a VIP writes it to the status of the Service, and an
    Event.

    Exit status 0 with --once, 1 where the cluster cannot be asked, 2 for what cannot be understood.
    """

    flags_only = True

    node_name: str = option(
        default="",
        metavar="NAME",
        variables={"NODE_NAME": str},
        help="The node as Kubernetes calls it, also by NODE_NAME (default: the host's name).",
    )
    service_account: str = option(
        default=ACCOUNT, metavar="DIR", help="Where the pod's token, ca.crt and namespace are."
    )
    once: bool = option(default=False, help="Print what would be done, change nothing, and end.")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Follow until it is ended, or look once; raises `Invalid`."""
        if self.once:
            looked: bool = ONCE.load()(self, environ, output.say, lambda line: output.complain(f"follow: {line}"))
            return looked
        followed: bool = FOLLOW.load()(self, environ, lambda line: output.complain(f"follow: {line}"))
        return followed
