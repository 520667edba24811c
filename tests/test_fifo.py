"""What Keepalived writes into its FIFO is recorded line by line."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks import journal
from hachecks.fifo import ROOM, Follower
from hachecks.proc import process_start
from hachecks.settings import Invalid

from .cli import ROOT, hacheck

if TYPE_CHECKING:
    from pathlib import Path


def recorded(directory: Path) -> list[str]:
    found, _ = journal.read_on([str(directory)], journal.Reading())
    return [repr(one) for one in found.transitions]


def test_lines_are_recorded_however_they_are_cut(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path)}
    follower = subprocess.Popen([sys.executable, "-m", "hachecks", "notify", "--fifo", fifo], env=environ)
    try:
        with fifo.open("w") as pen:
            for part in ('INSTANCE "VI 1" MASTER 100\nGROUP "G" FA', 'ULT 0\nnonsense\nINSTANCE "VI 1" BACKUP', " 9\n"):
                pen.write(part)
                pen.flush()
                time.sleep(0.05)  # the follower may see the parts one by one, or not; both are right
        until = time.monotonic() + 10
        while len(recorded(tmp_path)) < 3:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert recorded(tmp_path) == ["INSTANCE VI 1 MASTER", "GROUP G FAULT", "INSTANCE VI 1 BACKUP"]
    finally:
        follower.send_signal(signal.SIGTERM)
    assert follower.wait(10) == 0


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_what_is_no_fifo_is_named_and_what_to_do(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "fifo"
    if kind == "file":
        path.touch()
    answer = hacheck("notify", "--fifo", path)
    why = ": No such file or directory" if kind == "absent" else " is no FIFO"
    assert answer == (2, "", f"hacheck: notify: {path}{why}; make it with mkfifo before Keepalived starts\n")


def test_without_a_path_it_says_what_it_takes() -> None:
    answer = hacheck("notify", "--fifo")
    assert answer.code == 2
    assert "--fifo takes the path of Keepalived's notify FIFO" in answer.err


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a deliverer that seems to live, so that none is started."""
    (tmp_path / "delivering").write_text(f"{os.getpid()} {process_start()}\n")
    return tmp_path


def follower(directory: Path, complaints: list[str]) -> Follower:
    if not (directory / "fifo").exists():
        os.mkfifo(directory / "fifo")
    return Follower(str(directory / "fifo"), {"HACHECK_STATE_DIR": str(directory)}, complaints.append)


def test_a_loop_is_told_by_the_descriptor_when_to_read(state: Path) -> None:
    complaints: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    one = follower(state, complaints)

    async def follow() -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(one.descriptor, one.read)
        with (state / "fifo").open("w") as pen:
            pen.write('nonsense\nINSTANCE "V" MASTER 1\nINSTANCE "V" BACK')
            pen.flush()
            await asyncio.sleep(0.05)
            pen.write("UP 1\n")
        until = loop.time() + 10
        while len(recorded(state)) < 2:
            assert loop.time() < until
            await asyncio.sleep(0.01)
        loop.remove_reader(one.descriptor)

    asyncio.run(follow())
    os.close(one.descriptor)
    assert recorded(state) == ["INSTANCE V MASTER", "INSTANCE V BACKUP"]
    assert complaints == ["notify: not recorded: 'nonsense' is no line of a notify FIFO"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_reading_waits_for_nothing_and_takes_all_that_is_there(state: Path) -> None:
    one = follower(state, [])
    one.read()
    assert recorded(state) == []
    for number in range(3000):  # more than one read of 64 KiB
        os.write(one.descriptor, f'INSTANCE "some_instance_{number}" MASTER 100\n'.encode())
    one.read()
    assert len(recorded(state)) == 3000
    assert ROOM > 64 * 1024
    assert not select.select([one.descriptor], [], [], 0)[0]
    os.close(one.descriptor)


def test_what_can_be_recorded_or_delivered_nowhere_is_complained_of(tmp_path: Path) -> None:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, to mount")
    os.mkfifo(tmp_path / "fifo")
    script = (
        "import os, sys; from hachecks.fifo import Follower\n"
        "one = Follower(sys.argv[1], {}, print)\n"
        "os.write(one.descriptor, b'INSTANCE \"V\" MASTER 1\\n'); one.read()\n"
    )
    mounts = "mount -t tmpfs -o ro tmpfs /run && mount -t tmpfs -o ro tmpfs /dev/shm && exec "
    words = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        mounts + '"$@" 3>&1 >/proc/self/fd/3',
        "sh",
        sys.executable,
        "-c",
        script,
    ]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*words, tmp_path / "fifo"], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    recorded_not, delivered_not = done.stdout.splitlines()
    assert recorded_not.startswith("notify: not recorded: ")
    assert delivered_not == (
        "notify: recorded, but nobody delivers: no place for state can be written "
        "(/run/hacheck: Read-only file system; /dev/shm/hacheck-0: Read-only file system)"
    )


def test_what_is_no_fifo_is_refused_before_anything_else_happens(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(Invalid, match="file is no FIFO; make it with mkfifo before Keepalived starts"):
        Follower(str(tmp_path / "file"), {}, print)
    assert (tmp_path / "file").read_text() == "text"
