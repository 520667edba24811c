"""systemd's journal takes every entry, with all its fields, whatever they hold and however large they are."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.deadline import Deadline, TimedOut
from hachecks.notifiers.journald import MESSAGE_IDS, JournaldNotifier, field
from hachecks.verdict import Failure
from tests.events import event, message, storm
from tests.logdaemons import journald

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.messages.message import Message
    from tests.logdaemons import Journald

BASES = ("",)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journald]:
    with journald(tmp_path_factory.mktemp("journald")) as running:
        yield running


def send(path: Path, told: Message, seconds: float = 30) -> str:
    return JournaldNotifier(socket=str(path)).send(told, Deadline.after(seconds))


def test_everything_is_in_the_entry(daemon: Journald) -> None:
    told = message(event("VI_1", "FAULT", number=11), vips={"VI_1": ["10.0.0.1"]}, why="port 443 refused")
    assert send(daemon.socket, told) == f"wrote 1 entry to {daemon.socket}"
    (entry,) = daemon.entries(1, f"HACHECK_KEY={11:032x}")
    assert entry["MESSAGE"] == "INSTANCE VI_1 (10.0.0.1) FAULT (was MASTER) priority 100: port 443 refused"
    assert entry["PRIORITY"] == "2"
    assert entry["SYSLOG_IDENTIFIER"] == "hacheck"
    assert entry["HACHECK_REASON"] == "port 443 refused"
    assert entry["HACHECK_AT"] == "2026-11-22T17:00:00.250Z"
    assert "HACHECK_TEST" not in entry


def test_a_state_is_found_by_its_message_id(daemon: Journald) -> None:
    send(daemon.socket, message(event("by-id", "STOP", number=12), event("by-id", "BACKUP", "STOP", number=13)))
    (entry,) = daemon.entries(1, f"MESSAGE_ID={MESSAGE_IDS['STOP']}", "HACHECK_NAME=by-id")
    assert entry["PRIORITY"] == "4"


def test_events_come_in_order(daemon: Journald) -> None:
    events = [event("order", state, number=20 + at) for at, state in enumerate(("FAULT", "BACKUP", "MASTER"))]
    send(daemon.socket, message(*events))
    assert [entry["HACHECK_STATE"] for entry in daemon.entries(3, "HACHECK_NAME=order")] == [
        "FAULT",
        "BACKUP",
        "MASTER",
    ]


def test_lines_in_a_value_add_no_field(daemon: Journald) -> None:
    why = "first line\nPRIORITY=7\nsecond: é \N{GRINNING FACE}"
    send(daemon.socket, message(event("lines", number=30), why=why))
    (entry,) = daemon.entries(1, "HACHECK_NAME=lines")
    assert entry["HACHECK_REASON"] == why
    assert entry["PRIORITY"] == "2"


def test_what_is_too_large_for_a_datagram_is_handed_over_as_a_file(daemon: Journald) -> None:
    vips = [f"2001:db8::{number:x}" for number in range(40_000)]
    send(daemon.socket, message(event("large", number=40), vips={"large": vips}))
    (entry,) = daemon.entries(1, f"HACHECK_KEY={40:032x}")
    assert entry["HACHECK_VIPS"] == " ".join(vips)


def test_no_journal_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=f"unix:{tmp_path}/socket does not exist"):
        send(tmp_path / "socket", message())


def test_a_journal_that_hangs_is_not_waited_for_beyond_the_deadline(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hanging:
        hanging.bind(str(tmp_path / "socket"))
        began = time.monotonic()
        with pytest.raises(TimedOut):
            send(tmp_path / "socket", storm(10_000), seconds=0.5)
        assert time.monotonic() - began < 30  # and not for ever


VALUES = st.text(max_size=200)


@given(st.dictionaries(st.sampled_from(["MESSAGE", "HACHECK_A", "HACHECK_B"]), VALUES, min_size=1))
def test_any_values_are_read_back_by_the_protocol(values: dict[str, str]) -> None:
    data = b"".join(field(name, value) for name, value in values.items())
    assert parsed(data) == {name: value.encode("utf-8", "replace") for name, value in values.items()}


def parsed(data: bytes) -> dict[str, bytes]:
    """systemd.io/JOURNAL_NATIVE_PROTOCOL, to the letter."""
    fields = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length = int.from_bytes(data[:8], "little")
            value, end, data = data[8 : 8 + length], data[8 + length : 9 + length], data[9 + length :]
            assert end == b"\n"
            assert len(value) == length
        assert name.decode().replace("_", "").isupper()
        fields[name.decode()] = value
    return fields


def test_a_path_too_long_for_a_socket_is_tried_again() -> None:
    with TemporaryDirectory() as directory, pytest.raises((Failure, OSError)):
        send(Path(directory) / ("x" * 120), message())
