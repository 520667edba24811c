"""`hacheck agent --once`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from hachecks import state
from hachecks.checks import answer
from tests.agent.running import agent, one_check

if TYPE_CHECKING:
    from pathlib import Path

PASSING = '[check.null]\nprobe = "file"\npath = "/dev/null"\n'


def once(directory: Path, toml: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    (directory / "hacheck.toml").write_text(toml)
    command = [sys.executable, "-m", "hachecks", "agent", "--once", "--state-dir", str(directory)]
    command += ["--config", str(directory / "hacheck.toml"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def silent() -> socket.socket:
    """A server that accepts and says nothing."""
    return socket.create_server(("127.0.0.1", 0))


def test_each_check_is_told_in_the_order_of_the_file_and_published(tmp_path: Path) -> None:
    with silent() as server:
        port = server.getsockname()[1]
        slow = f'[check.slow]\nprobe = "http"\nurl = "http://127.0.0.1:{port}/"\ntimeout = "500ms"\n'
        done = once(tmp_path, f'{slow}{PASSING}[check.any]\nany = ["slow", "null"]\n')
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["slow", "null", "any"], done
    assert [line.split()[1] for line in lines] == ["FAIL", "PASS", "PASS"]
    assert (done.returncode, done.stderr) == (1, "")
    assert state.read(answer.path(state.home(str(tmp_path)), "null"))


def test_beside_an_agent_it_tells_and_leaves_what_counts_to_that(tmp_path: Path) -> None:
    """Its one answer, without rise and fall, would move VIPs."""
    there = tmp_path / "there"
    there.touch()
    keys = {"interval": "500ms", "fall": 40, "track_file": str(tmp_path / "track")}
    toml = one_check("there", "file", path=str(there), **keys)
    with agent(toml, tmp_path) as running:
        there.unlink()
        done = once(tmp_path, toml)
        assert (done.returncode, done.stdout) == (1, f"there: FAIL - {there} does not exist\n")
        assert running.track_file("track") == "0\n"
        found = running.fresh("there")
    assert found
    assert found.good


def test_it_passes_when_all_pass(tmp_path: Path) -> None:
    assert once(tmp_path, PASSING).returncode == 0


def test_checks_are_run_side_by_side(tmp_path: Path) -> None:
    with silent() as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        many = "".join(f'[check.c{number}]\nprobe = "http"\nurl = "{url}"\ntimeout = "1s"\n' for number in range(30))
        began = time.monotonic()
        done = once(tmp_path, many)
    assert done.returncode == 1
    assert time.monotonic() - began < 20, "and not for 30 seconds"


def test_a_check_that_never_returns_does_not_hold_it_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "body")
    hung = f'[check.hung]\nprobe = "http"\nurl = "http://127.0.0.1:9/"\nbody_file = "{tmp_path}/body"\n'
    done = once(tmp_path, f'{hung}timeout = "300ms"\n{PASSING}')
    assert [line.partition(" - ")[0] for line in done.stdout.splitlines()] == ["hung: FAIL", "null: PASS"], done
    assert done.returncode == 1


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    done = once(tmp_path, '[check.x]\nprobe = "fil"\n')
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1, done
