"""What Keepalived said becomes states, counts and times, and nothing of it is invented."""

from __future__ import annotations

from typing import Any

import pytest

from hachecks.exporter.stories import (
    DAY,
    MOST_CHANGES,
    MOST_CHANGES_OF_ALL,
    MOST_STORIES,
    MOST_WORDS,
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
    story = InstanceHistory()
    for one in events:
        story.hear(one)
    return story


def test_nothing_said_is_unknown() -> None:
    story = InstanceHistory()
    assert (story.state, story.since, story.served_at(NOW)) == ("UNKNOWN", None, 0.0)


def test_the_last_word_counts_and_says_since_when() -> None:
    story = told(event("BACKUP", NOW), event("MASTER", NOW + 5))
    assert (story.state, story.since, story.priority) == ("MASTER", NOW + 5, 100)


def test_each_change_is_counted_once() -> None:
    story = told(event("BACKUP", NOW), event("BACKUP", NOW + 1), event("MASTER", NOW + 2), event("FAULT", NOW + 3))
    assert story.entered == {"BACKUP": 1, "MASTER": 1, "FAULT": 1, "STOP": 0}
    assert story.left_master == 1


def test_a_repetition_does_not_change_since_when() -> None:
    assert told(event("MASTER", NOW), event("MASTER", NOW + 9)).since == NOW


def test_a_late_word_changes_nothing() -> None:
    story = told(event("MASTER", NOW), event("BACKUP", NOW - 5, late=True))
    assert (story.state, story.entered["BACKUP"]) == ("MASTER", 0)


def test_news_of_a_priority_changes_no_state() -> None:
    story = told(event("MASTER", NOW), event("MASTER_PRIORITY", NOW + 1, priority=90))
    assert (story.state, story.priority, story.since) == ("MASTER", 90, NOW)


def test_only_the_time_as_master_is_served() -> None:
    story = told(event("BACKUP", NOW), event("MASTER", NOW + 10), event("FAULT", NOW + 25), event("MASTER", NOW + 40))
    assert story.served_at(NOW + 41) == 15 + 1


def test_a_dead_keepalived_serves_nothing_and_one_that_lives_on_does_again() -> None:
    story = told(event("MASTER", NOW))
    story.set_keepalived_alive(alive=False, now=NOW + 10)
    assert story.served_at(NOW + 100) == 10
    story.set_keepalived_alive(alive=True, now=NOW + 100)
    assert story.served_at(NOW + 101) == 11
    assert [state for _, state in story.changes] == ["MASTER", "UNKNOWN", "MASTER"]
    assert story.entered["MASTER"] == 1


def test_one_that_has_stopped_stays_stopped() -> None:
    story = told(event("MASTER", NOW), event("STOP", NOW + 1))
    story.set_keepalived_alive(alive=False, now=NOW + 2)
    assert [state for _, state in story.changes] == ["MASTER", "STOP"]


def test_the_death_is_noted_once() -> None:
    story = told(event("MASTER", NOW))
    for second in range(5):
        story.set_keepalived_alive(alive=False, now=NOW + second)
    assert len(story.changes) == 2


def test_a_day_is_remembered_with_the_state_it_began_in() -> None:
    story = told(event("BACKUP", NOW - 3 * DAY), event("MASTER", NOW - 2 * DAY), event("FAULT", NOW - 60))
    story.forget(NOW)
    assert list(story.changes) == [(NOW - 2 * DAY, "MASTER"), (NOW - 60, "FAULT")]


def test_flapping_does_not_fill_the_memory() -> None:
    story = InstanceHistory()
    for number in range(3 * MOST_CHANGES):
        story.hear(event(("MASTER", "BACKUP")[number % 2], NOW + number))
    assert len(story.changes) == MOST_CHANGES
    assert story.entered["MASTER"] == 3 * MOST_CHANGES // 2


def test_a_clock_that_was_set_back_serves_no_negative_time() -> None:
    story = told(event("MASTER", NOW), event("BACKUP", NOW - 100))
    assert story.served_at(NOW) == 0


def test_a_deleted_instance_is_gone_and_its_words_are_counted() -> None:
    stories = InstanceHistories()
    stories.hear([event("MASTER", NOW), event("DELETED", NOW + 1), event("FAULT", NOW, name="G", kind="GROUP")])
    assert stories.of == {}
    assert stories.events == {("INSTANCE", "MASTER"): 1, ("INSTANCE", "DELETED"): 1, ("GROUP", "FAULT"): 1}


def test_what_a_group_says_is_kept_apart_from_an_instance_of_its_name() -> None:
    stories = InstanceHistories()
    stories.hear([event("MASTER", NOW), event("FAULT", NOW + 1, kind="GROUP")])
    assert (stories.of["VI_1"].state, stories.groups["VI_1"].state) == ("MASTER", "FAULT")
    stories.hear([event("DELETED", NOW + 2, kind="GROUP")])
    assert (stories.of["VI_1"].state, stories.groups) == ("MASTER", {})


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
    stories, odd = InstanceHistories(), event("MASTER", NOW)
    for name, value in wrong.items():
        setattr(odd, name, value)
    stories.hear([odd, event("BACKUP", NOW + 1)])
    assert stories.of["VI_1"].changes[-1] == (NOW + 1, "BACKUP")
    assert stories.of["VI_1"].entered["MASTER"] == 0
    assert stories.groups == {}


@pytest.mark.parametrize("priority", [-1, 256, 10**400])
def test_a_priority_that_vrrp_has_not_is_no_news(priority: int) -> None:
    assert told(event("MASTER", NOW), event("BACKUP", NOW + 1, priority=priority)).priority == 100


def test_many_names_and_words_do_not_fill_the_memory() -> None:
    stories = InstanceHistories()
    stories.hear(event(f"WORD_{number}", NOW + number, name=f"VI_{number}") for number in range(3 * MOST_STORIES))
    assert len(stories.of) == MOST_STORIES
    assert f"VI_{3 * MOST_STORIES - 1}" in stories.of, "those that were spoken of last are kept"
    assert len(stories.events) == MOST_WORDS


def test_many_restless_instances_share_the_changes_that_are_remembered() -> None:
    stories, instances = InstanceHistories(), 500
    for number in range(400):
        stories.hear(
            event(("MASTER", "BACKUP")[number % 2], NOW + number, name=f"VI_{one}") for one in range(instances)
        )
    stories.forget(NOW)
    assert sum(len(story.changes) for story in stories.all()) <= MOST_CHANGES_OF_ALL
    assert {story.entered["MASTER"] for story in stories.all()} == {200}
