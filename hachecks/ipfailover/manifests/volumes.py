"""Volumes of a pod, each with where it is mounted."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from hachecks.ipfailover.manifests.yaml_text import Noted
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.manifests.wanted import Common, Configuration

NODE_DRAINS = "/var/lib/hacheck"
"""The directory of the node that has the drains of all configurations."""
OF_THE_IMAGE = (
    *("/bin", "/boot", "/dev", "/lib", "/lib64", "/opt", "/proc", "/sbin", "/sys"),
    *(f"/usr/{one}" for one in ("bin", "lib", "lib64", "libexec", "sbin", "share", "local/bin", "local/lib")),
)
"""Directories of the image in which a volume would hide something, wherever it is."""
NEEDED = ("/etc/alternatives", "/etc/ssl")
"""Those that a volume may not take the place of."""


MODULES = "modules"
"""The volume that is one of these directories, of the node."""


class Volumes:
    """The volumes and the mounts of a container, in the order in which they are added."""

    def __init__(self, *needed: str) -> None:
        self._needed = (*NEEDED, *needed)
        self.volumes: list[Any] = []
        self.mounts: list[Any] = []
        self._paths: dict[str, str] = {}

    def add(
        self, name: str, path: str, source: dict[str, Any], *, read_only: bool = False, comment: str = "", why: str = ""
    ) -> None:
        """A volume and its mount, `why` being told where that is refused; raises `Invalid`."""
        if any(_is_within(path, one) for one in OF_THE_IMAGE if name != MODULES) or any(
            _is_within(one, path) for one in (*OF_THE_IMAGE, *self._needed)
        ):
            raise Invalid(
                f"{why or name}: a volume at {path} would hide what the image has there; choose another directory"
            )
        for other, its in self._paths.items():
            if _is_within(path, other) or _is_within(other, path):
                raise Invalid(f"{why or name}: {path} is where {its} is mounted; choose another directory")
        self._paths[path] = name
        volume = {"name": name, **source}
        self.volumes.append(Noted(volume, comment) if comment else volume)
        self.mounts.append({"name": name, "mountPath": path, "readOnly": True if read_only else None})

    def config_map(
        self, name: str, config_map: str, path: str, *, mode: int | None = None, comment: str = "", why: str = ""
    ) -> None:
        """A volume of a ConfigMap."""
        source = {"configMap": {"name": config_map, "defaultMode": mode}}
        self.add(name, path, source, read_only=True, comment=comment, why=why)

    def secret(self, name: str, secret: str, path: str, *, comment: str = "", why: str = "") -> None:
        """A volume of a Secret."""
        source = {"secret": {"secretName": secret, "defaultMode": 0o400}}
        self.add(name, path, source, read_only=True, comment=comment, why=why)


def _is_within(path: str, directory: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{directory.rstrip('/')}/")


def drain(found: Volumes, one: Configuration, common: Common) -> None:
    """The directory of the drain file."""
    directory = one.drain_directory
    if not directory:
        return
    where = one.settings.where("OPENSHIFT_HA_DRAIN_FILE")
    if common.drain == "node":
        source: dict[str, Any] = {"hostPath": {"path": f"{NODE_DRAINS}/{one.name}", "type": "DirectoryOrCreate"}}
        comment = "The node's, so that a node that is drained stays so when the pod is replaced, or the node restarted."
    else:
        source, comment = {"emptyDir": {}}, "The pod's: a drain ends with the pod, and not with the container."
    found.add("drain", directory, source, comment=comment, why=where)


def secrets(found: Volumes, one: Configuration, common: Common) -> None:
    """The Secrets at their directories, and the one with the files that variables name; raises `Invalid`."""
    for number, (name, path) in enumerate(common.secrets, 1):
        found.secret(f"secret-{number}", name, path, why=f"--secret {name}={path}")
    needed = needing_secret(one, common)
    if not needed:
        return
    directories = {posixpath.dirname(path) for path in needed}
    if not common.secret:
        raise Invalid(
            f"{one.settings.config_name}: no volume has {needed[0]}; give --secret, a Secret with the key "
            f"{posixpath.basename(needed[0])}"
        )
    if len(directories) > 1:
        raise Invalid(f"{one.settings.config_name}: {' and '.join(needed)} are to be in one directory")
    found.secret("secret", common.secret, directories.pop(), comment=_keys(needed), why=needed[0])


def needing_secret(one: Configuration, common: Common) -> Sequence[str]:
    """The files that variables name, and no Secret has whose directory is told."""
    return [path for path in one.secret_files if not any(_is_within(path, where) for _, where in common.secrets)]


def _keys(paths: Sequence[str]) -> str:
    names = [posixpath.basename(path) for path in paths]
    return f"With the key{'s' * (len(names) > 1)} {' and '.join(names)}."


def extra_maps(found: Volumes, common: Common) -> None:
    """ConfigMaps with scripts of somebody else's."""
    for number, (name, path) in enumerate(common.maps, 1):
        found.config_map(f"map-{number}", name, path, mode=0o755, why=f"--mount {name}={path}")
