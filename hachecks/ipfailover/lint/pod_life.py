"""Rules about the life of a pod: its probes, its end, and what it leaves behind."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.commands import script
from hachecks.ipfailover.lint.pod import mapping
from hachecks.ipfailover.lint.rule import NOTE, WARNING, Found, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Configuration, Subject
    from hachecks.ipfailover.resources import Container

CHECK, NOTIFY = "OPENSHIFT_HA_CHECK_SCRIPT", "OPENSHIFT_HA_NOTIFY_SCRIPT"
LOOKS_FOR_A_PROCESS = ("pgrep", "pidof", "ps", "killall -0")
STATE = "/run/hacheck"
CHAIN, RULE = "OPENSHIFT_HA_IPTABLES_CHAIN", "OPENSHIFT_HA_NFTABLES_RULE"


def words(container: Container, probe: str) -> str:
    """The command of a probe; empty where it has none."""
    command = container.at(probe, "exec", "command")
    return " ".join(map(str, command)) if isinstance(command, list) else ""


def uses_hacheck(one: Configuration, variable: str) -> bool:
    """Whether a command is ours."""
    return posixpath.basename(script(one.text(variable))) == "hacheck"


@rule(
    "HA120",
    WARNING,
    "a liveness probe that passes without a VIP",
    why="pgrep keepalived finds a process, and Keepalived has one also where it has no configuration to run, or every "
    "instance in FAULT: the pod is alive and serves nothing.",
    cure="ask in a readinessProbe what the check asks, and leave liveness to Keepalived's own end",
    evidence="tried: Warning - keepalived has no configuration to run, and the process stays",
)
def process_probe(subject: Subject) -> Iterator[Found]:
    """Probes that look for a process."""
    for _, container, _ in subject.pods():
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            asked = words(container, probe)
            if "keepalived" in asked and any(word in asked for word in LOOKS_FOR_A_PROCESS):
                yield Found(
                    container.place((probe, "exec", "command"), probe),
                    f"{asked} finds a process that serves no VIP too",
                )


@rule(
    "HA121",
    WARNING,
    "no readiness probe",
    why="Without one a pod is ready when it has started. A roll-out goes on to the next node while this one cannot "
    "take a VIP yet, and in the end no node has them.",
    cure="write a readinessProbe that asks what the check asks, with minReadySeconds in the Deployment",
    evidence="Kubernetes API, Container.readinessProbe; OpenShift's example has none",
)
def no_readiness(subject: Subject) -> Iterator[Found]:
    """Containers that are ready at once."""
    for _, container, _ in subject.pods():
        if not mapping(container.at("readinessProbe")):
            yield Found(container.place(), "it has no readinessProbe")


@rule(
    "HA122",
    WARNING,
    "nobody hears of the end",
    why="When the pod is stopped the stock image sends Keepalived a TERM, does not wait for it, and exits: the "
    "container is gone some 100 ms later, and with it the notify scripts that Keepalived has started for STOP.",
    cure="stop Keepalived by a lifecycle.preStop that runs sh -c 'pkill -x keepalived; sleep 2', or tell hacheck "
    "notify, which takes 2 ms",
    evidence="tried: gone 96 ms after TERM; machine-config-operator#5403, OCPBUGS-59925",
)
def stop_is_lost(subject: Subject) -> Iterator[Found]:
    """Stock pods with a notify script that may take longer than their end."""
    for one, container, _ in subject.pods():
        if (
            one.is_stock
            and one.text(NOTIFY)
            and not uses_hacheck(one, NOTIFY)
            and not container.at("lifecycle", "preStop")
        ):
            yield Found(one.where(NOTIFY), "at the end of the pod it is killed before it has told anybody")


@rule(
    "HA123",
    NOTE,
    "a death that looks like success",
    why="When Keepalived dies the stock image exits with status 0: the container is Completed, no alert on failures "
    "fires, and the VIPs of a Keepalived that was killed stay on the node until it is back.",
    cure="write a readinessProbe, and an alert on pods that are not ready",
    evidence="openshift/images, ipfailover/keepalived/monitor.sh; tried",
)
def exits_with_success(subject: Subject) -> Iterator[Found]:
    """Stock pods whose end nobody notices."""
    for one, container, _ in subject.pods():
        if one.is_stock and not mapping(container.at("readinessProbe")):
            yield Found(
                container.place(("image",), "image"), "it exits with 0 when Keepalived dies, and has no readinessProbe"
            )


@rule(
    "HA124",
    NOTE,
    "what hacheck remembers is lost with the container",
    why="Streaks of rise and fall, and what waits to be told, are in /run/hacheck. Without a volume there they end "
    "with the container, which is when most is to be told.",
    cure=f"mount an emptyDir at {STATE}",
    evidence="configmaps/deployment-patch.yaml has it",
)
def no_state(subject: Subject) -> Iterator[Found]:
    """Pods that run hacheck without a volume for its state."""
    for one, container, workload in subject.pods():
        mounted = {mount.path for mount in workload.mounts(container)}
        used = [variable for variable in (CHECK, NOTIFY) if uses_hacheck(one, variable)]
        if used and not mounted & {STATE, "/run"}:
            yield Found(one.where(used[0]), f"nothing is mounted at {STATE}")


@rule(
    "HA125",
    NOTE,
    "a rule of nftables that lets nothing in",
    why="Since 4.23 the stock image adds a table of its own with an accept. A drop in any other table counts all the "
    "same, so a node that drops VRRP still hears nobody, and every node is master. The table is one for all "
    "configurations, and the first that ends takes it from the others.",
    cure="let VRRP, protocol 112, in where the node's firewall drops it, and leave the variable out",
    evidence="nft(8): a verdict of accept ends one base chain only; openshift/images#235",
)
def decorative(subject: Subject) -> Iterator[Found]:
    """Configurations that ask the image of 4.23 or later for a rule."""
    for one in subject.configurations:
        asked = [variable for variable in (RULE, CHAIN) if one.text(variable)]
        if asked and one.stock and one.stock >= (4, 23):
            yield Found(one.where(asked[0]), "the rule does not override a drop in another table")


@rule(
    "HA126",
    NOTE,
    "a rule of iptables that stays behind",
    why="From 4.9 to 4.22 the image removes its rule with arguments that iptables does not take. The rule stays on "
    "the node for ever, and VRRP is let in long after the last VIP is gone.",
    cure="remove it by hand: iptables -D CHAIN -d 224.0.0.18/32 -j ACCEPT",
    evidence="tried with iptables 1.8.9: Bad argument `1'",
)
def left_behind(subject: Subject) -> Iterator[Found]:
    """Configurations that ask the image of these versions for a rule."""
    for one in subject.configurations:
        if one.text(CHAIN) and one.stock and (4, 9) <= one.stock < (4, 23):
            yield Found(one.where(CHAIN), "the rule is never removed from the node")


RULES = (process_probe, no_readiness, stop_is_lost, exits_with_success, no_state, decorative, left_behind)
