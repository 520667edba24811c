"""The record of a drain, which is what Keepalived tracks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hachecks.drain.state import Drain, drained, instant, look, number_of, parse, write
from hachecks.state import Foreign

if TYPE_CHECKING:
    from pathlib import Path

DRAIN = Drain(1, 1796000000.0, 1796007200.0, "root", "a disk is changed", ("10.0.0.5", "fd00::5"))


def test_a_drain_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = str(tmp_path / "drain")
    write(path, DRAIN)
    assert look(path) == drained(path) == DRAIN
    write(path, None)
    assert (tmp_path / "drain").read_text() == "0\n"
    assert drained(path) is None


def test_the_first_line_is_for_keepalived_and_for_people() -> None:
    line = DRAIN.to_text().partition("\n")[0]
    assert line == f"1 # drained at {instant(1796000000.0)} until {instant(1796007200.0)} by root: a disk is changed"
    assert (
        str(DRAIN) == f"drained since {instant(1796000000.0)} until {instant(1796007200.0)} by root: a disk is changed"
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("", 0, id="empty"),
        pytest.param("0\n", 0, id="none"),
        pytest.param("1", 1, id="one"),
        pytest.param("  -51 # why", -51, id="negative"),
        pytest.param("0x10", 16, id="hexadecimal"),
        pytest.param("010", 8, id="octal"),
        pytest.param("1x", 1, id="letters-after-it"),
        pytest.param("09", 0, id="no-octal"),
        pytest.param("drained", 0, id="no-number"),
        pytest.param(" " * 127 + "1", 0, id="beyond-what-Keepalived-reads"),
    ],
)
def test_the_number_is_the_one_that_keepalived_reads(text: str, number: int) -> None:
    assert number_of(text.encode()) == number


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1\n", id="by-hand"),
        pytest.param("1 # drained at noon by me\n", id="no-instant"),
        pytest.param("1 # drained at 2026-11-29T10:00:00Z until then by me\n", id="no-end"),
        pytest.param("1 \N{SNOWMAN}\n", id="other-words"),
    ],
)
def test_a_number_that_somebody_wrote_is_a_drain_that_nobody_knows_more_of(text: str) -> None:
    assert parse(text.encode()) == Drain(1)


def test_what_others_write_into_it_is_told_in_one_line_of_bounded_length() -> None:
    hostile = "1 # drained at 2026-11-29T10:00:00Z by x: " + "\x1b[2J\u202e" + "y" * 60000
    found = parse(hostile.encode())
    assert found
    assert found.reason.isprintable()
    assert len(found.reason) < 1000


def test_a_reason_of_several_lines_stays_one_line() -> None:
    text = DRAIN._replace(reason="one\n1 # drained\ntwo", by="a b\nc").to_text()
    assert len(text.splitlines()) == 2
    assert parse(text.encode()) == DRAIN._replace(reason="one 1 # drained two", by="abc")


def test_a_link_is_no_drain(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("1\n")
    os.symlink(tmp_path / "elsewhere", tmp_path / "drain")
    assert drained(str(tmp_path / "drain")) is None
    with pytest.raises(Foreign, match="it is a link"):
        look(str(tmp_path / "drain"))


def test_a_file_that_is_not_there_is_no_drain(tmp_path: Path) -> None:
    assert look(str(tmp_path / "nowhere" / "drain")) is None
