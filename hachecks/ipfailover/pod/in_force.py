"""The configuration in force, kept for the case that this process is killed: another must not change it by itself."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from hachecks import state
from hachecks.ipfailover.pod import conf_file
from hachecks.ipfailover.pod.texts import Texts
from hachecks.ipfailover.pod.wanted import wanted
from hachecks.ipfailover.settings import is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.commands.run import RunCommand
    from hachecks.ipfailover.pod.wanted import Here, Wanted

NAME = "in-force.json"


def keep(directory: str, command: RunCommand, environ: Mapping[str, str], one: Wanted) -> None:
    """Keep it in the state directory, for its owner only; raises `OSError`."""
    kept = {
        "boot": state.boot_id(),
        "command": _mark(command, environ),
        "texts": dict(one.texts),
        "secrets": dict(one.secrets),
    }
    path = os.path.join(directory, NAME)
    conf_file.put(conf_file.prepared(path, json.dumps(kept), conf_file.SECRET), path)


def forget(directory: str) -> None:
    """Keep nothing: whoever starts after a clean end begins with what the files say."""
    conf_file.remove(os.path.join(directory, NAME))


def kept(directory: str, command: RunCommand, here: Here) -> Wanted | None:
    """What was in force when our predecessor was killed, if he was started as we were; raises `OSError`."""
    try:
        found: Any = json.loads(state.read(os.path.join(directory, NAME)))
        if (found["boot"], found["command"]) != (state.boot_id(), _mark(command, here.environ)):
            return None
        texts = Texts({str(path): str(text) for path, text in found["texts"].items()})
        return wanted(command, here, texts, {str(path): str(text) for path, text in found["secrets"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # of another version, or damaged, or nothing; `Invalid` is a `ValueError`


def _mark(command: RunCommand, environ: Mapping[str, str]) -> str:
    """By which a command line and its variables are known."""
    ours = sorted((name, text) for name, text in environ.items() if is_ours(name))
    return hashlib.sha256(repr((command, ours)).encode("utf-8", "replace")).hexdigest()
