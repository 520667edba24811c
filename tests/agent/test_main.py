"""The agent's life: it begins with whatever hacheck.toml there is, reads it again, and ends within a second."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import agent, one_check
from tests.servers import Silent

if TYPE_CHECKING:
    from tests.agent.running import Agent


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


def file_check(state: Path, name: str = "there", **keys: object) -> str:
    (state / name).touch()
    return one_check(name, "file", path=str(state / name), interval="100ms", **keys)


def ready(running: Agent) -> str:
    answer = running.get("-/ready")
    assert (answer.status == 200) == (answer.body == b"ready\n")
    return answer.body.decode()


def test_a_bad_configuration_leaves_the_checks_to_others_until_it_is_mended(state: Path) -> None:
    with agent("[check.web]\nprobe = 'htp'\n", state, ready=False) as running:
        running.until("it says so", lambda: "no check runs here" in ready(running))
        assert "[check.web]" in ready(running)
        assert running.get("-/healthy").status == 200
        (told,) = (line for line in running.lines if "no check runs here" in line)
        assert told.endswith("mend it and send SIGHUP")
        running.declare(file_check(state))
        running.until("it is ready", lambda: ready(running) == "ready\n")
        assert running.fresh("there")


def test_a_bad_configuration_at_a_reload_keeps_the_one_before(state: Path) -> None:
    with agent(file_check(state), state) as running:
        for bad in ("[check.there\n", "[check.other]\nprobe = 'htp'\n", "[notifier.x]\nnotifier = 'slak'\n"):
            lines = len(running.lines)
            running.declare(bad)
            running.until("it says so", lambda at=lines: len(running.lines) > at)
            assert running.lines[-1].endswith("; what it said before is still done")
        (state / "there").unlink()
        running.until("it still looks", lambda: (found := running.fresh("there")) and not found.good)
        assert ready(running) == "ready\n"


def test_without_a_configuration_it_serves_and_says_what_is_missing(state: Path) -> None:
    with agent("", state, "--config", str(state / "nowhere.toml"), ready=False) as running:
        running.until("it says so", lambda: "nowhere.toml" in ready(running))


def test_whoever_asks_for_a_reload_while_it_starts_does_not_end_it(state: Path) -> None:
    with agent(file_check(state), state, ready=False, serving=False) as running:
        status = Path(f"/proc/{running.process.pid}/status")
        ignored_or_caught = re.compile(r"Sig(Ign|Cgt):\t[0-9a-f]*[13579bdf]\n")
        running.until("it has begun", lambda: ignored_or_caught.search(status.read_text()))
        running.signal()
        running.until("it serves", lambda: running.urls)
        running.until("it is ready", lambda: ready(running) == "ready\n")


def test_a_storm_of_reloads_leaves_time_for_all_else_and_for_its_end(state: Path) -> None:
    (state / "there").touch()
    many = "".join(one_check(f"c{number}", "file", path=str(state / "there")) for number in range(1000))
    with agent(many, state) as running:
        for _ in range(300):  # each takes a tenth of a second
            running.signal()
            time.sleep(0.005)
        began = time.monotonic()
        assert running.get("-/healthy").status == 200
        running.declare(many + file_check(state, "new"))
        running.until("the last one counts", lambda: running.fresh("new"))
        for _ in range(20):
            running.signal()
        running.signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
        assert time.monotonic() - began < 15


def test_it_outlives_that_it_may_open_no_file(state: Path) -> None:
    """Whatever part of it wants one: it says so, and goes on when it may."""
    drain = state / "drain"
    drain.write_text("0\n")
    with agent(file_check(state), state, "--drain-file", str(drain), "--peer", "http://127.0.0.1:9/") as running:
        pid = running.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        running.until("it misses some", lambda: sum("Too many open files" in line for line in running.lines) >= 2)
        running.declare(file_check(state, "new"))  # which cannot be read
        running.until(
            "that is told", lambda: any("what it said before is still done" in line for line in running.lines)
        )
        if os.geteuid() == 0:  # else it does not hear the segment
            running.until(
                "the last part has looked", lambda: any("segment: Too many" in line for line in running.lines)
            )
        assert running.process.poll() is None
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        running.signal()
        running.until("it does all again", lambda: running.fresh("new") and ready(running) == "ready\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_whatever_its_threads_do(state: Path, number: int) -> None:
    with Silent() as server:
        url = f"http://127.0.0.1:{server.port}/"
        hanging = one_check("hanging", "http", url=url, timeout="1h", interval="1h")
        with agent(hanging + file_check(state), state, ready=False) as running:
            running.until("one has run", lambda: running.fresh("there"))
            running.until("the other one runs", lambda: "hanging" in ready(running))
            began = time.monotonic()
            running.signal(number)
            assert running.process.wait(30) == 0
            assert time.monotonic() - began < 10  # a second, where the machine has nothing else to do
            assert running.answer("there")  # which is left to expire


def test_a_second_one_with_the_same_state_says_so_and_ends(state: Path) -> None:
    with agent(file_check(state), state) as running:
        words = ["--listen", "127.0.0.1:0", "--state-dir", str(state), "--config", str(running.config)]
        command = [sys.executable, "-m", "hachecks", "agent", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert done.stderr == (
            f"hacheck: agent: another agent of this user runs with the state directory {state}; "
            "end it, or choose --state-dir\n"
        )
        running.process.kill()
        running.process.wait(30)
        with agent(file_check(state), state) as next_one:
            assert next_one.process.poll() is None
