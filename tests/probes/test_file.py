"""A file as a maintenance switch, and as a heartbeat."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli import hacheck

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def switch(tmp_path: Path) -> Path:
    """A file modified ten minutes ago."""
    path = tmp_path / "switch"
    path.touch()
    ten_minutes_ago = time.time() - 600
    os.utime(path, (ten_minutes_ago, ten_minutes_ago))
    return path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param((), "PASS - {} exists, modified 10 min ago", id="present"),
        pytest.param(("--absent",), "FAIL - {} exists, modified 10 min ago", id="not-absent"),
        pytest.param(("--younger-than", "1h"), "PASS - {} exists, modified 10 min ago", id="young"),
        pytest.param(
            ("--younger-than", "5m"), "FAIL - {} exists, modified 10 min ago, longer than 5 min", id="not-young"
        ),
        pytest.param(("--older-than", "5m"), "PASS - {} exists, modified 10 min ago", id="old"),
        pytest.param(("--older-than", "1h"), "FAIL - {} exists, modified 10 min ago, less than 60 min", id="not-old"),
        pytest.param(
            ("--absent", "--expires-after", "5m"),
            "PASS - {} exists, modified 10 min ago, expired after 5 min",
            id="a-forgotten-switch-ends-by-itself",
        ),
        pytest.param(
            ("--absent", "--expires-after", "1h"), "FAIL - {} exists, modified 10 min ago", id="not-expired-yet"
        ),
    ],
)
def test_a_file_that_is_there(switch: Path, words: tuple[str, ...], told: str) -> None:
    answer = hacheck("file", switch, *words)
    assert answer.line == told.format(switch)
    assert answer.code == (0 if told.startswith("PASS") else 1)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    assert hacheck("file", path) == (1, f"FAIL - {path} does not exist\n", "")
    assert hacheck("file", path, "--absent") == (0, f"PASS - {path} does not exist\n", "")


def test_a_heartbeat_from_the_future_is_not_believed(switch: Path) -> None:
    tomorrow = time.time() + 86400
    os.utime(switch, (tomorrow, tomorrow))
    answer = hacheck("file", switch, "--younger-than", "1m")
    assert answer.line.startswith(f"UNKNOWN - {switch} was modified 24 h in the future")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert hacheck("file", tmp_path).line == f"UNKNOWN - {tmp_path} is a directory, not a file"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("etc/x",), "'etc/x' is not an absolute path (Keepalived starts checks in /)", id="relative"),
        pytest.param(
            ("/x", "--absent", "--younger-than", "1s"),
            "--absent goes with neither --younger-than nor --older-than; use --expires-after",
            id="contradiction",
        ),
        pytest.param((), "PATH is missing", id="nothing"),
    ],
)
def test_what_makes_no_question_is_refused(words: tuple[str, ...], message: str) -> None:
    assert hacheck("file", *words) == (2, "", f"hacheck: file: {message}\n")
