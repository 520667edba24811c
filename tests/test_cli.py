"""What the administrator sees, and what Keepalived gets."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks import argv, cli
from hachecks.checks.command_line import signature
from hachecks.checks.runner import RunOptions
from hachecks.probes.tcp import TcpProbe
from hachecks.registry import PROBES
from hachecks.settings import settings_of
from hachecks.verdict import STATUSES, Status, Verdict, in_words, one_line
from tests.cli import ROOT, hacheck
from tests.measured import measured
from tests.talker import talking
from tests.test_contracts import STARVED

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.talker import Talker


def test_json_has_status_reason_measurements_and_phases() -> None:
    told = json.loads(hacheck("file", "/etc/passwd", "--format", "json").line)
    assert told["status"] == "PASS"
    assert told["reason"].startswith("/etc/passwd exists, modified ")
    assert set(told["measured"]) == {"age_seconds", "duration_seconds"}
    assert set(told["phases"]) == {"look"}


def test_nagios_has_its_own_words_codes_and_performance_data() -> None:
    answer = hacheck("file", "/etc/passwd", "--format", "nagios")
    assert answer.line.startswith("OK - /etc/passwd exists, modified ")
    label, _, value = answer.line.rpartition(" | ")[2].split()[0].partition("=")
    assert (label, value[-1]) == ("age", "s")
    assert float(value[:-1]) > 0
    assert hacheck("file", "/nonexistent", "--format", "nagios").code == 2
    assert hacheck("file", "/etc", "--format", "nagios").code == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param("fyle /x", "no such command fyle; did you mean file? (see hacheck --help)", id="command"),
        pytest.param(
            "file /x --absnt",
            "file: no such option --absnt; did you mean --absent? (see hacheck file --help)",
            id="flag",
        ),
        pytest.param(
            "file /x --timeout 3y",
            "file: Invalid value for '--timeout': '3y' is not a duration (write 1.5s, 200ms, 5m, 1h30m or 7d) "
            "(see hacheck file --help)",
            id="unit",
        ),
        pytest.param(
            "file /x --format xml",
            "file: Invalid value for '--format': 'xml' is none of text, json, nagios (see hacheck file --help)",
            id="choice",
        ),
        pytest.param("file /x /y", "file: Got unexpected extra argument (/y) (see hacheck file --help)", id="argument"),
        pytest.param(
            "file /x --timeout",
            "file: Option '--timeout' requires an argument. (see hacheck file --help)",
            id="no-value",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_it_and_what_is_right(words: str, message: str) -> None:
    assert hacheck(*words.split()) == (2, "", f"hacheck: {message}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            [], "nothing is asked; write hacheck PROBE TARGET, or hacheck run NAME (see hacheck --help)", id=""
        ),
        pytest.param(["ipfailover"], "run (see hacheck ipfailover --help)", id="group"),
        pytest.param(["ipfailover", "plann"], "ipfailover: no such command plann; did you mean plan?", id="in-a-group"),
        pytest.param(["--"], "nothing is asked; write hacheck PROBE TARGET, or hacheck run NAME", id="dashes"),
        pytest.param([""], "no such command '' (see hacheck --help)", id="an-empty-word"),
        pytest.param(["all", "web", "switch"], "no such command all (see hacheck --help)", id="all"),
        pytest.param(["any"], "no such command any", id="any"),
        pytest.param(["run"], "run: NAME is missing", id="run"),
        pytest.param(["run", "web", "--config", "/dev/null"], "/dev/null: no check web", id="no-checks"),
        pytest.param(["checks", "--config", "/dev/null"], "/dev/null: it declares neither a check nor", id="empty"),
        pytest.param(["http"], "http: URL is missing", id="http"),
        pytest.param(["tcp"], "tcp: TARGET is missing", id="tcp"),
        pytest.param(
            ["tcp", ""], "tcp: Invalid value for 'TARGET': nothing is given; was a variable empty?", id="tcp-to-nothing"
        ),
        pytest.param(
            ["file", ""], "file: Invalid value for 'PATH': nothing is given; was a variable empty?", id="no-path"
        ),
        pytest.param(["file", "-v"], "file: PATH is missing", id="file"),
    ],
)
def test_what_asks_nothing_is_no_pass(words: list[str], message: str) -> None:
    answer = hacheck(*words)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("name", [*PROBES, "run"])
def test_a_variable_that_is_empty_names_no_target(name: str) -> None:
    (target,) = (setting for setting in settings_of(signature(name)[0]) if setting.positional)
    empty = {target.variable(name): ""}
    assert hacheck(name, timeout=60, **empty) == (2, "", f"hacheck: {name}: {target.flag} is missing\n")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["tcp", "-h", "10.0.0.5:80"], id="as-other-programs-name-the-host"),
        pytest.param(["file", "/etc/passwd", "--help"], id="last"),
        pytest.param(["run", "web", "--help"], id="run"),
        pytest.param(["--help", "file", "/etc/passwd"], id="first"),
        pytest.param(["--version", "file", "/etc/passwd"], id="version"),
    ],
)
def test_help_beside_a_check_is_shown_and_is_no_pass(words: list[str]) -> None:
    answer = hacheck(*words)
    assert answer.code == 2
    assert answer.err.endswith(": this shows help, and checks nothing\n")
    assert answer.out.startswith(("Usage: ", "hacheck "))


def test_help_for_nobody_is_no_error_of_python() -> None:
    for words in ("--help", "tcp --help", "--version"):
        script = f"'{sys.executable}' -m hachecks {words} >/dev/full"
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        done = subprocess.run(["/bin/sh", "-c", script], env=environ, capture_output=True, timeout=60, check=False)
        assert done.returncode == 1
        assert done.stderr == b""


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="none"),
        pytest.param(["log", "--file", "/tmp/x"], id="a-notifier"),
        pytest.param(["MASTER"], id="a-state-alone"),
    ],
)
def test_notify_without_keepalived_s_words_says_which_of_its_scripts_have_them(words: list[str]) -> None:
    answer = hacheck("notify", *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "hacheck: notify: Keepalived said nothing: notify_master, notify_backup, notify_fault and notify_stop pass no "
        "words; use notify, or write them, as in: hacheck notify INSTANCE VI_1 MASTER (see hacheck notify --help)\n"
    )


def test_no_character_of_what_is_told_acts_on_the_screen(tmp_path: Path) -> None:
    clear, backwards = "\x1b[2J", "\u202e"
    answer = hacheck("file", f"/{clear}{backwards}/x", "--absent")
    assert answer.line == r"PASS - /\x1b[2J\u202e/x does not exist"
    assert hacheck(f"{clear}{backwards}").err == "hacheck: no such command \\x1b[2J\\u202e (see hacheck --help)\n"
    path = tmp_path / "hacheck.toml"
    path.write_text('[check.a]\nprobe = "file"\npath = "/\\u001b[2J\\u202e"\n', encoding="utf-8")
    assert hacheck("checks", "--config", path).line == r"a  file  /\x1b[2J\u202e"
    path.write_text('[check."\\u001b"]\n', encoding="utf-8")
    assert hacheck("checks", "--config", path).err.endswith("[check.\\x1b]: a name has letters, digits, - and _ only\n")


def test_a_variable_that_is_wrong_is_named() -> None:
    answer = hacheck("file", "/x", HACHECK_TIMEOUT="soon")
    assert answer == (
        2,
        "",
        "hacheck: HACHECK_TIMEOUT: 'soon' is not a duration (write 1.5s, 200ms, 5m, 1h30m or 7d)\n",
    )


def test_help_lists_every_probe_without_importing_one() -> None:
    answer = hacheck("--help")
    assert answer.code == 0
    for name, entry in PROBES.items():
        assert f"{name} " in answer.out
        assert entry.summary in answer.out


@pytest.mark.parametrize("name", [*PROBES, "run", "checks", "version"])
def test_every_command_has_help(name: str) -> None:
    answer = hacheck(name, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: hacheck {name}")


@pytest.mark.parametrize("name", PROBES)
def test_the_summary_is_the_first_line_of_the_help(name: str) -> None:
    probe = PROBES[name].load()
    assert (probe.__doc__ or "").splitlines()[0] == PROBES[name].summary


def run_shell(command: str) -> subprocess.CompletedProcess[bytes]:
    script = f"'{sys.executable}' -m hachecks file /etc/passwd {command}"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.run(["/bin/sh", "-c", script], env=environ, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "redirection",
    [
        pytest.param(">/dev/full", id="full-disk"),
        pytest.param(">&-", id="closed-stdout"),
        pytest.param("<&- >&- 2>&-", id="everything-closed"),
        pytest.param("--format json >/dev/full", id="full-disk-json"),
    ],
)
def test_nobody_listening_turns_no_pass_into_another_code(redirection: str) -> None:
    assert run_shell(redirection).returncode == 0


def test_a_closed_pipe_turns_no_pass_into_another_code() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "hachecks", "file", "/etc/passwd"], stdout=write, stderr=write, cwd=ROOT
    )
    os.close(write)
    assert process.wait(60) == 0


def test_a_pipe_that_nobody_empties_turns_no_pass_into_another_code() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, bytes(65536))
    os.set_blocking(write, True)
    words = [sys.executable, "-m", "hachecks", "file", "/etc/passwd"]
    process = subprocess.Popen(words, stdout=write, stderr=write, cwd=ROOT)
    os.close(write)
    try:
        assert process.wait(30) == 0
    finally:
        os.close(read)


def test_a_check_is_ended_by_sigterm_and_that_is_no_pass() -> None:
    asked = threading.Event()

    def say_nothing(connection: socket.socket, _talker: Talker) -> None:
        asked.set()
        connection.recv(1)

    with talking(say_nothing) as talker:
        words = [sys.executable, "-m", "hachecks", "tcp", talker.address, "--expect", "x", "--timeout", "30s"]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert asked.wait(30)
            process.terminate()
            assert process.wait(30) == -15


def say_many_a(connection: socket.socket, _talker: Talker) -> None:
    connection.sendall(b"a" * 40 + b"!")
    connection.recv(1)


def test_a_check_in_a_loop_that_never_ends_is_ended_in_time_with_a_line() -> None:
    # This pattern takes years over this text; only the watchdog can end it.
    with talking(say_many_a) as talker:
        words = ("tcp", talker.address, "--expect-regex", "(a+)+$", "--timeout", "2s")
        run = measured(sys.executable, "-m", "hachecks", *words)
    assert (run.code, run.err) == (1, "")
    assert run.out == f"FAIL - {talker.address} was not judged within 2 s\n" or run.starved > STARVED


@given(st.text())
def test_a_reason_is_one_printable_line_of_bounded_length(text: str) -> None:
    line = one_line(text)
    assert line == "" or line.isprintable()
    assert len(line) <= 400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0004, "0.4 ms"),
        (0.012, "12 ms"),
        (1.5, "1.5 s"),
        (59.96, "60 s"),
        (180, "3 min"),
        (7300, "2 h"),
        (1e6, "12 days"),
    ],
)
def test_a_duration_is_told_as_people_say_it(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize("status", STATUSES)
def test_performance_data_has_units_that_nagios_knows(status: Status) -> None:
    verdict = Verdict(status, "x", {"size_bytes": 10, "duration_seconds": 0.5, "rows_count": 3}, {"connect": 0.25})
    assert cli.perfdata(verdict) == "size=10B duration=0.5s rows_count=3 connect=0.25s"


@given(st.lists(st.text(max_size=10), max_size=6))
def test_any_words_are_read_or_left_to_click(words: list[str]) -> None:
    values = argv.read(words, [TcpProbe, RunOptions])
    assert values is None or set(values) <= {*TcpProbe.__settings__, *RunOptions.__settings__}  # type: ignore[attr-defined]
