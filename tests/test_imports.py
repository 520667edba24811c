"""Who may import whom, who prints, who exits, who catches everything: read from the source, not from a promise."""

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

STANDARD_LIBRARY_ONLY = {
    "deadline",
    "proc",
    "registry",
    "settings",
    "state",
    "streak",
    "transition",
    "units",
    "verdict",
}
NOT_FOR_PROBES = {"argv", "cli", "commands", "composition", "config", "published", "runner", "state", "streak"}
IMPORTERS = {
    "aiohttp": {"exporter.server", "exporter.serving"},
    "apprise": {"notifiers.apprise"},
    "bcrypt": {"exporter.web_users"},
    "click": {"click_settings", "commands"},
    "h2": {"http.http2"},
    "hpack": {"executable.huffman_table"},
    "httpcore": {"http.exchange", "http.http1", "http.http2"},
    "pg8000": {"sql.postgresql_session"},
    "prometheus_client": {"exporter.metrics", "exporter.server"},
    "pymysql": {"sql.mysql_engine", "sql.mysql_session"},
    "pyroute2": {"exporter.addresses"},
    "scramp": {"sql.postgresql_session"},
    "tomli": {"config"},
    "yaml": {"exporter.web_file"},
}
"""What is not the standard library's, and which of our modules alone import it."""
OF_CLI = {"__main__", "commands", "executable.loader"}
"""Who imports `cli`: what starts it, and the click tree, which hands back to it."""
LATE = {
    ("http.exchange", "http.http2"),
    ("probes.tcp", "mysql_handshake"),
    ("probes.tcp", "starttls"),
    ("probes.tcp", "tls_afterwards"),
    ("runner", "delivering"),
    ("runner", "streak"),
    ("starttls", "line_protocols"),
    ("starttls", "mysql_handshake"),
    ("tls_afterwards", "handshake"),
    ("tls", "reasons"),
    ("transport", "handshake"),
    ("transport", "reasons"),
}
"""Which module of ours is imported by a function, and not through the registry."""
DEAR = {"asyncio", "contextlib", "dataclasses", "logging", "pathlib", "typing"}
"""What a check does not owe: each costs a good part of what a whole check may take."""
OUTPUT = {"print", "exit", "quit", "sys.exit", "os._exit", "click.echo", "sys.stdout.write", "sys.stderr.write"}
ALLOWED_OUTPUT = {"cli": OUTPUT, "commands": {"click.echo"}, "executable.build": OUTPUT, "executable.configmap": OUTPUT}
"""`commands` shows help as click does; the makers of the executable are programs of their own."""
CATCH_ALL = {"attempt", "cli", "exporter.source", "runner"}
"""Who makes a verdict, a delivery or a source that is down of whatever is done there; `main` has the net below."""


class Module(NamedTuple):
    """A module of the package, by its name in it, and what it says."""

    name: str
    tree: ast.Module

    @property
    def imported(self) -> set[str]:
        """What it imports as it is imported."""
        return {name for name, late in imports(self.tree) if not late}

    @property
    def imported_late(self) -> set[str]:
        """What its functions import."""
        return {name for name, late in imports(self.tree) if late}

    @property
    def ours(self) -> set[str]:
        """The modules of the package it imports, early or late."""
        return {name.partition(".")[2] for name, _ in imports(self.tree) if name.startswith("hachecks.")}

    @property
    def entries(self) -> set[str]:
        """The modules of the package it names for the registry's late import."""
        texts = (node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant))
        named = (re.fullmatch(r"hachecks\.([a-z0-9_.]+):\w+", text) for text in texts if isinstance(text, str))
        return {match[1] for match in named if match}

    def calls(self) -> Iterator[str]:
        """What is called, as it is written."""
        return (ast.unparse(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call))


def imports(node: ast.AST, late: bool = False) -> Iterator[tuple[str, bool]]:
    """Each module imported at run time, and whether by a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from imports(other, late)
        elif isinstance(child, ast.Import):
            yield from ((alias.name, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module == "hachecks":
            yield from ((f"hachecks.{alias.name}", late) for alias in child.names if module_file(alias.name))
        elif isinstance(child, ast.ImportFrom):
            yield child.module or "", late
        else:
            yield from imports(child, late or isinstance(child, (ast.FunctionDef, ast.Lambda)))


def module_file(name: str) -> Path | None:
    """Where a module of the package is, if it is one."""
    path = PACKAGE.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def read(path: Path) -> Module:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"
    return Module(name, ast.parse(path.read_text(), str(path)))


MODULES = {module.name: module for module in map(read, sorted(PACKAGE.rglob("*.py")))}
ALL = [pytest.param(module, id=module.name) for module in MODULES.values()]
PROBES = [pytest.param(module, id=name) for name, module in MODULES.items() if name.startswith("probes.")]


def on_the_way_of_a_check() -> set[str]:
    """The modules that `hacheck PROBE` can come to import: not the click tree, which its errors and help come from."""
    found: set[str] = set()
    coming = {"cli", *(name for name in MODULES if name.startswith("probes."))}
    while coming:
        name = coming.pop()
        found.add(name)
        module = MODULES[name]
        coming |= (module.ours | module.entries) & MODULES.keys() - found - {"commands"}
        coming = {name for name in coming if not name.startswith("notifiers")}
    return found


@pytest.mark.parametrize("module", ALL)
def test_what_is_not_of_the_standard_library_is_imported_in_one_place(module: Module) -> None:
    standard = sys.stdlib_module_names | {"hachecks", "__future__"}
    foreign = {name.partition(".")[0] for name, _ in imports(module.tree)} - standard
    for name in foreign:
        assert module.name in IMPORTERS.get(name, ()), f"{module.name} imports {name}"


@pytest.mark.parametrize("name", sorted(STANDARD_LIBRARY_ONLY))
def test_what_all_others_stand_on_stands_on_the_standard_library(name: str) -> None:
    assert MODULES[name].ours <= STANDARD_LIBRARY_ONLY


@pytest.mark.parametrize("module", PROBES)
def test_a_probe_knows_no_other_probe_and_not_who_runs_it(module: Module) -> None:
    assert module.ours.isdisjoint(NOT_FOR_PROBES)
    assert not [name for name in module.ours if name.startswith(("probes", "notifiers", "executable"))]


@pytest.mark.parametrize("module", ALL)
def test_nobody_imports_a_probe(module: Module) -> None:
    assert not [name for name in module.ours if name.startswith("probes.")]


@pytest.mark.parametrize("module", ALL)
def test_only_what_starts_the_command_line_imports_it(module: Module) -> None:
    assert "cli" not in module.ours or module.name in OF_CLI
    assert "commands" not in module.ours


@pytest.mark.parametrize("module", ALL)
def test_only_cli_prints_or_exits(module: Module) -> None:
    found = set(module.calls()) & OUTPUT
    assert found <= ALLOWED_OUTPUT.get(module.name, set())


@pytest.mark.parametrize("module", ALL)
def test_only_the_runner_catches_everything(module: Module) -> None:
    caught = [
        ast.unparse(node.type) if node.type else "everything"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[-1]) != "raise"
    ]
    wide = [text for text in caught if re.search(r"\b(Exception|BaseException|everything)\b", text)]
    assert len(wide) == (1 if module.name in CATCH_ALL else 0)


@pytest.mark.parametrize("module", ALL)
def test_only_the_registry_imports_by_name(module: Module) -> None:
    if module.name.startswith("executable"):
        return  # which is an importer
    by_name = [call for call in module.calls() if call.rpartition(".")[2] in ("__import__", "import_module")]
    assert by_name == (["__import__"] if module.name == "registry" else [])
    late = {name.partition(".")[2] for name in module.imported_late if name.startswith("hachecks.")}
    assert {(module.name, name) for name in late} <= LATE


@pytest.mark.parametrize("name", sorted(on_the_way_of_a_check()))
def test_a_check_imports_nothing_dear(name: str) -> None:
    assert not {imported.partition(".")[0] for imported in MODULES[name].imported} & DEAR


def test_the_way_of_a_check_is_what_it_is_taken_for() -> None:
    way = on_the_way_of_a_check()
    assert {"cli", "runner", "transport", "http.exchange", "sql.mysql_session", "probes.tcp"} <= way
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
    entries = getattr(registry, table, {})
    modules = {entry.target.partition(":")[0] for entry in entries.values()}
    kind = table.lower()
    assert modules == {f"hachecks.{name}" for name in MODULES if name.startswith(f"{kind}.")}
    assert list(entries) == sorted(entries)
    for entry in entries.values():
        assert entry.load().__doc__


@pytest.mark.parametrize("module", ALL)
def test_every_module_asks_its_question_or_states_one_thing(module: Module) -> None:
    text = ast.get_docstring(module.tree)
    assert text, f"{module.name} says nothing"
    first = text.split("\n\n")[0].replace("\n", " ")
    assert first.endswith((".", "?", ")", ":"))
    assert "?" in first or len(re.findall(r"[.](\s|$)", first)) == 1, first
