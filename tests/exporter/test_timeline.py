"""A strip of a day shows each state by its form, hides no FAULT, and stays small whatever happened."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from hachecks.exporter import timeline
from hachecks.exporter.view import Instance

NOW = 1_790_000_000.0
HOUR = 3600.0


def instance(*changes: tuple[float, str], state: str = "", since: float | None = None, name: str = "VI_1") -> Instance:
    last = changes[-1] if changes else (None, "UNKNOWN")
    return Instance(
        name=name,
        interface="eth0",
        vrid=1,
        family="inet",
        base_priority=100,
        state=state or last[1],
        since=since if state else last[0],
        priority=100,
        why="",
        entered={},
        master_seconds=0.0,
        timeline=changes,
    )


def drawn(one: Instance, columns: int = timeline.WIDTH) -> dict[str, list[tuple[int, int]]]:
    """The segments of each state, as (first, last) units of the drawing."""
    paths = ElementTree.fromstring(timeline.strip(one, NOW, columns)).findall("path")
    segments = {path.get("class", ""): re.findall(r"M(\d+) \d+h(\d+)", path.get("d", "")) for path in paths}
    return {state: [(int(x), int(x) + int(w)) for x, w in found] for state, found in segments.items()}


def test_states_follow_each_other_where_the_hours_are() -> None:
    one = instance((NOW - 30 * HOUR, "BACKUP"), (NOW - 12 * HOUR, "MASTER"), (NOW - 6 * HOUR, "FAULT"))
    assert drawn(one) == {"backup": [(0, 144)], "master": [(144, 216)], "fault": [(216, 288)]}


def test_before_anything_was_said_it_is_unknown() -> None:
    assert drawn(instance((NOW - 6 * HOUR, "STOP"))) == {"unknown": [(0, 216)], "stop": [(216, 288)]}
    assert drawn(instance()) == {"unknown": [(0, 288)]}


@pytest.mark.parametrize("columns", [288, 144])
def test_a_fault_shorter_than_a_pixel_is_not_hidden(columns: int) -> None:
    at = NOW - 3 * HOUR - 40
    one = instance((NOW - 30 * HOUR, "MASTER"), (at, "BACKUP"), (at + 1, "FAULT"), (at + 1.2, "MASTER"))
    scale = 288 // columns
    assert drawn(one, columns)["fault"] == [(252 - scale, 252)]


@pytest.mark.parametrize(("before", "blip"), [("BACKUP", "MASTER"), ("MASTER", "BACKUP")])
def test_a_blip_shorter_than_a_pixel_is_seen(before: str, blip: str) -> None:
    at = NOW - 3 * HOUR - 40
    one = instance((NOW - 30 * HOUR, before), (at, blip), (at + 1, before))
    assert drawn(one)[blip.lower()] == [(251, 252)]


def test_what_nobody_speaks_for_any_more_is_unknown_at_the_end() -> None:
    silent = instance((NOW - 30 * HOUR, "MASTER"), state="UNKNOWN")
    assert drawn(silent) == {"master": [(0, 287)], "unknown": [(287, 288)]}
    known = instance((NOW - 30 * HOUR, "MASTER"), state="UNKNOWN", since=NOW - 12 * HOUR)
    assert drawn(known) == {"master": [(0, 144)], "unknown": [(144, 288)]}


def test_the_strip_is_without_gaps_and_overlaps() -> None:
    states = ("MASTER", "FAULT", "BACKUP", "STOP", "UNKNOWN")
    one = instance(*((NOW - 25 * HOUR + n * 397.0, states[n * n % 5]) for n in range(220)))
    segments = sorted(segment for found in drawn(one).values() for segment in found)
    assert segments[0][0] == 0
    assert segments[-1][1] == 288
    assert all(left[1] == right[0] for left, right in zip(segments, segments[1:]))


def test_thousands_of_flaps_are_small() -> None:
    states = ("MASTER", "BACKUP", "FAULT", "BACKUP")
    fast = instance(*((NOW - 25 * HOUR + n * 9.0, states[n % 4]) for n in range(10_000)))
    assert len(timeline.strip(fast, NOW)) < 500
    slow = instance(*((NOW - 25 * HOUR + n * 301.0, states[n % 4]) for n in range(298)))
    assert 2000 < len(timeline.strip(slow, NOW, timeline.WIDTH)) < 4000
    assert len(timeline.strip(slow, NOW)) < 2200


def test_the_label_tells_the_transitions() -> None:
    one = instance((NOW - 30 * HOUR, "MASTER"), (NOW - 3 * HOUR, "FAULT"), (NOW - 2.5 * HOUR, "MASTER"))
    then, again = timeline.moment(NOW - 3 * HOUR, NOW), timeline.moment(NOW - 2.5 * HOUR, NOW)
    assert timeline.sentence(one, NOW) == (
        f"MASTER since {again} UTC, 2 changes in the last day, in FAULT for 30 min, FAULT {then}, MASTER {again}"
    )
    assert timeline.sentence(instance(), NOW) == "UNKNOWN, no changes in the last day"
    assert timeline.sentence(instance((NOW - 60, "BACKUP")), NOW).count("1 change in") == 1


def test_the_hours_are_where_they_were() -> None:
    midday = NOW - NOW % 86400 + 12 * HOUR
    found = re.findall(r'x="(\d+)" y="10">(\d\d:00)', timeline.axis(midday))
    assert found == [("72", "18:00"), ("144", "00:00"), ("216", "06:00")]
