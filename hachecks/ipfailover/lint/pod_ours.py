"""Rules about a pod that runs `hacheck ipfailover run`: what that needs, and what it does without."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.commands import is_within
from hachecks.ipfailover.lint.pod import is_true, mapping, mappings, whole
from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule
from hachecks.ipfailover.mounted import files_at
from hachecks.ipfailover.settings import is_ours
from hachecks.ipfailover.workloads import PER_NODE
from hachecks.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.pod import Workload
    from hachecks.ipfailover.lint.subject import Configuration, Subject
    from hachecks.ipfailover.resources import Container
    from hachecks.ipfailover.running import Run

WRITTEN = {"--keepalived-config": "/etc/keepalived/keepalived.conf", "--pid-file": "/run/keepalived.pid"}
"""The files that are written at the start, by the options that name others."""
STOP_TIMEOUT, GRACE = 20.0, 30
"""Seconds: Keepalived's end at most, and a pod's, where nothing is said of them."""
AFTERWARDS = 10
"""Seconds more for the agent, which has the notifications of that end to deliver."""


def ours(subject: Subject) -> Iterator[tuple[Configuration, Container, Workload, Run]]:
    """The configurations that `hacheck ipfailover run` has in a pod."""
    for one, container, workload in subject.pods():
        if one.run:
            yield one, container, workload, one.run


def variables(container: Container) -> list[str]:
    """The variables of ipfailover in the container's environment, but for those that only a node knows."""
    names = [str(one.get("name")) for one in mappings(container.fields.get("env"))]
    return [name for name in names if is_ours(name) and name not in PER_NODE]


@rule(
    "HA150",
    WARNING,
    "a change of VIPs that needs a restart",
    why="hacheck ipfailover run takes a changed file into force by a reload, in which no other VIP is touched. What is "
    "in the environment or on the command line, in a file that is mounted by subPath, or in a ConfigMap that is "
    "immutable only changes with the pod, which gives up all its VIPs.",
    cure="put the variables into a ConfigMap as a file, mount the ConfigMap as a whole, and name it by --env-file",
    evidence="Kubernetes, volumes, configMap: a container using a ConfigMap as a subPath volume mount receives no "
    "updates",
)
def needs_restart(subject: Subject) -> Iterator[Found]:
    """Variables that a reload cannot change."""
    for one, container, workload, run in ours(subject):
        paths = run.values("--env-file")
        if not paths and one.given:
            yield Found(container.place(("env",), "env"), "its variables are in the environment")
        for name in run.variables():
            if name not in PER_NODE:
                yield Found(one.where(name), "it is on the command line")
        for path in paths:
            for file in files_at(mapping(workload.at()), container.fields, path):
                place = container.place(("volumeMounts",), path)
                if file.frozen:
                    yield Found(place, "it is mounted by subPath, and never renewed")
                config_map = file.reference.get("name")
                if is_immutable(subject, workload, config_map):
                    yield Found(place, f"ConfigMap {config_map} is immutable")


def is_immutable(subject: Subject, workload: Workload, name: object) -> bool:
    """Whether a ConfigMap of the workload's namespace is here, and says so."""
    maps = (one for one in subject.of_kind("ConfigMap") if one.name == name and one.is_beside(workload.resource))
    return any(is_true(one.at("immutable")) for one in maps)


@rule(
    "HA151",
    ERROR,
    "variables that nobody reads beside the file",
    why="Where --env-file names a file, hacheck ipfailover run takes that file's variables and none of the "
    "environment: what is set there has no effect.",
    cure="move them into the file",
    evidence="hacheck ipfailover run --help",
)
def beside_the_file(subject: Subject) -> Iterator[Found]:
    """Variables in the environment of a container that has a file of them."""
    for _, container, _, run in ours(subject):
        for name in variables(container) if run.values("--env-file") else ():
            yield Found(container.place(("env",), name), "--env-file is in its place")


@rule(
    "HA152",
    WARNING,
    "a privileged pod where three capabilities do",
    why="hacheck ipfailover run needs NET_ADMIN for addresses and the firewall, NET_RAW for VRRP, ARP and neighbour "
    "discovery, SETGID to have checks started, and no more of root. A privileged container has the node's devices and "
    "every capability, and so does who breaks into it.",
    cure="leave privileged out, drop ALL, add NET_ADMIN, NET_RAW and SETGID, and set allowPrivilegeEscalation: false",
    evidence="tests/test_image.py: each capability is taken away, and it says which one it misses",
)
def privileged(subject: Subject) -> Iterator[Found]:
    """Containers with more rights than run needs."""
    for _, container, _, _ in ours(subject):
        context = mapping(container.at("securityContext"))
        if is_true(context.get("privileged")):
            yield Found(container.place(("securityContext", "privileged"), "securityContext"), "it is privileged")
            continue
        dropped = mapping(context.get("capabilities")).get("drop")
        if not (isinstance(dropped, list) and "ALL" in [str(one).upper() for one in dropped]):
            place = container.place(("securityContext", "capabilities"), "capabilities")
            yield Found(place, "it does not drop ALL, and keeps what the runtime gives", severity=NOTE)
        if str(context.get("allowPrivilegeEscalation")).lower() != "false":
            place = container.place(("securityContext",), "securityContext")
            yield Found(place, "allowPrivilegeEscalation is not false", severity=NOTE)


@rule(
    "HA153",
    ERROR,
    "nothing to write to",
    why="keepalived.conf is written to /etc/keepalived, and what runs to /run. Where the root file system is read-only "
    "and nothing is mounted there, no VIP is served.",
    cure="mount an emptyDir, with medium: Memory, at /etc/keepalived and /run",
    evidence="tests/test_image.py: with a read-only root each of the two is taken away",
)
def not_written(subject: Subject) -> Iterator[Found]:
    """Containers with a read-only root, and without these mounts."""
    for _, container, workload, run in ours(subject):
        mounted = {mount.path for mount in workload.mounts(container)}
        files = [(run.values(option) or [default])[-1] for option, default in WRITTEN.items()]
        missing = [posixpath.dirname(file) for file in files if not is_within(posixpath.normpath(file), mounted)]
        if is_true(container.at("securityContext", "readOnlyRootFilesystem")) and missing:
            place = container.place(("securityContext", "readOnlyRootFilesystem"), "securityContext")
            yield Found(place, f"{', '.join(missing)} cannot be written")


@rule(
    "HA158",
    WARNING,
    "a drain that cannot be kept",
    why="hacheck drain writes the file of OPENSHIFT_HA_DRAIN_FILE. Where the root file system is read-only and no "
    "volume is at its directory, a node cannot be drained.",
    cure="mount a directory of the node, or an emptyDir, at the directory of the file",
    evidence="docs/manifests.md",
)
def not_drained(subject: Subject) -> Iterator[Found]:
    """Containers with a read-only root whose drain file has no volume to be written to."""
    for one, container, workload, _ in ours(subject):
        file = one.settings.drain_file
        mounted = {mount.path for mount in workload.mounts(container)}
        read_only = is_true(container.at("securityContext", "readOnlyRootFilesystem"))
        if file and read_only and not is_within(posixpath.normpath(file), mounted):
            yield Found(one.where("OPENSHIFT_HA_DRAIN_FILE"), f"{posixpath.dirname(file)} cannot be written")


@rule(
    "HA154",
    WARNING,
    "an end that is cut off",
    why="At the end of the pod Keepalived is stopped first, its STOP notifications are delivered, and then the agent "
    "ends. A grace that is shorter kills them in the middle: VIPs stay until the next start, and nobody is told.",
    cure=f"set terminationGracePeriodSeconds to {AFTERWARDS} s more than --stop-timeout, or more",
    evidence="Kubernetes API, PodSpec.terminationGracePeriodSeconds; hacheck ipfailover run --help",
)
def cut_off(subject: Subject) -> Iterator[Found]:
    """Pods with less time to end than it may take."""
    for _, _, workload, run in ours(subject):
        given = workload.at("terminationGracePeriodSeconds")
        seconds = GRACE if given is None else whole(given)
        needed = stop_timeout(run) + AFTERWARDS
        if seconds is not None and seconds < needed:
            place = workload.place("terminationGracePeriodSeconds", what="terminationGracePeriodSeconds")
            by_default = " by default" * (given is None)
            yield Found(place, f"{seconds} s{by_default} are less than the {needed:g} s that an end may take")


def stop_timeout(run: Run) -> float:
    """Seconds that Keepalived may take to end."""
    try:
        return parse_duration(run.values("--stop-timeout")[-1])
    except (LookupError, ValueError):
        return STOP_TIMEOUT


@rule(
    "HA156",
    WARNING,
    "another first process",
    why="hacheck ipfailover run is to be process 1 of its container: whatever a check leaves behind comes to it and is "
    "reaped, and the kernel ends all others with it. With hostPID or shareProcessNamespace it is not, and a Keepalived "
    "that outlives it stays.",
    cure="leave out hostPID and shareProcessNamespace: the agent is in the same container",
    evidence="pid_namespaces(7)",
)
def not_first(subject: Subject) -> Iterator[Found]:
    """Pods whose processes are not the container's own."""
    for _, _, workload, _ in ours(subject):
        for field in ("hostPID", "shareProcessNamespace"):
            if is_true(workload.at(field)):
                yield Found(workload.place(field), f"with {field} it is not process 1")


RULES = (
    not_drained,
    needs_restart,
    beside_the_file,
    privileged,
    not_written,
    cut_off,
    not_first,
)
