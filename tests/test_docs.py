"""The pages are held to the code: their generated parts, links, sizes, and what CONTRIBUTING.md says of the house."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from docs.generate import Page, anchor, pages
from tests.cli import ROOT
from tests.test_readme import BLOCKS, PAGES

if TYPE_CHECKING:
    from pathlib import Path

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [pytest.param(page, id=page.path.stem) for page in pages()])
def test_the_generated_parts_are_what_the_code_declares(page: Page) -> None:
    assert page.made() == page.text, f"{page.path.name} is stale: run make docs"


def test_a_declaration_that_changes_makes_its_page_stale() -> None:
    (page,) = (page for page in pages() if page.path.name == "probes.md")
    for declared in ("`--absent`", "PASS when the file is absent.", "A link is followed."):
        assert declared in page.text
        changed = page._replace(text=page.text.replace(declared, "something else"))
        assert changed.made() == page.text


@pytest.mark.parametrize("kind", ["probe file", "notifier log", "shared TLS"])
def test_what_has_no_part_yet_gets_one(kind: str) -> None:
    (page,) = (page for page in pages() if f"<!-- generated: {kind} -->" in page.text)
    part = re.compile(rf"<!-- generated: {kind} -->\n.*?<!-- end -->\n\n?", re.DOTALL)
    (there,) = part.findall(page.text)
    made = page._replace(text=part.sub("", page.text)).made()
    assert [found.strip() for found in part.findall(made)] == [there.strip()]
    assert sorted(re.findall(r"<!-- generated: .* -->", made)) == sorted(
        re.findall(r"<!-- generated: .* -->", page.text)
    )


def test_the_readme_is_a_front_door() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def anchors(page: Path) -> set[str]:
    """Where one can jump to on a page."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {anchor(heading.replace("`", "")) for heading in headings}


LINKS = [
    pytest.param(page, link, id=f"{page.stem}: {link}")
    for page in PAGES
    for link in dict.fromkeys(re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text())))
]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_somewhere(page: Path, link: str) -> None:
    name, _, place = link.partition("#")
    there = (page.parent / name).resolve() if name else page
    assert there.exists()
    assert not place or place in anchors(there)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached = set(re.findall(r"\]\(([\w./-]+)", (ROOT / "README.md").read_text()))
    assert {str(page.relative_to(ROOT)) for page in PAGES[1:]} <= reached


# CONTRIBUTING.md


QUESTIONS = re.findall(r"^\| (.*\?) \| `([\w/.]+)`: `(\w+)` \|$", CONTRIBUTING.read_text(), re.MULTILINE)


def defined_in(path: Path) -> set[str]:
    """The names that a module defines at its top."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            names |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return names


@pytest.mark.parametrize(("question", "path", "name"), [pytest.param(*one, id=one[0]) for one in QUESTIONS])
def test_a_question_is_answered_where_it_says(question: str, path: str, name: str) -> None:
    there = ROOT / path
    elsewhere = [str(file.relative_to(ROOT)) for file in (ROOT / "hachecks").rglob("*.py") if name in defined_in(file)]
    assert there.exists(), f"{question} {name} is defined in {elsewhere}"
    assert name in defined_in(there), f"{question} {name} is defined in {elsewhere}"


def test_ten_questions_are_answered() -> None:
    assert len(QUESTIONS) == 10


def test_every_room_has_its_line() -> None:
    rooms = {f"hachecks/{path.parent.name}/" for path in (ROOT / "hachecks").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(hachecks/\w+/)` \|", CONTRIBUTING.read_text(), re.MULTILINE)) == rooms


def test_every_file_it_names_is_there() -> None:
    text = FENCED.sub("", CONTRIBUTING.read_text())
    example = {path for path, _ in example_files()}
    answers = {path for _, path, _ in QUESTIONS}  # which have a test of their own
    named = set(re.findall(r"`((?:hachecks|tests)/[\w/.]+)`", text)) - example - answers
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("line", [line for one in BLOCKS if one.language == "shell" for line in one.text.splitlines()])
def test_a_command_for_developers_names_what_is_there(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    command, *targets = re.sub(r' TESTS=("[^"]*"|\S+)', "", line).split()
    assert command == "make"
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert all((ROOT / path).exists() for path in re.findall(r"tests/[\w/.]+", line))


def example_files() -> list[tuple[str, str]]:
    """The probe in three places: each path with its text."""
    return re.findall(
        r"^`([\w/.]+)`[^\n]*:\n\n```python\n(.*?)^```$", CONTRIBUTING.read_text(), re.MULTILINE | re.DOTALL
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the example in it."""
    root = tmp_path_factory.mktemp("copy") / "tree"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        if (ROOT / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    (module, text), (test, facts), (registry, line) = example_files()
    (root / module).write_text(text)
    (root / test).write_text(facts)
    before, first, after = (root / registry).read_text().partition('    "dns": Entry(')
    assert first
    (root / registry).write_text(f"{before}{line}{first}{after}")
    return root


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program in the copy, and see that it ends well."""
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(copy)}
    argv = [sys.executable, *words]
    done = subprocess.run(argv, cwd=copy, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_example_is_a_probe_in_three_places(copy: Path) -> None:
    assert run(copy, "-m", "hachecks", "disk", "/", "--free", "1").stdout.startswith("PASS - / has ")
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/probes/test_disk.py")


def test_the_example_is_in_the_style_of_the_house(copy: Path) -> None:
    files = [path for path, _ in example_files()]
    run(copy, "-m", "ruff", "check", "--no-cache", *files)
    run(copy, "-m", "ruff", "format", "--no-cache", "--check", *files)


def test_the_example_is_in_the_reference_after_make_docs(copy: Path) -> None:
    assert run(copy, "-m", "docs.generate").stdout == "docs/probes.md\n"
    page = (copy / "docs/probes.md").read_text()
    assert "| `--free SIZE` | `free` | `HACHECK_DISK_FREE` |" in page
    assert page.index("\n## disk\n") < page.index("\n## dns\n")
    assert run(copy, "-m", "docs.generate").stdout == ""


# The hooks of git


def test_pre_commit_runs_what_the_makefile_runs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipes = [re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[0] for target in ("lint", "types")]
    made = [line.strip().replace("$(BIN)", ".venv/bin") for recipe in recipes for line in recipe.splitlines()]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["entry"] for hook in hooks] == [line for line in made if "ruff" in line or "mypy" in line]
    assert {repository["repo"] for repository in config["repos"]} == {"local"}  # nothing of another version
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in hooks)
