"""A run of the tests leaves nothing running, and nothing where the machine keeps its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.cli import ROOT
from tests.conftest import BEFORE


def alone(script: str, **how: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.alone", "sh", "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90, **how)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_status_is_the_command_s(code: int) -> None:
    assert alone(f"exit {code}").returncode == code


def test_who_survives_is_named_and_ended() -> None:
    mark = f"600.{uuid.uuid4().int % 10**9}"
    done = alone(f"env -i /bin/sh -c 'PYTEST_CURRENT_TEST=x setsid sleep {mark} & setsid sleep {mark} &'")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert sorted(line.partition(" of ")[2] for line in lines) == [f"some test: sleep {mark}", f"x: sleep {mark}"]
    pids = [line.partition("process ")[2].partition(" ")[0] for line in lines]
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_who_ends_in_time_is_no_survivor() -> None:
    assert alone("setsid sleep 0.3 &").returncode == 0


def test_who_is_asked_to_end_ends_the_command() -> None:
    command = [sys.executable, "-m", "tests.alone", "sh", "-c", "echo ready; exec sleep 60"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for mounts of its own")
@pytest.mark.parametrize("directory", BEFORE)
def test_what_a_test_writes_there_is_not_the_machine_s(directory: str) -> None:
    assert os.stat(directory).st_dev != BEFORE[directory]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for mounts of its own")
def test_what_the_machine_remembers_is_not_seen() -> None:
    looking = "import os; from tests.conftest import keep_to_ourselves as keep; keep(); "
    looking += "print(os.path.exists('/run/hacheck'), os.listdir('/dev/shm'))"
    remembered = [Path("/run/hacheck/remembered"), Path("/dev/shm/remembered")]
    for path in remembered:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    try:
        done = subprocess.run([sys.executable, "-c", looking], cwd=ROOT, capture_output=True, text=True, check=True)
    finally:
        for path in remembered:
            path.unlink()
    assert done.stdout == "False []\n"


def test_what_a_test_starts_can_be_interrupted() -> None:
    child = subprocess.Popen(["sleep", "30"])
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == -signal.SIGINT


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        pytest.param({"together": True, "serial": True}, 0, id="all-is-well"),
        pytest.param({"together": False, "serial": True}, 1, id="one-that-waits-fails"),
        pytest.param({"together": True, "serial": False}, 1, id="one-that-measures-fails"),
        pytest.param({"serial": True}, 0, id="none-waits"),
        pytest.param({}, 5, id="none-at-all"),
    ],
)
def test_a_run_is_both_halves_of_it(tmp_path: Path, tests: dict[str, bool], code: int) -> None:
    lines = ["import os, pytest"]
    for name, succeeds in tests.items():
        mark = "@pytest.mark.serial\n" if name == "serial" else ""
        is_worker = f"('PYTEST_XDIST_WORKER' in os.environ) is {name != 'serial'}"
        lines.append(f"{mark}def test_{name}():\n    assert {succeeds} and {is_worker}")
    (tmp_path / "test_one.py").write_text("\n".join(lines))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    serial: alone\n")
    words = [sys.executable, "-m", "tests.run", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
