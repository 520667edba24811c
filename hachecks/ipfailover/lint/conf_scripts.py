"""Rules about the checks and notify scripts of a keepalived.conf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.commands import DOCUMENTED, is_interpreted, is_within, program, script, shell_word
from hachecks.ipfailover.lint.conf_instances import TRIED, instances
from hachecks.ipfailover.lint.pod import is_true
from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule
from hachecks.keepalived.instance import whole_number
from hachecks.keepalived.parser import split_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.lint.written import Conf, Script
    from hachecks.ipfailover.variable import Place

SECURITY = ("enable_script_security", "script_user")


def scripts(subject: Subject) -> Iterator[Script]:
    """Every script of every keepalived.conf."""
    return (found for conf in subject.confs for found in conf.scripts())


def commands(conf: Conf) -> Iterator[tuple[Place, str, str]]:
    """Every command that Keepalived runs: its place, the keyword that it stands behind, and itself."""
    for one in conf.scripts():
        yield one.place("script"), "script", one.read.command
    for block in conf.written.statements:
        if block.words[0] in ("vrrp_instance", "vrrp_sync_group"):
            for line in block.nodes or ():
                if line.words[0].startswith("notify") and len(line.words) > 1:
                    command = "".join(split_command(line.text)[1:2])
                    yield conf.place(line, "".join(block.words[1:2])), line.words[0], command


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
            if any(line.words[0] in ("track_script", "track_file", "track_process") for line in block.nodes or ())
            for name in groups.get("".join(block.words[1:2]), ())
        }
        for one in conf.instances():
            if not any(one.tracked()) and one.read.name not in tracking and one.read.addresses:
                yield Found(one.place(), "no script, file or process is tracked")


@rule(
    "HA241",
    WARNING,
    "a script that an edited ConfigMap switches off",
    why="Keepalived runs the path as it resolved it at its own start. In a ConfigMap that is a directory which goes "
    "away when the ConfigMap is edited, and Keepalived takes a script that it cannot start for one that succeeds: the "
    "check passes for ever, and a notify script is silent.",
    cure="start it through an interpreter, whose path stays: sh before the path",
    evidence="acassen/keepalived#2126 and #2393; tried with 2.2.7, 2.3.3 and 2.4.3",
)
def switched_off(subject: Subject) -> Iterator[Found]:
    """Commands that are a path in a ConfigMap."""
    for conf in subject.confs:
        for place, keyword, command in commands(conf):
            if not is_interpreted(command) and is_within(script(command), subject.config_map_paths or {DOCUMENTED}):
                yield Found(place, f"the {keyword} {program(command)} is in a ConfigMap")


@rule(
    "HA242",
    ERROR,
    "a script that needs a shell, and has none",
    why="Keepalived starts scripts without a shell: < > | & ; and $( ) are words for the program, or the name of one "
    "that is not there. Keepalived disables such a check, or takes its failure to start for success, and the VIP is "
    "held unchecked.",
    cure="write sh -c '...', or the probe of hacheck that asks the same",
    evidence="openshift/origin#19740",
)
def needs_shell(subject: Subject) -> Iterator[Found]:
    """Commands with words of a shell."""
    for conf in subject.confs:
        for place, keyword, command in commands(conf):
            word = shell_word(command)
            if word:
                yield Found(place, f"the {keyword} is started without a shell, to which {word} belongs")


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
    "HA246",
    NOTE,
    "scripts run as root, whoever may write them",
    why="Without enable_script_security and script_user Keepalived runs scripts as root, also those that others may "
    "write, and keepalived --config-test is not 0.",
    cure="write enable_script_security and script_user root in global_defs",
    evidence=TRIED + ": SECURITY VIOLATION",
)
def insecure(subject: Subject) -> Iterator[Found]:
    """Files with scripts, and no word on who may write them."""
    for conf in subject.confs:
        first = next(commands(conf), None)
        missing = [word for word in SECURITY if word not in conf.written.defaults]
        if first and missing:
            yield Found(first[0], f"global_defs has no {' and no '.join(missing)}")


@rule(
    "HA247",
    ERROR,
    "a script that script security disables",
    why="A ConfigMap's directory may be written by anybody, so under enable_script_security Keepalived disables a "
    "script in it, and holds the VIP unchecked.",
    cure="start it through an interpreter: /usr/bin/sh before the path",
    evidence=TRIED + ": Disabling track script due to insecure",
)
def disabled(subject: Subject) -> Iterator[Found]:
    """Commands in a ConfigMap under script security."""
    for conf in subject.confs:
        for place, keyword, command in commands(conf) if "enable_script_security" in conf.written.defaults else ():
            if not is_interpreted(command) and is_within(script(command), subject.config_map_paths or {DOCUMENTED}):
                yield Found(place, f"the {keyword} {program(command)} is in a directory that anybody may write")


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
        kinds = {kind: entry for kind, entry, _ in one.tracked()}
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
    for one in scripts(subject):
        if all(one.read.name not in instance.scripts for instance in one.conf.written.configuration.instances):
            yield Found(one.place(), "no instance tracks it")


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
    switched_off,
    needs_shell,
    long_timeout,
    fraction,
    no_fall,
    insecure,
    disabled,
    lonely_file,
    unseen_process,
    init_fail,
    untracked,
    odd_weight,
)
