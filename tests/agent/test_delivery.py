"""The agent tells what is recorded, in the deliverer's place, and leaves what is not told to whoever comes next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from hachecks.delivery import starting
from hachecks.delivery.loop import DeliveryLoop
from tests.agent.running import agent
from tests.exporter.running import PATIENCE, say
from tests.monitors import alertmanager, get_json, until
from tests.nodes import node_at
from tests.servers import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.agent.running import Agent

LOG = '[notifier.{name}]\nnotifier = "log"\nfile = "{file}"\nrate = "10ms"\n'
HANGING = '[notifier.hook]\nnotifier = "webhook"\nurl = "http://127.0.0.1:{port}/"\nsend_timeout = "1h"\n'


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


def log(directory: Path, name: str = "log") -> str:
    return LOG.format(name=name, file=directory / name)


def told(directory: Path, name: str = "log") -> list[str]:
    """Who was told of, and what he became."""
    file = directory / name
    lines = file.read_text().splitlines() if file.exists() else []
    return [" ".join(line.partition(" INSTANCE ")[2].split()[:2]) for line in lines]


def delivers(running: Agent) -> bool:
    return starting.is_delivering(str(running.state)) and mark(running.state).startswith(f"{running.process.pid} ")


def mark(state: Path) -> str:
    file = state / starting.MARK
    return file.read_text() if file.exists() else ""


def started(state: Path, *words: str) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "HACHECK_STATE_DIR": str(state), "HACHECK_CONFIG": str(state / "hacheck.toml")}
    return subprocess.Popen([sys.executable, "-m", "hachecks", *words], env=environ, stdout=subprocess.DEVNULL)


def deliverer(state: Path) -> subprocess.Popen[bytes]:
    return started(state, "deliver")


def test_what_notify_records_is_told_by_the_agent_and_no_deliverer_is_started(state: Path) -> None:
    with agent(log(state), state) as running:
        running.until("it delivers", lambda: delivers(running))
        assert started(state, "notify", "INSTANCE", "VI_1", "MASTER", "100").wait(60) == 0
        running.until("it is told", lambda: told(state) == ["VI_1 MASTER"])
        assert delivers(running)
        assert running.metrics().of("hachecks_source_up", source="delivery") == 1


def test_at_its_end_the_mark_is_taken_away(state: Path) -> None:
    with agent(log(state), state) as running:
        running.until("it delivers", lambda: delivers(running))
        say(state, "VI_1", "MASTER")
        running.until("all is told", lambda: told(state) == ["VI_1 MASTER"])  # else something may be left for the next
        running.signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
    assert mark(state) == ""


def test_the_last_words_are_told_once_by_the_agent_or_by_the_next_one(state: Path) -> None:
    with agent(log(state), state) as running:
        running.until("it delivers", lambda: delivers(running))
        say(state, "VI_1", "STOP")
        running.signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
    assert told(state) == ["VI_1 STOP"] or mark(state)
    with deliverer(state) as next_one:
        assert next_one.wait(60) == 0
    assert told(state) == ["VI_1 STOP"]


def test_a_reload_has_other_notifiers_told_and_a_bad_one_changes_nothing(state: Path) -> None:
    with agent(log(state), state) as running:
        running.until("it delivers", lambda: delivers(running))
        running.declare(log(state) + '[notifier.other]\nnotifier = "slak"\n')
        running.until("it is refused", lambda: any("slak" in line for line in running.lines))
        say(state, "VI_1", "MASTER")
        running.until("it is told", lambda: told(state) == ["VI_1 MASTER"])
        running.declare(log(state) + log(state, "other"))
        running.until("the other one is known", (state / "queue-other").exists)
        say(state, "VI_2", "MASTER")
        running.until("both are told", lambda: told(state)[1:] == told(state, "other") == ["VI_2 MASTER"])


def test_it_takes_over_from_the_deliverer_that_runs_already(state: Path) -> None:
    (state / "hacheck.toml").write_text(log(state))
    say(state, "VI_1", "MASTER")
    with deliverer(state) as before, agent(log(state), state) as running:
        running.until("the deliverer ends", lambda: before.poll() == 0)
        running.until("it delivers", lambda: delivers(running))
        say(state, "VI_2", "MASTER")
        running.until("each is told once", lambda: told(state) == ["VI_1 MASTER", "VI_2 MASTER"])


def test_what_a_notifier_that_hangs_was_not_told_is_left_to_the_next_one(state: Path) -> None:
    with Silent() as server, agent(HANGING.format(port=server.port) + log(state), state) as running:
        running.until("it delivers", lambda: delivers(running))
        say(state, "VI_1", "FAULT")
        running.until("the others are told", lambda: told(state) == ["VI_1 FAULT"])
        running.signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
    assert mark(state).startswith(f"{running.process.pid} ")  # so that a check starts a deliverer
    assert not starting.is_delivering(str(state))


ALERTS = '[notifier.alerts]\nnotifier = "alertmanager"\nurl = "{url}"\nrate = "10ms"\n'


@pytest.fixture
def alerts(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "alertmanager").mkdir()
    with alertmanager(tmp_path / "alertmanager", "http://127.0.0.1:1/") as url:
        yield url


def firing(server: str) -> dict[str, tuple[str, float]]:
    """When what fires was told last, and for how many seconds it fires from now on, by the instance."""
    found = get_json(f"{server}/api/v2/alerts")
    now = datetime.now(timezone.utc)
    times = {one["labels"]["instance"]: (one["updatedAt"], datetime.fromisoformat(one["endsAt"])) for one in found}
    return {name: (told, (ends - now).total_seconds()) for name, (told, ends) in times.items()}


def test_what_goes_on_is_told_again_and_what_ended_meanwhile_is_resolved(state: Path, alerts: str) -> None:
    (state / "hacheck.toml").write_text(ALERTS.format(url=alerts))
    node = node_at(state, config=str(state / "hacheck.toml"), keepalived_config="/dev/null")

    def deliver(until: Callable[[], bool], within: float = PATIENCE) -> None:
        """Tell each second what goes on; an alert lasts for four."""
        said: list[str] = []
        with DeliveryLoop.locked(str(state), node, said.append, repeat_interval=1.0) as loop:
            ends = time.monotonic() + within
            while not until():
                assert time.monotonic() < ends, said
                loop.wait(loop.step(time.monotonic()))

    say(state, "VI_1", "FAULT")
    say(state, "VI_2", "FAULT")
    deliver(lambda: len(firing(alerts)) == 2)
    began = time.monotonic()
    deliver(lambda: time.monotonic() > began + 5.0)
    assert firing(alerts).keys() == {"VI_1", "VI_2"}, "they would have ended"
    say(state, "VI_2", "BACKUP")
    deliver(lambda: firing(alerts).keys() == {"VI_1"})
    until(lambda: not firing(alerts))  # nobody tells it again


def test_an_alert_fires_on_across_agents_and_is_resolved(state: Path, alerts: str) -> None:
    toml = ALERTS.format(url=alerts)
    with agent(toml, state) as running:
        running.until("it delivers", lambda: delivers(running))
        say(state, "VI_1", "FAULT")
        running.until("it fires", lambda: bool(firing(alerts)))
        ((first, lasts),) = firing(alerts).values()
        assert 60 < lasts <= 240, "a node that is gone is not in trouble for a day"
        running.process.kill()
        running.process.wait(30)
    with agent(toml, state) as running:
        running.until("it is told again", lambda: firing(alerts)["VI_1"][0] > first)
        say(state, "VI_1", "MASTER")
        running.until("it is resolved", lambda: not firing(alerts))
        assert not [line for line in running.lines if "alerts" in line and "took" not in line]


def test_where_no_history_can_be_kept_the_agent_says_so_and_serves(state: Path) -> None:
    (state / "history.lock").mkdir()
    with agent(log(state), state, ready=False) as running:
        running.until("it serves", lambda: running.get("-/healthy").status == 200)
        assert running.process.poll() is None
