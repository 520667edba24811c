"""Rules about the files of a pod: scripts in ConfigMaps, and directories of the node."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.lint.commands import is_interpreted, is_within, program, script, shell_word
from hachecks.ipfailover.lint.pod import mapping, mappings
from hachecks.ipfailover.lint.pod_life import CHECK, NOTIFY
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.ipfailover.settings import RANGE_CHECK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.lint.pod import Mount, Workload
    from hachecks.ipfailover.lint.subject import Configuration, Subject
    from hachecks.ipfailover.resources import Container, Resource

OF_THE_IMAGE = ("/bin", "/sbin", "/usr", "/opt", "/lib", "/lib64", "/var/lib/ipfailover")
"""Where an image has programs of its own."""
EXECUTABLE = "/etc/keepalive/hacheck"
"""Our image has the executable there, where no volume hides it."""
READ_AND_RUN = 0o111


class Use(NamedTuple):
    """A script that a configuration runs: by which variable and command, its path, and the volume that it is in."""

    configuration: Configuration
    container: Container
    workload: Workload
    variable: str
    command: str
    path: str
    mount: Mount | None


def commands(one: Configuration) -> list[str]:
    """The variables that are commands of scripts."""
    return [CHECK, NOTIFY, *filter(RANGE_CHECK.fullmatch, one.given)]


def uses(subject: Subject) -> Iterator[Use]:
    """Every script that a pod runs by a path."""
    for one, container, workload in subject.pods():
        mounts = sorted(workload.mounts(container), key=lambda mount: len(mount.path))
        for variable in commands(one):
            command = one.text(variable)
            path = script(command)
            if path:
                holding = [mount for mount in mounts if path == mount.path or is_within(path, (mount.path,))]
                yield Use(one, container, workload, variable, command, path, holding[-1] if holding else None)


def given_map(subject: Subject, use: Use) -> Resource | None:
    """The ConfigMap that a script is in, where it is given."""
    name = use.mount.config_map if use.mount else ""
    beside = (one for one in subject.of_kind("ConfigMap") if one.is_beside(use.workload.resource))
    return next((one for one in beside if name and one.name == name), None)


def contents(config_map: Resource) -> Mapping[str, object]:
    """What a ConfigMap holds, by key."""
    return {**mapping(config_map.at("data")), **mapping(config_map.at("binaryData"))}


def key_of(use: Use) -> str:
    """The key that a path in a ConfigMap stands for; empty where the volume does not have it."""
    name = use.path[len(use.mount.path) :].lstrip("/") if use.mount else ""
    items = mappings(mapping(use.mount.volume.get("configMap")).get("items")) if use.mount else []
    if not items:
        return name
    return next((str(one.get("key")) for one in items if str(one.get("path")) == name), "")


@rule(
    "HA130",
    ERROR,
    "a script that is not in the pod",
    why="Keepalived disables a check that it does not find, with a line in its log, and holds the VIPs unchecked; a "
    "notify script that is not there tells nobody.",
    cure="mount the volume that has it, or correct the path",
    evidence="tried with 2.2.7: the VIP is held",
)
def not_there(subject: Subject) -> Iterator[Found]:
    """Paths that no volume has, or that are no key of the ConfigMap there."""
    for use in uses(subject):
        is_there = is_within(use.path, OF_THE_IMAGE) or (use.configuration.run and use.path == EXECUTABLE)
        if use.mount is None and not is_there:
            yield Found(use.configuration.where(use.variable), f"{use.path} is in no volume of the pod")
        config_map = given_map(subject, use)
        if config_map and key_of(use) not in contents(config_map):
            what = f"ConfigMap {config_map.name} has no {posixpath.basename(use.path)}"
            yield Found(use.configuration.where(use.variable), what)


@rule(
    "HA132",
    ERROR,
    "a script that may not be executed",
    why="Files of a ConfigMap have mode 0644 unless defaultMode says otherwise. Keepalived disables a script that it "
    "may not execute, with a line in its log, and holds the VIPs unchecked.",
    cure="start it through an interpreter, sh before the path, which needs no mode, or set defaultMode: 0755",
    evidence="origin#12408, kubernetes#71356; tried with 2.2.7",
)
def not_executable(subject: Subject) -> Iterator[Found]:
    """Scripts by their path, in a volume without the mode for it."""
    for use in uses(subject):
        if use.mount and use.mount.config_map and not is_interpreted(use.command):
            volume = mapping(use.mount.volume.get("configMap"))
            modes = [one.get("mode") for one in mappings(volume.get("items")) if str(one.get("key")) == key_of(use)]
            mode = next((one for one in (*modes, volume.get("defaultMode")) if one is not None), "0644")
            if not number_of_mode(mode) & READ_AND_RUN:
                yield Found(
                    use.mount.place, f"{posixpath.basename(use.path)} has mode {mode}{' by default' * (mode == '0644')}"
                )


def number_of_mode(mode: object) -> int:
    """A mode as YAML has it: octal with a 0 in front, else decimal; executable for what is neither."""
    text = str(mode)
    try:
        return int(text, 8) if text[:1] == "0" and text[1:2].isdigit() else int(text, 0)
    except ValueError:
        return READ_AND_RUN


@rule(
    "HA133",
    WARNING,
    "a script that an edit of its ConfigMap switches off",
    why="Keepalived runs the path as it resolved it at its own start. In a ConfigMap that is a directory which goes "
    "away when the ConfigMap is edited, and Keepalived takes a script that it cannot start for one that succeeds: the "
    "check passes for ever, and a notify script is silent.",
    cure="start it through an interpreter, whose path stays: write sh before the path",
    evidence="acassen/keepalived#2126 and #2393; tried with 2.2.7, 2.3.3 and 2.4.3",
)
def switched_off(subject: Subject) -> Iterator[Found]:
    """Scripts by their path in a ConfigMap, or where the documentation mounts one."""
    for one in subject.configurations:
        mounted = set(subject.config_map_paths) | {"/etc/keepalive"}
        for variable in commands(one):
            command = one.text(variable)
            if script(command) and not is_interpreted(command) and is_within(script(command), mounted):
                yield Found(one.where(variable), f"{program(command)} is in a ConfigMap")


@rule(
    "HA134",
    ERROR,
    "a script that no interpreter takes",
    why="Without a first line #! and an interpreter, or with the line ends of Windows, the kernel cannot start the "
    "script, and Keepalived takes that for success: the check passes for ever.",
    cure="begin it with #!/bin/sh and end its lines with a line feed alone, or write sh before the path",
    evidence="execve(2): ENOEXEC, ENOENT; tried with 2.2.7",
)
def no_interpreter(subject: Subject) -> Iterator[Found]:
    """Scripts in given ConfigMaps that cannot be started."""
    for use in uses(subject):
        config_map = given_map(subject, use)
        text = mapping(config_map.at("data")).get(key_of(use)) if config_map else None
        if config_map and isinstance(text, str):
            first = text.split("\n", 1)[0]
            place = config_map.place(("data", key_of(use)), key_of(use))
            if first.endswith("\r"):
                yield Found(place, "its first line ends as in Windows")
            elif not first.startswith("#!") and not is_interpreted(use.command):
                yield Found(place, "it begins with no #!")


@rule(
    "HA137",
    ERROR,
    "a script that needs a shell, and has none",
    why="Keepalived starts scripts without a shell: < > | & ; and $( ) are words for the program, or the name of one "
    "that is not there. Keepalived disables such a check, or takes its failure to start for success, and the VIP is "
    "held unchecked.",
    cure="write sh -c '...', or the probe of hacheck that asks the same",
    evidence="openshift/origin#19740",
)
def needs_shell(subject: Subject) -> Iterator[Found]:
    """Scripts with words of a shell."""
    for one in subject.configurations:
        for variable in commands(one):
            word = shell_word(one.text(variable))
            if word:
                yield Found(one.where(variable), f"it is started without a shell, to which {word} belongs")


RULES = (
    not_there,
    not_executable,
    switched_off,
    no_interpreter,
    needs_shell,
)
