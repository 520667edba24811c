"""Variables in Kubernetes' YAML or JSON: of Deployments, DeploymentConfigs, DaemonSets and ConfigMaps.

Each container with variables of ours is a configuration, and each ConfigMap with some that no given workload refers to.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.settings import is_ours
from hachecks.ipfailover.sources import Source
from hachecks.ipfailover.variable import Given, version
from hachecks.settings import Invalid
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

WORKLOADS = ("DaemonSet", "Deployment", "DeploymentConfig")
PER_NODE = ("UNICAST_SOURCE_IPADDRESS", "MULTICAST_SOURCE_IPADDRESS")
"""Variables that only a node knows, and a plan for all of them does without."""
DEEPEST = 100
"""Levels of YAML: a Deployment has 12, and PyYAML recurses."""
STOCK_IMAGE = re.compile(
    r"(?:ose|origin)-keepalived-ipfailover(?:-rhel[0-9]+)?:v?([345]\.[0-9]{1,2})(?![0-9])", re.ASCII
)


def documents(texts: Iterable[tuple[str, str]]) -> list[Source]:
    """The configurations of several files, each with its place; raises `Invalid` where one has none."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    for text, place in texts:
        before = len(found)
        found += ((place, one) for one in _objects(text, place) if one["kind"] in (*WORKLOADS, "ConfigMap"))
        if len(found) == before:
            raise Invalid(f"{place}: no {', '.join(WORKLOADS)} or ConfigMap is in it")
    maps = {_name(one): (place, _table(one, "data", place)) for place, one in found if one["kind"] == "ConfigMap"}
    if len(maps) < sum(one["kind"] == "ConfigMap" for _, one in found):
        raise Invalid(f"{', '.join(dict.fromkeys(place for place, _ in found))}: a ConfigMap is in it twice; keep one")
    used: set[str] = set()
    sources = [
        source
        for place, one in found
        if one["kind"] in WORKLOADS
        for source in _Workload(f"{place}: {one['kind']} {_name(one)}", one, maps, used).sources()
    ]
    for name, (place, data) in maps.items():
        label = f"{place}: ConfigMap {name}"
        given = {
            key: Given(_string(value, label, key), f"{label}: {key}") for key, value in data.items() if is_ours(key)
        }
        if given and name not in used:
            sources.append(Source(label, given))
    if not sources:
        places = ", ".join(dict.fromkeys(place for place, _ in found))
        raise Invalid(f"{places}: no OPENSHIFT_HA_* variable is in it")
    return sources


def _objects(text: str, place: str) -> Iterator[Mapping[str, Any]]:
    """The Kubernetes objects of a file, those of a List among them."""
    for document in _parsed(text, place):
        items = document.get("items") if _is_list(document) else [document]
        if not isinstance(items, list):
            raise Invalid(f"{place}: a List without items")
        for item in items:
            if item in (None, ""):
                continue
            if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
                raise Invalid(f"{place}: this is no Kubernetes object: it has no kind")
            yield item


def _is_list(document: object) -> bool:
    return isinstance(document, dict) and str(document.get("kind")).endswith("List")


def _parsed(text: str, place: str) -> Sequence[Any]:
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text)]
        except (ValueError, RecursionError):
            pass  # YAML begins with a brace, too
    import yaml

    # Texts as they are written, since 010 and no are what the variables say, and no number or truth value.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise Invalid(f"{place}: it is nested deeper than any Kubernetes object, limit {DEEPEST} levels")
        return list(yaml.load_all(text, Loader=loader))
    except yaml.YAMLError as error:
        raise Invalid(f"{place}: this is no YAML: {one_line(str(error))}") from None


def _name(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _something(value: Any) -> Any:
    """The value, but for the ways to write none in YAML, which are read as texts."""
    return None if value in ("", "~", "null", "Null", "NULL") else value


def _table(document: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    value = _something(document.get(key)) or {}
    if not isinstance(value, dict):
        raise Invalid(f"{place}: {key} is no mapping")
    return value


def _list(document: Mapping[str, Any], key: str, place: str) -> Sequence[Mapping[str, Any]]:
    value = _something(document.get(key)) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Invalid(f"{place}: {key} is no list of mappings")
    return value


def _string(value: object, place: str, name: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{place}: {name}: the value is no text; put it between quotes")
    return value


class _Workload:
    """The variables of a workload's containers, with what they have of the ConfigMaps that are given."""

    def __init__(
        self,
        place: str,
        document: Mapping[str, Any],
        maps: Mapping[str, tuple[str, Mapping[str, Any]]],
        used: set[str],
    ) -> None:
        self._place = place
        self._document = document
        self._maps = maps
        self._used = used
        self._notes: list[str] = []

    def sources(self) -> Iterator[Source]:
        """A configuration for each container with variables of ours."""
        spec = _table(self._document, "spec", self._place)
        pod = _table(_table(spec, "template", self._place), "spec", self._place)
        containers = _list(pod, "containers", self._place)
        for container in containers:
            place = self._place if len(containers) == 1 else f"{self._place}, container {container.get('name', '')}"
            self._notes = []
            given = {**self._whole_maps(container, place), **self._single(container, place)}
            if given:
                yield Source(place, given, _stock(container.get("image")), tuple(self._notes))

    def _whole_maps(self, container: Mapping[str, Any], place: str) -> dict[str, Given]:
        found: dict[str, Given] = {}
        for one in _list(container, "envFrom", place):
            prefix = _string(one.get("prefix") or "", place, "prefix")
            if one.get("secretRef"):
                self._notes.append(f"{place}: it also has the variables of a Secret, which are not read")
                continue
            reference = _table(one, "configMapRef", place)
            known = self._map(reference, place)
            if known:
                source, data = known
                label = f"{source}: ConfigMap {reference.get('name')}"
                for key, value in data.items():
                    if is_ours(prefix + key):
                        found[prefix + key] = Given(_string(value, label, key), f"{label}: {key}")
        return found

    def _single(self, container: Mapping[str, Any], place: str) -> dict[str, Given]:
        found: dict[str, Given] = {}
        for one in _list(container, "env", place):
            name = one.get("name")
            if not isinstance(name, str) or not is_ours(name):
                continue
            if name in found:
                raise Invalid(f"{place}: {name} is set twice; keep one")
            text = self._referred(one, place, name) if one.get("valueFrom") else one.get("value") or ""
            if text is not None:
                found[name] = Given(_string(text, place, name), f"{place}: {name}")
        return found

    def _referred(self, one: Mapping[str, Any], place: str, name: str) -> Any:
        """The text of a variable that is taken from elsewhere; None where it is only known on a node, or not there."""
        value = _table(one, "valueFrom", place)
        reference = _table(value, "configMapKeyRef", place)
        if not reference:
            if "fieldRef" in value and name in PER_NODE:
                return None
            raise Invalid(
                f"{place}: {name}: it comes from {', '.join(value)}, which is not known here; give it by flag"
            )
        known = self._map(reference, place)
        if known is None:
            return None
        text = known[1].get(_string(reference.get("key"), place, "key"))
        if text is None and not _is_optional(reference):
            raise Invalid(f"{place}: {name}: ConfigMap {reference.get('name')} has no key {reference.get('key')}")
        return text

    def _map(self, reference: Mapping[str, Any], place: str) -> tuple[str, Mapping[str, Any]] | None:
        """A ConfigMap and where it is; None where it may be missing, and is."""
        name = _string(reference.get("name"), place, "name of a ConfigMap")
        if name not in self._maps and not _is_optional(reference):
            raise Invalid(f"{place}: it has variables of the ConfigMap {name}, which is not given; name its file")
        self._used.add(name)
        return self._maps.get(name)


def _is_optional(reference: Mapping[str, Any]) -> bool:
    return str(reference.get("optional")).lower() == "true"


def _stock(image: object) -> tuple[int, int] | None:
    """The version of the stock image, where it is one with a version for a tag."""
    found = STOCK_IMAGE.search(image) if isinstance(image, str) else None
    return version(found[1]) if found else None
