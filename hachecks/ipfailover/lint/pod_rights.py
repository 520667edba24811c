"""Rules about what a pod may do on its node: Keepalived needs the node's network, and the right to change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.pod import is_true, mapping
from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.resources import Container

NEEDED = ("NET_ADMIN", "NET_RAW")
IMAGE_USER = 65534
"""Of our own image: who only looks has no rights."""
ADD = "add the capabilities NET_ADMIN, NET_RAW and SETGID, and drop ALL, in the container's securityContext"
OWN_SCC = "set serviceAccountName to the account that hacheck ipfailover manifests makes, with an SCC of its own"
NEEDLESS = {"ALL", "NET_BROADCAST", "SYS_ADMIN", "SYS_MODULE"}


def added(container: Container) -> set[str]:
    """The capabilities that are added."""
    return _capabilities(container, "add")


def removed(container: Container) -> set[str]:
    """Those that are dropped."""
    return _capabilities(container, "drop")


def _capabilities(container: Container, way: str) -> set[str]:
    found = container.at("securityContext", "capabilities", way)
    return {str(one).upper() for one in found} if isinstance(found, list) else set()


@rule(
    "HA101",
    WARNING,
    "privileged on the pod",
    why="A pod has no field privileged, though the documentation of OpenShift shows one: it is a container's. kubectl "
    "and oc refuse the object, or the API server drops the line, and the container has no rights.",
    cure="write securityContext.privileged: true in the container",
    evidence="Kubernetes API, PodSpec; openshift-docs, modules/nw-ipfailover-configuration.adoc",
)
def privileged_pod(subject: Subject) -> Iterator[Found]:
    """Pods with a field of that name."""
    for _, _, workload in subject.pods():
        if workload.at("privileged") is not None:
            yield Found(workload.place("privileged"), "privileged is no field of a pod")


@rule(
    "HA102",
    ERROR,
    "a container without the rights that Keepalived needs",
    why="Adding an address needs NET_ADMIN, and VRRP's raw sockets NET_RAW. Without them Keepalived ends at its "
    "start, or elects masters that cannot have the VIP.",
    cure="set privileged: true, or add the capabilities NET_ADMIN, NET_RAW and SETGID, in the container's "
    "securityContext",
    evidence="kube-vip#1010, metal3-io/baremetal-operator#782",
)
def no_rights(subject: Subject) -> Iterator[Found]:
    """Containers that are neither privileged nor have both capabilities."""
    for one, container, _ in subject.pods():
        names = added(container)
        missing = [name for name in NEEDED if name not in names and "ALL" not in names]
        if missing and not is_true(container.at("securityContext", "privileged")):
            what = f"it is not privileged, and has no {' and no '.join(missing)}"
            yield Found(container.place(("securityContext",)), what, ADD if one.run else "")


@rule(
    "HA103",
    ERROR,
    "no hostNetwork",
    why="In a network of its own the pod hears no adverts of other nodes and takes the VIP within itself: every pod "
    "is master, and nobody outside reaches the address.",
    cure="set hostNetwork: true in the pod",
    evidence="Kubernetes API, PodSpec.hostNetwork",
)
def no_host_network(subject: Subject) -> Iterator[Found]:
    """Pods with a network of their own."""
    for _, _, workload in subject.pods():
        if not is_true(workload.at("hostNetwork")):
            yield Found(workload.place("hostNetwork"), "the pod has a network of its own")


@rule(
    "HA104",
    ERROR,
    "a user that cannot have the rights",
    why="Kubernetes gives added capabilities to root alone: for any other user they are not effective, and Keepalived "
    "can neither open its sockets nor add an address.",
    cure="leave out runAsNonRoot and runAsUser; with NET_ADMIN, NET_RAW and SETGID alone root has few rights",
    evidence="kube-vip#1010; Kubernetes has no ambient capabilities",
)
def not_root(subject: Subject) -> Iterator[Found]:
    """Containers that run as somebody else, which our image does where nothing is said."""
    for one, container, workload in subject.pods():
        contexts = mapping(workload.at("securityContext")), mapping(container.at("securityContext"))
        users = [str(context["runAsUser"]) for context in contexts if context.get("runAsUser") is not None]
        if any(is_true(context.get("runAsNonRoot")) for context in contexts) or users[-1:] not in ([], ["0"]):
            yield Found(container.place(("securityContext",)), "it does not run as root")
        elif one.run and not users:
            what = f"it runs as the image's user, which is {IMAGE_USER}"
            yield Found(container.place(("securityContext",)), what, "write runAsUser: 0")


@rule(
    "HA105",
    NOTE,
    "no service account",
    why="The account default may not run privileged pods in OpenShift: none is created, and only an event of the "
    "ReplicaSet says so.",
    cure="create a service account, add it to the SCC privileged, and set serviceAccountName",
    evidence="openshift-docs, modules/nw-ipfailover-configuration.adoc",
)
def no_account(subject: Subject) -> Iterator[Found]:
    """Pods of the account default."""
    for one, _, workload in subject.pods():
        account = workload.at("serviceAccountName") or workload.at("serviceAccount")
        if account in (None, "default"):
            what = "it runs as the account default"
            yield Found(workload.place("serviceAccountName"), what, OWN_SCC if one.run else "")


@rule(
    "HA106",
    ERROR,
    "a start that kills the Keepalived of others",
    why="The stock image begins with killall -9 keepalived. Where it sees other processes, by hostPID those of the "
    "node, by shareProcessNamespace those of its pod, that is also the platform's own Keepalived, or another "
    "configuration's, whose VIPs stay on the node without anybody to serve them.",
    cure="leave out hostPID and shareProcessNamespace",
    evidence="openshift/images, ipfailover/keepalived/lib/failover-functions.sh",
)
def kills_others(subject: Subject) -> Iterator[Found]:
    """Stock pods that see other processes."""
    stock = [(one, workload) for one, _, workload in subject.pods() if one.is_stock]
    for _, workload in stock:
        beside = sum(other.resource is workload.resource for _, other in stock) > 1
        for field in ("hostPID", *["shareProcessNamespace"] * beside):
            if is_true(workload.at(field)):
                yield Found(workload.place(field), f"with {field} its start kills every Keepalived that it sees")


@rule(
    "HA107",
    ERROR,
    "a root file system that cannot be written",
    why="The stock image writes /etc/keepalived/keepalived.conf, and Keepalived its files to /run and /tmp. Where "
    "these are read-only nothing starts.",
    cure="mount an emptyDir at /etc/keepalived, /run and /tmp, or leave out readOnlyRootFilesystem",
    evidence="openshift/images, ipfailover/keepalived/conf/settings.sh: KEEPALIVED_CONFIG",
)
def read_only(subject: Subject) -> Iterator[Found]:
    """Stock containers that cannot write their configuration."""
    for one, container, workload in subject.pods():
        path = ("securityContext", "readOnlyRootFilesystem")
        missing = {"/etc/keepalived", "/run", "/tmp"} - {mount.path for mount in workload.mounts(container)}  # noqa: S108
        if one.is_stock and is_true(container.at(*path)) and missing:
            yield Found(container.place(path), f"{', '.join(sorted(missing))} cannot be written")


@rule(
    "HA108",
    NOTE,
    "capabilities that Keepalived does not need",
    why="VRRP needs NET_ADMIN and NET_RAW, scripts SETGID, and some options SYS_NICE or IPC_LOCK. The kernel does not "
    "look at NET_BROADCAST, SYS_MODULE is for LVS alone, and each that is added is one more that a hole in the pod "
    "gives away.",
    cure="add NET_ADMIN, NET_RAW and SETGID, and drop ALL",
    evidence="shawly/docker-keepalived#12; capabilities(7)",
)
def needless(subject: Subject) -> Iterator[Found]:
    """Containers with capabilities of no use."""
    for _, container, _ in subject.pods():
        for name in sorted(added(container) & NEEDLESS):
            yield Found(container.place(("securityContext", "capabilities", "add"), "capabilities"), f"it adds {name}")


@rule(
    "HA109",
    ERROR,
    "a right without which every check passes",
    why="Keepalived sets the groups of a script before it starts it, also for root. Without SETGID, which runtimes "
    "give unless ALL is dropped, it starts none, and takes that for success: the VIP stays where the service is dead, "
    "and notify scripts are silent.",
    cure="add the capability SETGID beside NET_ADMIN and NET_RAW",
    evidence="tried with 2.2.7: Couldn't setgroups: 0 (Operation not permitted), and then VRRP_Script succeeded",
)
def checks_pass(subject: Subject) -> Iterator[Found]:
    """Containers that drop what Keepalived needs to start scripts."""
    for _, container, _ in subject.pods():
        dropped, privileged = removed(container), is_true(container.at("securityContext", "privileged"))
        if dropped & {"ALL", "SETGID"} and not added(container) & {"ALL", "SETGID"} and not privileged:
            place = container.place(("securityContext", "capabilities", "drop"), "capabilities")
            yield Found(place, f"it drops {' and '.join(sorted(dropped & {'ALL', 'SETGID'}))}, and does not add SETGID")


RULES = (
    needless,
    checks_pass,
    privileged_pod,
    no_rights,
    no_host_network,
    not_root,
    no_account,
    kills_others,
    read_only,
)
