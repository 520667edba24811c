"""What Keepalived said becomes states, counts and times, and nothing of it is invented."""

from __future__ import annotations

from typing import Any

import pytest

from hachecks.exporter.instance_history import (
    MAX_CHANGES,
    MAX_CHANGES_OF_ALL,
    MAX_EVENT_KINDS,
    MAX_HISTORIES,
    TIMELINE_SECONDS,
    InstanceHistories,
    InstanceHistory,
)
from hachecks.transitions.event import Event

NOW = 1_790_000_000.0


def event(state: str, at: float, *, late: bool = False, name: str = "VI_1", kind: str = "INSTANCE",
          priority: int | None = 100) -> Event:  # fmt: skip
    return Event(
        number=1, key="k", at=at, kind=kind, name=name, state=state, priority=priority, before=None, since=None,
        late=late, options=(), order=("boot", 1, 1),
    )  # fmt: skip


def told(*events: Event) -> InstanceHistory:
    history = InstanceHistory()
    for one in events:
        history.add(one)
    return history


def test_nothing_said_is_unknown() -> None:
    history = InstanceHistory()
    assert (history.state, history.since, history.master_seconds_at(NOW)) == ("UNKNOWN", None, 0.0)


def test_the_last_word_counts_and_says_since_when() -> None:
    history = told(event("BACKUP", NOW), event("MASTER", NOW + 5))
    assert (history.state, history.since, history.priority) == ("MASTER", NOW + 5, 100)


def test_each_change_is_counted_once() -> None:
    history = told(event("BACKUP", NOW), event("BACKUP", NOW + 1), event("MASTER", NOW + 2), event("FAULT", NOW + 3))
    assert history.entered == {"BACKUP": 1, "MASTER": 1, "FAULT": 1, "STOP": 0}
    assert history.left_master == 1


def test_a_repetition_does_not_change_since_when() -> None:
    assert told(event("MASTER", NOW), event("MASTER", NOW + 9)).since == NOW


def test_a_late_word_changes_nothing() -> None:
    history = told(event("MASTER", NOW), event("BACKUP", NOW - 5, late=True))
    assert (history.state, history.entered["BACKUP"]) == ("MASTER", 0)


def test_news_of_a_priority_changes_no_state() -> None:
    history = told(event("MASTER", NOW), event("MASTER_PRIORITY", NOW + 1, priority=90))
    assert (history.state, history.priority, history.since) == ("MASTER", 90, NOW)


def test_only_the_time_as_master_is_served() -> None:
    history = told(event("BACKUP", NOW), event("MASTER", NOW + 10), event("FAULT", NOW + 25), event("MASTER", NOW + 40))
    assert history.master_seconds_at(NOW + 41) == 15 + 1


def test_a_dead_keepalived_serves_nothing_and_one_that_lives_on_does_again() -> None:
    history = told(event("MASTER", NOW))
    history.set_keepalived_alive(alive=False, now=NOW + 10)
    assert history.master_seconds_at(NOW + 100) == 10
    history.set_keepalived_alive(alive=True, now=NOW + 100)
    assert history.master_seconds_at(NOW + 101) == 11
    assert [state for _, state in history.changes] == ["MASTER", "UNKNOWN", "MASTER"]
    assert history.entered["MASTER"] == 1


def test_one_that_has_stopped_stays_stopped() -> None:
    history = told(event("MASTER", NOW), event("STOP", NOW + 1))
    history.set_keepalived_alive(alive=False, now=NOW + 2)
    assert [state for _, state in history.changes] == ["MASTER", "STOP"]


def test_the_death_is_noted_once() -> None:
    history = told(event("MASTER", NOW))
    for second in range(5):
        history.set_keepalived_alive(alive=False, now=NOW + second)
    assert len(history.changes) == 2


def test_a_day_is_remembered_with_the_state_it_began_in() -> None:
    history = told(
        event("BACKUP", NOW - 3 * TIMELINE_SECONDS),
        event("MASTER", NOW - 2 * TIMELINE_SECONDS),
        event("FAULT", NOW - 60),
    )
    history.forget(NOW)
    assert list(history.changes) == [(NOW - 2 * TIMELINE_SECONDS, "MASTER"), (NOW - 60, "FAULT")]


def test_flapping_does_not_fill_the_memory() -> None:
    history = InstanceHistory()
    for number in range(3 * MAX_CHANGES):
        history.add(event(("MASTER", "BACKUP")[number % 2], NOW + number))
    assert len(history.changes) == MAX_CHANGES
    assert history.entered["MASTER"] == 3 * MAX_CHANGES // 2


def test_a_clock_that_was_set_back_serves_no_negative_time() -> None:
    history = told(event("MASTER", NOW), event("BACKUP", NOW - 100))
    assert history.master_seconds_at(NOW) == 0


def test_a_deleted_instance_is_gone_and_its_words_are_counted() -> None:
    histories = InstanceHistories()
    histories.add([event("MASTER", NOW), event("DELETED", NOW + 1), event("FAULT", NOW, name="G", kind="GROUP")])
    assert histories.of == {}
    assert histories.events == {("INSTANCE", "MASTER"): 1, ("INSTANCE", "DELETED"): 1, ("GROUP", "FAULT"): 1}


def test_what_a_group_says_is_kept_apart_from_an_instance_of_its_name() -> None:
    histories = InstanceHistories()
    histories.add([event("MASTER", NOW), event("FAULT", NOW + 1, kind="GROUP")])
    assert (histories.of["VI_1"].state, histories.groups["VI_1"].state) == ("MASTER", "FAULT")
    histories.add([event("DELETED", NOW + 2, kind="GROUP")])
    assert (histories.of["VI_1"].state, histories.groups) == ("MASTER", {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": float("nan")},
        {"at": float("inf")},
        {"at": 1e300},
        {"at": -1.0},
        {"at": "now"},
        {"at": None},
        {"name": 7},
        {"name": "x" * 5000},
        {"state": None},
        {"state": ["MASTER"]},
        {"kind": {}},
        {"kind": "SCRIPT"},
        {"priority": "high"},
        {"order": ()},
        {"order": (None, 1, 1)},
    ],
    ids=str,
)
def test_an_event_that_no_keepalived_can_have_said_is_passed_over(wrong: dict[str, Any]) -> None:
    histories, odd = InstanceHistories(), event("MASTER", NOW)
    for name, value in wrong.items():
        setattr(odd, name, value)
    histories.add([odd, event("BACKUP", NOW + 1)])
    assert histories.of["VI_1"].changes[-1] == (NOW + 1, "BACKUP")
    assert histories.of["VI_1"].entered["MASTER"] == 0
    assert histories.groups == {}


@pytest.mark.parametrize("priority", [-1, 256, 10**400])
def test_a_priority_that_vrrp_has_not_is_no_news(priority: int) -> None:
    assert told(event("MASTER", NOW), event("BACKUP", NOW + 1, priority=priority)).priority == 100


def test_many_names_and_words_do_not_fill_the_memory() -> None:
    histories = InstanceHistories()
    histories.add(event(f"WORD_{number}", NOW + number, name=f"VI_{number}") for number in range(3 * MAX_HISTORIES))
    assert len(histories.of) == MAX_HISTORIES
    assert f"VI_{3 * MAX_HISTORIES - 1}" in histories.of, "those that were spoken of last are kept"
    assert len(histories.events) == MAX_EVENT_KINDS


def test_many_restless_instances_share_the_changes_that_are_remembered() -> None:
    histories, instances = InstanceHistories(), 500
    for number in range(400):
        histories.add(
            event(("MASTER", "BACKUP")[number % 2], NOW + number, name=f"VI_{one}") for one in range(instances)
        )
    histories.forget(NOW)
    assert sum(len(history.changes) for history in histories.all()) <= MAX_CHANGES_OF_ALL
    assert {history.entered["MASTER"] for history in histories.all()} == {200}
