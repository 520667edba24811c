"""StatsD is told what instances became."""

from __future__ import annotations

import socket

from hachecks.deadline import Deadline
from hachecks.net.target import Target
from hachecks.notifiers.statsd import StatsdNotifier
from tests.contracts import Stage, run_of
from tests.events import event, message

BASES = ("",)


@run_of("StatsdNotifier --case")
def _(choice: str, _stage: Stage) -> None:
    assert heard(choice) == [f"keepalived.{'fault' if choice == 'lower' else 'FAULT'}:1|c"]


def heard(case: str) -> list[str]:
    """What comes of two events."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        notifier = StatsdNotifier(server=Target("127.0.0.1", server.getsockname()[1]), case=case)
        assert notifier.send(message(event("VI_1", "FAULT")), Deadline.after(5)) == "counted 1 event"
        return [server.recv(1000).decode()]


def test_each_event_is_counted() -> None:
    assert heard("lower") == ["keepalived.fault:1|c"]
