"""A recorded transition is read exactly once, in Keepalived's order, whatever happened to its writer."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.transition import Transition
from tests.cli import ROOT
from tests.failover.namespace import namespace
from tests.nodes import places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=30).filter(str.strip)


def transition(name: str = "VI_1", state: str = "MASTER", *, started: int = 1, pid: int = 1) -> Transition:
    return Transition("INSTANCE", name, state, 100, boot=boot_id(), started=started, pid=pid)


def recorded(directory: Path, *transitions: Transition) -> None:
    for one in transitions:
        journal.append(one, places(directory))


def told(found: journal.Batch) -> list[str]:
    return [f"{one.name} {one.state}" for one in found.transitions]


def test_what_is_recorded_is_read_once(tmp_path: Path) -> None:
    recorded(tmp_path, transition("a"), transition("b"))
    found, offsets = journal.read_from([str(tmp_path)], journal.Offsets())
    assert told(found) == ["a MASTER", "b MASTER"]
    recorded(tmp_path, transition("c"))
    found, offsets = journal.read_from([str(tmp_path)], journal.Offsets(str(offsets)))
    assert told(found) == ["c MASTER"]
    assert told(journal.read_from([str(tmp_path)], offsets)[0]) == []


def test_order_is_that_of_the_forks_not_of_the_file(tmp_path: Path) -> None:
    recorded(
        tmp_path,
        transition("v", "MASTER", started=9, pid=30),
        transition("v", "FAULT", started=8, pid=29),
        transition("v", "BACKUP", started=9, pid=29),
    )
    assert told(journal.read_from([str(tmp_path)], journal.Offsets())[0]) == ["v FAULT", "v BACKUP", "v MASTER"]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_record_swallows_no_other(tmp_path: Path, cut: int) -> None:
    recorded(tmp_path, transition("a"))
    with (tmp_path / "journal").open("ab") as file:
        file.write(transition("torn").record()[:-cut])
    recorded(tmp_path, transition("b"))
    found, _ = journal.read_from([str(tmp_path)], journal.Offsets())
    assert told(found) == ["a MASTER", "b MASTER"]
    assert found.malformed == 1


def test_a_record_whose_end_has_not_come_yet_is_waited_for(tmp_path: Path) -> None:
    record = transition("a").record()
    path = tmp_path / "journal"
    recorded(tmp_path, transition("first"))
    path.write_bytes(path.read_bytes() + record[:-5])
    found, offsets = journal.read_from([str(tmp_path)], journal.Offsets())
    assert told(found) == ["first MASTER"]
    with path.open("ab") as file:
        file.write(record[-5:])
    assert told(journal.read_from([str(tmp_path)], offsets)[0]) == ["a MASTER"]


@given(st.binary(max_size=300))
def test_foreign_bytes_hide_no_record_after_them(noise: bytes) -> None:
    found = journal.Batch()
    journal._take(noise.replace(b"\x1e", b"?") + b"\n" + transition("a").record(), found)
    assert told(found) == ["a MASTER"]


@given(NAMES, NAMES, st.one_of(st.none(), st.integers(0, 255)), st.lists(NAMES, max_size=4))
def test_a_record_says_what_was_recorded(name: str, state: str, priority: int | None, options: Sequence[str]) -> None:
    one = Transition("GROUP", name, state, priority, boot="b", started=5, pid=6, options=options)
    again = Transition.from_record(one.record().decode()[1:-1])
    for field in Transition.__slots__:
        assert getattr(again, field) == getattr(one, field)


def test_a_long_record_is_recorded_whole(tmp_path: Path) -> None:
    options = ["exec", "--command", "x" * 20000]
    one = Transition("INSTANCE", "VI_1", "MASTER", 1, boot=boot_id(), started=1, pid=1, options=options)
    recorded(tmp_path, one)
    (again,) = journal.read_from([str(tmp_path)], journal.Offsets())[0].transitions
    assert again.options == tuple(options)


def test_the_first_place_that_takes_it_is_used() -> None:
    script = "from tests.transitions.test_journal import *; "
    script += "print(journal.append(transition(), places('/proc/no')))"
    with namespace("mount -t tmpfs tmpfs /run; mount -t tmpfs -o mode=1777 tmpfs /dev/shm") as node:
        python = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", script]
        assert node.must(*python) == "/run/hacheck/journal\n"
        node.must("mount", "-t", "tmpfs", "-o", "nr_inodes=1", "tmpfs", "/run/hacheck")
        assert node.must(*python) == "/dev/shm/hacheck-0/journal\n"


def test_a_journal_that_has_grown_is_closed_and_read_on(tmp_path: Path) -> None:
    recorded(tmp_path, transition("a"), transition("b"))
    late_writer = (tmp_path / "journal").open("ab")
    _, offsets = journal.read_from([str(tmp_path)], journal.Offsets())
    journal.rotate(str(tmp_path), offsets, 1000.0, closed_at_bytes=100)
    recorded(tmp_path, transition("c"))
    with late_writer:
        late_writer.write(transition("late").record())
    found, offsets = journal.read_from([str(tmp_path)], offsets)
    assert sorted(told(found)) == ["c MASTER", "late MASTER"]


def test_two_journals_that_are_closed_at_one_moment_are_both_read_on(tmp_path: Path) -> None:
    for name in "abc":
        recorded(tmp_path, transition(name))
        journal.rotate(str(tmp_path), journal.Offsets(), 1000.0, closed_at_bytes=1)
    assert len(list(tmp_path.glob("journal.*"))) == 3
    assert told(journal.read_from([str(tmp_path)], journal.Offsets())[0]) == ["a MASTER", "b MASTER", "c MASTER"]


def test_a_closed_journal_is_deleted_when_it_was_read_long_ago(tmp_path: Path) -> None:
    recorded(tmp_path, transition("a"), transition("b"))
    now = (tmp_path / "journal").stat().st_mtime
    offsets = journal.Offsets()
    journal.rotate(str(tmp_path), offsets, now, closed_at_bytes=100)
    journal.rotate(str(tmp_path), offsets, now + journal.GRACE_SECONDS + 1)
    assert len(list(tmp_path.iterdir())) == 2, "unread is kept"
    _, offsets = journal.read_from([str(tmp_path)], offsets)
    journal.rotate(str(tmp_path), offsets, now + journal.GRACE_SECONDS + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]


def test_blocks_are_allocated_beyond_the_end(tmp_path: Path) -> None:
    journal.rotate(str(tmp_path), journal.Offsets())
    status = (tmp_path / "journal").stat()
    assert status.st_size == 0
    assert status.st_blocks * 512 >= journal.PREALLOCATED_BYTES


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_everybody_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o177)
    try:
        recorded(tmp_path, transition("a"), transition("b"))
        assert mode(tmp_path / "journal") == 0o644
        journal.rotate(str(tmp_path), journal.Offsets(), closed_at_bytes=100)
        (tmp_path / "other").mkdir(0o755)
        journal.rotate(str(tmp_path / "other"), journal.Offsets())
    finally:
        os.umask(before)
    closed = [path for path in tmp_path.glob("journal*") if path.name != "journal"]
    assert len(closed) == 1
    assert [mode(path) for path in (*closed, tmp_path / "journal", tmp_path / "other" / "journal")] == [0o644] * 3


def test_what_a_former_version_kept_to_itself_is_opened_up(tmp_path: Path) -> None:
    for name in ("journal", "journal.000000000000001"):
        (tmp_path / name).touch(0o600)
    journal.rotate(str(tmp_path), journal.Offsets())
    assert mode(tmp_path / "journal") == mode(tmp_path / "journal.000000000000001") == 0o644


@pytest.mark.parametrize("former", ["0", "z"])
def test_what_was_said_before_a_reboot_comes_first(tmp_path: Path, former: str) -> None:
    old = Transition("INSTANCE", "v", "STOP", 0, boot=former * 36, started=999, pid=9)
    recorded(tmp_path, transition("v", "MASTER"), old)
    assert told(journal.read_from([str(tmp_path)], journal.Offsets())[0]) == ["v STOP", "v MASTER"]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal").symlink_to("journal")
    found, _ = journal.read_from([str(tmp_path / "absent"), str(tmp_path)], journal.Offsets())
    assert [error.filename for error in found.errors] == [str(tmp_path / "journal")]
