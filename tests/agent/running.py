"""A real `hacheck agent`, what it publishes, and what it says."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hachecks import state as kept
from hachecks.checks import answer
from hachecks.checks.answer import Answer
from tests.exporter.running import Exporter, Series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES_OF_OURS = ("HACHECK", "OPENSHIFT", "KEEP")
"""How variables begin that would configure it."""


class Agent(Exporter):
    """A running agent; `state` is its directory, `config` its hacheck.toml."""

    def __init__(self, process: subprocess.Popen[str], state: Path, config: Path) -> None:
        super().__init__(process)
        self.state = state
        self.config = config

    def series(self) -> Series:
        """All samples of its metrics."""
        return self.metrics()

    def answer(self, name: str) -> Answer | None:
        """What it has published of a check, fresh or not; None where there is nothing."""
        text = kept.read(answer.path(kept.home(str(self.state)), name))
        return Answer.parse(text) if text else None

    def fresh(self, name: str) -> Answer | None:
        """What it has published of a check, if that counts now."""
        found = self.answer(name)
        return found if found is not None and found.counts(kept.boot_id(), answer.now()) else None

    def track_file(self, name: str) -> str:
        """What a track file in the directory of the test says; empty where there is none."""
        path = self.state / name
        return path.read_text() if path.exists() else ""

    def signal(self, number: int = signal.SIGHUP) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def declare(self, toml: str) -> None:
        """Replace its hacheck.toml, and have it read."""
        self.config.write_text(toml)
        self.signal()


@contextmanager
def agent(
    toml: str,
    directory: Path,
    *words: str,
    ready: bool = True,
    serving: bool = True,
    listen: str = "127.0.0.1:0",
    prefix: tuple[str, ...] = (),
    files: int | None = None,
    **environ: str,
) -> Iterator[Agent]:
    """An agent with this hacheck.toml, from when it is ready (every check has run once) until it has ended.

    State and hacheck.toml are in `directory`; `prefix` is what it is started by, such as `ip netns exec NAME`; `files`
    is how many it may have open. `ready` and `serving` say what is waited for.
    """
    config = directory / "hacheck.toml"
    config.write_text(toml)
    command = [*prefix, sys.executable, "-m", "hachecks", "agent", "--listen", listen]
    command += ["--config", str(config), "--state-dir", str(directory), *words]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(NAMES_OF_OURS)}
    process = subprocess.Popen(command, env={**plain, **environ}, stderr=subprocess.PIPE, text=True)
    if files:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (files, files))
    try:
        running = Agent(process, directory, config)
        if serving:
            running.until("it serves", lambda: running.urls)
        if serving and ready:
            running.until("it is ready", lambda: running.get("-/ready").status == 200)
        yield running
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)  # a test may have stopped it
        process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def one_check(name: str, probe: str, **keys: object) -> str:
    """A table of hacheck.toml."""
    lines = [f"[check.{name}]", f'probe = "{probe}"']
    lines += [f"{key} = {_toml(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value) if isinstance(value, (int, float)) else f'"{value}"'
