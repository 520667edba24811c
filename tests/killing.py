"""Kills writers and the deliverer at random, and tells, as JSON, what was acknowledged and how often it was killed.

A process of its own, with one thread, since it forks hundreds of others: `killing.py DIRECTORY SECONDS`. What was
delivered is in DIRECTORY/sink. With DIRECTORY/hacheck, an executable, its shell is a writer too.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hachecks.delivery import deliverer, starting
from hachecks.delivery.storm import Pace
from hachecks.node import node_of
from hachecks.proc import process_start
from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.transition import Transition

if TYPE_CHECKING:
    from collections.abc import Callable

WRITERS = 4
ENOUGH, FEW = 1000, 20
"""Kills of all (and records that were acknowledged), and of deliverers, that there are to be, however busy it is."""
SHELL_KILLS = 300
CONFIGURATION = """
[notifier.sink]
notifier = "log"
file = "{directory}/sink"
log_format = "json"
rate = "10ms"
"""


class Killing:
    """The processes that live, what they have acknowledged, and how many were killed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = {"HACHECK_STATE_DIR": str(directory), "PATH": "/usr/bin:/bin"}
        self.config = str(directory / "hacheck.toml")
        Path(self.config).write_text(CONFIGURATION.format(directory=directory))
        self.reading, self.acknowledging = os.pipe()
        os.set_blocking(self.reading, False)
        self.heard = b""
        self.acknowledged: set[str] = set()
        self.kills = {"writers": 0, "deliverers": 0, "shells": 0}
        self.number = 0

    def fork(self, act: Callable[[], None]) -> int:
        """A process that does this."""
        pid = os.fork()
        if pid:
            return pid
        try:
            act()
        finally:
            os._exit(0)

    def writer(self) -> int:
        """A process that records as fast as it can."""
        self.number += 1
        prefix = f"kill-{self.number}"

        def write() -> None:
            started, pid, boot = process_start(), os.getpid(), boot_id()
            for count in range(50):
                name = f"{prefix}-{count}"
                one = Transition("INSTANCE", name, "MASTER", 100, boot=boot, started=started, pid=pid)
                journal.append(one, node_of(self.environ).places)
                os.write(self.acknowledging, f"{name}\n".encode())
                time.sleep(0.01)

        return self.fork(write)

    def deliverer(self) -> int:
        """A process that delivers, with less patience than on a node, so that it is killed where it matters."""

        def deliver() -> None:
            pace = Pace(storm_quiet=0.01, longest_storm=0.05, look_interval=0.005)
            node = node_of({**self.environ, "HACHECK_CONFIG": self.config})
            deliverer.deliver(node, lambda _: None, pace, idle_exit_seconds=0.5)

        return self.fork(deliver)

    def kill(self, pid: int, kind: str) -> None:
        """End it as nothing can be prepared for."""
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self.kills[kind] += os.WIFSIGNALED(status)

    def hear(self) -> None:
        """Note what has been acknowledged."""
        try:
            while data := os.read(self.reading, 65536):
                self.heard += data
        except BlockingIOError:
            pass
        *names, self.heard = self.heard.split(b"\n")
        self.acknowledged.update(map(bytes.decode, names))

    def rage(self, seconds: float) -> None:
        """Kill writers every few milliseconds, and the deliverer every now and then; longer where that takes longer."""
        until = time.monotonic() + seconds
        writers = [self.writer() for _ in range(WRITERS)]
        process, its_end = self.deliverer(), 0.0
        while time.monotonic() < until or not self._is_enough():
            time.sleep(random.uniform(0.001, 0.012))
            self.kill(writers.pop(0), "writers")
            writers.append(self.writer())
            if time.monotonic() > its_end:
                self.kill(process, "deliverers")
                process, its_end = self.deliverer(), time.monotonic() + random.uniform(0.05, 1.0)
            self.hear()
        for pid in writers:
            self.kill(pid, "writers")
        self.kill(process, "deliverers")
        self.hear()

    def _is_enough(self) -> bool:
        kills, acknowledged = sum(self.kills.values()), len(self.acknowledged)
        return kills >= ENOUGH and self.kills["deliverers"] >= FEW and acknowledged >= ENOUGH

    def rage_against_the_shell(self, executable: Path) -> None:
        """Kill `sh hacheck notify`, while we pose as the deliverer."""
        (self.directory / starting.MARK).write_text(f"{os.getpid()} {process_start()}\n")
        for number in range(SHELL_KILLS):
            words = ["sh", str(executable), "notify", "INSTANCE", f"shell-{number}", "MASTER", "100"]
            process = subprocess.Popen(words, env=self.environ)
            time.sleep(random.uniform(0, 0.004))
            process.kill()
            if process.wait() == 0:
                self.acknowledged.add(f"shell-{number}")
            else:
                self.kills["shells"] += 1

    def finish(self) -> None:
        """Let one deliverer end in peace."""
        _, status = os.waitpid(self.deliverer(), 0)
        assert status == 0, status


def main() -> None:
    killing = Killing(Path(sys.argv[1]))
    killing.rage(float(sys.argv[2]))
    executable = killing.directory / "hacheck"
    if executable.exists():
        killing.rage_against_the_shell(executable)
    killing.finish()
    print(json.dumps({"kills": killing.kills, "acknowledged": sorted(killing.acknowledged)}))


if __name__ == "__main__":
    main()
