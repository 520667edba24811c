"""What a reader should know of a rendered file: it stands in its comments, and is told when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.family import IPV4, IPV6, family
from hachecks.ipfailover.render.keywords import knows, written
from hachecks.ipfailover.render.target import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.render.target import Target

LINK_LOCAL_SINCE = (2, 2, 0)
STOCK_INTERVAL = 1
"""Seconds between two adverts of the stock image, which is Keepalived's default."""

NO_MAIL = "nobody is mailed, as by the stock image; see hacheck notify"
NO_RULE = "this file makes no firewall rule; let IP protocol 112 in and out on each node"
NOT_OF_A_FILE = {
    "OPENSHIFT_HA_ADMIN_EMAILS": NO_MAIL,
    "OPENSHIFT_HA_SMTP_SERVER": NO_MAIL,
    "OPENSHIFT_HA_IPTABLES_CHAIN": NO_RULE,
    "OPENSHIFT_HA_NFTABLES_RULE": NO_RULE,
    "OPENSHIFT_HA_SELECTOR": "this file chooses no nodes; the workload's nodeSelector does",
}
"""What variables come to that a keepalived.conf has nothing of."""


def remarks(target: Target) -> tuple[str, ...]:
    """The plan's notes, and those of the file."""
    return (*target.plan.notes, *_remarks(target))


def _remarks(target: Target) -> Iterator[str]:
    settings, plan, version = target.settings, target.plan, written(target.version)
    where = settings.where
    if plan.preemption.mode == "nopreempt" and not knows(target.version, "vrrp_delay_after_boot"):
        yield (
            f"{where('OPENSHIFT_HA_PREEMPTION')}: a node whose network hears nobody yet after a reboot may take VIPs "
            f"that others have; Keepalived waits rightly (vrrp_delay_after_boot) since 2.4.0, and this is for {version}"
        )
    if any(len(one.vips) > 1 for one in plan.instances) and not target.options.ledger:
        yield (
            f"{where('OPENSHIFT_HA_VIP_GROUPS')}: the first VIP of each group must stay the first, which a ledger "
            "sees to: plan with --ledger and --save"
        )
    if target.version < LINK_LOCAL_SINCE and any(family(one.vips[0]) == IPV6 for one in plan.instances):
        yield f"Keepalived {version} complains that IPv6 VIPs are not link-local, and serves them none the less"
    if len(target.options.password) > PASSWORD:
        yield f"{where('OPENSHIFT_HA_AUTH_PASS_FILE')}: of a password {PASSWORD} characters count"
    yield from (f"{where(variable)}: {what}" for variable, what in NOT_OF_A_FILE.items() if variable in settings.places)
    yield from _of_adverts(target)
    yield from _of_multicast(target)
    yield from _of_what_is_not_here(target)


def _of_adverts(target: Target) -> Iterator[str]:
    """What parts nodes that are told differently."""
    settings = target.settings
    ipv4 = any(family(one.vips[0]) == IPV4 for one in target.plan.instances)
    if ipv4 and settings.vrrp_version == 3:
        yield (
            f"{settings.where('OPENSHIFT_HA_VRRP_VERSION')}: nodes that speak VRRP 2, such as those with the stock "
            "image, hear none of these adverts and take the VIPs too; change all nodes at once"
        )
    elif ipv4 and settings.advert_interval != STOCK_INTERVAL:
        yield (
            f"{settings.where('OPENSHIFT_HA_ADVERT_INT')}: in VRRP 2 nodes with another interval, such as those with "
            "the stock image, drop these adverts and take the VIPs too; change all nodes at once"
        )


def _of_multicast(target: Target) -> Iterator[str]:
    """What its source address is not for."""
    source, where = target.settings.multicast_source, target.settings.where("MULTICAST_SOURCE_IPADDRESS")
    if source and target.plan.unicast:
        yield f"{where}: it is for multicast, and there are unicast peers"
    elif source:
        for vip in [one.vips[0] for one in target.plan.instances if family(one.vips[0]) != family(source)][:1]:
            yield f"{where}: it is not for {vip}, which is of another family"


def _of_what_is_not_here(target: Target) -> Iterator[str]:
    """What depends on something that cannot be known here."""
    settings = target.settings
    if settings.track_file:
        yield (
            f"{settings.where('OPENSHIFT_HA_TRACK_FILE')}: its directory must be there before Keepalived starts, or "
            "the file is not looked at; until the agent writes it, it says that the node is not well"
        )
    if settings.drain_file:
        yield (
            f"{settings.where('OPENSHIFT_HA_DRAIN_FILE')}: its directory must be there before Keepalived starts, or "
            "nothing is ever drained; a drain outlives the pod where that is a directory of the node's"
        )
    if settings.verbatim or settings.verbatim_global:
        where = settings.where("OPENSHIFT_HA_VERBATIM" if settings.verbatim else "OPENSHIFT_HA_VERBATIM_GLOBAL")
        yield f"{where}: the values in these lines are not judged; try the file with keepalived --config-test"
