"""What happened is remembered once, in order, with its time, and a late word turns no state back."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hachecks import state
from hachecks.proc import TICKS
from hachecks.state import boot_id
from hachecks.transitions import history, journal
from hachecks.transitions.history import History
from hachecks.transitions.history_files import events
from hachecks.transitions.transition import Transition
from tests.transitions.recording import now_in_ticks, read_on, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_each_transition_is_remembered_once(tmp_path: Path) -> None:
    record(tmp_path, "BACKUP", ago=2)
    record(tmp_path, "MASTER", ago=1)
    assert [event.state for event in read_on(tmp_path)] == ["BACKUP", "MASTER"]
    assert read_on(tmp_path) == []
    assert [event.number for event in events(str(tmp_path))] == [1, 2]


def test_an_event_says_what_it_ended_and_since_when_that_was(tmp_path: Path) -> None:
    began = time.time()
    record(tmp_path, "MASTER", ago=100)
    record(tmp_path, "FAULT", ago=40)
    took = time.time() - began
    first, second = read_on(tmp_path)
    assert (first.before, first.since) == (None, None)
    assert second.before == "MASTER"
    assert second.since == first.at
    assert 60 - 2 / TICKS < second.at - first.at < 60 + took + 2 / TICKS
    assert began - 40 - 2 / TICKS < second.at < began + took - 40 + 2 / TICKS


def test_a_late_word_is_remembered_and_changes_nothing(tmp_path: Path) -> None:
    record(tmp_path, "MASTER", ago=1)
    read_on(tmp_path)
    record(tmp_path, "BACKUP", ago=60)
    (late,) = read_on(tmp_path)
    assert late.late
    assert not late.changes
    record(tmp_path, "FAULT")
    (event,) = read_on(tmp_path)
    assert event.before == "MASTER"


def test_a_crash_between_writing_and_marking_as_read_doubles_nothing(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    (event,) = read_on(tmp_path)
    (tmp_path / "history.read").unlink()
    assert read_on(tmp_path) == []
    assert [again.key for again in events(str(tmp_path))] == [event.key]


def test_two_readers_are_one_too_many(tmp_path: Path) -> None:
    with History.locked(str(tmp_path), [str(tmp_path)]), pytest.raises(BlockingIOError):
        read_on(tmp_path)


def test_torn_lines_of_the_history_are_passed_over(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    read_on(tmp_path)
    with (tmp_path / "history").open("a") as file:
        file.write('{"number": 2, "key"\n[]\n')
    assert [event.state for event in events(str(tmp_path))] == ["MASTER"]


def test_the_history_is_lines_of_json(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    read_on(tmp_path)
    assert json.loads((tmp_path / "history").read_text())["state"] == "MASTER"


def test_what_is_old_or_too_much_is_forgotten(tmp_path: Path) -> None:
    week_ago = time.time() - history.KEPT_SECONDS - 60
    for number in range(history.MOST_CLOSED + 2):
        (tmp_path / f"history.{number:015d}").touch()
    os.utime(tmp_path / f"history.{5:015d}", (week_ago, week_ago))
    record(tmp_path, "MASTER")
    read_on(tmp_path)
    kept = [int(path.suffix[1:]) for path in tmp_path.glob("history.0*")]
    assert sorted(kept) == [number for number in range(2, history.MOST_CLOSED + 2) if number != 5]


def test_a_closed_journal_that_has_been_read_is_deleted_by_the_reader_that_read_it(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    with History.locked(str(tmp_path), [str(tmp_path)], journal_closed_at_bytes=1) as reader:
        reader.read_on()
        (closed,) = tmp_path.glob("journal.*")
        long_ago = time.time() - journal.GRACE_SECONDS - 1
        os.utime(closed, (long_ago, long_ago))
        record(tmp_path, "FAULT")
        assert [event.state for event in reader.read_on()] == ["FAULT"]
        assert not closed.exists()


@contextmanager
def small_disk(directory: Path, options: str) -> Iterator[Path]:
    """A file system with little room."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=755,{options}", "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


def fill_with_bytes(directory: Path) -> None:
    (directory / "filler").write_bytes(bytes(2**20))


def fill_with_files(directory: Path) -> None:
    for number in range(100):
        (directory / f"filler{number}").touch()


def test_of_what_finds_no_room_nothing_is_left_in_the_history(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "size=600k") as directory:
        record(directory, "MASTER")
        read_on(directory)
        before = (directory / "history").read_bytes()
        for pid in range(10, 110):
            record(directory, "MASTER" if pid % 2 else "BACKUP", pid=pid)
        with pytest.raises(OSError, match="No space left"):
            fill_with_bytes(directory)
        with History.locked(str(directory), [str(directory)]) as reader:
            reader.read_on()
            assert (directory / "history").read_bytes() == before, "the rest of its block had room for some"
            (directory / "filler").unlink()
            reader.read_on()
        assert [event.number for event in events(str(directory))] == list(range(1, 102))


@pytest.mark.parametrize(
    ("options", "fill"),
    [
        pytest.param("size=600k", fill_with_bytes, id="full-disk"),
        pytest.param("nr_inodes=20", fill_with_files, id="no-inodes"),
    ],
)
def test_where_there_is_no_room_events_are_taken_and_remembered_when_there_is(
    tmp_path: Path, options: str, fill: Callable[[Path], None]
) -> None:
    with small_disk(tmp_path / "small", options) as directory:
        journal.rotate(str(directory), journal.Offsets())
        (directory / "history.lock").touch()
        with pytest.raises(OSError, match="No space left"):
            fill(directory)
        for pid in range(40):
            record(directory, "MASTER" if pid % 2 else "BACKUP", pid=pid)
        with History.locked(str(directory), [str(directory)]) as reader:
            assert len(reader.read_on()) == 40
            assert len(reader.unwritten) == 40
            assert reader.trouble == f"{directory} cannot be written: No space left on device"
            for filler in directory.glob("filler*"):
                filler.unlink()
            assert reader.read_on() == []
            assert reader.trouble == ""
            assert len(list(events(str(directory)))) == 40


def test_a_history_that_is_just_being_closed_is_read_once(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    read_on(tmp_path)
    os.link(tmp_path / "history", tmp_path / "history.000000000000001")
    assert [event.state for event in events(str(tmp_path))] == ["MASTER"]


def test_a_history_that_is_closed_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    for number in range(3):
        record(tmp_path, "MASTER", name=f"V{number}", pid=number)
        read_on(tmp_path, closed_at_bytes=1)
    reading = events(str(tmp_path))
    heard = [next(reading).name]
    record(tmp_path, "MASTER", name="meanwhile")
    read_on(tmp_path, closed_at_bytes=1)
    assert heard + [event.name for event in reading] == ["V0", "V1", "V2"]


def test_what_is_closed_after_a_clock_was_set_back_comes_behind_what_was_closed_before(tmp_path: Path) -> None:
    hour_ahead = int((time.time() + 3600) * 1000)
    for number in range(4):
        record(tmp_path, "MASTER", name=f"V{number}", pid=number)
        read_on(tmp_path, closed_at_bytes=1)
        if number == 1:
            (closed,) = tmp_path.glob("history.0*")
            closed.rename(tmp_path / f"history.{hour_ahead:015d}")
    assert [event.name for event in events(str(tmp_path))] == ["V0", "V1", "V2", "V3"]


def test_a_history_that_was_kept_to_its_owner_is_opened_up(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    read_on(tmp_path)
    names = ("history", "history.read", "history.000000000000001", "journal")
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o600)
    with open(tmp_path / "journal", "ab") as file:
        file.write(Transition("INSTANCE", "V", "FAULT", 1, boot=boot_id(), started=now_in_ticks(), pid=1).record())
    read_on(tmp_path)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in names} == {state.READABLE}
