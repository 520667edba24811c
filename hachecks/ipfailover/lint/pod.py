"""A workload as rules look at it: its pod, the containers, volumes and what is mounted where."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.ipfailover.resources import Container
from hachecks.ipfailover.settings import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.resources import Key, Resource
    from hachecks.ipfailover.variable import Place

POD: tuple[Key, ...] = ("spec", "template", "spec")
IMAGES = ("keepalived", "ipfailover", "hacheck")
"""What stands in the names of images that run Keepalived."""


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, and an empty one where it is not, which is refused elsewhere."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a list, likewise."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def is_true(value: Any) -> bool:
    """Whether it is the truth value, in YAML or JSON."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def whole(value: Any) -> int | None:
    """The number, None where it is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


class Mount(NamedTuple):
    """A volume in a container: where, and what it is."""

    path: str
    place: Place
    volume: Mapping[str, Any]

    @property
    def config_map(self) -> str:
        """The name of the ConfigMap that it is; empty where it is something else."""
        name = mapping(self.volume.get("configMap")).get("name")
        return name if isinstance(name, str) else ""

    @property
    def host_path(self) -> str:
        """The directory of the node that it is; empty where it is something else."""
        path = mapping(self.volume.get("hostPath")).get("path")
        return path if isinstance(path, str) else ""


class Workload(NamedTuple):
    """A Deployment, DeploymentConfig or DaemonSet."""

    resource: Resource

    def at(self, *path: Key) -> Any:
        """A part of the pod; None where there is none."""
        return self.resource.at(*POD, *path)

    def place(self, *path: Key, what: str = "") -> Place:
        """The place of a part of the pod."""
        return self.resource.place((*POD, *path), what)

    def containers(self) -> Iterator[Container]:
        """The containers of its pod."""
        found = self.at("containers")
        many = found if isinstance(found, list) else []
        for number, fields in enumerate(many):
            if isinstance(fields, dict):
                yield Container(self.resource, number, fields, alone=len(many) == 1)

    @property
    def runs_keepalived(self) -> bool:
        """Whether it is an ipfailover, by its images and variables."""
        return any(
            any(word in str(one.fields.get("image")) for word in IMAGES)
            or any(is_ours(str(variable.get("name"))) for variable in mappings(one.fields.get("env")))
            for one in self.containers()
        )

    @property
    def replicas(self) -> int | None:
        """How many pods there are to be; None where each node has one, or it is no number."""
        if self.resource.kind == "DaemonSet":
            return None
        found = self.resource.at("spec", "replicas")
        return 1 if found is None else whole(found)

    def mounts(self, container: Container) -> Iterator[Mount]:
        """What is mounted in a container."""
        volumes = {str(one.get("name")): one for one in mappings(self.at("volumes"))}
        mounted = container.fields.get("volumeMounts")
        for number, one in enumerate(mounted if isinstance(mounted, list) else ()):
            path = mapping(one).get("mountPath")
            if isinstance(path, str):
                name = str(one.get("name"))
                place = container.place(("volumeMounts", number), f"volumeMount {name}")
                yield Mount(posixpath.normpath(path), place, volumes.get(name, {}))

    def config_map_paths(self) -> Iterator[str]:
        """Where ConfigMaps are mounted."""
        for container in self.containers():
            yield from (mount.path for mount in self.mounts(container) if mount.config_map)

    def ports(self) -> Iterator[tuple[int, Place]]:
        """The ports of the node that it takes: with hostNetwork those of its containers."""
        shares = is_true(self.at("hostNetwork"))
        for container in self.containers():
            for number, one in enumerate(mappings(container.fields.get("ports"))):
                port = whole(one.get("hostPort") or (one.get("containerPort") if shares else None))
                if port:
                    yield port, container.place(("ports", number), f"port {port}")
