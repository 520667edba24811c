"""Variables in Kubernetes' YAML or JSON: of Deployments, DeploymentConfigs, DaemonSets and ConfigMaps.

Each container with variables of ours is a configuration, and each ConfigMap with some that no given workload refers to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.expansion import expanded
from hachecks.ipfailover.mounted import files_at
from hachecks.ipfailover.resources import Container, resources, something
from hachecks.ipfailover.running import Run, run_of
from hachecks.ipfailover.settings import is_ours
from hachecks.ipfailover.sources import Source, env_file, is_env_file, refuse
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
        configurations += _env_files(one, refuse) if key not in used else ()
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


def _env_files(config_map: Resource, refuse: Refuse) -> Iterator[Source]:
    """A configuration for each key of a ConfigMap that is an env file with variables of ours."""
    for key, text in table(config_map.fields, "data", config_map.place(), refuse).items():
        if isinstance(text, str) and is_env_file(text):
            at = config_map.place(("data", key), key)
            yield Source(at, _within(text, at, config_map, refuse))


def _within(text: str, at: Place, config_map: Resource, refuse: Refuse) -> Mapping[str, Given]:
    """The variables of an env file in a ConfigMap; a block of YAML begins on the line after its key."""
    return env_file("\n" * at.line + text, config_map.file, refuse).given


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
            run = run_of(fields)
            if run:
                yield from self._of_run(run, container, pod, given)
            elif given or self._partial:
                stock = _stock(fields.get("image"))
                yield Source(container.place(), given, stock, tuple(self._notes), container, self._partial)

    def _of_run(
        self, run: Run, container: Container, pod: Mapping[str, Any], environ: Mapping[str, Given]
    ) -> Iterator[Source]:
        """The configurations of `hacheck ipfailover run`: as that has it, the environment's where it names no file."""
        words = "args" if container.fields.get("args") else "command"
        flags = {name: Given(text, container.place((words,), name)) for name, text in run.variables().items()}
        ledger = self._ledger(run, container, pod)
        paths = run.values("--env-file")
        for path in paths:
            self._partial = False
            given = self._file(path, container, pod)
            yield Source(container.place(), {**given, **flags}, None, (), container, self._partial, ledger)
        for path in run.files():
            note = f"{container.place()}: it has the variables of {visible(path)}, which is not read here"
            yield Source(container.place(), flags, None, (note,), container, partial=True)
        if not (paths or run.files()):
            given = {**environ, **flags}
            yield Source(container.place(), given, None, tuple(self._notes), container, self._partial, ledger)

    def _ledger(self, run: Run, container: Container, pod: Mapping[str, Any]) -> Given | None:
        """The ledger, where a given ConfigMap has it."""
        for path in run.values("--ledger")[-1:]:
            for one in files_at(pod, container.fields, path):
                known = self._known(one.reference.get("name"))
                data = table(known.fields, "data", known.place(), self._refuse) if known else {}
                if known and one.key in data:
                    place = known.place(("data", one.key), one.key)
                    text = _string(data[one.key], place, self._refuse)
                    return Given(text, place) if text.strip() else None
        return None

    def _file(self, path: str, container: Container, pod: Mapping[str, Any]) -> Mapping[str, Given]:
        """The variables of an env file in a ConfigMap that is mounted."""
        place = container.place(("volumeMounts",), path)
        candidates = list(files_at(pod, container.fields, path))
        for one in candidates:
            known = self._map(one.reference, place)
            data = table(known.fields, "data", known.place(), self._refuse) if known else {}
            if known and one.key in data:
                at = known.place(("data", one.key), one.key)
                return _within(_string(data[one.key], at, self._refuse), at, known, self._refuse)
        if not self._partial:
            self._partial = True
            self._refuse(place, f"no ConfigMap that is mounted has {visible(path)}; mount the one that has it")
        return {}

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
        known: dict[str, str] = {}
        for number, one in enumerate(listed(container.fields, "env", container.place(), self._refuse)):
            name, value = one.get("name"), one.get("value")
            if isinstance(name, str) and isinstance(value, str):
                known[name] = value = expanded(value, known)
            if not isinstance(name, str) or not is_ours(name):
                continue
            path: tuple[Key, ...] = ("env", number, "value") if "value" in one else ("env", number)
            place = container.place(path, name)
            if name in found:
                self._refuse(container.place(path), f"{visible(name)} is set twice; keep one")
            text = self._referred(one, container, path) if one.get("valueFrom") else value or ""
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
        known = self._known(name)
        if known:
            self._used.add((known.namespace, known.name))
            return known
        if not _is_optional(reference):
            self._partial = True
            self._refuse(place, f"it has variables of the ConfigMap {visible(name)}, which is not given; name its file")
        return None

    def _known(self, name: Any) -> Resource | None:
        """A ConfigMap that is given, of the workload's namespace or of one that nobody names."""
        mine = self._resource.namespace
        keys = [(mine, name), *(key for key in self._maps if key[1] == name and "" in (key[0], mine))]
        return next((self._maps[key] for key in keys if key in self._maps), None)


def _is_optional(reference: Mapping[str, Any]) -> bool:
    return str(reference.get("optional")).lower() == "true"


def _stock(image: object) -> tuple[int, int] | None:
    """The version of the stock image, where it is one with a version for a tag."""
    found = STOCK_IMAGE.search(image) if isinstance(image, str) else None
    return version(found[1]) if found else None
