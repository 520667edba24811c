"""What all nodes agree on, in one ConfigMap: the ledger of ids, and which Service has which addresses.

Whoever changes it says from which version on, and Kubernetes refuses all but the first (compare and swap).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from hachecks import kept
from hachecks.ipfailover import ledger
from hachecks.ipfailover.ledger_map import KEY
from hachecks.ipfailover.resources import part
from hachecks.ipfailover.vips import parse_address
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from typing_extensions import TypeAlias

    from hachecks.ipfailover.ledger import Ledger

    Allocations: TypeAlias = Mapping[str, Mapping[str, tuple[str, ...]]]

SERVICES_KEY = "services.json"
"""Under which the allocations are in the ConfigMap's data, beside the ledger."""
FORMAT, VERSION = "hachecks_ipfailover_services", 1


class Shared(NamedTuple):
    """The ledger, None where there is none yet, and by configuration the addresses of each Service."""

    ledger: Ledger | None
    allocations: Allocations


NOTHING = Shared(None, {})


def read(config_map: Mapping[str, Any] | None, place: str) -> Shared:
    """What a ConfigMap holds; nothing where there is none. Raises `Invalid` for what cannot be understood."""
    if config_map is None:
        return NOTHING
    texts = {key: part(config_map, "data", key) for key in (KEY, SERVICES_KEY)}
    for key, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise Invalid(f"{place}: its {key} is no text")
    found = texts[KEY]
    return Shared(
        ledger.read(found, f"{place}: {KEY}") if found and found.strip() else None,
        _allocations(texts[SERVICES_KEY] or "", f"{place}: {SERVICES_KEY}"),
    )


def _allocations(text: str, place: str) -> Allocations:
    if not text.strip():
        return {}
    try:
        document = kept.document(text)
        if document[FORMAT] != VERSION:
            raise Invalid(f"{place}: it is of version {document[FORMAT]!r}, expected {VERSION}")
        return {
            str(name): {str(key): tuple(str(parse_address(vip)) for vip in vips) for key, vips in table.items()}
            for name, table in document["configurations"].items()
        }
    except Invalid:
        raise
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Invalid(f"{place}: these are no allocations of hacheck ipfailover follow") from None


def data(shared: Shared) -> dict[str, str]:
    """The data of the ConfigMap."""
    lines = [
        f"  {json.dumps(name)}: {{\n   "
        + ",\n   ".join(f"{json.dumps(key)}: {json.dumps(vips)}" for key, vips in sorted(table.items()))
        + "}"
        for name, table in sorted(shared.allocations.items())
    ]
    text = f'{{"{FORMAT}": {VERSION}, "configurations": {{\n' + ",\n".join(lines) + "\n}}\n"
    return {KEY: ledger.write(shared.ledger or {}), SERVICES_KEY: text}


def changed(config_map: Mapping[str, Any] | None, name: str, namespace: str, shared: Shared) -> dict[str, Any]:
    """The ConfigMap with another content, and all else that is in it; a new one where there is none."""
    if config_map is None:
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data(shared)}
    old = config_map.get("data")
    return {
        **config_map,
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {**(old if isinstance(old, dict) else {}), **data(shared)},
    }
