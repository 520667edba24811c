"""A transition that is recorded twice, by the notify script and by the FIFO, is one event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hachecks.proc import TICKS
from hachecks.state import boot_id
from hachecks.transitions.event import TransitionLog
from hachecks.transitions.transition import BEYOND_PIDS, Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.transitions.event import Event

STATES = ("MASTER", "BACKUP", "FAULT")


def script(state: str, at: int, options: Sequence[str] = (), name: str = "VI_1") -> Transition:
    """Recorded by a process of this clock tick."""
    return Transition("INSTANCE", name, state, 100, boot=boot_id(), started=at, pid=1000 + at % 1000, options=options)


def line(state: str, at: int, name: str = "VI_1") -> Transition:
    """Read in this clock tick."""
    return Transition("INSTANCE", name, state, 100, boot=boot_id(), started=at, pid=BEYOND_PIDS + at)


def read(log: TransitionLog, *transitions: Transition) -> list[Event]:
    """The events of what is read at once."""
    return list(log.events_from(sorted(transitions, key=lambda one: one.order)))


def words(events: Sequence[Event]) -> list[tuple[str | None, str]]:
    return [(event.before, event.state) for event in events]


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[str], list[list[Transition]]]:
    """States, one after the other, and the batches in which both ways of each are read."""
    states: list[str] = []
    for _ in range(draw(st.integers(1, 8))):
        states.append(draw(st.sampled_from([one for one in STATES if states[-1:] != [one]])))
    times = [1000 + sum(draw(st.integers(0, 50)) + 1 for _ in range(n + 1)) for n in range(len(states))]
    times.sort()
    times = [at + number for number, at in enumerate(times)]
    ways = [[script(*one) for one in zip(states, times)], []]
    read_at = 0
    for state, at in zip(states, times):
        read_at = max(read_at + 1, at + draw(st.integers(0, 5 * TICKS)))
        ways[1].append(line(state, read_at))
    batches: list[list[Transition]] = [[]]
    while any(ways):
        way = draw(st.sampled_from([one for one in ways if one]))
        batches[-1].append(way.pop(0))
        if draw(st.booleans()):
            batches.append([])
    return states, batches


@given(recordings())
def test_in_whatever_order_both_ways_are_read_each_transition_is_one_event(
    recorded: tuple[list[str], list[list[Transition]]],
) -> None:
    states, batches = recorded
    log = TransitionLog()
    events = [event for batch in batches for event in read(log, *batch)]
    assert words(events) == list(zip([None, *states], states))
    assert not any(event.late for event in events)


def test_what_one_way_loses_the_other_one_tells() -> None:
    log = TransitionLog()
    first = read(log, script("MASTER", 1000), line("MASTER", 1002), line("FAULT", 1100), script("BACKUP", 1200))
    then = read(log, line("BACKUP", 1201), line("MASTER", 1301))
    assert [event.state for event in [*first, *then]] == ["MASTER", "FAULT", "BACKUP", "MASTER"]


def test_lines_alone_are_all_told_after_scripts_alone() -> None:
    log = TransitionLog()
    read(log, *(script(state, 1000 + 10 * at) for at, state in enumerate(("BACKUP", "MASTER", "BACKUP", "MASTER"))))
    lines = read(log, *(line(state, 1100 + 10 * at) for at, state in enumerate(("FAULT", "BACKUP", "MASTER"))))
    assert [event.state for event in lines] == ["FAULT", "BACKUP", "MASTER"]


def test_long_ago_is_another_transition() -> None:
    log = TransitionLog()
    assert len(read(log, script("MASTER", 1000), line("MASTER", 1000 + 61 * TICKS))) == 2


def test_who_is_named_on_the_command_line_is_told_by_the_script_and_all_others_by_the_line() -> None:
    log = TransitionLog()
    read(log, line("BACKUP", 900))
    events = read(log, line("MASTER", 1000)) + read(log, script("MASTER", 999, ("log", "--file", "/f")))
    assert [(event.before, event.options) for event in events] == [("BACKUP", ()), ("BACKUP", ("log", "--file", "/f"))]
    assert words(read(log, line("BACKUP", 1050))) == [("MASTER", "BACKUP")]


def test_a_group_is_not_its_namesake() -> None:
    log = TransitionLog()
    group = script("MASTER", 1000)
    group.kind = "GROUP"
    assert len(read(log, group, line("MASTER", 1001))) == 2
