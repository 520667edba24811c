"""A run leaves its verdict for others, and looks after the delivery that a kill has interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from hachecks.delivery.starting import MARK, is_delivering
from hachecks.transitions import journal
from hachecks.transitions.transition import Transition
from tests.cli import hacheck
from tests.logdaemons import eventually
from tests.nodes import places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory, with what was recorded there and told nobody."""
    directory = tmp_path / "state"
    directory.mkdir()
    journal.append(Transition.of_now("INSTANCE", "VI_1", "FAULT"), places(directory))
    yield directory
    if is_delivering(str(directory)):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has told all, and ends just now
            os.kill(int((directory / MARK).read_text().split()[0]), signal.SIGKILL)


def leave_the_mark_of_a_killed_one(directory: Path, seconds_ago: float) -> None:
    with subprocess.Popen(["true"]) as gone:
        (directory / MARK).write_text(f"{gone.pid} 1\n")
    at = time.time() - seconds_ago
    os.utime(directory / MARK, (at, at))


def run_a_check(directory: Path) -> None:
    config = directory / "hacheck.toml"
    assert hacheck("file", "/etc/passwd", "--state-dir", directory, HACHECK_CONFIG=str(config)).code == 0


def told(directory: Path) -> str:
    log = directory / "transitions.log"
    return log.read_text() if log.exists() else ""


def test_a_check_starts_a_deliverer_in_the_place_of_one_that_was_killed(state: Path) -> None:
    leave_the_mark_of_a_killed_one(state, seconds_ago=60)
    run_a_check(state)
    eventually(lambda: "INSTANCE VI_1 FAULT" in told(state))


def test_a_check_gives_a_deliverer_that_has_just_been_started_the_time_to_say_so(state: Path) -> None:
    leave_the_mark_of_a_killed_one(state, seconds_ago=0)
    run_a_check(state)
    assert not is_delivering(str(state))
    assert (state / MARK).read_text().endswith(" 1\n")


def test_a_check_starts_nobody_where_nobody_was_killed(state: Path) -> None:
    run_a_check(state)
    assert not (state / MARK).exists()
    assert (state / "transitions.log").exists() is False
