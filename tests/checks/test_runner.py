"""Whatever a probe does becomes a verdict that counts, in time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.checks.runner import RunOptions, conclude, run
from hachecks.checks.streak import StreakFiles
from hachecks.deadline import Deadline
from hachecks.verdict import Status, Verdict
from tests.checks.doing import Doing, buggy, failing, hindered, passing
from tests.cli import ROOT, Answer, hacheck
from tests.talker import talking

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from hachecks.checks.runner import Memory
    from tests.talker import Talker


def slow(deadline: Deadline) -> Verdict:
    with deadline.during("first_byte"):
        time.sleep(deadline.remaining())
        deadline.remaining()
    raise AssertionError


def asked(probe: Doing, options: RunOptions, memory: Memory | None = None, name: str = "x") -> Verdict:
    """The verdict of one run."""
    return run(probe, options, name, Deadline.after(options.timeout), memory)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param(passing, "PASS - it works", id="pass"),
        pytest.param(failing, "FAIL - it is broken", id="fail"),
        pytest.param(hindered, "UNKNOWN - it is dark", id="cannot-look"),
        pytest.param(slow, "FAIL - it gave no full answer within 50 ms (first byte)", id="timed-out"),
        pytest.param(buggy, "UNKNOWN - it: KeyError: 'x'", id="our-own-bug"),
    ],
)
def test_whatever_happens_becomes_a_verdict(act: Callable[[Deadline], Verdict], told: str) -> None:
    assert repr(conclude(Doing(act), Deadline.after(0.05))) == told


def test_a_phase_is_measured_also_when_it_fails() -> None:
    assert 0.1 < conclude(Doing(slow), Deadline.after(0.5)).phases["first_byte"] < 30


def test_a_failure_is_tried_again_within_the_time_left() -> None:
    probe = Doing(failing, failing, passing)
    assert repr(asked(probe, RunOptions(retries=5))) == "PASS - it works (try 3)"
    assert probe.asked == 3


def test_the_last_try_is_told_and_no_more_are_made_than_the_time_allows() -> None:
    probe = Doing(failing)
    verdict = asked(probe, RunOptions(retries=100, timeout=1.05))
    assert verdict.reason == f"it is broken (try {probe.asked})"
    assert 1 < probe.asked <= 11


def test_an_inverted_probe_must_fail_and_not_looking_is_no_failure() -> None:
    assert asked(Doing(failing), RunOptions(invert=True)).status is Status.PASS
    assert asked(Doing(passing), RunOptions(invert=True)).status is Status.FAIL
    assert asked(Doing(hindered), RunOptions(invert=True)).status is Status.UNKNOWN


def test_rise_and_fall_are_remembered_between_runs(tmp_path: Path) -> None:
    options = RunOptions(rise=2, fall=2)
    told = [
        repr(asked(Doing(act), options, StreakFiles(str(tmp_path))))
        for act in (passing, failing, failing, passing, passing)
    ]
    assert told == [
        "PASS - it works",
        "PASS - bad answer 1 of 2: it is broken",
        "FAIL - it is broken",
        "FAIL - good answer 1 of 2: it works",
        "PASS - it works",
    ]


def test_the_kind_of_a_reason_stays_with_a_verdict_whatever_becomes_of_it(tmp_path: Path) -> None:
    held = RunOptions(rise=2, fall=2)
    told = [asked(Doing(act), held, StreakFiles(str(tmp_path))) for act in (passing, hindered, hindered, passing)]
    assert [(one.status.value, one.kind) for one in told] == [
        ("PASS", ""),
        ("PASS", "config"),
        ("UNKNOWN", "config"),
        ("FAIL", "status"),
    ]
    assert asked(Doing(passing), RunOptions(invert=True)).kind == "status"
    assert asked(Doing(slow), RunOptions(timeout=0.05, retries=1)).kind == "timeout"


def test_two_checks_do_not_share_a_streak(tmp_path: Path) -> None:
    options = RunOptions(fall=2)
    memory = StreakFiles(str(tmp_path))
    asked(Doing(passing), options, memory)
    assert asked(Doing(failing), options, memory, "y").status is Status.FAIL


def test_without_a_place_to_remember_the_answer_counts_as_it_is() -> None:
    verdict = asked(Doing(passing), RunOptions(rise=2), StreakFiles("/proc/nowhere"))
    assert verdict.status is Status.PASS
    assert "no rise/fall" in verdict.reason


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--rise", "0"], "hacheck: file: --rise and --fall are at least 1\n", id="rise"),
        pytest.param(
            ["--fall", "99999999"],
            "hacheck: file: --rise and --fall are at most 1000; more never comes\n",
            id="a-fall-that-never-comes",
        ),
        pytest.param(["--timeout", "2h"], "hacheck: file: --timeout is at most 3600s\n", id="timeout"),
    ],
)
def test_options_that_make_no_check_are_refused(words: list[str], message: str) -> None:
    assert hacheck("file", "/etc/passwd", *words) == (2, "", message)


@pytest.mark.parametrize("word", ["fail", "pass"])
def test_the_user_decides_what_unknown_means(word: str) -> None:
    answer = hacheck("tcp", "127.0.0.1:9", "--interface", "nosuch0", "--on-unknown", word)
    assert answer.line == "UNKNOWN - cannot use interface nosuch0: No such device"
    assert answer.code == (0 if word == "pass" else 1)


@pytest.mark.parametrize(("word", "code"), [("fail", 3), ("pass", 0)])
def test_nagios_is_told_unknown_unless_that_is_to_pass(word: str, code: int) -> None:
    words = ("tcp", "127.0.0.1:9", "--interface", "nosuch0", "--on-unknown", word, "--format", "nagios")
    answer = hacheck(*words)
    assert answer.line.startswith("UNKNOWN - cannot use interface nosuch0: No such device | ")
    assert answer.code == code


def test_rise_and_fall_hold_between_processes(tmp_path: Path) -> None:
    heartbeat = tmp_path / "heartbeat"
    heartbeat.touch()
    words = ("file", heartbeat, "--fall", "2", "--state-dir", tmp_path / "state")
    assert hacheck(*words).code == 0
    heartbeat.unlink()
    assert hacheck(*words).line == f"PASS - bad answer 1 of 2: {heartbeat} does not exist"
    assert hacheck(*words).line == f"FAIL - {heartbeat} does not exist"


def heartbeat_check(tmp_path: Path, *words: str) -> tuple[object, ...]:
    return ("file", tmp_path / "heartbeat", "--fall", "3", "--state-dir", tmp_path / "state", *words)


def asleep(seconds: int, words: tuple[object, ...]) -> Answer:
    """The check on a node that has slept for so long, by the clock that counts sleep: in a time namespace."""
    clock = ["unshare", "--time", "--boottime", str(seconds), "--fork"]
    done = subprocess.run(
        [*clock, sys.executable, "-m", "hachecks", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("words", "seconds", "told"),
    [
        pytest.param((), 170, "PASS - bad answer 1 of 3: {} does not exist", id="for-three-minutes"),
        pytest.param(
            (),
            190,
            "FAIL - {} does not exist [rise and fall begin anew: the last run was 3 min ago]",
            id="and-no-longer",
        ),
        pytest.param(("--interval", "90s"), 260, "PASS - bad answer 1 of 3: {} does not exist", id="three-intervals"),
        pytest.param(
            ("--interval", "90s"),
            280,
            "FAIL - {} does not exist [rise and fall begin anew: the last run was 5 min ago]",
            id="no-more-than-three",
        ),
        pytest.param(("--timeout", "1m"), 590, "PASS - bad answer 1 of 3: {} does not exist", id="ten-timeouts"),
    ],
)
def test_a_streak_is_remembered_for_as_long_as_the_check_may_pause(
    tmp_path: Path, words: tuple[str, ...], seconds: int, told: str
) -> None:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, for a clock of its own")
    (tmp_path / "heartbeat").touch()
    command = heartbeat_check(tmp_path, *words)
    assert hacheck(*command).code == 0
    (tmp_path / "heartbeat").unlink()
    answer = asleep(seconds, command)
    assert answer.line == told.format(tmp_path / "heartbeat")
    assert answer.code == (0 if told.startswith("PASS") else 1)


def test_what_is_forgotten_is_told_however_long_the_reason_is(tmp_path: Path) -> None:
    options = RunOptions(fall=2)
    asked(Doing(passing), options, StreakFiles(str(tmp_path)))
    (tmp_path / "streak-x").write_text("nonsense")
    verdict = asked(Doing(lambda _: Verdict.failing("long " * 100)), options, StreakFiles(str(tmp_path)))
    assert verdict.reason.endswith("… [rise and fall begin anew: what was remembered cannot be read]")
    assert len(verdict.reason) <= 400


@pytest.mark.parametrize("forged", ["-1000000", "-1", "1e9", "0x1"])
def test_no_count_in_the_memory_makes_a_fail_a_pass_for_longer_than_fall_says(tmp_path: Path, forged: str) -> None:
    options = RunOptions(fall=3)
    asked(Doing(passing), options, StreakFiles(str(tmp_path)))
    memory = tmp_path / "streak-x"
    boot, now, way, _, gap = memory.read_text().split()
    memory.write_text(" ".join([boot, now, way, forged, gap]))
    assert [asked(Doing(failing), options, StreakFiles(str(tmp_path))).status for _ in range(3)][-1] is Status.FAIL


def test_a_memory_that_another_run_keeps_locked_changes_no_verdict(tmp_path: Path) -> None:
    options = RunOptions(fall=2)
    asked(Doing(passing), options, StreakFiles(str(tmp_path)))
    (lock,) = tmp_path.rglob("streak-x~lock")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        verdict = asked(Doing(passing), options, StreakFiles(str(tmp_path)))
    assert verdict.status is Status.PASS
    assert "[no rise/fall: " in verdict.reason


def test_a_check_that_the_watchdog_ends_counts_like_another(tmp_path: Path) -> None:
    answers = [b"aaa", b"a" * 40 + b"!", b"a" * 40 + b"!"]  # for the latter two the pattern takes years

    def say_the_next(connection: socket.socket, _talker: Talker) -> None:
        connection.sendall(answers.pop(0))
        connection.recv(1)

    with talking(say_the_next) as talker:
        words = ("tcp", talker.address, "--expect-regex", "(a+)+$", "--timeout", "2s", "--fall", "2")
        told = [hacheck(*words, "--state-dir", tmp_path) for _ in range(3)]
    assert [answer.code for answer in told] == [0, 0, 1]
    assert told[1].line == f"PASS - bad answer 1 of 2: {talker.address} was not judged within 2 s"
    assert told[2].line == f"FAIL - {talker.address} was not judged within 2 s"
