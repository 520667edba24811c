"""The ConfigMap of a configuration: the variables as a file, the ledger and hacheck.toml, or the executable."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from hachecks.ipfailover.manifests.manifest import Manifest
from hachecks.ipfailover.manifests.pod import CHECKS, ENV_FILE, LEDGER
from hachecks.ipfailover.manifests.stock_pod import EXECUTABLE
from hachecks.ipfailover.manifests.wanted import labels_of
from hachecks.ipfailover.manifests.yaml_text import Noted, document
from hachecks.ipfailover.sources import env_text
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.manifests.wanted import Common, Configuration

LARGEST = 1024 * 1024
"""Bytes that the values of a ConfigMap may have together (Kubernetes: validation.MaxSecretSize)."""
ABOUT_VARIABLES = "# A change here is taken over by a reload, as soon as the kubelet has renewed the file.\n"


NO_CHECKS = "# Checks and notifiers of the agent: hacheck checks tells whether they can be understood.\n"


def config_map(one: Configuration, common: Common) -> Manifest:
    """The ConfigMap; raises `Invalid` where Kubernetes would not take it."""
    texts, binary = _data(one, common)
    size = sum(len(text.encode()) for text in texts.values()) + sum(map(len, binary.values()))
    if size > LARGEST:
        raise Invalid(f"{one.settings.config_name}: its ConfigMap would have {size} bytes, limit {LARGEST}")
    data: dict[str, Any] = dict(texts)
    if LEDGER in data:
        why = "Ids as they were planned, of all configurations: no VIP gets another one because others come and go."
        data[LEDGER] = Noted(data[LEDGER], why)
    fields = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": common.metadata(one.name, labels_of(one)),
        "data": data or None,
        "binaryData": {key: base64.b64encode(value).decode() for key, value in binary.items()} or None,
    }
    files = {key: value.encode() for key, value in texts.items()}
    return Manifest(f"{one.name}/config-map.yaml", document(fields, _about(common)), {**files, **binary})


def _about(common: Common) -> str:
    if not common.is_stock:
        return ""
    return "The executable is too large for the annotation of a client-side apply: kubectl apply --server-side -f -."


def _data(one: Configuration, common: Common) -> tuple[Mapping[str, str], Mapping[str, bytes]]:
    checks = {CHECKS: NO_CHECKS if common.toml is None else common.toml}
    if common.executable is not None:
        return checks, {EXECUTABLE: common.executable}
    try:
        variables = ABOUT_VARIABLES + env_text(one.variables)
    except ValueError as error:
        raise Invalid(f"{one.settings.config_name}: {error}") from None
    return {ENV_FILE: variables, LEDGER: common.ledger, **checks}, {}
