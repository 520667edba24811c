"""Where no agent runs, the first notify of a storm sees to it that everything is told, by one process that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hachecks.delivery import delivery_log, starting
from hachecks.delivery.queue_state import queues
from hachecks.node import node_of
from hachecks.proc import TICKS, process_start
from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.transition import Transition
from tests.cli import ROOT
from tests.logdaemons import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        journal.append(one, node_of(self.environ).places)

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
        mark = self.state / starting.MARK
        eventually(lambda: mark.exists() and len(mark.read_text().split()) == 2)
        return int(mark.read_text().split()[0])


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    one = Node(tmp_path)
    yield one
    with suppress(FileNotFoundError, ProcessLookupError):  # it may end by itself just now
        if starting.is_delivering(str(one.state)):
            os.kill(int((one.state / starting.MARK).read_text().split()[0]), signal.SIGKILL)


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


def test_modules_of_whoever_may_write_where_keepalived_is_are_not_ours(node: Node, tmp_path: Path) -> None:
    (tmp_path / "hachecks").mkdir()
    (tmp_path / "hachecks" / "__init__.py").write_text(f"open({str(tmp_path / 'seized')!r}, 'w')")
    words = [str(Path(sys.executable).with_name("hacheck")), "notify", "INSTANCE", "VI_1", "MASTER", "100"]
    subprocess.run(words, env=node.environ, cwd=tmp_path, check=True)
    eventually(lambda: bool(node.lines()))
    assert not (tmp_path / "seized").exists()


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
    first.send_signal(signal.SIGSTOP)  # or it might have ended before the second has begun, on a busy machine
    try:
        assert node.deliver().wait(30) == 0
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.wait(20) == 0
    assert not (node.state / starting.MARK).exists()
    assert len(node.lines()) == 1


def test_a_deliverer_that_was_killed_leaves_a_mark_that_deceives_nobody(node: Node) -> None:
    node.record("VI_1")
    killed = node.deliver()
    assert node.delivering() == killed.pid
    killed.kill()
    killed.wait(10)
    assert (node.state / starting.MARK).exists()
    assert node.notify("INSTANCE", "VI_2", "FAULT", "100").wait(20) == 0
    eventually(lambda: len(node.lines()) == 2, node.lines)


def test_the_mark_of_who_delivers_leaves_nobody_to_be_claimed(node: Node) -> None:
    claims = [node.state / "claim-0-0-12", node.state / "claim-7-99-13"]
    for claim in claims:
        claim.touch()
    node.record("VI_1")
    process = node.deliver()
    assert node.delivering() == process.pid
    assert not any(claim.exists() for claim in claims)
    process.kill()
    process.wait(10)


def test_who_has_nothing_to_do_wakes_once_a_second(node: Node) -> None:
    node.record("VI_1")
    process = node.deliver()
    eventually(lambda: any(queue.last_success for queue in queues(str(node.state))))
    eventually(lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 1)  # who told it has ended
    status = Path(f"/proc/{process.pid}/status")

    def wakes() -> int:
        return int(status.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    began, before = time.monotonic(), wakes()
    time.sleep(2.5)
    after, took = wakes(), time.monotonic() - began
    process.kill()
    process.wait(10)
    assert after - before <= took + 4, "and it may just have noted what it told"


def test_where_nothing_can_be_watched_everything_is_told(node: Node) -> None:
    node.record("VI_1", "FAULT")
    script = 'echo 0 > /proc/sys/user/max_inotify_instances; exec "$0" -m hachecks deliver'
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", script, sys.executable]
    process = subprocess.Popen(words, env=node.environ, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: len(node.lines()) == 1, node.lines)
        assert "inotify" not in " ".join(opened_by(process))
        node.record("VI_2", "FAULT")
        eventually(lambda: len(node.lines()) == 2, node.lines)
    finally:
        process.kill()
        process.wait(10)


def opened_by(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """What a process has open; it may close some of it meanwhile."""
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield os.readlink(descriptor)


def test_the_last_inode_is_the_log_s_and_not_the_claim_s(node: Node) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=3,mode=755", "none", node.state], check=True)
    try:
        node.record("VI_1", "FAULT")
        (node.state / "claim-0-0-1").touch()  # as the shell does, before it starts a deliverer
        process = node.deliver()
        eventually(node.log.exists)
        eventually(lambda: "INSTANCE VI_1 FAULT" in node.log.read_text())
        process.kill()
        process.wait(10)
    finally:
        subprocess.run(["umount", "--lazy", node.state], check=True)


def test_a_broken_configuration_falls_back_to_the_log_and_says_so(node: Node) -> None:
    node.config.write_text('[notifier.people]\nnotifier = "slak"\n')
    assert node.notify("INSTANCE", "VI_1", "FAULT", "100").wait(20) == 0
    eventually(lambda: len(node.lines()) == 1, node.lines)
    diary = node.state / delivery_log.NAME
    eventually(lambda: "log: wrote " in diary.read_text(), diary.read_text)
    assert f"{node.config}: [notifier.people]: no notifier slak; did you mean slack?" in diary.read_text()


def test_a_notifier_on_the_command_line_is_told_its_own_and_the_others_theirs(node: Node, tmp_path: Path) -> None:
    own = tmp_path / "own.log"
    assert node.notify("log", "--file", str(own), "INSTANCE", "VI_1", "FAULT", "100").wait(20) == 0
    assert node.notify("INSTANCE", "VI_2", "FAULT", "100").wait(20) == 0
    eventually(lambda: len(node.lines()) == 1 and own.exists() and "VI_1" in own.read_text(), node.lines)
    assert "VI_2" in node.lines()[0]
    assert "VI_2" not in own.read_text()


def test_declared_notifiers_are_told(node: Node, tmp_path: Path) -> None:
    node.config.write_text(
        f'[notifier.file]\nnotifier = "log"\ninstances = ["VI_*"]\nfile = "{tmp_path}/all"\nlog_format = "json"\n'
        f'[notifier.run]\nnotifier = "exec"\ninstances = ["VI_*"]\n'
        f'command = ["sh", "-c", "echo $HACHECK_STATE >> {tmp_path}/ran"]\n'
    )
    for state in ("MASTER", "FAULT"):
        assert node.notify("INSTANCE", "VI_1", state, "100").wait(20) == 0
    everything, ran = tmp_path / "all", tmp_path / "ran"
    eventually(lambda: ran.exists() and ran.read_text() == "MASTER\nFAULT\n")
    eventually(lambda: everything.exists() and everything.read_text().count("\n") == 2)
    assert [json.loads(line)["state"] for line in everything.read_text().splitlines()] == ["MASTER", "FAULT"]
    assert node.lines() == []


def test_everybody_may_read_what_is_written_under_keepalived_s_umask(node: Node) -> None:
    (node.state / delivery_log.NAME).touch(0o600)
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
    mark = node.state / starting.MARK
    mark.write_text(f"{child.pid} {process_start(str(child.pid))}\n")
    assert starting.is_delivering(str(node.state))
    child.kill()
    eventually(lambda: not starting.is_delivering(str(node.state)))
    child.wait()


RECORDING_AT_THE_LAST_MOMENT = """
import os, sys
from hachecks import cli
from hachecks.transitions.journal import append
from hachecks.transitions.transition import Transition
from hachecks.node import node_of

def watch(event, words):
    if event == "os.remove" and str(words[0]).endswith("/delivering") and os.path.exists(words[0]) and moments:
        moments.pop()
        # The mark is still there: whoever records now starts nobody.
        append(Transition.of_now("INSTANCE", "V_LAST", "FAULT"), node_of(os.environ).places)

moments = [1]
sys.addaudithook(watch)
sys.exit(cli.dispatch(["deliver"], os.environ))
"""


def test_what_is_recorded_between_the_last_look_and_the_end_of_the_mark_is_told(node: Node) -> None:
    node.record("V_FIRST")
    words = [sys.executable, "-c", RECORDING_AT_THE_LAST_MOMENT]
    subprocess.run(words, env=node.environ, stdout=subprocess.DEVNULL, timeout=40, check=True)
    assert [line.split()[3] for line in node.lines()] == ["V_FIRST", "V_LAST"]


def test_a_full_disk_is_said_once_and_keeps_nobody_from_being_told(node: Node, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640k,mode=755", "tmpfs", node.state], check=True)
    try:
        node.log = tmp_path / "all"
        node.config.write_text(f'[notifier.file]\nnotifier = "log"\nfile = "{node.log}"\nrate = "10ms"\n')
        node.record("V0")
        journal.preallocate(str(node.state / "journal"))
        first = node.deliver()
        eventually(lambda: len(node.lines()) == 1, node.lines)
        with pytest.raises(OSError, match="No space left"):
            (node.state / "filler").write_bytes(bytes(2**20))
        for number in range(1, 4):
            node.record(f"V{number}")
            eventually(lambda number=number: len(node.lines()) == number + 1, node.lines)  # type: ignore[misc]
        (node.state / "filler").unlink()
        node.record("V4")
        eventually(lambda: len(node.lines()) == 5, node.lines)
        eventually(lambda: [queue.delivered_up_to for queue in queues(str(node.state))] == [5])  # or it tells V4 again
        first.kill()
        first.wait(10)
        second = node.deliver()
        node.record("V5")
        eventually(lambda: len(node.lines()) == 6, node.lines)
        second.kill()
        second.wait(10)
        assert [line.split()[3] for line in node.lines()] == [f"V{number}" for number in range(6)]
    finally:
        subprocess.run(["umount", node.state], check=True)


def test_a_journal_of_a_hundred_thousand_records_is_delivered_in_little_memory(node: Node, tmp_path: Path) -> None:
    node.config.write_text(
        f'[notifier.file]\nnotifier = "log"\nfile = "{tmp_path}/all"\nrate = "1ms"\nstates = ["STOP"]\n'
        '[notifier.away]\nnotifier = "webhook"\nurl = "http://127.0.0.1:1/"\n'
    )
    count = 100_000
    one = Transition.of_now("INSTANCE", "VI_1", "MASTER")
    with (node.state / "journal").open("wb") as file:
        for number in range(count):
            one.pid, one.state = number, ("MASTER", "BACKUP")[number % 2]
            file.write(one.record())
        one.pid, one.state = count, "STOP"
        file.write(one.record())
    process = node.deliver()
    told = tmp_path / "all"
    until = time.monotonic() + 300
    while not (told.exists() and told.read_text().endswith("\n")):
        assert time.monotonic() < until
        time.sleep(0.1)
    peak = next(
        line.split()[1] for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line
    )
    process.kill()
    process.wait(10)
    assert told.read_text().count("\n") == 1
    assert int(peak) < 80 * 1024
