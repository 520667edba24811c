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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hachecks.proc import TICKS, process_start
from hachecks.settings import Invalid
from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.fifo import LONGEST_LINE, PIPE_BYTES, FifoReader
from hachecks.transitions.history import History
from hachecks.transitions.transition import Transition
from tests.cli import ROOT, hacheck
from tests.nodes import places

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hachecks.transitions.event import Event


def recorded(directory: Path) -> list[str]:
    found, _ = journal.read_from([str(directory)], journal.Offsets())
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


def recording(directory: Path) -> Callable[[Transition], object]:
    return lambda transition: journal.append(transition, places(directory))


def follower(directory: Path, complaints: list[str]) -> FifoReader:
    if not (directory / "fifo").exists():
        os.mkfifo(directory / "fifo")
    return FifoReader(str(directory / "fifo"), recording(directory), complaints.append)


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
    assert PIPE_BYTES > 64 * 1024
    assert not select.select([one.descriptor], [], [], 0)[0]
    os.close(one.descriptor)


def test_what_can_be_recorded_or_delivered_nowhere_is_complained_of(tmp_path: Path) -> None:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, to mount")
    os.mkfifo(tmp_path / "fifo")
    script = (
        "import os, sys; from hachecks.delivery.record import DeliveryStarter; from hachecks.node import node_of\n"
        "from hachecks.transitions import fifo, journal\n"
        "record = lambda transition: journal.append(transition, node_of({}).places)\n"
        "one = fifo.FifoReader(sys.argv[1], record, print)\n"
        "os.write(one.descriptor, b'INSTANCE \"V\" MASTER 1\\n'); one.read()\n"
        "DeliveryStarter(node_of({}), print).see_to_delivery()\n"
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
        FifoReader(str(tmp_path / "file"), print, print)
    assert (tmp_path / "file").read_text() == "text"


def told(directory: Path) -> list[Event]:
    """What one who reads the journal now makes of it."""
    with History.locked(str(directory), [str(directory)]) as reader:
        return reader.read_on()


def write(one: FifoReader, *lines: str) -> None:
    os.write(one.descriptor, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    one.read()


def test_a_backlog_of_lines_keeps_every_one_of_them_and_their_order(tmp_path: Path) -> None:
    one = follower(tmp_path, [])
    states = ["MASTER", "FAULT", "BACKUP", "MASTER", "FAULT", "FAULT", "BACKUP", "FAULT"]
    write(one, *(f'INSTANCE "V" {state} 100' for state in states))
    events = told(tmp_path)
    assert [event.state for event in events] == states
    assert not any(event.late for event in events)
    assert [event.before for event in events] == [None, *states[:-1]]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["INSTANCE", "GROUP"]),
        st.sampled_from(["V", "W"]),
        st.sampled_from(["MASTER", "BACKUP", "FAULT", "STOP"]),
        st.sampled_from(["line", "line and script", "restart"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_the_fifo_says_the_last_line_counts(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("state")
    one = follower(directory, [])
    last: dict[tuple[str, str], str] = {}
    lines = scripts = 0
    pid = 4000
    for kind, name, state, how in data.draw(STEPS):
        if how == "restart":
            os.close(one.descriptor)
            one = follower(directory, [])
        elif how == "line and script":  # Keepalived tells both, in this order
            pid += 1
            started = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS)
            script = Transition(kind, name, state, 1, boot=boot_id(), started=started, pid=pid)
            journal.append(script, places(directory))
        lines += 1
        scripts += how == "line and script"
        write(one, f'{kind} "{name}" {state} 100')
        last[kind, name] = state
    os.close(one.descriptor)
    with History.locked(str(directory), [str(directory)]) as reader:
        # A line is its script's twin, unless what scripts recorded has been out of step with the lines before.
        assert lines <= len(reader.read_on()) <= lines + scripts
        assert {subject: event.state for subject, event in reader.log.latest.items()} == last


READING = """
import os, sys
from hachecks.node import node_of
from hachecks.transitions import fifo, journal
one = fifo.FifoReader(sys.argv[1], lambda transition: journal.append(transition, node_of(os.environ).places), print)
one.read()
"""


def test_a_reader_that_is_started_anew_goes_on_where_the_former_ended(tmp_path: Path) -> None:
    keeping = follower(tmp_path, [])
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path)}
    for states in (["MASTER", "FAULT"], ["MASTER", "FAULT", "BACKUP"], ["FAULT"]):
        os.write(keeping.descriptor, "".join(f'INSTANCE "V" {state} 1\n' for state in states).encode())
        subprocess.run([sys.executable, "-c", READING, tmp_path / "fifo"], env=environ, check=True)
    assert [event.state for event in told(tmp_path)] == ["MASTER", "FAULT", "MASTER", "FAULT", "BACKUP", "FAULT"]


@pytest.mark.parametrize("control", ["\x1c", "\x1d", "\x1e", "\x1f", "\x00", "\x07", "\x1b", "\x7f", "\t", "\r"])
def test_a_control_character_in_a_name_is_recorded_spelled_out(tmp_path: Path, control: str) -> None:
    complaints: list[str] = []
    one = follower(tmp_path, complaints)
    write(one, f'INSTANCE "V{control}1" MASTER 100', 'INSTANCE "W" FAULT 100')
    shown = ascii(control)[1:-1]
    assert [(event.name, event.state) for event in told(tmp_path)] == [(f"V{shown}1", "MASTER"), ("W", "FAULT")]
    assert complaints == []


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1), st.binary(max_size=8))
def test_a_line_of_keepalived_s_becomes_a_record_that_can_be_read(name: str, raw: bytes) -> None:
    text = name + raw.replace(b"\n", b"").decode("utf-8", "replace")
    one = Transition.from_fifo_line(f'INSTANCE "{text}" MASTER 100')
    record = one.record()
    assert record.count(b"\x1e") == record.count(b"\n") == 1
    again = Transition.from_record(record.decode()[1:-1])
    assert (again.name, again.state, again.order) == (one.name, one.state, one.order)


def test_a_name_of_undecodable_bytes_is_recorded(tmp_path: Path) -> None:
    one = follower(tmp_path, [])
    os.write(one.descriptor, b'INSTANCE "V\xff\xfe" MASTER 100\n')
    one.read()
    (event,) = told(tmp_path)
    assert event.name == "V\\xff\\xfe"


def test_a_line_without_end_needs_no_memory_and_is_told_once(tmp_path: Path) -> None:
    complaints: list[str] = []
    one = follower(tmp_path, complaints)
    for _ in range(50):
        os.write(one.descriptor, b"x" * 65536)
        one.read()
        assert len(one.begun) <= LONGEST_LINE
    write(one, '"', 'INSTANCE "V" MASTER 100', f'INSTANCE "{"y" * LONGEST_LINE}" FAULT 1', 'INSTANCE "W" FAULT 100')
    assert [event.name for event in told(tmp_path)] == ["V", "W"]
    assert complaints == [f"notify: not recorded: a line of more than {LONGEST_LINE} bytes: {'x' * 40}…"]


def test_complaints_about_lines_are_told_once_in_a_while(tmp_path: Path) -> None:
    complaints: list[str] = []
    one = follower(tmp_path, complaints)
    write(one, *["nonsense"] * 20)
    assert len(complaints) == 1
    one.complaints.quiet_until = 0.0
    write(one, "nonsense")
    assert complaints[1] == f"{complaints[0]} (and 19 more before it)"


def test_who_follows_is_called_when_something_was_recorded_and_starts_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    called: list[str] = []
    one = FifoReader(str(tmp_path / "fifo"), recording(tmp_path), print, lambda: called.append("recorded"))
    one.complaints.quiet_until = float("inf")
    write(one, "nonsense")
    assert called == []
    write(one, 'INSTANCE "V" MASTER 1', 'INSTANCE "V" FAULT 1')
    assert called == ["recorded"]
    one.recorded = follower(tmp_path, []).recorded
    write(one, 'INSTANCE "V" MASTER 1')
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "journal"]


ENDING = """
import os, signal, sys
from hachecks.node import node_of
from hachecks.transitions import fifo, journal

class Reader(fifo.FifoReader):
    def read(self):
        super().read()
        if not self.ending:  # Keepalived ends its reader before it says the last
            os.kill(os.getpid(), signal.SIGTERM)
            os.write(self.descriptor, b'INSTANCE "V" STOP 1\\n')

one = Reader(sys.argv[1], lambda transition: journal.append(transition, node_of(os.environ).places), print)
os.write(one.descriptor, b'INSTANCE "V" MASTER 1\\n')
one.follow()
"""


def test_keepalived_s_last_words_are_read_after_the_end_of_the_reader_is_asked_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", ENDING, tmp_path / "fifo"], env=environ, check=True, timeout=60)
    assert recorded(tmp_path) == ["INSTANCE V MASTER", "INSTANCE V STOP"]
