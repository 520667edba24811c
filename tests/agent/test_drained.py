"""The agent ends a drain at its time, and a FAULT by which one began and that nobody ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from hachecks.agent.drained import LONGEST_FAULT, Drained
from hachecks.drain import state
from hachecks.drain.state import Drain
from hachecks.exporter.sources import Sources
from tests import nodes
from tests.agent.running import agent, one_check
from tests.cli import hacheck
from tests.drain.confs import conf_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1796000000.0
DRAIN = Drain(1, NOW - 3600, NOW, "root", "a disk")


class Looked:
    """Looks after the drain of a node whose files are in a directory."""

    def __init__(self, directory: Path) -> None:
        node = nodes.node_at(directory, keepalived_config=str(conf_in(directory)))
        self.path = str(directory / "drain")
        self.told: list[str] = []
        self.sources = Sources(node, self.told.append)
        self.sources.refresh()
        self.told.clear()
        self.drained = Drained(self.sources, self.told.append)

    def after(self, wall: float, now: float = 0.0) -> Drain | None:
        """Look, and tell what the drain is afterwards."""
        self.drained.look(wall, now)
        return state.look(self.path)


@pytest.fixture
def looked(tmp_path: Path) -> Iterator[Looked]:
    found = Looked(tmp_path)
    yield found
    found.sources.close()


def test_a_drain_ends_at_its_time_seen_twice(looked: Looked) -> None:
    state.write(looked.path, DRAIN)
    assert looked.after(NOW - 1) == DRAIN
    assert looked.after(NOW) == DRAIN
    assert looked.after(NOW + 1) is None
    assert looked.told == [f"the drain is over, which was to end at {state.instant(NOW)}"]


def test_a_clock_that_is_wrong_for_a_moment_ends_no_drain(looked: Looked) -> None:
    state.write(looked.path, DRAIN)
    for wall in (NOW - 10, NOW + 86400, NOW - 9, NOW + 86400, NOW - 8):
        assert looked.after(wall) == DRAIN
    assert looked.told == []


def test_a_drain_without_an_end_stays(looked: Looked) -> None:
    state.write(looked.path, DRAIN._replace(until=None))
    assert looked.after(NOW + 1e6) == looked.after(NOW + 1e6 + 1) == DRAIN._replace(until=None)


def test_a_fault_that_nobody_ends_becomes_the_last_resort(looked: Looked) -> None:
    fault = DRAIN._replace(number=254, until=None)
    state.write(looked.path, fault)
    assert looked.after(NOW, 100.0) == fault
    assert looked.after(NOW, 100.0 + LONGEST_FAULT - 1) == fault
    assert looked.after(NOW, 100.0 + LONGEST_FAULT) == fault._replace(number=1)
    assert "nobody ends that; the node is the last resort now" in looked.told[0]
    assert looked.after(NOW, 1e6) == fault._replace(number=1)
    assert len(looked.told) == 1


def test_a_running_agent_ends_it_and_shows_it_until_then(tmp_path: Path) -> None:
    conf, drain = conf_in(tmp_path), tmp_path / "drain"
    long = DRAIN._replace(until=float(int(time.time()) + 86400))
    state.write(str(drain), long)
    words = ("--keepalived-config", str(conf))
    with agent(one_check("null", "file", path="/dev/null"), tmp_path, *words) as running:
        found = running.status()
        assert found["drained"] == long.told
        assert f"drained {found['drained']}" in found["but"]
        assert running.metrics().of("hachecks_drained") == 1
        until = float(int(time.time()) + 1)
        state.write(str(drain), DRAIN._replace(until=until))
        running.until("the drain is over", lambda: drain.read_text() == "0\n")
        assert time.time() >= until
        running.until("it is not shown", lambda: running.metrics().of("hachecks_drained") == 0)
        assert running.status()["drained"] == ""
        done = hacheck("drain", "--until", "1h", *words, "--state-dir", running.state)
        assert (done.code, done.err) == (0, "")
        running.until("it is drained again", lambda: running.metrics().of("hachecks_drained") == 1)
        drain.write_text("1\n")
        running.until("it is shown again", lambda: running.status()["drained"] == "by hand")


def test_without_a_drain_file_nothing_is_said_of_drains(tmp_path: Path) -> None:
    with agent(one_check("null", "file", path="/dev/null"), tmp_path) as running:
        assert running.status()["drained"] is None
        assert running.metrics().of("hachecks_drained") is None
