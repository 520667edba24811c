"""Rules about the commands in a keepalived.conf, and who may replace what they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.commands import DOCUMENTED, is_interpreted, is_within, program, script, shell_word
from hachecks.ipfailover.lint.conf_instances import TRIED
from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule
from hachecks.keepalived.parser import split_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.lint.written import Conf
    from hachecks.ipfailover.variable import Place

SECURITY = ("enable_script_security", "script_user")


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


RULES = (
    switched_off,
    needs_shell,
    insecure,
    disabled,
)
