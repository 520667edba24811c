"""Who may only read follows what others record: all of it, once, in order, and learns why something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hachecks.delivery.queue_state import queues
from hachecks.proc import process_start
from hachecks.state import boot_id
from hachecks.transitions.event import RECENT
from hachecks.transitions.follower import EventFollower
from hachecks.transitions.history import History
from hachecks.transitions.transition import Transition
from tests.cli import ROOT
from tests.monitors import until
from tests.transitions.recording import read_on, record

if TYPE_CHECKING:
    from collections.abc import Iterator


def follower(*directories: Path) -> EventFollower:
    return EventFollower([str(directory) for directory in directories], {0})


def told(one: EventFollower) -> list[str]:
    return [f"{event.name} {event.state}" for event in one.read_on()]


def test_a_follower_hears_what_is_remembered_what_is_unread_and_then_what_comes(tmp_path: Path) -> None:
    record(tmp_path, "BACKUP", ago=3)
    record(tmp_path, "MASTER", ago=2)
    read_on(tmp_path)
    record(tmp_path, "FAULT", ago=1)
    before = sorted((path, path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.iterdir())
    one = follower(tmp_path, tmp_path / "absent")
    first = list(one.read_on())
    assert [event.state for event in first] == ["BACKUP", "MASTER", "FAULT"]
    assert (first[2].before, first[2].since, first[2].number) == ("MASTER", first[1].at, 3)
    assert told(one) == []
    assert before == sorted((path, path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.iterdir())
    record(tmp_path, "BACKUP")
    assert told(one) == ["VI_1 BACKUP"]
    read_on(tmp_path)
    assert told(one) == []
    assert one.trouble == ""


def test_a_follower_needs_no_lock_and_no_place_to_write(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    with History.locked(str(tmp_path), [str(tmp_path)]):
        assert told(follower(tmp_path)) == ["VI_1 MASTER"]


def test_a_late_word_is_late_for_a_follower_too(tmp_path: Path) -> None:
    record(tmp_path, "MASTER", ago=1)
    read_on(tmp_path)
    record(tmp_path, "BACKUP", ago=60)
    assert [event.late for event in follower(tmp_path).read_on()] == [False, True]


def test_what_the_deliverer_reads_meanwhile_is_followed_once(tmp_path: Path) -> None:
    for number in range(5):
        record(tmp_path, "MASTER", name=f"V{number}", pid=number)
    read_on(tmp_path)
    record(tmp_path, "MASTER", name="unread")
    one = follower(tmp_path)
    reading = one.read_on()
    heard = [next(reading).name]
    record(tmp_path, "MASTER", name="meanwhile")
    read_on(tmp_path)
    heard += [event.name for event in reading]
    heard += [event.name for event in one.read_on()]
    assert heard == [*(f"V{number}" for number in range(5)), "unread", "meanwhile"]


def test_what_was_read_before_is_not_read_again(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    directories = [str(one), str(other)]
    for directory, names in ((other, "ab"), (one, "cd")):  # the first has read farther than the second
        directory.mkdir()
        for name in names:
            record(other, "MASTER", name=name, pid=ord(name))
        with History.locked(str(directory), directories) as reader:
            reader.read_on()
    (other / "history").unlink()
    following = EventFollower([str(one), str(other)], {0}, recent=1)
    assert told(following) == ["a MASTER", "b MASTER", "c MASTER", "d MASTER"]
    (other / "journal").rename(other / "away")
    (other / "journal").symlink_to("journal")
    assert told(following) == []
    assert (following.trouble, following.passed_over) == ("", [f"{other}/journal is passed over: it is a link"])
    (other / "away").replace(other / "journal")
    record(other, "MASTER", name="e")
    assert told(following) == ["e MASTER"]
    assert following.passed_over == []


def test_a_closed_journal_is_followed(tmp_path: Path) -> None:
    one = follower(tmp_path)
    record(tmp_path, "MASTER", name="a")
    assert told(one) == ["a MASTER"]
    late_writer = (tmp_path / "journal").open("ab")
    record(tmp_path, "MASTER", name="b")
    read_on(tmp_path, journal_closed_at_bytes=100)
    assert list(tmp_path.glob("journal.*"))
    record(tmp_path, "MASTER", name="c")
    with late_writer:
        late_writer.write(Transition("GROUP", "late", "MASTER", 1, boot=boot_id(), started=1, pid=1).record())
    assert sorted(told(one)) == ["b MASTER", "c MASTER", "late MASTER"]
    assert told(one) == []


def test_two_places_are_followed_as_one(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for directory, ago in ((one, 4), (other, 3), (one, 2)):
        directory.mkdir(exist_ok=True)
        record(directory, "MASTER" if ago % 2 else "BACKUP", ago=ago, pid=ago)
    directories = [str(one), str(other)]
    with History.locked(str(one), directories) as reader:
        reader.read_on()
    with History.locked(str(other), directories) as reader:  # where the first could not be written for a while
        reader.read_on()
    record(other, "FAULT", ago=1)
    assert told(follower(one, other)) == ["VI_1 BACKUP", "VI_1 MASTER", "VI_1 BACKUP", "VI_1 FAULT"]


def test_records_that_are_not_ours_are_counted_by_a_follower(tmp_path: Path) -> None:
    one = follower(tmp_path)
    (tmp_path / "journal").write_bytes(b"\x1enonsense, and more of it than a file is known by\n" * 2)
    record(tmp_path, "MASTER")
    assert told(one) == ["VI_1 MASTER"]
    assert one.malformed == 2


def test_following_an_idle_node_reads_no_file_and_lists_no_more_than_its_directories(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    read_on(tmp_path)
    for number in range(50):
        (tmp_path / f"check-{number}").touch()
    one = follower(tmp_path)
    assert told(one) == ["VI_1 MASTER"]
    done: list[str] = []
    watching = True
    sys.addaudithook(lambda name, _: done.append(name) if watching else None)
    assert told(one) == []
    watching = False
    assert "open" not in done
    assert sum(name in ("os.listdir", "os.scandir") for name in done) <= 2, "the place itself, and for others' entries"


def test_a_long_history_is_followed_in_little_memory(tmp_path: Path) -> None:
    record(tmp_path, "MASTER")
    (event,) = read_on(tmp_path)
    facts = event.facts()
    with (tmp_path / "history.000000000000001").open("w") as file:
        for number in range(60_000):
            file.write(json.dumps({**facts, "key": f"{number:032x}", "number": number}) + "\n")
    assert (tmp_path / "history.000000000000001").stat().st_size > 15 * 2**20
    one = follower(tmp_path)
    tracemalloc.start()
    count = sum(1 for _ in one.read_on())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 60_001
    assert len(one.log.keys) == RECENT
    assert most < 10 * 2**20


FOLLOWING = """
import os, sys
from hachecks.delivery.queue_state import queues
from hachecks.state import boot_id
from hachecks.transitions.follower import EventFollower
boot_id()  # imports a codec, which may lie where only root comes to
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
one = EventFollower(sys.argv[1:], {0})
for _ in sys.stdin:
    heard = [f"{event.name} {event.state}" for event in one.read_on()]
    told = [queue.delivered_up_to for directory in sys.argv[1:] for queue in queues(directory)]
    print(heard, told, one.trouble, sep="|", flush=True)
"""
ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


class Stranger:
    """A follower without root, in a process of its own."""

    def __init__(self, *directories: Path) -> None:
        words = [sys.executable, "-c", FOLLOWING, *map(str, directories)]
        self.process = subprocess.Popen(words, env=ENVIRON, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self) -> tuple[str, str, str]:
        """What is new, up to where the notifiers know, and what trouble there is."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(file=self.process.stdin, flush=True)
        heard, known, trouble = self.process.stdout.readline().rstrip("\n").split("|")
        return heard, known, trouble


@contextmanager
def stranger(*directories: Path) -> Iterator[Stranger]:
    one = Stranger(*directories)
    with one.process as process:
        try:
            yield one
        finally:
            process.kill()


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A state directory that another user can come to."""
    if os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("a user other than root needs root: run it as root")
        pytest.skip("a user other than root needs root")
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@contextmanager
def under_umask() -> Iterator[None]:
    """As Keepalived runs its scripts."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def hook(directory: Path, *words: str) -> None:
    """Root's Keepalived calls notify, by Python, and a deliverer has its turn."""
    environ = {**ENVIRON, "HACHECK_STATE_DIR": str(directory), "HACHECK_CONFIG": str(directory / "absent.toml")}
    command = [sys.executable, "-m", "hachecks"]
    (directory / "delivering").write_text(f"{os.getpid()} {process_start()}\n")
    with under_umask():
        subprocess.run([*command, "notify", *words], env=environ, check=True)
        delivering = subprocess.Popen([*command, "deliver"], env=environ, stdout=subprocess.DEVNULL)
    with delivering:
        until(lambda: any(queue.last_success for queue in queues(str(directory))))
        delivering.kill()


def test_another_user_follows_what_root_s_hooks_record_and_deliver(open_path: Path) -> None:
    hook(open_path, "INSTANCE", "VI_1", "MASTER", "100")
    with stranger(open_path) as one:
        heard, known, trouble = one.ask()
        assert "'VI_1 MASTER'" in heard
        assert int(known.strip("[]")) >= 1
        assert trouble == ""
        with under_umask():
            record(open_path, "FAULT")
        assert one.ask()[0] == "['VI_1 FAULT']"


@pytest.mark.parametrize("name", ["journal", "history", "history.read", "history.000000000000001", "."])
def test_what_another_user_cannot_read_is_told_and_heard_when_he_can(open_path: Path, name: str) -> None:
    record(open_path, "MASTER", ago=3)
    read_on(open_path)
    (open_path / "history.000000000000001").touch()
    record(open_path, "FAULT", ago=2)
    target = open_path / name
    mode = target.stat().st_mode & 0o777
    target.chmod(0o700)
    with stranger(open_path) as one:
        heard, _, trouble = one.ask()
        path = os.path.normpath(target)
        advice = "let everybody read it (chmod a+rX), or run as its owner"
        assert trouble == f"{path} cannot be read: Permission denied; {advice}"
        assert heard == ("['VI_1 MASTER']" if name == "journal" else "[]")
        target.chmod(mode)
        heard, _, trouble = one.ask()
        assert heard == ("['VI_1 FAULT']" if name == "journal" else "['VI_1 MASTER', 'VI_1 FAULT']")
        assert trouble == ""
        target.chmod(0o700)
        record(open_path, "BACKUP")
        target.chmod(0o700)
        heard, _, trouble = one.ask()
        assert bool(trouble) == (name in ("journal", "."))
        target.chmod(mode)
        heard = heard if heard != "[]" else one.ask()[0]
        assert heard == "['VI_1 BACKUP']", "nothing is heard again"
