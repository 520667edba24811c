"""A manifest: a Kubernetes object as YAML with comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.ipfailover.manifests.yaml_text import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


ANNOTATIONS = 262144 - 1024
"""Bytes that annotations may have together (Kubernetes: TotalAnnotationSizeLimitB), some for what else there is."""


class Manifest(NamedTuple):
    """An object: its text, and the file of a kustomize base that has it.

    `files` are a ConfigMap's data, as files of their own in a base.
    """

    path: str
    text: str
    files: Mapping[str, bytes] | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.fields['kind']} {self.fields['metadata']['name']}"

    @property
    def fields(self) -> Any:
        """The object."""
        import yaml

        return yaml.load(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe


def is_too_large(one: Manifest) -> bool:
    """Whether a client-side apply fails, which keeps the object as JSON in its annotations."""
    if len(one.text) < ANNOTATIONS // 4:
        return False
    import json

    return len(json.dumps(one.fields, ensure_ascii=False, separators=(",", ":")).encode()) > ANNOTATIONS


def manifest(path: str, fields: dict[str, Any], comment: str = "") -> Manifest:
    """An object of these fields."""
    return Manifest(path, document(fields, comment))


def as_yaml(manifests: Iterable[Manifest]) -> str:
    """All of them in one text."""
    return "---\n" + "---\n".join(one.text for one in manifests)


def as_json(manifests: Iterable[Manifest]) -> str:
    """All of them as a List, as kubectl prints it."""
    import json

    items = [one.fields for one in manifests]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=4, ensure_ascii=False) + "\n"
