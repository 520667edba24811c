"""Twins: one transition that was recorded twice, by Keepalived's notify script and as a line of its notify FIFO.

A line says neither who nor when. It is read in Keepalived's order, but maybe late; what scripts record is dated by the
instant of the transition, but maybe recorded in another order. So both are matched by instance and state: the lines one
after the other, each script with a line of about its time.
"""

from __future__ import annotations

from hachecks.proc import TICKS
from hachecks.transitions.transition import BEYOND_PIDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.transitions.event import Event
    from hachecks.transitions.transition import Transition

READ_LATE_SECONDS = 60.0
"""Seconds by which a line may be read after its transition: its reader was away, or had no time."""
RECORDED_LATE_SECONDS = 15.0
"""Seconds by which a script may record after its line was read; 255 at once took 13 s (see `notify.sh`)."""
MOST_ALONE = 32
"""Events of one instance and one way whose twin may be still to come, at most."""
MOST_SUBJECTS = 10_000


def is_line(order: tuple[str, int, int]) -> bool:
    """Whether this is the place in the order of a line that was read, and not of a process."""
    return order[2] >= BEYOND_PIDS


class Twins:
    """Of each instance and group, the events of either way whose twin has not come, and may still come."""

    def __init__(self) -> None:
        self._alone: dict[tuple[str, str], tuple[list[Event], list[Event]]] = {}

    def add(self, event: Event) -> None:
        """This has come, and had no twin."""
        boot, ticks, _ = event.order
        first = ticks - READ_LATE_SECONDS * TICKS
        scripts, lines = self._alone.pop(event.subject, ((), ()))
        scripts, lines = (
            [one for one in ones if one.order[0] == boot and one.order[1] >= first][-MOST_ALONE:]
            for ones in (scripts, lines)
        )
        if is_line(event.order):
            scripts = []  # their lines would have come before this one
            lines.append(event)
        else:
            scripts.append(event)
        self._alone[event.subject] = scripts, lines
        if len(self._alone) > MOST_SUBJECTS:
            del self._alone[next(iter(self._alone))]

    def take(self, transition: Transition) -> Event | None:
        """The event of the other way that this transition is, too; None where it is news."""
        scripts, lines = self._alone.get(transition.subject, ([], []))
        line = is_line(transition.order)
        others = scripts if line else lines
        for place, event in enumerate(others):
            if event.state == transition.state and is_about_the_time(transition.order, event.order):
                del others[0 if line else place : place + 1]  # what lines there are come in order
                return event
        return None


def is_about_the_time(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    """Whether a script and a line, in either order, may be of the same instant."""
    line, script = (one, other) if is_line(one) else (other, one)
    late = (line[1] - script[1]) / TICKS
    return line[0] == script[0] and -RECORDED_LATE_SECONDS <= late <= READ_LATE_SECONDS
