"""The fingerprints of declared checks, by which the nodes of a group see that they do not declare the same."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from hachecks.checks.runner import RunOptions
from hachecks.checks.schedule import Schedule
from hachecks.config import Configuration
from hachecks.registry import PROBES
from hachecks.settings import Invalid, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

PROBELESS = ("probe", "all", "any", "at_least")


def fingerprints(path: str) -> dict[str, str]:
    """One for each check of hacheck.toml, of what is written there; none where it cannot be read.

    A setting that is a secret, or may hold one, is left out, and so is the query of a URL.
    """
    try:
        tables = Configuration.read(path).tables
    except Invalid:
        return {}
    return {
        name: f"{zlib.crc32(repr(sorted(_written(table))).encode('utf-8', 'replace')):08x}"
        for name, table in tables.items()
    }


def _written(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = str(table.get("probe", ""))
    classes = [RunOptions, Schedule, *([PROBES[kind].load()] if kind in PROBES else [])]
    settings = [setting for one in classes for setting in settings_of(one)]
    open_ones = {one.name for one in settings if not one.secret and one.refuse_on_argv is None} | set(PROBELESS)
    for key, value in table.items():
        if key in open_ones:
            text = str(value)
            yield key, text.partition("?")[0] if "://" in text else text
