"""What is remembered between two runs, whatever happens to them."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hachecks import state
from tests.cli import ROOT, hacheck
from tests.failover.namespace import namespace
from tests.locks import stopped_with_the_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNTING = """
import sys, time
from hachecks import state
done = 0
while done < int(sys.argv[2]):
    try:
        state.exchange(sys.argv[1], "count", lambda text: str(int(text or 0) + 1))
        done += 1
    except BlockingIOError:
        pass
"""


def python(script: str, *words: object) -> list[str]:
    return ["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", script, *map(str, words)]


def changed(directory: Path) -> bool:
    try:
        state.exchange(str(directory), "name", append)
    except BlockingIOError:  # the lock is asked for, not queued for
        return False
    return True


def append(text: str) -> str:
    return f"{text}x"


def test_a_file_is_made_and_changed(tmp_path: Path) -> None:
    for _ in range(3):
        state.exchange(str(tmp_path / "a" / "b"), "name", append)
    assert (tmp_path / "a" / "b" / "name").read_text() == "xxx"


def test_what_raises_changes_nothing(tmp_path: Path) -> None:
    def fail(text: str) -> str:
        raise KeyError(text)

    state.exchange(str(tmp_path), "name", append)
    with pytest.raises(KeyError):
        state.exchange(str(tmp_path), "name", fail)
    state.exchange(str(tmp_path), "name", append)
    assert (tmp_path / "name").read_text() == "xx"


def test_processes_that_change_it_at_once_lose_nothing(tmp_path: Path) -> None:
    running = [subprocess.Popen(python(COUNTING, tmp_path, 200)) for _ in range(4)]
    assert [process.wait(120) for process in running] == [0] * 4
    assert (tmp_path / "count").read_text() == "800"


def test_threads_that_change_it_at_once_lose_nothing(tmp_path: Path) -> None:
    def change() -> None:
        for _ in range(50):
            while not changed(tmp_path):
                pass

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (tmp_path / "name").read_text() == "x" * 200


def test_a_reader_never_sees_half_of_it(tmp_path: Path) -> None:
    sizes = [10, 100_000]
    process = subprocess.Popen(
        python(
            "import sys; from hachecks import state\n"
            "for n in range(300): state.exchange(sys.argv[1], 'name', lambda _: 'x' * [10, 100_000][n % 2])",
            tmp_path,
        )
    )
    while process.poll() is None:
        assert len(state.read(str(tmp_path / "name"))) in (0, *sizes)
    assert process.returncode == 0


def test_a_stopped_process_is_not_waited_for_long(tmp_path: Path) -> None:
    state.exchange(str(tmp_path), "name", append)
    with stopped_with_the_lock(tmp_path, "name"):
        started = time.monotonic()
        with pytest.raises(BlockingIOError):
            state.exchange(str(tmp_path), "name", append)
        assert state.LOCK_PATIENCE <= time.monotonic() - started < state.LOCK_PATIENCE + 5
        state.exchange(str(tmp_path), "other", append)
    # What was killed in the middle has changed nothing, and is in nobody's way.
    state.exchange(str(tmp_path), "name", append)
    assert (tmp_path / "name").read_text() == "xx"


def test_what_was_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "name~new").write_text("half")
    state.exchange(str(tmp_path), "name", append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["name", "name~lock"]
    assert (tmp_path / "name").read_text() == "x"


def test_what_is_no_text_counts_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"\xff\xfe\0")
    assert state.read(str(tmp_path / "name")) == ""
    state.exchange(str(tmp_path), "name", append)
    assert (tmp_path / "name").read_text() == "x"


def test_the_umask_of_keepalived_locks_nobody_out(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    tmp_path.chmod(0o755)
    # As a user without root's privileges, who could not make a directory in one that he cannot enter.
    prefix = [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search,-fowner",
        "sh",
        "-c",
        'umask 0177; exec "$@"',
        "sh",
    ]
    os.chown(tmp_path, 0, 0)
    for _ in range(2):
        script = "import sys; from hachecks import state; state.exchange(sys.argv[1], 'name', lambda text: text + 'x')"
        subprocess.run([*prefix, *python(script, tmp_path / "a" / "b")], check=True)
    assert (tmp_path / "a" / "b" / "name").read_text() == "xx"
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o755, 0o755]


def test_the_umask_stays_what_it_is(tmp_path: Path) -> None:
    before = os.umask(0o177)
    try:
        state.exchange(str(tmp_path / "a"), "name", append)
        assert os.umask(0o177) == 0o177
    finally:
        os.umask(before)


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        state.exchange(str(tmp_path / "file" / "a"), "name", append)


def test_a_check_on_a_read_only_or_full_disk_says_so_and_keeps_its_verdict(tmp_path: Path) -> None:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, to mount")
    with namespace() as space:
        space.must("mount", "-t", "tmpfs", "-o", "mode=755,size=4k,nr_inodes=3", "none", str(tmp_path))
        words = [sys.executable, "-m", "hachecks", "file", "/etc/passwd", "--fall", "2", "--state-dir", str(tmp_path)]
        command = ["env", f"PYTHONPATH={ROOT}", *words]
        space.must("touch", str(tmp_path / "1"), str(tmp_path / "2"))
        full = space.run(*command)
        space.must("mount", "-o", "remount,ro", str(tmp_path))
        read_only = space.run(*command)
    for answer, told in ((full, os.strerror(errno.ENOSPC)), (read_only, os.strerror(errno.EROFS))):
        assert answer.returncode == 0
        assert answer.stdout.startswith("PASS - /etc/passwd exists, modified ")
        assert answer.stdout.endswith(f" [no rise/fall: {tmp_path}: {told}]\n")


def test_garbage_in_the_memory_of_a_check_is_forgotten(tmp_path: Path) -> None:
    words = ("file", tmp_path / "heartbeat", "--fall", "2", "--state-dir", tmp_path / "state")
    (tmp_path / "heartbeat").touch()
    assert hacheck(*words).code == 0
    (tmp_path / "heartbeat").unlink()
    (memory,) = (path for path in (tmp_path / "state").glob("streak-*") if "~" not in path.name)
    for garbage in (b"\xff", b"", b"x " * 4, b"\0" * 1000, memory.read_bytes().replace(b"up", b"left")):
        memory.write_bytes(garbage)
        assert hacheck(*words).line.startswith(f"FAIL - {tmp_path / 'heartbeat'} does not exist")


def test_the_boot_has_a_name() -> None:
    assert state.boot_id() == state.boot_id()
    assert len(state.boot_id()) == 36


@contextmanager
def umask_of_keepalived() -> Iterator[None]:
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("sync", [False, True])
def test_everybody_may_read_what_is_kept_and_only_its_owner_may_write_it(tmp_path: Path, sync: bool) -> None:
    (tmp_path / "name").touch(0o600)
    with umask_of_keepalived():
        state.replace(str(tmp_path / "name"), "x", sync)
    assert mode(tmp_path / "name") == 0o644
    before = os.umask(0)
    try:
        state.replace(str(tmp_path / "name"), "x", sync)
    finally:
        os.umask(before)
    assert mode(tmp_path / "name") == 0o644


REPLACING = """
import sys
from hachecks import state
for _ in range(400):
    state.replace(sys.argv[1], sys.argv[2] * int(sys.argv[3]))
"""


def test_what_several_replace_at_once_is_always_one_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "name"
    texts = {letter: letter * length for letter, length in (("a", 30000), ("b", 5), ("c", 900))}
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen([sys.executable, "-c", REPLACING, str(path), letter, str(len(text))], env=environ)
        for letter, text in texts.items()
    ]
    while any(writer.poll() is None for writer in writers):
        assert state.read(str(path)) in ("", *texts.values())
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert os.listdir(tmp_path) == ["name"]


def test_whoever_was_stopped_while_he_replaced_a_file_hinders_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "name")
    with (tmp_path / "name~new").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        state.replace(path, "x")
        assert state.read(path) == "x"
    state.replace(path, "y")
    assert state.read(path) == "y"


def test_no_link_leads_to_what_is_not_ours(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    secret.chmod(0o600)
    (tmp_path / "journal").symlink_to(secret)
    (tmp_path / "name~new").symlink_to(secret)
    state.let_read(str(tmp_path / "journal"))
    state.replace(str(tmp_path / "name"), "x")
    assert (tmp_path / "name").read_text() == "x"
    (tmp_path / "history").hardlink_to(secret)
    state.let_read(str(tmp_path / "history"))
    assert (secret.read_text(), mode(secret)) == ("s", 0o600)


def test_what_is_not_there_or_no_file_is_left_alone(tmp_path: Path) -> None:
    state.let_read(str(tmp_path / "absent"))
    os.mkfifo(tmp_path / "fifo", 0o600)
    state.let_read(str(tmp_path / "fifo"))
    assert mode(tmp_path / "fifo") == 0o600
