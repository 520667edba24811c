"""`hacheck run NAME` answers for the agent, or looks itself and writes the agent's track file."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.checks import answer, track_file
from hachecks.checks.answer import Answer, Asked
from hachecks.checks.guard import Guard
from hachecks.checks.schedule import Schedule
from hachecks.state import boot_id
from tests.cli import ROOT, hacheck
from tests.failover.namespace import namespace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli import Answer as Said

DECLARED = """
[check.web]
probe = "file"
path = "{directory}/there"
track_file = "{directory}/track/web"
{more}
"""
ANOTHERS = "mount -t tmpfs -o mode=755 tmpfs /run; mount -t tmpfs -o mode=1777 tmpfs /dev/shm; mkdir -p /run/node/track"
SCRIPT_USER = ["setpriv", "--reuid=64998", "--regid=64998", "--clear-groups"]
FORMER = "PASS - as the agent saw it"


class Node:
    """A node whose check passes while a file is there; the agent is whoever writes an answer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "hacheck.toml"
        self.track = directory / "track" / "web"
        self.track.parent.mkdir()
        self.state = directory / "state"
        self.state.mkdir()
        self.declare()

    def declare(self, more: str = "") -> None:
        self.config.write_text(DECLARED.format(directory=self.directory, more=more))

    def good(self, good: bool) -> None:
        (self.directory / "there").touch() if good else (self.directory / "there").unlink(missing_ok=True)

    def publish(self, good: bool = True, lasts: int = 6000) -> None:
        now = answer.now()
        asked = Asked("web", str(self.config), answer.given({}))
        answer.write(str(self.state), Answer(asked, boot_id(), now, now + lasts, good, FORMER))

    def run(self, *words: str, format: str = "") -> Said:
        return hacheck(
            "run",
            "web",
            *words,
            HACHECK_CONFIG=str(self.config),
            HACHECK_STATE_DIR=str(self.state),
            HACHECK_FORMAT=format,
        )


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.mark.parametrize("good", [True, False])
def test_a_fresh_verdict_is_given_as_its_own(node: Node, good: bool) -> None:
    node.good(not good)
    node.publish(good)
    assert node.run() == (0 if good else 1, f"{FORMER}\n", "")
    assert not node.track.exists()


def test_it_looks_itself_when_the_verdict_is_over(node: Node) -> None:
    node.publish(lasts=1)
    time.sleep(0.02)
    assert node.run().code == 1


@pytest.mark.parametrize("words", ["--format json", "--format=nagios", "-v", "--timeout 5s", "--invert"])
def test_what_the_agent_was_not_asked_is_looked_at_and_writes_no_track_file(node: Node, words: str) -> None:
    node.publish()
    said = node.run(*words.split())
    assert FORMER not in said.out
    (node.state / "answer-web").unlink()
    node.run(*words.split())
    assert not node.track.exists()


def test_a_way_to_tell_it_from_a_variable_is_obeyed(node: Node) -> None:
    node.publish()
    assert json.loads(node.run(format="json").out)["status"] == "FAIL"


@pytest.mark.parametrize("before", ["", "0\n", "1\n"])
@pytest.mark.parametrize("good", [True, False])
def test_what_it_has_found_goes_into_the_track_file(node: Node, good: bool, before: str) -> None:
    if before:
        node.track.write_text(before)
    node.good(good)
    assert node.run().code == (0 if good else 1)
    assert node.track.read_text() == ("0\n" if good else "1\n")


def test_the_weight_is_written_where_there_is_one(node: Node) -> None:
    node.declare("weight = -10")
    assert node.run().code == 1
    assert node.track.read_text() == "-10\n"


def test_a_file_that_says_it_already_is_left_alone(node: Node) -> None:
    node.track.write_text("1\n")
    before = node.track.stat()
    assert node.run().code == 1
    assert (node.track.stat().st_ino, node.track.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_agent_that_comes_back_meanwhile_is_not_written_over(node: Node) -> None:
    """It waits for the lock; when it has it, there is a fresh verdict."""
    node.track.write_text("0\n")
    guard = Guard("web", str(node.config), str(node.state), {})
    node.publish()
    assert guard.mend(Schedule(track_file=str(node.track)), False) == ""
    assert node.track.read_text() == "0\n"


def test_an_agent_stopped_with_the_lock_hinders_nobody(node: Node) -> None:
    node.track.write_text("1\n")
    node.good(True)
    lock = os.open(f"{node.track}~lock", os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert node.run().code == 0
    os.close(lock)
    assert track_file.read(str(node.track)) == 0


@pytest.mark.parametrize("hindrance", ["no-directory", "directory-in-its-place"])
def test_a_track_file_that_cannot_be_written_changes_no_verdict(node: Node, hindrance: str) -> None:
    node.good(True)
    if hindrance == "no-directory":
        node.track.parent.rmdir()
    else:
        node.track.mkdir()
        (node.track / "inside").touch()
        node.track.parent.chmod(0o755)
    said = node.run()
    assert (said.code, said.out[:4]) == (0, "PASS")
    published = (node.state / "verdict-web").read_text()
    assert ("track file" in published) is (hindrance == "no-directory")


def test_rise_and_fall_go_on_where_the_agent_was(node: Node) -> None:
    """The agent has seen two failures of three, and is killed: the guard's first is the third."""
    node.declare("fall = 3\ninterval = '1s'")
    with open("/proc/uptime") as uptime:
        now = float(uptime.read().split()[0])
    (node.state / "streak-web").write_text(f"{boot_id()} {now - 1} up 2 1.0\n")
    assert node.run().code == 1
    assert node.track.read_text() == "1\n"


def test_another_user_who_may_not_write_it_says_so_where_verdicts_are_published() -> None:
    with namespace(ANOTHERS) as space:
        space.path("/run/node/there").touch()
        space.path("/run/node/hacheck.toml").write_text(DECLARED.format(directory="/run/node", more=""))
        words = [*SCRIPT_USER, sys.executable, "-m", "hachecks", "run", "web", "--config", "/run/node/hacheck.toml"]
        done = space.run("env", f"PYTHONPATH={ROOT}", *words)
        assert (done.returncode, done.stdout[:4]) == (0, "PASS"), done
        assert "Permission denied" in space.must("sh", "-c", "cat /dev/shm/hacheck-64998/verdict-web")
