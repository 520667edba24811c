"""Manifests as the tests ask for them: what is written, as objects, and whether Kubernetes would take it."""

from __future__ import annotations

import copy
import functools
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import kubernetes_validate
import yaml
from kubernetes_validate.utils import all_versions, major_minor

from hachecks.click_settings import SettingsCommand
from hachecks.ipfailover.commands.manifests import ManifestsCommand
from hachecks.ipfailover.commands.plan import PlanCommand
from hachecks.settings import build
from tests.cli import ROOT, hacheck
from tests.ipfailover import crd_schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.cli import Answer

CONFIGMAPS = ROOT / "configmaps"
EXECUTABLE = ROOT / "dist" / "hacheck"
OLDEST = 1, 28


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


VERSIONS = sorted({major_minor(one) for one in all_versions() if _number(major_minor(one)) >= OLDEST}, key=_number)
"""The versions of Kubernetes whose schemas are here, from the oldest that we are for."""


class Written(NamedTuple):
    """What was written: its text, the objects, and what was said beside them."""

    text: str
    objects: list[dict[str, Any]]
    said: list[str]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        (found,) = self.of_kind(kind)
        return found

    @property
    def workloads(self) -> list[dict[str, Any]]:
        return [*self.of_kind("DaemonSet"), *self.of_kind("Deployment")]


def manifests(*words: object) -> Answer:
    """The command with these words, as a process."""
    return hacheck("ipfailover", "manifests", *words)


class Said:
    """Where the lines of a command go."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.err: list[str] = []

    def say(self, line: str) -> None:
        self.out.append(line)

    def hand_out(self, text: str) -> None:
        self.out.append(text)

    def complain(self, line: str) -> None:
        self.err.append(line)

    def on_terminal(self) -> bool:
        return False


def run(*words: object) -> Said:
    """The command in this process; raises what its process would tell in a line."""
    said = Said()

    def act(values: Mapping[str, Any], _: Mapping[str, str]) -> int:
        command = build(ManifestsCommand, "ipfailover manifests", values, {}, {})
        assert command.run({}, said)
        return 0

    SettingsCommand("manifests", (ManifestsCommand,), act).main(list(map(str, words)), standalone_mode=False)
    return said


def written(*words: object) -> Written:
    """What it writes, as objects of one's own."""
    found = _written(tuple(map(str, words)))
    return found._replace(objects=copy.deepcopy(found.objects))


@functools.cache
def _written(words: tuple[str, ...]) -> Written:
    said = run(*words)
    text = "\n".join(said.out) + "\n"
    return Written(text, loaded(text), said.err)


def loaded(text: str) -> list[dict[str, Any]]:
    """The objects in a text."""
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def env_files(*names: str) -> list[object]:
    """The words that name examples of ours, with the hacheck.toml that they need."""
    words: list[object] = [word for name in names for word in ("--env-file", CONFIGMAPS / f"{name}.env")]
    return [*words, "--config", CONFIGMAPS / "hacheck.toml"]


def valid(items: Sequence[dict[str, Any]], versions: Sequence[str] = tuple(VERSIONS)) -> None:
    """Whether each version takes the objects, without a field that it does not know."""
    for item in items:
        if item["kind"] in crd_schemas.SCHEMAS:
            crd_schemas.validate(item)
            continue
        for version in versions:
            kubernetes_validate.validate(item, version, strict=True)


SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
WORD = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL_NAME, LABEL_VALUE = re.compile(rf"(?:[a-z0-9.-]{{1,253}}/)?{WORD}"), re.compile(rf"(?:{WORD})?")
PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
IMAGE = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{PART}(?:/{PART})*(?::[\w][\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
OF_THE_CLUSTER = ("Namespace", "SecurityContextConstraints", "ClusterRole", "ClusterRoleBinding")


def sound(items: Sequence[dict[str, Any]]) -> None:
    """Whether an API server takes the objects together, as far as its schemas do not say it."""
    kept = [(one["kind"], one["metadata"]["name"]) for one in items]
    assert len(set(kept)) == len(kept), kept
    spaces = {one["metadata"].get("namespace") for one in items if one["kind"] not in OF_THE_CLUSTER}
    assert len(spaces) == 1, spaces
    for one in items:
        assert SUBDOMAIN.fullmatch(one["metadata"]["name"]), one["metadata"]
        assert len(one["metadata"]["name"]) <= 253
        _sound_labels(one)
        if one["kind"] in ("DaemonSet", "Deployment"):
            _sound_workload(one)


def _sound_labels(value: Any) -> None:
    """The labels wherever they stand."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key in ("labels", "matchLabels", "nodeSelector"):
            assert all(LABEL_NAME.fullmatch(name) and LABEL_VALUE.fullmatch(text) for name, text in inner.items()), (
                inner
            )
        _sound_labels(inner)
    for inner in value if isinstance(value, list) else ():
        _sound_labels(inner)


def _sound_workload(one: dict[str, Any]) -> None:
    template, pod = one["spec"]["template"], one["spec"]["template"]["spec"]
    assert len(one["metadata"]["name"]) <= 63, "it is the value of a label"
    assert one["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    paths = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    for names in ([each["name"] for each in pod["volumes"]], paths, _names(pod.get("imagePullSecrets", ()))):
        assert len(set(names)) == len(names), names
    for each in pod["containers"]:
        assert IMAGE.fullmatch(each["image"]), each["image"]
        assert len(set(_names(each["env"]))) == len(each["env"])
    nodes = pod.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", {})
    for term in nodes.get("nodeSelectorTerms", ()):
        assert all(map(SUBDOMAIN.fullmatch, term["matchFields"][0]["values"])), term


def _names(many: Sequence[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in many]


def container(workload: dict[str, Any], name: str = "ipfailover") -> dict[str, Any]:
    """A container of a workload."""
    (found,) = (one for one in workload["spec"]["template"]["spec"]["containers"] if one["name"] == name)
    return dict(found)


def plans(*words: object) -> list[dict[str, Any]]:
    """What is planned, without what is said of it and where its variables stand."""
    said = Said()

    def act(values: Mapping[str, Any], _: Mapping[str, str]) -> int:
        assert build(PlanCommand, "ipfailover plan", values, {}, {}).run({}, said)
        return 0

    arguments = ["--format", "json", *map(str, words)]
    SettingsCommand("plan", (PlanCommand,), act).main(arguments, standalone_mode=False)
    found = json.loads("".join(said.out))["configurations"]
    return [{key: value for key, value in one.items() if key not in ("notes", "settings")} for one in found]
