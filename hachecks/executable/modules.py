"""The modules that the executable carries: what `hachecks.cli` reaches by its imports and by the registry's entries."""

from __future__ import annotations

import ast
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from hachecks.executable.minify import minified
from hachecks.executable.substitutes import stand_ins, substituted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

OURS = "hachecks"
ROOT = "hachecks.cli"
"""The module that the executable starts, whose imports are followed."""
NOT_CARRIED = ("agent", "client", "executable", "exporter", "ipfailover")
"""Rooms into which no entry is followed: they need compiled wheels, or make no sense inside one file."""

EMPTIED = ("httpcore", "httpcore._sync", "pg8000")
"""Packages whose `__init__` imports all of it, which probes avoid by importing the modules they need."""

ENTRY = re.compile(rf"({OURS}[a-z0-9_.]*):\w+")
"""A late import by `registry.Entry`."""


class Module:
    """A module as it is carried: its dotted name, whether it is a package, and its source."""

    def __init__(self, name: str, package: bool, source: bytes) -> None:
        self.name = name
        self.package = package
        self.source = source
        self._imports: tuple[set[str], set[str]] | None = None

    @property
    def path(self) -> str:
        """The path of its file."""
        return self.name.replace(".", "/") + ("/__init__.py" if self.package else ".py")

    @property
    def room(self) -> str:
        """The package that it is of; of ours, the room."""
        top, _, rest = self.name.partition(".")
        is_in_room = self.ours and (self.package or "." in rest)
        return f"{top}.{rest.partition('.')[0]}" if is_in_room and rest else top

    @property
    def ours(self) -> bool:
        """Whether it is of this project."""
        return self.name.partition(".")[0] == OURS

    @property
    def eager(self) -> set[str]:
        """The modules that it imports when it is imported; `from a import b` may mean a.b, and counts as both."""
        return self._both()[0]

    @property
    def late(self) -> set[str]:
        """The modules that its functions import, and those that its entries name."""
        return self._both()[1]

    def _both(self) -> tuple[set[str], set[str]]:
        if self._imports is None:
            self._imports = (set(), set())
            self._look(ast.parse(self.source), self._imports, late=False)
        return self._imports

    def _look(self, tree: ast.AST, found: tuple[set[str], set[str]], *, late: bool) -> None:
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.Import):
                found[late].update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found[late].update(self._named(node))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found[1].update(match[1] for match in [ENTRY.fullmatch(node.value)] if match)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Late":
                found[1].update(ast.literal_eval(argument) for argument in node.args)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                self._look(ast.Module(node.orelse, []), found, late=late)
            else:
                self._look(node, found, late=late or isinstance(node, (ast.FunctionDef, ast.Lambda)))

    def _named(self, node: ast.ImportFrom) -> Iterator[str]:
        parts = self.name.split(".")
        base = parts[: len(parts) - node.level + self.package] if node.level else []
        origin = ".".join([*base, *([node.module] if node.module else [])])
        yield origin
        yield from (f"{origin}.{alias.name}" for alias in node.names)


def carried(others: Mapping[str, bytes], versions: Mapping[str, str]) -> list[Module]:
    """All modules to carry, in order of their names; `others` are the files of the carried packages by path."""
    substitutes = (_module(path, minified(source)) for path, source in stand_ins(versions, others))
    found = {module.name: module for module in [*_ours(), *_others(others), *substitutes]}
    return [found[name] for name in sorted(reachable([ROOT], found, late=True))]


def _ours() -> Iterator[Module]:
    root = Path(str(files(OURS)))
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if inside.parts[0] not in NOT_CARRIED:
            yield _lean_module(f"{OURS}/{inside.as_posix()}", path.read_bytes())


def _others(sources: Mapping[str, bytes]) -> Iterator[Module]:
    for path, source in sources.items():
        module = _lean_module(path, source)
        yield Module(module.name, module.package, b"") if module.name in EMPTIED else module


def _lean_module(path: str, source: bytes) -> Module:
    module = _module(path, minified(source))
    return Module(module.name, module.package, substituted(module.name, module.source))


def _module(path: str, source: bytes) -> Module:
    name, package = path[: -len(".py")].replace("/", "."), path.endswith("/__init__.py")
    return Module(name[: -len(".__init__")] if package else name, package, source)


def reachable(roots: Iterable[str], modules: Mapping[str, Module], *, late: bool) -> set[str]:
    """The modules that these roots import, and so on, packages included; `late` counts late imports too."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in reached or name not in modules:
            continue
        reached.add(name)
        waiting.append(name.rpartition(".")[0])
        waiting.extend(modules[name].eager | (modules[name].late if late else set()))
    return reached
