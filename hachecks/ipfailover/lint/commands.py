"""Commands of scripts, as Keepalived starts them: without a shell, by the path that it resolved at its own start."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from hachecks.keepalived.parser import split_command

if TYPE_CHECKING:
    from collections.abc import Collection

DOCUMENTED = "/etc/keepalive"
"""Where OpenShift's documentation mounts the ConfigMap of scripts."""
INTERPRETER = re.compile(r"(?:ba|da|k|z)?sh|busybox|env|perl|python[0-9.]*")
SHELLS = re.compile(r"(?:ba|da|k|z)?sh")
QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
SHELL_WORD = re.compile(r"[|&;<>].*|2>.*|.*\$\(.*|.*`.*|.*;")


def program(command: str) -> str:
    """What Keepalived starts: the first word."""
    return "".join(split_command(command)[:1])


def script(command: str) -> str:
    """The path of the script: the program, or what an interpreter is told to read; empty where there is no path."""
    words = split_command(command)
    while words and INTERPRETER.fullmatch(words[0].rpartition("/")[2]):
        interpreter = words.pop(0)
        while words and words[0].startswith("-"):
            if words.pop(0) in ("-c", "-m"):
                return ""
        if not words:
            return interpreter if "/" in interpreter else ""
    return posixpath.normpath(words[0]) if words and "/" in words[0] else ""


def is_interpreted(command: str) -> bool:
    """Whether it is started by an interpreter, whose path stays what it is."""
    return bool(INTERPRETER.fullmatch(program(command).rpartition("/")[2]))


def is_within(path: str, directories: Collection[str]) -> bool:
    """Whether a path is below one of the directories."""
    return any(path.startswith(f"{one.rstrip('/')}/") for one in directories)


def shell_word(command: str) -> str:
    """The first word that only a shell understands, where there is no shell; empty where there is none."""
    if any(SHELLS.fullmatch(word.rpartition("/")[2]) for word in split_command(command)):
        return ""
    # What is quoted is the program's own: hacheck sql --expect '> 3'.
    return next((word for word in QUOTED.sub("_", command).split() if SHELL_WORD.fullmatch(word)), "")
