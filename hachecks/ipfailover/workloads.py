"""Variables in Kubernetes' YAML or JSON: of Deployments, DeploymentConfigs, DaemonSets and ConfigMaps.

Each container with variables of ours is a configuration, and each ConfigMap with some that no given workload refers to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.resources import Container, resources, something
from hachecks.ipfailover.settings import is_ours
from hachecks.ipfailover.sources import Source, refuse
from hachecks.ipfailover.variable import Given, Place, version
from hachecks.settings import Invalid
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from hachecks.ipfailover.resources import Key, Resource
    from hachecks.ipfailover.sources import Refuse

WORKLOADS = ("DaemonSet", "Deployment", "DeploymentConfig")
PER_NODE = ("UNICAST_SOURCE_IPADDRESS", "MULTICAST_SOURCE_IPADDRESS")
"""Variables that only a node knows, and a plan for all of them does without."""
STOCK_IMAGE = re.compile(
    r"(?:ose|origin)-keepalived-ipfailover(?:-rhel[0-9]+)?:v?([345]\.[0-9]{1,2})(?![0-9])", re.ASCII
)


def documents(texts: Iterable[tuple[str, str]]) -> list[Source]:
    """The configurations of several files, each with its place; raises `Invalid` where one has none."""
    found: list[Resource] = []
    for text, place in texts:
        before = len(found)
        found += (one for one in resources(text, place) if one.kind in (*WORKLOADS, "ConfigMap"))
        if len(found) == before:
            raise Invalid(f"{place}: no {', '.join(WORKLOADS)} or ConfigMap is in it")
    configurations = sources_of(found)
    if not configurations:
        raise Invalid(f"{_files(found)}: no OPENSHIFT_HA_* variable is in it")
    return configurations


def sources_of(found: Sequence[Resource], refuse: Refuse = refuse) -> list[Source]:
    """The configurations in Kubernetes objects; what is wrong with them is refused."""
    maps: dict[tuple[str, str], Resource] = {}
    for one in found:
        if one.kind == "ConfigMap":
            if (one.namespace, one.name) in maps:
                place = Place(_files(found), one.file, one.place().line, one.label)
                refuse(place, "a ConfigMap is in it twice; keep one")
            maps[one.namespace, one.name] = one
    used: set[tuple[str, str]] = set()
    configurations = [
        source for one in found if one.kind in WORKLOADS for source in _Workload(one, maps, used, refuse).sources()
    ]
    for key, one in maps.items():
        given = _variables(one, refuse) if key not in used else {}
        if given:
            configurations.append(Source(one.place(), given))
    return configurations


def _files(found: Iterable[Resource]) -> str:
    return ", ".join(dict.fromkeys(one.file for one in found))


def _variables(config_map: Resource, refuse: Refuse, prefix: str = "") -> dict[str, Given]:
    """The variables of a ConfigMap whose keys have a prefix put before them."""
    found: dict[str, Given] = {}
    for key, value in table(config_map.fields, "data", config_map.place(), refuse).items():
        if is_ours(prefix + key):
            place = config_map.place(("data", key), key)
            found[prefix + key] = Given(_string(value, place, refuse), place)
    return found


def table(document: Mapping[str, Any], key: str, place: Place, refuse: Refuse) -> Mapping[str, Any]:
    """The mapping under a key; nothing where there is none, which is refused where there is something else."""
    value = something(document.get(key)) or {}
    if not isinstance(value, dict):
        refuse(place, f"{key} is no mapping")
        return {}
    return value


def listed(document: Mapping[str, Any], key: str, place: Place, refuse: Refuse) -> Sequence[Mapping[str, Any]]:
    """The list of mappings under a key, likewise."""
    value = something(document.get(key)) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        refuse(place, f"{key} is no list of mappings")
        return []
    return value


def _string(value: object, place: Place, refuse: Refuse) -> str:
    if not isinstance(value, str):
        refuse(place, "the value is no text; put it between quotes")
        return ""
    return value


class _Workload:
    """The variables of a workload's containers, with what they have of the ConfigMaps that are given."""

    def __init__(
        self,
        resource: Resource,
        maps: Mapping[tuple[str, str], Resource],
        used: set[tuple[str, str]],
        refuse: Refuse,
    ) -> None:
        self._resource = resource
        self._maps = maps
        self._used = used
        self._refuse = refuse
        self._notes: list[str] = []
        self._partial = False

    def sources(self) -> Iterator[Source]:
        """A configuration for each container with variables of ours."""
        whole = self._resource.place()
        spec = table(self._resource.fields, "spec", whole, self._refuse)
        pod = table(table(spec, "template", whole, self._refuse), "spec", whole, self._refuse)
        containers = listed(pod, "containers", whole, self._refuse)
        for number, fields in enumerate(containers):
            container = Container(self._resource, number, fields, alone=len(containers) == 1)
            self._notes, self._partial = [], False
            given = {**self._whole_maps(container), **self._single(container)}
            if given or self._partial:
                stock = _stock(fields.get("image"))
                yield Source(container.place(), given, stock, tuple(self._notes), container, self._partial)

    def _whole_maps(self, container: Container) -> dict[str, Given]:
        found: dict[str, Given] = {}
        place = container.place()
        for one in listed(container.fields, "envFrom", place, self._refuse):
            prefix = _string(one.get("prefix") or "", container.place(("envFrom",), "prefix"), self._refuse)
            if one.get("secretRef"):
                self._notes.append(f"{place}: it also has the variables of a Secret, which are not read")
                self._partial = True
                continue
            known = self._map(table(one, "configMapRef", place, self._refuse), container.place(("envFrom",)))
            if known:
                found.update(_variables(known, self._refuse, prefix))
        return found

    def _single(self, container: Container) -> dict[str, Given]:
        found: dict[str, Given] = {}
        for number, one in enumerate(listed(container.fields, "env", container.place(), self._refuse)):
            name = one.get("name")
            if not isinstance(name, str) or not is_ours(name):
                continue
            path: tuple[Key, ...] = ("env", number, "value") if "value" in one else ("env", number)
            place = container.place(path, name)
            if name in found:
                self._refuse(container.place(path), f"{visible(name)} is set twice; keep one")
            text = self._referred(one, container, path) if one.get("valueFrom") else one.get("value") or ""
            if text is not None:
                found[name] = Given(_string(text, place, self._refuse), place)
        return found

    def _referred(self, one: Mapping[str, Any], container: Container, path: tuple[Key, ...]) -> Any:
        """The text of a variable that is taken from elsewhere; None where it is only known on a node, or not there."""
        place = container.place(path, one["name"])
        value = table(one, "valueFrom", container.place(), self._refuse)
        reference = table(value, "configMapKeyRef", container.place(), self._refuse)
        if not reference:
            if "fieldRef" not in value or one["name"] not in PER_NODE:
                self._partial = True
                why = f"it comes from {', '.join(value)}, which is not known here; give it by flag"
                self._refuse(place, why)
            return None
        known = self._map(reference, container.place(path[:2]))
        if known is None:
            return None
        key = _string(reference.get("key"), container.place(path[:2], "key"), self._refuse)
        data = table(known.fields, "data", known.place(), self._refuse)
        if key not in data and not _is_optional(reference):
            self._refuse(place, f"ConfigMap {visible(known.name)} has no key {visible(key)}")
        return data.get(key)

    def _map(self, reference: Mapping[str, Any], place: Place) -> Resource | None:
        """A ConfigMap; None where it may be missing, and is."""
        name = reference.get("name")
        if not isinstance(name, str):
            self._refuse(place, "the name of a ConfigMap is no text")
            return None
        mine = self._resource.namespace
        keys = [(mine, name), *((space, other) for space, other in self._maps if other == name and "" in (space, mine))]
        found = next((key for key in keys if key in self._maps), None)
        if found:
            self._used.add(found)
            return self._maps[found]
        if not _is_optional(reference):
            self._partial = True
            self._refuse(place, f"it has variables of the ConfigMap {visible(name)}, which is not given; name its file")
        return None


def _is_optional(reference: Mapping[str, Any]) -> bool:
    return str(reference.get("optional")).lower() == "true"


def _stock(image: object) -> tuple[int, int] | None:
    """The version of the stock image, where it is one with a version for a tag."""
    found = STOCK_IMAGE.search(image) if isinstance(image, str) else None
    return version(found[1]) if found else None
