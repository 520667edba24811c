"""Streams: the modules that are needed together, and so are deflated together, which takes a fifth off them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.executable.modules import ROOT, reachable
from hachecks.registry import NOTIFIERS, PROBES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hachecks.executable.modules import Module

FREQUENT = "hachecks.probes.tcp"
"""The probe whose imports are in the stream that every check reads: most others import the greater part of them."""

LAST = 99
"""The rank of what no check imports."""


def streams(modules: Sequence[Module]) -> dict[str, list[Module]]:
    """The modules in streams by name, those that are most needed first.

    A stream holds the modules that the same late imports of ours bring in, and is called after those; what only other
    packages import late is called after its package.
    """
    by_name = {module.name: module for module in modules}
    core = reachable([ROOT, FREQUENT], by_name, late=False)
    entries = sorted({name for module in modules if module.ours for name in module.late if name in by_name} - core)
    brought = {entry: reachable([entry], by_name, late=False) for entry in entries}
    found: dict[str, list[Module]] = {}
    for module in modules:
        by = {called(entry): None for entry in entries if module.name in brought[entry]}
        name = "core" if module.name in core else "+".join(by) or f"{module.name.partition('.')[0]} late"
        found.setdefault(name, []).append(module)
    needed = ranks(by_name)

    def place(name: str) -> tuple[int, int]:
        """That of the import which is needed first; of two, the smaller one's: it makes room for more."""
        return min(needed.get(word, LAST) for word in name.split("+")), sum(len(m.source) for m in found[name])

    return {name: found[name] for name in sorted(found, key=place)}


def called(entry: str) -> str:
    """What a stream calls a late import of ours: by its module's name, but all notifiers are one."""
    parents, _, name = entry.rpartition(".")
    return "notifiers" if parents.endswith(".notifiers") else name


def ranks(modules: Mapping[str, Module]) -> dict[str, int]:
    """How soon each late import is needed: by how many late imports away it is; notifiers, and what people ask, last.

    A check comes from the root and its probe; what it imports late next, by an option of its own or in a failure.
    """
    found: dict[str, int] = {"core": 0}
    near = {ROOT, *(entry.target.partition(":")[0] for entry in PROBES.values())}
    apart = {entry.target.partition(":")[0] for entry in NOTIFIERS.values()} | {"hachecks.commands"}
    rank = 1
    while near:
        found.update({called(name): rank for name in sorted(near) if called(name) not in found})
        eager = reachable(near, modules, late=False)
        near = {n for name in eager if modules[name].ours for n in modules[name].late if n in modules} - eager - apart
        near = {name for name in near if called(name) not in found}
        rank += 1
    return found


def preloaded(modules: Sequence[Module]) -> dict[str, list[str]]:
    """What every command imports, under an empty name, and what each probe does beyond, each after what it needs."""
    by_name = {module.name: module for module in modules}
    for_all = list(_in_order([ROOT], by_name, set()))
    targets = {word: entry.target.partition(":")[0] for word, entry in PROBES.items()}
    return {"": for_all, **{word: list(_in_order([name], by_name, set(for_all))) for word, name in targets.items()}}


def _in_order(names: Iterable[str], modules: Mapping[str, Module], seen: set[str]) -> Iterator[str]:
    for name in names:
        if name in modules and name not in seen:
            seen.add(name)
            parent = name.rpartition(".")[0]
            yield from _in_order([parent, *sorted(modules[name].eager)], modules, seen)
            yield name
