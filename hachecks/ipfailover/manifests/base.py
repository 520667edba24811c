"""A kustomize base: each object in a file, and the data of ConfigMaps as files of their own, which people edit."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from hachecks.ipfailover.manifests.yaml_text import Noted, document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.manifests.manifest import Manifest

KUSTOMIZATION = "kustomization.yaml"


def base(manifests: Sequence[Manifest]) -> dict[str, bytes]:
    """The files of a base, by their paths in it."""
    files = {one.path: one.text.encode() for one in manifests if one.files is None}
    generators = []
    for one in manifests:
        if one.files is not None:
            directory = posixpath.dirname(one.path)
            files.update({f"{directory}/{key}": content for key, content in one.files.items()})
            generators.append(_generator(one, directory))
    fields: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [one.path for one in manifests if one.files is None],
        "configMapGenerator": generators,
        "generatorOptions": Noted(
            {"disableNameSuffixHash": True},
            "The name stays, so that a change reaches the running pods by a reload, and not by new ones.",
        ),
    }
    return {KUSTOMIZATION: document(fields).encode(), **files}


def _generator(one: Manifest, directory: str) -> dict[str, Any]:
    metadata = one.fields["metadata"]
    return {
        "name": metadata["name"],
        "namespace": metadata.get("namespace"),
        "files": [f"{directory}/{key}" for key in one.files or ()],
        "options": {"labels": metadata["labels"]},
    }
