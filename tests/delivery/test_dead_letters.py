"""No dead letter is lost: not what comes while others are sent again, nor what cannot be read, nor for want of room."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.delivery.dead_letters import DeadLetters, Letter
from tests.events import event

if TYPE_CHECKING:
    from pathlib import Path


def letter(name: str = "V", notifier: str = "hook") -> Letter:
    return Letter(time.time(), notifier, "400 no", (event(name),))


def names(letters: DeadLetters) -> list[str]:
    return [one.events[0].name if one else "?" for _, one in letters.lines()]


def test_a_letter_is_read_as_it_was_written(tmp_path: Path) -> None:
    letters = DeadLetters(str(tmp_path))
    assert list(letters.lines()) == []
    letters.add(letter("a"))
    ((_, again),) = letters.lines()
    assert again is not None
    assert str(again) == str(again.parse(str(again)))
    assert (again.notifier, again.reason, again.events[0].name) == ("hook", "400 no", "a")
    assert (tmp_path / "dead-letters").stat().st_mode & 0o777 == 0o644


def test_what_comes_while_letters_are_sent_again_stays(tmp_path: Path) -> None:
    letters = DeadLetters(str(tmp_path))
    for name in "abc":
        letters.add(letter(name))
    changed: dict[str, list[Letter]] = {}
    for line, one in letters.lines():
        assert one is not None
        changed[line] = [one._replace(reason="503 busy")] if one.events[0].name == "b" else []
        letters.add(letter(f"meanwhile-{one.events[0].name}"))
        if len(changed) == 3:
            break
    letters.rewrite(changed)
    assert names(letters) == ["b", "meanwhile-a", "meanwhile-b", "meanwhile-c"]
    assert next(one.reason for _, one in letters.lines() if one) == "503 busy"


def test_lines_that_cannot_be_read_stay(tmp_path: Path) -> None:
    letters = DeadLetters(str(tmp_path))
    nothing = json.dumps({"at": 1, "notifier": 1, "reason": "", "events": []})
    strange = ["", "{", "[]", '{"at": 1}', nothing, "[" * 9999]
    (tmp_path / "dead-letters").write_bytes("".join(f"{line}\n" for line in strange).encode() + b"\xff\xfe\n{\n")
    letters.add(letter("a"))
    ((line, _),) = [(line, one) for line, one in letters.lines() if one]
    letters.rewrite({line: []})
    kept = (tmp_path / "dead-letters").read_text().split("\n")
    assert kept[: len(strange)] == strange
    assert kept[len(strange) :] == [r"\xff\xfe", "{", ""]
    assert letters.drop() == len(strange) + 2
    assert letters.drop() == 0


def test_a_torn_letter_swallows_no_other(tmp_path: Path) -> None:
    (tmp_path / "dead-letters").write_text('{"at": 17')
    letters = DeadLetters(str(tmp_path))
    letters.add(letter("a"))
    assert names(letters) == ["?", "a"]


def test_who_has_the_file_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    letters = DeadLetters(str(tmp_path), lock_timeout=0.05)
    with (tmp_path / "dead-letters~lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for act in (lambda: letters.add(letter()), lambda: letters.rewrite({}), letters.drop):
            with pytest.raises(OSError, match="another process has it locked"):
                act()
    letters.add(letter())
    assert names(letters) == ["V"]


@pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
def test_what_is_no_plain_file_is_neither_waited_for_nor_followed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "dead-letters"
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(path)
    letters = DeadLetters(str(tmp_path))
    letters.add(letter())
    assert names(letters) == ["V"]
    assert not (tmp_path / "elsewhere").exists()
    assert os.path.lexists(tmp_path / "dead-letters~foreign")


def test_on_a_full_disk_nothing_is_kept_by_half(tmp_path: Path) -> None:
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", directory], check=True)
    try:
        letters = DeadLetters(str(directory))
        letters.add(letter("first"))
        big = letter("x" * 20_000)
        with pytest.raises(OSError, match="No space left"):
            letters.add(big)
        assert names(letters) == ["first"]
        letters.add(letter("last"))
        assert names(letters) == ["first", "last"]
    finally:
        subprocess.run(["umount", directory], check=True)
