"""Files of a container that are keys of ConfigMaps, by the path at which a volume has them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.resources import part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


class File(NamedTuple):
    """A file of a ConfigMap: the reference to that, the key, and whether a change of it never arrives.

    The kubelet renews a volume, and not a file of it that is mounted by itself, by subPath.
    """

    reference: Mapping[str, Any]
    key: str
    frozen: bool


def files_at(pod: Mapping[str, Any], container: Mapping[str, Any], path: str) -> Iterator[File]:
    """What may be the file at a path: of the innermost volume's ConfigMaps the first that has the key."""
    path = posixpath.normpath(path)
    volumes = {str(one.get("name")): one for one in _mappings(pod.get("volumes"))}
    mounts = sorted(_mappings(container.get("volumeMounts")), key=lambda one: -len(str(one.get("mountPath"))))
    for one in mounts:
        at = posixpath.normpath(str(one.get("mountPath")))
        if path != at and not path.startswith(f"{at.rstrip('/')}/"):
            continue
        inside, below = str(one.get("subPath") or ""), path[len(at) :].strip("/")
        name = posixpath.join(*filter(None, (inside, below))) if inside or below else ""
        for reference in _config_maps(volumes.get(str(one.get("name")), {})):
            key = _key(reference, name)
            if key:
                yield File(reference, key, bool(inside))
        return


def _config_maps(volume: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The ConfigMaps of a volume, each as a reference with its name."""
    single = part(volume, "configMap")
    if isinstance(single, dict):
        yield single
    for one in _mappings(part(volume, "projected", "sources")):
        projected = part(one, "configMap")
        if isinstance(projected, dict):
            yield projected


def _key(reference: Mapping[str, Any], name: str) -> str:
    """The key that is the file of this name in a volume; empty where the volume does not have it."""
    items = _mappings(reference.get("items"))
    if not items:
        return name
    return next((str(one.get("key")) for one in items if str(one.get("path")) == name), "")


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
