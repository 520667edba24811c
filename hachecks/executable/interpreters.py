"""The interpreters of this machine, one for each version of Python that modules are compiled for."""

# ruff: noqa: S302, S603 - it runs the interpreters that it has found

from __future__ import annotations

import glob
import marshal
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.executable.modules import Module

WANTED = ("3.9", "3.11", "3.12", "3.13", "3.10")
"""In the order of need: OpenShift's image (RHEL 9), Debian 12, RHEL 10 and Ubuntu 24.04, Debian 13, Ubuntu 22.04."""


def interpreters() -> dict[str, str]:
    """Version -> path of an interpreter, in the order of `WANTED`; those that are not here are left out."""
    found = {version: _interpreter(version) for version in WANTED}
    return {version: path for version, path in found.items() if path}


def _interpreter(version: str) -> str | None:
    """The system's own, or pyenv's newest, or this process's."""
    pyenv = os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python{version}")
    candidates = [
        f"/usr/bin/python{version}",
        f"/usr/local/bin/python{version}",
        *sorted(glob.glob(pyenv), reverse=True),
        shutil.which(f"python{version}") or "",
        sys.executable if sys.version_info[:2] == tuple(map(int, version.split("."))) else "",
    ]
    return next((path for path in candidates if path and os.path.exists(path) and _is(path, version)), None)


def _is(path: str, version: str) -> bool:
    """Whether it is that version indeed: a shim of pyenv may be there without the version behind it."""
    code = 'import sys; print("%d.%d" % sys.version_info[:2], sys.implementation.name)'
    asked = subprocess.run([path, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    return asked.stdout.split() == [version, "cpython"]


def compile_with(interpreter: str, modules: Sequence[Module]) -> tuple[int, list[bytes]]:
    """The interpreter's magic number, and the marshalled code of each module."""
    pairs = marshal.dumps([(module.path, module.source) for module in modules], 2)
    script = str(files("hachecks.executable") / "compiler.py")
    # Without its hash seed the order of a frozenset's constants would differ between two builds.
    command = [interpreter, "-S", "-s", "-X", "no_debug_ranges", script]
    done = subprocess.run(command, input=pairs, capture_output=True, env={"PYTHONHASHSEED": "0"}, check=True)
    magic, codes = marshal.loads(done.stdout)
    return int.from_bytes(magic[:2], "little"), codes
