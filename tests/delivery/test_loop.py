"""Step by step, a node's records are told once their storm is over, and remembered no longer than need be."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hachecks.delivery.loop import DeliveryLoop
from hachecks.delivery.queue_state import queues
from hachecks.delivery.watch import JournalWatch
from hachecks.transitions import journal
from hachecks.transitions.transition import Transition
from tests.nodes import node_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hachecks.transitions.history import History

NOTIFIER = '[notifier.{name}]\nnotifier = "log"\nfile = "{file}"\nrate = "1ms"\n'


class Place:
    """A node on which this test delivers, at a time that the test says."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.state.mkdir()
        self.config = directory / "hacheck.toml"
        self.log = directory / "told"
        self.node = node_at(self.state, config=str(self.config), keepalived_config="/dev/null", node_name="n")
        self.said: list[str] = []
        self.declare("file", self.log)

    def declare(self, name: str, file: Path) -> None:
        with self.config.open("a") as config:
            config.write(NOTIFIER.format(name=name, file=file))

    def record(self, name: str, state: str = "FAULT", *options: str) -> None:
        journal.append(Transition.of_now("INSTANCE", name, state, options=options), [str(self.state)])

    @contextmanager
    def loop(self) -> Iterator[DeliveryLoop]:
        with DeliveryLoop.locked(str(self.state), self.node, self.said.append) as loop:
            yield loop

    def told(self) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split()[3] for line in lines]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def settle(loop: DeliveryLoop, now: float = 0.0) -> float:
    """Step until there is nothing left to do; returns the time then, which no clock says."""
    while (left := loop.step(now)) < 1000:
        now += left
    assert loop.is_idle
    return now


def test_one_record_is_told_when_none_has_come_for_a_second(place: Place) -> None:
    place.record("V1")
    with place.loop() as loop:
        assert 0 < loop.step(100.0) <= 0.1, "how the storm goes on is looked at"
        loop.step(100.99)
        assert place.told() == []
        loop.step(101.0)
        assert place.told() == ["V1"]
        assert place.said == [f"file: wrote 1 line to {place.log}"]


def test_a_storm_is_told_as_one_when_it_is_over(place: Place) -> None:
    with place.loop() as loop:
        now = settle(loop)
        for number in range(4):
            place.record(f"V{number}")
            loop.step(now + number * 0.9)
        loop.step(now + 3 * 0.9 + 0.99)
        assert place.told() == []
        loop.step(now + 3 * 0.9 + 1.0)
        assert place.told() == ["V0", "V1", "V2", "V3"]
        assert place.said == [f"file: wrote 4 lines to {place.log}"]


def test_a_storm_that_does_not_end_is_told_after_five_seconds(place: Place) -> None:
    with place.loop() as loop:
        now = settle(loop)
        for tenth in range(50):
            place.record(f"V{tenth}")
            loop.step(now + tenth / 10)
        assert place.told() == []
        loop.step(now + 5.0)
        assert len(place.told()) == 50


def test_a_pod_s_last_words_are_told_within_its_last_second(place: Place) -> None:
    with place.loop() as loop:
        now = settle(loop)
        place.record("V1")
        loop.step(now)
        place.record("V1", "STOP")
        loop.step(now + 0.1)
        assert place.told() == []
        loop.step(now + 0.2)
        assert place.told() == ["V1", "V1"]
        for hundredth in range(5):
            place.record(f"V{hundredth}", "STOP")
            loop.step(now + 1 + hundredth / 11)
        assert len(place.told()) == 2
        loop.step(now + 1.4)
        assert len(place.told()) == 7


def test_when_all_is_told_there_is_nothing_to_do_until_something_is_recorded(place: Place) -> None:
    place.record("V1")
    with place.loop() as loop:
        now = settle(loop)
        assert loop.step(now) == float("inf")
        assert loop.is_idle
        assert not loop.has_more()
        place.record("V2")
        assert loop.has_more()
        assert loop.has_more(), "to ask changes nothing"
        loop.step(now + 1)
        assert not loop.is_idle
        settle(loop, now + 2)  # more than one step, where the last message is less than the rate away
        assert place.told() == ["V1", "V2"]


def test_where_nothing_is_recorded_there_is_nothing_to_wait_for(place: Place) -> None:
    with place.loop() as loop:
        assert loop.step(0.0) == float("inf")
        assert (place.state / "journal").exists(), "it is there to be watched"


def test_of_a_long_journal_no_more_is_read_than_can_be_told(place: Place) -> None:
    place.config.write_text(f'[notifier.file]\nnotifier = "log"\nfile = "{place.log}"\nrate = "1h"\n')
    one = Transition.of_now("INSTANCE", "V", "MASTER")
    with (place.state / "journal").open("wb") as file:
        for one.pid in range(30_000):
            file.write(one.record())
    with place.loop() as loop:
        for now in range(6):
            loop.step(now)
        assert loop.reader.has_more
        assert 0 < len(place.told()) <= loop.backlog.last < 15_000


def test_an_idle_step_opens_no_file(place: Place) -> None:
    place.record("V1")
    with place.loop() as loop:
        now = settle(loop)
        loop.step(now)
        opened: list[object] = []
        watching = True
        sys.addaudithook(lambda name, words: opened.append(words) if watching and name == "open" else None)
        loop.step(now + 1)
        watching = False
        assert opened == []


def test_a_step_is_due_when_a_notifier_may_be_told_again(place: Place) -> None:
    place.config.write_text('[notifier.run]\nnotifier = "exec"\ncommand = ["sh", "-c", "exit 75"]\n')
    place.record("V1")
    with place.loop() as loop:
        loop.step(0.0)
        assert 0 < loop.step(1.0) <= 1.0, "the first pause"
        assert not loop.is_idle
        (queue,) = queues(str(place.state))
        assert (queue.attempts, queue.waiting) == (1, 1)
        loop.step(1.5)
        assert queues(str(place.state))[0].attempts == 1, "not yet"


def test_the_history_is_read_once(place: Place) -> None:
    place.record("V1")
    with place.loop() as loop:
        settle(loop)
    opened: list[str] = []
    watching = True
    sys.addaudithook(lambda name, words: opened.append(str(words[0])) if watching and name == "open" else None)
    with place.loop() as loop:
        settle(loop)
    watching = False
    assert opened.count(str(place.state / "history")) == 1
    assert place.told() == ["V1"]


def test_what_everybody_has_been_told_is_forgotten(place: Place, tmp_path: Path) -> None:
    place.declare("missing", tmp_path / "absent" / "file")
    place.record("V1")
    with place.loop() as loop:
        loop.step(0.0)
        loop.step(1.0)
        assert place.told() == ["V1"]
        assert [event.name for event in loop.backlog.recent] == ["V1"], "one does not know it yet"
        (tmp_path / "absent").mkdir()
        loop.delivery.queues["missing"].not_before = 0
        loop.step(1000.0)
        assert loop.backlog.recent == []


def test_who_was_told_before_is_not_told_again_by_the_next_one(place: Place) -> None:
    place.record("V1")
    with place.loop() as loop:
        settle(loop)
    place.record("V2")
    with place.loop() as loop:
        settle(loop)
    assert place.told() == ["V1", "V2"]


def test_a_notifier_that_is_declared_later_is_told_from_then_on(place: Place, tmp_path: Path) -> None:
    with place.loop() as loop:
        place.record("V1")
        now = settle(loop)
        place.declare("other", tmp_path / "other")
        loop.configure()
        place.record("V2")
        loop.step(now)
        settle(loop, now + 1)
        assert place.told() == ["V1", "V2"]
        assert "V2" in (tmp_path / "other").read_text()


def test_a_new_configuration_forgets_no_queue_that_could_not_be_saved(place: Place, tmp_path: Path) -> None:
    command = f"echo tried >> {tmp_path}/tried; exit 75"
    place.config.write_text(f'[notifier.run]\nnotifier = "exec"\ncommand = ["sh", "-c", "{command}"]\n')
    place.record("V1")
    with place.loop() as loop:
        loop.step(0.0)
        loop.step(1.0)
        loop.delivery.queues["run"].retry_in(300, waiting=1)
        (place.state / "queue-run").unlink()
        loop.configure()
        loop.step(2.0)
    assert (tmp_path / "tried").read_text() == "tried\n"


def test_a_notifier_of_a_command_line_is_told_after_a_new_start_and_a_new_configuration(
    place: Place, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    for number in range(3):
        place.record(f"V{number}", "FAULT", "log", "--file", str(own), "--rate", "1ms")
        with place.loop() as loop:
            now = settle(loop)
            loop.configure()
            place.record(f"W{number}", "FAULT", "log", "--file", str(own), "--rate", "1ms")
            loop.step(now)
            settle(loop, now + 1)
    names = [line.split()[3] for line in own.read_text().splitlines()]
    assert names == ["V0", "W0", "V1", "W1", "V2", "W2"]
    assert place.told() == []


def test_a_record_wakes_who_waits(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.touch()
    watch = JournalWatch(look_interval=600)
    assert watch.follow([str(path)])
    assert not watch.follow([str(path)])
    for _ in range(2):
        waiting = threading.Thread(target=watch.wait, args=(600,), daemon=True)
        waiting.start()
        journal.append(Transition.of_now("INSTANCE", "V", "FAULT"), [str(tmp_path)])
        waiting.join(30)
        assert not waiting.is_alive()
        assert not is_heard(watch), "what has been heard wakes nobody again"
    watch.close()


def is_heard(watch: JournalWatch) -> bool:
    return bool(select.select([watch.descriptor], [], [], 0)[0])


def test_a_journal_that_begins_anew_is_watched_and_no_other_file(place: Place) -> None:
    place.record("V1")
    with place.loop() as loop:
        now = settle(loop)
        loop.step(now)
        close_at(loop.reader, 1)
        place.record("V2")
        loop.step(now)
        now = settle(loop, now + 1)
        loop.step(now)
        assert list(place.state.glob("journal.*"))
        loop.watch.hear()
        (place.state / "a-check").write_text("PASS")
        os.replace(place.state / "a-check", place.state / "check")
        assert not is_heard(loop.watch)
        place.record("V3")
        assert is_heard(loop.watch)


def close_at(reader: History, size: int) -> None:
    reader.journal_closed_at_bytes = size


def test_a_file_that_cannot_be_watched_is_looked_at_more_often(tmp_path: Path) -> None:
    watch = JournalWatch()
    assert watch.interval == 1.0
    watch.follow([str(tmp_path / "absent")])
    assert watch.interval == 0.1
    (tmp_path / "there").touch()
    watch.follow([str(tmp_path / "there")])
    assert watch.interval == 1.0
    watch.close()


def test_records_that_are_not_ours_are_said(place: Place) -> None:
    (place.state / "journal").write_bytes(b"\x1enonsense, and more of it than a file is known by, of course\n" * 2)
    with place.loop() as loop:
        settle(loop)
    assert place.said == ["2 records that were torn, or not ours, were passed over"]


def test_an_instance_that_was_taken_out_is_told_of_as_deleted(place: Place, tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text("vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 1\n}\n")
    os.utime(conf, (time.time() + 60,) * 2)  # it was changed after all that was said
    place.node.keepalived_config = str(conf)
    place.record("VI_1", "MASTER")
    place.record("VI_2", "MASTER")
    place.record("VI_2", "FAULT")
    with place.loop() as loop:
        settle(loop)
    assert sorted(place.told()) == ["VI_1", "VI_2", "VI_2", "VI_2"]
    history = [json.loads(line)["state"] for line in (place.state / "history").read_text().splitlines()]
    assert history == ["MASTER", "MASTER", "FAULT", "DELETED"]
