"""Rules about the checks and notify scripts of a keepalived.conf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.conf_instances import TRIED, instances
from hachecks.ipfailover.lint.pod import is_true
from hachecks.ipfailover.lint.rule import NOTE, WARNING, Found, rule
from hachecks.ipfailover.lint.written import TRACKING
from hachecks.keepalived.instance import whole_number
from hachecks.keepalived.track_files import is_drain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.lint.written import Script
    from hachecks.keepalived.parser import Statement

SECURITY = ("enable_script_security", "script_user")


def scripts(subject: Subject) -> Iterator[Script]:
    """Every script of every keepalived.conf."""
    return (found for conf in subject.confs for found in conf.scripts())


@rule(
    "HA240",
    WARNING,
    "nothing is checked",
    why="Keepalived notices that a node is dead, and not that the service on it is: without a check the VIP stays "
    "with a node that serves nothing.",
    cure='track a vrrp_script, such as script "sh /etc/keepalive/hacheck run vip"',
    evidence="keepalived.conf(5): track_script, track_file, track_process",
)
def no_check(subject: Subject) -> Iterator[Found]:
    """Instances that track no script, file or process, themselves or by their group."""
    for conf in subject.confs:
        groups = conf.written.configuration.groups
        tracking = {
            name
            for block in conf.blocks("vrrp_sync_group")
            if any(_is_check(line.words[0], entry) for line in block.nodes or () for entry in line.nodes or ())
            for name in groups.get("".join(block.words[1:2]), ())
        }
        for one in conf.instances():
            checked = any(_is_check(kind, entry) for kind, entry, _ in one.tracked()) or one.read.name in tracking
            if one.read.addresses and not checked:
                yield Found(one.place(), "no script, file or process is tracked")


def _is_check(kind: str, entry: Statement) -> bool:
    """Whether a line within a block of an instance or group tracks something that may fail: a drain is none."""
    return kind in TRACKING and not (kind == "track_file" and is_drain(entry.words[0]))


@rule(
    "HA243",
    WARNING,
    "a timeout that is longer than the interval",
    why="Keepalived 2.1.0 to 2.3.2 starts a second copy while the first still runs, and mixes up their results: a "
    "check that hangs is noticed late, or not at all.",
    cure="write a timeout of at most the interval, and let the check end by itself before that",
    evidence="keepalived pull request 2563; tried with 2.2.7: 7 copies after 6.5 s",
)
def long_timeout(subject: Subject) -> Iterator[Found]:
    """Scripts that may run into their next run."""
    for one in scripts(subject):
        timeout, interval = one.read.timeout, one.read.interval or 1
        if timeout is not None and timeout > interval:
            yield Found(one.place("timeout"), f"timeout {timeout:g} is longer than interval {interval:g}")


@rule(
    "HA244",
    WARNING,
    "an interval that is no whole number",
    why="Before 2.3.2 Keepalived ignores an interval or timeout with a fraction, with a remark in its log, and takes "
    "1.",
    cure="write whole seconds; a track_file that the agent writes is faster",
    evidence=TRIED + ": invalid number",
)
def fraction(subject: Subject) -> Iterator[Found]:
    """Scripts with times that are not whole."""
    for one in scripts(subject):
        for keyword, seconds in (("interval", one.read.interval), ("timeout", one.read.timeout)):
            if seconds is not None and seconds % 1:
                yield Found(one.place(keyword), f"{keyword} {seconds:g} is ignored before 2.3.2")


@rule(
    "HA245",
    NOTE,
    "one lost answer moves the VIPs",
    why="Without fall the first failure is a FAULT: a packet that is lost, or a slow answer, moves all VIPs of the "
    "node, and the next success lets them come back.",
    cure="write fall 2 or 3, and rise 2",
    evidence="machine-config-operator#2134 and #2679 added fall and rise to their checks, which flapped",
)
def no_fall(subject: Subject) -> Iterator[Found]:
    """Scripts whose first failure counts."""
    for one in scripts(subject):
        if one.read.fall in (None, 1):
            yield Found(one.place("fall"), "its first failure is a FAULT")


@rule(
    "HA248",
    WARNING,
    "a track_file that stands alone",
    why="An empty, missing or orphaned file counts as healthy, and one that says fault stays so when its writer is "
    "gone: whoever writes it may die, and the VIP stays where it is, or goes nowhere.",
    cure="track a vrrp_script beside it, such as sh /etc/keepalive/hacheck run NAME, which looks when the file is "
    "stale",
    evidence="keepalived.conf(5), track_file; tried with 2.2.7",
)
def lonely_file(subject: Subject) -> Iterator[Found]:
    """Instances that track a file and no script."""
    for one in instances(subject):
        kinds = {kind: entry for kind, entry, _ in one.tracked() if _is_check(kind, entry)}
        if "track_file" in kinds and not one.read.scripts:
            yield Found(one.place(kinds["track_file"]), "nobody notices when the file is no longer written")


@rule(
    "HA249",
    WARNING,
    "a process that cannot be seen from the pod",
    why="The kernel tells of processes only those that listen in the initial PID namespace: in a pod without hostPID "
    "Keepalived hears nothing, without an error, and the process seems to be there or not for ever.",
    cure="set hostPID, or track a vrrp_script",
    evidence="Linux, drivers/connector/cn_proc.c",
)
def unseen_process(subject: Subject) -> Iterator[Found]:
    """Instances that track a process, beside a pod that does not see it."""
    pods = [one for one in subject.workloads() if not is_true(one.at("hostPID"))]
    for one in instances(subject):
        for kind, entry, _ in one.tracked():
            if kind == "track_process" and pods:
                yield Found(one.place(entry), f"{entry.words[0]} is not seen in {pods[0].resource.label}")


@rule(
    "HA250",
    NOTE,
    "init_fail has no effect",
    why="track_script resets what the script begins with: the instance is MASTER before the check has run rise times.",
    cure="leave out init_fail; vrrp_startup_delay holds the whole start back",
    evidence="vrrp_track.c; tried with 2.2.7 and 2.4.3",
)
def init_fail(subject: Subject) -> Iterator[Found]:
    """Scripts that are to begin failed."""
    for one in scripts(subject):
        if any(line.words[0] == "init_fail" for line in one.block.nodes or ()):
            yield Found(one.place("init_fail"), "init_fail is reset by track_script")


@rule(
    "HA251",
    WARNING,
    "a script that nobody tracks",
    why="A vrrp_script runs only where an instance or group names it in track_script.",
    cure="name it in the track_script of an instance, or leave it out",
    evidence="keepalived.conf(5), track_script",
)
def untracked(subject: Subject) -> Iterator[Found]:
    """Scripts that no instance names."""
    for conf in subject.confs:
        tracked = {name for instance in conf.written.configuration.instances for name in instance.scripts}
        yield from (
            Found(one.place(), "no instance tracks it") for one in conf.scripts() if one.read.name not in tracked
        )


@rule(
    "HA252",
    WARNING,
    "a weight that is none",
    why="Keepalived ignores a weight that it cannot read, and takes 0: a failure is a FAULT and lowers no priority.",
    cure="write -253 to 253",
    evidence="keepalived.conf(5), vrrp_script",
)
def odd_weight(subject: Subject) -> Iterator[Found]:
    """Weights that are none."""
    for one in scripts(subject):
        weight = one.value("weight")
        if weight and whole_number(weight.lstrip("-"), 0, 253) is None:
            yield Found(one.place("weight"), f"weight {weight} is none of -253 to 253")


RULES = (
    no_check,
    long_timeout,
    fraction,
    no_fall,
    lonely_file,
    unseen_process,
    init_fail,
    untracked,
    odd_weight,
)
