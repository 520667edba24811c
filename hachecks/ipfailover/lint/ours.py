"""Rules about variables that are ours, and about what is right by itself and wrong beside another variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.conf_elections import SHORTEST
from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule
from hachecks.ipfailover.settings import RANGE_CHECK, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject

ADVERTS, ON_FAIL, PORT = "OPENSHIFT_HA_ADVERT_INT", "OPENSHIFT_HA_ON_FAIL", "OPENSHIFT_HA_MONITOR_PORT"
GROUPS, DRAIN = "OPENSHIFT_HA_VIP_GROUPS", "OPENSHIFT_HA_DRAIN_FILE"
SHORT_LIVED = ("/run/", "/var/run/", "/tmp/", "/dev/shm/")  # noqa: S108 - they are only named
CHECK, TRACK = "OPENSHIFT_HA_CHECK_SCRIPT", "OPENSHIFT_HA_TRACK_FILE"


@rule(
    "HA090",
    WARNING,
    "a variable that the stock image does not know",
    why="OpenShift's image reads its own variables only. What hachecks adds has no effect there, without a word.",
    cure="render the configuration by hacheck ipfailover render, or leave the variable out",
    evidence="openshift/images, ipfailover/keepalived/conf/settings.sh",
)
def not_of_the_stock_image(subject: Subject) -> Iterator[Found]:
    """Variables of ours in a pod of OpenShift's image."""
    for one in subject.configurations:
        for name in one.given if one.is_stock else ():
            known = VARIABLES.get(name)
            if one.text(name) and ((known and known.ours) or RANGE_CHECK.fullmatch(name)):
                yield Found(one.where(name), f"the stock image does not know {name}")


@rule(
    "HA091",
    WARNING,
    "adverts faster than a virtual machine is scheduled",
    why="A backup takes over after three adverts that do not come. Below 0.3 s between them that is less than a "
    "virtual machine stands still for a snapshot or a busy host, so each of these moves the VIPs, and back.",
    cure="set it to 0.3 or more on virtual machines, and lean on the check for speed",
    evidence="acassen/keepalived#1955, #2066, #2238",
)
def fast_adverts(subject: Subject) -> Iterator[Found]:
    """Very short intervals of VRRP 3."""
    for one in subject.configurations:
        settings = one.settings
        ipv6 = any(vip.version == 6 for vip in settings.virtual_ips.addresses)
        if (settings.vrrp_version == 3 or ipv6) and settings.advert_interval < SHORTEST:
            yield Found(one.where(ADVERTS), f"{settings.advert_interval:g} s is less than a pause of a virtual machine")


@rule(
    "HA092",
    ERROR,
    "last-resort under nopreempt",
    why="last-resort lowers the priority of a node whose check fails, and under nopreempt no other node takes over "
    "from one with a lower priority: the VIP stays where the service is dead.",
    cure="set OPENSHIFT_HA_ON_FAIL=fault, or another OPENSHIFT_HA_PREEMPTION",
    evidence="aledbf/kube-keepalived-vip#72, acassen/keepalived#942",
)
def moves_nothing(subject: Subject) -> Iterator[Found]:
    """Configurations with both."""
    for one in subject.configurations:
        if one.settings.on_fail == "last-resort" and one.settings.preemption.mode == "nopreempt":
            yield Found(one.where(ON_FAIL), "a failure lowers the priority, and nobody takes over")


@rule(
    "HA093",
    WARNING,
    "nothing is checked",
    why="Port 0 makes the default check one that always passes. Keepalived notices that a node is dead, and not that "
    "the service on it is.",
    cure=f'set {CHECK}, such as "sh /etc/keepalive/hacheck run vip", or a port that is served where the VIP is',
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh: script true",
)
def unchecked(subject: Subject) -> Iterator[Found]:
    """Configurations with port 0, and nothing in its place."""
    for one in subject.configurations:
        checks = one.text(CHECK) or one.text(TRACK) or one.settings.range_checks
        if one.is_understood(PORT) and one.settings.monitor_port == 0 and not (checks or one.partial):
            yield Found(one.where(PORT), "the check always passes")


@rule(
    "HA094",
    NOTE,
    "a port beside a check script",
    why="The script is in place of the check of the port, not in addition to it, whatever the image's settings.sh "
    "says: nobody asks the port.",
    cure=f"leave {PORT} out, or let the script ask it: sh /etc/keepalive/hacheck tcp ADDRESS:PORT",
    evidence="origin#12509; openshift/images, ipfailover/keepalived/lib/config-generators.sh",
)
def port_not_asked(subject: Subject) -> Iterator[Found]:
    """Configurations with a port that is to be asked, and a script."""
    for one in subject.configurations:
        if one.text(PORT) and one.settings.monitor_port and one.is_understood(PORT) and one.text(CHECK):
            yield Found(one.where(PORT), f"port {one.settings.monitor_port} is not checked: {CHECK} is in its place")


@rule(
    "HA095",
    NOTE,
    "more groups than VIPs",
    why="A group has one VIP at least, so there are as many instances as VIPs: the number has no effect, until VIPs "
    "are added, which then come to groups of their own and later to others' and change ids.",
    cure=f"leave {GROUPS} out, unless there are more VIPs than ids",
    evidence="OpenShift's example has 10 groups for 2 VIPs",
)
def idle_groups(subject: Subject) -> Iterator[Found]:
    """Configurations whose groups would be empty."""
    for one in subject.configurations:
        groups, vips = one.settings.virtual_ip_groups, len(one.settings.virtual_ips.addresses)
        if vips and groups > vips:
            yield Found(one.where(GROUPS), f"{groups} groups of {vips} VIP{'s' * (vips != 1)}")


@rule(
    "HA096",
    NOTE,
    "a drain that a reboot ends",
    why="What is below /run, /tmp or /dev/shm is gone after a reboot, and in a pod after its end: the node takes its "
    "VIPs back while it is still worked on.",
    cure="choose a directory of the node's that lasts, such as /var/lib/hacheck, mounted as a hostPath",
    evidence="file-hierarchy(7)",
)
def short_lived_drain(subject: Subject) -> Iterator[Found]:
    """Drain files on what does not last."""
    for one in subject.configurations:
        if one.settings.drain_file.startswith(SHORT_LIVED):
            yield Found(one.where(DRAIN), f"{one.settings.drain_file} is gone after a reboot")


RULES = (not_of_the_stock_image, fast_adverts, moves_nothing, unchecked, port_not_asked, idle_groups, short_lived_drain)
