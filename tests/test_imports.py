"""The house's rules, read from the source: who stands above whom, who imports what, who prints, who catches all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from hachecks import registry
from tests.cli import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "hachecks"
FLOORS = [
    "__main__ executable",
    "agent ipfailover",
    "completion",
    "exporter commands",
    "click_settings delivery status versions",
    "config client group",
    "notifiers",
    "services",
    "messages cli",
    "checks drain",
    "transitions probes",
    "sql",
    "http",
    "net keepalived wire",
    "node argv pod_report",
    "settings registry homes kept mounts secret_file",
    "state proc units verdict deadline own_command",
    "__init__",
]
"""Rooms, the flat modules among them, from the roof to the ground: a room imports only what stands below it."""
IMPORTERS = {
    "aiohttp": "exporter. agent.",
    "apprise": "notifiers.apprise",
    "bcrypt": "exporter.web_config.users",
    "click": "commands click_settings completion",
    "h11": "http.http1_connection",
    "h2": "http.http2",
    "hpack": "executable.lean.huffman_table",
    "httpcore": "http.",
    "httpx": "client agent.peers agent.peer ipfailover.follow.",
    "jinja2": "exporter.page",
    "pg8000": "sql.postgresql_session",
    "prometheus_client": "exporter. agent.",
    "pymysql": "sql.mysql_",
    "pyroute2": "exporter.addresses ipfailover. agent.",
    "scramp": "sql.postgresql_session",
    "tomli": "config",
    "yaml": "exporter.web_config.file ipfailover.",
}
"""What is not the standard library's, and how the names of those of our modules begin that alone import it."""
LATE = ("checks.runner", "cli", "executable.loader", "http.exchange", "net.", "probes.tcp")
"""Who imports modules of ours within functions, and not by the registry: what a plain check does not owe."""
DEAR = {"asyncio", "contextlib", "dataclasses", "logging", "pathlib", "typing"}
"""What a check does not owe: each costs a good part of what a whole check may take."""
OUTPUT = {"print", "exit", "quit", "sys.exit", "os._exit", "click.echo", "sys.stdout.write", "sys.stderr.write"}
ALLOWED_OUTPUT = {"cli": OUTPUT, "commands": {"click.echo"}, "executable.build": OUTPUT, "executable.configmap": OUTPUT}
"""`commands` shows help as click does; the makers of the executable are programs of their own."""
CATCH_ALL = {"agent.workers", "checks.runner", "cli", "delivery.attempt", "exporter.source", "ipfailover.pod.guard"}
"""Who makes a verdict, a delivery, a line or a source that is down of all that happens; `main` has the net below."""


class Import(NamedTuple):
    """A module, or a name in one, that is imported: by a function (late), or for the type checker alone."""

    name: str
    late: bool
    for_types: bool


class Module(NamedTuple):
    """A module of the package, by its name in it, and what it says."""

    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The package, or the flat module, that it is in."""
        return self.name.partition(".")[0]

    def ours(self, *, for_types: bool = False) -> set[str]:
        """The modules of the package it imports, early or late, and on demand those for the type checker."""
        names = {one.name for one in imports(self.tree) if for_types or not one.for_types}
        return {name.partition(".")[2] for name in names if name.startswith("hachecks.")}

    @property
    def entries(self) -> set[str]:
        """The modules of the package it names for the registry's late import."""
        texts = (node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant))
        named = (re.fullmatch(r"hachecks\.([a-z0-9_.]+):\w+", text) for text in texts if isinstance(text, str))
        return {match[1] for match in named if match}

    def calls(self) -> Iterator[str]:
        """What is called, as it is written."""
        return (ast.unparse(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call))


def imports(node: ast.AST, late: bool = False, for_types: bool = False) -> Iterator[Import]:
    """Each import below this node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for branch, types in ((child.body, True), (child.orelse, for_types)):
                yield from imports(ast.Module(branch, []), late, types)
        elif isinstance(child, ast.Import):
            yield from (Import(alias.name, late, for_types) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            named = {f"{child.module}.{alias.name}" for alias in child.names}
            modules = {name for name in named if name.startswith("hachecks.") and is_module(name[9:])}
            yield from (Import(name, late, for_types) for name in (modules or {child.module or ""}))
        else:
            yield from imports(child, late or isinstance(child, (ast.FunctionDef, ast.Lambda)), for_types)


def is_module(name: str) -> bool:
    """Whether it is a module of the package."""
    path = PACKAGE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def read(path: Path) -> Module:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"
    return Module(name, ast.parse(path.read_text(), str(path)))


MODULES = {module.name: module for module in map(read, sorted(PACKAGE.rglob("*.py")))}
ALL = [pytest.param(module, id=module.name) for module in MODULES.values()]
OURS = {name: module.ours() & MODULES.keys() for name, module in MODULES.items()}
FLOOR_OF = {room: floor for floor, rooms in enumerate(reversed(FLOORS)) for room in rooms.split()}


def on_the_way_of_a_check() -> set[str]:
    """The modules that `hacheck PROBE` can come to import: not the click tree, which its errors and help come from."""
    others = {
        entry.target.partition(":")[0][9:] for entry in (*registry.COMMANDS.values(), *registry.NOTIFIERS.values())
    }
    others |= {"commands", "delivery.starting"}
    found: set[str] = set()
    coming = {"cli", *(name for name in MODULES if name.startswith("probes."))}
    while coming:
        name = coming.pop()
        found.add(name)
        coming |= (OURS[name] | MODULES[name].entries & MODULES.keys()) - found - others
    return found


@pytest.mark.parametrize("module", ALL)
def test_a_room_stands_above_all_that_it_imports(module: Module) -> None:
    above = {name for name in module.ours(for_types=True) if FLOOR_OF[name.partition(".")[0]] >= FLOOR_OF[module.room]}
    assert {name for name in above if name.partition(".")[0] != module.room} == set()


@pytest.mark.parametrize("module", ALL)
def test_no_module_imports_itself_by_way_of_others(module: Module) -> None:
    reached: set[str] = set()
    coming = set(OURS[module.name])
    while coming:
        name = coming.pop()
        reached.add(name)
        coming |= OURS[name] - reached
    assert module.name not in reached


@pytest.mark.parametrize("module", ALL)
def test_a_probe_or_notifier_imports_no_other_one(module: Module) -> None:
    kin = ("probes.", "notifiers.")
    if module.name.startswith(kin):
        assert not [name for name in module.ours() if name.startswith(kin)]


@pytest.mark.parametrize("module", ALL)
def test_what_is_not_of_the_standard_library_is_imported_where_it_belongs(module: Module) -> None:
    standard = sys.stdlib_module_names | {"hachecks", "__future__"}
    foreign = {one.name.partition(".")[0] for one in imports(module.tree) if not one.for_types} - standard
    wrong = [name for name in foreign if not module.name.startswith(tuple(IMPORTERS.get(name, "nobody").split()))]
    assert wrong == []


@pytest.mark.parametrize("module", ALL)
def test_only_cli_prints_or_exits(module: Module) -> None:
    assert set(module.calls()) & OUTPUT <= ALLOWED_OUTPUT.get(module.name, set())


@pytest.mark.parametrize("module", ALL)
def test_only_who_judges_another_catches_everything(module: Module) -> None:
    caught = [
        ast.unparse(node.type) if node.type else "everything"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[-1]) != "raise"
    ]
    wide = [text for text in caught if re.search(r"\b(Exception|BaseException|everything)\b", text)]
    assert len(wide) == (1 if module.name in CATCH_ALL else 0)


@pytest.mark.parametrize("module", ALL)
def test_only_the_registry_imports_by_name(module: Module) -> None:
    by_name = {call for call in module.calls() if call.rpartition(".")[2] in ("__import__", "import_module")}
    assert not by_name or module.room in ("registry", "executable")
    late = [one.name for one in imports(module.tree) if one.late and one.name.startswith("hachecks.")]
    assert not late or module.name.startswith(LATE)


@pytest.mark.parametrize("name", sorted(on_the_way_of_a_check()))
def test_a_check_imports_nothing_dear(name: str) -> None:
    early = {one.name.partition(".")[0] for one in imports(MODULES[name].tree) if not one.late and not one.for_types}
    assert early & DEAR == set()


def test_the_way_of_a_check_is_what_it_is_taken_for() -> None:
    way = on_the_way_of_a_check()
    assert {"cli", "checks.runner", "net.transport", "http.exchange", "sql.mysql_session", "probes.tcp"} <= way
    assert not way & {"commands", "versions", "executable.build"}


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        pytest.param(["file", "/etc/passwd"], set(), id="file"),
        pytest.param(["tcp", "127.0.0.1:9"], set(), id="tcp"),
        pytest.param(["tcp", "localhost:9"], set(), id="tcp-to-a-name"),
        pytest.param(["dns", "x.test", "--server", "127.0.0.1:9"], set(), id="dns"),
        pytest.param(["tcp", "127.0.0.1:9", "--expect-regex", "x"], {"re"}, id="tcp-with-a-pattern"),
    ],
)
def test_a_plain_check_has_imported_nothing_dear(words: list[str], allowed: set[str]) -> None:
    dear = DEAR | {"click", "email", "encodings.idna", "http", "importlib.metadata", "inspect", "json", "re", "ssl",
                   "subprocess", "tempfile", "threading", "urllib", "zipfile"}  # fmt: skip
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from hachecks.cli import dispatch; "
        "dispatch(sys.argv[1:], {}); print(*sys.modules, file=sys.stderr)"
    )
    # Without site, which in a virtual environment imports what the editable installation wants.
    command = [sys.executable, "-I", "-S", "-c", script, str(ROOT), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    imported = set(done.stderr.split())
    assert f"hachecks.probes.{words[0]}" in imported
    assert imported & dear <= allowed


@pytest.mark.parametrize("table", ["PROBES", "NOTIFIERS"])
def test_the_registry_names_what_there_is(table: str) -> None:
    entries = getattr(registry, table)
    modules = {entry.target.partition(":")[0][9:] for entry in entries.values()}
    assert modules == {name for name in MODULES if name.startswith(f"{table.lower()}.")}
    assert list(entries) == sorted(entries)
    for entry in entries.values():
        assert entry.load().__doc__


@pytest.mark.parametrize("module", ALL)
def test_every_module_says_in_one_sentence_what_it_is(module: Module) -> None:
    first = (ast.get_docstring(module.tree) or "").split("\n\n")[0].replace("\n", " ")
    assert first.endswith((".", ")", ":"))
    assert "?" not in first
    assert len(re.findall(r"[.](\s|$)", first)) <= 1, first
