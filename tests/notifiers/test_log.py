"""A log takes everything, survives logrotate, and is never left with half a line."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from hachecks.deadline import Deadline
from hachecks.messages.not_delivered import NotDelivered
from hachecks.notifiers.log import LogNotifier
from tests.cli import hacheck
from tests.events import event, message, storm

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from hachecks.messages.message import Message

BASES = ("",)


def send(path: Path, told: Message, **options: Any) -> str:
    return LogNotifier(file=str(path), **options).send(told, Deadline.after(5))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "transitions.log"


def test_a_line_for_each_event(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    told = message(event("V", "FAULT", number=1), event("V", "BACKUP", "FAULT", number=2), vips={"V": ["10.0.0.1"]})
    assert send(log, told) == f"wrote 2 lines to {log}"
    assert [line.partition(" ")[2] for line in log.read_text().splitlines()] == [
        "node-1 INSTANCE V (10.0.0.1) FAULT (was MASTER) priority 100",
        "node-1 INSTANCE V (10.0.0.1) BACKUP (was FAULT) priority 100",
    ]


def test_the_reason_of_a_fault_is_in_its_line(log: Path) -> None:
    send(log, message(why="port 443 refused", test=True))
    assert log.read_text().endswith(
        "node-1 [test] INSTANCE VI_1 (10.0.0.1) FAULT (was MASTER) priority 100: port 443 refused\n"
    )


def test_lines_of_json(log: Path) -> None:
    send(log, message(event("é"), why="broken"), log_format="json")
    (line,) = log.read_text().splitlines()
    facts = json.loads(line)
    assert (facts["name"], facts["state"], facts["node"], facts["why"]) == ("é", "FAULT", "node-1", "broken")
    assert "é" in line


def test_a_file_that_was_moved_away_is_made_anew(log: Path) -> None:
    send(log, message())
    log.rename(log.with_suffix(".1"))
    send(log, message())
    assert log.read_text().count("\n") == 1


def test_rotation_keeps_so_many(log: Path) -> None:
    for _ in range(8):
        send(log, storm(10), max_size=100, keep=2)
    assert sorted(path.name for path in log.parent.iterdir()) == [log.name, f"{log.name}.1", f"{log.name}.2"]
    assert log.read_text().count("\n") == 10


def test_half_a_line_spoils_no_other(log: Path) -> None:
    log.write_text("half a li")
    send(log, message())
    assert log.read_text().splitlines()[0] == "half a li"
    assert log.read_text().count("\n") == 2


def test_a_pipe_such_as_a_containers_output_is_written_to() -> None:
    reading, writing = os.pipe()
    heard: list[bytes] = []
    thread = threading.Thread(target=lambda: heard.append(os.read(reading, 65536)))
    thread.start()
    LogNotifier(file=f"/proc/self/fd/{writing}").send(message(), Deadline.after(5))
    thread.join(30)
    os.close(writing)
    os.close(reading)
    assert heard[0].endswith(b"priority 100\n")


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        pytest.param("/nonexistent/log", "/nonexistent/log: No such file or directory", id="no-directory"),
        pytest.param("/dev/full", "/dev/full: No space left on device", id="full-disk"),
    ],
)
def test_what_cannot_be_written_is_tried_again(path: str, complaint: str) -> None:
    with pytest.raises(NotDelivered) as raised:
        LogNotifier(file=path).send(message(), Deadline.after(5))
    assert raised.value.retryable
    assert str(raised.value) == complaint


def test_from_the_command_line(log: Path) -> None:
    answer = hacheck("notify", "--test", "log", "--file", log)
    assert answer.code == 0
    assert "[test] INSTANCE" in log.read_text()
