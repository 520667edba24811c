"""`hacheck history`: what Keepalived has said on this node, whoever recorded it."""

from __future__ import annotations

import heapq
import time

from hachecks.keepalived.vips import script_users, vips
from hachecks.node import Node, NodeOptions
from hachecks.settings import option, settings
from hachecks.transitions import follower, journal
from hachecks.transitions.transition import label
from hachecks.units import Duration
from hachecks.verdict import in_words, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from typing import Literal

    from hachecks.registry import Output
    from hachecks.transitions.event import Event

MOST_OF_A_STRANGER = 10_000
"""Events that are shown of a user whom nobody has reason to believe, for he may have recorded any number."""


@settings
class ShowHistory(NodeOptions):
    """Show what Keepalived has said, oldest first."""

    vip: str | None = option(default=None, metavar="ADDR", help="Only the instance that carries this VIP.")
    instance: str | None = option(default=None, metavar="NAME", help="Only this instance or group.")
    since: Duration | None = option(default=None, help="Only what happened within this time.")
    format: Literal["text", "json"] = option(default="text", help="Lines for people, or a JSON object on each.")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Tell every event that is asked for, whoever recorded it; whom nobody has reason to believe is named."""
        node = Node(self, environ)
        carried = vips(node)
        trusted = journal.trusted_users(script_users(node))
        said = (_said(user, node.places, trusted) for user in follower.users_of(node.places))
        for event, user in heapq.merge(*said, key=_time):
            if self.wants(event, carried):
                by = "" if user in trusted else f", recorded by {user_name(user)}"
                output.say(str(event) if self.format == "json" else f"{as_text(event, vips_of(event, carried))}{by}")
        return True

    def wants(self, event: Event, carried: Mapping[str, Sequence[str]]) -> bool:
        """Whether the event is among those asked for."""
        return (
            (self.instance is None or event.name == self.instance)
            and (self.vip is None or self.vip in vips_of(event, carried))
            and (self.since is None or event.at >= time.time() - self.since)
        )


def _said(user: int, places: Sequence[str], trusted: Container[int]) -> Iterator[tuple[Event, int]]:
    at_most = None if user in trusted else MOST_OF_A_STRANGER
    return ((event, user) for event in follower.recorded_by(user, places, at_most))


def _time(said: tuple[Event, int]) -> float:
    return said[0].at


def vips_of(event: Event, carried: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The VIPs of the instance it is about; a group of the same name has none."""
    return carried.get(event.name, ()) if event.kind == "INSTANCE" else ()


def user_name(user: int) -> str:
    """What a user is called, or his number."""
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"


def as_text(event: Event, carried: Sequence[str]) -> str:
    """The event as one line for people."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at))
    addresses = f" ({', '.join(carried)})" if carried else ""
    lasted = f" for {in_words(event.at - event.since)}" if event.since and event.at > event.since else ""
    was = f", was {event.before}{lasted}" if event.before else ""
    late = ", heard late" if event.late else ""
    return visible(f"{at}  {event.state:<7} {label(event.kind, event.name)}{addresses}{was}{late}")
