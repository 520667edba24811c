"""Which modules are needed together? They are deflated together, which takes a fifth off them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.executable.modules import reachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hachecks.executable.modules import Module

CORE = ("hachecks.cli", "hachecks.probes.tcp")
"""What these import is on the way of nearly every check."""

ORDER = (
    *("core", "reasons", "handshake", "file", "streak", "delivering", "dns", "http", "nodeport", "config", "sql"),
    *("postgresql_ready", "postgresql", "sqlite", "mysql", "others", "notifiers", "http2", "commands"),
)
"""Streams from what is compiled first, should there be no room for all, to what is compiled last."""


def streams(modules: Sequence[Module]) -> dict[str, list[Module]]:
    """The modules in streams by name, those that are most needed first.

    A stream holds the modules that the same late imports of ours bring in, and is called after those; what only other
    packages import late is called after its package.
    """
    by_name = {module.name: module for module in modules}
    core = reachable(CORE, by_name, late=False)
    entries = sorted({name for module in modules if module.ours for name in module.late if name in by_name} - core)
    brought = {entry: reachable([entry], by_name, late=False) for entry in entries}
    found: dict[str, list[Module]] = {}
    for module in modules:
        by = {called(entry): None for entry in entries if module.name in brought[entry]}
        name = "core" if module.name in core else "+".join(by) or f"{module.name.partition('.')[0]} late"
        found.setdefault(name, []).append(module)
    return dict(sorted(found.items(), key=lambda item: rank(item[0].split("+"))))


def called(entry: str) -> str:
    """What a stream calls a late import of ours: by its module's name, but all notifiers are one."""
    parents, _, name = entry.rpartition(".")
    return "notifiers" if parents.endswith(".notifiers") else name


def rank(entries: Iterable[str]) -> int:
    """The place in the order: that of the entry which is needed most."""
    places = {name: place for place, name in enumerate(ORDER)}
    return min(len(ORDER) if entry.endswith(" late") else places.get(entry, places["others"]) for entry in entries)
