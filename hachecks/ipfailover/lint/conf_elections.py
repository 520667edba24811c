"""Rules about how instances of a keepalived.conf elect their master: priorities, preemption and adverts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.conf_instances import TRIED, instances
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.keepalived.instance import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject

SHORTEST = 0.3
"""Seconds between two adverts, below which a virtual machine that is not scheduled for a moment loses its VIPs."""
LONGEST = 40.95
"""Seconds between two adverts of VRRP 3, which has 12 bits of hundredths."""


@rule(
    "HA220",
    WARNING,
    "state MASTER cancels nopreempt and preempt_delay",
    why="An instance that is to begin as MASTER cannot wait: Keepalived clears nopreempt and preempt_delay with a "
    "warning. A node that comes back takes its VIPs at once, and every reboot interrupts the service twice.",
    cure="write state BACKUP on all nodes: the priority decides who is master",
    evidence="openshift/images#197, origin#21188; " + TRIED,
)
def master_cancels(subject: Subject) -> Iterator[Found]:
    """Instances with state MASTER and a preemption that it cancels."""
    for one in instances(subject):
        for keyword in ("nopreempt", "preempt_delay"):
            line = one.line(keyword)
            if line and one.value("state") == "MASTER":
                yield Found(one.place(line), f"state MASTER cancels {line.text}")


@rule(
    "HA221",
    WARNING,
    "priority 255",
    why="255 is for a router that owns the address. Keepalived then clears nopreempt, ignores scripts that have a "
    "weight, and the node takes the VIP whenever it is up.",
    cure="write 254 or less",
    evidence="RFC 5798, section 5.2.4; " + TRIED,
)
def owner(subject: Subject) -> Iterator[Found]:
    """Instances that are owners of their address."""
    for one in instances(subject):
        if one.read.priority == 255:
            yield Found(one.place(one.line("priority")), "priority 255 makes it the owner of its addresses")


@rule(
    "HA222",
    ERROR,
    "nopreempt with a weight",
    why="A check with a weight lowers the priority when it fails, and under nopreempt no other node takes over from "
    "one with a lower priority: the VIP stays where the service is dead.",
    cure="leave out the weight, so that a failure is a FAULT, or leave out nopreempt",
    evidence="aledbf/kube-keepalived-vip#72, acassen/keepalived#942",
)
def weight_moves_nothing(subject: Subject) -> Iterator[Found]:
    """Instances with nopreempt that track something with a weight."""
    for conf in subject.confs:
        weights = {script.read.name: script.value("weight") for script in conf.scripts()}
        for one in conf.instances():
            if one.line("nopreempt") is None or one.value("state") == "MASTER":
                continue
            drains = {file.file.name for file in one.read.files if file.file.is_drain}
            files = {file.file.name: str(file.weight) for file in one.read.files}
            for kind, entry, weight in one.tracked():
                known = weight or {"track_script": weights, "track_file": files}.get(kind, {}).get(entry.words[0], "")
                # hacheck drain moves by FAULT where a lower priority moves nothing.
                if kind == "track_file" and entry.words[0] in drains:
                    continue
                if whole_number(known.lstrip("-"), 1, 254):
                    yield Found(one.place(entry), f"{entry.words[0]} only lowers the priority, and nobody takes over")


@rule(
    "HA223",
    WARNING,
    "an advert_int that is no such interval",
    why="VRRP 2 has whole seconds and VRRP 3 hundredths up to 40.95 s. Keepalived rounds or cuts the rest, and nodes "
    "of different versions, or one that was written otherwise, then drop each other's adverts.",
    cure="write whole seconds, or version 3 and 0.01 to 40.95",
    evidence=TRIED,
)
def odd_interval(subject: Subject) -> Iterator[Found]:
    """Intervals that are rounded or cut."""
    for one in instances(subject):
        seconds = one.advert_seconds
        limit = 255 if one.version == 2 else LONGEST
        if seconds is None or not 0.01 <= seconds <= limit or (one.version == 2 and seconds % 1):
            yield Found(one.place(one.line("advert_int")), f"VRRP {one.version} has no {one.value('advert_int')} s")


@rule(
    "HA224",
    WARNING,
    "adverts faster than a virtual machine is scheduled",
    why="A backup takes over after three adverts that do not come. Below 0.3 s between them that is less than a "
    "virtual machine stands still for a snapshot or a busy host, so each of these moves the VIPs, and back. A reload, "
    "which sends none for a moment, does too.",
    cure="write 0.3 or more on virtual machines, or raise down_timer_adverts",
    evidence="acassen/keepalived#1955, #2066, #2238",
)
def fast_adverts(subject: Subject) -> Iterator[Found]:
    """Instances of VRRP 3 with very short intervals."""
    for one in instances(subject):
        seconds = one.advert_seconds
        if one.version == 3 and seconds is not None and 0.01 <= seconds < SHORTEST:
            yield Found(one.place(one.line("advert_int")), f"{seconds:g} s is less than a pause of a virtual machine")


@rule(
    "HA225",
    WARNING,
    "a spelling of preemption that does not delay",
    why="Keepalived ignores the number of preempt 300, which is kept for compatibility, and knows no preempt_nodelay. "
    "A node that comes back takes its VIPs at once.",
    cure="write preempt_delay SECONDS or nopreempt, or leave the line out",
    evidence="vrrp_parser.c; " + TRIED,
)
def no_delay(subject: Subject) -> Iterator[Found]:
    """Instances with preempt_nodelay, or preempt and a number."""
    for one in instances(subject):
        for line in one.block.nodes or ():
            if line.words[0] == "preempt_nodelay" or (line.words[0] == "preempt" and len(line.words) > 1):
                yield Found(one.place(line), f"{' '.join(line.words[:2])} preempts at once")


RULES = (master_cancels, owner, weight_moves_nothing, odd_interval, fast_adverts, no_delay)
