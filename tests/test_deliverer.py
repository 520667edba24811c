"""Where no agent runs, the first notify of a storm sees to it that everything is told, by one process that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks import deliverer, delivering, journal
from hachecks.delivering import is_delivering
from hachecks.proc import process_start
from hachecks.queue_state import queues
from hachecks.state import boot_id
from hachecks.transition import TICKS, Transition
from tests.cli import ROOT, hacheck
from tests.logdaemons import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Node:
    """A node's state directory and configuration."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.state.mkdir()
        self.config = directory / "hacheck.toml"
        self.log = self.state / "transitions.log"
        self.environ = {
            "HACHECK_STATE_DIR": str(self.state),
            "HACHECK_CONFIG": str(self.config),
            "KEEPALIVED_CONFIG": "/dev/null",
            "NODE_NAME": "node-1",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
        }

    def notify(self, *words: str) -> subprocess.Popen[bytes]:
        """As Keepalived starts it."""
        return subprocess.Popen([sys.executable, "-m", "hachecks", "notify", *words], env=self.environ)

    def record(self, name: str, state: str = "MASTER") -> None:
        """Record without starting anybody."""
        started, pid = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS), os.getpid()
        one = Transition("INSTANCE", name, state, 100, boot=boot_id(), started=started, pid=pid)
        journal.append(one, self.environ)

    def deliver(self) -> subprocess.Popen[bytes]:
        """A deliverer that this test can see."""
        words = [sys.executable, "-m", "hachecks", "deliver"]
        return subprocess.Popen(words, env=self.environ, stdout=subprocess.DEVNULL)

    def lines(self) -> list[str]:
        """What the log says of this node's events."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if " INSTANCE V" in line]  # other tests may leave theirs in /dev/shm

    def delivering(self) -> int:
        """The process that the mark names."""
        mark = self.state / delivering.MARK
        eventually(lambda: mark.exists() and len(mark.read_text().split()) == 2)
        return int(mark.read_text().split()[0])


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    one = Node(tmp_path)
    yield one
    if delivering.is_delivering(str(one.state)):
        os.kill(one.delivering(), signal.SIGKILL)


def interpreter_start() -> float:
    began = time.monotonic()
    hacheck("version")
    return time.monotonic() - began


def test_without_a_configuration_there_is_a_line_in_the_log(node: Node) -> None:
    for words in (("BACKUP", "MASTER"), ("FAULT",)):
        for state in words:
            assert node.notify("INSTANCE", "VI_1", state, "100").wait(20) == 0
    eventually(lambda: len(node.lines()) == 3, node.lines)
    assert [line.partition(" ")[2] for line in node.lines()] == [
        "node-1 INSTANCE VI_1 BACKUP priority 100",
        "node-1 INSTANCE VI_1 MASTER (was BACKUP) priority 100",
        "node-1 INSTANCE VI_1 FAULT (was MASTER) priority 100",
    ]


def test_a_single_fault_is_told_within_a_second_and_a_half(node: Node) -> None:
    for _ in range(3):
        start = interpreter_start()
        before = len(node.lines())
        began = time.monotonic()
        notifying = node.notify("INSTANCE", "VI_1", "FAULT", "100")
        eventually(lambda before=before: len(node.lines()) > before)  # type: ignore[misc]
        took = time.monotonic() - began - 2 * start  # notify's own, and the deliverer's
        notifying.wait(10)
        if took <= 1.5:
            return
        os.kill(node.delivering(), signal.SIGKILL)
    pytest.fail(f"{took:.2f} s")


def test_a_hundred_at_once_are_all_told_once(node: Node) -> None:
    processes = [node.notify("INSTANCE", f"VI_{number}", "FAULT", "100") for number in range(100)]
    assert [process.wait(60) for process in processes] == [0] * 100
    eventually(lambda: len(node.lines()) >= 100, node.lines)
    names = [line.split()[3] for line in node.lines()]
    assert sorted(names) == sorted(f"VI_{number}" for number in range(100))


def test_the_deliverer_ends_by_itself_and_no_other_runs_beside_it(node: Node) -> None:
    node.record("VI_1")
    first = node.deliver()
    assert node.delivering() == first.pid
    began = time.monotonic()
    assert node.deliver().wait(10) == 0
    assert time.monotonic() - began < 3
    assert first.poll() is None
    assert first.wait(20) == 0
    assert not (node.state / delivering.MARK).exists()
    assert len(node.lines()) == 1


def test_a_deliverer_that_was_killed_leaves_a_mark_that_deceives_nobody(node: Node) -> None:
    node.record("VI_1")
    killed = node.deliver()
    assert node.delivering() == killed.pid
    killed.kill()
    killed.wait(10)
    assert (node.state / delivering.MARK).exists()
    assert node.notify("INSTANCE", "VI_2", "FAULT", "100").wait(20) == 0
    eventually(lambda: len(node.lines()) == 2, node.lines)


def test_what_is_recorded_at_the_last_moment_is_told(node: Node) -> None:
    """The mark is there, so that nobody else is started, until the deliverer has looked once more."""
    recorded = 0
    node.record("V0")
    delivering = node.deliver()
    node.delivering()
    its_end = time.monotonic() + deliverer.QUIET + deliverer.LINGER
    while delivering.poll() is None and recorded < 3:
        time.sleep(max(0.0, its_end - time.monotonic()))
        while is_delivering(str(node.state)) and time.monotonic() < its_end + 0.2:
            time.sleep(0.001)
        if is_delivering(str(node.state)):
            recorded += 1
            node.record(f"V{recorded}")
            its_end = time.monotonic() + deliverer.QUIET + deliverer.LINGER
    assert delivering.wait(30) == 0
    assert len(node.lines()) == recorded + 1


def test_a_broken_configuration_falls_back_to_the_log_and_says_so(node: Node) -> None:
    node.config.write_text('[notifier.people]\nnotifier = "slak"\n')
    assert node.notify("INSTANCE", "VI_1", "FAULT", "100").wait(20) == 0
    eventually(lambda: len(node.lines()) == 1, node.lines)
    diary = node.state / deliverer.DIARY
    eventually(lambda: "log: wrote " in diary.read_text(), diary.read_text)
    assert f"{node.config}: [notifier.people]: no notifier slak; did you mean slack?" in diary.read_text()


def test_a_notifier_on_the_command_line_is_told_its_own_and_the_others_theirs(node: Node, tmp_path: Path) -> None:
    own = tmp_path / "own.log"
    assert node.notify("log", "--file", str(own), "INSTANCE", "VI_1", "FAULT", "100").wait(20) == 0
    assert node.notify("INSTANCE", "VI_2", "FAULT", "100").wait(20) == 0
    eventually(lambda: len(node.lines()) == 1 and own.exists(), node.lines)
    assert "VI_2" in node.lines()[0]
    assert "VI_1" in own.read_text()


def test_declared_notifiers_are_told(node: Node, tmp_path: Path) -> None:
    node.config.write_text(
        f'[notifier.file]\nnotifier = "log"\ninstances = ["VI_*"]\nfile = "{tmp_path}/all"\nlog_format = "json"\n'
        f'[notifier.run]\nnotifier = "exec"\ninstances = ["VI_*"]\n'
        f'command = ["sh", "-c", "echo $HACHECK_STATE >> {tmp_path}/ran"]\n'
    )
    for state in ("MASTER", "FAULT"):
        assert node.notify("INSTANCE", "VI_1", state, "100").wait(20) == 0
    eventually(lambda: (tmp_path / "ran").exists() and (tmp_path / "ran").read_text() == "MASTER\nFAULT\n")
    assert [json.loads(line)["state"] for line in (tmp_path / "all").read_text().splitlines()] == ["MASTER", "FAULT"]
    assert node.lines() == []


def test_everybody_may_read_what_is_written_under_keepalived_s_umask(node: Node) -> None:
    (node.state / deliverer.DIARY).touch(0o600)
    before = os.umask(0o177)
    try:
        notifying = node.notify("INSTANCE", "VI_1", "FAULT", "100")
    finally:
        os.umask(before)
    assert notifying.wait(20) == 0
    eventually(lambda: len(node.lines()) == 1, node.lines)
    eventually(lambda: any(queue.last_success for queue in queues(str(node.state))))
    closed = [path.name for path in node.state.iterdir() if path.stat().st_mode & 0o777 != 0o644]
    assert closed == ["history.lock"]


def test_a_deliverer_whose_parent_has_not_looked_after_it_is_dead(node: Node) -> None:
    child = subprocess.Popen(["sleep", "60"])
    mark = node.state / delivering.MARK
    mark.write_text(f"{child.pid} {process_start(str(child.pid))}\n")
    assert delivering.is_delivering(str(node.state))
    child.kill()
    eventually(lambda: not delivering.is_delivering(str(node.state)))
    child.wait()
