"""A line of the history is an event with every field of the right type, or none."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hachecks.proc import TICKS
from hachecks.state import boot_id
from hachecks.transitions.event import Event, TransitionLog
from hachecks.transitions.transition import Transition
from tests.events import event

FACTS = event(at=time.time()).facts()
WRONG: dict[str, list[Any]] = {
    "number": [None, "1", 1.0, -1, True, 10**400, [], float("nan")],
    "key": [None, 1, "", "\ud800", []],
    "at": [None, "1", True, -1.0, float("inf"), float("nan"), 10**400, 1e300, []],
    "kind": [None, "VS", 1, [], ""],
    "name": [None, 1, "", "\udc80", {}],
    "state": [None, 1, "", []],
    "priority": ["100", -1, 1.5, True, 10**400],
    "before": [1, "", []],
    "since": ["1", True, float("-inf"), float("nan"), {}],
    "late": [None, 0, 1, "false"],
    "options": [None, "log", {}, [1], [None], ["\ud800"]],
    "order": [
        None,
        [],
        ["b", 1],
        ["b", 1, 2, 3],
        [1, 1, 1],
        ["b", "1", 1],
        ["b", 1.5, 1],
        ["b", 10**400, 1],
        ["b", True, 1],
    ],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_field_of_another_type_makes_no_event(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"no line of a history|Exceeds the limit"):
        Event.parse(json.dumps({**FACTS, name: value}))


def test_every_field_is_looked_at() -> None:
    assert set(WRONG) == set(FACTS)
    assert str(Event.parse(json.dumps(FACTS))) == str(event(at=FACTS["at"]))


@pytest.mark.parametrize("line", ["", "[]", "1", "null", '"x"', "{}", "[" * 100_000, '{"number": ' * 100_000, "\x00"])
def test_what_is_no_object_makes_no_event(line: str) -> None:
    with pytest.raises(ValueError, match=r"no line of|no object|Expecting|too deeply|Extra data|control"):
        Event.parse(line)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(list(FACTS)), ANYTHING))
def test_whatever_is_taken_can_be_told(wrong: dict[str, Any]) -> None:
    try:
        one = Event.parse(json.dumps({**FACTS, **wrong}))
    except ValueError:
        return
    time.localtime(one.at)
    assert f"{one}".encode()
    assert isinstance(one.age(), float)
    assert isinstance(one.changes, bool)


def test_the_age_of_an_event_does_not_depend_on_a_clock_that_is_set() -> None:
    ticks = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS)
    one = event(at=time.time() + 86400)
    assert one.age() < -86000, "of another boot nothing else is known"
    one.order = (boot_id(), ticks - 20 * TICKS, 1)
    assert 19.9 < one.age() < 60


def test_a_record_from_the_future_makes_nothing_late() -> None:
    log = TransitionLog()
    ticks = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS)
    words = [("MASTER", ticks + 10**9, 1), ("FAULT", ticks + TICKS // 2, 2)]
    said = [Transition("INSTANCE", "V", state, 1, boot=boot_id(), started=at, pid=pid) for state, at, pid in words]
    assert [one.late for one in log.events_from(said)] == [False, False]
    assert log.latest["INSTANCE", "V"].state == "FAULT"


def test_of_two_of_one_moment_none_is_late() -> None:
    log = TransitionLog()
    said = [Transition("INSTANCE", "V", state, 1, boot=boot_id(), started=5, pid=7) for state in ("MASTER", "FAULT")]
    assert [one.late for one in log.events_from(said)] == [False, False]
    assert log.latest["INSTANCE", "V"].state == "FAULT"


def test_only_so_many_are_recognised_and_so_many_remembered() -> None:
    log = TransitionLog(most_keys=3)
    said = [Transition("INSTANCE", f"V{n}", "MASTER", 1, boot=boot_id(), started=n, pid=n) for n in range(5)]
    assert len(list(log.events_from(said))) == 5
    assert len(log.keys) == 3
    assert list(log.events_from(said[2:])) == []
    assert [one.name for one in log.events_from(said[:1])] == ["V0"]
