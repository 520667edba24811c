"""The number that Keepalived reads: replaced whole, one writer at a time, and written also where a lock is not had."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.checks import track_file
from tests.failover.namespace import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.failover.namespace import Namespace

TINY = "mkdir /run/full; mount -t tmpfs -o size=8k tmpfs /run/full"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web"


def test_the_file_is_replaced_and_everybody_may_read_it(path: Path) -> None:
    umask = os.umask(0o177)  # Keepalived's
    try:
        track_file.write(str(path), 1)
        before = path.stat().st_ino
        track_file.write(str(path), -10, "drained")
    finally:
        os.umask(umask)
    assert path.stat().st_ino != before
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.read_text() == "-10 # drained\n"
    assert track_file.read(str(path)) == -10


@pytest.mark.parametrize("text", ["", "x\n", "\n", "\0", "1.5\n"])
def test_what_is_no_number_is_none(path: Path, text: str) -> None:
    path.write_text(text)
    assert track_file.read(str(path)) is None


def test_a_missing_directory_is_an_error_and_is_not_made(path: Path) -> None:
    where = path / "below"
    with pytest.raises(FileNotFoundError):
        track_file.write(str(where), 1)
    assert not track_file.is_there(str(where))
    assert not path.exists()


def test_one_writes_at_a_time(path: Path) -> None:
    acts: list[tuple[float, float]] = []

    def write() -> None:
        asked = time.monotonic()

        def act() -> None:
            began = time.monotonic()
            time.sleep(0.001)
            if began - asked < track_file.LOCK_SECONDS:  # who waits for longer does it all the same
                acts.append((began, time.monotonic()))

        track_file.under_lock(str(path), act)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    acts.sort()
    assert len(acts) > 1
    assert all(ended <= began for (_, ended), (began, _) in zip(acts, acts[1:]))


@pytest.mark.parametrize("kind", ["held", "link", "directory", "no-directory"])
def test_without_the_lock_it_is_done_all_the_same(path: Path, kind: str) -> None:
    lock = path.with_name("web~lock")
    if kind == "held":
        lock.touch()
        other = os.open(lock, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
    elif kind == "link":
        lock.symlink_to(path.with_name("elsewhere"))
    elif kind == "directory":
        lock.mkdir()
    elif kind == "no-directory":
        path = path / "below"
    done: list[bool] = []
    began = time.monotonic()
    track_file.under_lock(str(path), lambda: done.append(True))
    assert done == [True]
    assert time.monotonic() - began < 5
    assert not path.with_name("elsewhere").exists()
    if kind == "held":
        os.close(other)


@pytest.fixture(scope="module")
def full() -> Iterator[Namespace]:
    """A file system with room for a file and a directory."""
    with namespace(TINY) as one:
        yield one


def test_a_full_directory_takes_another_number(full: Namespace) -> None:
    where = str(full.path("/run/full/web"))
    track_file.write(where, 0)
    with full.path("/run/full/ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space"):
        ballast.writelines([b"x" * 1024] * 16)
    for number in (1, 0, -253, 0, -9, 1):
        track_file.write(where, number)
        assert track_file.read(where) == number
    assert full.path("/run/full/web").stat().st_size < 10
