"""A record is read as it was written, and anything else is none."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.transition import BEYOND_PIDS, Transition
from tests.cli import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GOOD = ("1", "INSTANCE", "VI_1", "MASTER", "100", "7", "4242", "boot", "")


def with_field(at: int, value: str) -> str:
    return "\x1f".join((*GOOD[:at], value, *GOOD[at + 1 :]))


def test_a_record_says_what_was_recorded() -> None:
    one = Transition.from_record(with_field(8, "log\x1c--file\x1c/f"))
    assert (one.kind, one.name, one.state, one.priority) == ("INSTANCE", "VI_1", "MASTER", 100)
    assert (one.order, one.options) == (("boot", 4242, 7), ("log", "--file", "/f"))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, "2"), (1, "VS"), (2, ""), (3, ""), (4, "x"), (4, "-1"), (4, "1.5"), (4, "\u0663"), (5, ""), (5, "x"),
        (5, "-7"), (5, "9" * 11), (6, ""), (6, "1e3"), (6, "-1"), (6, "9" * 400), (6, "\u0664"), (6, "1_0"), (6, " 1"),
        (7, ""), (7, "x" * 65), (7, "b\x1boot"), (7, "\ufffd"),
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(at: int, value: str) -> None:
    with pytest.raises(ValueError, match=r"^no "):
        Transition.from_record(with_field(at, value))


def test_a_priority_that_no_keepalived_has_is_none() -> None:
    assert Transition.from_record(with_field(4, "9" * 5000)).priority is None


@settings(deadline=None)
@given(st.text() | st.lists(st.text(st.characters(exclude_characters="\x1f")), min_size=9, max_size=9).map("\x1f".join))
def test_any_text_is_a_record_or_refused(text: str) -> None:
    try:
        one = Transition.from_record(text)
    except ValueError:
        return
    assert one.started < 10**15


@pytest.mark.parametrize("name", ["V\x1f1", "V\n1", "V\x1b[31m", "V\udcff", "\x1e"])
def test_keepalived_s_arguments_are_recorded_whatever_the_name(name: str) -> None:
    one = Transition.of_this_process(["INSTANCE", name, "FAULT", "100"])
    again = Transition.from_record(one.record().decode("utf-8", "replace")[1:-1])
    assert again.state == "FAULT"
    assert again.name.startswith(name[0] if name[0] == "V" else "\\x1e")


@pytest.mark.parametrize(
    "words", [["INSTANCE", "", "FAULT"], ["INSTANCE", "V", ""], ["log", "a\x1cb", "INSTANCE", "V", "M"]]
)
def test_what_could_not_be_read_again_is_refused_at_once(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"is empty|holds a control character"):
        Transition.of_this_process(words)


@pytest.mark.parametrize(
    ("written", "priority"), [("100", 100), ("", None), ("x", None), ("\u0663", None), ("9" * 5000, None)]
)
def test_a_priority_is_a_number_or_not_known(written: str, priority: int | None) -> None:
    assert Transition.of_this_process(["INSTANCE", "V", "MASTER", *([written] if written else [])]).priority == priority
    assert Transition.from_fifo_line(f'INSTANCE "V" MASTER {written}').priority == priority


def test_no_two_lines_of_a_fifo_are_of_one_moment() -> None:
    lines = [Transition.from_fifo_line('INSTANCE "V" MASTER 1') for _ in range(1000)]
    orders = [line.order for line in lines]
    assert orders == sorted(set(orders))
    assert all(line.pid >= BEYOND_PIDS for line in lines)


def test_an_argument_of_undecodable_bytes_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "delivering").write_text(f"{os.getpid()} {own_start()}\n")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path)}
    words = [b"notify", b"INSTANCE", b"V\xff", b"MASTER", b"1"]
    done = subprocess.run([sys.executable, "-m", "hachecks", *words], env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1fV\xff\x1f" in (tmp_path / "journal").read_bytes()
    (one,) = journal.read_from([str(tmp_path)], journal.Offsets())[0].transitions
    assert (one.name, one.boot) == ("V\\xff", boot_id())


def own_start() -> str:
    with open("/proc/self/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[19]
