"""What manifests are asked for: the configurations, and what all of their objects have in common."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks import __version__
from hachecks.ipfailover.render.target import is_address
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.resources import Resource
    from hachecks.ipfailover.settings import Settings

PREFIX = "ipfailover"
LONGEST_NAME = 63
"""Characters: the name of a workload is the value of a label of its pods."""
DRAIN_FILE = "/var/lib/hacheck/drain"
WRITTEN = ("/run", "/tmp", "/etc/keepalived")  # noqa: S108 - they are mounts
"""Where a pod of ours has room to write, which is gone with it."""
DAEMON_SET, DEPLOYMENT = "daemonset", "deployment"


class Configuration(NamedTuple):
    """One configuration: `variables` as its pod is to have them, and the agent's `port` on its nodes.

    `before` is the workload that has it now, where one was given.
    """

    settings: Settings
    plan: Plan
    variables: Mapping[str, str]
    port: int
    before: Resource | None = None

    @property
    def label(self) -> str:
        """The configuration's name as the value of a label."""
        return self.settings.config_name.rstrip("._-")

    @property
    def name(self) -> str:
        """What its objects are called; raises `Invalid` where Kubernetes would not take it."""
        bare = re.sub("[^a-z0-9]+", "-", self.settings.config_name.lower()).strip("-")
        name = bare if bare == PREFIX else f"{PREFIX}-{bare}"
        if len(name) > LONGEST_NAME:
            most = LONGEST_NAME - len(PREFIX) - 1
            raise Invalid(f"{self.settings.config_name}: its name has more than {most} characters; shorten it")
        return name

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which its nodes are selected."""
        found = self.settings.selector
        return dict(one.split("=", 1) for one in found.split(",")) if found else {}

    @property
    def node_selector(self) -> Mapping[str, str]:
        """The same, or those of the workload that was given."""
        return self.selector or texts(self.before.at("spec", "template", "spec", "nodeSelector") if self.before else {})

    @property
    def named_nodes(self) -> Sequence[str]:
        """Its nodes, where they are told by the names that Kubernetes has for them."""
        return () if any(map(is_address, self.plan.nodes)) else self.plan.nodes

    @property
    def replicas(self) -> int:
        """How many pods a Deployment has; raises `Invalid` where they are more than its nodes."""
        nodes = len(self.plan.nodes)
        if nodes and self.settings.replicas > nodes:
            where = self.settings.where("OPENSHIFT_HA_REPLICA_COUNT")
            raise Invalid(f"{where}: {self.settings.replicas} pods are more than the {nodes} nodes of the plan")
        given = "OPENSHIFT_HA_REPLICA_COUNT" in self.settings.places
        return self.settings.replicas if given or not self.plan.nodes else len(self.plan.nodes)

    @property
    def drain_directory(self) -> str:
        """The directory of the drain file, which is to outlive the pod; empty where it is not meant to."""
        directory = posixpath.dirname(self.variables.get("OPENSHIFT_HA_DRAIN_FILE", ""))
        return "" if any(f"{directory}/".startswith(f"{one}/") for one in WRITTEN) else directory

    @property
    def secret_files(self) -> Sequence[str]:
        """Files with secrets that its variables name."""
        return [one for one in (self.settings.auth_pass_file, self.settings.auth_hmac_key_file) if one]


class Common(NamedTuple):
    """What the objects of all configurations have in common.

    `toml` is the text of hacheck.toml, None where there is none, and `checks` are those that it declares. `ledger`
    is the ledger's text, and `executable` the one file for OpenShift's image, None where the image is ours. `maps`
    and `secrets` are ConfigMaps and Secrets with the directories at which they are mounted, and `secret` is mounted
    where the variables say. `follow` are the words by which a pod follows Services, none where it does not, and
    `follow_map` is the ConfigMap in which its pods agree on these.
    """

    namespace: str
    service_account: str
    image: str
    kind: str
    openshift: bool
    ledger: str
    pull_secrets: Sequence[str] = ()
    toml: str | None = None
    checks: Sequence[str] = ()
    spread: str | None = None
    secret: str = ""
    secrets: Sequence[tuple[str, str]] = ()
    maps: Sequence[tuple[str, str]] = ()
    drain: str = "node"
    follow: Sequence[str] = ()
    follow_map: str = ""
    executable: bytes | None = None
    agent_image: str = ""

    @property
    def is_stock(self) -> bool:
        """Whether the image is OpenShift's."""
        return self.executable is not None

    def scc(self, name: str) -> str:
        """The SecurityContextConstraints of the objects of this name: ours, or OpenShift's for its image.

        They are the cluster's, and each configuration has its own: two of one namespace may need unlike rights. No
        namespace has a dot in it, so that no two have one name.
        """
        return "privileged" if self.is_stock else f"hachecks-{self.namespace}.{name}"

    def metadata(self, name: str, labels: Mapping[str, str] | None = None) -> dict[str, object]:
        """The metadata of an object in the namespace."""
        return {"name": name, "namespace": self.namespace or None, "labels": {**LABELS, **(labels or {})}}


def texts(found: object) -> dict[str, str]:
    """A mapping of a given object as one of texts; nothing where it is none."""
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


LABELS: Mapping[str, str] = {
    "app.kubernetes.io/name": "ipfailover",
    "app.kubernetes.io/managed-by": "hacheck",
    "app.kubernetes.io/version": re.sub("[^A-Za-z0-9._-]", "_", __version__)[:LONGEST_NAME],
}
"""Labels of every object."""


def selecting(one: Configuration) -> dict[str, str]:
    """The labels by which a workload knows its pods, which never change."""
    return {"app.kubernetes.io/name": "ipfailover", "app.kubernetes.io/instance": one.label}


def labels_of(one: Configuration) -> dict[str, str]:
    """The labels of what a configuration has: `ipfailover` is the one of oc adm ipfailover, and of the alerts."""
    return {**selecting(one), "ipfailover": one.label}
