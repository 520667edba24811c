"""What Keepalived says is recorded by the shell as by Python, wherever there is room for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hachecks.proc import TICKS
from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.transition import Transition
from tests.cli import ROOT, Answer, hacheck

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELLS = ["dash", "bash", "busybox sh"]
EXECUTABLE = ROOT / "dist/hacheck"


def shell(program: str, directory: Path, *words: str, **environ: str) -> Answer:
    """`hacheck notify` by the executable, with a deliverer that seems to live, so that none is started."""
    if directory.exists():
        (directory / "delivering").write_text(f"{os.getpid()} {own_start()}\n")
    done = subprocess.run(
        [*program.split(), EXECUTABLE, "notify", *words],
        env={"PATH": "/usr/bin:/bin", "HACHECK_STATE_DIR": str(directory), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def own_start() -> str:
    return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]


def recorded(directory: Path) -> list[Transition]:
    found, _ = journal.read_from([str(directory)], journal.Offsets())
    assert found.malformed == 0
    return found.transitions


@pytest.fixture(params=SHELLS)
def program(request: pytest.FixtureRequest) -> str:
    assert shutil.which(request.param.split()[0]), f"install {request.param.split()[0]}"
    return str(request.param)


@pytest.mark.executable
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("INSTANCE", "VI_1", "MASTER", "100"), id="four-words"),
        pytest.param(("GROUP", "G 1", "FAULT", "0"), id="a-group-with-a-blank"),
        pytest.param(("INSTANCE", "VI_1", "STOP"), id="no-priority"),
        pytest.param(("INSTANCE", "VI_1", "SOMETHING_NEW", "x"), id="unknown-words"),
        pytest.param(("INSTANCE", 'a"b\\c%s*é', "BACKUP", "9"), id="characters"),
        pytest.param(("log", "--file", "/a b", "INSTANCE", "VI_1", "MASTER", "100"), id="options"),
    ],
)
def test_the_shell_records_what_python_records(program: str, tmp_path: Path, words: Sequence[str]) -> None:
    answer = shell(program, tmp_path, *words)
    assert answer == (0, "", "")
    raw = (tmp_path / "journal").read_bytes()
    (one,) = recorded(tmp_path)
    assert raw == one.record()
    expected = Transition.of_this_process(words)
    for field in ("kind", "name", "state", "priority", "options", "boot"):
        assert getattr(one, field) == getattr(expected, field)
    assert expected.started <= one.started <= time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS


@pytest.mark.executable
def test_the_next_place_is_used_where_one_cannot_be_written(program: str) -> None:
    setup = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/shm && "
    words = (
        f"{program} {EXECUTABLE} notify INSTANCE V MASTER 1; cat /run/hacheck/journal /dev/shm/*/journal 2>/dev/null"
    )
    full = "mkdir /run/hacheck && mount -t tmpfs -o nr_inodes=1 none /run/hacheck && "
    for made, place in (("", "/run/hacheck"), (full, "/dev/shm/hacheck-0")):
        look = f"{words}; ls {place}/journal"
        command = ["unshare", "--mount", "sh", "-c", setup + made + look]
        environ = {"PATH": "/usr/bin:/bin", "HACHECK_STATE_DIR": "/proc/nowhere"}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.count("\x1e") == 1, done
        assert done.stdout.endswith(f"{place}/journal\n"), done


@pytest.mark.executable
@pytest.mark.parametrize("words", [("--dry-run", "INSTANCE", "V", "MASTER", "1"), ("INSTANCE", "V"), ("nonsense",)])
def test_what_is_not_keepalived_speaking_is_left_to_python(program: str, tmp_path: Path, words: Sequence[str]) -> None:
    shell(program, tmp_path, *words)
    assert not (tmp_path / "journal").exists()


def synced(command: Sequence[object], directory: Path, **environ: str) -> list[str]:
    """The files of this directory that this command, or one that it starts, has the kernel write to the disk."""
    (directory / "delivering").write_text(f"{os.getpid()} {own_start()}\n")
    trace = directory / "trace"
    tracing = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=fdatasync,fsync"]
    words = [*tracing, *map(str, command), "notify", "INSTANCE", "V", "STOP"]
    environ = {"PATH": os.environ["PATH"], "HACHECK_STATE_DIR": str(directory), **environ}
    subprocess.run(words, env=environ, check=True, timeout=60)
    return re.findall(rf"sync\(\d+<{directory}/([^>]+)>\) += 0", trace.read_text())


@pytest.mark.executable
def test_a_record_is_synced_where_that_is_asked_for(program: str, tmp_path: Path) -> None:
    command = [*program.split(), EXECUTABLE]
    assert synced(command, tmp_path) == []
    assert synced(command, tmp_path, HACHECK_FSYNC="1") == ["journal"]
    assert len(recorded(tmp_path)) == 2
    assert not (tmp_path / "unsynced").exists()


def test_python_syncs_a_record_where_that_is_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hachecks"]
    assert synced(command, tmp_path, PYTHONPATH=str(ROOT)) == []
    assert synced(command, tmp_path, PYTHONPATH=str(ROOT), HACHECK_FSYNC="1") == ["journal"]


@pytest.mark.executable
def test_what_cannot_be_synced_is_recorded_and_said_once(program: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    notify = f"{program} {EXECUTABLE} notify INSTANCE V MASTER"
    failing = f"strace -f -qq -o {tmp_path}/trace -e trace=fdatasync -e inject=fdatasync:error=EIO {notify}"
    script = f"""
        read -r stat </proc/self/stat; set -- ${{stat#*) }}; echo "$$ ${{20}}" >{state}/delivering
        {failing} 1; {failing} 2; {notify} 3; {failing} 4
    """
    words = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script]
    environ = {"PATH": "/usr/bin:/bin", "HACHECK_STATE_DIR": str(state), "HACHECK_FSYNC": "1"}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True, timeout=60)
    line = f"hacheck: {state}/journal cannot be synced as HACHECK_FSYNC=1 asks for\n"
    assert (done.stdout, done.stderr) == (2 * line, "")
    assert [one.priority for one in recorded(state)] == [1, 2, 3, 4]


def test_python_records_the_same(tmp_path: Path) -> None:
    (tmp_path / "delivering").write_text(f"{os.getpid()} {own_start()}\n")
    answer = hacheck("notify", "INSTANCE", "VI_1", "MASTER", "100", HACHECK_STATE_DIR=str(tmp_path))
    assert answer == (0, "", "")
    (one,) = recorded(tmp_path)
    assert (one.kind, one.name, one.state, one.priority, one.boot) == ("INSTANCE", "VI_1", "MASTER", 100, boot_id())


def test_what_makes_no_transition_is_refused() -> None:
    answer = hacheck("notify", "INSTANCE", "VI_1")
    assert answer == (2, "", "hacheck: notify: write GROUP|INSTANCE NAME STATE [PRIORITY], as Keepalived does\n")


@pytest.mark.executable
def test_another_user_may_read_what_is_recorded_under_keepalived_s_umask(program: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    words = f"umask 0177; exec {program} {EXECUTABLE} notify INSTANCE V MASTER 1"
    (tmp_path / "delivering").write_text(f"{os.getpid()} {own_start()}\n")
    environ = {"PATH": "/usr/bin:/bin", "HACHECK_STATE_DIR": str(tmp_path)}
    subprocess.run(["sh", "-c", words], env=environ, timeout=60, check=True)
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o644


def test_a_dry_run_and_a_test_need_no_queue_and_no_directory_that_others_write(tmp_path: Path) -> None:
    for name in ("queue-log", "silence", "last-failure", "dead-letters"):
        os.mkfifo(tmp_path / name)
    before = sorted(path.name for path in tmp_path.iterdir())
    config = tmp_path / "hacheck.toml"
    config.write_text(f'[notifier.log]\nnotifier = "log"\nfile = "{tmp_path}/told"\n')
    environ = {"TMPDIR": str(tmp_path), "HACHECK_CONFIG": str(config), "KEEPALIVED_CONFIG": "/dev/null"}
    answer = hacheck("notify", "--dry-run", "INSTANCE", "V\x1b1", "FAULT", **environ)  # type: ignore[arg-type]
    assert answer.code == 0
    assert answer.out.splitlines()[0].startswith(r"log: warning: V\x1b1 is FAULT on ")
    answer = hacheck("notify", "--test", "log", **environ)  # type: ignore[arg-type]
    assert answer == (0, f"log: wrote 1 line to {tmp_path}/told\n", "")
    assert sorted({path.name for path in tmp_path.iterdir()} - {"told", "hacheck.toml"}) == before
