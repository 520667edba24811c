"""Options of `hacheck ipfailover manifests`: those of `oc adm ipfailover` that are no variables, and ours."""

from __future__ import annotations

import os
from typing import Literal, TypeVar

from hachecks import __version__
from hachecks.ipfailover.commands.manifests_values import Image, Mount, NamespaceName, ObjectName, SecretMount, Template
from hachecks.ipfailover.commands.options import ConfigurationOptions
from hachecks.ipfailover.files import STDIN, Reader
from hachecks.ipfailover.follow.options import ServiceOptions
from hachecks.ipfailover.values import CONFIG_NAME
from hachecks.node import PORT
from hachecks.settings import argument, option, settings, settings_of

T = TypeVar("T", bound="ManifestsOptions")
TOLD_FILES = (".yaml", ".yml", ".json")


@settings
class ManifestsOptions(ConfigurationOptions, ServiceOptions):
    """What is asked for, beside the variables."""

    flags_only = True

    files: tuple[str, ...] = argument(
        default=(),
        metavar="NAME|FILE",
        help="The configuration's name, as oc adm ipfailover takes it; or a Deployment, DeploymentConfig, DaemonSet or "
        "ConfigMap in YAML or JSON, or several; - is standard input.",
    )
    namespace: NamespaceName | None = option(
        default=None, short="-n", metavar="NAME", help="The namespace of all objects (default that of kubectl)."
    )
    create_namespace: bool = option(
        default=False,
        help="Write the namespace as well, with the labels by which it lets pods have the node's network.",
    )
    openshift: bool = option(
        default=False, help="Write SecurityContextConstraints of our own, and the right to use them; needs --namespace."
    )
    kind: Literal["daemonset", "deployment"] = option(
        default="daemonset", help="A pod on each node, or as many as --replicas says, on any."
    )
    image: Image | None = option(
        default=None, metavar="IMAGE", help=f"The image (default hachecks:{__version__}, or of the stock image FILE's)."
    )
    images: Template | None = option(
        default=None,
        metavar="TEMPLATE",
        help="The same by a template with ${component} and ${version}, as oc adm ipfailover takes it.",
    )
    latest_images: bool = option(default=False, help="${version} in --images is latest, not that of --stock.")
    pull_secret: tuple[ObjectName, ...] = option(
        default=(), metavar="NAME", help="A Secret with which the image is pulled; several times."
    )
    keep_stock: bool = option(
        default=False, help="Keep OpenShift's image, with our executable in its ConfigMap and the agent beside it."
    )
    executable: str | None = option(
        default=None, metavar="FILE", help="The executable hacheck, for --keep-stock, as make executable builds it."
    )
    agent_image: Image | None = option(
        default=None,
        metavar="IMAGE",
        help=f"The image of the agent beside OpenShift's, for --keep-stock (default hachecks:{__version__}).",
    )
    service_account: ObjectName = option(
        default=ObjectName("ipfailover"), metavar="NAME", help="The service account, which is written as well."
    )
    config: str | None = option(default=None, metavar="FILE", help="The hacheck.toml of the pods.")
    agent_port: int = option(
        default=PORT,
        metavar="PORT",
        help="The node's port that the agent of the first configuration has; the others have those that follow.",
    )
    secret: tuple[SecretMount, ...] = option(
        default=(),
        metavar="NAME[=DIR]",
        help="A Secret, mounted where OPENSHIFT_HA_AUTH_PASS_FILE or OPENSHIFT_HA_AUTH_HMAC_KEY_FILE says, or at DIR, "
        "as for notifiers of hacheck.toml; several times.",
    )
    mount: tuple[Mount, ...] = option(
        default=(), metavar="NAME=DIR", help="A ConfigMap of yours, with scripts, mounted at DIR; several times."
    )
    drain_volume: Literal["node", "pod"] = option(
        default="node", help="A drain lasts as long as the node has its directory, or as long as the pod."
    )
    follow_services: bool = option(
        default=False, help="Also serve the VIPs of the cluster's Services, and have the rights for it."
    )
    pod_monitor: bool = option(default=False, help="A PodMonitor, by which the Prometheus Operator scrapes the pods.")
    prometheus_rule: bool = option(default=False, help="A PrometheusRule, which warns.")
    dashboard: bool = option(default=False, help="A dashboard for Grafana, in a ConfigMap that its sidecar loads.")
    format: Literal["yaml", "json"] = option(default="yaml", short="-o", help="How the objects are written.")
    output: str | None = option(
        default=None, metavar="DIR", help="Write a kustomize base to this directory, and nothing to standard output."
    )
    type: str = option(default="keepalived", metavar="TYPE", help="keepalived; there is no other type.")
    dry_run: bool = option(default=False, help="Only write the objects, which is all that is ever done here.")
    create: bool = option(
        default=False, help="Refused: nothing is created here; pipe the objects into kubectl apply -f -."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        super().validate()
        self._validate_name()
        if self.create:
            raise ValueError("--create: nothing is created here; pipe the objects into kubectl apply -f -")
        if self.type != "keepalived":
            raise ValueError(f"--type {self.type}: there is keepalived alone, as in oc adm ipfailover")
        needing = {"--create-namespace": self.create_namespace, "--openshift": self.openshift}
        for name, given in {**needing, "--follow-services": self.follow_services}.items():
            if given and not self.namespace:
                raise ValueError(f"{name} needs --namespace")
        if self.image and self.images:
            raise ValueError("--image and --images name the image twice; name it once")
        if self.latest_images and not self.images:
            raise ValueError("--latest-images needs --images; or name the image by --image")
        if sum("=" not in one for one in self.secret) > 1:
            raise ValueError("--secret: one Secret has the files that variables name; give the others as NAME=DIR")
        if not 1 <= self.agent_port <= 65535:
            raise ValueError("--agent-port is 1 to 65535")
        if self.output and self.format != "yaml":
            raise ValueError("--output writes YAML; leave --format out")
        self._validate_stock()

    def _validate_stock(self) -> None:
        if self.keep_stock != bool(self.executable):
            raise ValueError("--keep-stock and --executable belong together: the executable is for OpenShift's image")
        if self.keep_stock and self.follow_services:
            raise ValueError("--follow-services is for our image; leave out --keep-stock")
        if self.agent_image and not self.keep_stock:
            raise ValueError("--agent-image is for --keep-stock; our image, which --image names, has the agent in it")
        if self.keep_stock and self.drain_volume != "node":
            raise ValueError("--drain-volume is for our image, which can be drained; leave out --keep-stock")
        if self.keep_stock and self.spread:
            raise ValueError("--spread is for our image: OpenShift's ranks nodes by their addresses; leave it out")
        if self.following and not self.follow_services:
            raise ValueError(f"{self.following[0]} needs --follow-services")

    @property
    def following(self) -> list[str]:
        """The words about Services that `hacheck ipfailover run` is told."""
        words: list[str] = []
        for setting in settings_of(ServiceOptions):
            value = getattr(self, setting.name)
            if value != setting.default:
                words += [word for one in (value if setting.many else (value,)) for word in (setting.flag, str(one))]
        return words

    def _validate_name(self) -> None:
        names = [*filter(_is_name, self.files), *filter(None, (self.config_name,))]
        if len(names) > 1:
            raise ValueError(f"{names[0]}: there is no such file, and the name is {names[1]} already")

    def completed(self: T, reader: Reader) -> T:
        """The same with the argument that is no file as the configuration's name, and the nodes that a file names."""
        given = {one.name: getattr(self, one.name) for one in settings_of(type(self))}
        if self.nodes_file:
            given.update(nodes=reader.text(self.nodes_file), nodes_file=None)
        for name in filter(_is_name, self.files):
            given.update(config_name=name, files=tuple(one for one in self.files if one != name))
        return type(self)(**given)


def _is_name(text: str) -> bool:
    """Whether it is a name rather than a file: no such file is there, and it does not look like one."""
    looks = text == STDIN or text.endswith(TOLD_FILES)
    return bool(CONFIG_NAME.fullmatch(text)) and not looks and not os.path.lexists(text)
