"""A command is run for each event, in order, in time, and again only when it is worth it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.deadline import Deadline
from hachecks.messages.not_delivered import NotDelivered
from hachecks.notifiers.exec import ExecNotifier
from tests.cli import ROOT, hacheck
from tests.events import event, message, storm
from tests.logdaemons import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from hachecks.messages.message import Message

    Script = Callable[[str], str]

BASES = ("--command /x",)


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A shell script of these lines, in a directory whose name holds a blank."""

    def write(lines: str) -> str:
        directory = tmp_path / "my scripts"
        directory.mkdir(exist_ok=True)
        path = directory / "notify.sh"
        path.write_text(f"#!/bin/sh\ncd '{tmp_path}'\n{lines}\n")
        path.chmod(0o755)
        return str(path)

    return write


def notifier(path: str, **more: Any) -> ExecNotifier:
    return ExecNotifier(command=("sh", path), **more)


def send(one: ExecNotifier, told: Message, seconds: float = 30) -> str:
    return one.send(told, Deadline.after(seconds))


def failure(one: ExecNotifier, told: Message, seconds: float = 30) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        send(one, told, seconds)
    return raised.value


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


FLAP = (
    event("a", "FAULT", "MASTER", number=1),
    event("b", "FAULT", "MASTER", number=2),
    event("a", "BACKUP", "FAULT", number=3),
    event("a", "MASTER", "BACKUP", number=4),
)


def test_it_gets_keepaliveds_words_and_everything_known(script: Script, tmp_path: Path) -> None:
    path = script('env | grep ^HACHECK_ | sort > environment; printf "%s|" "$@" > words; echo done')
    told = message(event(name="VI 1"), vips={"VI 1": ["10.0.0.1", "fd00::1"]}, why="port 443 refused")
    assert send(ExecNotifier(command=("sh", path, "first word")), told) == "ran 1 command: done"
    assert (tmp_path / "words").read_text() == "first word|INSTANCE|VI 1|FAULT|100|"
    known = dict(line.split("=", 1) for line in lines(tmp_path / "environment"))
    assert (
        known
        | {
            "HACHECK_KIND": "INSTANCE",
            "HACHECK_NAME": "VI 1",
            "HACHECK_STATE": "FAULT",
            "HACHECK_BEFORE": "MASTER",
            "HACHECK_PRIORITY": "100",
            "HACHECK_VIPS": "10.0.0.1 fd00::1",
            "HACHECK_NODE": "node-1",
            "HACHECK_SEVERITY": "critical",
            "HACHECK_AT": "2026-11-22T17:00:00.250Z",
            "HACHECK_EPOCH": "1795366800",
            "HACHECK_SINCE": "2026-11-22T16:00:00.250Z",
            "HACHECK_REASON": "port 443 refused",
            "HACHECK_KEY": f"{1:032x}",
            "HACHECK_NUMBER": "1",
            "HACHECK_TEST": "",
            "HACHECK_DUPLICATE": "",
        }
        == known
    )


@pytest.mark.parametrize("quoted", ["sh 'PATH' x", "sh PATH\\ END x"])
def test_a_command_line_is_split_without_a_shell(script: Script, tmp_path: Path, quoted: str) -> None:
    path = script('echo "$1" > word')
    text = quoted.replace("PATH\\ END", path.replace(" ", "\\ ")).replace("PATH", path)
    send(ExecNotifier(command=(text.replace(" x", " '$(x)'"),)), message())
    assert lines(tmp_path / "word") == ["$(x)"]


def test_events_come_in_keepaliveds_order(script: Script, tmp_path: Path) -> None:
    one = notifier(script('echo "$2 $3" >> told'))
    assert send(one, message(*FLAP)) == "ran 4 commands"
    assert lines(tmp_path / "told") == ["a FAULT", "b FAULT", "a BACKUP", "a MASTER"]


def test_only_the_latest_of_each_instance_if_that_is_wanted(script: Script, tmp_path: Path) -> None:
    one = notifier(script('echo "$2 $3" >> told'), mode="latest")
    send(one, message(*FLAP))
    assert lines(tmp_path / "told") == ["b FAULT", "a MASTER"]


def test_a_late_word_turns_nothing_back(script: Script, tmp_path: Path) -> None:
    one = notifier(script('echo "$2 $3" >> told'))
    send(one, message(event("a", "MASTER", number=1), event("a", "FAULT", number=2, late=True)))
    assert lines(tmp_path / "told") == ["a MASTER"]


def test_status_75_asks_for_another_run_and_holds_back_its_instance_only(script: Script, tmp_path: Path) -> None:
    one = notifier(script('[ -e ready ] || [ "$2" != a ] || exit 75; echo "$2 $3" >> told'))
    asked = failure(one, message(*FLAP))
    assert asked.retryable
    assert str(asked) == "a FAULT: exit status 75 (1 of 4 done)"
    assert lines(tmp_path / "told") == ["b FAULT"]
    (tmp_path / "ready").touch()
    assert send(one, message(*FLAP)) == "ran 3 commands"
    assert lines(tmp_path / "told") == ["b FAULT", "a FAULT", "a BACKUP", "a MASTER"]


def test_the_latest_replaces_what_is_to_be_run_again(script: Script, tmp_path: Path) -> None:
    one = notifier(script('echo "$2 $3" >> told; [ -e ready ] || exit 75'), mode="latest")
    assert failure(one, message(FLAP[0])).retryable
    (tmp_path / "ready").touch()
    send(one, message(FLAP[0], FLAP[2]))
    assert lines(tmp_path / "told") == ["a FAULT", "a BACKUP"]


def test_any_other_status_is_final_and_the_next_event_has_its_turn(script: Script, tmp_path: Path) -> None:
    one = notifier(script('echo "$2 $3" >> told; [ "$3" != FAULT ] || { echo broken >&2; exit 3; }'))
    final = failure(one, message(*FLAP))
    assert not final.retryable
    assert str(final) == "a FAULT: exit status 3: broken; b FAULT: exit status 3: broken (2 of 4 done)"
    assert lines(tmp_path / "told") == ["a FAULT", "b FAULT", "a BACKUP", "a MASTER"]


def test_any_failure_is_tried_again_if_that_is_wanted(script: Script) -> None:
    assert failure(notifier(script("exit 3"), again=True), message()).retryable


def test_a_signal_is_a_failure(script: Script) -> None:
    assert str(failure(notifier(script("kill -9 $$")), message())) == "VI_1 FAULT: ended by signal 9"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        pytest.param(("/nonexistent",), "VI_1 FAULT: cannot be run: No such file or directory", id="absent"),
        pytest.param(("/etc/passwd",), "VI_1 FAULT: cannot be run: Permission denied", id="not-executable"),
    ],
)
def test_what_cannot_be_run_is_a_failure(command: tuple[str, ...], complaint: str) -> None:
    final = failure(ExecNotifier(command=command), message())
    assert str(final) == complaint
    assert not final.retryable


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_whole_process_group_ends_at_the_deadline(script: Script, tmp_path: Path) -> None:
    path = script(
        "trap '' TERM\n(trap '' TERM; echo $$; sh -c 'echo $$ >> pids; trap \"\" TERM; sleep 60; sleep 60') &\n"
        "echo $$ >> pids; sleep 60; sleep 60"
    )
    began = time.monotonic()
    final = failure(notifier(path), message(), seconds=3)
    assert time.monotonic() - began < 20
    assert "killed at the end of its time" in str(final)
    pids = [int(line) for line in lines(tmp_path / "pids")]
    assert len(pids) == 2
    eventually(lambda: not any(map(alive, pids)))


LATE = """
import os, sys
from hachecks.deadline import Deadline
from hachecks.services.command import run
print(run(["sh", "-c", sys.argv[1]], os.environ, Deadline.after(2)))
"""
STOPPED_BEYOND_IT = "(sleep 3; kill -CONT $PPID) >/dev/null 2>&1 & kill -STOP $PPID; echo done"


def test_what_ended_in_time_is_done_however_late_that_is_noticed() -> None:
    words = [sys.executable, "-c", LATE, STOPPED_BEYOND_IT]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "exit status 0: done\n"


def test_term_comes_before_kill(script: Script, tmp_path: Path) -> None:
    path = script("trap 'echo bye > bye; exit 1' TERM\nsleep 60 & wait")
    failure(notifier(path), message(), seconds=5)
    assert lines(tmp_path / "bye") == ["bye"]


def test_what_it_leaves_behind_is_left_alone_and_not_waited_for(script: Script, tmp_path: Path) -> None:
    path = script("sleep 60 & echo $! > pid; echo started")
    began = time.monotonic()
    assert send(notifier(path), message()) == "ran 1 command: started"
    assert time.monotonic() - began < 20
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    os.kill(pid, 9)


def test_a_hanging_command_keeps_no_other_instance_from_its_turn(script: Script, tmp_path: Path) -> None:
    one = notifier(script('[ "$2" != a ] || sleep 60; echo "$2 $3" >> told'), again=True)
    assert failure(one, message(*FLAP), seconds=2).retryable
    assert failure(one, message(*FLAP), seconds=2).retryable
    assert lines(tmp_path / "told") == ["b FAULT"]


def test_what_found_no_time_is_done_next_and_nothing_twice(script: Script, tmp_path: Path) -> None:
    one = notifier(script('sleep 0.1; echo "$2" >> told'))
    told = storm(30)
    tries = 1
    while tries < 100:
        try:
            send(one, told, seconds=2)
            break
        except NotDelivered:
            tries += 1
    assert tries > 1
    names = lines(tmp_path / "told")
    assert len(set(names)) == 30
    assert len(names) <= 30 + tries, "only the command that was killed may have come so far"


def test_its_output_is_bounded_and_one_line(script: Script) -> None:
    said = send(notifier(script("yes 'line of text' | head -c 3000000; echo; printf '\\033[31mred'")), message())
    assert len(said) <= 400
    assert "\x1b" not in said
    assert "\n" not in said


@pytest.mark.parametrize("command", [(), ("",), ("a 'b",)])
def test_a_command_that_is_none_is_refused(command: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="--command"):
        ExecNotifier(command=command)


def test_from_the_command_line(script: Script, tmp_path: Path) -> None:
    path = script('echo "$HACHECK_TEST $*" > told')
    answer = hacheck("notify", "--test", "exec", "--command", f"sh '{path}'")
    assert answer.code == 0, answer
    assert lines(tmp_path / "told") == ["1 INSTANCE VI_1 FAULT 100"]
