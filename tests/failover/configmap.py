"""What does kubelet do to a mounted ConfigMap when it starts, and when somebody edits it?"""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SERIAL = itertools.count(1)


class ConfigMap:
    """A ConfigMap volume as kubelet's atomic writer lays it out.

    `hacheck -> ..data/hacheck`, `..data -> ..2026_11_22_...`, and the files in that directory.  An update writes a new
    directory, renames a new `..data` over the old one, and deletes the old directory.
    """

    def __init__(self, volume: Path) -> None:
        self._volume = volume

    def replace(self, files: Mapping[str, bytes], *, mode: int = 0o755) -> None:
        """Have these files instead of those that are there; `mode` is the volume's defaultMode."""
        data = self._volume / "..data"
        old = self._volume / data.readlink() if data.is_symlink() else None
        new = self._write(files, mode)
        link = self._volume / "..data_tmp"
        link.symlink_to(new.name)
        link.rename(data)
        self._publish(files)
        if old:
            shutil.rmtree(old)

    def _write(self, files: Mapping[str, bytes], mode: int) -> Path:
        directory = self._volume / f"..2026_11_22_16_08_{next(SERIAL):02}.1234567890"
        directory.mkdir()
        for name, content in files.items():
            path = directory / name
            path.write_bytes(content)
            path.chmod(mode)
        return directory

    def _publish(self, files: Mapping[str, bytes]) -> None:
        shown = {path.name: path for path in self._volume.iterdir() if not path.name.startswith("..")}
        for name in files.keys() - shown.keys():
            (self._volume / name).symlink_to(f"..data/{name}")
        for name in shown.keys() - files.keys():
            shown[name].unlink()
