"""Rules about the volumes of a pod: the ConfigMap that is mounted, and directories of the node."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.pod_files import contents, given_map, key_of, uses
from hachecks.ipfailover.lint.pod_life import CHAIN
from hachecks.ipfailover.lint.rule import NOTE, WARNING, Found, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject


@rule(
    "HA131",
    WARNING,
    "another ConfigMap than the one that is mounted",
    why="The documentation calls one ConfigMap by three names. Where the mounted one is not there the pod does not "
    "start, and where it is an older one the script is not what was meant.",
    cure="give the volume the name of the ConfigMap, or the ConfigMap that of the volume",
    evidence="openshift-docs, modules/nw-ipfailover-configuration.adoc: mycustomcheck, customrouter, "
    "keepalived-checkscript",
)
def other_map(subject: Subject) -> Iterator[Found]:
    """Volumes of a ConfigMap that is not given, where a given one has the script."""
    for use in uses(subject):
        if use.mount and use.mount.config_map and not given_map(subject, use):
            maps = [one for one in subject.of_kind("ConfigMap") if one.is_beside(use.workload.resource)]
            having = [one.name for one in maps if key_of(use) in contents(one)]
            if having:
                what = (
                    f"ConfigMap {use.mount.config_map} is mounted, and {posixpath.basename(use.path)} is in {having[0]}"
                )
                yield Found(use.mount.place, what)


@rule(
    "HA135",
    WARNING,
    "the node's root at another place than the image expects",
    why="From 4.8 to 4.22 the image runs the node's own iptables in /host. Where that is not mounted, or at /hosts as "
    "a text of the documentation has it, no rule is added, and a node that drops multicast is master of everything.",
    cure="mount the hostPath / at /host, or leave OPENSHIFT_HA_IPTABLES_CHAIN out where the firewall lets VRRP in",
    evidence="openshift/images, ipfailover/keepalived/iptables of 4.8",
)
def no_root(subject: Subject) -> Iterator[Found]:
    """Stock pods of these versions that want iptables and have no /host."""
    for one, container, workload in subject.pods():
        mounts = {mount.path: mount for mount in workload.mounts(container)}
        wanted = one.is_stock and one.text(CHAIN) and one.stock and (4, 8) <= one.stock < (4, 23)
        if "/hosts" in mounts:
            yield Found(mounts["/hosts"].place, "the image looks for /host, not for /hosts")
        elif wanted and "/host" not in mounts:
            yield Found(one.where(CHAIN), "iptables is the node's, and nothing is mounted at /host")


@rule(
    "HA136",
    NOTE,
    "options of the node's own Keepalived",
    why="The image sources /etc/sysconfig/keepalived. With the node's /etc/sysconfig mounted, as in the example, "
    "options that somebody set for a Keepalived of the node count in the pod, another configuration file among them.",
    cure="leave the volume out, and set KEEPALIVED_OPTIONS in the container where options are wanted",
    evidence="openshift/images, ipfailover/keepalived/lib/failover-functions.sh",
)
def node_options(subject: Subject) -> Iterator[Found]:
    """Pods with the node's directory of options, but for ours, which reads none."""
    for one, container, workload in subject.pods():
        for mount in workload.mounts(container) if not one.run else ():
            if mount.path == "/etc/sysconfig" and mount.host_path:
                yield Found(mount.place, "the node's /etc/sysconfig/keepalived counts in the pod")


RULES = (
    other_map,
    no_root,
    node_options,
)
