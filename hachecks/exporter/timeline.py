"""The timeline of an instance: its last day as a strip of SVG that tells the states apart without colour."""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING

from hachecks.exporter.spelling import escape
from hachecks.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.exporter.view import Instance

DAY = 86400.0
"""Seconds that a strip shows."""
WIDTH = 288
"""Five minutes to a unit of the drawing, so that an hour is 12 of them."""
COLUMNS = 144
"""Ten minutes each: wide enough to be seen on a phone, and few enough for 255 restless VIPs."""
HEIGHT = 16
"""Units of the drawing."""
WEIGHT = {"FAULT": 3, "STOP": 2, "UNKNOWN": 1, "MASTER": 0, "BACKUP": 0}
"""Of two states in one column, that of the greater weight is drawn."""
MIDDLE = {"FAULT": 8, "STOP": 15, "UNKNOWN": 8, "MASTER": 8, "BACKUP": 13}
"""Where the line of a state runs; its width (page.css) makes MASTER and FAULT full height and BACKUP a low band."""
CHANGES_IN_LABEL = 3
"""Changes that are named to those who hear the strip: the latest."""

DEFINITIONS = (
    '<pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="ground" d="M0 0h4v4H0z"/><path class="stripe" d="M0 0h1.6v4H0z"/></pattern>'
)
"""What the strips of a page share, beside the grid: the hatch of FAULT."""


def strip(instance: Instance, now: float, columns: int = COLUMNS) -> str:
    """An `<svg>` of the day before `now` (seconds of the epoch) in so many columns; the worst state of a column wins.

    Segments are lines of one path per state, which takes 8 bytes a segment: thousands of flaps are 2 kB at most.
    """
    scale = WIDTH // columns
    paths: dict[str, list[str]] = {}
    for state, start, end in _runs(_columns(instance, now, columns)):
        paths.setdefault(state, []).append(f"M{start * scale} {MIDDLE[state]}h{(end - start) * scale}")
    drawn = "".join(f'<path class="{state.lower()}" d="{"".join(lines)}"/>' for state, lines in paths.items())
    label = escape(sentence(instance, now))
    return (
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f'<use href="#grid"/>{drawn}</svg>'
    )


def axis(now: float) -> str:
    """The hours above the strips, in UTC."""
    labels = "".join(
        f'<text x="{x:.0f}" y="10">{hour:02d}:00</text>' for x, hour in _hours(now, 6) if 16 < x < WIDTH - 16
    )
    return f'<svg class="axis" viewBox="0 0 {WIDTH} 12" aria-hidden="true">{labels}</svg>'


def definitions(now: float) -> str:
    """What every strip of a page refers to; once on the page."""
    grid = "".join(f"M{x:.1f} 0v{HEIGHT}" for x, _ in _hours(now, 6))
    return (
        f'<svg class="definitions" width="0" height="0" aria-hidden="true"><defs>{DEFINITIONS}'
        f'<path id="grid" class="grid" d="{grid}"/></defs></svg>'
    )


def sentence(instance: Instance, now: float) -> str:
    """What the strip shows, for those who hear it."""
    changes = changes_of_day(instance, now)
    parts = [instance.state + (f" since {moment(instance.since, now)} UTC" if instance.since is not None else "")]
    parts.append(f"{len(changes) or 'no'} change{'' if len(changes) == 1 else 's'} in the last day")
    faulty = sum(end - start for state, start, end in _spans(instance, now) if state == "FAULT")
    if faulty:
        parts.append(f"in FAULT for {in_words(faulty)}")
    if changes:
        told = ", ".join(f"{state} {moment(at, now)}" for at, state in changes[-CHANGES_IN_LABEL:])
        parts.append(f"the last: {told}" if len(changes) > CHANGES_IN_LABEL else told)
    return ", ".join(parts)


def changes_of_day(instance: Instance, now: float) -> Sequence[tuple[float, str]]:
    """The changes of the last day; what the day began with is none."""
    return [change for change in instance.timeline if now - DAY <= change[0] <= now]


def moment(at: float, now: float) -> str:
    """A time of the day in UTC, with the date if it was not today."""
    then = time.gmtime(at)
    today = time.gmtime(now)[:3] == then[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", then)


def _hours(now: float, step: int) -> Iterator[tuple[float, int]]:
    """Where each of the day's hours that `step` divides is."""
    first = int((now - DAY) // 3600) + 1
    for hour in range(first, first + 24):
        if hour % step == 0:
            yield (hour * 3600 - (now - DAY)) / DAY * WIDTH, hour % 24


def _spans(instance: Instance, now: float) -> Iterator[tuple[str, float, float]]:
    """The states of the last day with their beginnings and ends; before the first that is known it is UNKNOWN."""
    begin, state = now - DAY, "UNKNOWN"
    end = begin
    for at, following in (*instance.timeline, *_present(instance, now)):
        end = min(max(at, begin), now)
        if end > begin:
            yield state, begin, end
        begin, state = end, following
    yield state, begin, now


def _present(instance: Instance, now: float) -> Sequence[tuple[float, str]]:
    """What the timeline does not say: since when Keepalived is gone, for one, it has not said itself."""
    if instance.timeline and instance.timeline[-1][1] == instance.state:
        return ()
    return ((instance.since if instance.since is not None else now, instance.state),)


def _columns(instance: Instance, now: float, columns: int) -> list[str]:
    """The state of each column: the worst, and of MASTER and BACKUP the one that is news, so that a blip shows."""
    unit = DAY / columns
    drawn: list[str] = [""] * columns
    for state, begin, end in _spans(instance, now):
        first = min(int((begin - (now - DAY)) / unit), columns - 1)
        last = min(max(first + 1, -int(-(end - (now - DAY)) // unit)), columns)
        there = drawn[first]
        before = drawn[first - 1] if first else ""
        news = WEIGHT[state] == WEIGHT.get(there, 0) and there == before
        if not there or WEIGHT[state] > WEIGHT[there] or news:
            drawn[first] = state
        drawn[first + 1 : last] = [state] * (last - first - 1)
    return drawn


def _runs(columns: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Neighbours of one state, as (state, first column, column behind the last)."""
    start = 0
    for state, group in groupby(columns):
        end = start + len(list(group))
        yield state, start, end
        start = end
