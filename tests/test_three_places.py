"""A probe, or a notifier, is three places: its module, its test, and a line in the registry. The rest is derived.

Those of `tests/example` are put into a copy of this tree, where everything that knows of all probes must pass.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ROOT / "tests" / "example"
LINES = {
    "PROBES: Mapping[str, Entry] = {\n": (
        '    "echo": Entry("hachecks.probes.echo:EchoProbe", "Say a word to an echo service, and hear it back."),\n'
    ),
    "NOTIFIERS: Mapping[str, Entry] = {\n": (
        '    "statsd": Entry("hachecks.notifiers.statsd:StatsdNotifier", "Count the states of instances in StatsD."),\n'
    ),
}
"""What is added to the registry, where it stands in the order of the names."""
DERIVED = [
    "tests/probes/test_echo.py",
    "tests/notifiers/test_statsd.py",
    "tests/test_imports.py",
    "tests/test_settings.py",
    "tests/test_help.py",
    "tests/test_cli.py",
    "tests/test_contracts.py",
    "tests/test_choices.py",
    "tests/notifiers/test_contracts.py",
]
NAMED = "echo or statsd or registry or every_probe or speaks_http or lists"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree with two more."""
    tree = tmp_path_factory.mktemp("copy") / "tree"
    kept = shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "*.egg-info", "example")
    shutil.copytree(ROOT, tree, ignore=kept)
    shutil.copytree(EXAMPLE, tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    registry = tree / "hachecks" / "registry.py"
    text = registry.read_text()
    for table, line in LINES.items():
        before, _, after = text.partition(table)
        entries, end, rest = after.partition("\n}\n")
        text = before + table + in_order(entries + "\n", line) + end[1:] + rest
    registry.write_text(text)
    return tree


def in_order(entries: str, line: str) -> str:
    """The entries of a table with one more."""
    lines = entries.splitlines(keepends=True)
    later = [number for number, one in enumerate(lines) if one.startswith('    "') and one > line]
    return "".join([*lines[: later[0]], line, *lines[later[0] :]])


def in_the(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy."""
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    argv = [sys.executable, *words]
    return subprocess.run(argv, cwd=tree, env=environ, capture_output=True, text=True, check=False)


def pytest_in(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return in_the(tree, "-m", "pytest", "-n0", "-p", "no:cacheprovider", *words)


def test_everything_else_follows_from_them(tree: Path) -> None:
    done = pytest_in(tree, "-v", "-k", NAMED, *DERIVED)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    for fact in ("echo1-DrippingBody", "EchoProbe --end nothing", "StatsdNotifier --case upper", "statsd --server"):
        assert f"{fact}] PASSED" in done.stdout


@pytest.mark.executable
def test_the_executable_carries_them_without_being_told(tree: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from hachecks.executable.modules import carried; "
        "from hachecks.executable.wheels import Wheels; wheels = Wheels(Path(sys.argv[1])); "
        "print(*(module.name for module in carried(wheels.sources(), wheels.versions)))"
    )
    done = in_the(tree, "-c", script, str(ROOT / "build" / "wheels"))
    assert done.returncode == 0, done.stderr
    assert {"hachecks.probes.echo", "hachecks.notifiers.statsd"} <= set(done.stdout.split())


@pytest.mark.parametrize("path", sorted(path.relative_to(EXAMPLE) for path in EXAMPLE.rglob("test_*.py")), ids=str)
def test_what_is_not_declared_is_named(tree: Path, path: Path) -> None:
    text = (tree / path).read_text()
    (tree / path).write_text(text.replace("BASES = ", "OTHERS = "))
    try:
        done = pytest_in(tree, "-k", "is_taken and (echo or statsd)", "tests/test_help.py")
    finally:
        (tree / path).write_text(text)
    assert done.returncode == 1
    assert f"{path} declares no BASES (tests/contracts.py says what it is)" in done.stdout
