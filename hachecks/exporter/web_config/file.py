"""The `web.config.file` as a file: YAML as Go reads it, and the files that it names beside itself."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

import yaml

from hachecks.config import refuse_unknown
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

MAX_FILE_BYTES = 1024 * 1024
"""Bytes of a file: certificates of a whole authority are 250 kB."""
MTIME_GRANULARITY = 2.0
"""Seconds in which a file may change again and keep its size and its time, which file systems count in coarse steps."""


class Files:
    """The files as they are read: names are relative to the directory of the first, and each has a stamp."""

    def __init__(self, path: str) -> None:
        self.directory = os.path.dirname(path)
        self.stamps: dict[str, tuple[int, ...] | None] = {}

    def read(self, where: str, name: str, within: str = "") -> bytes:
        """The bytes of a file; raises `Invalid`."""
        path = os.path.join(within, name)
        stamp = stamp_of(path)  # taken before the file is read, so that what is written meanwhile is a change
        self.stamps[path] = None if stamp and abs(time.time() - stamp[0] / 1e9) < MTIME_GRANULARITY else stamp
        named = "" if path == where else f" {path}"
        try:
            # Read again and again: whatever stands there one day is not waited for.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise Invalid(f"{where}:{named} is no file; name a file that this user may read")
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise Invalid(f"{where}:{named} {error.strerror}; name a file that this user may read") from None
        if len(data) > MAX_FILE_BYTES:
            raise Invalid(f"{where}:{named} is larger than {MAX_FILE_BYTES // 1024} KiB; name the right file")
        return data


def stamp_of(path: str) -> tuple[int, ...] | None:
    """What changes when the file does; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


class Table:
    """A mapping of the file, and where it stands."""

    def __init__(self, where: str, values: Mapping[str, Any], prefix: str = ": ") -> None:
        self.where = where
        self.values = values
        self._prefix = prefix

    def invalid(self, key: str, wrong: str) -> Invalid:
        """A complaint about one key."""
        return Invalid(f"{self.where}{self._prefix}{key}: {wrong}")

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Raise `Invalid` at a key that is none of these."""
        refuse_unknown(self.where, self.values, known)

    def table(self, key: str) -> Table:
        """A mapping; an empty one where there is none."""
        values = self.values.get(key, "") or {}
        if not isinstance(values, dict):
            raise self.invalid(key, "takes a mapping: indent what belongs to it")
        return Table(f"{self.where}{self._prefix}{key}", values, ".")

    def text(self, key: str) -> str:
        """A text; an empty one where there is none."""
        value = self.values.get(key, "")
        if not isinstance(value, str):
            raise self.invalid(key, "takes one value")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts; an empty one where there is none."""
        values = self.values.get(key, "") or []
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.invalid(key, "takes a list: write - before each")
        return values

    def boolean(self, key: str, *, default: bool) -> bool:
        """True or false."""
        word = self.text(key).lower()
        if word not in ("", "true", "false"):
            raise self.invalid(key, f"{word!r} is neither true nor false")
        return word == "true" if word else default


MAX_YAML_DEPTH = 32
"""Mappings and lists within each other."""


class _Loader(yaml.BaseLoader):
    """Texts, lists and mappings, as they are written: a user may be called `no` or `007`. A key stands once, as in Go.

    PyYAML takes the last of two equal keys, which would leave one of two users out.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            keys = [key.value for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"{twice} stands there twice", node.start_mark)
        return mapping


def _is_deep(data: bytes) -> bool:
    """Whether brackets are nested as no configuration nests them: PyYAML takes a second for some hundred."""
    depth = 0
    for byte in data:
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > MAX_YAML_DEPTH:
            return True
    return False


def mapping_of(path: str, data: bytes, sections: Sequence[str]) -> dict[str, Any]:
    """What the YAML says, of which the sections are; raises `Invalid`."""
    if _is_deep(data):
        raise Invalid(f"{path}: it is nested too deeply")
    try:
        document = yaml.load(data, _Loader) or {}  # noqa: S506 - it makes texts, lists and mappings, nothing else
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Invalid(f"{path}: {line}{error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError):
        raise Invalid(f"{path}: this is no YAML in UTF-8") from None
    if not isinstance(document, dict):
        raise Invalid(f"{path}: takes a mapping of {', '.join(sections)}")
    return document
