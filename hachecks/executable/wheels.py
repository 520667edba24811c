"""The wheels of the packages that the executable carries, fetched by pip as `carried.txt` pins them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLDEST = "3.9"


class Wheels:
    """The wheels of `carried.txt` in a directory, fetched if they are not there yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.requirements = files("hachecks.executable") / "carried.txt"
        self.wanted = dict(self._pinned())
        if not self._found():
            self._fetch()
        self.found = self._found()

    @property
    def versions(self) -> dict[str, str]:
        """Name -> version of each package."""
        return {name: version for name, (version, _) in self.wanted.items()}

    def sources(self) -> dict[str, bytes]:
        """Path -> text of each Python file."""
        return {path: text for path, text in self._contents() if path.endswith(".py")}

    def licences(self) -> dict[str, bytes]:
        """`licences/NAME/FILE` -> text, at least one for each package."""
        kept = {}
        for path, text in self._contents():
            directory, _, name = path.rpartition("/")
            if ".dist-info" in directory and name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE")):
                kept[f"licences/{path.partition('-')[0]}/{name}"] = text
        return kept

    def _pinned(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for line in self.requirements.read_text().splitlines():
            if not line.startswith("#"):
                requirement, _, digest = line.partition(" --hash=sha256:")
                name, _, version = requirement.partition("==")
                yield name, (version, digest)

    def _found(self) -> list[Path]:
        """The wheels, each proved by its digest; none unless all are there."""
        by_digest = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in self.directory.glob("*.whl")}
        digests = [digest for _, digest in self.wanted.values()]
        return [by_digest[digest] for digest in digests] if by_digest.keys() >= set(digests) else []

    def _fetch(self) -> None:
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", f"--python-version={OLDEST}", "--quiet"]
        where = [f"--dest={self.directory}", f"--requirement={self.requirements}"]
        command = [sys.executable, "-m", "pip", "download", *options, *where]
        subprocess.run(command, check=True)  # noqa: S603 - nothing of it comes from elsewhere

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        for path in self.found:
            with zipfile.ZipFile(path) as wheel:
                for name in sorted(wheel.namelist()):
                    yield name, wheel.read(name)
